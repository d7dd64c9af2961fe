"""The answer of a study: its feasible, non-dominated trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moosnn.pareto.dominance import non_dominated
from moosnn.pareto.hypervolume import hypervolume, hypervolume_trace
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

    Args:
        problem: says what is feasible and better.
        trials: in any order and of any status.

    Returns:
        The front; empty with hypervolume 0 if nothing is feasible. Members that do
        not dominate the reference are on it and add no volume.
    """
    feasible = [t for t in trials if problem.is_feasible(t)]
    losses = problem.losses(feasible)
    keep = np.flatnonzero(non_dominated(losses))
    rows = sorted(keep, key=lambda i: (*losses[i], feasible[i].number))
    return Front(
        numbers=tuple(feasible[i].number for i in rows),
        losses=tuple(tuple(float(x) for x in losses[i]) for i in rows),
        hypervolume=hypervolume(losses, problem.reference),
    )


def hypervolume_history(problem: Problem, trials: Sequence[Trial]) -> Floats:
    """The front's hypervolume after each of the trials, in their order, ``n``."""
    rows = np.full((len(trials), len(problem.objectives)), np.nan)
    for index, trial in enumerate(trials):
        if problem.is_feasible(trial):
            rows[index] = problem.losses([trial])[0]
    return hypervolume_trace(rows, problem.reference)
