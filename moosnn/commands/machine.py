"""``doctor`` and ``data check``: is what a study needs there, and is it sound?

Knows: what each prints. Must not know: hydra, what is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from moosnn.commands.printing import say, say_json
from moosnn.options import FOLDERS, Command, Parser

if TYPE_CHECKING:
    from moosnn.runtime.doctor_check import Check


def _doctor_words(parser: Parser) -> None:
    what = "where studies are to lie (default: runs)"
    parser.value(
        "folder", metavar="DIR", what=what, kind=Path, offers=FOLDERS, nargs="?"
    )
    what = "a study is to run on Slurm: what is wrong with that counts"
    parser.flag("--slurm", what)
    parser.json()


def _doctor(options: argparse.Namespace) -> int:
    from moosnn.runtime.doctor import DEFAULT_FOLDER, examine, verdict

    found = examine(options.folder or DEFAULT_FOLDER, slurm=options.slurm)
    checks = list(found if options.json else _printed(found))
    told, code = verdict(checks)
    if options.json:
        rows = [asdict(check) for check in checks]
        say_json({"verdict": told, "can_run": code == 0, "checks": rows})
    else:
        print(told)
    return code


def _printed(checks: Iterable[Check]) -> Iterator[Check]:
    """Each as soon as it is done: the next one may take its time."""
    for check in checks:
        print(check, flush=True)
        yield check


def _data_words(parser: Parser) -> None:
    parser.choice("check", "check", "the word check", ("check",))
    parser.value("folder", metavar="DIR", what="as data.root", offers=FOLDERS)
    parser.json()


def _data(options: argparse.Namespace) -> None:
    from moosnn.data_check import check

    lines = check(options.folder)
    if options.json:
        say_json({"folder": str(options.folder), "lines": lines})
    else:
        say(*lines)


COMMANDS = (
    Command(
        name="data",
        told="which data sets lie there; reads all files",
        about="Say which data sets lie in a folder, and read all of their files.",
        examples=("data check ~/data/mnist",),
        words=_data_words,
        run=_data,
    ),
    Command(
        name="doctor",
        told="is this machine, or --slurm, fit for a study?",
        about="Say whether this machine and a folder are fit for a study. Nothing is "
        "left behind.",
        examples=("doctor", "doctor /scratch/me/runs --slurm --json"),
        codes="1 something stops a study",
        words=_doctor_words,
        run=_doctor,
    ),
)
