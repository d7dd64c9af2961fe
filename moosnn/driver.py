"""Puts the parts of a study together and runs it.

Knows: which config key becomes which part, the study folder, what is printed around a
run. Must not know: hydra, how a config is composed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console as Terminal

from moosnn.errors import ConfigError, StudyFolderError, nearest
from moosnn.history import History, Kind
from moosnn.interruption import Interruption
from moosnn.problem import Problem
from moosnn.runtime import files
from moosnn.runtime.header import header, require_same
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.journal import Journal, read
from moosnn.runtime.lease import Lease
from moosnn.runtime.record import problem_of
from moosnn.runtime.worker import build
from moosnn.settings import Settings, is_finished
from moosnn.space import Params, Space
from moosnn.study import Study
from moosnn.tasks.base import Task
from moosnn.tracking.advice import Advice
from moosnn.tracking.front_table import print_front
from moosnn.tracking.results import FRONT_CSV, FRONT_PNG, HYPERVOLUME_PNG, Results
from moosnn.tracking.tracker import Tracker

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
    """Refuse keys that nobody would read, and a config that lacks some.

    Raises:
        ConfigError: with the nearest key, or the place of a number that is none.
    """
    _check_names("", config, KEYS)
    for key in ("space", "problem", "study", "tracker"):
        if not isinstance(config[key], Mapping):
            raise ConfigError(f"{key}: expected a mapping, got {config[key]!r}.")
    _check_names("study.", config["study"], STUDY_KEYS)
    for where, value in _numbers("", config):
        if not math.isfinite(value):
            raise ConfigError(f"{where}: expected a finite number, got {value!r}.")
    folder = config["study_dir"]
    if folder is not None and (not isinstance(folder, str) or not folder.strip()):
        raise ConfigError(f"study_dir: expected a folder's name, got {folder!r}.")


def _check_names(
    prefix: str, config: Mapping[str, Any], known: tuple[str, ...]
) -> None:
    for key in config:
        if key not in known:
            hint = nearest(prefix + key, [prefix + name for name in known])
            raise ConfigError(f"unknown key '{prefix}{key}'.{hint}")
    for key in known:
        if key not in config:
            raise ConfigError(f"the config lacks the key '{prefix}{key}'.")


def _numbers(where: str, value: object) -> Iterator[tuple[str, float]]:
    """The floating-point numbers of a config, and where each stands."""
    if isinstance(value, float):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(f"{where}.{key}".lstrip("."), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _numbers(f"{where}[{index}]", inner)


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


def run(config: Mapping[str, Any], folder: Path, *, cancel: bool = False) -> None:
    """Run a study, or continue it, or show that it is finished.

    Everything that can be wrong with the config is found before anything is written.

    Args:
        config: resolved, plain data, that `check_keys` lets pass.
        folder: of the study; made if it does not exist.
        cancel: when interrupted, end what runs instead of leaving it to the next
            driver.

    Raises:
        MoosnnError: a mistake in the config, or trouble with the folder.
    """
    settings = settings_of(config)
    problem = problem_of(config)
    optimizer = build(config, "optimizer")
    task: Task = build(config, "task")
    _check_task(problem, task, config["task"].get("fixed") or {})
    executor = build(config, "executor")(folder=folder, task=task)
    trackers = [
        build(config, f"tracker.{name}")(
            folder=folder, problem=problem, budget=settings.budget
        )
        for name in config["tracker"]
    ]
    _pin_threads()
    _check_folder(folder)
    now = header(config, task.fingerprint(), DRIVER_THREADS)
    if _is_over(folder, problem, settings, now):
        return
    _make_folder(folder)
    with Lease.acquire(folder) as lease:
        # Once more under the lease: another driver may have been faster.
        _differences(folder, now)
        journal = Journal(folder, lease)
        _write_config(folder, config)
        if not len(journal.history):
            journal.append(Kind.STUDY, data=now)
        _tell_repairs(journal)
        own: list[Tracker] = [
            Results(folder=folder, problem=problem),
            Advice(problem=problem, budget=settings.budget),
        ]
        interruption = Interruption()
        study = Study(
            problem=problem,
            optimizer=optimizer,
            executor=executor,
            journal=journal,
            trackers=[*own, *trackers],
            settings=settings,
            interruption=interruption,
        )
        with interruption:
            study.run(cancel=cancel)
    names = (FRONT_CSV, FRONT_PNG, HYPERVOLUME_PNG)
    found = [name for name in names if (folder / name).exists()]
    _say(f"results: {folder}: {', '.join(found)}")


def _is_over(
    folder: Path, problem: Problem, settings: Settings, now: Mapping[str, Any]
) -> bool:
    """Look at what is in the folder; show the front of a finished study.

    Raises:
        JournalError: it holds the study of another config.
    """
    for difference in _differences(folder, now):
        _say(f"note: this study was made with other {difference}")
    history = read(folder / JOURNAL).history
    if not is_finished(problem, history, settings):
        return False
    _show_finished(folder, problem, history)
    return True


def _differences(folder: Path, now: Mapping[str, Any]) -> list[str]:
    """What differs from the study in the folder without making it another one.

    Raises:
        JournalError: it is another one.
    """
    history = read(folder / JOURNAL).history
    return require_same(folder, history[0].data, now) if len(history) else []


def _tell_repairs(journal: Journal) -> None:
    """What opening the journal found and mended."""
    if journal.torn_bytes:
        _say(
            f"note: the journal's torn tail ({journal.torn_bytes} bytes) was set aside"
        )
    if journal.ignored:
        _say(
            f"note: {journal.ignored} journal lines of a superseded driver are ignored"
        )


def _show_finished(folder: Path, problem: Problem, history: History) -> None:
    print_front(Terminal(highlight=False, emoji=False), problem, history)
    _say(
        f"{folder}: this study is finished. Extend it with "
        f"study.budget={2 * history.proposals}, or start anew with another seed=… or "
        "study_dir=…."
    )


def _check_task(problem: Problem, task: Task, fixed: Mapping[str, Any]) -> None:
    problem.check_task(task.metrics)
    for name in problem.space:
        if name in fixed:
            raise ConfigError(
                f"task.fixed.{name}: the space searches it; take it out of one of them "
                f"(~space.{name})."
            )
        if task.parameters is not None and name not in task.parameters:
            hint = nearest(name, task.parameters)
            raise ConfigError(f"space.{name}: the task has no such parameter.{hint}")
    for params in _extremes(problem.space):
        try:
            task.check(params)
        except ConfigError as error:
            raise ConfigError(f"space: {error}") from error


def _extremes(space: Space) -> Iterator[Params]:
    """Points that have each parameter's ends, or each option, once."""
    middle = space.decode([0.5] * len(space))
    for name, parameter in space.parameters.items():
        options = getattr(parameter, "options", None)
        for value in options or (parameter.decode(0.0), parameter.decode(1.0)):
            yield space.active({**middle, name: value})


def _check_folder(folder: Path) -> None:
    """Refuse a folder that lies at or under a file.

    Raises:
        StudyFolderError: it does.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise StudyFolderError(
            f"study_dir={folder}: expected a folder, but {there} is a file; choose "
            "another."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyFolderError(
            f"study_dir={folder}: cannot be made ({error.strerror}); choose another."
        ) from error


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Keep the resolved config, from which jobs build their task."""
    path = folder / files.CONFIG_NAME
    temporary = path.with_name(f".{path.name}")
    try:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        temporary.replace(path)
    except OSError as error:
        raise StudyFolderError(
            f"{path}: cannot be written ({error.strerror}); make room or mend the "
            "rights, then give the same command again."
        ) from error


def _say(text: str) -> None:
    """A line to whoever still reads: a closed pipe must not end a study."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def _pin_threads() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(DRIVER_THREADS)  # numpy's and scipy's linear algebra
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(DRIVER_THREADS)
