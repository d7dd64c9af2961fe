"""The path of the hypervolume of repeated points is that of the project's follower."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.pareto.hypervolume import hypervolume
from moosnn.tracking.page.steps import steps_json
from moosnn.tracking.progress import Follower, Progress
from tests.tracking.page.stories import Told, metrics, problem_of

POINTS = [{"depth": 1, "rate": rate, "kind": "if"} for rate in (0.1, 0.2, 0.3)]


def repeated() -> Told:
    """Three points; the second is trial 1 and 4, the first 0, 3 and 5."""
    story = Told(problem_of())
    for number, point in enumerate([0, 1, 2, 0, 1, 0]):
        first = [0, 1, 2, 0, 1, 0].index(point)
        story.propose(
            number, POINTS[point], **({} if first == number else {"repeats": first})
        )
    story.finish(10, 4, metrics=metrics(0.8, 50))  # before the trial that it repeats
    story.finish(11, 0, metrics=metrics(0.9, 100))
    story.fail(12, 2, "timeout")
    story.finish(13, 1, metrics=metrics(0.4, 500))
    story.finish(14, 3, metrics=metrics(0.1, 0, margin=5.0))  # silent on average
    story.finish(15, 5, metrics=metrics(0.95, 90, margin=-9.0))  # and no longer
    story.finish(16, 2, kind=Kind.CORRECTED, metrics=metrics(0.99, 200))
    return story


def test_each_step_is_what_was_known_at_that_time():
    story = repeated()
    found = steps_json(story.problem, story.history)
    assert found is not None
    assert [(ended, number) for ended, number, _ in found] == [
        *[(1, 1), (2, 0), (4, 1), (5, 0), (6, 0), (6, 2)],
    ]
    assert found[0][2] == [0.8, 50]
    assert found[2][2] == [pytest.approx(0.6), 275]
    assert found[3][2] is None
    assert found[4][2] == [pytest.approx(0.925), 95]  # of the two that mean something


def test_the_steps_give_the_hypervolumes_of_the_time():
    story = repeated()
    problem, history = story.problem, story.history
    told = Follower.of(problem, history).curve
    # A failed trial has a place on that curve, and no step.
    curve = [
        point.hypervolume
        for before, point in pairwise([Progress(), *told])
        if point.done > before.done
    ]
    points: dict[int, list[float]] = {}
    volumes = []
    for _, number, values in steps_json(problem, history) or ():
        points.pop(number, None)
        if values is not None:
            pairs = zip(problem.objectives, values, strict=True)
            points[number] = [axis.loss(value) for axis, value in pairs]
        losses = np.array([*points.values()]).reshape(-1, 2)
        volumes.append(hypervolume(losses, _corner(problem)))
    assert volumes == pytest.approx(curve, rel=1e-5)
    assert sorted(volumes) != volumes  # a mean may fall, and so may the hypervolume


def _corner(problem):
    return np.array([axis.loss(axis.reference) for axis in problem.objectives])


def test_a_study_without_repeats_needs_no_steps():
    story = Told(problem_of())
    for number, point in enumerate(POINTS):
        story.propose(number, point)
        story.finish(number + 1, number, metrics=metrics(0.8, 50))
    assert steps_json(story.problem, story.history) is None
