"""Where a search keeps what happened: in memory, or as the journal of a folder.

Knows: journals, leases, headers. Must not know: problems, optimizers, who asks.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from moosnn.errors import (
    ConfigError,
    JournalError,
    MoosnnError,
    StudyBusyError,
    StudyFolderError,
)
from moosnn.events import Event, Kind
from moosnn.history import History, HistoryBuilder
from moosnn.runtime.header import IDENTITY, require_same
from moosnn.runtime.header import header as header_of
from moosnn.runtime.journal import NAME, Journal, read
from moosnn.runtime.lease import Lease, holder
from moosnn.runtime.process import Process
from moosnn.runtime.record import Record

_log = logging.getLogger(__name__)


class Logbook(Protocol):
    """What happened, and the one place where it grows."""

    @property
    def history(self) -> History:
        """Everything so far."""
        ...

    def append(
        self,
        kind: Kind,
        number: int | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        """Add an event."""
        ...

    def close(self) -> None:
        """Give back what is held; nothing is appended any more."""
        ...


class InMemory:
    """A history that ends with the program."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._builder = HistoryBuilder()
        self.append(Kind.STUDY, data=header)

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
        """Add an event."""
        event = Event(
            kind=kind, number=number, attempt=attempt, time=time.time(), data=data or {}
        )
        self._builder.append(event)
        return event

    def close(self) -> None:
        """Nothing is held."""


class InFolder:
    """The journal of a study folder, held by a lease."""

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        _make(folder)
        # Before the lease as well: another study's folder is left as it was.
        _tell_differences(folder, header)
        self._lease = _acquired(folder)
        try:
            found = read(folder / NAME).history  # another may have been faster
            if len(found):
                require_same(folder, found[0].data, header)
            self._journal = Journal(folder, self._lease)
            if not len(self._journal.history):
                self._journal.append(Kind.STUDY, data=header)
        except BaseException:
            self._lease.release()
            raise

    @property
    def history(self) -> History:
        """Everything so far."""
        return self._journal.history

    def append(
        self,
        kind: Kind,
        number: int | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        """Add an event; it is on disk when this returns.

        Raises:
            StudyBusyError: another driver took the folder over.
            StudyFolderError: the disk is full or the file cannot be written.
        """
        return self._journal.append(kind, number, attempt, data)

    def close(self) -> None:
        """Let others have the folder."""
        self._lease.release()


def with_identity(
    header: Mapping[str, Any], identity: Mapping[str, Any]
) -> dict[str, Any]:
    """A header that also says what of ``study`` makes it another study.

    Args:
        header: see `runtime.header.header`.
        identity: see `origins.study_identity`; empty = nothing does.
    """
    if not identity:
        return dict(header)
    spelled = json.dumps([header["digest"], identity], sort_keys=True)
    return {
        **header,
        "config": {**header["config"], "study": identity},
        "digest": hashlib.sha256(spelled.encode()).hexdigest(),
    }


def require_untouched(record: Record) -> None:
    """Refuse a journal that is not as its drivers wrote it, as far as it tells.

    Raises:
        JournalError: its header is that of another version or does not match its
            digest, a line is damaged, or an epoch begins that no driver opened.
    """
    missing = [key for key in IDENTITY if key not in record.config]
    if missing:
        raise JournalError(
            f"{record.folder}: its journal does not begin with a study's header (no "
            f"{', '.join(missing)}): it cannot be replayed."
        )
    if not _matches_its_digest(record.history[0].data):
        raise JournalError(
            f"{record.folder}: the journal's first line was altered: its config does "
            "not match its digest; replay an untouched copy."
        )
    if record.damage:
        raise JournalError(f"it cannot be replayed as a whole: {record.damage}")
    for before, event in itertools.pairwise(record.history):
        if event.epoch > before.epoch and event.kind is not Kind.OPENED:
            # Whatever follows it in its true epoch was passed over.
            about = "" if event.number is None else f" of trial {event.number}"
            raise JournalError(
                f"{record.folder}: the journal's line {event.kind}{about} was altered: "
                f"its epoch is {event.epoch} after {before.epoch}, but no driver "
                "opened the journal in between; replay an untouched copy."
            )


def _matches_its_digest(then: Mapping[str, Any]) -> bool:
    """Whether a header's config is the one it was written with."""
    if "digest" not in then:
        return True  # of another version; compared with this one's header later
    config = then["config"]
    try:
        plain = header_of(config, then.get("fingerprint", {}), threads=0)
        digest = with_identity(plain, config.get("study", {}))["digest"]
    except (AttributeError, KeyError, TypeError, ValueError):  # not even of its types
        return False
    return bool(digest == then["digest"])


def open_logbook(folder: Path | str | None, header: Mapping[str, Any]) -> Logbook:
    """A new history, or the one that lies in a folder.

    Args:
        folder: made if it does not exist; ``None`` = in memory.
        header: what the search is, see `runtime.header.header`.

    Raises:
        ConfigError: ``folder`` is no folder's name.
        StudyBusyError: somebody else holds the folder.
        StudyFolderError: it cannot be read or written.
        JournalError: its journal is damaged, or another study's.
    """
    if folder is None:
        return InMemory(header)
    if not isinstance(folder, str | Path) or not str(folder).strip():
        raise ConfigError(
            f"folder: expected a folder's name, or None = in memory, got {folder!r}."
        )
    try:
        return InFolder(Path(folder), header)
    except (JournalError, StudyBusyError, StudyFolderError) as error:
        raise _in_python(error) from error


def _in_python(error: MoosnnError) -> MoosnnError:
    """The same error in the words of somebody who gave ``folder=``."""
    return type(error)(str(error).replace("study_dir=", "folder="))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyFolderError(
            f"folder={str(folder)!r}: cannot be made ({error.strerror}); choose "
            "another."
        ) from error


def _acquired(folder: Path) -> Lease:
    mine = holder(folder) == Process.current()
    try:
        return Lease.acquire(folder)
    except StudyBusyError as error:
        if not mine:
            raise
        raise StudyBusyError(
            f"{folder}: another Search of this program holds it; close() that one "
            "first, or use `with Search(…) as search:`."
        ) from error


def _tell_differences(folder: Path, header: Mapping[str, Any]) -> None:
    history = read(folder / NAME).history
    if len(history):
        for difference in require_same(folder, history[0].data, header):
            _log.warning("%s: was made with other %s", folder, difference)
