"""Numbers as a page has them: finite, few digits, ``None`` where there is none.

Knows numbers only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

DIGITS = 6  # significant ones: more than any picture shows


def plain(value: float | None) -> float | int | None:
    """A number with `DIGITS` significant digits, a whole one as an int.

    ``None`` stays, and stands for what is not finite.
    """
    if value is None or not math.isfinite(value):
        return None
    if isinstance(value, int):
        return value
    short = float(f"{value:.{DIGITS}g}")
    # Half as long in JSON: 64.0 is 64.
    return int(short) if short == int(short) and abs(short) < 10**DIGITS else short


def plains(values: Iterable[float | None]) -> list[float | int | None]:
    """`plain` of each."""
    return [plain(value) for value in values]


def evenly(count: int, most: int) -> list[int]:
    """Up to ``most`` of ``count`` positions, spread evenly, the ends among them."""
    if count <= most:
        return list(range(count))
    places = np.linspace(0, count - 1, most).round().astype(int)
    return [int(place) for place in np.unique(places)]
