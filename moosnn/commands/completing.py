"""``completion``: a script that makes a shell complete moosnn's words.

Knows: shtab, the sub-commands' parsers, the groups of the config. Must not know: hydra.

shtab makes what completes the sub-commands, in each shell. In bash the words of a study
are completed as well: groups, their choices, the keys of ``study``.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from moosnn.commands.choosing import groups
from moosnn.configs import choices, config_folder
from moosnn.options import Command, Parser

SHELLS = ("bash", "zsh", "tcsh")
_BASH = "completion.bash"  # the words of a study, beside this module
_FLAGS = ("-m", "--multirun", "--cancel", "--cfg", "--help", "--version")
_EXPERIMENT = "experiment"
_STUDY = "study"


def script(shell: str) -> str:
    """The completion of a shell: one of `SHELLS`."""
    import shtab

    made: str = shtab.complete(_root(), shell=shell)
    return f"{made}\n{_study_words()}" if shell == "bash" else made


def _root() -> argparse.ArgumentParser:
    """One parser with all sub-commands."""
    from moosnn.commands.table import COMMANDS

    root = argparse.ArgumentParser(prog="moosnn")
    commands = root.add_subparsers(parser_class=Parser)
    for command in COMMANDS.values():
        command.words(commands.add_parser(command.name, help=command.told))
    return root


def _study_words() -> str:
    """What bash is told of the words of a study."""
    from moosnn.commands.table import COMMANDS

    cases = "\n".join(
        f"    {group}) words={shlex.quote(' '.join(choices(group)))} ;;"
        for group in groups()
    )
    text = Path(__file__).with_name(_BASH).read_text(encoding="utf-8")
    for mark, words in (
        ("@KEYS@", " ".join([*_keys(), *_FLAGS])),
        ("@GROUPS@", cases),
        ("@COMMANDS@", " ".join(COMMANDS)),
    ):
        text = text.replace(mark, words)
    return text


def _keys() -> list[str]:
    """What may stand before an equals sign: groups, and keys of the config."""
    import yaml

    config = yaml.safe_load((config_folder() / "config.yaml").read_text("utf-8"))
    plain = [key for key, value in config.items() if not isinstance(value, dict | list)]
    keys = [*plain, *(f"{_STUDY}.{key}" for key in config[_STUDY])]
    named = [f"+{g}" if g == _EXPERIMENT else g for g in groups()]
    return [f"{key}=" for key in [*named, *keys, "data.root", "executor.workers"]]


def _words(parser: Parser) -> None:
    parser.choice("shell", "SHELL", ", ".join(SHELLS), SHELLS)


def _completion(options: argparse.Namespace) -> None:
    print(script(options.shell))


COMMANDS = (
    Command(
        name="completion",
        told="a script that completes words in a shell",
        about="Print a script that completes the words of the command moosnn: in bash "
        "also those of a study, e.g. optimizer=ehvi.",
        examples=(
            "completion bash > ~/.moosnn-completion",
            "completion zsh > ~/.zfunc/_moosnn",
        ),
        words=_words,
        run=_completion,
    ),
)
