"""The region that no point of a front dominates, cut into boxes.

Knows: numbers. Must not know: what they measure.

Here everything is **maximised**: the boxes serve the expected improvement of gains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosnn.problem import Floats

Indexes = npt.NDArray[np.intp]

UNBOUNDED = -1  # an upper index: the box has no upper end


@dataclass(frozen=True, slots=True)
class Cells:
    """Disjoint boxes that together are all that a front does not dominate.

    Attributes:
        levels: for each of ``m`` axes the ends that boxes have, ascending; the first
            is the reference.
        lower: ``j x m``, each box's lower ends, as indexes of levels.
        upper: ``j x m``, the upper ends; -1 = none.
    """

    levels: tuple[Floats, ...]
    lower: Indexes
    upper: Indexes


def cells_of(front: Floats, reference: Floats) -> Cells:
    """Cut what is better than a reference and not dominated into boxes.

    Slabs between neighbouring values of the last axis are cut in the other axes by the
    points that reach above the slab: ``p + 1`` boxes for ``p`` points of two axes, up
    to about ``p² / 2`` of three.

    Args:
        front: ``p x m``, larger is better; points that do not exceed the reference in
            every axis, dominated and equal ones change nothing.
        reference: ``m``.

    Returns:
        The boxes; one of everything above the reference if no point exceeds it.
    """
    points = front[(front > reference).all(axis=1)]
    levels = tuple(
        np.unique(np.append(points[:, k], reference[k])) for k in range(len(reference))
    )
    ranks = np.stack(
        [np.searchsorted(levels[k], points[:, k]) for k in range(len(reference))], 1
    )
    boxes = _boxes(np.unique(ranks, axis=0))
    bounds = np.array(boxes, dtype=np.intp).reshape(len(boxes), 2, -1)
    return Cells(levels, bounds[:, 0], bounds[:, 1])


def _boxes(ranks: Indexes) -> list[list[list[int]]]:
    """Lower and upper ranks of the boxes that ``p x m`` points leave, 0 = below."""
    axes = ranks.shape[1]
    highest = [0, *np.unique(ranks[:, -1]).tolist()]
    if axes == 1:
        return [[[highest[-1]], [UNBOUNDED]]]
    found: list[list[list[int]]] = []
    for index, low in enumerate(highest):
        last = index + 1 == len(highest)
        above = ranks[ranks[:, -1] > low][:, :-1]
        high = UNBOUNDED if last else highest[index + 1]
        for lower, upper in _boxes(above):
            found.append([[*lower, low], [*upper, high]])
    return found
