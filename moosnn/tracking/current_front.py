"""A front that is told of one trial after the other, and costs little for each.

Knows: problems, trials, dominance. Must not know: events, how a front is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moosnn.pareto.dominance import is_dominated, non_dominated
from moosnn.pareto.front import Front, front_of
from moosnn.pareto.pooling import Key, key_of, pooled
from moosnn.problem import Problem
from moosnn.trial import Trial

_FIRST_ROWS = 64


class CurrentFront:
    """What `front_of` says of all trials so far.

    A new point, whatever an earlier front dominated stays dominated. Another seed may
    move a point of the front: then what it alone dominated comes back. Either way few
    points have to be compared with each other.

    Attributes:
        front: the front itself.
        members: its trials in the same order, those of a repeated point with its means
            (`pooled` over its own trials: standard errors are those of two or three
            values alone; see `points_of` for better ones).
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._groups: dict[Key, list[Trial]] = {}
        self._rows: dict[Key, int] = {}
        self._points: list[Trial] = []  # a trial a point, a row each
        # Infinite where a point is not feasible, and behind the last one.
        shape = (_FIRST_ROWS, len(problem.objectives))
        self._losses = np.full(shape, np.inf)
        self._members: list[int] = []  # rows
        self.front: Front = front_of(problem, [])
        self.members: tuple[Trial, ...] = ()

    def add(self, trial: Trial) -> None:
        """Hear of one more evaluated trial, each once."""
        key = key_of(trial)
        group = self._groups.setdefault(key, [])
        group.append(trial)
        row = self._rows.setdefault(key, len(self._points))
        (point,) = pooled(group, self._problem) if len(group) > 1 else group
        is_new = row == len(self._points)
        if is_new:
            self._append(point)
        before = self._losses[row].copy()
        self._points[row] = point
        feasible = self._problem.is_feasible(point)
        losses = self._problem.losses([point])[0] if feasible else np.inf
        self._losses[row] = losses
        if row in self._members:
            behind = np.all(self._losses[: len(self._points)] >= before, axis=1)
            self._choose([*self._members, *np.flatnonzero(behind)])
        elif feasible and not is_dominated(
            self._losses[row], self._losses[self._members]
        ):
            self._choose([*self._members, row])

    def _append(self, point: Trial) -> None:
        if len(self._points) == len(self._losses):
            more = np.full_like(self._losses, np.inf)
            self._losses = np.vstack([self._losses, more])
        self._points.append(point)

    def _choose(self, rows: Sequence[int]) -> None:
        """Make the front of some points, among which all of its members are."""
        unique = np.unique(rows)
        feasible = unique[np.isfinite(self._losses[unique, 0])]
        kept = feasible[non_dominated(self._losses[feasible])]
        by_number = {self._points[row].number: row for row in kept.tolist()}
        self.front = front_of(
            self._problem, [self._points[row] for row in by_number.values()]
        )
        self._members = [by_number[number] for number in self.front.numbers]
        self.members = tuple(self._points[row] for row in self._members)
