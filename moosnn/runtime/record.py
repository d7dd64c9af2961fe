"""A study folder that is only read: its config, its problem, what happened.

Knows: the files of a study folder. Must not know: tasks, optimizers, how a study is
run. Nothing of the config is instantiated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from moosnn.errors import ConfigError, JournalError, StudyFolderError
from moosnn.events import Event
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.runtime.files import CONFIG_NAME
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.journal import read
from moosnn.space import Space

# In the header of a journal that was not lived through.
SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One study.

    Attributes:
        folder: where it lies.
        config: the identity of its config (task, space, problem, optimizer, seed), as
            its journal has it.
        problem: of that config.
        history: everything so far.
        budget: how many trials are to end; ``None`` if ``config.yaml`` is gone.
        damage: which line of the journal is damaged, if one is; `history` ends before.
    """

    folder: Path
    config: Mapping[str, Any]
    problem: Problem
    history: History
    budget: int | None
    damage: str | None = None

    @property
    def simulated(self) -> bool:
        """Whether its trials are copies of another study's."""
        return SIMULATED in self.history[0].data


def problem_of(config: Mapping[str, Any]) -> Problem:
    """The problem of a resolved config, with its space.

    Raises:
        SpaceError, ProblemError: what they refuse.
    """
    space = Space.from_config(config["space"], narrowed=True)
    return Problem.from_config(space, config["problem"])


def read_record(folder: Path) -> Record:
    """Read a study; a driver may be writing to it.

    Raises:
        StudyFolderError: the folder holds no study.
        JournalError: its journal does not begin with a study's header.
    """
    contents = read(folder / JOURNAL, up_to_damage=True)
    history = contents.history
    if not len(history) and contents.damage:
        raise JournalError(contents.damage)
    if not len(history):
        raise StudyFolderError(
            f"{folder}: holds no study (no {JOURNAL} with a first line); name the "
            "folder of one, e.g. runs/nas-ehvi-s0."
        )
    problem = problem_of_header(folder, history[0])
    return Record(
        folder=folder,
        config=history[0].data["config"],
        problem=problem,
        history=history,
        budget=budget_of(folder),
        damage=contents.damage,
    )


def problem_of_header(folder: Path, header: Event) -> Problem:
    """The problem of a journal's first event.

    Raises:
        JournalError: it is not the header of a study.
    """
    config = header.data.get("config")
    try:
        return problem_of(config if isinstance(config, Mapping) else {})
    except (ConfigError, KeyError) as error:
        raise JournalError(
            f"{folder / JOURNAL}: line 1 is not the header of a study: {error}."
        ) from error


def find_studies(folder: Path) -> list[Path]:
    """The study folders at or below a folder, sorted; a study holds no other.

    Raises:
        StudyFolderError: there is no such folder, or no study in it.
    """
    if not folder.is_dir():
        raise StudyFolderError(f"{folder}: no such folder.")
    found, waiting = [], [folder]
    while waiting:
        path = waiting.pop()
        if (path / JOURNAL).is_file():
            found.append(path)
        else:
            waiting += [p for p in path.iterdir() if p.is_dir() and not p.is_symlink()]
    if not found:
        raise StudyFolderError(
            f"{folder}: holds no study, neither itself nor any folder below it."
        )
    return sorted(found)


def budget_of(folder: Path) -> int | None:
    """How many trials of a study are to end; ``None`` if its config does not say."""
    try:
        budget = yaml.safe_load((folder / CONFIG_NAME).read_text())["study"]["budget"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
    return budget if isinstance(budget, int) else None
