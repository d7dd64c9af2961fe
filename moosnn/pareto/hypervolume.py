"""The volume that a front dominates, up to a reference point. Knows numbers only."""

from __future__ import annotations

import sys

import moocore
import numpy as np

from moosnn.pareto.dominance import dominates
from moosnn.problem import Floats


def hypervolume(losses: Floats, reference: Floats) -> float:
    """The exact hypervolume.

    Args:
        losses: ``n x m``, finite, minimised; rows that do not lie strictly below the
            reference in every loss add nothing.
        reference: ``m``.

    Returns:
        The volume, >= 0; 0 for no rows; the largest float if it exceeds that.

    Raises:
        ValueError: a loss is not finite.
    """
    if not np.isfinite(losses).all():
        raise ValueError(f"Expected finite losses. Got {losses!r}.")
    inside = losses[np.all(losses < reference, axis=1)]
    if len(inside) == 0:
        return 0.0
    if inside.shape[1] == 1:
        volume = float(reference[0] - inside.min())
    else:
        volume = float(moocore.hypervolume(inside, ref=reference))
    return min(volume, sys.float_info.max)


def hypervolume_trace(losses: Floats, reference: Floats) -> Floats:
    """The hypervolume after each of ``n`` points.

    Only points that improve the front cost a computation, on the front alone.

    Args:
        losses: ``n x m`` in the order of arrival; a row of NaN = a trial that has no
            losses, which changes nothing.
        reference: ``m``.

    Returns:
        ``n`` non-decreasing numbers.
    """
    trace = np.zeros(len(losses))
    front = np.empty((0, losses.shape[1]))
    volume = 0.0
    for index, row in enumerate(losses):
        if np.isfinite(row).all() and np.all(row < reference):
            beaten = np.any(np.all(front <= row, axis=1))
            if not beaten:
                front = np.vstack([front[~dominates(row, front)], row])
                volume = hypervolume(front, reference)
        trace[index] = volume
    return trace
