"""The command line's sub-commands: which one is meant, and are its words right?

Knows: the sub-commands. Must not know: hydra, how a study is run, what any of them
does.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Sequence

from moosnn.commands.table import COMMANDS
from moosnn.configs import choices
from moosnn.errors import ConfigError, nearest

SUBCOMMANDS: tuple[str, ...] = tuple(COMMANDS)


def run(words: Sequence[str]) -> int:
    """Run a sub-command.

    Args:
        words: its name and what follows.

    Returns:
        The exit code: 0, or 1 if a replay found a difference, or the doctor something
        that stops a study.

    Raises:
        MoosnnError: a user's mistake, or trouble with a folder; one line.
    """
    name = words[0] if words else ""
    if name not in COMMANDS:
        raise ConfigError(f"unknown sub-command {name!r}.{_meant(name)}")
    parser = COMMANDS[name].parser()
    try:
        options, rest = parser.parse_known_args(words[1:])
    except SystemExit:  # --help
        return 0
    parser.refuse(rest)
    _never_unprintable()
    code = None
    try:
        code = COMMANDS[name].run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as head, has enough. Nor may Python complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code or 0


def _meant(name: str) -> str:
    """What may be meant by a word that is no sub-command."""
    if name == "help":
        return " Did you mean --help?"
    if name in choices("experiment"):
        return f" Did you mean the experiment: +experiment={name}?"
    return nearest(name, SUBCOMMANDS)


def _never_unprintable() -> None:
    """In a locale without some character its number is printed, and nothing breaks."""
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        change = getattr(stream, "reconfigure", None)
        if change is not None and codecs.lookup(encoding).name != "utf-8":
            change(errors="backslashreplace")
