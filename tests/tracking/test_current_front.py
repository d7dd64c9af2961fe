"""A front told of trial after trial is that of all trials together."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.pareto.front import front_of
from moosnn.problem import Objective, Problem
from moosnn.tracking.current_front import CurrentFront
from moosnn.tracking.points import points_of
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import FRONT, lucky
from tests.tracking.test_summary import POINT

THREE = toy_problem(
    objectives=(
        *toy_problem().objectives,
        Objective(metric="weights", goal="min", reference=100.0),
    )
)


def noisy(problem: Problem, points: int, trials: int, seed: int) -> Story:
    """Many seeds of few points; values are coarse, so that some are equal."""
    rng = np.random.default_rng(seed)
    told = Story(problem)
    for _ in range(trials):
        width = 8 + int(rng.integers(points))
        number = told.propose({**POINT, "width": width}, seed=told.history.proposals)
        if rng.random() < 0.1:
            told.fail(number)
            continue
        accuracy, spikes, weights = rng.integers(1, 5, size=3)
        told.finish(
            number,
            accuracy=accuracy / 4,
            spikes_per_sample=float(10**spikes),
            weights=float(weights),
            silence_margin=float(rng.choice([-0.3, -0.1, 0.2])),
        )
    return told


@pytest.mark.parametrize("problem", [toy_problem(), THREE], ids=["two", "three"])
@pytest.mark.parametrize("points", [3, 12, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_front_after_every_trial(
    problem: Problem, points: int, seed: int
) -> None:
    history = noisy(problem, points, 150, seed).history
    current, falls = CurrentFront(problem), 0
    for count, trial in enumerate(history.done, 1):
        before = current.front.hypervolume
        current.add(trial)
        expected = front_of(problem, history.done[:count])
        assert current.front.numbers == expected.numbers
        assert current.front.losses == expected.losses
        assert current.front.hypervolume == pytest.approx(expected.hypervolume)
        falls += current.front.hypervolume < before
    assert falls > 0  # or nothing was put to the test


def test_its_members_have_the_means() -> None:
    told = lucky()
    current = CurrentFront(toy_problem())
    for trial in told.history.done:
        current.add(trial)
    points = {t.number: t for t in points_of(toy_problem(), told.history).trials}
    assert tuple(member.number for member in current.members) == FRONT
    for member in current.members:
        assert member.evaluation is not None
        whole = points[member.number].evaluation
        assert whole is not None
        assert member.evaluation.metrics == whole.metrics


def test_without_a_trial_there_is_no_front() -> None:
    current = CurrentFront(toy_problem())
    assert (len(current.front), current.front.hypervolume) == (0, 0.0)
    assert current.members == ()
