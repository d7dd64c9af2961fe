"""What workers published for the driver, and what of it the driver has read.

Knows: the files of an outbox, and messages that they answer. Must not know: workers,
which of them holds what.

A file that was read stays until what it tells is journaled: a driver that dies in
between leaves it to the next one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from moosnn.runtime import files
from moosnn.runtime.attempt import Result, read_result
from moosnn.runtime.executors import Report

# An outbox that stays empty is looked into less and less often: so much of the time it
# was empty may pass, and so many times the shortest pause at most.
_QUIET_SHARE = 0.02
_LOOKS = 25

Attempt = tuple[int, int]  # number, attempt


class Outbox:
    """Results and reports of a study's workers, read by its one driver.

    Args:
        study_folder: the outbox lies in it.
        look_s: the shortest pause between two looks.
    """

    def __init__(self, study_folder: Path, look_s: float) -> None:
        self._folder = study_folder / files.OUTBOX
        self._look_s = look_s
        self._read: list[Path] = []
        self._looked = -math.inf
        self._found = time.monotonic()  # anything in it

    def published(self, *, at_once: bool) -> Mapping[Attempt, list[str]]:
        """The names of results and reports, by the attempt that they are of.

        Args:
            at_once: look, even if it is too early to look again; else there is
                nothing yet.
        """
        now = time.monotonic()
        quiet_s = _QUIET_SHARE * (now - self._found)
        pause_s = min(max(self._look_s, quiet_s), _LOOKS * self._look_s)
        if not at_once and now - self._looked < pause_s:
            return {}
        self._looked = now
        names = files.listing(self._folder)
        if names:
            self._found = now
        return _by_attempt(names)

    def answers(self, name: str, message: Path) -> bool:
        """Whether a result answers our message; one of another study is deleted."""
        foreign = files.is_foreign(self._folder / name, message)
        if foreign:
            (self._folder / name).unlink(missing_ok=True)
        return not foreign

    def result(self, name: str, *messages: Path) -> Result:
        """Read a result; `delete_read` takes it and the messages that it answers."""
        path = self._folder / name
        self._read += [*messages, path]  # a message is never left without a result
        return read_result(path)

    def reports(self, names: Sequence[str]) -> list[Report]:
        """Read the reports among the names of one attempt, in order of their steps."""
        read = [self._report(name) for name in sorted(names)]
        return [report for report in read if report is not None]

    def _report(self, name: str) -> Report | None:
        key = files.report_of(name)
        if key is None:
            return None
        path = self._folder / name
        self._read.append(path)
        try:
            raw = files.read_json(path) or {}
            metrics = {str(k): float(v) for k, v in raw["metrics"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # a trial wrote there itself
        number, attempt, step = key
        return Report(number=number, attempt=attempt, step=step, metrics=metrics)

    def delete_read(self) -> None:
        """Delete what was read: what it told was journaled by now."""
        for path in self._read:
            path.unlink(missing_ok=True)
        self._read.clear()


def _by_attempt(names: Sequence[str]) -> Mapping[Attempt, list[str]]:
    found: dict[Attempt, list[str]] = {}
    for name in names:
        report = files.report_of(name)
        key = files.attempt_of(name) if report is None else report[:2]
        if key is not None:
            found.setdefault(key, []).append(name)
    return found
