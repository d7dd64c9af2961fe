"""Shows where studies stand again and again: on a terminal, as blocks, as JSON lines.

Knows: overviews, terminals. Must not know: folders, when to look again, when to end.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console as Terminal
from rich.text import Text

from moosnn.tracking.display import Display
from moosnn.tracking.overview import Overview, overview_json
from moosnn.tracking.overview_text import overview_lines, overview_table
from moosnn.tracking.wording import ASCII, Signs, fitted

# What runs is shown with its seconds, which pass between two looks.
_TICK_S = 1.0


class View(Protocol):
    """Something that shows overviews; entered before the first, left after the last."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, studies: Sequence[Overview], *, several: bool) -> None:
        """Show where studies stand.

        Args:
            studies: none before the first has begun.
            several: whether they are shown as a table, even if there is only one.
        """


def essence(study: Overview) -> Hashable:
    """What has to differ for a study to have changed: not the time that passes."""
    return (
        study.name,
        study.state,
        study.driver,
        study.budget,
        replace(study.progress, elapsed_s=0.0),
        study.running,
        tuple(study.failures.items()),
        tuple(study.retries.items()),
        tuple((worker.name, worker.alive) for worker in study.workers),
    )


class Lines:
    """Prints a block, or a line of JSON, each time that something has changed."""

    def __init__(self, terminal: Terminal, *, as_json: bool) -> None:
        """Prepare; nothing is printed.

        Args:
            terminal: where to print; any file will do.
            as_json: a line of JSON instead of a block.
        """
        self._terminal = terminal
        self._as_json = as_json
        self._shown: list[Hashable] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def show(self, studies: Sequence[Overview], *, several: bool) -> None:
        """See `View`."""
        now = [essence(study) for study in studies]
        if not studies or now == self._shown:
            return
        if self._as_json:
            told = json.dumps([overview_json(s) for s in studies], allow_nan=False)
            self._terminal.file.write(f"{told}\n")
        else:
            if self._shown is not None:
                self._terminal.print()
            for line in _lines(studies, several, self._terminal, self._terminal.width):
                self._terminal.print(line, soft_wrap=True)
        self._terminal.file.flush()
        self._shown = now


class Screen:
    """Keeps some lines of a terminal up to date."""

    def __init__(self, terminal: Terminal) -> None:
        """Prepare; nothing is shown."""
        self._terminal = terminal
        self._lock = threading.Lock()
        self._studies: Sequence[Overview] = ()
        self._several = False
        self._display = Display(terminal, self._frame, every_s=_TICK_S)

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.stop()

    def show(self, studies: Sequence[Overview], *, several: bool) -> None:
        """See `View`."""
        with self._lock:
            self._studies, self._several = studies, several

    def _frame(self, width: int, height: int) -> list[Text]:
        with self._lock:
            studies, several = self._studies, self._several
        now = time.time()
        studies = [replace(study, now=now) for study in studies]
        signs = ASCII if self._terminal.options.ascii_only else Signs()
        lines = _lines(studies, several, self._terminal, width) if studies else []
        more = len(lines) - height
        if more > 0:
            kept = height - 1
            lines = [*lines[:kept], Text(f"{signs.more} {more + 1} more lines")]
        return [fitted(line, width, signs) for line in lines[:height]]


def _lines(
    studies: Sequence[Overview], several: bool, terminal: Terminal, width: int
) -> list[Text]:
    """One study in words, or a table."""
    if len(studies) == 1 and not several:
        return [Text(line) for line in overview_lines(studies[0])]
    options = terminal.options.update(width=width)
    rows = terminal.render_lines(overview_table(studies), options, pad=False)
    return [Text("".join(part.text for part in row).rstrip()) for row in rows]
