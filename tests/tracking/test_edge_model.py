"""The model of the edge against the toy network's formula."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

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
        ratio = math.log(found / line.value) / math.log(true / line.value)
        assert ratio == pytest.approx(1.0, abs=0.25), one.number
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


def test_leaving_a_trial_out_is_fitting_without_it(model: EdgeModel) -> None:
    # The same kernel on all other rows, one row at a time; but for the mean, which
    # has seen the row, it must agree.
    block, hyper = model._block, model._hyper
    found = model.left_out()
    for row in range(0, len(block.points), 9):
        others = np.arange(len(block.points)) != row
        without = replace(
            block, points=block.points[others], values=block.values[others]
        )
        gp = edge_model.Gp(without, hyper, model._choices)
        means, variances = gp.marginal(edge_model.torch.as_tensor(block.points[[row]]))
        sd = math.sqrt(float(variances) + float(model._noises[0]))
        z = (float(means) - float(block.zero[0])) / sd
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
    monkeypatch.setattr(edge_model, "_FITTED", 40)
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
