"""How good trials are at a rung: groups, fronts within them, and who goes on.

Knows: losses, dominance, constraints. Must not know: rungs, events, who is asked when.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from moosnn.pareto.dominance import is_dominated, ranks, spread
from moosnn.problem import Problem
from moosnn.trial import Trial

FEASIBLE = 1  # the last group of those
VOID = 3  # the last group


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How good a trial is at a rung.

    Attributes:
        group: 0 = feasible and better than the reference in every objective, 1 =
            feasible, 2 = violates a constraint, 3 = violates one that voids.
        losses: ``m``; empty in the last group.
        excess: beyond the constraints that void, in sum.
    """

    group: int
    losses: tuple[float, ...]
    excess: float

    @classmethod
    def of(cls, problem: Problem, trial: Trial) -> Standing:
        """The standing of a DONE trial of which everything was measured."""
        losses = problem.losses([trial])
        if not len(losses):
            voids = [constraint.voids for constraint in problem.constraints]
            excess = np.maximum(problem.violations([trial])[0][voids], 0.0).sum()
            return cls(group=VOID, losses=(), excess=float(excess))
        inside = bool((losses[0] < problem.reference).all())
        group = (0 if inside else 1) if problem.is_feasible(trial) else 2
        return cls(group=group, losses=tuple(losses[0].tolist()), excess=0.0)


def best_of(standings: Sequence[Standing], count: int) -> list[int]:
    """The best, in the order of groups, fronts and excess (see `halving`).

    Args:
        standings: of ``n`` trials.
        count: how many, >= 1.

    Returns:
        Rows: ``count`` of them, and those that equal the last one if it has losses.
    """
    found: list[int] = []
    for equals in _in_order(standings):
        free = count - len(found)
        if free <= 0:
            break
        found += equals if len(equals) <= free else _some_of(standings, equals, free)
    return found


def leads(own: Standing, standings: Sequence[Standing]) -> bool:
    """Whether a trial is feasible and no feasible one dominates it."""
    feasible = [one.losses for one in standings if one.group <= FEASIBLE]
    return own.group <= FEASIBLE and not is_dominated(
        np.array(own.losses), np.array(feasible)
    )


def _in_order(standings: Sequence[Standing]) -> Iterator[list[int]]:
    """Rows that are equally good as far as groups, fronts and excess tell."""
    for group in range(VOID):
        rows = [row for row, one in enumerate(standings) if one.group == group]
        fronts = ranks(np.array([standings[row].losses for row in rows]))
        for front in range(int(fronts.max(initial=-1)) + 1):
            yield [rows[i] for i in np.flatnonzero(fronts == front)]
    silent = [row for row, one in enumerate(standings) if one.group == VOID]
    for excess in sorted({standings[row].excess for row in silent}):
        yield [row for row in silent if standings[row].excess == excess]


def _some_of(standings: Sequence[Standing], rows: list[int], count: int) -> list[int]:
    """Rows spread along their front, with those that equal one of them.

    Of silent ones that are equally far gone, the first: they are often all the same.
    """
    if standings[rows[0]].group == VOID:
        return rows[:count]
    losses = np.array([standings[row].losses for row in rows])
    chosen = {standings[rows[i]].losses for i in spread(losses, count)}
    return [row for row in rows if standings[row].losses in chosen]
