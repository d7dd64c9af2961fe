"""Where the edge of a constraint lies, as seen along a line through a point.

Knows: probabilities at points of a line, or means and standard deviations of
violations. Must not know: models, parameters, trials; numbers only.

*Beyond the edge* means that a constraint is more likely violated than not: the edge is
where the probability crosses `LEVEL`, one half.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from moosnn.problem import Floats

LEVEL = 0.5
# A crossing is sure if the probability gets so near to 0 or 1 behind it.
SURE = 0.1
_TINY = 1e-12  # a probability nearer to 0 or 1 has no useful quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where a line from a point meets the edge.

    Attributes:
        position: on the line's axis, interpolated between two points of its grid.
        index: of the first point of the grid on the other side.
        distance: from the point to ``position``, >= 0.
        sure: whether the probability comes within `SURE` of the other side's 0 or 1
            behind the crossing, before it turns back or the line ends. If not, the
            edge may as well not be there.
    """

    position: float
    index: int
    distance: float
    sure: bool

    def __post_init__(self) -> None:
        assert self.distance >= 0
        assert self.index >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """A crossing on either side of a point; ``None`` = none on that side.

    The nearest sure one, and only if there is none, the nearest of all: a bump of the
    probability where little is known hides no edge behind it.
    """

    below: Crossing | None
    above: Crossing | None

    @property
    def nearest(self) -> Crossing | None:
        """The nearer one of the two, a sure one first; of equals the one above."""
        found = [c for c in (self.above, self.below) if c is not None]
        return min(found, key=lambda c: (not c.sure, c.distance), default=None)


def violation_probability(means: Floats, sds: Floats) -> Floats:
    """The probability that a point violates at least one constraint.

    Violations are taken as independent normal variables: ``1 - prod_k Phi(-m_k / s_k)``
    with ``Phi`` the normal distribution function.

    Args:
        means: ``n x k``, feasible <= 0, any unit.
        sds: ``n x k``, the standard deviations in the same unit, > 0.

    Returns:
        ``n`` numbers in [0, 1].
    """
    from scipy.special import log_ndtr

    return np.asarray(-np.expm1(log_ndtr(-means / sds).sum(axis=1)), dtype=float)


def crossings(grid: Floats, probability: Floats, at: int) -> Crossings:
    """Where a line's probability crosses one half, seen from one of its points.

    Between two points of the grid the quantile of the probability is interpolated
    linearly: exact for a normal variable whose mean is linear along the line.

    Args:
        grid: ``n`` ascending positions.
        probability: ``n`` numbers in [0, 1], of lying beyond the edge.
        at: the point's index, 0 <= at < n.

    Returns:
        The crossings to the other side. For a point that lies beyond the edge that is
        where a line comes back. One half itself is beyond.
    """
    other = (probability >= LEVEL) != (probability[at] >= LEVEL)
    above = [i for i in range(at + 1, len(grid)) if other[i] and not other[i - 1]]
    below = [i for i in range(at - 1, -1, -1) if other[i] and not other[i + 1]]
    return Crossings(
        below=_first(_crossing(grid, probability, at, index) for index in below),
        above=_first(_crossing(grid, probability, at, index) for index in above),
    )


def variation(probability: Floats) -> float:
    """How much a probability changes along a line: its range, in [0, 1]."""
    return float(np.ptp(probability))


def _first(outwards: Iterable[Crossing]) -> Crossing | None:
    found = list(outwards)
    return next((c for c in found if c.sure), found[0] if found else None)


def _crossing(grid: Floats, probability: Floats, at: int, index: int) -> Crossing:
    step = 1 if index > at else -1
    inner, outer = (_quantile(probability[i]) for i in (index - step, index))
    share = inner / (inner - outer)  # they differ: only one of the two is below 0
    before = grid[index - step]
    position = float(before + share * (grid[index] - before))
    return Crossing(
        position=position,
        index=index,
        distance=abs(position - float(grid[at])),
        sure=_is_sure(probability[index::step]),
    )


def _quantile(probability: float) -> float:
    clipped = min(max(float(probability), _TINY), 1.0 - _TINY)
    return NormalDist().inv_cdf(clipped)


def _is_sure(behind: Floats) -> bool:
    """Of the probabilities behind a crossing, outwards."""
    beyond = behind >= LEVEL
    back = np.flatnonzero(beyond != beyond[0])
    same = behind[: back[0]] if len(back) else behind
    extreme = 1.0 - same if beyond[0] else same
    return bool(extreme.min() <= SURE)
