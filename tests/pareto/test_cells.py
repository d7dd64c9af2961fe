"""Boxes around fronts against hypervolumes, brute force and BoTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from moosnn.pareto.cells import UNBOUNDED, Cells, cells_of
from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Floats

TOP = 2.0  # all points lie below


def corners(cells: Cells, top: float) -> tuple[Floats, Floats]:
    """Lower and upper corners of boxes that are cut off at a top, ``j x m``."""
    axes = range(cells.lower.shape[1])
    lower = [cells.levels[k][cells.lower[:, k]] for k in axes]
    upper = [
        np.where(
            cells.upper[:, k] == UNBOUNDED, top, cells.levels[k][cells.upper[:, k]]
        )
        for k in axes
    ]
    return np.stack(lower, axis=1), np.stack(upper, axis=1)


def random_front(count: int, axes: int, seed: int) -> Floats:
    """Points, many of them dominated, some equal or not above the reference 0."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0.7, 0.5, (count, axes)).clip(-1, TOP - 0.01)
    points[: count // 4] = points[: count // 4].round(1)  # ties in single axes
    return np.vstack([points, points[:2]])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [0, 1, 2, 7, 25])
@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_boxes_fill_what_a_front_does_not_dominate(axes, count, seed) -> None:
    front = random_front(count, axes, seed)
    reference = np.zeros(axes)
    lower, upper = corners(cells_of(front, reference), TOP)
    assert (upper > lower).all()
    dominated = hypervolume(-front, -reference)
    assert np.prod(upper - lower, axis=1).sum() == pytest.approx(
        TOP**axes - dominated, rel=1e-12
    )


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_a_point_is_in_one_box_or_dominated(axes) -> None:
    front = random_front(15, axes, seed=5)
    lower, upper = corners(cells_of(front, np.zeros(axes)), TOP)
    points = np.random.default_rng(0).random((2000, axes)) * TOP
    inside = (points[:, None] > lower) & (points[:, None] <= upper)
    dominated = (front[None] >= points[:, None]).all(2).any(1)
    assert (inside.all(2).sum(1) == np.where(dominated, 0, 1)).all()
    assert 0 < dominated.sum() < len(points)


def test_boxes_do_not_overlap() -> None:
    for axes, seed in itertools.product((2, 3), range(3)):
        lower, upper = corners(
            cells_of(random_front(12, axes, seed), np.zeros(axes)), TOP
        )
        for one, two in itertools.combinations(range(len(lower)), 2):
            shared = np.minimum(upper[one], upper[two]) - np.maximum(
                lower[one], lower[two]
            )
            assert (shared <= 0).any()


def test_two_axes_need_a_box_more_than_points() -> None:
    steps = np.arange(1.0, 6.0)
    cells = cells_of(np.stack([steps, steps[::-1]], axis=1), np.zeros(2))
    assert len(cells.lower) == 6


def test_nothing_above_the_reference_leaves_one_box() -> None:
    front = np.array([[1.0, -1.0], [0.0, 5.0], [-3.0, -3.0]])
    cells = cells_of(front, np.zeros(2))
    assert cells.lower.tolist() == [[0, 0]]
    assert cells.upper.tolist() == [[UNBOUNDED, UNBOUNDED]]
    assert [level.tolist() for level in cells.levels] == [[0.0], [0.0]]


def test_dominated_and_equal_points_change_nothing() -> None:
    front = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    more = np.vstack([front, front[1:2], [[0.5, 0.5]], [[9.0, -1.0]]])
    one, two = cells_of(front, np.zeros(2)), cells_of(more, np.zeros(2))
    first, second = corners(one, TOP + 9), corners(two, TOP + 9)
    volume = np.prod(first[1] - first[0], axis=1).sum()
    assert np.prod(second[1] - second[0], axis=1).sum() == pytest.approx(volume)
    order = np.random.default_rng(0).permutation(len(more))
    shuffled = cells_of(more[order], np.zeros(2))
    assert shuffled.lower.tolist() == two.lower.tolist()
    assert shuffled.upper.tolist() == two.upper.tolist()


@pytest.mark.parametrize("axes", [2, 3])
def test_boxes_are_botorchs(axes) -> None:
    """Of the same boundary, cut in another way: the same volume of any box of it."""
    import torch

    from moosnn.optimizers import acquisition  # imports BoTorch without its warnings

    assert acquisition
    from botorch.utils.multi_objective.box_decompositions.non_dominated import (
        FastNondominatedPartitioning,
    )

    front = random_front(15, axes, seed=7)
    partitioning = FastNondominatedPartitioning(
        ref_point=torch.zeros(axes, dtype=torch.double), Y=torch.as_tensor(front)
    )
    theirs = partitioning.get_hypercell_bounds().numpy()
    ours = corners(cells_of(front, np.zeros(axes)), np.inf)
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, two = rng.random((2, axes)) * TOP
        low, high = np.minimum(one, two), np.maximum(one, two)
        volumes = [
            np.prod(
                np.maximum(np.minimum(upper, high) - np.maximum(lower, low), 0), axis=1
            ).sum()
            for lower, upper in (ours, theirs)
        ]
        assert volumes[0] == pytest.approx(volumes[1], abs=1e-12)
