"""Where a line crosses the edge, against closed forms and a walk along the line."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moosnn.pareto.edge import (
    LEVEL,
    SURE,
    Crossings,
    crossings,
    variation,
    violation_probability,
)


def normal(z: float) -> float:
    """The normal distribution function, from the error function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def linear(grid: np.ndarray, edge: float, sd: float) -> np.ndarray:
    """P(violation) where the mean is ``x - edge`` and the deviation is known."""
    return np.array([normal((x - edge) / sd) for x in grid])


def test_the_probability_is_that_of_a_normal_variable() -> None:
    means = np.array([[-1.0], [0.0], [0.3], [40.0], [-40.0]])
    sds = np.array([[0.5], [2.0], [0.1], [1.0], [1.0]])
    found = violation_probability(means, sds)
    expected = [normal(m / s) for m, s in zip(means[:, 0], sds[:, 0], strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_of_several_constraints_one_violation_is_enough() -> None:
    rng = np.random.default_rng(0)
    means, sds = rng.normal(size=(3, 2)), rng.uniform(0.5, 2, size=(3, 2))
    found = violation_probability(means, sds)
    samples = means + sds * rng.standard_normal((200_000, 3, 2))
    share = (samples > 0).any(axis=2).mean(axis=0)
    np.testing.assert_allclose(found, share, atol=0.005)


@pytest.mark.parametrize("points", [5, 11, 101])
@pytest.mark.parametrize("edge", [0.413, 0.873])
def test_a_linear_mean_is_crossed_exactly_on_any_grid(points: int, edge: float) -> None:
    grid = np.linspace(0, 1, points)
    at = 1
    found = crossings(grid, linear(grid, edge, 0.1), at)
    assert found.below is None
    assert found.above is not None
    assert found.above.position == pytest.approx(edge, abs=1e-9)
    assert found.above.distance == pytest.approx(edge - grid[at], abs=1e-9)
    assert grid[found.above.index - 1] < edge < grid[found.above.index]
    assert found.nearest is found.above


def test_a_grid_need_not_be_even() -> None:
    grid = np.array([0.0, 0.1, 0.15, 0.6, 1.0])
    found = crossings(grid, linear(grid, 0.35, 0.2), 0)
    assert found.above is not None
    assert found.above.position == pytest.approx(0.35, abs=1e-9)


def by_walking(probability: list[float], at: int, step: int) -> int | None:
    """The crossing that a walk from a point settles on, told step by step."""
    own = probability[at] >= LEVEL
    first, entered, index = None, None, at
    while 0 <= index + step < len(probability):
        index += step
        if (probability[index] >= LEVEL) == own:
            entered = None
            continue
        entered = index if entered is None else entered
        first = entered if first is None else first
        certain = probability[index] <= SURE if own else probability[index] >= 1 - SURE
        if certain:
            return entered
    return first


def test_crossings_are_those_that_a_walk_meets() -> None:
    rng = np.random.default_rng(1)
    grid = np.sort(rng.uniform(size=12))
    hidden = 0
    for _ in range(500):
        probability = rng.uniform(size=12)
        at = int(rng.integers(12))
        found = crossings(grid, probability, at)
        for crossing, step in ((found.below, -1), (found.above, 1)):
            expected = by_walking(list(probability), at, step)
            assert (crossing and crossing.index) == expected
            if crossing is None:
                continue
            ends = sorted(grid[[crossing.index, crossing.index - step]])
            assert ends[0] <= crossing.position <= ends[1]
            assert crossing.distance == abs(crossing.position - grid[at])
            between = probability[at : crossing.index : step] >= LEVEL
            hidden += bool((between != between[0]).any())
    assert hidden > 50  # behind a crossing that was not sure


def test_a_bump_hides_no_edge() -> None:
    grid = np.linspace(0, 1, 6)
    found = crossings(grid, np.array([0.0, 0.6, 0.2, 0.2, 0.7, 0.99]), 0)
    assert found.above is not None
    assert (found.above.index, found.above.sure) == (4, True)
    found = crossings(grid, np.array([0.0, 0.6, 0.2, 0.2, 0.7, 0.8]), 0)
    assert found.above is not None
    assert (found.above.index, found.above.sure) == (1, False)


def test_no_crossing_is_none_on_either_side() -> None:
    grid = np.linspace(0, 1, 9)
    found = crossings(grid, np.full(9, 0.2), 4)
    assert found == Crossings(below=None, above=None)
    assert found.nearest is None


def test_certainty_on_both_sides_has_its_edge_half_way() -> None:
    found = crossings(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0)
    assert found.above is not None
    assert found.above.position == pytest.approx(0.5)


def test_one_half_is_beyond() -> None:
    grid = np.array([0.0, 0.5, 1.0])
    found = crossings(grid, np.array([0.1, 0.5, 0.5]), 0)
    assert found.above is not None
    assert (found.above.index, found.above.position) == (1, 0.5)


@pytest.mark.parametrize(
    ("probability", "at", "sure"),
    [
        ([0.1, 0.6, 0.95], 0, True),
        ([0.1, 0.6, 1 - SURE - 0.01], 0, False),  # the line ends
        ([0.1, 0.6, 0.4, 0.8], 0, False),  # it turns back before
        ([0.9, 0.4, 0.05], 0, True),  # from beyond: the way back
        ([0.9, 0.4, 0.3], 0, False),
        ([0.95, 0.6, 0.1], 2, True),  # downwards
        ([0.7, 0.6, 0.1], 2, False),
    ],
)
def test_a_crossing_is_sure_if_the_other_side_is(
    probability: list[float], at: int, sure: bool
) -> None:
    grid = np.linspace(0, 1, len(probability))
    found = crossings(grid, np.array(probability), at).nearest
    assert found is not None
    assert found.sure == sure


def test_the_nearer_crossing_is_the_nearest() -> None:
    grid = np.linspace(0, 1, 11)
    probability = np.array([0.9] * 2 + [0.1] * 6 + [0.9] * 3)
    assert (
        crossings(grid, probability, 3).nearest == crossings(grid, probability, 3).below
    )
    assert (
        crossings(grid, probability, 6).nearest == crossings(grid, probability, 6).above
    )


def test_a_sure_crossing_is_nearer_than_a_near_one() -> None:
    grid = np.linspace(0, 1, 11)
    probability = np.array([0.95] * 2 + [0.1] * 6 + [0.6] * 3)
    found = crossings(grid, probability, 6)
    assert found.above is not None
    assert found.nearest is found.below


def test_variation_is_the_range() -> None:
    assert variation(np.array([0.2, 0.9, 0.4])) == pytest.approx(0.7)
