"""Agents that take turns: the contract, whose turn it is, and what each one wants."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy.stats import t as student

from moosnn.errors import ConfigError
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.hpabo import Hpabo, scalarised, with_one_gain
from moosnn.optimizers.improvement import log_feasibility
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.sobol import Sobol
from moosnn.optimizers.surrogate import default_hyper
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Float, Space
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import (
    Story,
    append_proposal,
    load_problem,
    run_loop,
    story_of,
    toy_problem,
)

quick = partial(Hpabo, raw_candidates=64, restarts=2, iterations=10)


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self) -> Callable[[], Optimizer]:
        return quick


# ------------------------------------------------------------------ whose turn it is

FOUR = ("accuracy", "silent_fraction", "spikes_per_sample", "weights")


def test_the_agents_take_turns_and_the_pseudo_agent_is_the_last() -> None:
    problem = wells()
    history = run_loop(problem, quick(initial=6), Wells(), 15, 0)
    origins = [t.proposal.origin for t in history.trials]
    turns = ["agent-east", "agent-west", "pseudo-agent"]
    assert origins == ["sobol"] * 6 + turns * 3


def test_an_agent_keeps_its_turn_whatever_is_pending() -> None:
    problem, story = wells(), wells_story(8)
    (two,) = quick().propose(problem, story.history, 1, 0)
    assert (two.number, two.origin) == (8, "pseudo-agent")
    append_proposal(story, two)
    more = quick().propose(problem, story.history, 4, 0)
    assert [(p.number, p.origin) for p in more] == [
        (9, "agent-east"),
        (10, "agent-west"),
        (11, "pseudo-agent"),
        (12, "agent-east"),
    ]


def test_four_objectives() -> None:
    goals = {"accuracy": ("max", 0.2), "silent_fraction": ("min", 0.9)}
    problem = toy_problem(
        objectives=[
            Objective(metric=m, goal=goal, reference=reference)
            for m, (goal, reference) in (
                {"weights": ("min", 1e6), "spikes_per_sample": ("min", 1e5)} | goals
            ).items()
        ]
    )
    points = np.random.default_rng(5).random((40, 9)).tolist()
    story = story_of(problem, AnalyticTask("toy_snn"), points)
    proposals = quick().propose(problem, story.history, 5, 0)
    agents = [f"agent-{metric}" for metric in FOUR]
    assert [p.origin for p in proposals] == [*agents, "pseudo-agent"]
    assert len({tuple(p.params.values()) for p in proposals}) == 5


def test_as_long_as_nothing_is_good_all_want_less_violation() -> None:
    problem, story = wells(upper=-1.0), wells_story(8)
    proposals = quick().propose(problem, story.history, 3, 0)
    assert [p.origin for p in proposals] == ["feasibility"] * 3


# ------------------------------------------------------------------ what they want


class Wells:
    """Two wells side by side, and a lake that reaches from the south into both."""

    metrics = ("east", "west", "lake")
    parameters = None

    def measure(self, x: float, y: float) -> dict[str, float]:
        return {
            "east": (x - 0.8) ** 2 + (y - 0.3) ** 2,
            "west": (x - 0.2) ** 2 + (y - 0.3) ** 2,
            "lake": 0.45 - y,
        }

    def evaluate(self, proposal, context):
        from moosnn.trial import Evaluation

        return Evaluation(metrics=self.measure(**proposal.params))


def wells(upper: float = 0.0, reference: float = 1.0) -> Problem:
    return Problem(
        space=Space({"x": Float(low=0.0, high=1.0), "y": Float(low=0.0, high=1.0)}),
        objectives=(
            Objective(metric="west", goal="min", reference=reference),
            Objective(metric="east", goal="min", reference=reference),
        ),
        constraints=(Constraint(metric="lake", upper=upper),),
    )


def wells_story(count: int, **problem: float) -> Story:
    points = np.random.default_rng(3).random((count, 2)).tolist()
    return story_of(wells(**problem), Wells(), points)


@pytest.mark.parametrize("metric", ["east", "west"])
def test_an_agent_improves_its_own_objective(metric: str) -> None:
    """Whose best point is the one of the shore that is next to the well."""
    problem, story = wells(), wells_story(24 + (metric == "west"))
    (own,) = Hpabo(noise_share=0.0003).propose(problem, story.history, 1, 0)
    assert own.origin == f"agent-{metric}"
    found = Wells().measure(**own.params)
    known = [t.evaluation.metrics for t in story.history.done]
    assert found[metric] < min(m[metric] for m in known if m["lake"] <= 0)
    assert found[metric] == pytest.approx(0.15**2, abs=0.003)
    assert found["lake"] == pytest.approx(0.0, abs=0.02)


def test_an_agent_stays_where_the_others_beat_their_references() -> None:
    """On the shore 0.2 in the west is beaten up to x = 0.2 + sqrt(0.2 - 0.15²)."""
    problem, story = wells(reference=0.2), wells_story(60, reference=0.2)
    (own,) = Hpabo(noise_share=0.0003).propose(problem, story.history, 1, 0)
    assert own.origin == "agent-east"
    assert own.params["x"] == pytest.approx(0.2 + math.sqrt(0.2 - 0.15**2), abs=0.03)
    assert own.params["y"] == pytest.approx(0.45, abs=0.03)


def test_what_is_pending_is_not_asked_for_again() -> None:
    problem, story = wells(), wells_story(6)
    east, _, _, again = Hpabo(noise_share=0.0003).propose(problem, story.history, 4, 0)
    assert east.origin == again.origin == "agent-east"
    gaps = [abs(east.params[name] - again.params[name]) for name in ("x", "y")]
    assert max(gaps) > 0.02


def test_the_pseudo_agent_looks_elsewhere_at_each_turn() -> None:
    problem = wells()
    history = run_loop(problem, quick(20, noise_share=0.0003), Wells(), 35, 0)
    places = [
        t.proposal.params["x"]
        for t in history.trials[20:]
        if t.proposal.origin == "pseudo-agent"
    ]
    assert len(places) == 5
    assert max(places) - min(places) > 0.3  # the front is y = 0.45, x in [0.2, 0.8]
    front = front_of(problem, history.trials)
    shore = [history.trial(n).proposal.params for n in front.numbers]
    assert all(0.15 < point["x"] < 0.85 and point["y"] < 0.6 for point in shore)


def block_of(values: list[list[float]], zeros: list[float]) -> Block:
    rows, columns = np.array(values).shape
    return Block(
        points=np.linspace(0, 1, rows)[:, None],
        values=np.array(values),
        zeros=np.array(zeros),
        variances=np.full((rows, columns), 0.01) * np.arange(1, columns + 1),
        log_stretch=np.zeros((rows, columns)),
        outcome=np.arange(columns),
        far=np.zeros(columns, dtype=bool),
    )


def test_the_scalarisation_by_hand() -> None:
    block = block_of([[2.0, 0.0], [0.0, 1.0], [1.0, 0.5], [3.0, 3.0]], [-2.0, 0.0])
    good = np.array([True, True, True, False])
    # The best good values are 2 and 1, which are 4 and 1 above the references. So the
    # shortfalls are (0, 1), (1/2, 0), (1/4, 1/2) and (-1/4, -2).
    found = scalarised(block, good, np.array([0.75, 0.25]))
    distances = [
        0.25 + 0.05 * 0.25,
        0.375 + 0.05 * 0.375,
        0.1875 + 0.05 * (0.1875 + 0.125),
        -0.1875 + 0.05 * (-0.1875 - 0.5),
    ]
    mean, sd = np.mean(distances), np.std(distances)
    assert found.values[:, 0] == pytest.approx([(mean - d) / sd for d in distances])
    assert found.zeros == pytest.approx([(mean - distances[2]) / sd])
    # The first gain decides in rows 1 to 3, the second in row 0.
    first, second = (0.75 / 4) ** 2 * 0.01 / sd**2, 0.25**2 * 0.02 / sd**2
    assert found.variances[:, 0] == pytest.approx([second, first, first, first])


def test_equal_gains_are_scalarised_to_zeros() -> None:
    found = scalarised(block_of([[1.0, 1.0]] * 3, [1.0, 1.0]), np.ones(3, bool), ONES)
    assert found.values.tolist() == [[0.0]] * 3
    assert np.isfinite(found.variances).all()


ONES = np.array([0.5, 0.5])


def test_another_gain_is_a_constraint_that_it_beats_its_reference() -> None:
    values = np.random.default_rng(1).standard_normal((12, 3))
    block = block_of(values.tolist(), [0.3, -0.2, 0.1])
    one = np.zeros(1, dtype=np.intp)
    gps = tuple(Gp.of(block, k, default_hyper(1, 0.1), one) for k in range(3))
    whole = Surrogates(
        gps, 2, block.zeros, np.zeros(1, int), np.zeros(1), np.zeros(1, bool)
    )
    alone = with_one_gain(whole, gps[1], [0])
    points = np.linspace(0.05, 0.95, 5)[:, None]
    prediction = alone.predict(points)
    assert prediction.means[:, 0, 0] == pytest.approx(
        whole.predict(points).means[:, 0, 1]
    )
    found, _ = log_feasibility(alone, prediction)
    means, sds = (whole.predict(points).means[:, 0], whole.predict(points).sds)
    beats = student(4).cdf((means[:, 0] - 0.3) / sds[:, 0])
    holds = student(4).cdf((0.1 - means[:, 2]) / sds[:, 2])
    assert found[:, 0] == pytest.approx(np.log(beats * holds))


def test_it_beats_sobol() -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    volumes = [
        sum(
            front_of(problem, run_loop(problem, one, task, 50, seed).trials).hypervolume
            for seed in (0, 1)
        )
        for one in (quick(16, restarts=1, noise_share=0.0003), Sobol())
    ]
    assert volumes[0] > 1.1 * volumes[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial": 0},
        {"initial": "5"},
        {"noise_share": 0.0},
        {"noise_share": 1.5},
        {"noise_share": math.nan},
        {"raw_candidates": 1},
        {"restarts": 0},
        {"iterations": 2.5},
    ],
)
def test_a_bad_setting_is_refused(wrong: dict) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"^optimizer\.{name}: [^\n]*$"):
        Hpabo(**wrong)
