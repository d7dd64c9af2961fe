"""Asynchronous successive halving for several objectives and constraints.

Knows: how trials that reached a rung are ordered. Must not know: tasks, executors,
journals' files, what silence is.

A trial that reports at a rung goes on if it is among the best ``1 / eta`` of all trials
that have reported there so far ([Li2020]_, algorithm 2, in the form that stops instead
of pausing). Trials at a rung are in this order, extending [Schmucker2021]_:

1. what violates no constraint and beats the reference in every objective,
2. what violates no constraint,
3. what violates one,
4. what violates one that voids: silent networks.

Within the first three, trials are ordered by non-dominated sorting, and of the front
that only partly fits those go on that lie spread along it (their epsilon net). Within
the last the least violating come first.

A network may begin silent and wake when learning has acted: on the digits a quarter of
those that end feasible, after 18 updates of their weights in the median and 137 at
most. So a silent one that reports fewer ``updates`` than that is not judged, and is not
among those that others are compared with; to end hopeless ones early is the business of
the task's own rule.

.. [Li2020] L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt,
   B. Recht, A. Talwalkar. A System for Massively Parallel Hyperparameter Tuning.
   MLSys 2020.
.. [Schmucker2021] R. Schmucker, M. Donini, M. B. Zafar, D. Salinas, C. Archambeau.
   Multi-objective Asynchronous Successive Halving. arXiv:2106.12639, 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moosnn.errors import ConfigError
from moosnn.history import Event, History, Kind
from moosnn.pareto.dominance import ranks, spread
from moosnn.problem import Problem
from moosnn.rungs import Rungs
from moosnn.trial import Evaluation, Status, Trial

UPDATES = "updates"  # of the weights, as a task reports them at a rung
MIN_UPDATES = 137  # the largest number after which a network on the digits woke
_VOID = 3  # the last group


class Halving:
    """Stops what is not among the best ``1 / eta`` of a rung.

    Args:
        first: epochs done at the first rung, >= 1.
        eta: one in so many goes on to the next rung, which is at so many times the
            epochs, >= 2.
        min_updates: of its weights, before which what violates a constraint that voids
            is not judged, >= 0. A report without ``updates`` is always judged.

    Raises:
        ConfigError: a number that is too small or not whole.
    """

    def __init__(
        self, first: int = 1, eta: int = 3, *, min_updates: int = MIN_UPDATES
    ) -> None:
        whole = isinstance(min_updates, int) and not isinstance(min_updates, bool)
        if not whole or min_updates < 0:
            raise ConfigError(
                f"min_updates: expected a whole number >= 0, got {min_updates!r}."
            )
        self.rungs = Rungs(first=first, eta=eta)
        self.min_updates = min_updates
        self._seen: _Seen | None = None

    def stops(self, problem: Problem, history: History, number: int) -> bool:
        """Whether a trial should end now; see `Pruner`.

        The answer at its last rung holds for its reports after it: a driver that comes
        anew says it again. A trial at its last epoch (`Problem.fidelity`) goes on, and
        so does everyone at a rung that fewer than ``eta`` have reached.
        """
        seen = self._seen
        if seen is None or not seen.begins(problem, history):
            seen = self._seen = _Seen(problem, self.rungs)
        seen.read(history)
        rung = seen.rung_of(number)
        if rung is None or _is_over(problem, history.trial(number), rung):
            return False
        if (number, rung) not in seen.verdicts:
            seen.verdicts[number, rung] = self._stops(seen, number, rung)
        return seen.verdicts[number, rung]

    def _stops(self, seen: _Seen, number: int, rung: int) -> bool:
        # As it was when this trial came here; of each trial the latest word counts.
        rows = {one.number: one for one in seen.at[rung]}
        own = rows[number]
        rows = {r.number: r for r in seen.at[rung] if r.position <= own.position}
        others = [one for one in rows.values() if not self._is_early(one)]
        if self._is_early(own) or len(others) < self.rungs.eta:
            return False
        count = len(others) // self.rungs.eta
        best = best_of([one.standing for one in others], count)
        return not any(others[row] is own for row in best)

    def _is_early(self, one: _Reported) -> bool:
        return one.standing.group == _VOID and one.updates < self.min_updates


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
            return cls(group=_VOID, losses=(), excess=float(excess))
        inside = bool((losses[0] < problem.reference).all())
        group = (0 if inside else 1) if problem.is_feasible(trial) else 2
        return cls(group=group, losses=tuple(losses[0].tolist()), excess=0.0)


def best_of(standings: Sequence[Standing], count: int) -> list[int]:
    """The best, in the order of this module.

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


def _in_order(standings: Sequence[Standing]) -> Iterator[list[int]]:
    """Rows that are equally good as far as groups, fronts and excess tell."""
    for group in range(_VOID):
        rows = [row for row, one in enumerate(standings) if one.group == group]
        fronts = ranks(np.array([standings[row].losses for row in rows]))
        for front in range(int(fronts.max(initial=-1)) + 1):
            yield [rows[i] for i in np.flatnonzero(fronts == front)]
    silent = [row for row, one in enumerate(standings) if one.group == _VOID]
    for excess in sorted({standings[row].excess for row in silent}):
        yield [row for row in silent if standings[row].excess == excess]


def _some_of(standings: Sequence[Standing], rows: list[int], count: int) -> list[int]:
    """Rows spread along their front, with those that equal one of them.

    Of silent ones that are equally far gone, the first: they are often all the same.
    """
    if standings[rows[0]].group == _VOID:
        return rows[:count]
    losses = np.array([standings[row].losses for row in rows])
    chosen = {standings[rows[i]].losses for i in spread(losses, count)}
    return [row for row in rows if standings[row].losses in chosen]


def _is_over(problem: Problem, trial: Trial, epochs: int) -> bool:
    """Whether so many epochs are all that a trial has."""
    planned = trial.proposal.params.get(problem.fidelity or "")
    return isinstance(planned, int | float) and planned <= epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    """What a trial was at a rung, as if it had ended there.

    Attributes:
        number: of the trial.
        position: of the event that told.
        standing: of the trial.
        updates: of its weights; infinite if it does not tell.
    """

    number: int
    position: int
    standing: Standing
    updates: float


@dataclass(slots=True)
class _Seen:
    """What a history says of each rung; grows with it.

    It saves reading a long history again at each report, and changes no answer.

    Attributes:
        problem: says what a report needs.
        rungs: that count.
        length: how many events are read.
        last: the last of them.
        at: each rung's reports, in order.
        highest: the last rung of each trial.
        verdicts: by number and rung.
    """

    problem: Problem
    rungs: Rungs
    length: int = 0
    last: Event | None = None
    at: dict[int, list[_Reported]] = field(default_factory=dict)
    highest: dict[int, int] = field(default_factory=dict)
    verdicts: dict[tuple[int, int], bool] = field(default_factory=dict)

    def begins(self, problem: Problem, history: History) -> bool:
        """Whether a history goes on from here: it only grows, and keeps its events."""
        if self.problem is not problem or len(history) < self.length:
            return False
        return self.last is None or history[self.length - 1] is self.last

    def rung_of(self, number: int) -> int | None:
        """The last rung that a trial has told of."""
        return self.highest.get(number)

    def read(self, history: History) -> None:
        """Read what is new."""
        for position in range(self.length, len(history)):
            event = history[position]
            if event.kind is Kind.REPORTED:
                self._add(history, position, event.data["step"], event.data["metrics"])
            elif event.kind is Kind.FINISHED:
                self._end(history, position)
            self.last = event
        self.length = len(history)

    def _end(self, history: History, position: int) -> None:
        """A whole training that ended at a rung was there as well."""
        event = history[position]
        assert event.number is not None, "the log refuses it"
        evaluation = Evaluation.from_json(event.data["evaluation"])
        reports = [
            e for e in history.of_number(event.number) if e.kind is Kind.REPORTED
        ]
        if evaluation.stopped is None and reports:
            step = reports[-1].data["step"]
            self._add(history, position, step, evaluation.metrics)

    def _add(
        self, history: History, position: int, step: int, metrics: Mapping[str, Any]
    ) -> None:
        number = history[position].number
        assert number is not None, "the log refuses it"
        if step not in self.rungs:
            return
        evaluation = Evaluation(metrics=metrics)
        if self.problem.check_evaluation(evaluation) is not None:
            return  # a report of the training alone
        # Everything but what was measured is that of the trial as it is now.
        trial = replace(
            history.trial(number),
            status=Status.DONE,
            evaluation=evaluation,
            failure=None,
        )
        self.verdicts.pop((number, step), None)  # another attempt came here again
        self.highest[number] = step
        reported = _Reported(
            number=number,
            position=position,
            standing=Standing.of(self.problem, trial),
            updates=float(metrics.get(UPDATES, np.inf)),
        )
        self.at.setdefault(step, []).append(reported)
