"""Workers on this machine: started once by submitit, fed through their inboxes.

Knows: workers, their files and processes. Must not know: objectives, optimizers, the
journal, what a task is.

The driver assigns, nobody claims: a message in a worker's inbox belongs to that worker
until its result was handled, so the driver knows at once what a dead worker held. How
a trial ended is told by the outbox alone; submitit's own states are never asked.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import submitit

from moosnn.errors import ConfigError, StudyFolderError
from moosnn.runtime import files
from moosnn.runtime.attempt import Result, read_result
from moosnn.runtime.executors import Ended, Expected, Report
from moosnn.runtime.lease import HEARTBEAT_S
from moosnn.runtime.slots import gpu_of, worker_count
from moosnn.runtime.supervisor import Limits, run_worker
from moosnn.runtime.workers import Worker, end_all, left_behind, wait_for
from moosnn.tasks.base import Task
from moosnn.trial import Failure, Proposal, Trial

# How long workers without work may take to end before they are killed.
_CLOSE_S = 10.0
_CLOSE_POLL_S = 0.02
# A driver's sign of life may be so much late before its workers leave it.
_LEAST_ORPHAN_S = 5 * HEARTBEAT_S
_LOOK_S = 0.2  # between two looks at the workers' processes
_STILLBORN = 5  # so many and none that lived: the installation is broken
_LOST = Failure(kind="lost", message="its worker is gone and left no result")
_YEARS_MIN = 10 * 365 * 24 * 60  # submitit's own limit: the workers know when to end


class PilotExecutor:
    """Runs trials in warm workers on this machine."""

    def __init__(
        self,
        *,
        folder: Path,
        task: Task,
        workers: int | str = "auto",
        threads_per_trial: int = 1,
        trials_per_gpu: int = 1,
        trials_per_job: int | None = None,
        timeout_min: float = 60.0,
        memory_gb: float | None = None,
        log_mb: float = 64.0,
        orphan_s: float = 60.0,
    ) -> None:
        """Prepare; nothing is written or started before the first `attach` or `free`.

        Args:
            folder: the study folder; ``config.yaml`` in it builds the task anew.
            task: unused: each worker builds its own.
            workers: see `slots.worker_count`.
            threads_per_trial: CPU threads of a trial, >= 1.
            trials_per_gpu: trials that share a GPU, >= 1.
            trials_per_job: a worker ends after so many; ``None`` = with the study.
            timeout_min: minutes of a trial, > 0.
            memory_gb: resident memory of a trial, > 0; ``None`` = no limit.
            log_mb: what a trial may print, > 0.
            orphan_s: seconds without a sign of life of the driver after which a worker
                finishes its trial, publishes it and ends, >= 5.

        Raises:
            ConfigError: a number out of its range.
        """
        for name, count in (
            ("threads_per_trial", threads_per_trial),
            ("trials_per_gpu", trials_per_gpu),
            ("trials_per_job", trials_per_job),
        ):
            _require_positive(name, count, whole=True)
        for name, number in (
            ("timeout_min", timeout_min),
            ("memory_gb", memory_gb),
            ("log_mb", log_mb),
            ("orphan_s", orphan_s),
        ):
            _require_positive(name, number, whole=False)
        if orphan_s < _LEAST_ORPHAN_S:
            raise ConfigError(
                f"executor.orphan_s: expected at least {_LEAST_ORPHAN_S:g} s, since a "
                f"driver gives a sign of life each {HEARTBEAT_S:g} s; got {orphan_s!r}."
            )
        self._count = worker_count(
            workers,
            threads_per_trial=threads_per_trial,
            trials_per_gpu=trials_per_gpu,
            memory_gb=memory_gb,
        )
        self._limits = Limits(
            timeout_s=timeout_min * 60,
            memory_mb=None if memory_gb is None else memory_gb * 1024,
            log_mb=log_mb,
            orphan_s=orphan_s,
            trials=trials_per_job,
        )
        self._folder = folder.resolve()
        if "%" in str(self._folder):
            raise ConfigError(
                f"study_dir={folder}: expected a path without %, which submitit "
                "replaces; choose another."
            )
        self._threads = threads_per_trial
        self._workers: dict[str, Worker] = {}
        self._handled: list[Path] = []
        self._adopted: list[Ended] = []  # ends of attempts that no worker holds
        self._leaving: list[Any] = []
        self._looked = 0.0
        self._stillborn = 0
        self._any_lived = False  # of the workers that this driver started or adopted

    @property
    def ahead(self) -> int:
        """How many proposals should wait for a worker, so that none waits for one."""
        return max(1, self._count // 4)

    def free(self) -> int:
        """The workers that hold nothing; those that are missing are started."""
        if self._limits.trials != 1:
            while len(self._workers) < self._count:
                self._start()
        missing = self._count - len(self._workers)
        return missing + sum(w.holds is None for w in self._workers.values())

    def expect(self, count: int) -> None:
        """Workers that will not be needed wait for the end of the study."""

    def reserve(self, expected: Expected | None = None) -> str:
        """The name of a worker that holds nothing; of a new one if there is none."""
        for worker in self._workers.values():
            if worker.holds is None:
                return worker.name
        return self._start().name

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        """Put an attempt into a reserved worker's inbox."""
        name = files.message_name(proposal.number, attempt)
        message = {"proposal": proposal.to_json()}
        inbox = self._folder / files.INBOX / job_id
        files.write_json(inbox / name, message, durable=False)
        worker = self._workers[job_id]
        worker.holds = (proposal.number, attempt)
        worker.left -= 1
        worker.seen = -1

    def poll(self) -> list[Report | Ended]:
        """Read the outbox and the reports; look after the workers."""
        self._delete_handled()
        happened: list[Report | Ended] = [*self._adopted]
        self._adopted.clear()
        dead = self._dead()
        published = self._published()  # after: a worker publishes before it dies
        for worker in list(self._workers.values()):
            if worker.holds is not None:
                report = self._report(worker)
                if report is not None:
                    happened.append(report)
                name = files.message_name(*worker.holds)
                if name in published or worker.name in dead:
                    happened.append(self._ended(worker, name, name in published))
            if worker.name in dead or (worker.holds is None and worker.left == 0):
                self._forget(worker)
        self._leaving = [job for job in self._leaving if not job.done()]
        return happened

    def _dead(self) -> set[str]:
        """The workers that are gone, looked for a few times a second.

        Raises:
            StudyFolderError: worker after worker dies, none ever gave a sign of life.
        """
        if time.monotonic() - self._looked < _LOOK_S:
            return set()
        self._looked = time.monotonic()
        dead = {w.name for w in self._workers.values() if not w.is_alive()}
        for name in dead:
            self._stillborn += 1
            self._workers[name].bury()
        self._any_lived = self._any_lived or any(
            worker.lived or self._has_published(worker)
            for worker in self._workers.values()
        )
        if self._stillborn >= _STILLBORN and not self._any_lived:
            raise StudyFolderError(
                f"{self._stillborn} workers ended before they began; their logs are in "
                f"{self._folder / files.JOBS}."
            )
        return dead

    def _has_published(self, worker: Worker) -> bool:
        if worker.holds is None:
            return False
        return (
            self._folder / files.OUTBOX / files.message_name(*worker.holds)
        ).exists()

    def stop(self, number: int) -> None:
        """Ask the trial's attempt to end at its next report."""
        for worker in self._workers.values():
            if worker.holds is not None and worker.holds[0] == number:
                own = files.attempt_folder(self._folder, *worker.holds)
                own.mkdir(parents=True, exist_ok=True)
                (own / files.STOP_TRIAL).touch()

    def attach(self, trials: Sequence[Trial]) -> None:
        """Take over the attempts that an earlier driver gave out.

        One that an adopted worker holds goes on; one that was published meanwhile has
        ended; one that nobody has is lost.
        """
        self._adopt()
        held = {w.holds for w in self._workers.values()}
        files.clear_served(self._folder, {(t.number, t.attempt) for t in trials})
        published = self._published()
        for trial in trials:
            number, attempt = trial.number, trial.attempt
            name = files.message_name(number, attempt)
            if (number, attempt) in held:
                continue
            result: Result = _LOST
            if name in published:
                inboxes = (self._folder / files.INBOX).glob(f"*/{name}")
                result = self._read(name, *inboxes)
            self._adopted.append(Ended(number=number, attempt=attempt, result=result))

    def close(self, *, cancel: bool) -> None:
        """End the workers: at once those without work, the others after their trial.

        ``cancel``: those too at once.
        """
        # What the last poll told may not have been journaled: it stays in the outbox,
        # where the next driver finds it.
        workers = list(self._workers.values())
        for worker in workers:
            worker.dismiss()
        if cancel:
            end_all(workers)
        ending = [w for w in workers if cancel or w.holds is None]
        begun = time.monotonic()
        wait_for(ending, _CLOSE_S)
        for worker in ending:
            worker.bury()
            self._forget(worker)
        while self._leaving and time.monotonic() < begun + _CLOSE_S:
            self._leaving = [job for job in self._leaving if not job.done()]
            time.sleep(_CLOSE_POLL_S)

    # ------------------------------------------------------------ workers

    def _start(self) -> Worker:
        slots = {w.slot for w in self._workers.values()}
        slot = next(s for s in range(len(slots) + 1) if s not in slots)
        name = self._new_name()
        executor = submitit.LocalExecutor(folder=self._folder / files.JOBS)
        executor.update_parameters(timeout_min=_YEARS_MIN)
        gpu = gpu_of(slot)
        variables = {"OMP_NUM_THREADS": str(self._threads)}
        variables |= {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        limits = asdict(self._limits)
        facts = {"slot": slot, "gpu": gpu, "settings": self._settings}
        with _without_interrupt():
            job = executor.submit(
                run_worker, str(self._folder), name, limits, variables, facts
            )
        left = self._limits.trials or math.inf
        worker = Worker(self._folder, name, slot, job, left)
        self._workers[name] = worker
        return worker

    @property
    def _settings(self) -> dict[str, Any]:
        """What a worker of an earlier driver must have in common with ours."""
        return {**asdict(self._limits), "threads": self._threads}

    def _new_name(self) -> str:
        """The folder is made here, so that no later driver takes the name."""
        inbox = self._folder / files.INBOX
        inbox.mkdir(exist_ok=True)
        number = len(os.listdir(inbox)) + 1
        while True:
            try:
                (inbox / f"w{number}").mkdir()
            except FileExistsError:
                number += 1
            else:
                return f"w{number}"

    def _adopt(self) -> None:
        """Take over the living workers of an earlier driver, and what they hold.

        One that this driver would not have started serves its trial and ends.
        """
        for worker in left_behind(self._folder):
            facts = worker.facts()
            if facts is None or not worker.is_alive():
                worker.bury()
                continue
            worker.slot = int(facts["slot"])
            worker.holds = worker.unserved()
            suits = (
                facts["settings"] == self._settings
                and facts["gpu"] == gpu_of(worker.slot)
                and self._limits.trials is None
                and len(self._workers) < self._count
                and worker.slot not in {w.slot for w in self._workers.values()}
            )
            stop = worker.inbox / files.STOP_WORKER
            if not suits or (stop.exists() and worker.holds is None):
                worker.dismiss()
                worker.left = 0
            else:
                # Its driver was interrupted; this one has work for it.
                stop.unlink(missing_ok=True)
            if worker.left or worker.holds:
                self._workers[worker.name] = worker

    def _forget(self, worker: Worker) -> None:
        """A worker that is gone or about to end takes nothing more."""
        self._workers.pop(worker.name, None)
        worker.dismiss()
        if worker.job is not None:
            self._leaving.append(worker.job)

    # ------------------------------------------------------------ messages

    def _delete_handled(self) -> None:
        """What the last poll told was journaled by now."""
        for path in self._handled:
            path.unlink(missing_ok=True)
        self._handled.clear()

    def _published(self) -> set[str]:
        try:
            return set(os.listdir(self._folder / files.OUTBOX))
        except FileNotFoundError:
            return set()

    def _ended(self, worker: Worker, name: str, published: bool) -> Ended:
        """How a worker's attempt ended: its result, or that it is lost."""
        assert worker.holds is not None
        number, attempt = worker.holds
        worker.holds = None
        result = self._read(name, worker.inbox / name) if published else _LOST
        return Ended(number=number, attempt=attempt, result=result)

    def _read(self, name: str, *messages: Path) -> Result:
        """A published result; it and its message are deleted once it is journaled."""
        path = self._folder / files.OUTBOX / name
        self._handled += [*messages, path]  # a message is never left without a result
        return read_result(path)

    def _report(self, worker: Worker) -> Report | None:
        """The newest report, if it was not passed on yet."""
        assert worker.holds is not None
        own = files.attempt_folder(self._folder, *worker.holds)
        try:
            raw = files.read_json(own / files.REPORT_NAME)
            if raw is None or int(raw["step"]) <= worker.seen:
                return None
            metrics = {str(k): float(v) for k, v in raw["metrics"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # the trial wrote there itself
        worker.seen = int(raw["step"])
        number, attempt = worker.holds
        return Report(number=number, attempt=attempt, step=worker.seen, metrics=metrics)


def _require_positive(name: str, value: object, *, whole: bool) -> None:
    if value is None and name in ("trials_per_job", "memory_gb"):
        return
    kinds = (int,) if whole else (int, float)
    good = isinstance(value, kinds) and not isinstance(value, bool)
    if not good or not 0 < value < math.inf:  # type: ignore[operator]
        what = "a whole number >= 1" if whole else "a number > 0"
        raise ConfigError(f"executor.{name}: expected {what}, got {value!r}.")


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: their driver decides what it means.

    A signal that comes meanwhile reaches this process afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
