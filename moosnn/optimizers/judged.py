"""What an evolution has to know of every evaluated trial, without looking at all again.

Knows: problems, losses, dominance. Must not know: pymoo, spaces, how parents mate.

A study of 20,000 trials would otherwise judge and sort 20,000 of them for each
proposal. What is remembered would be computed again, to the last bit.

A point of the k-skyband [Papadias2005]_ is dominated by fewer than k others. Whoever
takes whole fronts until they hold k points takes no other: the dominators of a point
lie on the fronts before its own, which together have fewer than k points.

.. [Papadias2005] D. Papadias, Y. Tao, G. Fu, B. Seeger. Progressive Skyline Computation
   in Database Systems. ACM TODS 30(1), 2005 (section 6.4).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moosnn.pareto.dominance import dominates
from moosnn.problem import Floats, Mask, Problem
from moosnn.trial import Trial


class Judged:
    """The evaluated trials of one study, as far as they may become parents.

    Attributes:
        feasible: the feasible ones, in the order in which they ended; of many only
            those that fewer than ``count`` others dominate.
        losses: theirs, ``n x m``.
        infeasible: all others but those that were pruned.
    """

    def __init__(self, problem: Problem, count: int | None) -> None:
        """Nothing was evaluated yet.

        Args:
            problem: says what is feasible and better.
            count: how many parents there are at most, >= 1; ``None`` = every feasible
                trial counts.
        """
        self._problem = problem
        self._count = count
        self._read: list[Trial] = []
        self._dominators = np.empty(0, dtype=int)  # of each feasible one
        self.feasible: list[Trial] = []
        self.losses: Floats = np.empty((0, len(problem.objectives)))
        self.infeasible: list[Trial] = []

    def is_of(self, problem: Problem, done: Sequence[Trial]) -> bool:
        """Whether it knows a part of this study, and nothing of another."""
        return problem is self._problem and done[: len(self._read)] == self._read

    def read(self, done: Sequence[Trial]) -> None:
        """Judge the trials that were evaluated since.

        Args:
            done: of a study as `is_of` says.
        """
        for trial in done[len(self._read) :]:
            self._read.append(trial)
            if self._problem.is_feasible(trial):
                self._add(trial)
            elif not trial.is_pruned:  # what becomes of that is not known
                self.infeasible.append(trial)

    def _add(self, trial: Trial) -> None:
        row = self._problem.losses([trial])[0]
        if self._count is not None:
            above = int(_dominating(self.losses, row).sum())
            if above >= self._count:
                return
            self._dominators = self._dominators + dominates(row, self.losses)
            self._dominators = np.append(self._dominators, above)
        self.feasible.append(trial)
        self.losses = np.vstack([self.losses, row])
        if self._count is not None and (self._dominators >= self._count).any():
            kept = self._dominators < self._count
            self.feasible = [self.feasible[i] for i in np.flatnonzero(kept)]
            self.losses = self.losses[kept]
            self._dominators = self._dominators[kept]


def _dominating(losses: Floats, row: Floats) -> Mask:
    """Which rows dominate one, ``n``."""
    found: Mask = np.all(losses <= row, axis=1) & np.any(losses < row, axis=1)
    return found
