"""One driver a study: who holds the folder, and since which epoch.

Knows: files, processes, hosts. Must not know: trials, journals' contents, tasks.

A lease is a file ``lease/<epoch>.json``. It is created with its whole content and only
if no such file exists (a hard link), so that two drivers can never hold one epoch. The
highest epoch holds the study; a driver that sees a higher one than its own stops.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from moosnn.errors import StudyBusyError, StudyFolderError
from moosnn.runtime.files import age_s
from moosnn.runtime.process import Process

FOLDER = "lease"
HEARTBEAT_S = 1.0
# A driver on another host is dead when its file was not touched for this long.
STALE_S = 60.0


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
            StudyFolderError: the folder was moved or deleted.
        """
        newest = _newest(self._folder)
        if newest < self.epoch:
            raise StudyFolderError(
                f"{self._folder.parent}: was moved or deleted while it ran; continue "
                "it where it is now, with study_dir=…."
            )
        if newest > self.epoch:
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


def holder(study_folder: Path) -> Process | None:
    """The driver that holds a study and seems to be alive; nothing is written.

    A driver on another host seems so if it touched its file in the last `STALE_S`
    seconds by this machine's clock, which may differ from that of the file server; only
    `Lease.acquire` asks the server.

    Args:
        study_folder: of the study, readable.

    Returns:
        The process, or ``None``: nobody, a dead one, or a lease that cannot be read.
    """
    folder = study_folder / FOLDER
    try:
        path = _path(folder, _newest(folder))
        process = _writer(path)
        if process is None:
            return None
        alive = process.is_alive()
        if alive is None:
            alive = time.time() - path.stat().st_mtime < STALE_S
    except OSError:
        return None
    return process if alive else None


def _writer(path: Path) -> Process | None:
    """Who wrote a lease file; ``None`` if it was released, is gone or torn."""
    try:
        raw = json.loads(path.read_text())
        return None if raw["released"] else Process.from_json(raw)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # A claim is linked with its whole content, so a torn one was left by a crash of
        # the machine: nobody holds it.
        return None


def _state(folder: Path, epoch: int) -> tuple[Process | None, bool]:
    """Who wrote a lease, and whether that driver may be alive."""
    path = _path(folder, epoch)
    process = _writer(path)
    if process is None:
        return None, False
    alive = process.is_alive()
    if alive is None:
        alive = age_s(path) < STALE_S
    return process, alive


def _require_dead(study_folder: Path, folder: Path, epoch: int) -> None:
    process, alive = _state(folder, epoch)
    if alive and process is not None:
        elsewhere = not process.is_here()
        wait = f" (if it is dead: wait {STALE_S:.0f} s)" if elsewhere else ""
        raise StudyBusyError(
            f"{study_folder}: a running driver holds this study: host {process.host}, "
            f"pid {process.pid}{wait}; stop it, or choose another study_dir=…."
        )
