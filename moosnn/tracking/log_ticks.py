"""Few labels on a log axis of a small panel.

Knows matplotlib's axes; must not know what is drawn in them.

By itself matplotlib labels an axis of less than a decade at 2, 3, 4 and 6 times a power
of ten, which overlap in a small panel, and inner panels of shared axes repeat them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST = 2  # labels, from which a scale can be read
_MULTIPLES = ((1,), (1, 3), (1, 2, 5))  # of powers of ten, from coarse to fine
_LINEAR_BINS = 3  # of an axis on which even the finest of them are too few
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e5  # written out; others with a power of ten

# On an axis of so many, margins and ticks beyond the data are no floats any more.
_MANY_DECADES = 200
_FAR_APART = 100  # decades between the labels of such an axis


def set_log(axes: Axes, which: Literal["x", "y"], values: Iterable[float]) -> None:
    """Make an axis a log one, before anything is drawn along it.

    Args:
        axes: whose axis it is.
        which: of both.
        values: what will be drawn along it; those that are not positive do not count.
    """
    from matplotlib.ticker import FixedLocator, NullLocator

    powers = [math.log10(value) for value in values if value > 0]
    far = bool(powers) and max(powers) - min(powers) > _MANY_DECADES
    # Before the scale, which looks where the data end that a shared axis has already.
    if far:
        set_margin = axes.set_xmargin if which == "x" else axes.set_ymargin
        set_margin(0.0)
    set_scale = axes.set_xscale if which == "x" else axes.set_yscale
    set_scale("log")
    if far:
        first = math.ceil(min(powers) / _FAR_APART) * _FAR_APART
        ticks = range(first, math.floor(max(powers)) + 1, _FAR_APART)
        axis = axes.xaxis if which == "x" else axes.yaxis
        axis.set_major_locator(FixedLocator([float(f"1e{power}") for power in ticks]))
        axis.set_minor_locator(NullLocator())


def label_few(axes: Axes) -> None:
    """Label log axes at powers of ten, or at up to four values if there is only one.

    Args:
        axes: all is drawn in them and in those that they share an axis with; their
            limits stay.
    """
    from matplotlib.ticker import NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() != "log":
            continue
        low, high = sorted(axis.get_view_interval())
        if len(_multiples_within(low, high, _MULTIPLES[0])) < _FEWEST:
            ticks = few_ticks(low, high)
            axis.set_ticks(ticks, labels=[_written(tick) for tick in ticks])
        axis.set_minor_formatter(NullFormatter())


def few_ticks(low: float, high: float) -> list[float]:
    """Where to label an axis: the coarsest multiples of powers of ten, or even steps.

    Args:
        low: > 0, where the axis begins.
        high: > `low`, where it ends.

    Returns:
        Ascending, within the axis.
    """
    from matplotlib.ticker import MaxNLocator

    for multiples in _MULTIPLES:
        found = _multiples_within(low, high, multiples)
        if len(found) >= _FEWEST:
            return found
    ticks = MaxNLocator(_LINEAR_BINS).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]


def _multiples_within(low: float, high: float, multiples: Sequence[int]) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [float(f"{m}e{power}") for power in powers for m in multiples]
    return [value for value in every if low <= value <= high]


def _written(value: float) -> str:
    if _PLAIN_FROM <= value < _PLAIN_BELOW:
        return f"{value:g}"
    mantissa, _, power = f"{value:e}".partition("e")
    digits = f"{float(mantissa):g}"
    factor = "" if digits == "1" else rf"{digits}\times"
    return f"${factor}10^{{{int(power)}}}$"
