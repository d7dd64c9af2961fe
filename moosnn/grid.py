"""Grids of numbers in the unit interval, linear or logarithmic.

Knows: one grid's cells. Must not know: parameters, their YAML form; numpy and torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from moosnn.errors import SpaceError

# A double tells this many cells of the unit interval apart, on a log scale as well.
_MOST_VALUES = 2**40


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of the unit interval for ``low + k step``, ``0 <= k < count``.

    Equally wide, or on a log scale as wide as ``low + (k ± 0.5) step`` are apart in
    the logarithm. Everything there is relative to ``low``, which stays exact however
    small the steps are beside it.
    """

    low: float
    step: float
    count: int
    log: bool

    def index(self, coordinate: float) -> int:
        """The cell of a coordinate in [0, 1]."""
        if self.log:
            first, last = self.log_edges
            above_low = math.expm1(first + coordinate * (last - first))
            return self._clipped(above_low * self.low / self.step)
        return self._clipped(math.floor(coordinate * self.count))

    def coordinate(self, index: int) -> float:
        """A coordinate inside of a cell: its centre, or on a log grid its value."""
        if self.log:
            first, last = self.log_edges
            return (math.log1p(index * self.step / self.low) - first) / (last - first)
        return (index + 0.5) / self.count

    @property
    def log_edges(self) -> tuple[float, float]:
        """The outer edges of a log grid, as log(value / low): half a step beyond."""
        # Half a step beyond either end, so that the end values get whole cells; never
        # below half of low, which keeps the logarithm finite for any step.
        half = self.step / self.low / 2
        return math.log1p(-min(half, 0.5)), math.log1p((2 * self.count - 1) * half)

    def nearest(self, value: float) -> int:
        """The cell of the value that is nearest to this one."""
        return self._clipped((value - self.low) / self.step)

    def _clipped(self, index: float) -> int:
        return round(min(max(index, 0), self.count - 1))


def checked_grid(kind: str, low: float, step: float, steps: int, log: bool) -> Grid:
    """The grid from ``low`` in ``steps`` steps; ``kind`` is of the parameter.

    Raises:
        SpaceError: more than 2**40 values.
    """
    if steps >= _MOST_VALUES:
        raise SpaceError(
            f"{kind}: {steps + 1} values are more than {_MOST_VALUES}, expected a "
            "larger step, or a float without one."
        )
    return Grid(low, step, steps + 1, log)
