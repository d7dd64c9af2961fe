"""The score while nothing is good: its moments, slopes, and what it prefers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from moosnn.optimizers import feasibility
from moosnn.optimizers.base import Fresh, generator
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.feasibility import Feasibility, _rectified, feasibility_score
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.models import Question, surrogates_of
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.surrogate import Hyper
from moosnn.problem import Constraint, Floats, Objective, Problem
from moosnn.space import Float, Params, Space
from tests.helpers import Story
from tests.optimizers.oracles import (
    PARAMETER_OF,
    block_of,
    differences,
    toy_surrogates,
)


def points_of(count: int = 8, seed: int = 9) -> Floats:
    return np.random.default_rng(seed).random((count, len(PARAMETER_OF)))


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.3, 3.0])
def test_rectified_moments_are_those_of_samples(mean) -> None:
    drawn = np.maximum(np.random.default_rng(0).normal(mean, 0.7, 1_000_000), 0.0)
    first, second = _rectified(np.array([mean]), np.array([0.7]))
    assert first[0] == pytest.approx(drawn.mean(), abs=3e-3)
    assert second[0] == pytest.approx((drawn**2).mean(), abs=1e-2)


def test_rectified_moments_never_contradict_each_other() -> None:
    means = np.concatenate([-np.logspace(4, -4, 200), np.logspace(-4, 4, 200)])
    first, second = _rectified(means, np.ones_like(means))
    assert (first >= 0).all()
    assert (second - first**2 > -1e-6 * np.maximum(second, 1)).all()
    np.testing.assert_allclose(first[means > 10], means[means > 10], rtol=1e-12)


def test_the_value_is_the_improvement_of_the_sum_of_shortfalls() -> None:
    """Its mean and deviation from draws of all outcomes, one form a constraint."""
    surrogates = toy_surrogates(far=(False, False, True))
    known, points = points_of(5, 1), points_of()
    score = Feasibility(surrogates, known)
    leading = surrogates.leading
    assert leading.tolist() == [0, 1, 2, 3]
    # A constraint's aim lies a fifth of a standard deviation inside of its bound.
    aims = surrogates.zeros[leading] - [0.0, 0.0, 0.2, 0.2]
    weights = np.ones(len(leading))
    weights[: surrogates.gains] = feasibility._SHORTFALL_WEIGHT
    signs = np.ones(len(leading))
    signs[: surrogates.gains] = -1.0

    def total(outcomes: Floats) -> Floats:
        excess = signs * (outcomes - aims)
        return (weights * np.maximum(excess, 0)).sum(-1)

    expected = surrogates.predict(known).means[:, 0, leading]
    np.testing.assert_allclose(score.totals, total(expected), rtol=1e-12)
    prediction, rng = surrogates.predict(points), np.random.default_rng(0)
    for row, value in enumerate(np.exp(score.values(points))):
        drawn = total(
            rng.normal(
                prediction.means[row, 0, leading],
                prediction.sds[row, leading],
                (100_000, len(leading)),
            )
        )
        lead = score.totals.min() - drawn.mean()
        normal = norm(0.0, drawn.std())
        gain = lead * normal.cdf(lead) + drawn.var() * normal.pdf(lead)
        assert value == pytest.approx(gain, rel=0.02, abs=5e-4)


@pytest.mark.parametrize("gains", [0, 1, 2])
def test_slopes_are_differences(gains) -> None:
    surrogates, points = toy_surrogates(gains), points_of()
    score = Feasibility(surrogates, points_of(5, 1))
    values, slopes = score.slopes(points)
    np.testing.assert_allclose(values, score.values(points), rtol=1e-12)
    expected = differences(score.values, points)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("far", [1e2, 1e4])
def test_far_from_feasible_there_are_values_and_slopes(far) -> None:
    surrogates = toy_surrogates()
    zeros = np.array([far, far, -far, -far, -far])
    score = Feasibility(replace(surrogates, zeros=zeros), points_of(5, 1))
    values, slopes = score.slopes(points_of())
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    assert (np.abs(slopes).max(axis=1) > 0).all()


def line_surrogates(rows: int = 6, gains: int = 0) -> Surrogates:
    """One violation that falls with the first feature, measured up to 0.5."""
    points = np.zeros((rows, len(PARAMETER_OF)))
    points[:, 0] = np.linspace(0, 0.5, rows)
    block = block_of(points, 1.5 - 2 * points[:, :1])
    hyper = Hyper(np.log([0.8, 1.0, 1.0]), -9.0, 0.0)
    return Surrogates(
        gps=(Gp.of(block, 0, hyper, PARAMETER_OF),),
        gains=gains,
        zeros=np.zeros(1),
        constraint=np.zeros(1 - gains, dtype=int),
        log_weights=np.zeros(1 - gains),
        far=np.zeros(1 - gains, dtype=bool),
    )


def path(*positions: float) -> Floats:
    points = np.zeros((len(positions), len(PARAMETER_OF)))
    points[:, 0] = positions
    return points


def test_less_violation_is_better() -> None:
    surrogates = line_surrogates()
    score = Feasibility(surrogates, path(*np.linspace(0, 0.5, 6)))
    assert (np.diff(score.totals) < 0).all()
    assert (np.diff(score.values(path(0.1, 0.3, 0.45, 0.55, 0.65))) > 0).all()


def test_shortfalls_of_gains_count_as_well() -> None:
    """The same numbers as a gain: more of it is better, up to the reference."""
    surrogates = line_surrogates(gains=1)
    score = Feasibility(replace(surrogates, zeros=np.array([3.0])), path(0.0, 0.5))
    assert score.totals[0] < score.totals[1]
    assert score.values(path(0.02))[0] > score.values(path(0.4))[0]


LINE = Problem(
    space=Space({"x": Float(low=0, high=1), "y": Float(low=0, high=1)}),
    objectives=(Objective(metric="f", goal="min", reference=1),),
    constraints=(Constraint(metric="c", voids=True),),
)


def question_of(story: Story, waiting: tuple[Params, ...] = ()) -> Question:
    history = story.history
    return Question(
        problem=LINE,
        history=history,
        number=history.proposals,
        cube=Cube(LINE.space),
        waiting=waiting,
        fresh=Fresh(LINE, history),
        rng=generator(0, 0),
    )


def line_story() -> Story:
    """Twelve trials; what they violate falls with x, and no objective is known."""
    story = Story(LINE)
    for x, y in np.random.default_rng(0).random((12, 2)) * [0.5, 1.0]:
        story.finish(story.propose({"x": x, "y": y}), stopped="silent", c=1 - x)
    return story


def scored(question: Question) -> tuple[Feasibility, Floats]:
    surrogates = surrogates_of(question, FitChain(3e-4))
    assert surrogates is not None
    return feasibility_score(question, surrogates)


def test_the_points_that_violate_least_are_varied() -> None:
    question = question_of(line_story())
    score, bases = scored(question)
    largest = sorted(t.proposal.params["x"] for t in question.history.done)
    count = feasibility._LEAST_VIOLATING
    assert len(score.totals) == 12
    assert sorted(bases[:, 0]) == pytest.approx(largest[-count:])
    assert (np.diff(bases[:, 0]) < 0).all()


def test_pending_points_are_believed_and_worth_less() -> None:
    story = line_story()
    best = {"x": 0.8, "y": 0.5}
    question = question_of(story)
    place = question.cube.features_of([best])
    free, _ = scored(question)
    believed, bases = scored(question_of(story, (best,)))
    assert len(believed.totals) == 13
    assert believed.totals[:12] == pytest.approx(free.totals, abs=1e-6)
    assert believed.totals[12] < free.totals.min()  # less is expected there
    assert believed.values(place)[0] < free.values(place)[0] - 1
    assert len(bases) == feasibility._LEAST_VIOLATING  # of the measured points only
    assert bases[:, 0].max() < 0.5
