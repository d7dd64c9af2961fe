"""A worker: a small process that keeps a warm child, and outlives whatever that does.

Knows: processes, limits, the study folder's files. Must not know: tasks, torch, the
journal, how it was started (submitit, here or on a cluster).

The driver puts messages into the worker's inbox; the supervisor hands them to its child
one at a time, and writes a `Failure` for an attempt that its child did not survive.
It ends when it is told to, when it has run as many trials as it may, or when its driver
has shown no sign of life for ``orphan_s``; never in the middle of a trial.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moosnn.runtime import files
from moosnn.runtime.attempt import result_to_json
from moosnn.runtime.lease import FOLDER as LEASE
from moosnn.runtime.lease import Process
from moosnn.trial import Failure

BEAT_S = 1.0
_IDLE_POLL_S = 0.005
_TICK_S = 0.05  # how often a running trial's limits are checked
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
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
    """

    timeout_s: float
    memory_mb: float | None = None
    log_mb: float = 64.0
    start_s: float = 300.0
    orphan_s: float = 60.0
    trials: int | None = None


def run_worker(
    folder: str, worker: str, limits: Mapping[str, Any], variables: Mapping[str, str]
) -> None:
    """The body of a submitit job: serve a study as one worker.

    Args:
        folder: the study folder.
        worker: its name; never used before.
        limits: the fields of `Limits`.
        variables: environment of the child, e.g. its GPU.
    """
    os.environ.update(variables)  # here: submitit sets CUDA_VISIBLE_DEVICES itself
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Supervisor(Path(folder), worker, Limits(**limits)).serve()


class Supervisor:
    """Serves one inbox."""

    def __init__(self, folder: Path, worker: str, limits: Limits) -> None:
        self._folder = folder
        self._inbox = folder / files.INBOX / worker
        self._file = files.worker_file(folder, worker)
        self._limits = limits
        self._child: _Child | None = None
        self._beaten = 0.0
        self._served: set[str] = set()

    def serve(self) -> None:
        """Run until there is a reason to end."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        files.write_json(self._file, asdict(Process.current()))
        self._warm()
        try:
            while True:
                self._beat()
                message = self._next()
                if message is not None:
                    self._run(message)
                    self._served.add(message.name)
                    if len(self._served) == self._limits.trials:
                        return
                elif self._is_dismissed():
                    return
                else:
                    time.sleep(_IDLE_POLL_S)
        finally:
            if self._child is not None:
                self._child.end()
            self._file.unlink(missing_ok=True)

    def _warm(self) -> _Child:
        """The child, newly started if the last one is gone."""
        if self._child is None or self._child.is_gone():
            self._child = _Child(self._folder)
        return self._child

    def _beat(self) -> None:
        if time.monotonic() - self._beaten > BEAT_S:
            self._beaten = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self._file)

    def _next(self) -> Path | None:
        """The first message that was not served yet."""
        names = sorted(os.listdir(self._inbox))
        for name in names:
            if name not in self._served and files.attempt_of(name) is not None:
                return self._inbox / name
        return None

    def _is_dismissed(self) -> bool:
        return (self._inbox / files.STOP_WORKER).exists() or self._is_orphan()

    def _is_orphan(self) -> bool:
        """Whether the driver is dead, by two files of one folder's clock."""
        try:
            mine = self._file.stat().st_mtime
            beats = [p.stat().st_mtime for p in (self._folder / LEASE).glob("*.json")]
        except OSError:
            return not self._folder.exists()
        return mine - max(beats, default=0.0) > self._limits.orphan_s

    def _run(self, message: Path) -> None:
        """One attempt; whatever happens, its result is in the outbox."""
        child = self._warm()
        failure = self._watch(child, message)
        if failure is None:
            if child.forked:
                child.kill_others()
            return
        child.end()
        published = self._folder / files.OUTBOX / message.name
        if not published.exists():
            files.write_json(published, result_to_json(failure))
        self._warm()

    def _watch(self, child: _Child, message: Path) -> Failure | None:
        """Wait for the child; ``None`` = it has published a result."""
        named = files.attempt_of(message.name)
        assert named is not None, message
        log = files.attempt_folder(self._folder, *named) / files.OUTPUT_NAME
        child.give(message)
        started = time.monotonic()
        allowed = self._limits.start_s
        while True:
            for word in child.words(_TICK_S):
                if word == "start":
                    started, allowed = time.monotonic(), self._limits.timeout_s
                elif word.startswith("done"):
                    child.forked = word.endswith("forked")
                    return None
            self._beat()
            elapsed = time.monotonic() - started
            failure = self._broken(child, log, elapsed > allowed)
            if failure is not None:
                return failure

    def _broken(self, child: _Child, log: Path, late: bool) -> Failure | None:
        """Why a running attempt must end, or has ended, without a result."""
        limits = self._limits
        where = str(log.relative_to(self._folder)) if log.exists() else None
        if late:
            text = f"took longer than {limits.timeout_s / 60:g} min (timeout_min)"
            if where is None:
                text = f"did not start within {limits.start_s:g} s"
            return Failure(kind="timeout", message=text, log=where)
        if child.is_gone():
            return Failure(kind="crashed", message=child.obituary(), log=where)
        if limits.memory_mb is not None and child.memory_mb() > limits.memory_mb:
            text = f"used more than {limits.memory_mb / 1024:g} GB (memory_gb)"
            return Failure(kind="out_of_memory", message=text, log=where)
        if log.exists() and log.stat().st_size > limits.log_mb * _MB:
            text = f"printed more than {limits.log_mb:g} MB (log_mb)"
            return Failure(kind="crashed", message=text, log=where)
        return None


class _Child:
    """The process with torch in it, in a session of its own."""

    def __init__(self, folder: Path) -> None:
        self._status, status = os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "moosnn.runtime.worker",
                str(folder),
                str(status),
                str(os.getpid()),
            ],
            stdin=subprocess.PIPE,
            pass_fds=(status,),
            start_new_session=True,
        )
        os.close(status)
        self._heard = b""
        self.forked = False

    def give(self, message: Path) -> None:
        """Hand over a message; a child that is gone does not take it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{message}\n".encode())
            self._process.stdin.flush()

    def words(self, wait_s: float) -> list[str]:
        """What it said since the last time, waiting so long for something."""
        ready, _, _ = select.select([self._status], [], [], wait_s)
        if ready:
            said = os.read(self._status, 4096)
            if not said:
                time.sleep(wait_s)  # it closed the pipe, and is about to end
            self._heard += said
        *lines, self._heard = self._heard.split(b"\n")
        return [line.decode() for line in lines]

    def is_gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def obituary(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"its process ended with exit code {code}"
        name = signal.Signals(-code).name
        hint = ", perhaps by the kernel for lack of memory" if code == -9 else ""
        return f"its process was killed by {name}{hint}"

    def memory_mb(self) -> float:
        """Resident memory; 0 where it cannot be read."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0.0
        return int(pages) * _PAGE_BYTES / _MB

    def kill_others(self) -> None:
        """End what an attempt started and left behind in this session."""
        for entry in os.listdir("/proc") if Path("/proc").is_dir() else []:
            if not entry.isdigit() or int(entry) == self._process.pid:
                continue
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2]
                if int(fields.split()[3]) == self._process.pid:
                    os.kill(int(entry), signal.SIGKILL)

    def end(self) -> None:
        """Kill it and what it started."""
        self._process.kill()
        self._process.wait()
        self.kill_others()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._status)
