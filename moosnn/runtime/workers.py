"""A worker as its driver knows it: its file, its job, what it holds.

Knows: the study folder's files, processes. Must not know: results, who is given what.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moosnn.runtime import family, files
from moosnn.runtime.process import Process

# How long a worker may take from its start to its first sign of life.
START_S = 120.0
# A supervisor touches its file once a second; one that is stopped or hangs does not.
SILENT_S = 60.0
_POLL_S = 0.02
# How long a worker that is told to end may take to end what its trial started.
_GRACE_S = 3.0


@dataclass(slots=True)
class Worker:
    """One worker.

    Attributes:
        folder: of the study.
        name: never used twice in a study.
        slot: which GPU of this machine it has; 0 elsewhere.
        job: submitit's handle; ``None`` for one of an earlier driver.
        left: how many trials it may still be given.
        since: of its start or last sign of life, by the monotonic clock.
        holds: the attempt (number, attempt) it was given, or ``None``.
        lived: whether it ever gave a sign of life.
        begun: whether it was ever started, as far as is known; a job that is cancelled
            in its queue was not.
        beat: its file's time when ``since`` was set.
    """

    folder: Path
    name: str
    slot: int = 0
    job: Any | None = None
    left: float = math.inf
    since: float = field(default_factory=time.monotonic)
    holds: tuple[int, int] | None = None
    lived: bool = False
    begun: bool = True
    beat: float = 0.0

    @property
    def inbox(self) -> Path:
        """Where its messages lie."""
        return self.folder / files.INBOX / self.name

    @property
    def file(self) -> Path:
        """Which process it is."""
        return files.worker_file(self.folder, self.name)

    def facts(self) -> Mapping[str, Any] | None:
        """What its file says, or ``None`` if it has none of this folder.

        A copy of a study folder holds the files of the original's workers.
        """
        try:
            raw = files.read_json(self.file)
            if raw is None or not os.path.samefile(raw["folder"], self.folder):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        assert isinstance(raw, Mapping)
        return raw

    def is_alive(self) -> bool:
        """Whether it runs and has beaten its heart within the last minute.

        By this driver's own monotonic clock, which does not run while a laptop sleeps.
        """
        facts = self.facts()
        now = time.monotonic()
        if facts is None:
            if self.job is None or self.lived or self.job.done():
                return False
            return now - self.since < START_S
        self.lived = True
        if Process.from_json(facts).is_alive() is False:
            return False
        with suppress(OSError):
            beat = self.file.stat().st_mtime
            # Its first sign counts; that of an earlier driver's worker has its age.
            first = not self.beat and self.job is not None
            if first or (self.beat and beat != self.beat):
                self.since = now
            self.beat = beat
        return now - self.since < SILENT_S

    def has_published(self) -> bool:
        """Whether what it holds has a result."""
        if self.holds is None:
            return False
        return (self.folder / files.OUTBOX / files.message_name(*self.holds)).exists()

    def unserved(self) -> tuple[int, int] | None:
        """The last attempt in its inbox that has no result yet."""
        names = sorted(os.listdir(self.inbox)) if self.inbox.is_dir() else []
        keys = [files.attempt_of(name) for name in names]
        outbox = self.folder / files.OUTBOX
        waiting = [
            key
            for key in keys
            if key is not None and not (outbox / files.message_name(*key)).exists()
        ]
        return waiting[-1] if waiting else None

    def dismiss(self) -> None:
        """Let it end once it has served what lies in its inbox."""
        with suppress(OSError):
            self.inbox.mkdir(parents=True, exist_ok=True)  # it may not have begun yet
            (self.inbox / files.STOP_WORKER).touch()

    def signal(self, number: signal.Signals) -> None:
        """Send its supervisor a signal, if that runs on this machine."""
        facts = self.facts()
        if facts is not None and Process.from_json(facts).is_alive():
            with suppress(OSError):
                os.kill(int(facts["pid"]), number)

    def bury(self) -> None:
        """End what is left of it: its supervisor, and what its trials started."""
        facts = self.facts()
        self.signal(signal.SIGKILL)
        if facts is not None:
            if Process.from_json(facts).is_here():
                family.end(str(facts.get("mark")))
            # On a disk that became read-only the next driver buries it again; what this
            # one has to say about the disk must not be lost.
            with suppress(OSError):
                self.file.unlink(missing_ok=True)


def end_all(workers: Iterable[Worker]) -> None:
    """End workers at once, with what their trials started."""
    ending = list(workers)
    for worker in ending:
        worker.signal(signal.SIGTERM)
    wait_for(ending, _GRACE_S)
    for worker in ending:
        worker.bury()


def wait_for(workers: Iterable[Worker], seconds: float) -> None:
    """Wait until workers have ended, at most so long."""
    ending = list(workers)
    deadline = time.monotonic() + seconds
    while any(w.is_alive() for w in ending) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def left_behind(folder: Path) -> list[Worker]:
    """The workers of this folder whose files are there, alive or not."""
    found = []
    for path in sorted((folder / files.WORKERS).glob("*.json")):
        worker = Worker(folder, path.stem)
        with suppress(FileNotFoundError):  # it ends just now
            worker.since -= files.age_s(path)
            if worker.facts() is not None:
                found.append(worker)
    return found
