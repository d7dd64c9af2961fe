"""``completion``: a script that makes a shell complete moosnn's words.

Knows: shtab, the sub-commands' parsers, the groups of the config. Must not know: hydra.

shtab makes what completes the sub-commands, in each shell. What completes the words of
a study (groups, their choices, the keys of ``study``) is added to it: for bash and zsh
a function in a file beside this module, for tcsh more lines of the kind it has.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from moosnn.commands.choosing import groups
from moosnn.configs import choices, config_folder
from moosnn.options import Command, Parser

SHELLS = ("bash", "zsh", "tcsh")
_FILE = "completion.{}"  # the words of a study, beside this module
_TCSH = "complete moosnn \\\n"  # its only command
_FOLDERS = ("data.root", "study_dir")
_FLAGS = ("-m", "--multirun", "--cancel", "--cfg", "--help", "--version")
_EXPERIMENT = "experiment"
_STUDY = "study"


def script(shell: str) -> str:
    """The completion of a shell: one of `SHELLS`."""
    import shtab

    made: str = shtab.complete(_root(), shell=shell)
    match shell:
        case "bash":
            return f"{made}\n{_bash()}"
        case "zsh":
            return _zsh(made)
        case _:  # the first line that fits counts
            return made.replace(_TCSH, f"{_TCSH}{_tcsh()}", 1)


def _root() -> argparse.ArgumentParser:
    """One parser with all sub-commands."""
    from moosnn.commands.table import COMMANDS

    root = argparse.ArgumentParser(prog="moosnn")
    commands = root.add_subparsers(parser_class=Parser)
    for command in COMMANDS.values():
        command.words(commands.add_parser(command.name, help=command.told))
    return root


def _bash() -> str:
    """What bash is told of the words of a study."""
    return _filled("bash", KEYS=" ".join([*_keys(), *_FLAGS]), COMMANDS=_names())


def _zsh(made: str) -> str:
    """What zsh is told of all words.

    What shtab makes ends with a call of the function it has made, so it is the body of
    one here.
    """
    return _filled(
        "zsh",
        SHTAB=made.rstrip(),
        KEYS=_quoted(_keys()),
        FLAGS=_quoted(_FLAGS),
        COMMANDS=" ".join(f"{name} 1" for name in _names().split()),
    )


def _tcsh() -> str:
    """What tcsh is told of the words of a study, which is a word that has a value."""
    keys = " ".join([*_keys(), *_FLAGS])
    lines = [f"c/{key}=/d/" for key in _FOLDERS]
    for group in groups():
        found = " ".join(choices(group))
        lines += [f"c/{sign}{group}=/({found})/" for sign in ("", "+")]
    # Nothing is put behind a key: its value follows.
    lines += [f"p/1/({_names()} {keys})//", f"n/[a-z+~]*=*/({keys})//"]
    return "".join(f"        '{line}' \\\n" for line in lines)


def _filled(shell: str, **marks: str) -> str:
    """The file of a shell, with what there is to choose."""
    text = Path(__file__).with_name(_FILE.format(shell)).read_text(encoding="utf-8")
    name = {"bash": "words={}", "zsh": "words=({})"}[shell]
    cases = "\n".join(
        f"    {group}) {name.format(_listed(shell, choices(group)))} ;;"
        for group in groups()
    )
    for mark, words in {"GROUPS": cases, **marks}.items():
        text = text.replace(f"@{mark}@", words)
    return text


def _listed(shell: str, names: Sequence[str]) -> str:
    return shlex.quote(" ".join(names)) if shell == "bash" else _quoted(names)


def _quoted(names: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, names))


def _names() -> str:
    from moosnn.commands.table import COMMANDS

    return " ".join(COMMANDS)


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
        about="Print a script that completes the words of the command moosnn, those of "
        "a study as well, e.g. optimizer=ehvi.",
        examples=(
            "completion bash > ~/.moosnn-completion",
            "completion zsh > ~/.zfunc/_moosnn",
        ),
        words=_words,
        run=_completion,
    ),
)
