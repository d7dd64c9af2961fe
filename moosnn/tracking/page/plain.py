"""Numbers as a page has them: finite, few digits, ``None`` where there is none.

Knows numbers, and the ranges of parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from moosnn.conditions import Value
from moosnn.parameters import Choice, Parameter

DIGITS = 6  # significant ones: more than any picture shows
_LARGEST_INT = 10**DIGITS
_EXACT = 17  # digits that tell any two numbers apart


def plain(value: float | None, digits: int = DIGITS) -> float | int | None:
    """A number with so many significant digits, a whole one as an int.

    ``None`` stays, and stands for what is not finite.
    """
    if value is None or not math.isfinite(value):
        return None
    if isinstance(value, int):
        return value
    short = float("%.*g" % (digits, value))  # noqa: UP031 -- a third faster, of millions
    # Half as long in JSON: 64.0 is 64.
    return int(short) if short.is_integer() and abs(short) < _LARGEST_INT else short


def plains(values: Iterable[float | None]) -> list[float | int | None]:
    """`plain` of each."""
    return [plain(value) for value in values]


def plain_values(
    parameter: Parameter, values: Iterable[Value | None]
) -> list[Value | None]:
    """Values of a parameter: options as they are, numbers as `plain`.

    Of a narrow range with more digits: 0.10001 to 0.10002 has values between.
    """
    if isinstance(parameter, Choice):
        return list(values)
    low, high = float(parameter.low), float(parameter.high)
    largest, span = max(abs(low), abs(high)), high - low
    lost = math.floor(math.log10(largest / span)) if span > 0 and largest > 0 else 0
    digits = min(_EXACT, DIGITS + max(0, lost))
    return [plain(v, digits) if isinstance(v, float) else v for v in values]


def evenly(count: int, most: int) -> list[int]:
    """Up to ``most`` of ``count`` positions, spread evenly, the ends among them."""
    if count <= most:
        return list(range(count))
    places = np.linspace(0, count - 1, most).round().astype(int)
    return [int(place) for place in np.unique(places)]
