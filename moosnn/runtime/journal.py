"""The journal is the study: JSON lines, one writer, on disk before anyone is told.

Knows: the file's format, torn tails, epochs. Must not know: what a metric means.

- A line counts once it ends with a line feed. Whatever follows the last one is the torn
  tail of a driver that died while it wrote: it is moved to ``journal.torn`` before the
  next append, so that nothing is lost and no line is joined to it.
- Each line carries its driver's epoch. A line of a lower epoch after one of a higher
  epoch was written by a driver that had been taken for dead: ignored and counted. A
  driver that continues a journal therefore first writes ``opened``, then reads.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosnn.errors import JournalError, StudyFolderError
from moosnn.events import Event, Kind
from moosnn.history import History, HistoryBuilder
from moosnn.runtime.lease import Lease

NAME = "journal.jsonl"
TORN_NAME = "journal.torn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a journal file says.

    Attributes:
        history: the accepted events.
        ignored: how many lines of superseded drivers were passed over.
        whole_bytes: length of the file up to its torn tail.
        torn_bytes: length of the torn tail, 0 if there is none.
    """

    history: History
    ignored: int
    whole_bytes: int
    torn_bytes: int
    damage: str | None = None


def read(path: Path, *, up_to_damage: bool = False) -> Contents:
    """Read a journal, up to a torn tail.

    Args:
        path: the file; one that does not exist is an empty journal.
        up_to_damage: read what precedes a damaged line instead of refusing it all: for
            those who only look.

    Raises:
        JournalError: a line in the middle is damaged; its number, and that the lines
            before it can be read.
        StudyFolderError: the file cannot be read.
    """
    builder, ignored, whole, damage = _read(path)
    if damage and not up_to_damage:
        raise JournalError(damage)
    size = path.stat().st_size if path.exists() else 0
    return Contents(
        history=builder.history,
        ignored=ignored,
        whole_bytes=whole,
        torn_bytes=size - whole,
        damage=damage,
    )


def _read(path: Path) -> tuple[HistoryBuilder, int, int, str | None]:
    """The events, the ignored lines, where the torn tail begins, and what is damaged.

    Raises:
        StudyFolderError: the file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raw = b""
    except OSError as error:
        raise StudyFolderError(f"{path}: cannot be read ({error.strerror}).") from error
    with _uncollected():
        return _parsed(path, raw)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Do not look for garbage: whatever is read stays, and looking costs a third."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _parsed(path: Path, raw: bytes) -> tuple[HistoryBuilder, int, int, str | None]:
    """As `_read`, of a file's bytes."""
    builder = HistoryBuilder()
    ignored = epoch = start = line = 0
    while (end := raw.find(b"\n", start)) >= 0:
        line += 1
        try:
            event = Event.from_json(json.loads(raw[start:end]))
            if event.epoch < epoch:
                ignored += 1
            else:
                builder.append(event)
                epoch = event.epoch
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if end == len(raw) - 1:
                break  # The last line: torn by a crash of the machine, not damaged.
            return builder, ignored, start, _damage(path, line, error)
        start = end + 1
    return builder, ignored, start, None


def _damage(path: Path, line: int, error: Exception) -> str:
    what = f"{path}: line {line} is damaged ({type(error).__name__}: {error}); "
    if line == 1:
        return what + (
            "it says what the study is, so nothing can go on from here: keep a copy of "
            "the file, and choose another study_dir=…."
        )
    return what + (
        f"the {line - 1} lines before it are readable: keep them in a copy (head -n "
        f"{line - 1}) and put that in its place to go on from there."
    )


class Journal:
    """An open journal: the only writer of its file.

    Attributes:
        path: of the file.
        ignored: how many lines of superseded drivers were passed over on opening.
        torn_bytes: length of the torn tail that was put aside on opening.
    """

    def __init__(
        self, folder: Path, lease: Lease, clock: Callable[[], float] = time.time
    ) -> None:
        """Open ``folder/journal.jsonl``; a journal that has events gets ``opened``.

        Args:
            folder: the study folder.
            lease: held by this driver.
            clock: seconds since 1970, for the events' times.

        Raises:
            JournalError: as `read`.
            StudyFolderError: the file cannot be read or written.
        """
        self.path = folder / NAME
        self._lease = lease
        self._clock = clock
        contents = read(self.path)
        self.torn_bytes = contents.torn_bytes
        if contents.torn_bytes:
            _put_aside(self.path, contents.whole_bytes)
        self._builder = HistoryBuilder()
        if len(contents.history):
            opened = Event(kind=Kind.OPENED, time=clock(), epoch=lease.epoch)
            _append_durably(self.path, _line(opened))
        self._builder, self.ignored, _, _ = _read(self.path)

    @property
    def history(self) -> History:
        """Everything so far."""
        return self._builder.history

    def append(
        self,
        kind: Kind,
        number: int | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        """Add an event; it is on disk when this returns.

        A proposal is so with the next event, at the latest that which gives it out:
        until then nobody has acted on it.

        Raises:
            ValueError: the event cannot follow the ones before it; nothing is written.
            StudyBusyError: another driver took the study over; nothing is written.
            StudyFolderError: the disk is full or the file cannot be written.
        """
        self._lease.check()
        event = Event(
            kind=kind,
            number=number,
            attempt=attempt,
            time=self._clock(),
            epoch=self._lease.epoch,
            data=data or {},
        )
        line = _line(event)
        # Validates first. Should the write fail, the driver ends and this history with
        # it: nobody else has seen the event.
        self._builder.append(event)
        _append(self.path, line, durably=kind is not Kind.PROPOSED)
        return event


def _line(event: Event) -> bytes:
    text = json.dumps(event.to_json(), allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _append_durably(path: Path, data: bytes) -> None:
    _append(path, data, durably=True)


def _append(path: Path, data: bytes, *, durably: bool) -> None:
    created = not path.exists()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            if durably:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if created:
            _sync_folder(path.parent)
    except OSError as error:
        raise StudyFolderError(
            f"{path}: cannot be written ({error.strerror}); nothing that was journaled "
            "is lost: make room or mend the rights, then give the same command again."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_aside(path: Path, whole_bytes: int) -> None:
    """Move a torn tail to its own file."""
    with path.open("rb") as file:
        file.seek(whole_bytes)
        tail = file.read()
    _append_durably(path.with_name(TORN_NAME), tail.rstrip(b"\n") + b"\n")
    try:
        os.truncate(path, whole_bytes)
    except OSError as error:
        raise StudyFolderError(
            f"{path}: cannot be written ({error.strerror})."
        ) from error
