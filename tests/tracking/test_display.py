"""The display stays below whatever is printed, and leaves the terminal as it was."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from rich.console import Console as Terminal
from rich.text import Text

from moosnn.tracking.display import Display
from tests.tracking.screen import Emulator

LINES = ["first of the display", "last of the display"]


class Window(Emulator):
    """A terminal of 40 columns and 12 lines that this process prints to."""

    def __init__(self) -> None:
        super().__init__(40, 12)
        self.file: TextIO = os.fdopen(self.slave, "w", buffering=1)
        self.texts = list(LINES)
        terminal = Terminal(
            file=self.file, width=40, height=12, markup=False, color_system=None
        )
        self.display = Display(terminal, self._frame, every_s=0.01)

    def _frame(self, width: int, height: int) -> list[Text]:
        assert (width, height) == (39, 11)
        return [Text(text) for text in self.texts]

    def seen(self) -> list[str]:
        while self.read():
            pass
        return [line for line in self.all if line]


@pytest.fixture
def window() -> Iterator[Window]:
    window = Window()
    yield window
    with contextlib.suppress(OSError):  # a test may have closed the other end
        window.file.close()


def print_to(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test print there; a fixture is too early, pytest puts its own back."""
    monkeypatch.setattr(sys, "stdout", window.file)
    monkeypatch.setattr(sys, "stderr", window.file)


def test_whole_lines_of_many_threads_come_out_above(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_to(window, monkeypatch)

    def speak(name: int) -> None:
        for count in range(50):
            sys.stderr.write(f"thread {name} says {count}\n")

    with window.display:
        threads = [threading.Thread(target=speak, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            window.read()
        window.texts = ["changed", *LINES]
    seen = window.seen()
    window.close()
    assert seen[-3:] == ["changed", *LINES]
    said = seen[:-3]
    assert sorted(said) == sorted(
        f"thread {n} says {c}" for n in range(4) for c in range(50)
    )
    for n in range(4):
        mine = [line for line in said if line.startswith(f"thread {n} ")]
        assert mine == [f"thread {n} says {c}" for c in range(50)]


def squeezed(text: str) -> str:
    """Without blanks: those at the end of a broken line are lost."""
    return text.replace(" ", "")


def test_what_is_printed_is_left_as_it_is(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_to(window, monkeypatch)
    long = "a line that is wider than the terminal: " + "x" * 30
    with window.display:
        print("[bold]no markup[/], no emoji :x: [/nor] this")
        print()
        print("begun", end="", flush=True)
        print(", ended")
        print(long)
        print("\x1b[31mred\x1b[0m")
        print("never ended", end="")
    text = squeezed("".join(window.seen()))
    window.close()
    for line in ("[bold]no markup[/], no emoji :x: [/nor] this", "begun, ended", long):
        assert squeezed(line) in text
    assert "ednever" in text  # red, without its escape sequences
    assert squeezed("never ended" + "".join(LINES)) in text
    assert text.count(squeezed(LINES[0])) == 1


def test_a_display_that_shrinks_leaves_nothing_behind(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_to(window, monkeypatch)
    window.texts = [f"line {n} of many" for n in range(9)]
    with window.display:
        window.display.say("above")
        window.texts = LINES[:1]
    assert window.seen() == ["above", LINES[0]]
    assert window.cursor == (0, 2)
    window.close()


def test_streams_are_given_back(
    window: Window, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    print_to(window, monkeypatch)
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        with window.display:
            assert sys.stdout is not window.file
            assert sys.stderr is log  # a file goes on getting what it got
            above = sys.stdout
        assert sys.stdout is window.file
        above.write("late\n")
    assert window.seen() == [*LINES, "late"]
    window.close()


def test_a_terminal_that_is_gone_holds_up_nobody(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_to(window, monkeypatch)
    window.display.start()
    above = sys.stdout
    window.close()
    with pytest.raises(OSError, match="Input/output error"):
        window.display.say("is anybody there?")
    assert sys.stdout is window.file
    with pytest.raises(OSError, match="Input/output error"):
        window.display.stop()
    with pytest.raises(OSError, match="Input/output error"):
        print("as without a display", file=above, flush=True)
