"""Puts the parts of a study together and runs it.

Knows: which config key becomes which part, the study folder, what is printed around a
run. Must not know: hydra, how a config is composed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal

from moosnn.errors import ConfigError, StudyFolderError, nearest
from moosnn.history import History, Kind
from moosnn.problem import Problem
from moosnn.runtime import files
from moosnn.runtime.header import header, require_same
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.journal import Journal, read
from moosnn.runtime.lease import Lease
from moosnn.runtime.worker import build
from moosnn.space import Space
from moosnn.study import Settings, Study, is_finished
from moosnn.tasks.base import Task
from moosnn.tracking.console import print_front
from moosnn.tracking.results import Results

KEYS = (
    "task",
    "space",
    "problem",
    "optimizer",
    "executor",
    "tracker",
    "study",
    "seed",
    "study_dir",
)
STUDY_KEYS = ("budget", "confirm")
# The driver's numbers depend on how many threads add them up, and on a small machine
# more than one only fight the trials for its cores.
DRIVER_THREADS = 1


def check_keys(config: Mapping[str, Any]) -> None:
    """Refuse keys that nobody would read.

    Raises:
        ConfigError: with the nearest key.
    """
    for key in config:
        if key not in KEYS:
            raise ConfigError(f"unknown key {key!r}.{nearest(key, KEYS)}")
    for key in config["study"]:
        if key not in STUDY_KEYS:
            hint = nearest(key, STUDY_KEYS)
            raise ConfigError(f"unknown key 'study.{key}'.{hint}")


def problem_of(config: Mapping[str, Any]) -> Problem:
    """The problem of a resolved config, with its space.

    Raises:
        SpaceError, ProblemError: what they refuse.
    """
    return Problem.from_config(Space.from_config(config["space"]), config["problem"])


def settings_of(config: Mapping[str, Any]) -> Settings:
    """How far a resolved config goes.

    Raises:
        ConfigError: a number out of its range.
    """
    confirm = config["study"]["confirm"]
    return Settings(
        budget=config["study"]["budget"],
        seed=config["seed"],
        confirm=None if confirm == "all" else confirm,
    )


def run(config: Mapping[str, Any], folder: Path) -> None:
    """Run a study, or continue it, or show that it is finished.

    Everything that can be wrong with the config is found before anything is written.

    Args:
        config: resolved, plain data, with the `KEYS`.
        folder: of the study; made if it does not exist.

    Raises:
        MoosnnError: a mistake in the config, or trouble with the folder.
    """
    check_keys(config)
    settings = settings_of(config)
    problem = problem_of(config)
    optimizer = build(config, "optimizer")
    task: Task = build(config, "task")
    _check_task(problem, task)
    executor_of, tracker_of = build(config, "executor"), build(config, "tracker")
    _pin_threads()
    now = header(config, task.fingerprint(), DRIVER_THREADS)
    if _is_over(folder, problem, settings, now):
        return
    _make_folder(folder)
    with Lease.acquire(folder) as lease:
        executor = executor_of(folder=folder, task=task)
        tracker = tracker_of(folder=folder, problem=problem, budget=settings.budget)
        journal = Journal(folder, lease)
        _write_config(folder, config)
        if not len(journal.history):
            journal.append(Kind.STUDY, data=now)
        study = Study(
            problem=problem,
            optimizer=optimizer,
            executor=executor,
            journal=journal,
            trackers=[Results(folder=folder, problem=problem), tracker],
            settings=settings,
        )
        study.run()
    print(f"results: {folder}/front.csv, front.png, hypervolume.png")


def _is_over(
    folder: Path, problem: Problem, settings: Settings, now: Mapping[str, Any]
) -> bool:
    """Look at what is in the folder; show the front of a finished study.

    Raises:
        JournalError: it holds the study of another config.
    """
    history = read(folder / JOURNAL).history
    if not len(history):
        return False
    for difference in require_same(folder, history[0].data, now):
        print(f"moosnn: note: this study was made with other {difference}")
    if not is_finished(problem, history, settings):
        return False
    _show_finished(folder, problem, history, settings)
    return True


def _show_finished(
    folder: Path, problem: Problem, history: History, settings: Settings
) -> None:
    print_front(Terminal(highlight=False), problem, history)
    print(
        f"{folder}: this study is finished. Extend it with "
        f"study.budget={2 * settings.budget}, or start anew with another seed=… or "
        "study_dir=…."
    )


def _check_task(problem: Problem, task: Task) -> None:
    problem.check_task(task.metrics)
    if task.parameters is None:
        return
    for name in problem.space:
        if name not in task.parameters:
            hint = nearest(name, task.parameters)
            raise ConfigError(f"space.{name}: the task has no such parameter.{hint}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyFolderError(
            f"study_dir={folder}: cannot be made ({error.strerror}); choose another."
        ) from error


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Keep the resolved config; JSON is YAML, and needs no library to be read."""
    path = folder / files.CONFIG_NAME
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(config, indent=2) + "\n")
    temporary.replace(path)


def _pin_threads() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(DRIVER_THREADS)  # numpy's and scipy's linear algebra
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(DRIVER_THREADS)
