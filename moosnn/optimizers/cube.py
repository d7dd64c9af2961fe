"""Points of a space as arrays: snapped to it, and placed where a model sees them.

Knows: spaces, coordinates in the unit cube. Must not know: trials, models, scores.

A model measures distances, so what has none must not get one. A number is its
coordinate. The options of a choice are corners of a simplex, each 1 apart from every
other. A parameter that exists only under a condition is not a number somewhere in its
range where it does not exist: its values lie on an arc of length 1, and its absence in
the middle of the arc's circle, which is as far from all of them (the idea of
[Hutter2013]_).

.. [Hutter2013] F. Hutter, M. A. Osborne. A Kernel for Hierarchical Parameter Spaces.
   arXiv:1310.5738, 2013.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moosnn.conditions import Condition
from moosnn.grid import Grid
from moosnn.problem import Floats, Mask
from moosnn.space import Choice, Params, Space, Value

Indexes = npt.NDArray[np.intp]

_ARC_RADIUS = 3.0 / np.pi  # an arc of 60 degrees has length 1, its chord 0.95


class Cube:
    """The unit cube of a space, ``d`` coordinates, and its ``e`` features.

    Attributes:
        space: the space.
        choices: the mask of the choices, ``d``.
        parameter_of: which coordinate each feature belongs to, ``e``.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        parameters = list(space.parameters.values())
        self._names = {name: index for index, name in enumerate(space)}
        self.choices: Mask = np.array([isinstance(p, Choice) for p in parameters])
        self._absent = np.array([p.encode(p.decode(0.5)) for p in parameters])
        self._columns: list[slice] = []
        owners: list[int] = []
        for index, parameter in enumerate(parameters):
            width = 2 if parameter.when else 1
            if isinstance(parameter, Choice):
                width = parameter.count
            self._columns.append(slice(len(owners), len(owners) + width))
            owners += [index] * width
        self.parameter_of: Indexes = np.array(owners)

    @property
    def dim(self) -> int:
        """``d``."""
        return len(self.space)

    @property
    def discrete(self) -> bool:
        """Whether any coordinate has steps or options."""
        parameters = self.space.parameters.values()
        return any(isinstance(p, Choice) or p.grid is not None for p in parameters)

    def encoded(self, points: Sequence[Params]) -> Floats:
        """Canonical points in the unit cube, ``n x d``."""
        rows = [
            [p.encode(point[name]) for name, p in self.space.parameters.items()]
            for point in points
        ]
        return np.array(rows, dtype=float).reshape(len(rows), self.dim)

    def features_of(self, points: Sequence[Params]) -> Floats:
        """Canonical points as a model sees them, ``n x e``."""
        coordinates = self.encoded(points)
        return self.features(coordinates, self.active(coordinates))

    def decoded(self, point: Floats) -> dict[str, Value]:
        """The canonical point at coordinates, ``d``."""
        return self.space.decode([float(x) for x in point])

    def snapped(self, points: Floats) -> tuple[Floats, Mask]:
        """Move points to the nearest ones of the space.

        Args:
            points: ``n x d`` in [0, 1].

        Returns:
            What `Space.encode` gives for `Space.decode` of each row, and which
            parameters exist there, both ``n x d``.
        """
        moved = points.copy()
        for index, parameter in enumerate(self.space.parameters.values()):
            column = points[:, index]
            if isinstance(parameter, Choice):
                cells = np.floor(column * parameter.count)
                cells = np.clip(cells, 0, parameter.count - 1)
                moved[:, index] = (cells + 0.5) / parameter.count
            elif parameter.grid is not None:
                moved[:, index] = _snapped(parameter.grid, column)
        active = self.active(moved)
        return np.where(active, moved, self._absent), active

    def active(self, points: Floats) -> Mask:
        """Which parameters exist at snapped points, ``n x d``."""
        exists = np.ones(points.shape, dtype=bool)
        for name in self.space.dependency_order:
            when = self.space.parameters[name].when
            if when:
                groups = [
                    np.all([self._holds(c, points, exists) for c in group], axis=0)
                    for group in when
                ]
                exists[:, self._names[name]] = np.any(groups, axis=0)
        return exists

    def _holds(self, condition: Condition, points: Floats, exists: Mask) -> Mask:
        index = self._names[condition.parameter]
        parameter = self.space.parameters[condition.parameter]
        values, where = np.unique(points[:, index], return_inverse=True)
        passes = [condition.holds(parameter.decode(float(v))) for v in values]
        held: Mask = np.array(passes, dtype=bool)[where] & exists[:, index]
        return held

    def features(self, points: Floats, active: Mask) -> Floats:
        """Where a model sees points.

        Args:
            points: ``n x d``; choices in the centres of their cells.
            active: which parameters exist, ``n x d``.

        Returns:
            ``n x e``.
        """
        found = np.zeros((len(points), len(self.parameter_of)))
        for index, parameter in enumerate(self.space.parameters.values()):
            columns = self._columns[index]
            column, exists = points[:, index], active[:, index, None]
            if isinstance(parameter, Choice):
                option = np.floor(column * parameter.count).astype(int)
                corners = np.eye(parameter.count)[option] / np.sqrt(2.0)
                found[:, columns] = corners * exists
            elif parameter.when:
                angle = (column - 0.5) / _ARC_RADIUS
                arc = np.stack([np.sin(angle), np.cos(angle)], axis=1)
                found[:, columns] = _ARC_RADIUS * arc * exists
            else:
                found[:, columns] = column[:, None]
        return found

    def slopes(self, points: Floats, active: Mask, slopes: Floats) -> Floats:
        """Slopes in the coordinates from slopes in the features.

        Args:
            points: ``n x d``.
            active: which parameters exist, ``n x d``.
            slopes: ``n x e``.

        Returns:
            ``n x d``; 0 for choices and for what does not exist.
        """
        found = np.zeros(points.shape)
        for index, parameter in enumerate(self.space.parameters.values()):
            columns = self._columns[index]
            if isinstance(parameter, Choice):
                continue
            if parameter.when:
                angle = (points[:, index] - 0.5) / _ARC_RADIUS
                arc = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
                found[:, index] = (arc * slopes[:, columns]).sum(axis=1)
                found[:, index] *= active[:, index]
            else:
                found[:, index] = slopes[:, columns.start]
        return found


def _snapped(grid: Grid, column: Floats) -> Floats:
    """`Grid.coordinate` of `Grid.index`, of many coordinates at once."""
    if not grid.log:
        cells = np.clip(np.floor(column * grid.count), 0, grid.count - 1)
        return np.asarray((cells + 0.5) / grid.count)
    first, last = grid.log_edges
    ratio = grid.step / grid.low
    cells = np.expm1(first + column * (last - first)) / ratio
    cells = np.round(np.clip(cells, 0, grid.count - 1))
    return np.asarray((np.log1p(cells * ratio) - first) / (last - first))
