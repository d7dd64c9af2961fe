"""Forecasts of what an attempt needs: rarely exceeded, and silent where they should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.forecast import RESIDENT_MB, Forecaster, forecaster_for
from moosnn.problem import Objective, Problem
from moosnn.runtime.executors import Expected
from moosnn.space import Float, Space
from moosnn.trial import Evaluation, Failure
from tests.helpers import Story

SPACE = Space({name: Float(low=0, high=1) for name in ("x", "y")})
PROBLEM = Problem(
    space=SPACE, objectives=(Objective(metric="f", goal="min", reference=1.0),)
)
SPREAD = 0.2  # of log seconds, over equal trials


def evaluation(
    x: float, rng: np.random.Generator, stopped: str | None = None
) -> Evaluation:
    """Ten times the seconds at x = 1 as at x = 0; memory of 500 to 600 MB."""
    return Evaluation(
        metrics={"f": 0.5, RESIDENT_MB: 500.0 + 100.0 * x},
        stopped=stopped,
        seconds=10.0**x * math.exp(SPREAD * rng.standard_normal()),
    )


def story(count: int, seed: int = 0, stopped: str | None = None) -> Story:
    found, rng = Story(PROBLEM), np.random.default_rng(seed)
    for x, y in rng.random((count, 2)):
        number = found.propose({"x": x, "y": y})
        found.finish_with(number, evaluation(x, rng, stopped))
    return found


def forecast(found: Story, x: float = 0.5) -> Expected | None:
    """What a fresh forecaster says of a new trial."""
    number = found.propose({"x": x, "y": 0.5})
    return Forecaster(SPACE)(found.history, found.history.trial(number).proposal)


def test_few_trials_say_nothing() -> None:
    assert forecast(story(15)) is None
    assert forecast(story(16)) is not None


def test_stopped_trials_say_nothing() -> None:
    assert forecast(story(30, stopped="silent")) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_forecast_is_rarely_exceeded_and_not_far_off(seed: int) -> None:
    found, rng = story(16, seed), np.random.default_rng([seed, 1])
    forecaster, exceeded, ratios = Forecaster(SPACE), 0, []
    for x, y in rng.random((100, 2)):
        number = found.propose({"x": x, "y": y})
        expected = forecaster(found.history, found.history.trial(number).proposal)
        assert expected is not None
        assert expected.seconds is not None
        assert expected.memory_mb is not None
        took = evaluation(x, rng)
        exceeded += took.seconds > expected.seconds
        ratios.append(expected.seconds / 10.0**x)
        assert 500.0 + 100.0 * x < expected.memory_mb < 1000.0
        found.finish_with(number, took)
    assert exceeded <= 2
    # Three standard deviations of what a trial's seconds really spread.
    assert math.exp(2 * SPREAD) < np.median(ratios[50:]) < math.exp(5 * SPREAD)


def test_equal_trials_leave_a_margin() -> None:
    found = Story(PROBLEM)
    for k in range(20):
        number = found.propose({"x": k / 20, "y": 0.5})
        found.finish_with(number, Evaluation(metrics={"f": 0.5}, seconds=8.0))
    expected = forecast(found)
    assert expected is not None
    assert expected.seconds == pytest.approx(10.0)  # a quarter more
    assert expected.memory_mb is None  # nobody told


def test_a_resumed_training_took_the_seconds_of_all_its_attempts() -> None:
    found = Story(PROBLEM)
    for k in range(20):
        number = found.propose({"x": k / 20, "y": 0.5})
        resumed = Evaluation(metrics={"f": 0.5}, seconds=1.0, training_s=8.0)
        found.finish_with(number, resumed)
    expected = forecast(found)
    assert expected is not None
    assert expected.seconds == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("timeout", False),
        ("out_of_memory", False),
        ("preempted", False),
        ("lost", True),
        ("crashed", True),
    ],
)
def test_a_trial_that_had_too_little_gets_the_full_limits(
    kind: str, known: bool
) -> None:
    found = story(20)
    number = found.propose({"x": 0.5, "y": 0.5})
    other = found.propose({"x": 0.5, "y": 0.4})
    failure = Failure(kind=kind, message="a test").to_json()
    found._add(Kind.RETRIED, number, failure=failure)
    forecaster, history = Forecaster(SPACE), found.history
    retried = forecaster(history, history.trial(number).proposal)
    assert (retried is not None) == known
    assert forecaster(history, history.trial(other).proposal) is not None


def test_models_are_made_anew_as_trials_finish() -> None:
    found = story(16)
    forecaster = Forecaster(SPACE)
    rng = np.random.default_rng(5)

    def seconds() -> float:
        number = found.propose({"x": 0.5, "y": 0.5 * rng.random()})
        expected = forecaster(found.history, found.history.trial(number).proposal)
        assert expected is not None
        assert expected.seconds is not None
        return expected.seconds

    before = seconds()
    for x, y in rng.random((80, 2)):  # the machines became a hundred times slower
        number = found.propose({"x": x, "y": y})
        found.finish_with(number, Evaluation(metrics={"f": 0.5}, seconds=300.0))
    assert seconds() > 10 * before
    assert seconds() > 300.0


def test_only_jobs_made_to_measure_are_forecast() -> None:
    class Sized:
        sized = True

    class Unsized:
        sized = False

    assert isinstance(forecaster_for(Sized(), SPACE), Forecaster)
    assert forecaster_for(Unsized(), SPACE) is None
    assert forecaster_for(object(), SPACE) is None
