"""Sobol: the contract, random access and exhaustive search."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import qmc

from moosnn.conditions import Condition
from moosnn.optimizers.base import Fresh
from moosnn.optimizers.sobol import Sobol, grid, sobol_point
from moosnn.problem import Objective, Problem
from moosnn.space import Choice, Float, Int, Space
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import Story, load_problem


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self):
        return Sobol


def test_points_are_scipys_sequence() -> None:
    problem = load_problem("branin_currin")
    proposals = Sobol().propose(problem, Story(problem).history, 8, seed=5)
    engine = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(5))
    expected = engine.random_base2(3)
    points = [problem.space.encode(p.params) for p in proposals]
    np.testing.assert_allclose(points, expected, atol=1e-12)
    assert {p.origin for p in proposals} == {"sobol"}


def test_a_taken_point_is_skipped_for_the_next_of_the_sequence() -> None:
    problem = load_problem("branin_currin")
    story = Story(problem)
    points = Sobol().propose(problem, story.history, 3, seed=5)
    story.propose(points[1].params)
    (second,) = Sobol().propose(problem, story.history, 1, seed=5)
    assert second.params == points[2].params


def test_the_last_point_of_a_lopsided_space_is_found() -> None:
    """In a log grid a cell can be narrower than what the sequence's points reach."""
    space = Space({"width": Int(low=1, high=20_000, log=True)})
    problem = Problem(
        space=space, objectives=(Objective(metric="y", goal="min", reference=1),)
    )
    fresh = Fresh(problem, Story(problem).history)
    for width in range(1, 20_000):
        fresh.take({"width": width})
    assert sobol_point(space, fresh, seed=0, number=0) == {"width": 20_000}


def test_grid_is_every_canonical_point() -> None:
    when = ((Condition(parameter="deep", values=(True,)),),)
    space = Space(
        {
            "deep": Choice(options=(False, True)),
            "width": Int(low=2, high=6, step=2, when=when),
            "rate": Float(low=0.0, high=0.3, step=0.1),
        }
    )
    points = {tuple(p.values()) for p in grid(space)}
    assert len(points) == 4 * (1 + 3)
    assert all(space.canonical(p) == p for p in grid(space))


def test_grid_of_a_continuum_or_a_huge_space_is_empty() -> None:
    assert not list(grid(Space({"x": Float(low=0, high=1)})))
    wide = {f"n{i}": Int(low=1, high=100) for i in range(3)}
    assert not list(grid(Space(wide)))


def test_importing_sobol_does_not_import_torch() -> None:
    code = "import sys, moosnn.optimizers.sobol; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
