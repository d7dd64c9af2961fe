"""A command in a terminal of some size, and what that terminal shows."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import pyte

# What of the environment decides how a terminal is treated.
_DECIDING = ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
_UNSET = (*_DECIDING, "COLUMNS", "LINES", "COLORTERM")


class Emulator:
    """A pseudo-terminal and the screen at its other end."""

    def __init__(self, columns: int, lines: int) -> None:
        self._master, self.slave = os.openpty()
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
        self._screen.resize(lines, columns)

    def read(self, wait_s: float = 0.05) -> bool:
        """Take in what was written; whether anything was."""
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody writes any more
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def close(self) -> None:
        os.close(self._master)

    @property
    def shown(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def all(self) -> list[str]:
        """The lines that were scrolled away, then those of the screen."""
        columns = range(self._screen.columns)
        gone = [
            "".join(row[x].data for x in columns) for row in self._screen.history[0]
        ]
        return [*(line.rstrip() for line in gone), *self.shown]

    @property
    def cursor(self) -> tuple[int, int]:
        """Its column and line; it is visible."""
        assert not self._screen.cursor.hidden
        assert b"\x1b[?25l" not in self.raw
        return self._screen.cursor.x, self._screen.cursor.y


class Watched(Emulator):
    """``python -m moosnn`` in a terminal."""

    def __init__(
        self,
        *words: str,
        cwd: Path,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(columns, lines)
        inherited = {k: v for k, v in os.environ.items() if k not in _UNSET}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moosnn", *words],
            cwd=cwd,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**inherited, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
        )
        os.close(self.slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Look on until something is shown."""
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self.process.poll() is not None
            text = "\n".join(self.all)
            assert time.monotonic() < deadline, text
            assert self.read() or not ended or condition(), text

    def until_shown(self, text: str) -> None:
        self.until(lambda: any(text in line for line in self.shown))

    def end(self) -> int:
        """Look on until the process has ended; its exit status."""
        self.until(lambda: self.process.poll() is not None)
        while self.read():
            pass
        return self.process.wait()
