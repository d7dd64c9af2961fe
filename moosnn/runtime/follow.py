"""Reads a journal while it grows: only what was appended since the last look.

Knows: the journal's format, torn tails, epochs. Must not know: what a metric means, who
writes. Nothing is written and nothing is locked: the driver is not disturbed.

What `journal` says of torn tails holds here too, but for one thing: a last line that is
not whole need not be torn, its writer may be about to end it. It waits for the next
look, and so does whatever follows a line that cannot be read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from moosnn.errors import StudyFolderError
from moosnn.events import Event
from moosnn.history import History, HistoryBuilder

# So much of what was read is compared with what is there now, before more is read.
_MARK_BYTES = 4096
_Identity = tuple[int, int]
_State = tuple[_Identity, int, int]


class JournalFollower:
    """One journal that is looked at again and again.

    Attributes:
        begun: how often it was begun from its first line: 1, and once more each time
            the file was replaced, cut, or changed before where we were.
        ignored: how many lines of superseded drivers were passed over.
        damage: why what follows in the file cannot be read, or ``None``; it may be
            readable at the next look.
    """

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is read.

        Args:
            path: of the journal; it may not be there yet.
        """
        self._path = path
        self.begun = 0
        self._begin()

    def _begin(self) -> None:
        self._builder = HistoryBuilder()
        self._identity: _Identity | None = None
        self._seen: _State | None = None
        self._offset = 0  # of the first byte that was not taken
        self._mark = b""  # the bytes before it
        self._epoch = 0
        self.ignored = 0
        self.damage: str | None = None
        self.begun += 1

    @property
    def history(self) -> History:
        """Everything read so far."""
        return self._builder.history

    def read(self) -> list[tuple[Event, History]]:
        """What was appended: each event with the history that ends with it.

        After `begun` has changed the events are those of the whole file, again; the
        first of them tells, since it comes with a history of one event.

        Raises:
            StudyFolderError: the file is there and cannot be read.
        """
        try:
            data = self._appended()
        except FileNotFoundError:
            if self._identity is not None:
                self._begin()  # another may come in its place
            return []
        except OSError as error:
            raise StudyFolderError(
                f"{self._path}: cannot be read ({error.strerror})."
            ) from error
        return self._take(data)

    def _take(self, data: bytes) -> list[tuple[Event, History]]:
        """The events of the whole lines, up to one that cannot be read."""
        start, events = 0, []
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start : end + 1]
            try:
                event = Event.from_json(json.loads(line))
                taken = event.epoch >= self._epoch
                if taken:
                    self._builder.append(event)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if end + 1 < len(data):
                    self.damage = f"{type(error).__name__}: {error}"
                break
            self.damage = None
            self._offset += len(line)
            self._mark = (self._mark + line)[-_MARK_BYTES:]
            start = end + 1
            if taken:
                self._epoch = event.epoch
                events.append((event, self._builder.history))
            else:
                self.ignored += 1
        return events

    def _appended(self) -> bytes:
        """What follows in the file; it is begun anew if it is not the one we know.

        Raises:
            OSError: it cannot be read.
        """
        with self._path.open("rb") as file:  # opening asks an NFS server what is new
            status = os.fstat(file.fileno())
            identity = (status.st_dev, status.st_ino)
            state = (identity, status.st_size, status.st_mtime_ns)
            if state == self._seen:
                return b""
            if self._identity is not None and identity != self._identity:
                self._begin()
            file.seek(self._offset - len(self._mark))
            if file.read(len(self._mark)) != self._mark:
                self._begin()
                file.seek(0)
            self._identity = identity
            data = file.read()
            # It may have grown since, within one tick of the server's clock.
            grown = self._offset + len(data) != status.st_size
            self._seen = None if grown else state
            return data
