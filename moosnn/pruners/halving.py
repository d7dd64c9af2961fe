"""Asynchronous successive halving for several objectives and constraints.

Knows: how trials that reached a rung are ordered. Must not know: tasks, executors,
journals' files, what silence is.

A trial that reports at a rung goes on if it is among the best ``1 / eta`` of all trials
that have reported there so far ([Li2020]_, algorithm 2, in the form that stops instead
of pausing), or if it is feasible and no feasible one dominates it there. Trials at a
rung are in this order, extending [Schmucker2021]_:

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

Without the exception a small study stops the better part of its own front. On five
searches of the digits with whole trainings of 27 epochs and rungs at 1, 3 and 9 the
best third alone would have stopped 24 of the 36 members of their fronts and lost 0.12
of their hypervolumes on average; with it 9, 0.007, and still 30 % of the epochs saved.

Nobody is stopped at a rung before five trainings that reported there have ended: so
many it takes to tell what such a report is worth, for models that are to learn from
those that were stopped. (An optimizer that learns nothing from them proposed 29 trials
in a row in one corner, all of which were stopped.)

.. [Li2020] L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt,
   B. Recht, A. Talwalkar. A System for Massively Parallel Hyperparameter Tuning.
   MLSys 2020.
.. [Schmucker2021] R. Schmucker, M. Donini, M. B. Zafar, D. Salinas, C. Archambeau.
   Multi-objective Asynchronous Successive Halving. arXiv:2106.12639, 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.pruners.standing import VOID, Standing, best_of, leads
from moosnn.rungs import Rungs
from moosnn.trial import Evaluation, Status, Trial

UPDATES = "updates"  # of the weights, as a task reports them at a rung
MIN_UPDATES = 137  # the largest number after which a network on the digits woke
MIN_WHOLE = 5  # what models need to know what a report is worth


class Halving:
    """Stops what is not among the best ``1 / eta`` of a rung.

    Args:
        first: epochs done at the first rung, >= 1.
        eta: one in so many goes on to the next rung, which is at so many times the
            epochs, >= 2.
        min_updates: of its weights, before which what violates a constraint that voids
            is not judged, >= 0. A report without ``updates`` is always judged.
        min_whole: trainings that were not void at a rung and ran to their end, before
            which nobody is stopped there, >= 0.

    Raises:
        ConfigError: a number that is too small or not whole.
    """

    def __init__(
        self,
        first: int = 1,
        eta: int = 3,
        *,
        min_updates: int = MIN_UPDATES,
        min_whole: int = MIN_WHOLE,
    ) -> None:
        for name, value in (("min_updates", min_updates), ("min_whole", min_whole)):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < 0:
                raise ConfigError(
                    f"{name}: expected a whole number >= 0, got {value!r}."
                )
        self.rungs = Rungs(first=first, eta=eta)
        self.min_updates = min_updates
        self.min_whole = min_whole
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
        if seen.known(rows.values(), own.position) < self.min_whole:
            return False
        count = len(others) // self.rungs.eta
        standings = [one.standing for one in others]
        best = best_of(standings, count)
        goes_on = any(others[row] is own for row in best)
        return not (goes_on or leads(own.standing, standings))

    def _is_early(self, one: _Reported) -> bool:
        return one.standing.group == VOID and one.updates < self.min_updates


def _is_over(problem: Problem, trial: Trial, epochs: int) -> bool:
    """Whether so many epochs are all that a trial has."""
    planned = trial.proposal.params.get(problem.fidelity or "")
    return isinstance(planned, int | float) and planned <= epochs


def _as_ended(history: History, number: int, evaluation: Evaluation) -> Trial:
    """A trial with an evaluation; everything else is that of the trial as it is now."""
    return replace(
        history.trial(number), status=Status.DONE, evaluation=evaluation, failure=None
    )


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
        whole: where observed trainings ended that nobody had stopped, by number.
        highest: the last rung of each trial.
        verdicts: by number and rung.
    """

    problem: Problem
    rungs: Rungs
    length: int = 0
    last: Event | None = None
    at: dict[int, list[_Reported]] = field(default_factory=dict)
    whole: dict[int, int] = field(default_factory=dict)
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

    def known(self, reports: Iterable[_Reported], position: int) -> int:
        """Of how many reports that are not void the end was known at an event.

        A training that ended at the rung went on to nothing.
        """
        return sum(
            one.standing.group < VOID
            and one.position < self.whole.get(one.number, position) < position
            for one in reports
        )

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
        if self.problem.is_observed(_as_ended(history, event.number, evaluation)):
            self.whole[event.number] = position
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
        trial = _as_ended(history, number, evaluation)
        self.verdicts.pop((number, step), None)  # another attempt came here again
        self.highest[number] = step
        reported = _Reported(
            number=number,
            position=position,
            standing=Standing.of(self.problem, trial),
            updates=float(metrics.get(UPDATES, np.inf)),
        )
        self.at.setdefault(step, []).append(reported)
