"""The cost of a point: what teaches it, its slopes, what it does to a search."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.cost import CostModel, PerCost, cost_of
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.ehvi import Ehvi
from moosnn.optimizers.qnehvi import Qnehvi
from moosnn.problem import Floats, Objective, Problem
from moosnn.space import Float, Space
from moosnn.trial import Evaluation
from tests.helpers import Story, append_proposal, toy_problem
from tests.optimizers.oracles import differences

EXACT = 3e-4
SQUARE = Space({name: Float(low=0, high=1) for name in ("x", "y")})
PROBLEM = Problem(
    space=SQUARE,
    objectives=tuple(
        Objective(metric=m, goal="min", reference=1.5) for m in ("f0", "f1")
    ),
)
SLOPE = 3.0  # of the log cost in x
LOW_EFFORT = {"raw_candidates": 64, "restarts": 2, "iterations": 10}


def told(x: float, y: float) -> dict[str, float]:
    """The losses do not depend on x; the cost depends on nothing else."""
    return {"f0": y, "f1": (1 - y) ** 2, "cost": math.exp(SLOPE * x)}


def story(count: int = 12, stopped: int = 0) -> Story:
    """Measured points, and as many again as were stopped, cheap at large x."""
    found = Story(PROBLEM)
    points = np.random.default_rng(0).random((count, 2))
    for x, y in points:
        found.finish(found.propose({"x": x, "y": y}), **told(x, y))
    for x, y in points[:stopped]:
        params = {"x": x, "y": 1 - y}
        metrics = {**told(x, y), "cost": math.exp(-SLOPE * x)}
        found.finish(found.propose(params), stopped="silent", **metrics)
    return found


def model_of(history: History) -> PerCost:
    """Nothing for each unit of cost: minus the log cost."""

    class Nothing:
        def values(self, points: Floats) -> Floats:
            return np.zeros(len(points))

        def slopes(self, points: Floats) -> tuple[Floats, Floats]:
            return np.zeros(len(points)), np.zeros_like(points)

    cost = CostModel("cost", EXACT).of(PROBLEM, history, Cube(SQUARE))
    assert cost is not None
    return PerCost(Nothing(), cost)


def test_the_cost_is_a_metric_or_the_clock() -> None:
    whole = Evaluation(metrics={"cost": 3.0}, seconds=9.0, training_s=7.0)
    assert [cost_of(whole, m) for m in ("cost", "training_s", "seconds")] == [3, 7, 9]
    assert cost_of(whole, "other") is None
    assert cost_of(Evaluation(metrics={}, seconds=9.0), "training_s") == 9.0
    assert cost_of(Evaluation(metrics={}), "training_s") is None  # nothing has no log


def test_the_log_cost_is_found_and_is_relative_to_the_mean() -> None:
    history = story(20).history
    logs = [math.log(t.evaluation.metrics["cost"]) for t in history.done]  # type: ignore[union-attr]  # they are done
    points = np.random.default_rng(1).random((50, 2))
    found = -model_of(history).values(points)
    expected = SLOPE * points[:, 0] - np.mean(logs)
    assert np.abs(found - expected).max() < 0.1


def test_slopes_are_those_of_the_values() -> None:
    score = model_of(story().history)
    points = np.random.default_rng(2).random((6, 2))
    values, slopes = score.slopes(points)
    assert np.allclose(values, score.values(points))
    assert np.allclose(slopes, differences(score.values, points), atol=1e-5)


def test_stopped_trials_teach_nothing_of_the_cost() -> None:
    points = np.random.default_rng(3).random((9, 2))
    alone, beside = story().history, story(stopped=8).history
    one, two = (model_of(history).values(points) for history in (alone, beside))
    assert np.allclose(one, two, atol=1e-2)  # only when it was fitted differs


def test_too_few_trials_have_no_cost() -> None:
    cube = Cube(SQUARE)
    assert CostModel("cost", EXACT).of(PROBLEM, story(4).history, cube) is None
    assert CostModel("cost", EXACT).of(PROBLEM, story(5).history, cube) is not None
    silent = Story(PROBLEM)
    for x in np.linspace(0, 1, 9):
        number = silent.propose({"x": x, "y": x})
        silent.finish(number, stopped="silent", **told(x, x))
    assert CostModel("cost", EXACT).of(PROBLEM, silent.history, cube) is None


def test_memory_changes_nothing() -> None:
    history, cube = story(90).history, Cube(SQUARE)
    model, points = CostModel("cost", EXACT), np.random.default_rng(4).random((5, 2))
    for length in range(len(history)):
        model.of(PROBLEM, history.prefix(length), cube)
    warm, cold = (
        m.of(PROBLEM, history, cube) for m in (model, CostModel("cost", EXACT))
    )
    assert warm is not None
    assert cold is not None
    assert np.array_equal(warm.values(points), cold.values(points))


def mean_x(optimizer: Optimizer) -> float:
    """Where a search goes along the axis that only costs."""
    found = Story(PROBLEM)
    for _ in range(16):
        (proposal,) = optimizer.propose(PROBLEM, found.history, 1, 0)
        x, y = (float(proposal.params[name]) for name in ("x", "y"))
        found.finish(append_proposal(found, proposal), **told(x, y))
    trials = found.history.trials[6:]
    return float(np.mean([t.proposal.params["x"] for t in trials]))


def test_a_search_that_minds_the_cost_goes_where_it_is_cheap() -> None:
    optimizer = Ehvi(
        5, noise_share=EXACT, cost_aware=True, cost_metric="cost", **LOW_EFFORT
    )
    assert mean_x(optimizer) < 0.1


def test_qnehvi_minds_the_cost_as_well() -> None:
    found = story()
    optimizer = Qnehvi(
        5, noise_share=EXACT, cost_aware=True, cost_metric="cost", **LOW_EFFORT
    )
    (proposal,) = optimizer.propose(PROBLEM, found.history, 1, 0)
    assert proposal.origin == "qnehvi"
    assert float(proposal.params["x"]) < 0.1


def test_without_a_cost_the_proposals_are_those_of_before() -> None:
    """No trial of this history tells one: aware or not is the same, to the last bit."""
    history = story().history
    plain = Ehvi(5, **LOW_EFFORT).propose(PROBLEM, history, 3, 0)
    aware = Ehvi(5, cost_aware=True, cost_metric="energy", **LOW_EFFORT)
    assert aware.propose(PROBLEM, history, 3, 0) == plain


def test_a_place_where_all_is_silent_is_not_sought_for_its_speed() -> None:
    """Silent networks end in a hundredth of the time, at low thresholds or high."""
    problem, found = toy_problem(), Story(toy_problem())
    rng = np.random.default_rng(0)
    for _ in range(24):
        number = found.propose(problem.space.decode(rng.random(len(problem.space))))
        params = found.history.trial(number).proposal.params
        silent = float(params["threshold"]) > 1.0
        found.finish_with(
            number,
            Evaluation(
                metrics={"silence_margin": 1.0}
                if silent
                else {
                    "silence_margin": -1.0,
                    "accuracy": 0.5 + 0.1 * rng.random(),
                    "spikes_per_sample": 100.0,
                },
                stopped="silent" if silent else None,
                seconds=0.01 if silent else 1.0,
            ),
        )
    optimizer = Ehvi(5, cost_aware=True, **LOW_EFFORT)
    proposals = optimizer.propose(problem, found.history, 4, 0)
    assert [float(p.params["threshold"]) <= 1.0 for p in proposals] == [True] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost_aware": "yes"}, "optimizer.cost_aware: expected true or false"),
        ({"cost_metric": 3}, "optimizer.cost_metric: expected a metric"),
    ],
)
def test_mistakes_are_refused(changes: dict[str, object], message: str) -> None:
    for kind in (Ehvi, Qnehvi):
        with pytest.raises(ConfigError, match=message):
            kind(**changes)
