"""Which process one is, so that a file can name it and another process can look for it.

Knows: hosts, containers, process ids. Must not know: drivers, workers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that can be told from a later one with the same id.

    Attributes:
        host: name of the machine.
        pid: process id.
        boot_id: of the machine's running kernel; empty if it has none.
        start_ticks: when the process started, in clock ticks since boot; 0 unknown.
        namespace: of process ids, which two containers with one host name do not
            share; empty if it is not known.
    """

    host: str
    pid: int
    boot_id: str
    start_ticks: int
    namespace: str = ""

    @classmethod
    def current(cls) -> Self:
        """This process."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(),
            pid=pid,
            boot_id=_boot_id(),
            start_ticks=_start_ticks(pid) or 0,
            namespace=_namespace(),
        )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read the JSON form (`dataclasses.asdict`); further keys are ignored."""
        return cls(
            host=str(raw["host"]),
            pid=int(raw["pid"]),
            boot_id=str(raw["boot_id"]),
            start_ticks=int(raw["start_ticks"]),
            namespace=str(raw.get("namespace", "")),
        )

    def is_here(self) -> bool:
        """Whether it runs, or ran, where this process can see it.

        Two machines may have one name, two containers on one machine as well; after a
        restart the machine counts as another one.
        """
        return (self.host, self.boot_id, self.namespace) == (
            socket.gethostname(),
            _boot_id(),
            _namespace(),
        )

    def is_alive(self) -> bool | None:
        """Whether it runs; ``None`` if it lives elsewhere and cannot be seen."""
        if not self.is_here():
            return None
        ticks = _start_ticks(self.pid)
        if ticks is not None:
            return ticks == self.start_ticks
        return False if Path("/proc/self/stat").exists() else _answers(self.pid)


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


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
