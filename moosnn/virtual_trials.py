"""What virtual trials measure: those of a finished study, or a formula's.

Knows: finished studies to follow, instant tasks. Must not know: the virtual clock's
driver, optimizers' answers, how numbers are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from moosnn.errors import DivergedError, StudyFolderError
from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.cube import Cube
from moosnn.problem import Problem
from moosnn.runtime.simulator import Durations, Outcome
from moosnn.tasks.base import Task
from moosnn.trial import Failure, Proposal, Status, Trial

# Failures that were no fault of their trial, and happen to no virtual one.
_ACCIDENTS = ("lost", "preempted", "data")


class Followed:
    """Measures what the nearest trial of a finished study measured.

    Nearest among the points as models see them (`Cube.features`). Trials that were
    lost by an accident of the machine are left out; those that stopped early or failed
    do so again.
    """

    def __init__(
        self, problem: Problem, history: History, durations: Durations | None = None
    ) -> None:
        """Prepare.

        Args:
            problem: of the study.
            history: of the study.
            durations: how long attempts take; ``None`` = as long as the nearest one.

        Raises:
            StudyFolderError: no trial has ended.
        """
        self._trials = [t for t in history.trials if _is_told(t)]
        if not any(trial.evaluation for trial in self._trials):
            raise StudyFolderError("no trial was evaluated yet; nothing to follow.")
        self._cube = Cube(problem.space)
        points = [t.proposal.params for t in self._trials]
        self._features = self._cube.features_of(points)
        self._durations = durations
        self._failed_s = _seconds_of_failures(history)

    def __call__(self, proposal: Proposal, attempt: int) -> Outcome:
        """What the nearest trial measured, and its seconds."""
        feature = self._cube.features_of([proposal.params])
        squares = ((self._features - feature) ** 2).sum(axis=1)
        trial = self._trials[int(np.argmin(squares))]
        known = trial.evaluation
        seconds = known.seconds if known else self._failed_s.get(trial.number, 0.0)
        if self._durations is not None:
            seconds = self._durations(proposal.number, attempt)
        if known is not None:
            return Outcome(replace(known, seconds=seconds, training_s=None), seconds)
        assert trial.failure is not None
        return Outcome(replace(trial.failure, log=None), seconds)


def _is_told(trial: Trial) -> bool:
    """Whether it ended, by its own doing."""
    if trial.failure is not None:
        return trial.failure.kind not in _ACCIDENTS
    return trial.status is Status.DONE


def _seconds_of_failures(history: History) -> dict[int, float]:
    """How long the last attempt of each failed trial ran, by number."""
    found = {}
    for trial in history.failed:
        events = history.of_number(trial.number)
        begun = [e.time for e in events if e.kind is Kind.SUBMITTED]
        ended = [e.time for e in events if e.kind is Kind.FAILED]
        if begun and ended:
            found[trial.number] = max(0.0, ended[-1] - begun[-1])
    return found


class NoContext:
    """For tasks that need none: nothing is written, nobody listens."""

    workdir = cache = Path("no folder")
    attempt = 1

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Never stops."""
        return False

    def preempted(self) -> bool:
        """Never is."""
        return False


class Evaluated:
    """Measures with a real task that takes no time, such as a formula."""

    def __init__(self, task: Task, durations: Durations) -> None:
        """Prepare.

        Args:
            task: evaluates in place, without a context.
            durations: how long attempts take.
        """
        self._task = task
        self._durations = durations

    def __call__(self, proposal: Proposal, attempt: int) -> Outcome:
        """What the task measures."""
        seconds = self._durations(proposal.number, attempt)
        try:
            measured = self._task.evaluate(proposal, NoContext())
        except DivergedError as error:
            return Outcome(Failure(kind="diverged", message=str(error)), seconds)
        return Outcome(replace(measured, seconds=seconds), seconds)
