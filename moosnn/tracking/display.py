"""Keeps some lines at the bottom of a terminal up to date while others scroll above.

Knows: terminals, their sizes, the process's output streams. Must not know: what the
lines say.

The cursor stays visible, on an empty line below the display: however the process ends,
a shell finds the terminal as it should be and the last lines readable.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console as Terminal
from rich.text import Text

EVERY_S = 0.25
# A wait that takes so many times as long means that the process did not run.
_STOPPED = 6

# Escape sequences of any terminal that can move its cursor.
_UP = "\x1b[{}A"
_CLEAR_REST_OF_LINE = "\x1b[K"
_CLEAR_BELOW = "\x1b[J"


class Display:
    """Some lines below everything that is printed.

    While it is on, what any thread prints comes out above it: ``sys.stdout`` and, if it
    is a terminal, ``sys.stderr`` lead here.
    """

    def __init__(
        self,
        terminal: Terminal,
        frame: Callable[[int, int], list[Text]],
        every_s: float = EVERY_S,
    ) -> None:
        """Prepare; nothing is shown.

        Args:
            terminal: where to draw.
            frame: the lines to show, given the columns and lines there are; none of
                them is wider. Called from several threads, one at a time.
            every_s: how often they are brought up to date.
        """
        self._terminal = terminal
        self._file = terminal.file
        self._frame = frame
        self._every_s = every_s
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._lines: list[Text] = []
        self._width = 0
        self._error: Exception | None = None
        self._streams: dict[str, tuple[TextIO, _Above]] = {}
        name = type(self).__name__
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Show the lines, and take over the output streams."""
        self._redirect()
        self._thread.start()

    def stop(self) -> None:
        """Bring the lines up to date once more, leave them there, let go.

        Raises:
            Exception: why the lines could not be drawn.
        """
        self._over.set()
        with self._lock:
            begun = "".join(above.rest() for _, above in self._streams.values())
            try:
                self._try_draw(begun or None)
            finally:
                self._release()
        self._thread.join()

    def say(self, text: str) -> None:
        """Print some lines above the display.

        Args:
            text: may hold the escape sequences of colours.

        Raises:
            Exception: why the lines could not be drawn, e.g. the terminal is gone.
        """
        with self._lock:
            self._try_draw(text)

    def _run(self) -> None:
        while not self._over.is_set():
            with self._lock:
                if not self._over.is_set():
                    # What went wrong is told by the next `say`, or by `stop`.
                    with contextlib.suppress(Exception):
                        self._try_draw()
            begun = time.monotonic()
            self._over.wait(self._every_s)
            if time.monotonic() - begun > _STOPPED * self._every_s:
                with self._lock:
                    self._lines = []  # it was stopped (Ctrl-Z): they are the shell's

    def _try_draw(self, above: str | None = None) -> None:
        """Draw; after a failure never again, and the streams are as they were."""
        if self._error is not None:
            raise self._error
        try:
            self._draw(above)
        except Exception as error:
            self._error = error
            self._over.set()
            self._release()
            raise

    def _draw(self, above: str | None) -> None:
        """Draw over the lines that are there; with one write, so that none flickers."""
        width, height = self._terminal.size
        lines: list[Text] = []
        if _in_foreground(self._file):
            # A column is left free, or some terminals wrap; a line is the cursor's.
            lines = self._frame(width - 1, height - 1)
            if above is None and lines == self._lines and width == self._width:
                return
        else:
            self._lines = []  # they are the shell's by now
            if above is None:
                return
        rows = self._rows(width)
        out = [_UP.format(rows) if rows else "", "\r"]
        if above is not None:
            out += [_CLEAR_BELOW, self._rendered([Text.from_ansi(above)])]
        rendered = self._rendered(lines).replace("\n", f"{_CLEAR_REST_OF_LINE}\n")
        out += [rendered, _CLEAR_BELOW]
        self._file.write("".join(out))
        self._file.flush()
        self._lines, self._width = lines, width

    def _rows(self, width: int) -> int:
        """How many rows of the screen the lines take that are there.

        A terminal that became narrower has broken those that were wider.
        """
        return sum(max(1, -(-line.cell_len // width)) for line in self._lines)

    def _rendered(self, lines: Sequence[Text]) -> str:
        with self._terminal.capture() as capture:
            for line in lines:
                self._terminal.print(line, soft_wrap=True)
        encoding = self._terminal.encoding
        return capture.get().encode(encoding, "replace").decode(encoding)

    def _redirect(self) -> None:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            # What goes to a file goes on doing so.
            if stream is self._file or _is_terminal(stream):
                above = _Above(self, stream)
                self._streams[name] = (stream, above)
                setattr(sys, name, above)

    def _release(self) -> None:
        for name, (stream, above) in self._streams.items():
            above.let_go()
            if getattr(sys, name) is above:  # else somebody put another in its place
                setattr(sys, name, stream)
        self._streams = {}


class _Above(io.TextIOBase):
    """An output stream whose whole lines are printed above a display."""

    def __init__(self, display: Display, stream: TextIO) -> None:
        self._display: Display | None = display
        self._stream = stream
        self._begun = ""
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream it stands for."""
        return self._stream.encoding

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        display = self._display
        if display is None:
            return self._stream.write(text)
        with self._lock:
            lines, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            # A terminal that is gone is the display's trouble, not the printer's.
            with contextlib.suppress(Exception):
                display.say(lines)
        return len(text)

    def flush(self) -> None:
        """A line that is not whole waits for its end."""
        if self._display is None:
            self._stream.flush()

    def rest(self) -> str:
        """The line that was begun, which is forgotten."""
        begun, self._begun = self._begun, ""
        return begun

    def let_go(self) -> None:
        """Whatever is still written goes where it would have gone."""
        self._display = None


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def _in_foreground(stream: object) -> bool:
    """Whether a terminal is ours to draw on, or the shell's that started us with &."""
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()  # type: ignore[attr-defined]
    except (OSError, ValueError, AttributeError):  # no terminal that controls us
        return True
