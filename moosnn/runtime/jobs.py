"""One submitit job a trial, on this machine.

Knows: submitit, processes, the study folder's files. Must not know: objectives,
optimizers, the journal.

The driver writes ``inbox/<number>-<attempt>.json``; the job writes its own folder and
``outbox/<number>-<attempt>.json``, which is the only thing that says how it ended.
submitit's own states are not asked for that: a job that raised is FINISHED there.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit

from moosnn.errors import ConfigError, DivergedError
from moosnn.runtime import files
from moosnn.runtime.attempt import Result, result_from_json
from moosnn.runtime.executors import Ended, Report
from moosnn.runtime.lease import Process
from moosnn.runtime.worker import run_job
from moosnn.tasks.base import Task
from moosnn.trial import Failure, Proposal, Trial

# How long a job of an earlier driver may take from its start to its first file.
_START_GRACE_S = 60.0
# How long a job that has published or was killed may take to be gone.
_CLOSE_S = 10.0
_CLOSE_POLL_S = 0.02
# submitit's own limit outlives ours by this, for jobs whose driver died.
_SPARE_MIN = 2


@dataclass(slots=True)
class _Running:
    """An attempt that a job has.

    Attributes:
        number: of the trial.
        attempt: its attempt.
        since: when it was submitted or attached, by the monotonic clock.
        job: submitit's handle; ``None`` for a job of an earlier driver.
        step: of the last report that was passed on, -1 before the first.
    """

    number: int
    attempt: int
    since: float
    job: Any | None
    step: int = -1


class SubmititJobExecutor:
    """Starts a process a trial, ``workers`` at a time."""

    def __init__(
        self,
        *,
        folder: Path,
        task: Task,
        workers: int = 2,
        timeout_min: float = 60.0,
        threads_per_trial: int = 1,
    ) -> None:
        """Prepare; no job is started.

        Args:
            folder: the study folder; ``config.yaml`` in it builds the task anew.
            task: unused: each job builds its own.
            workers: how many jobs at a time, >= 1.
            timeout_min: minutes after which a job is killed, > 0.
            threads_per_trial: CPU threads of a job, >= 1.

        Raises:
            ConfigError: a number out of its range.
        """
        _require_positive("workers", workers, whole=True)
        _require_positive("timeout_min", timeout_min, whole=False)
        _require_positive("threads_per_trial", threads_per_trial, whole=True)
        self._folder = folder.resolve()
        self._workers = workers
        self._timeout_min = timeout_min
        self._threads = threads_per_trial
        self._running: dict[tuple[int, int], _Running] = {}
        # Jobs whose result is known and whose process is still to be reaped.
        self._leaving: list[Any] = []

    def free(self) -> int:
        """The slots that no job has."""
        return max(self._workers - len(self._running), 0)

    def submit(self, proposal: Proposal, attempt: int) -> str:
        """Start a job for an attempt; its id is ``local-<pid>``."""
        number = proposal.number
        name = files.message_name(number, attempt)
        files.write_json(
            self._folder / files.INBOX / name, {"proposal": proposal.to_json()}
        )
        executor = submitit.LocalExecutor(folder=self._folder / files.JOBS / "%j")
        executor.update_parameters(timeout_min=int(self._timeout_min) + _SPARE_MIN)
        with _environment(OMP_NUM_THREADS=str(self._threads)):
            job = executor.submit(run_job, str(self._folder), number, attempt)
        self._running[number, attempt] = _Running(
            number=number, attempt=attempt, since=time.monotonic(), job=job
        )
        return f"local-{job.job_id}"

    def poll(self) -> list[Report | Ended]:
        """Read the outbox and the reports; look after jobs that wrote nothing."""
        happened: list[Report | Ended] = []
        for key, running in list(self._running.items()):
            report = self._report(running)
            if report is not None:
                happened.append(report)
            result = self._result(running)
            if result is not None:
                del self._running[key]
                self._leaving.append(running.job)
                number, attempt = key
                happened.append(Ended(number=number, attempt=attempt, result=result))
        self._leaving = [job for job in self._leaving if job and not job.done()]
        return happened

    def stop(self, number: int) -> None:
        """Ask the trial's job to end at its next report."""
        for running in self._running.values():
            if running.number == number:
                self._own(running).mkdir(parents=True, exist_ok=True)
                (self._own(running) / files.STOP_NAME).touch()

    def attach(self, trials: Sequence[Trial]) -> None:
        """Take over the jobs of an earlier driver that still run or have published."""
        for trial in trials:
            self._running[trial.number, trial.attempt] = _Running(
                number=trial.number,
                attempt=trial.attempt,
                since=time.monotonic(),
                job=None,
            )

    def close(self, *, cancel: bool) -> None:
        """End; ``cancel`` kills the jobs that run, else they finish and publish."""
        if cancel:
            for running in self._running.values():
                self._kill(running)
                self._leaving.append(running.job)
            self._running.clear()
        deadline = time.monotonic() + _CLOSE_S
        while self._leaving and time.monotonic() < deadline:
            self._leaving = [job for job in self._leaving if job and not job.done()]
            time.sleep(_CLOSE_POLL_S)

    def _own(self, running: _Running) -> Path:
        return files.attempt_folder(self._folder, running.number, running.attempt)

    def _report(self, running: _Running) -> Report | None:
        """The newest report, if it was not passed on yet."""
        raw = _read_json(self._own(running) / files.REPORT_NAME)
        if raw is None or raw["step"] <= running.step:
            return None
        running.step = raw["step"]
        return Report(
            number=running.number,
            attempt=running.attempt,
            step=running.step,
            metrics=raw["metrics"],
        )

    def _result(self, running: _Running) -> Result | None:
        """The end of an attempt, or ``None`` while it runs."""
        # Asked before the outbox is read, since a job publishes before it ends.
        alive = self._is_alive(running)
        published = self._published(running)
        if published is not None:
            return published
        if not alive:
            return self._unpublished(running)
        if time.monotonic() - running.since > self._timeout_min * 60:
            self._kill(running)
            return Failure(
                kind="timeout",
                message=f"took longer than executor.timeout_min={self._timeout_min:g}",
            )
        return None

    def _published(self, running: _Running) -> Result | None:
        name = files.message_name(running.number, running.attempt)
        path = self._folder / files.OUTBOX / name
        try:
            return result_from_json(json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, DivergedError) as error:
            return Failure(
                kind="crashed",
                message=f"its result file is damaged ({type(error).__name__}: {error})",
                log=str(path.relative_to(self._folder)),
            )

    def _is_alive(self, running: _Running) -> bool:
        if running.job is not None:
            return not running.job.done()
        process = self._process(running)
        if process is None:
            return time.monotonic() - running.since < _START_GRACE_S
        return process.is_alive() is not False

    def _process(self, running: _Running) -> Process | None:
        raw = _read_json(self._own(running) / files.PROCESS_NAME)
        return None if raw is None else Process.from_json(raw)

    def _unpublished(self, running: _Running) -> Failure:
        """What a job died of that wrote no result."""
        if running.job is None:
            return Failure(kind="lost", message="its job ended while no driver watched")
        log = Path(running.job.paths.stderr)
        return Failure(
            kind="crashed",
            message=f"its process ended without a result; {_last_line(log)}",
            log=str(log.relative_to(self._folder)) if log.exists() else None,
        )

    def _kill(self, running: _Running) -> None:
        process = self._process(running)
        if process is not None and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        if running.job is not None:
            running.job.cancel(check=False)


def _require_positive(name: str, value: object, *, whole: bool) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or value <= 0:
        what = "a whole number >= 1" if whole else "a number > 0"
        raise ConfigError(f"executor.{name}: expected {what}, got {value!r}.")


def _read_json(path: Path) -> Any | None:  # noqa: ANN401 - whatever the file holds
    """A file that is published by replacement, or ``None`` if there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return f"its log ends with: {lines[-1]}" if lines else "its log is empty"


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Environment variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
