"""Hypervolume against closed forms and inclusion-exclusion."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from moosnn.pareto.hypervolume import hypervolume, hypervolume_trace


def by_inclusion_exclusion(losses: np.ndarray, reference: np.ndarray) -> float:
    """The volume of a union of boxes, from the volumes of all intersections."""
    total = 0.0
    rows = [row for row in losses if (row < reference).all()]
    for size in range(1, len(rows) + 1):
        for subset in itertools.combinations(rows, size):
            corner = np.max(subset, axis=0)
            total -= (-1) ** size * float(np.prod(reference - corner))
    return total


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_is_the_volume_of_the_union(objectives) -> None:
    rng = np.random.default_rng(objectives)
    reference = np.full(objectives, 0.8)
    for losses in (
        rng.random((9, objectives)),
        rng.integers(0, 3, (9, objectives)) / 4,  # ties, duplicates, on the reference
        np.ones((3, objectives)),
    ):
        expected = by_inclusion_exclusion(losses, reference)
        assert hypervolume(losses, reference) == pytest.approx(expected, abs=1e-12)


def test_a_staircase() -> None:
    """n points (i, n - i) under (n, n + 1): 1 + 2 + … + n unit squares more."""
    n = 20
    losses = np.array([[i, n - 1 - i] for i in range(n)], dtype=float)
    reference = np.full(2, float(n))
    assert hypervolume(losses, reference) == n * n - n * (n - 1) // 2


def test_no_points_and_points_outside_have_no_volume() -> None:
    reference = np.ones(2)
    assert hypervolume(np.empty((0, 2)), reference) == 0.0
    outside = np.array([[1.0, 0.0], [0.5, 2.0], [3.0, 3.0]])
    assert hypervolume(outside, reference) == 0.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="finite"):
        hypervolume(np.array([[0.1, wrong]]), np.ones(2))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_trace_is_the_hypervolume_of_every_prefix(objectives) -> None:
    rng = np.random.default_rng(objectives)
    losses = rng.integers(0, 6, (30, objectives)) / 4
    losses[::7] = np.nan
    reference = np.full(objectives, 1.2)
    trace = hypervolume_trace(losses, reference)
    for n in range(1, 31):
        known = losses[:n][np.isfinite(losses[:n]).all(axis=1)]
        assert trace[n - 1] == pytest.approx(hypervolume(known, reference))
    assert (np.diff(trace) >= 0).all()


def test_trace_of_nothing() -> None:
    assert hypervolume_trace(np.empty((0, 2)), np.ones(2)).tolist() == []
