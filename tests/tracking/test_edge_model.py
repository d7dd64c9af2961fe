"""The model of the edge against the toy network's formula."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from moosnn.optimizers.cube import Cube
from moosnn.optimizers.outcomes import Block, blocks_of
from moosnn.optimizers.posterior import Gp
from moosnn.optimizers.surrogate import NOISE_FLOOR, Hyper, fit
from moosnn.problem import Constraint
from moosnn.tracking import edge_model
from moosnn.tracking.edge import Survey, survey
from moosnn.tracking.edge_model import EdgeModel
from tests.helpers import toy_problem
from tests.tracking.edges import threshold_edge, toy_history, true_probability

TRIALS = 100


@pytest.fixture(scope="module")
def model() -> EdgeModel:
    problem = toy_problem()
    return EdgeModel(problem, toy_history(TRIALS), problem.constraints)


@pytest.fixture(scope="module")
def seen(model: EdgeModel) -> Survey:
    problem, history = toy_problem(), toy_history(TRIALS)
    return survey(problem, history, model.probability, model.trust())


def test_the_distance_to_the_edge_is_found_within_a_quarter(seen: Survey) -> None:
    checked = 0
    for one in seen.members:
        line = next(line for line in one.lines if line.name == "threshold")
        true = threshold_edge(one.member.trial.proposal.params)
        if true > 5:
            continue
        assert line.crossings.above is not None
        found = line.edge(line.crossings.above)
        # For those that lie at the edge the ratio of two small numbers says nothing.
        allowed = max(0.25 * math.log(true / line.value), 0.04)
        assert math.log(found / true) == pytest.approx(0.0, abs=allowed), one.number
        assert found == pytest.approx(true, rel=0.05), one.number
        checked += 1
    assert checked >= 5


def test_the_threshold_is_among_the_most_telling(seen: Survey) -> None:
    assert seen.map is not None
    assert "threshold" in seen.map.names


def test_new_points_lie_on_the_side_that_it_says(model: EdgeModel) -> None:
    problem = toy_problem()
    rng = np.random.default_rng(5)
    drawn = rng.uniform(size=(400, len(problem.space)))
    points = np.array(
        [problem.space.encode(problem.space.decode(list(p))) for p in drawn]
    )
    probability = model.probability(points)
    silent = true_probability(problem)(points) >= 0.5
    assert ((probability >= 0.5) == silent).mean() > 0.93
    certain = abs(probability - 0.5) > 0.49
    assert certain.mean() > 0.5
    assert ((probability >= 0.5) == silent)[certain].mean() > 0.99


def test_leaving_a_trial_out_is_conditioning_on_the_others() -> None:
    """Rasmussen & Williams, eq. 2.25-2.26, with the mean that has seen the row."""
    problem, history = toy_problem(), toy_history(40)
    model = EdgeModel(problem, history, problem.constraints)
    found = model.left_out()
    (one,) = model._violations
    lower = np.linalg.inv(one.gp.whiten)
    covariance = lower @ lower.T  # of the measurements, noise included
    assert len(found) == len(covariance) == len(history.done)
    for row in range(len(found)):
        others = np.arange(len(found)) != row
        cross = covariance[row, others]
        weights = np.linalg.solve(covariance[np.ix_(others, others)], cross)
        mean = one.gp.mean + weights @ (one.values[others] - one.gp.mean)
        sd = math.sqrt(covariance[row, row] - weights @ cross)
        expected = 0.5 * math.erfc(-(mean - one.zero) / sd / math.sqrt(2))
        assert found[row] == pytest.approx(expected, abs=1e-6)


def test_a_new_training_is_as_noisy_as_one_left_out(model: EdgeModel) -> None:
    """What is on the diagonal beside the process is noise, the floor as well."""
    (one,) = model._violations
    lower = np.linalg.inv(one.gp.whiten)
    diagonal = (lower @ lower.T).diagonal()
    noise = diagonal - one.gp.scale
    assert noise == pytest.approx(np.full_like(noise, one.noise), rel=1e-6)
    assert one.noise > NOISE_FLOOR


def test_only_near_forms_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of each constraint, and the better one is taken."""
    fitted: list[tuple[int, bool, float]] = []

    def spy(block: Block, column: int, *rest: Any) -> Hyper:
        found = fit(block, column, *rest)
        fitted.append((column, bool(block.far[column]), found.evidence))
        return found

    monkeypatch.setattr(edge_model, "fit", spy)
    problem, history = toy_problem(), toy_history(40)
    model = EdgeModel(problem, history, problem.constraints)
    assert [(column, far) for column, far, _ in fitted] == [(0, False), (1, False)]
    best, _, _ = max(fitted, key=lambda one: one[2])
    block = blocks_of(problem, history, Cube(problem.space)).constraints
    assert block is not None
    (one,) = model._violations
    assert one.values.tolist() == block.values[:, best].tolist()


def hyper_of(one: edge_model._Violation, cube: Cube) -> Hyper:
    """The hyperparameters that a conditioned process came from."""
    first = np.searchsorted(cube.parameter_of, np.arange(cube.dim))
    lengthscales = -np.log(one.gp.inverse_lengthscales[first])
    noise = math.log(one.noise - NOISE_FLOOR)
    return Hyper(lengthscales, noise, math.log(one.gp.scale))


def test_a_trial_left_out_is_a_new_one(model: EdgeModel) -> None:
    """The same kernel on all other rows, but for the mean, which has seen the row."""
    problem, history = toy_problem(), toy_history(TRIALS)
    cube = Cube(problem.space)
    block = blocks_of(problem, history, cube).constraints
    assert block is not None
    (one,) = model._violations
    column = next(k for k in range(2) if (block.values[:, k] == one.values).all())
    found = model.left_out()
    for row in range(0, len(block.points), 9):
        others = np.arange(len(block.points)) != row
        without = replace(
            block,
            points=block.points[others],
            values=block.values[others],
            variances=block.variances[others],
        )
        gp = Gp.of(without, column, hyper_of(one, cube), cube.parameter_of)
        means, variances = gp.marginal(block.points[[row]])
        z = (means[0] - one.zero) / math.sqrt(variances[0] + one.noise)
        assert found[row] == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)), abs=0.03)


def test_the_trials_are_counted_on_both_sides(model: EdgeModel) -> None:
    history, trust = toy_history(TRIALS), model.trust()
    silent = [t.evaluation.metrics["silence_margin"] > 0 for t in history.done]
    assert (trust.beyond, trust.others) == (sum(silent), len(silent) - sum(silent))
    expected = model.left_out() >= 0.5
    assert trust.beyond_found == (expected & np.array(silent)).sum()
    assert trust.others_found == (~expected & ~np.array(silent)).sum()


def test_many_trials_are_thinned_and_the_edge_stays(
    model: EdgeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_model, "_CONDITIONED", 70)
    problem, history = toy_problem(), toy_history(TRIALS)
    thinner = EdgeModel(problem, history, problem.constraints)
    trust = thinner.trust()
    assert trust.beyond + trust.others == 70
    points = np.random.default_rng(6).uniform(size=(300, len(problem.space)))
    sides = (thinner.probability(points) >= 0.5) == (model.probability(points) >= 0.5)
    assert sides.mean() > 0.9


def test_points_are_predicted_in_chunks_of_any_size(
    model: EdgeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(7).uniform(size=(50, len(toy_problem().space)))
    whole = model.probability(points)
    monkeypatch.setattr(edge_model, "_CHUNK", 7)
    np.testing.assert_allclose(model.probability(points), whole, atol=1e-12)
    assert model.probability(points[:0]).shape == (0,)


def test_of_two_constraints_either_may_be_violated(model: EdgeModel) -> None:
    silence = toy_problem().constraints[0]
    size = Constraint(metric="weights", upper=2e4, voids=True)
    problem, history = toy_problem(constraints=(silence, size)), toy_history(TRIALS)
    both = EdgeModel(problem, history, problem.constraints)
    columns = list(problem.space)
    point = np.full(len(columns), 0.5)
    point[columns.index("threshold")] = 0.0  # awake for certain
    small, large = point.copy(), point.copy()
    small[columns.index("width")], large[columns.index("width")] = 0.3, 1.0
    low, high = both.probability(np.array([small, large]))
    assert low < 0.3
    assert high > 0.7
    assert model.probability(large[None])[0] < 0.3
