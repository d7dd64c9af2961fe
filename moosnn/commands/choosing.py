"""``choices``: what there is to choose in each group of the config.

Knows: the YAML files, what their first line says. Must not know: hydra.
"""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Mapping
from itertools import takewhile

from moosnn.commands.printing import say_json
from moosnn.configs import choices, config_folder
from moosnn.errors import ConfigError, nearest
from moosnn.options import Command, Parser

_WIDTH = 80  # columns at most, for easy reading
_LEAST = 20  # columns of a text, however narrow the terminal
_SENTENCE = re.compile(r"(?<!e\.g)(?<!al)\. (?=[A-Z])")
# First lines of experiments that are for hydra, or repeat how they are started.
_SKIPPED = ("@package", "python -m moosnn")


def groups() -> list[str]:
    """The groups of the config."""
    return sorted(f.name for f in config_folder().iterdir() if f.is_dir())


def told(group: str, name: str) -> str:
    """The first sentence of the comment that a choice's file begins with."""
    path = config_folder() / group / f"{name}.yaml"
    comment = takewhile(
        lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines()
    )
    lines = [line.removeprefix("#").strip() for line in comment]
    text = " ".join(line for line in lines if not line.startswith(_SKIPPED))
    return _SENTENCE.split(text, maxsplit=1)[0].removesuffix(".")


def _words(parser: Parser) -> None:
    what = "e.g. optimizer: each choice of it, and what it is"
    parser.value("group", metavar="GROUP", what=what, nargs="?")
    parser.json()


def _choices(options: argparse.Namespace) -> None:
    known, group = groups(), options.group
    if group is not None and group not in known:
        raise ConfigError(f"choices: got {group!r}.{nearest(group, known)}")
    if options.json:
        shown = known if group is None else [group]
        say_json({g: {name: told(g, name) for name in choices(g)} for g in shown})
    elif group is not None:
        _print_rows({name: told(group, name) for name in choices(group)})
    else:
        _print_rows({name: ", ".join(choices(name)) for name in known})


def _print_rows(rows: Mapping[str, str]) -> None:
    """Names in a column, and beside each its text, wrapped."""
    width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
    indent = max(map(len, rows)) + 2
    width = max(width, indent + _LEAST)
    for name, text in rows.items():
        filled = textwrap.fill(
            text,
            width=width,
            initial_indent=f"{name:<{indent}}",
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )
        print(filled or name)


COMMANDS = (
    Command(
        name="choices",
        told="what there is to choose: optimizers, data, …",
        about="List what there is for each group of the config. Choose it by "
        "group=name, an experiment by +experiment=name.",
        examples=("choices", "choices optimizer", "choices --json"),
        words=_words,
        run=_choices,
    ),
)
