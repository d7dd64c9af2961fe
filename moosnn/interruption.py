"""Ctrl-C and its like: remembered, and heeded where it does no harm.

Knows: signals. Must not know: what is interrupted.

An exception that is raised wherever the program happens to be can fall between reading
a result and keeping it, or be swallowed by a callback. So a signal is only remembered;
whoever loops looks. Another one, half a second later or more, ends the process at once.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

EXIT = 128  # plus the signal's number: what a shell expects
_TWICE_S = 0.5  # a second signal that follows later is another one
_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Watches the signals that end a study, inside of a ``with``."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._since = 0.0
        self._at_once = False
        self._before: dict[signal.Signals, Callable[..., Any] | int | None] = {}

    def check(self) -> None:
        """Go on, unless a signal came.

        Raises:
            KeyboardInterrupt: one came; its argument is the signal's number.
        """
        if self._number is not None:
            raise KeyboardInterrupt(self._number)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal raises KeyboardInterrupt where it finds the program."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> Self:
        try:
            for number in _WATCHED:
                if signal.getsignal(number) is not signal.SIG_IGN:  # e.g. by nohup
                    self._before[number] = signal.signal(number, self._on_signal)
        except ValueError:
            pass  # not the main thread: signals are its caller's
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._number is not None:
            if time.monotonic() - self._since > _TWICE_S:
                os._exit(EXIT + number)
            return  # one press may reach a process twice, through its group
        self._number, self._since = number, time.monotonic()
        if self._at_once:
            raise KeyboardInterrupt(number)
