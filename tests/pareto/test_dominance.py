"""Dominance against the definition, written out."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.pareto.dominance import dominates, is_dominated, non_dominated, spread


def cases(objectives: int) -> list[np.ndarray]:
    """Continuous points, and points on a coarse grid: many ties and duplicates."""
    rng = np.random.default_rng(objectives)
    smooth = [rng.random((n, objectives)) for n in (1, 2, 17, 60)]
    coarse = [rng.integers(0, 4, (n, objectives)).astype(float) for n in (5, 40)]
    return smooth + coarse


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_non_dominated_is_the_definition(objectives) -> None:
    for losses in cases(objectives):
        expected = [not any(beats(other, row) for other in losses) for row in losses]
        assert non_dominated(losses).tolist() == expected


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_dominates_is_the_definition(objectives) -> None:
    for losses in cases(objectives):
        expected = [beats(losses[0], row) for row in losses]
        assert dominates(losses[0], losses).tolist() == expected


def test_every_copy_of_a_member_is_a_member() -> None:
    losses = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])
    assert non_dominated(losses).tolist() == [True, True, True, False]


def test_no_points() -> None:
    assert non_dominated(np.empty((0, 2))).tolist() == []
    assert dominates(np.zeros(2), np.empty((0, 2))).tolist() == []
    assert spread(np.empty((0, 2)), 3) == []


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_is_refused(wrong) -> None:
    losses = np.array([[1.0, wrong], [2.0, 1.0]])
    with pytest.raises(ValueError, match="finite"):
        non_dominated(losses)
    with pytest.raises(ValueError, match="finite"):
        spread(losses, 1)


def test_spread_takes_the_ends_then_the_widest_gap() -> None:
    x = np.array([0.0, 0.1, 0.2, 0.55, 1.0])
    losses = np.stack([x, 1 - x], axis=1)
    assert spread(losses, 2) == [0, 4]
    assert spread(losses, 3) == [0, 3, 4]
    assert spread(losses, 4) == [0, 2, 3, 4]
    assert spread(losses, 99) == [0, 1, 2, 3, 4]
    assert spread(losses, 0) == []


def test_spread_does_not_depend_on_units() -> None:
    losses = np.random.default_rng(0).random((12, 2))
    assert spread(losses, 5) == spread(losses * [1e6, 1e-3] + 7, 5)


def test_spread_takes_equal_rows_once() -> None:
    losses = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]])
    assert spread(losses, 3) == [0, 2]
    assert spread(losses[:2], 3) == [0]


def test_spread_over_an_axis_without_range() -> None:
    losses = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    assert spread(losses, 2) == [0, 2]


def test_is_dominated_mirrors_dominates() -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, 4, size=(60, 3)).astype(float)
    for point in points:
        found = is_dominated(point, points)
        assert found == any(dominates(other, point[None])[0] for other in points)
    assert not is_dominated(points[0], np.empty((0, 3)))
