"""Whether a folder can hold studies: what the journal and the lease ask of its disk.

Knows: file systems. Must not know: what the files of a study mean.

Everything is tried in a hidden folder of its own, which is deleted again: in the study
folder, or in the nearest folder above it that exists.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moosnn.runtime.doctor_check import Check, bad, good
from moosnn.runtime.doctor_disk import file_system_check, mount_of, space_checks
from moosnn.runtime.lease import STALE_S

# The driver waits for the disk a few times a trial.
SLOW_SYNC_MS = 50.0
_SYNCS = 7
# So much is written to see a quota that nobody tells about.
_PROBE_BYTES = 1024 * 1024
# `status` judges a driver on another machine by this machine's clock.
MOST_SKEW_S = 5.0


def folder_checks(folder: Path) -> Iterator[Check]:
    """Everything about a study folder, one after the other.

    Args:
        folder: a study folder or one of studies; it may be missing.
    """
    try:
        base, text = _nearest(folder)
    except OSError as error:
        yield _unusable(folder, error)
        return
    if not base.is_dir():
        advice = "name a folder, or one that does not exist yet"
        yield bad("folder", f"{base} is a file", advice, stops=True)
        return
    yield folder_check(folder, text)
    yield file_system_check(mount_of(base))
    try:
        yield from space_checks(base)
        with _probe(base) as own:
            yield from _probed(own)
    except OSError as error:
        yield _unusable(base, error)


def _nearest(folder: Path) -> tuple[Path, str]:
    """The folder, or the nearest one above it that exists; and which that is.

    Raises:
        OSError: it cannot be looked at.
    """
    folder = folder.absolute()
    base = folder
    while not _exists(base):
        base = base.parent
    if base == folder:
        return base, f"{folder} exists"
    return base, f"{folder} does not exist yet; it will be made in {base}"


def _exists(path: Path) -> bool:
    """As `Path.exists`, which hides that a folder cannot be entered.

    Raises:
        OSError: it cannot be told.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _unusable(folder: Path, error: OSError) -> Check:
    why = error.strerror or str(error)
    advice = "make room, mend its rights, or choose another study_dir=…"
    return bad("writable", f"{folder} cannot be written ({why})", advice, stops=True)


def folder_check(folder: Path, text: str) -> Check:
    """Whether its name will do."""
    if "%" in str(folder.absolute()):
        advice = "choose a path without %, which submitit replaces"
        return bad("folder", text, advice, stops=True)
    return good("folder", text)


# ------------------------------------------------------------------------ what it can


@contextmanager
def _probe(base: Path) -> Iterator[Path]:
    """A hidden folder that is gone afterwards."""
    own = base / f".doctor.{uuid.uuid4().hex}"
    own.mkdir()
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _probed(own: Path) -> Iterator[Check]:
    """What is tried in a folder that can be written.

    Raises:
        OSError: it is full, or cannot what every file system can.
    """
    _write(own / "block", os.urandom(_PROBE_BYTES))
    (own / "block").unlink()
    yield good("writable", f"a file of 1 MB can be made in {own.parent}")
    yield replace_check(own)
    yield link_check(own)
    yield sync_check(own)
    yield clock_check(own)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_check(own: Path) -> Check:
    """Whether one file can take another's place while that is being read.

    Args:
        own: an empty folder; what is written there stays.

    Raises:
        OSError: the folder cannot be written.
    """
    old, new = own / "old", own / "new"
    _write(old, b"old")
    _write(new, b"new")
    advice = "results could be lost here: choose another study_dir=…"
    try:
        with old.open("rb") as reader:
            os.replace(new, old)
            kept = reader.read()
    except OSError as error:
        why = error.strerror
        return bad("replace", f"files cannot be replaced ({why})", advice, stops=True)
    if kept != b"old" or old.read_bytes() != b"new" or new.exists():
        return bad("replace", "a file is not replaced at once", advice, stops=True)
    return good("replace", "a file is replaced as a whole")


def link_check(own: Path) -> Check:
    """Whether a hard link is made once and only once: the lease is one.

    Args:
        own: a folder that can be written.

    Raises:
        OSError: no file can be made.
    """
    source, name = own / "claim", own / "lease"
    _write(source, b"1")
    advice = "two drivers could hold one study here: choose another study_dir=…"
    try:
        os.link(source, name)
    except OSError as error:
        why = error.strerror
        return bad("links", f"no hard links ({why})", advice, stops=True)
    try:
        os.link(source, name)
    except FileExistsError:
        return good("links", "hard links work; file locks are not used")
    return bad("links", "a name can be taken twice", advice, stops=True)


def sync_check(own: Path) -> Check:
    """How long the disk takes to keep a line of the journal.

    Raises:
        OSError: it cannot.
    """
    taken_ms = []
    line = b"x" * 1000 + b"\n"
    with (own / "journal").open("ab", buffering=0) as file:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            file.write(line)
            os.fsync(file.fileno())
            taken_ms.append((time.perf_counter() - begun) * 1000)
    median = statistics.median(taken_ms)
    text = f"a line is on disk after {median:.1f} ms (up to {max(taken_ms):.1f} ms)"
    if median > SLOW_SYNC_MS:
        advice = "trials of seconds will wait for it: a faster disk for study_dir=…"
        return bad("fsync", text, advice)
    return good("fsync", text)


def clock_check(own: Path) -> Check:
    """The file server's clock against this machine's.

    Raises:
        OSError: no file can be made.
    """
    path = own / "clock"
    before = time.time()
    path.touch()
    after = time.time()
    return skew_check(path.stat().st_mtime, before, after)


def skew_check(there: float, before: float, after: float) -> Check:
    """How far a clock that was asked between two moments of ours is off.

    Args:
        there: what it said, seconds since 1970.
        before: ours before it was asked.
        after: ours after it had answered.
    """
    off_s = min(there - before, 0.0) + max(there - after, 0.0)
    if abs(off_s) <= MOST_SKEW_S:
        return good("clock", f"the file server's is off by {abs(off_s):.2f} s")
    side = "ahead" if off_s > 0 else "behind"
    return bad(
        "clock",
        f"the file server's is {abs(off_s):.1f} s {side} of this machine's",
        "set both by NTP; a study is not harmed, but status may take a driver on "
        f"another machine for dead (after {STALE_S:.0f} s)",
    )
