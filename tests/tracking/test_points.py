"""Trials of one point are one, with the numbers of all."""

from __future__ import annotations

import pytest

from moosnn.tracking.points import points_of
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import ACCURACY_SEM, SPIKES_SEM, lucky, repeat
from tests.tracking.test_summary import POINT, evaluation, story


def test_a_point_has_the_numbers_of_its_trials() -> None:
    told = lucky()
    told.fail(told.propose({**POINT, "width": 16}))  # measured nothing
    told.propose({**POINT, "width": 17})  # still runs
    points = points_of(toy_problem(), told.history)
    assert [trial.number for trial in points.trials] == [0, 1, 2]
    assert points.numbers == {0: (0, 3), 1: (1,), 2: (2, 4)}
    assert [points.is_repeated(trial) for trial in points.trials] == [True, False, True]


def test_standard_errors_are_told_of_repeats_only() -> None:
    told = lucky()
    _, single, twice = points_of(toy_problem(), told.history).trials
    points = points_of(toy_problem(), told.history)
    assert points.sem(twice, "accuracy") == pytest.approx(ACCURACY_SEM)
    assert points.sem(twice, "spikes_per_sample") == pytest.approx(SPIKES_SEM)
    assert points.sem(twice, "unknown") == 0
    assert points.sem(single, "accuracy") == 0


def test_the_number_is_that_of_the_first_trial_whichever_ended_first() -> None:
    told = Story(toy_problem())
    slow = told.propose(POINT)
    told.finish_with(told.propose(POINT), evaluation(0.5, 10.0))
    assert points_of(toy_problem(), told.history).numbers == {1: (1,)}
    told.finish_with(slow, evaluation(0.7, 10.0))
    points = points_of(toy_problem(), told.history)
    assert points.numbers == {0: (0, 1)}
    assert [trial.number for trial in points.trials] == [0]


def test_without_repeats_the_points_are_the_trials() -> None:
    history = story().history
    points = points_of(toy_problem(), history)
    assert list(points.trials) == history.done
    assert points.numbers == {0: (0,), 1: (1,), 2: (2,)}


def test_a_silent_seed_is_a_trial_of_its_point() -> None:
    told = story()
    repeat(told, 0, evaluation(0.99, 1.0, margin=0.1))
    (first, *_) = points_of(toy_problem(), told.history).trials
    assert first.evaluation is not None
    # The margin is averaged (-0.5, 0.1); the objectives are those of the awake seed.
    assert first.evaluation.metrics["silence_margin"] == pytest.approx(-0.2)
    assert first.evaluation.metrics["accuracy"] == 0.9
