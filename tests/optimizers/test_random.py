"""Random: the contract, numpy's own draws, and exhaustive search."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.optimizers.base import Fresh
from moosnn.optimizers.random import Random, random_point
from moosnn.problem import Objective, Problem
from moosnn.space import Int, Space
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import Story, load_problem, load_yaml


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self):
        return Random


def test_a_point_is_the_first_draw_of_its_proposals_generator() -> None:
    problem = load_problem("branin_currin")
    proposals = Random().propose(problem, Story(problem).history, 5, seed=7)
    points = [problem.space.encode(p.params) for p in proposals]
    expected = [np.random.default_rng([7, n]).random(2) for n in range(5)]
    np.testing.assert_allclose(points, expected, atol=1e-12)
    assert {p.origin for p in proposals} == {"random"}


def test_points_are_uniform() -> None:
    """Counts of an 8 x 8 grid: chi-squared with 63 degrees, 99.9th percentile 103.4."""
    problem = load_problem("branin_currin")
    count, cells = 640, 8
    proposals = Random().propose(problem, Story(problem).history, count, seed=0)
    points = np.array([problem.space.encode(p.params) for p in proposals])
    seen, *_ = np.histogram2d(*points.T, bins=cells, range=[[0, 1], [0, 1]])
    expected = count / cells**2
    assert ((seen - expected) ** 2 / expected).sum() < 103.4


def test_a_taken_point_is_drawn_again() -> None:
    problem = load_problem("branin_currin")
    fresh = Fresh(problem, Story(problem).history)
    draws = np.random.default_rng([7, 0]).random((2, 2))
    fresh.take(problem.space.decode(draws[0]))
    second = random_point(problem.space, fresh, seed=7, number=0)
    assert second == problem.space.decode(draws[1])


def test_the_last_point_of_a_space_is_found() -> None:
    """Its cell on the log scale has 5e-6 of the probability: no draw finds it."""
    space = Space({"width": Int(low=1, high=20_000, log=True)})
    problem = Problem(
        space=space, objectives=(Objective(metric="y", goal="min", reference=1),)
    )
    fresh = Fresh(problem, Story(problem).history)
    for width in range(1, 20_000):
        fresh.take({"width": width})
    assert random_point(space, fresh, seed=0, number=0) == {"width": 20_000}
    fresh.take({"width": 20_000})
    assert random_point(space, fresh, seed=0, number=0) is None


def test_the_shipped_config_names_the_class() -> None:
    target = load_yaml("optimizer/random")["_target_"]
    assert target == f"{Random.__module__}.{Random.__qualname__}"
