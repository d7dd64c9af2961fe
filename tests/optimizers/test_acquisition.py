"""Acquisition functions against sampling and BoTorch; the search against a sweep."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from moosnn.optimizers import acquisition
from moosnn.optimizers.acquisition import (
    _promising,
    constraints_of,
    improvement_score,
    logei,
)
from moosnn.optimizers.base import Fresh
from moosnn.optimizers.feasibility import (
    _log_improvement,
    _rectified,
    feasibility_score,
)
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.search import Effort, _neighbours, best_point
from moosnn.optimizers.surrogate import Hyper
from moosnn.problem import Objective, Problem
from moosnn.space import Choice, Float, Int, Space
from tests.helpers import Story

NUMERIC = np.zeros(2, dtype=bool)


def surrogates(gains: int = 2) -> Surrogates:
    """Two opposed gains and a constraint, smooth in two coordinates."""
    points = np.random.default_rng(0).random((15, 2))
    x, y = points.T
    outcomes = np.stack([-x, x - 0.3 * (y - 0.5) ** 2, 0.6 - y], axis=1)
    outcomes = np.hstack([outcomes[:, :gains], outcomes[:, 2:]])
    values = (outcomes - outcomes.mean(0)) / outcomes.std(0)
    zeros = (np.array([*[-0.9, 0.0][:gains], 0.0]) - outcomes.mean(0)) / outcomes.std(0)
    hyper = Hyper(np.log(np.full((gains + 1, 2), 0.7)), np.full(gains + 1, -9.0))
    first = Block(points, values[:, :gains], zeros[:gains])
    last = Block(points, values[:, gains:], zeros[gains:])
    gps = (
        Gp(
            first,
            Hyper(hyper.log_lengthscales[:gains], hyper.log_noises[:gains]),
            NUMERIC,
        ),
        Gp(
            last,
            Hyper(hyper.log_lengthscales[gains:], hyper.log_noises[gains:]),
            NUMERIC,
        ),
    )
    return Surrogates(gps, gains, torch.tensor(zeros))


def test_log_improvement_is_exact_everywhere() -> None:
    """log(phi(z) + z Phi(z)) by quadrature, and continuous where branches meet."""
    grid = np.linspace(0, 12, 2_000_001)
    for z in (-6.0, -1.5, -0.5, 0.0, 3.0):
        density = np.exp(-0.5 * (grid - z) ** 2) / math.sqrt(2 * math.pi)
        expected = math.log(np.trapezoid(grid * density, grid))
        found = float(_log_improvement(torch.tensor(z, dtype=torch.double)))
        assert found == pytest.approx(expected, rel=1e-6)
    for edge in (-1.0, -50.0):
        z = torch.tensor([edge - 1e-9, edge + 1e-9], dtype=torch.double)
        found = _log_improvement(z)
        assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-6)
    z = torch.linspace(-1e3, 9, 500, dtype=torch.double, requires_grad=True)
    _log_improvement(z).sum().backward()
    assert torch.isfinite(z.grad).all()


def test_rectified_moments_are_those_of_samples() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.7, 1_000_000)
    first, second = _rectified(torch.tensor(0.3), torch.tensor(0.7))
    positive = np.maximum(draws, 0)
    assert float(first) == pytest.approx(positive.mean(), abs=3e-3)
    assert float(second) == pytest.approx((positive**2).mean(), abs=3e-3)


def test_each_constraint_looks_at_its_own_output() -> None:
    gps = surrogates().gps
    several = Surrogates(gps, 1, torch.tensor([0.0, 1.0, 2.0]))
    samples = torch.tensor([[10.0, 20.0, 30.0]])
    found = [float(bound(samples)) for bound in constraints_of(several)]
    assert found == [19.0, 28.0]


@pytest.mark.parametrize("gains", [1, 2])
def test_improvement_is_where_the_front_has_room(gains) -> None:
    acquisition.set_kernel("eager")
    model = surrogates(gains)
    observed = model.gps[0].points
    score = improvement_score(model, observed, None, 64, seed=1)
    feasible = torch.tensor([[0.05, 0.95], [0.5, 0.9]], dtype=torch.double)
    violating = torch.tensor([[0.05, 0.05], [0.5, 0.1]], dtype=torch.double)
    assert score(feasible).max() > score(violating).max()
    assert torch.equal(
        score(feasible), improvement_score(model, observed, None, 64, seed=1)(feasible)
    )


def test_the_short_way_to_samples_agrees_with_botorchs(monkeypatch) -> None:
    acquisition.set_kernel("eager")
    model, many = surrogates(), 1024
    observed = model.gps[0].points
    pending = torch.tensor([[0.4, 0.8]], dtype=torch.double)
    points = torch.tensor(np.random.default_rng(2).random((20, 2)))
    short = improvement_score(model, observed, pending, many, seed=1)(points)
    name = "_compute_posterior_samples_and_concat_pending"
    assert hasattr(logei.qLogNoisyExpectedHypervolumeImprovement, name)
    monkeypatch.delattr(acquisition._Nehvi, name)
    with acquisition.quiet():
        long = improvement_score(model, observed, pending, many, seed=1)(points)
    likely = long > long.max() - 4
    assert likely.sum() > 3
    np.testing.assert_allclose(short[likely], long[likely], atol=0.15)


def test_pending_points_are_worth_less() -> None:
    acquisition.set_kernel("eager")
    model = surrogates()
    point = torch.tensor([[0.3, 0.95]], dtype=torch.double)
    observed = model.gps[0].points
    without = improvement_score(model, observed, None, 128, seed=1)(point)
    beside = improvement_score(model, observed, point + 1e-3, 128, seed=1)(point)
    assert float(beside) < float(without) - 1
    free = feasibility_score(model, observed, None)(point)
    believed = feasibility_score(model, observed, point + 1e-3)(point)
    assert float(believed) < float(free)


def test_feasibility_grows_towards_the_feasible() -> None:
    model = surrogates(1)
    measured = torch.tensor([[0.5, 0.1], [0.4, 0.2]], dtype=torch.double)
    score = feasibility_score(model, measured, None)
    path = torch.tensor([[0.5, y] for y in (0.15, 0.3, 0.45)], dtype=torch.double)
    values = score(path)
    assert (values.diff() > 0).all()


def test_a_baseline_is_never_empty() -> None:
    model = surrogates()
    hopeless = Surrogates(model.gps, 2, torch.tensor([99.0, 99.0, -99.0]))
    observed = model.gps[0].points
    kept = _promising(hopeless, observed, constraints_of(hopeless), seed=0)
    assert len(kept) == 1
    some = _promising(model, observed, constraints_of(model), seed=0)
    assert 1 <= len(some) < len(observed)


SPACE = Space(
    {
        "x": Float(low=0, high=1),
        "k": Int(low=1, high=5),
        "c": Choice(options=("a", "b", "c")),
    }
)
PROBLEM = Problem(
    space=SPACE, objectives=(Objective(metric="y", goal="min", reference=1),)
)


def peak(points: torch.Tensor) -> torch.Tensor:
    """Largest at x = 0.37, k = 4, c = b."""
    x, k, c = points.T
    right = (c - 0.5).abs() < 0.1
    return -((x - 0.37) ** 2) - (k - 0.7) ** 2 + right.double()


def test_the_search_finds_the_best_mixed_point() -> None:
    for seed in range(5):
        found = best_point(
            peak,
            SPACE,
            np.empty((0, 3)),
            Fresh(PROBLEM, Story(PROBLEM).history),
            rng=np.random.default_rng(seed),
            effort=Effort(32, 2, 30),
        )
        assert found["x"] == pytest.approx(0.37, abs=1e-4)
        assert (found["k"], found["c"]) == (4, "b")


def test_the_search_proposes_only_fresh_points() -> None:
    space = Space({k: v for k, v in SPACE.parameters.items() if k != "x"})
    problem = Problem(space=space, objectives=PROBLEM.objectives)
    fresh = Fresh(problem, Story(problem).history)
    seen = set()
    for _ in range(15):
        found = best_point(
            lambda points: -points.sum(1),
            space,
            np.empty((0, 2)),
            fresh,
            rng=np.random.default_rng(0),
            effort=Effort(64, 2, 10),
        )
        fresh.take(found)
        seen.add((found["k"], found["c"]))
    assert seen == set(itertools.product(range(1, 6), "abc"))


def test_neighbours_are_one_step_away() -> None:
    points = [SPACE.decode(p) for p in _neighbours(SPACE, {"x": 0.5, "k": 1, "c": "a"})]
    assert [(p["k"], p["c"]) for p in points] == [(2, "a"), (1, "b"), (1, "c")]


def test_a_score_that_is_not_a_number_is_the_worst() -> None:
    def partly(points: torch.Tensor) -> torch.Tensor:
        return torch.where(points[:, 0] > 0.5, torch.nan, points[:, 0])

    found = best_point(
        partly,
        SPACE,
        np.empty((0, 3)),
        Fresh(PROBLEM, Story(PROBLEM).history),
        rng=np.random.default_rng(0),
        effort=Effort(64, 2, 10),
    )
    assert found["x"] <= 0.5
