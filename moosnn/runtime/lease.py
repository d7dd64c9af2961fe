"""One driver a study: who holds the folder, and since which epoch.

Knows: files, processes, hosts. Must not know: trials, journals' contents, tasks.

A lease is a file ``lease/<epoch>.json``. It is created with its whole content and only
if no such file exists (a hard link), so that two drivers can never hold one epoch. The
highest epoch holds the study; a driver that sees a higher one than its own stops.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from moosnn.errors import StudyBusyError, StudyFolderError

FOLDER = "lease"
HEARTBEAT_S = 1.0
# A driver on another host is dead when its file was not touched for this long.
STALE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that can be told from a later one with the same id.

    Attributes:
        host: name of the machine.
        pid: process id.
        boot_id: of the machine's running kernel; empty if it has none.
        start_ticks: when the process started, in clock ticks since boot; 0 unknown.
    """

    host: str
    pid: int
    boot_id: str
    start_ticks: int

    @classmethod
    def current(cls) -> Process:
        """This process."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(),
            pid=pid,
            boot_id=_boot_id(),
            start_ticks=_start_ticks(pid) or 0,
        )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Process:
        """Read the JSON form (`dataclasses.asdict`); further keys are ignored."""
        return cls(
            host=str(raw["host"]),
            pid=int(raw["pid"]),
            boot_id=str(raw["boot_id"]),
            start_ticks=int(raw["start_ticks"]),
        )

    def is_alive(self) -> bool | None:
        """Whether it runs; ``None`` if it lives on another host and cannot be seen."""
        if self.host != socket.gethostname():
            return None
        if self.boot_id != _boot_id():
            return False
        ticks = _start_ticks(self.pid)
        if ticks is not None:
            return ticks == self.start_ticks
        return False if Path("/proc/self/stat").exists() else _answers(self.pid)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start_ticks(pid: int) -> int | None:
    """When a process started, or ``None`` if it is gone, a zombie or not to be seen."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command, in parentheses, may hold blanks: fields are counted after it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Lease:
    """A held lease; a thread touches its file until `release`.

    Attributes:
        epoch: from 1; higher than that of every earlier driver of the folder.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        self.epoch = epoch
        self._folder = folder
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._heart.start()

    @classmethod
    def acquire(cls, study_folder: Path) -> Lease:
        """Take the study, or say who has it.

        Args:
            study_folder: an existing folder.

        Raises:
            StudyBusyError: a living driver holds it.
            StudyFolderError: the folder cannot be written.
        """
        folder = study_folder / FOLDER
        try:
            folder.mkdir(exist_ok=True)
            while True:
                newest = _newest(folder)
                if newest:
                    _require_dead(study_folder, folder, newest)
                if _claim(folder, newest + 1):
                    for old in _epochs(folder):
                        if old <= newest:
                            _path(folder, old).unlink(missing_ok=True)
                    return cls(folder, newest + 1)
        except OSError as error:
            raise StudyFolderError(
                f"{study_folder}: cannot be written ({error.strerror}); choose another "
                "folder with study_dir=…, or mend its rights."
            ) from error

    def check(self) -> None:
        """Stop a driver that was taken for dead.

        Raises:
            StudyBusyError: another driver has taken the study over.
        """
        if _newest(self._folder) > self.epoch:
            raise StudyBusyError(
                f"{self._folder.parent}: another driver took this study over, since "
                f"this one gave no sign of life for {STALE_S:.0f} s; this one stops."
            )

    def release(self) -> None:
        """Give the study back; harmless if it was taken over."""
        self._stop.set()
        self._heart.join(timeout=HEARTBEAT_S)
        # On a full disk it stays as it is: the holder is dead all the same.
        with suppress(OSError):
            if _newest(self._folder) == self.epoch:
                _write(_path(self._folder, self.epoch), {"released": True})

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _beat(self) -> None:
        path = _path(self._folder, self.epoch)
        while not self._stop.wait(HEARTBEAT_S):
            try:
                os.utime(path)
            except OSError:
                # Gone or not writable: `check` and the journal will tell.
                continue


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch:06d}.json"


def _epochs(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    names = (p.stem for p in folder.iterdir() if p.suffix == ".json")
    return sorted(int(name) for name in names if name.isdigit())


def _newest(folder: Path) -> int:
    return max(_epochs(folder), default=0)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)


def _claim(folder: Path, epoch: int) -> bool:
    """Create the lease file of an epoch with its content; False if somebody has."""
    temporary = folder / f".claim.{uuid.uuid4().hex}"
    temporary.write_text(json.dumps({**asdict(Process.current()), "released": False}))
    try:
        os.link(temporary, _path(folder, epoch))
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _state(folder: Path, epoch: int) -> tuple[Process | None, bool]:
    """Who wrote a lease, and whether that driver may be alive."""
    path = _path(folder, epoch)
    try:
        raw = json.loads(path.read_text())
        if raw["released"]:
            return None, False
        process = Process.from_json(raw)
    except FileNotFoundError:
        return None, False
    except (ValueError, KeyError, TypeError):
        # A claim is linked with its whole content, so a torn one was left by a crash of
        # the machine: nobody holds it.
        return None, False
    alive = process.is_alive()
    if alive is None:
        alive = _age_s(folder, path) < STALE_S
    return process, alive


def _age_s(folder: Path, path: Path) -> float:
    """How long a file was not touched, by the clock of the file server."""
    probe = folder / f".probe.{uuid.uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    finally:
        probe.unlink()


def _require_dead(study_folder: Path, folder: Path, epoch: int) -> None:
    process, alive = _state(folder, epoch)
    if alive and process is not None:
        elsewhere = process.host != socket.gethostname()
        wait = f" (if it is dead: wait {STALE_S:.0f} s)" if elsewhere else ""
        raise StudyBusyError(
            f"{study_folder}: a running driver holds this study: host {process.host}, "
            f"pid {process.pid}{wait}; stop it, or choose another study_dir=…."
        )
