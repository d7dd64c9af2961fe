"""The words of the sub-commands, and what is said of wrong ones.

Knows: argparse. Must not know: what a sub-command does.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from moosnn.errors import ConfigError, nearest

SUBCOMMANDS: tuple[str, ...] = (
    *("status", "front", "edge", "report", "replay", "data"),
    *("doctor", "simulate"),
)
REPORT = "report"  # the folder of a report's files
WATCH_S = 2.0  # between two looks of status --watch
_LEAST_WATCH_S = 0.1
_DIR = "a study folder, or a folder of studies"
_EXPECTED = "the following arguments are required: "


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print with the usage.

        Raises:
            ConfigError: always.
        """
        if message.startswith(_EXPECTED):
            missing = message.removeprefix(_EXPECTED)
            what = missing if missing.startswith("--") else f"a folder ({missing})"
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
                self.error(f"expected one folder, got {word!r} as well.")
            known = [
                o for a in self._actions for o in a.option_strings if o[1:2] == "-"
            ]
            option = word.partition("=")[0]
            self.error(f"unknown option {option!r}.{nearest(option, known)}")


def parser_of(name: str) -> Parser:
    """The parser of a sub-command's words."""
    told = {
        "status": "Show where studies stand. Nothing is written.",
        "front": "Show the front of a study. Nothing is written.",
        "edge": "Show how far the front is from the edge; write edge.png.",
        "report": "Draw a study, or compare several; write pictures and tables.",
        "replay": "Recompute a study's proposals from what their optimizer had seen.",
        "simulate": "Say what other numbers of workers would have made of a study.",
        "doctor": "Say whether this machine and a folder are fit for a study.",
        "data": "Say which data sets lie in a folder, and read all of their files.",
    }
    parser = Parser(prog=f"moosnn {name}", description=told[name], allow_abbrev=False)
    if name in ("data", "doctor"):
        return _with_one_folder(parser, name)
    count = 1 if name in ("front", "edge", "replay", "simulate") else "+"
    parser.add_argument("folders", metavar="DIR", type=Path, nargs=count, help=_DIR)
    if name == "report":
        where = (
            f"where to write (default: {REPORT} in DIR; of several DIRs: ./{REPORT})"
        )
        parser.add_argument("--out", metavar="FOLDER", type=Path, help=where)
        return parser
    if name == "edge":
        what = "two numeric parameters to draw it over (default: the most telling two)"
        parser.add_argument("--parameters", metavar="A,B", help=what)
        what = "the front member to draw it around (default: the median one)"
        parser.add_argument("--member", metavar="N", type=_whole, help=what)
        return parser
    if name == "simulate":
        _add_simulate(parser)
        return parser
    if name == "replay":
        for option, what in (
            ("--from", "the first trial (default: 0)"),
            ("--to", "the last trial (default: the last)"),
            ("--every", "each how manieth from there (default: 1)"),
        ):
            parser.add_argument(option, metavar="N", type=_whole, help=what)
        return parser
    parser.add_argument("--json", action="store_true", help="print JSON")
    if name == "status":
        what = f"look again each so many seconds ({WATCH_S:g}) until all are finished"
        parser.add_argument(
            "--watch",
            metavar="SECONDS",
            type=_seconds,
            nargs="?",
            const=WATCH_S,
            help=what,
        )
    if name == "front":
        what = "the front when N trials had ended, as it was known then"
        parser.add_argument("--at", metavar="N", type=_whole, help=what)
    return parser


def _with_one_folder(parser: Parser, name: str) -> Parser:
    """The words of what looks at a folder that need not hold a study."""
    if name == "data":
        parser.add_argument("check", choices=("check",))
        parser.add_argument("folder", metavar="DIR", help="as data.root")
    else:
        what = "where studies are to lie (default: runs)"
        parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", help=what)
        what = "a study is to run on Slurm: what is wrong with that counts"
        parser.add_argument("--slurm", action="store_true", help=what)
    return parser


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not _LEAST_WATCH_S <= seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected seconds >= {_LEAST_WATCH_S:g}, got {word!r}; folders come first."
        )
    return seconds


def _add_simulate(parser: Parser) -> None:
    what = "numbers of workers, e.g. 8,64,512"
    parser.add_argument(
        "--workers", metavar="N,…", type=_wholes, required=True, help=what
    )
    what = "trials that end (default: those of the study)"
    parser.add_argument("--budget", metavar="N", type=_whole, help=what)
    what = "another optimizer than the study's"
    parser.add_argument("--optimizer", metavar="NAME", help=what)
    what = "mean seconds of a trial (default: as the nearest one of the study)"
    parser.add_argument("--mean", metavar="S", type=_number, help=what)
    what = "of the logarithm of log-normal seconds (default: 0, all alike)"
    parser.add_argument("--sigma", metavar="X", type=_number, help=what)
    what = "keep the journals of the simulated studies there"
    parser.add_argument("--out", metavar="FOLDER", type=Path, help=what)


def _wholes(word: str) -> list[int]:
    return [_whole(part) for part in word.split(",")]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {word!r}.") from None


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a whole number, got {word!r}."
        ) from None
