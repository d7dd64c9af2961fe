"""A worker: a small process that keeps a warm child, and outlives whatever that does.

Knows: processes, limits, the study folder's files. Must not know: tasks, torch, the
journal, how it was started (submitit, here or on a cluster).

The driver puts messages into the worker's inbox; the supervisor hands them to its child
one at a time, and writes a `Failure` for an attempt that its child did not survive.
It ends when it is told to, when it has run as many trials as it may, or when its driver
has shown no sign of life for ``orphan_s``; never in the middle of a trial. Only if its
place is needed (`Supervisor.release`) does it ask the trial for a checkpoint, and go.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moosnn.runtime import files
from moosnn.runtime.child import Child
from moosnn.runtime.lease import FOLDER as LEASE
from moosnn.runtime.process import Process
from moosnn.trial import Failure

BEAT_S = 1.0
_LEAST_POLL_S = 0.005  # of an empty inbox
_IDLE_SHARE = 0.5  # of the time it was empty may pass until the next look
_TICK_S = 0.05  # how often a running trial's limits are checked
_SURE_S = 3 * BEAT_S  # how long a driver has to look dead
_SAY_S = 5.0  # how long after its result a child may take to say that it is done
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an attempt may use.

    Attributes:
        timeout_s: seconds of a trial, > 0.
        memory_mb: resident memory of the child, > 0; ``None`` = no limit.
        log_mb: what a trial may print, > 0.
        start_s: seconds until a new child must have built its task, > 0.
        orphan_s: seconds after which a silent driver is taken for dead, > 0.
        trials: after so many the worker ends; ``None`` = never.
        poll_s: between two looks into an inbox that stays empty, at most.
    """

    timeout_s: float
    memory_mb: float | None = None
    log_mb: float = 64.0
    start_s: float = 300.0
    orphan_s: float = 60.0
    trials: int | None = None
    poll_s: float = _LEAST_POLL_S


def run_worker(
    folder: str,
    worker: str,
    limits: Mapping[str, Any],
    variables: Mapping[str, str],
    facts: Mapping[str, Any],
) -> None:
    """The body of a submitit job: serve a study as one worker.

    Args:
        folder: the study folder.
        worker: its name; never used before.
        limits: the fields of `Limits`.
        variables: environment of the child, e.g. its GPU.
        facts: what its file shall say to a later driver, JSON values.
    """
    os.environ.update(variables)  # here: submitit sets CUDA_VISIBLE_DEVICES itself
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    signal.signal(signal.SIGTERM, _leave)
    Supervisor(Path(folder), worker, Limits(**limits), facts).serve()


def _leave(*_: object) -> None:
    """On SIGTERM: end, and what the trial started with it."""
    raise SystemExit


class Supervisor:
    """Serves one inbox."""

    def __init__(
        self, folder: Path, worker: str, limits: Limits, facts: Mapping[str, Any]
    ) -> None:
        self._folder = folder
        self._inbox = folder / files.INBOX / worker
        self._file = files.worker_file(folder, worker)
        self._limits = limits
        self._facts = facts
        self._mark = uuid.uuid4().hex
        self._child: Child | None = None
        self._beaten = 0.0
        self._served: set[str] = set()
        self._go_by: float | None = None  # by the monotonic clock
        self._orphan_since = math.inf  # by the same

    def release(self, within_s: float) -> None:
        """Leave as soon as the running trial has written a checkpoint.

        Args:
            within_s: seconds it may take for that; then it is given up.
        """
        by = time.monotonic() + within_s
        self._go_by = by if self._go_by is None else min(by, self._go_by)

    def serve(self) -> None:
        """Run until there is a reason to end."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        own = {"folder": str(self._folder), "mark": self._mark}
        process = asdict(Process.current())
        files.write_json(self._file, {**self._facts, **own, **process})
        try:
            self._warm()
            idle_since = time.monotonic()
            while True:
                self._beat()
                message = self._next()
                if message is not None:
                    self._run(message)
                    self._served.add(message.name)
                    idle_since = time.monotonic()
                    if len(self._served) == self._limits.trials:
                        return
                elif self._go_by is not None or self._is_dismissed():
                    return
                else:
                    idle_s = time.monotonic() - idle_since
                    pause_s = min(_IDLE_SHARE * idle_s, self._limits.poll_s)
                    time.sleep(max(pause_s, _LEAST_POLL_S))
        finally:
            if self._child is not None:
                self._child.end()
            self._file.unlink(missing_ok=True)

    def _warm(self) -> Child:
        """The child, newly started if the last one is gone."""
        if self._child is not None and self._child.is_gone():
            self._child.end()
            self._child = None
        if self._child is None:
            self._child = Child(self._folder, self._mark)
        return self._child

    def _beat(self) -> None:
        if time.monotonic() - self._beaten > BEAT_S:
            self._beaten = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self._file)

    def _next(self) -> Path | None:
        """The first message that was not served yet."""
        for name in sorted(files.listing(self._inbox)):
            if name not in self._served and files.attempt_of(name) is not None:
                return self._inbox / name
        return None

    def _is_dismissed(self) -> bool:
        return (self._inbox / files.STOP_WORKER).exists() or self._is_orphan()

    def _is_orphan(self) -> bool:
        """Whether the driver is dead: its file stays older than ours.

        For some beats: after a machine has slept, or a file server's clock was set, one
        of the two is touched first.
        """
        if not self._looks_like_an_orphan():
            self._orphan_since = math.inf
            return False
        self._orphan_since = min(self._orphan_since, time.monotonic())
        return time.monotonic() - self._orphan_since > _SURE_S

    def _looks_like_an_orphan(self) -> bool:
        """By two files of one folder's clock."""
        try:
            mine = self._file.stat().st_mtime
            beats = [p.stat().st_mtime for p in (self._folder / LEASE).glob("*.json")]
        except OSError:
            return not self._folder.exists()
        return mine - max(beats, default=0.0) > self._limits.orphan_s

    def _run(self, message: Path) -> None:
        """One attempt; whatever happens, its result is in the outbox."""
        child = self._warm()
        try:
            failure = self._watch(child, message)
        except Exception as error:  # or the trial would kill worker after worker
            text = f"its supervisor failed: {type(error).__name__}: {error}"
            failure = Failure(kind="crashed", message=text)
        if failure is None:
            if not child.may_go_on or self._go_by is not None:
                child.end()
            elif child.forked:
                child.end_others()
        else:
            child.end()
            if not self._is_served(message):
                published = self._folder / files.OUTBOX / message.name
                # As `attempt.result_to_json`, whose import would cost a megabyte.
                answer = {files.ANSWERS: files.token_of(message)}
                files.write_json(published, {"failure": failure.to_json(), **answer})
        if self._go_by is None:
            self._warm()

    def _is_served(self, message: Path) -> bool:
        """Whether there is a result; the driver deletes it after its message."""
        published = self._folder / files.OUTBOX / message.name
        return published.exists() or not message.exists()

    def _watch(self, child: Child, message: Path) -> Failure | None:
        """Wait for the child; ``None`` = it has published a result."""
        named = files.attempt_of(message.name)
        assert named is not None, message
        log = files.attempt_folder(self._folder, *named) / files.OUTPUT_NAME
        child.give(message)
        since = time.monotonic()
        served = None
        while True:
            child.listen(_TICK_S)
            if child.done:
                if self._is_served(message):
                    return None
                return Failure(kind="crashed", message="it ended without a result")
            if child.started and since < child.started:
                since = child.started
            if self._is_served(message):
                # It should say so; if it cannot, another child takes its place.
                served = served or time.monotonic()
                if time.monotonic() - served > _SAY_S or child.is_gone():
                    child.may_go_on = False
                    return None
            self._beat()
            failure = self._released(child, log.parent) or self._broken(
                child, log, time.monotonic() - since
            )
            if failure is not None:
                return failure

    def _released(self, child: Child, own: Path) -> Failure | None:
        """Ask for a checkpoint if the place is needed; do not wait for it for ever."""
        if self._go_by is None:
            return None
        if child.started and time.monotonic() < self._go_by:
            flag = own / files.RELEASE_TRIAL
            if not flag.exists():
                own.mkdir(parents=True, exist_ok=True)
                flag.touch()
            return None
        text = "its worker had to go, and it wrote no checkpoint in time"
        return Failure(kind="preempted", message=text)

    def _broken(self, child: Child, log: Path, elapsed_s: float) -> Failure | None:
        """Why a running attempt must end, or has ended, without a result."""
        limits = self._limits
        try:
            printed_mb = log.stat().st_size / _MB
            where = str(log.relative_to(self._folder))
        except OSError:  # nothing is printed yet, or the trial deleted its folder
            printed_mb, where = 0.0, None
        if child.started and elapsed_s > limits.timeout_s:
            text = f"took longer than {limits.timeout_s / 60:g} min (timeout_min)"
            return Failure(kind="timeout", message=text, log=where)
        if not child.started and elapsed_s > limits.start_s:
            text = f"did not start within {limits.start_s:g} s"
            return Failure(kind="timeout", message=text, log=where)
        if child.is_gone():
            return Failure(kind="crashed", message=child.obituary(), log=where)
        if limits.memory_mb is not None and child.memory_mb() > limits.memory_mb:
            text = f"used more than {limits.memory_mb / 1024:g} GB (memory_gb)"
            return Failure(kind="out_of_memory", message=text, log=where)
        if printed_mb > limits.log_mb:
            text = f"printed more than {limits.log_mb:g} MB (log_mb)"
            return Failure(kind="crashed", message=text, log=where)
        return None
