"""Pareto dominance on matrices of losses. Knows numbers only.

A point dominates another if it is no worse in every loss and better in at least one.
Equal points do not dominate each other. Losses are minimised and finite.
"""

from __future__ import annotations

import moocore
import numpy as np
import numpy.typing as npt

from moosnn.problem import Floats, Mask

Indexes = npt.NDArray[np.intp]


def non_dominated(losses: Floats) -> Mask:
    """The points that no other point dominates.

    Args:
        losses: ``n x m``, finite.

    Returns:
        The mask, ``n``; every copy of a non-dominated point is kept, and an empty
        matrix has an empty mask.

    Raises:
        ValueError: a loss is not finite.
    """
    _require_finite(losses)
    if len(losses) == 0:
        return np.zeros(0, dtype=bool)
    mask: Mask = moocore.is_nondominated(losses, keep_weakly=True)
    return mask


def ranks(losses: Floats) -> Indexes:
    """The front that each point belongs to, by non-dominated sorting.

    Args:
        losses: ``n x m``, finite.

    Returns:
        ``n``: 0 = dominated by no other, 1 = by none but those, and so on.

    Raises:
        ValueError: a loss is not finite.
    """
    _require_finite(losses)
    if len(losses) == 0:
        return np.zeros(0, dtype=np.intp)
    found: Indexes = np.asarray(moocore.pareto_rank(losses), dtype=np.intp)
    return found


def dominates(point: Floats, others: Floats) -> Mask:
    """Which of ``others`` (``n x m``) one point (``m``) dominates, ``n``."""
    mask: Mask = np.all(point <= others, axis=1) & np.any(point < others, axis=1)
    return mask


def is_dominated(point: Floats, others: Floats) -> bool:
    """Whether any of ``others`` (``n x m``) dominates one point (``m``)."""
    better = np.all(others <= point, axis=1) & np.any(others < point, axis=1)
    return bool(better.any())


def spread(losses: Floats, count: int) -> list[int]:
    """Rows that lie spread along a front: the ends first, then the widest gaps.

    Farthest-point choice in losses scaled to their range. Exactly equal rows are
    taken once.

    Args:
        losses: ``n x m``, finite.
        count: how many at most, >= 0.

    Returns:
        Up to ``count`` row indices, ascending.
    """
    _require_finite(losses)
    if len(losses) == 0 or count <= 0:
        return []
    _, first = np.unique(losses, axis=0, return_index=True)
    rows = np.sort(first)
    span = np.ptp(losses[rows], axis=0)
    scaled = losses[rows] / np.where(span > 0, span, 1.0)
    chosen = list(dict.fromkeys(int(i) for i in scaled.argmin(axis=0)))[:count]
    while len(chosen) < min(count, len(rows)):
        gaps = np.linalg.norm(scaled[:, None] - scaled[None, chosen], axis=2).min(
            axis=1
        )
        chosen.append(int(gaps.argmax()))
    return sorted(int(rows[i]) for i in chosen)


def _require_finite(losses: Floats) -> None:
    if not np.isfinite(losses).all():
        raise ValueError(f"Expected finite losses. Got {losses!r}.")
