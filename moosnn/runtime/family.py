"""The processes that a worker's trials start, wherever they hide.

Knows: Linux's ``/proc``; elsewhere it finds nothing. Must not know: trials, workers'
files.

Whatever a trial starts inherits the variable `MARK` from its worker's child: a fork, a
shell, a daemon with a session of its own. Only who empties its environment escapes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "MOOSNN_WORKER"
_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MB = 1024 * 1024
# A process that forks while it is looked for may need more than one look.
_LOOKS = 5


def members(mark: str) -> list[int]:
    """The living processes that carry a mark, this one apart."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir(_PROC) if _PROC.is_dir() else []:
        if entry.isdigit() and int(entry) != os.getpid():
            with suppress(OSError):
                if wanted in (_PROC / entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


def end(mark: str, *, keep: int | None = None) -> None:
    """Kill what carries a mark.

    Args:
        mark: of a worker.
        keep: process id of the one that goes on.
    """
    for _ in range(_LOOKS):
        others = [pid for pid in members(mark) if pid != keep]
        if not others:
            return
        for pid in others:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def memory_mb(pid: int) -> float:
    """Memory of a process and of all below it; 0 where it cannot be read.

    Pages that they share count once.
    """
    try:
        below = list(_descendants(pid))
        if not below:
            return _resident_mb(pid)
        return sum(_proportional_mb(each) for each in (pid, *below))
    except (OSError, IndexError, ValueError):
        return 0.0


def _descendants(pid: int) -> Iterator[int]:
    for task in (_PROC / str(pid) / "task").iterdir():
        with suppress(OSError):  # a thread that ended meanwhile
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _resident_mb(pid: int) -> float:
    pages = (_PROC / str(pid) / "statm").read_text().split()[1]
    return int(pages) * _PAGE_BYTES / _MB


def _proportional_mb(pid: int) -> float:
    """Its own pages, and its share of those that it shares."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
