"""Minimisations side by side end where each ends alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.optimize import minimize

from moosnn.optimizers.lockstep import minimised
from moosnn.problem import Floats

STEPS, EVALUATIONS = 30, 60


def bumpy(point: Floats) -> tuple[float, Floats]:
    """A function with many valleys, of any number of coordinates."""
    value = ((point - 0.3) ** 2).sum() + 0.1 * np.cos(20 * point).sum()
    return float(value), 2 * (point - 0.3) - 2.0 * np.sin(20 * point)


def alone(start: Floats) -> tuple[Floats, int]:
    found = minimize(
        bumpy,
        start,
        jac=True,
        bounds=[(0.0, 1.0)] * len(start),
        method="L-BFGS-B",
        options={"maxiter": STEPS, "maxfun": EVALUATIONS},
    )
    return found.x, found.nfev


class Asked:
    """What is asked for, and in how many calls."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, points: Mapping[int, Floats]) -> list[tuple[float, Floats]]:
        self.calls.append(list(points))
        return [bumpy(point) for point in points.values()]


@pytest.mark.parametrize("seed", range(5))
def test_each_ends_where_it_would_alone_to_the_last_bit(seed) -> None:
    rng = np.random.default_rng(seed)
    starts = {place: rng.random(1 + place) for place in (0, 2, 3, 7)}
    asked = Asked()
    found = minimised(asked, starts, steps=STEPS, evaluations=EVALUATIONS)
    assert list(found) == list(starts)
    most = 0
    for place, start in starts.items():
        expected, evaluations = alone(start)
        assert np.array_equal(found[place], expected)
        assert sum(place in call for call in asked.calls) == evaluations
        most = max(most, evaluations)
    assert len(asked.calls) == most  # as many as the longest takes


def test_one_that_has_arrived_leaves_the_others_alone() -> None:
    floor = {0: np.array([0.25]), 1: np.array([0.9, 0.1])}

    def valley(points: Mapping[int, Floats]) -> list[tuple[float, Floats]]:
        return [
            (float(((x - 0.25) ** 4).sum()), 4 * (x - 0.25) ** 3)
            for x in points.values()
        ]

    found = minimised(valley, floor, steps=STEPS, evaluations=EVALUATIONS)
    assert found[0] == 0.25
    np.testing.assert_allclose(found[1], 0.25, atol=0.05)


def test_none_is_none() -> None:
    assert minimised(Asked(), {}, steps=1, evaluations=1) == {}


def test_what_the_function_raises_ends_all() -> None:
    def broken(points: Mapping[int, Floats]) -> list[tuple[float, Floats]]:
        raise ArithmeticError(f"of {len(points)}")

    starts = {place: np.full(2, 0.5) for place in range(3)}
    with pytest.raises(ArithmeticError, match="of 3"):
        minimised(broken, starts, steps=STEPS, evaluations=EVALUATIONS)
    # The next ones know nothing of it.
    found = minimised(Asked(), starts, steps=STEPS, evaluations=EVALUATIONS)
    assert np.array_equal(found[0], alone(starts[0])[0])


def test_a_minimisation_may_begin_others() -> None:
    """As a function that itself looks for a minimum."""

    def nested(points: Mapping[int, Floats]) -> list[tuple[float, Floats]]:
        minimised(Asked(), {0: np.full(2, 0.4)}, steps=2, evaluations=4)
        return [bumpy(point) for point in points.values()]

    start = np.array([0.8, 0.6])
    found = minimised(nested, {0: start}, steps=STEPS, evaluations=EVALUATIONS)
    assert np.array_equal(found[0], alone(start)[0])
