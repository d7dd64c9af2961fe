"""Where a short log axis is labelled."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from moosnn.tracking.log_ticks import few_ticks, label_few


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 1100.0, [1, 10, 100, 1000]),
        (180.0, 1100.0, [300, 1000]),
        (0.4, 2.5, [0.5, 1, 2]),
        (150.0, 700.0, [200, 500]),
        (0.0015, 0.007, [0.002, 0.005]),
        (310.0, 420.0, [320, 360, 400]),
    ],
)
def test_the_ticks_by_hand(low: float, high: float, ticks: list[float]) -> None:
    assert few_ticks(low, high) == ticks


def test_any_axis_of_up_to_two_decades_has_two_to_four_ticks_within() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        low = 10 ** rng.uniform(-9, 9)
        high = low * 10 ** rng.uniform(0.01, 2)
        found = few_ticks(low, high)
        assert 2 <= len(found) <= 4
        assert found == sorted(set(found))
        assert low <= found[0] < found[-1] <= high


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ((180.0, 1100.0), ["300", "1000"]),
        ((1.8e6, 1.1e7), ["$3\\times10^{6}$", "$10^{7}$"]),
        ((1.5e-7, 7e-7), ["$2\\times10^{-7}$", "$5\\times10^{-7}$"]),
    ],
)
def test_the_numbers_and_the_limits(
    limits: tuple[float, float], words: list[str]
) -> None:
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.set_xlim(limits)
    label_few(axes)
    assert [label.get_text() for label in axes.get_xticklabels()] == words
    assert not any(t.get_text() for t in axes.get_xticklabels(minor=True))
    assert axes.get_xlim() == limits
    assert axes.get_yscale() == "linear"
