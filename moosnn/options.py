"""What a sub-command is, its words, and what is said of wrong ones.

Knows: argparse, how a help text looks. Must not know: which sub-commands there are.
"""

from __future__ import annotations

import argparse
import math
import shutil
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from moosnn.errors import ConfigError, nearest

JSON = "--json"
# What a completion offers for a value; the names are shtab's.
FILES, FOLDERS = "file", "directory"
_WIDTH = 80  # columns of a line of help, and of a terminal whose width is unknown
_LEAST_WATCH_S = 0.1
_DIR = "a study folder, or a folder of studies"
_EXPECTED = "the following arguments are required: "

Run = Callable[[argparse.Namespace], int | None]


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print with the usage.

        Raises:
            ConfigError: always.
        """
        if message.startswith(_EXPECTED):
            missing = message.removeprefix(_EXPECTED)
            named = missing.startswith("--") or not missing.endswith("DIR")
            what = missing if named else f"a folder ({missing})"
            message = f"expected {what}."
        name = self.prog.partition(" ")[2]
        raise ConfigError(f"{name}: {message.removeprefix('argument ')}")

    def refuse(self, words: Sequence[str]) -> None:
        """Complain about the first of some words that nobody asked for.

        Raises:
            ConfigError: there is one.
        """
        for word in words:
            if not word.startswith("-"):
                self.error(f"expected one {self._wanted()}, got {word!r} as well.")
            known = [
                o for a in self._actions for o in a.option_strings if o[1:2] == "-"
            ]
            option = word.partition("=")[0]
            self.error(f"unknown option {option!r}.{nearest(option, known)}")

    def _wanted(self) -> str:
        """What its last positional word is, for people."""
        last = self._get_positional_actions()[-1]
        return "folder" if last.metavar == "DIR" else str(last.metavar or last.dest)

    def value(
        self,
        *words: str,
        metavar: str,
        what: str,
        kind: Callable[[str], object] = str,
        offers: str | None = None,
        **more: object,
    ) -> None:
        """Add what has a value.

        Args:
            words: its option strings, or the name of a positional word.
            metavar: of the value.
            what: it is, for the help.
            kind: how it is read.
            offers: what a completion offers: `FILES` or `FOLDERS`.
            more: as `argparse.ArgumentParser.add_argument` has it.
        """
        action = self.add_argument(
            *words,
            metavar=metavar,
            type=kind,
            help=what,
            **more,  # type: ignore[arg-type]  # passed on as they come
        )
        if offers is not None:
            action.complete = offers  # type: ignore[attr-defined]  # where shtab looks

    def choice(self, word: str, metavar: str, what: str, names: Sequence[str]) -> None:
        """Add what has one of some values, and must be given.

        Args:
            word: its option string, or the name of a positional word.
            metavar: of the value.
            what: it is, for the help.
            names: the values.
        """
        action = self.add_argument(
            word, metavar=metavar, help=what, type=one_of(names), choices=names
        )
        action.required = True

    def flag(self, word: str, what: str) -> None:
        """Add what is either there or not."""
        self.add_argument(word, action="store_true", help=what)

    def studies(self, count: int | str) -> None:
        """Add the folders that it is about: so many, or ``+``."""
        self.value(
            "folders", metavar="DIR", what=_DIR, kind=Path, offers=FOLDERS, nargs=count
        )

    def json(self, what: str = "print JSON") -> None:
        """Add `JSON`."""
        self.flag(JSON, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A sub-command.

    Attributes:
        name: its first word.
        told: what it does, a few words, for the list of all.
        about: what it does and writes, sentences, for its own help.
        examples: lines that show it, without the program's name.
        codes: what its exit codes mean beyond 0 (done) and 2 (a mistake).
        words: adds its words to a parser.
        run: does it; returns the exit code if that is not 0.
    """

    name: str
    told: str
    about: str
    examples: tuple[str, ...]
    words: Callable[[Parser], None]
    run: Run
    codes: str = ""

    def parser(self) -> Parser:
        """A parser of its words."""
        made = Parser(
            prog=f"moosnn {self.name}",
            description=self.about,
            epilog=self._epilog(),
            allow_abbrev=False,
            formatter_class=_formatter,
        )
        self.words(made)
        return made

    def _epilog(self) -> str:
        lines = [f"  python -m moosnn {line}" for line in self.examples]
        codes = f"{self.codes}; " if self.codes else ""
        told = f"Exit codes: 0 done; {codes}2 a mistake, or trouble with the machine."
        title = "example:" if len(lines) == 1 else "examples:"
        return "\n".join([title, *lines, "", *textwrap.wrap(told, _WIDTH)])


class _Help(argparse.RawDescriptionHelpFormatter):
    """Wraps what is told of a command, and leaves its examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return textwrap.fill(text, width, initial_indent=indent)


def _formatter(prog: str) -> argparse.HelpFormatter:
    columns = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
    return _Help(prog, width=columns, max_help_position=24)


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """What reads one of some names; of another it says which is nearest."""

    def read(word: str) -> str:
        if word not in names:
            raise argparse.ArgumentTypeError(f"got {word!r}.{nearest(word, names)}")
        return word

    return read


def seconds(word: str) -> float:
    """Read how long to wait between two looks."""
    try:
        found = float(word)
    except ValueError:
        found = math.nan
    if not _LEAST_WATCH_S <= found < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected seconds >= {_LEAST_WATCH_S:g}, got {word!r}; folders come first."
        )
    return found


def wholes(word: str) -> list[int]:
    """Read whole numbers with commas between them."""
    return [whole(part) for part in word.split(",")]


def number(word: str) -> float:
    """Read a number."""
    try:
        return float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {word!r}.") from None


def whole(word: str) -> int:
    """Read a whole number."""
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a whole number, got {word!r}."
        ) from None
