"""The answer of a study: its feasible, non-dominated points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moosnn.pareto.dominance import dominates, non_dominated
from moosnn.pareto.hypervolume import hypervolume
from moosnn.pareto.pooling import Key, key_of, pooled
from moosnn.problem import Floats, Problem
from moosnn.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The feasible trials that no feasible trial dominates.

    Attributes:
        numbers: their trial numbers, by ascending first loss, then number.
        losses: ``n x m``, minimised, in the same order.
        hypervolume: of the losses, up to the problem's reference.
    """

    numbers: tuple[int, ...]
    losses: tuple[tuple[float, ...], ...]
    hypervolume: float

    def __contains__(self, number: object) -> bool:
        return number in self.numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def within(self, problem: Problem) -> Front:
        """The members that are better than the problem's reference in every objective.

        They make up the whole hypervolume.
        """
        reference = problem.reference
        keep = [i for i, row in enumerate(self.losses) if np.all(row < reference)]
        return replace(
            self,
            numbers=tuple(self.numbers[i] for i in keep),
            losses=tuple(self.losses[i] for i in keep),
        )


def front_of(problem: Problem, trials: Sequence[Trial]) -> Front:
    """The front of some trials.

    A point that was measured with several seeds is one candidate, judged by its means
    (`pooled`) under the number of its first trial: a lucky seed is no member.

    Args:
        problem: says what is feasible and better.
        trials: in any order and of any status.

    Returns:
        The front; empty with hypervolume 0 if nothing is feasible. Members that do
        not dominate the reference are on it and add no volume.
    """
    feasible = [t for t in pooled(trials, problem) if problem.is_feasible(t)]
    losses = problem.losses(feasible)
    keep = np.flatnonzero(non_dominated(losses))
    rows = sorted(keep, key=lambda i: (*losses[i], feasible[i].number))
    return Front(
        numbers=tuple(feasible[i].number for i in rows),
        losses=tuple(tuple(float(x) for x in losses[i]) for i in rows),
        hypervolume=hypervolume(losses, problem.reference),
    )


def hypervolume_history(problem: Problem, trials: Sequence[Trial]) -> Floats:
    """The front's hypervolume after each of the trials, in their order, ``n``.

    It falls where another seed of a point takes back what the first one promised.
    """
    growing = GrowingFront(problem)
    return np.array([growing.add(trial) for trial in trials], dtype=float)


class GrowingFront:
    """The hypervolume of a front to which one trial is added after the other.

    Only a trial that changes the front costs a computation, on the front alone.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._groups: dict[Key, list[Trial]] = {}
        self._losses: dict[Key, Floats] = {}  # of the points inside of the reference
        self._front: Floats = np.empty((0, len(problem.objectives)))
        self.hypervolume = 0.0

    def add(self, trial: Trial) -> float:
        """The hypervolume with one trial more; one without an evaluation adds none."""
        if trial.evaluation is None:
            return self.hypervolume
        key = key_of(trial)
        group = self._groups.setdefault(key, [])
        group.append(trial)
        (merged,) = pooled(group, self._problem)
        row = self._row(merged)
        if len(group) > 1:
            self._replace(key, row)
        elif row is not None:
            self._losses[key] = row
            if not np.any(np.all(self._front <= row, axis=1)):
                kept = self._front[~dominates(row, self._front)]
                self._measure(np.vstack([kept, row]))
        return self.hypervolume

    def _row(self, trial: Trial) -> Floats | None:
        """The losses of a trial that adds volume if nothing dominates it, ``m``."""
        if not self._problem.is_feasible(trial):
            return None
        row: Floats = self._problem.losses([trial])[0]
        return row if np.all(row < self._problem.reference) else None

    def _replace(self, key: Key, row: Floats | None) -> None:
        """Another seed may move a point anywhere, and what it dominated comes back."""
        self._losses.pop(key, None)
        if row is not None:
            self._losses[key] = row
        shape = (len(self._losses), len(self._problem.objectives))
        losses = np.array(list(self._losses.values())).reshape(shape)
        self._measure(losses[non_dominated(losses)])

    def _measure(self, front: Floats) -> None:
        self._front = front
        self.hypervolume = hypervolume(front, self._problem.reference)
