"""The closed-form optimizer: the contract, its stages, its memory, that it searches."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers import ehvi, models
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.ehvi import Ehvi
from moosnn.optimizers.sobol import Sobol
from moosnn.pareto.front import front_of
from moosnn.problem import Objective, Problem
from moosnn.space import Float, Params, Space
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import SEED, OptimizerContract, toy_points
from tests.helpers import (
    Story,
    append_proposal,
    load_problem,
    run_loop,
    story_of,
    toy_problem,
)

EXACT = 3e-4  # the noise share of a formula
TASK = AnalyticTask("toy_snn")
SQUARE = Space({name: Float(low=0, high=1) for name in ("x", "y")})


def quick(**changes: object) -> Ehvi:
    """Little effort, so that the contract is checked in seconds."""
    effort = {"raw_candidates": 64, "restarts": 2, "iterations": 10}
    return Ehvi(**{**effort, **changes})  # type: ignore[arg-type]


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self) -> Callable[[], Optimizer]:
        return quick


def square_problem(*metrics: str) -> Problem:
    """Losses ``f<k>``: squared distances from corners of a square."""
    return Problem(
        space=SQUARE,
        objectives=tuple(
            Objective(metric=m, goal="min", reference=1.5) for m in metrics
        ),
    )


def losses_at(params: Params) -> dict[str, float]:
    x, y = float(params["x"]), float(params["y"])
    corners = ((0.1, 0.2), (0.9, 0.3), (0.4, 0.9), (0.2, 0.7))
    return {f"f{k}": (x - a) ** 2 + (y - b) ** 2 for k, (a, b) in enumerate(corners)}


def square_loop(problem: Problem, optimizer: Optimizer, count: int) -> History:
    story = Story(problem)
    for _ in range(count):
        (proposal,) = optimizer.propose(problem, story.history, 1, SEED)
        story.finish(append_proposal(story, proposal), **losses_at(proposal.params))
    return story.history


def square_story(problem: Problem, count: int = 12) -> Story:
    story = Story(problem)
    for x, y in np.random.default_rng(0).random((count, 2)):
        number = story.propose({"x": x, "y": y})
        story.finish(number, **losses_at({"x": x, "y": y}))
    return story


def test_the_stages_and_their_origins() -> None:
    """From silent trials alone the search climbs out of the silent region."""
    problem = toy_problem()
    story = Story(problem)
    optimizer = quick(initial=6)
    silent = [[*p[:2], 0.9 + p[2] / 10, 0.9, 0.5, *p[5:]] for p in toy_points(6)]
    origins = []
    for index in range(26):
        (proposal,) = optimizer.propose(problem, story.history, 1, SEED)
        origins.append(proposal.origin)
        if index < 6:  # as if the design had found nothing
            story.evaluate(TASK, story.propose_at(*silent[index]))
        else:
            story.evaluate(TASK, append_proposal(story, proposal))
    assert not problem.observed(story.history.done[:6]).any()
    assert origins[:6] == ["sobol"] * 6
    assert origins[6] == "feasibility"
    assert "ehvi" in origins
    last = len(origins) - origins[::-1].index("feasibility")
    assert set(origins[6:last]) == {"feasibility"}  # no way back
    assert set(origins[last:]) == {"ehvi"}
    assert problem.feasible(story.history.done).any()


def test_feasible_but_worse_than_the_reference_is_not_good_yet() -> None:
    problem = toy_problem()
    story = Story(problem)
    for index, point in enumerate(toy_points(10)):
        bad = {"accuracy": 0.1, "spikes_per_sample": 10.0 + index}
        story.finish(story.propose_at(*point), **bad, silence_margin=-0.1)
    (proposal,) = quick().propose(problem, story.history, 1, SEED)
    assert proposal.origin == "feasibility"


@pytest.mark.parametrize(
    ("dimensions", "initial", "expected"), [(2, None, 5), (14, None, 7), (14, 3, 3)]
)
def test_the_initial_design_grows_with_the_space(dimensions, initial, expected) -> None:
    if initial is None:
        expected = max(ehvi._SMALLEST_DESIGN, dimensions // 2)
    space = Space({f"x{i}": Float(low=0, high=1) for i in range(dimensions)})
    problem = Problem(
        space=space, objectives=(Objective(metric="y", goal="min", reference=99),)
    )
    optimizer, story, origins = quick(initial=initial), Story(problem), []
    for number in range(expected + 1):
        (proposal,) = optimizer.propose(problem, story.history, 1, SEED)
        origins.append(proposal.origin)
        story.finish(append_proposal(story, proposal), y=float(number))
    assert origins == ["sobol"] * expected + ["ehvi"]


@pytest.mark.parametrize(("initial", "trials"), [(6, 20), (68, 84)])
def test_a_cold_chain_proposes_what_the_warm_one_did(initial, trials) -> None:
    """Bit for bit, also where a fit starts from the one before (n > 64)."""
    problem, warm = toy_problem(), quick(initial=initial)
    history = run_loop(problem, warm, TASK, trials, SEED)
    proposals = [history.trial(n).proposal for n in range(trials)]
    assert {"sobol", "ehvi"} <= {p.origin for p in proposals}
    assert (len(history.done) > 64) == (trials > 80)
    for expected in (*proposals[initial - 2 :: 4], proposals[-1]):
        prefix = history.prefix(expected.seen)
        cold = quick(initial=initial).propose(problem, prefix, 1, SEED)
        assert cold == [expected]
        assert warm.propose(problem, prefix, 1, SEED) == [expected]


def test_a_corrected_failure_is_data() -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(12))
    number = story.propose_at(*[0.45] * 9)
    story.fail(number, "timeout")
    warm = quick()
    before = warm.propose(problem, story.history, 1, SEED)
    evaluation = TASK.evaluate(story.history.trial(number).proposal, None)  # type: ignore[arg-type]
    story._add(Kind.CORRECTED, number, evaluation=evaluation.to_json())
    after = warm.propose(problem, story.history, 1, SEED)
    assert before[0].params != after[0].params
    assert after == quick().propose(problem, story.history, 1, SEED)


def test_one_optimizer_serves_two_problems() -> None:
    """The memory of fits is keyed by the problem too."""
    problem = toy_problem()
    other = toy_problem(constraints=())
    story = story_of(problem, TASK, toy_points(20))
    shared = quick()
    shared.propose(problem, story.history, 1, SEED)
    expected = quick().propose(other, story.history, 1, SEED)
    assert shared.propose(other, story.history, 1, SEED) == expected
    back = shared.propose(problem, story.history, 1, SEED)
    assert back == quick().propose(problem, story.history, 1, SEED)


def apart(problem: Problem, one: Params, two: Params) -> float:
    gap = np.subtract(problem.space.encode(one), problem.space.encode(two))
    return float(np.abs(gap).max())


def test_pending_points_change_the_proposal_and_are_avoided() -> None:
    problem = square_problem("f0", "f1")
    story, optimizer = square_story(problem), quick(noise_share=EXACT)
    (free,) = optimizer.propose(problem, story.history, 1, SEED)
    append_proposal(story, free)
    found = optimizer.propose(problem, story.history, 4, SEED)
    assert [p.origin for p in found] == ["ehvi"] * 4
    points = [free.params, *(p.params for p in found)]
    for index, one in enumerate(points):
        for two in points[:index]:
            assert apart(problem, one, two) > 0.01
    # Without the pending point, the same proposal number is answered otherwise.
    beside = Story(problem)
    for trial in story.history.done:
        beside.finish(
            beside.propose(trial.proposal.params), **losses_at(trial.proposal.params)
        )
    number = beside.propose({"x": 0.99, "y": 0.99})
    beside.finish(number, **losses_at({"x": 0.99, "y": 0.99}))
    (other,) = optimizer.propose(problem, beside.history, 1, SEED)
    assert other.number == found[0].number
    assert apart(problem, other.params, found[0].params) > 1e-3


def test_pending_points_are_avoided_while_nothing_is_feasible() -> None:
    problem = toy_problem()
    silent = [[*p[:2], 0.9 + p[2] / 10, 0.9, 0.5, *p[5:]] for p in toy_points(10)]
    story = story_of(problem, TASK, silent)
    found = quick().propose(problem, story.history, 3, SEED)
    assert [p.origin for p in found] == ["feasibility"] * 3
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert apart(problem, found[one].params, found[two].params) > 0.02


@pytest.fixture
def fronts(monkeypatch) -> list[int]:
    """How many fronts each improvement was averaged over."""
    counts: list[int] = []
    original = ehvi.imagined_fronts

    def spy(*arguments: object) -> object:
        after, drawn = original(*arguments)  # type: ignore[arg-type]
        counts.append(len(drawn))
        return after, drawn

    monkeypatch.setattr(ehvi, "imagined_fronts", spy)
    return counts


def test_a_formulas_front_is_known(fronts) -> None:
    problem = square_problem("f0", "f1")
    story = square_story(problem, 20)
    quick(noise_share=EXACT).propose(problem, story.history, 1, SEED)
    assert fronts == [1]


def test_a_noisy_front_is_drawn(fronts) -> None:
    problem, rng = square_problem("f0", "f1"), np.random.default_rng(0)
    story = Story(problem)
    for x, y in rng.random((20, 2)):
        values = losses_at({"x": x, "y": y})
        noisy = {k: v + 0.2 * rng.standard_normal() for k, v in values.items()}
        story.finish(story.propose({"x": x, "y": y}), **noisy)
    found = quick(draws=8).propose(problem, story.history, 2, SEED)
    assert fronts == [8, 8]
    assert [p.origin for p in found] == ["ehvi"] * 2


def test_a_point_that_is_awaited_makes_the_front_uncertain(fronts) -> None:
    problem = square_problem("f0", "f1")
    story = square_story(problem, 20)
    quick(noise_share=EXACT, draws=4).propose(problem, story.history, 2, SEED)
    assert fronts == [1, 4]


def test_it_leaves_what_it_knows_to_be_feasible_when_that_is_used_up(
    monkeypatch,
) -> None:
    """The feasible front of C2DTLZ2 is in three pieces, of which it knows one."""
    problem, task = load_problem("c2dtlz2"), AnalyticTask("c2dtlz2")
    seed, found = 8, []
    for little in (1e-300, ehvi._LITTLE):
        monkeypatch.setattr(ehvi, "_LITTLE", little)
        optimizer = quick(noise_share=EXACT, raw_candidates=256)
        trials = run_loop(problem, optimizer, task, 35, seed).trials
        found.append(front_of(problem, trials).hypervolume)
    assert found[0] < 0.3
    assert found[1] > 0.36  # of 0.3996


def test_it_beats_sobol() -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    optimizer = quick(noise_share=EXACT, raw_candidates=128)
    modelled = front_of(problem, run_loop(problem, optimizer, task, 30, 0).trials)
    sobol = front_of(problem, run_loop(problem, Sobol(), task, 60, 0).trials)
    assert modelled.hypervolume > 1.1 * sobol.hypervolume
    assert modelled.hypervolume > 0.95 * 608.4  # the largest, from its problem's file


@pytest.mark.parametrize("objectives", [1, 3])
def test_it_searches_for_one_and_three_objectives(objectives) -> None:
    problem = square_problem(*[f"f{k}" for k in range(objectives)])
    modelled = front_of(
        problem, square_loop(problem, quick(noise_share=EXACT), 20).trials
    )
    sobol = front_of(problem, square_loop(problem, Sobol(), 40).trials)
    assert modelled.hypervolume > sobol.hypervolume
    if objectives == 1:
        assert modelled.hypervolume == pytest.approx(1.5, abs=1e-3)


def test_more_than_three_objectives_are_qnehvis(caplog) -> None:
    problem = square_problem(*[f"f{k}" for k in range(4)])
    story, optimizer = square_story(problem), quick(initial=20)
    with caplog.at_level(logging.WARNING):
        found = optimizer.propose(problem, story.history, 2, SEED)
    assert "qnehvi proposes" in caplog.text
    expected = Sobol().propose(problem, story.history, 2, SEED)
    assert [p.params for p in found] == [p.params for p in expected]
    caplog.clear()
    optimizer.propose(problem, story.history, 1, SEED)
    assert not caplog.records  # said once


@pytest.mark.parametrize(("kind", "learns"), [("diverged", True), ("lost", False)])
def test_it_avoids_where_trainings_fail(kind, learns) -> None:
    """Only y matters, and x > 0.6 fails: of eight proposals few go there."""
    problem = Problem(
        space=SQUARE, objectives=(Objective(metric="f", goal="max", reference=0),)
    )

    def end(number: int) -> None:
        params = story.history.trial(number).proposal.params
        if params["x"] > 0.6:  # type: ignore[operator]
            story.fail(number, kind)
        else:
            story.finish(number, f=params["y"] * (1 - params["y"]))  # type: ignore[operator]

    story, optimizer = Story(problem), quick()
    for x, y in np.random.default_rng(2).random((16, 2)):
        end(story.propose_at(x, y))
    failures = len(story.history.failed)
    assert failures >= 4
    for _ in range(8):
        (proposal,) = optimizer.propose(problem, story.history, 1, SEED)
        end(append_proposal(story, proposal))
    failed = len(story.history.failed) - failures
    assert failed <= 1 if learns else failed >= 3


def test_numerical_trouble_is_a_sobol_point(monkeypatch, caplog) -> None:
    problem = toy_problem()
    story = story_of(problem, TASK, toy_points(12))

    def singular(*_: object, **__: object) -> None:
        raise ArithmeticError("a covariance has no Cholesky factor")

    monkeypatch.setattr(models.Gp, "of", singular)
    with caplog.at_level(logging.WARNING):
        (proposal,) = quick().propose(problem, story.history, 1, SEED)
    (expected,) = Sobol().propose(problem, story.history, 1, SEED)
    assert (proposal.params, proposal.origin) == (expected.params, "fallback")
    assert "no Cholesky factor" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial": 0},
        {"initial": True},
        {"noise_share": 0.0},
        {"noise_share": 1.5},
        {"noise_share": "0.1"},
        {"draws": 1},
        {"draws": 12},
        {"draws": 8.0},
        {"raw_candidates": 1},
        {"raw_candidates": 100},
        {"raw_candidates": "64"},
        {"restarts": 0},
        {"restarts": 2.5},
        {"iterations": 0},
        {"iterations": "1e2"},
    ],
)
def test_a_bad_setting_is_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"^optimizer\.{name}: [^\n]*$"):
        Ehvi(**wrong)
