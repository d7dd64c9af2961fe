"""The workers of a study, as anybody sees them who sees its folder.

Knows: the files that workers keep fresh. Must not know: the journal, what they hold.
Nothing is written: unlike the driver a looker may not ask the file server for its time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from moosnn.runtime import files
from moosnn.runtime.lease import FOLDER as LEASE
from moosnn.runtime.process import Process
from moosnn.runtime.workers import SILENT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """One worker.

    Attributes:
        name: of the worker, unique in its study.
        host: where it runs; empty if its file does not say.
        alive: whether it runs, or on another machine: gives signs of life.
        silent_s: seconds since its last sign of life, >= 0.
    """

    name: str
    host: str
    alive: bool
    silent_s: float


class Crew:
    """The workers of one study, looked at again and again; each file is read once."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Prepare; nothing is read.

        Args:
            folder: of the study.
            clock: seconds since 1970.
        """
        self._folder = folder
        self._clock = clock
        self._known: dict[str, Process | None] = {}

    def look(self) -> list[Hand]:
        """Those that have a file, by name; a file goes with its worker.

        Signs of life are compared with the newest one in the study folder, that of the
        driver included: all are by the clock of its file server. Only if that is long
        ago is this machine's clock asked, and then everybody counts as silent.
        """
        beats = _beats(self._folder / files.WORKERS)
        drivers = _beats(self._folder / LEASE)
        newest = max([*beats.values(), *drivers.values()], default=0.0)
        now = newest if abs(self._clock() - newest) < SILENT_S else self._clock()
        self._known = {n: p for n, p in self._known.items() if n in beats}
        return [
            self._hand(name, max(0.0, now - beats[name]))
            for name in sorted(beats, key=_by_number)
        ]

    def _hand(self, name: str, silent_s: float) -> Hand:
        if self._known.get(name) is None:
            self._known[name] = _process(files.worker_file(self._folder, name))
        process = self._known[name]
        seen = None if process is None else process.is_alive()
        return Hand(
            name=name,
            host="" if process is None else process.host,
            alive=seen is not False and silent_s < SILENT_S,
            silent_s=silent_s,
        )


def _beats(folder: Path) -> dict[str, float]:
    """When each file of a folder was touched, by its stem."""
    found = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            stem, ending = os.path.splitext(entry.name)
            if ending == ".json" and not stem.startswith("."):
                with suppress(FileNotFoundError):  # it ends just now
                    found[stem] = entry.stat().st_mtime
    return found


def _by_number(name: str) -> tuple[int, str]:
    """``w2`` before ``w10``."""
    return len(name), name


def _process(path: Path) -> Process | None:
    try:
        return Process.from_json(files.read_json(path) or {})
    except (OSError, ValueError, KeyError, TypeError):
        return None
