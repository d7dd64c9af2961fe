"""Executors: take an attempt, and tell later how it ended.

Knows: attempts and their ends. Must not know: objectives, optimizers, the journal.

Executors are given to the study as factories: see ``conf/executor``. Here are the
protocol and `InlineExecutor`, which runs trials in the driver, one at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from moosnn.errors import StudyFolderError
from moosnn.runtime.attempt import Result, read_result, run_attempt
from moosnn.runtime.files import OUTBOX, clear_served, message_name
from moosnn.runtime.workers import left_behind
from moosnn.tasks.base import Task
from moosnn.trial import Failure, Proposal, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How far a running attempt is.

    Attributes:
        number: of the trial.
        attempt: its attempt.
        step: whole epochs done.
        metrics: what is known by then.
    """

    number: int
    attempt: int
    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an attempt ended. Each attempt that was submitted or attached ends once.

    Attributes:
        number: of the trial.
        attempt: its attempt.
        result: what was measured, or why nothing was.
    """

    number: int
    attempt: int
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an attempt will probably not exceed.

    Attributes:
        seconds: of its whole evaluation, > 0; ``None`` = not known.
        memory_mb: resident memory, > 0; ``None`` = not known.
    """

    seconds: float | None = None
    memory_mb: float | None = None


class Executor(Protocol):
    """Runs attempts. Built by a factory ``(folder, task) -> Executor``."""

    @property
    def ahead(self) -> int:
        """How many proposals should wait for a free slot; 0 = each is made for one."""
        ...

    def free(self) -> int:
        """How many attempts could start at once."""
        ...

    def expect(self, count: int, later: int = 0) -> None:
        """At most so many attempts will be submitted from now on, retries apart.

        More slots than that are not asked for, and those that will not be needed any
        more may be given back.

        Args:
            count: that can be submitted as soon as there is a slot.
            later: that come after those have ended.
        """
        ...

    def reserve(self, expected: Expected | None = None) -> str:
        """The job id of a free slot, for the next `submit`.

        Asked for before, so that an attempt is journaled before anyone can run it:
        then no attempt is ever given out twice.

        Args:
            expected: what the attempt will need; for slots that are made to measure.
        """
        ...

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        """Take an attempt into a reserved slot."""
        ...

    def poll(self) -> list[Report | Ended]:
        """What happened since the last poll. Never raises for a trial."""
        ...

    def stop(self, number: int) -> None:
        """Ask a trial's running attempt to end early; harmless if none runs."""
        ...

    def attach(self, trials: Sequence[Trial]) -> None:
        """Take over the attempts that an earlier driver submitted.

        Args:
            trials: PENDING, with the attempt and job id under which they were
                submitted. Each will be reported as `Ended`: with its result, or
                ``lost`` if nobody has it any more.
        """
        ...

    def close(self, *, cancel: bool) -> None:
        """End. ``cancel``: stop what runs; else leave it to the next driver."""
        ...


def _lost(trial: Trial, why: str) -> Ended:
    return Ended(
        number=trial.number,
        attempt=trial.attempt,
        result=Failure(kind="lost", message=why),
    )


class InlineExecutor:
    """Runs each attempt in the driver's own process: `poll` blocks while it does."""

    def __init__(self, *, folder: Path, task: Task) -> None:
        self._folder = folder
        self._task = task
        self._waiting: deque[tuple[Proposal, int]] = deque()
        self._ends: list[Ended] = []
        self._stopping: set[int] = set()

    @property
    def ahead(self) -> int:
        """None: a proposal made while a trial runs here could not be made sooner."""
        return 0

    def free(self) -> int:
        """One, unless an attempt waits to be run."""
        return 0 if self._waiting or self._ends else 1

    def expect(self, count: int, later: int = 0) -> None:
        """The one slot is the driver."""

    def reserve(self, expected: Expected | None = None) -> str:
        """There is only one slot."""
        return "inline"

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        """Take an attempt; it runs in the next `poll`."""
        self._waiting.append((proposal, attempt))

    def poll(self) -> list[Report | Ended]:
        """Run the attempt that waits, to its end."""
        happened: list[Report | Ended] = [*self._ends]
        self._ends.clear()
        if happened or not self._waiting:
            return happened
        proposal, attempt = self._waiting.popleft()
        number = proposal.number

        def on_report(step: int, metrics: Mapping[str, float]) -> bool:
            happened.append(
                Report(number=number, attempt=attempt, step=step, metrics=metrics)
            )
            return number in self._stopping

        result = run_attempt(self._task, proposal, self._folder, attempt, on_report)
        self._stopping.discard(number)
        happened.append(Ended(number=number, attempt=attempt, result=result))
        return happened

    def stop(self, number: int) -> None:
        """End a waiting attempt at its first report."""
        if any(proposal.number == number for proposal, _ in self._waiting):
            self._stopping.add(number)

    def attach(self, trials: Sequence[Trial]) -> None:
        """An attempt inside of a driver dies with it; workers' results are taken.

        Raises:
            StudyFolderError: workers of an earlier driver are still at work.
        """
        living = [w.name for w in left_behind(self._folder) if w.is_alive()]
        if living:
            raise StudyFolderError(
                f"{self._folder}: {len(living)} workers of an earlier driver still run "
                "(they end after their trial): wait for them, or continue with "
                "executor=local."
            )
        clear_served(self._folder, {(t.number, t.attempt) for t in trials})
        self._ends += [self._end_of(trial) for trial in trials]

    def _end_of(self, trial: Trial) -> Ended:
        name = message_name(trial.number, trial.attempt)
        path = self._folder / OUTBOX / name
        if not path.exists():
            return _lost(trial, "the driver ended while it ran")
        result = read_result(path)
        return Ended(number=trial.number, attempt=trial.attempt, result=result)

    def close(self, *, cancel: bool) -> None:
        """Nothing runs between two polls; what waits is lost or left all the same."""
        self._waiting.clear()
