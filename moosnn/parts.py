"""A config's parts, built and checked: whatever can be wrong is found here.

Knows: which config key becomes which part. Must not know: hydra, how a study is run.
Nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosnn.agreement import (
    check_confirmation,
    check_cost,
    check_fidelity,
    check_metrics,
    fixed_of,
)
from moosnn.configs import choices
from moosnn.errors import ConfigError, nearest, one_of
from moosnn.narrowing import Narrowed, narrow, parameters_from_config
from moosnn.optimizers.base import Optimizer
from moosnn.origins import OPTIONS, optimizer_of, study_identity, with_pruner
from moosnn.problem import Problem
from moosnn.pruners.base import Pruner
from moosnn.runtime.executors import Executor
from moosnn.runtime.record import problem_of
from moosnn.runtime.worker import build
from moosnn.settings import Settings
from moosnn.space_check import check_space, placed
from moosnn.tasks.base import Task, abilities_of
from moosnn.tracking.tracker import Tracker

KEYS = (
    "task",
    "data",
    "space",
    "problem",
    "optimizer",
    "executor",
    "tracker",
    "study",
    "seed",
    "study_dir",
)
OPTIONAL_KEYS = ("pruner",)  # absent = null, as in studies older than it
STUDY_KEYS = ("budget", "confirm")
# What a task says that is asked for robustness, by a problem mostly, and has none.
_NO_ROBUSTNESS = "task: unknown key 'robustness'"
_NO_RUNGS = "task: unknown key 'rungs'"  # by a pruner
STUDY_OPTIONS = ("hours", "stagnation", "suggestion_s", *OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a study is put together from.

    Attributes:
        settings: how far it goes.
        problem: what is wanted.
        optimizer: says what to try next.
        task: what is evaluated.
        executor: runs the trials; nothing is started yet.
        pruner: says which running trial ends early, if any does.
        trackers: show it; nothing is shown yet.
        identity: what of ``study`` makes it another one, for the header.
        notes: lines for people about what was decided.
    """

    settings: Settings
    problem: Problem
    optimizer: Optimizer
    task: Task
    executor: Executor
    trackers: tuple[Tracker, ...]
    identity: Mapping[str, Any]
    pruner: Pruner | None = None
    notes: tuple[str, ...] = ()


def parts_of(config: Mapping[str, Any], folder: Path) -> Parts:
    """Build the parts of a study.

    Args:
        config: resolved, plain data.
        folder: of the study; need not exist.

    Raises:
        MoosnnError: a mistake in the config.
    """
    check_keys(config)
    settings = settings_of(config)
    problem = problem_of(config)
    task = _task_of(config)
    check_metrics(problem, task)
    check_confirmation(settings, task)
    check_cost(config["optimizer"], problem, task)
    narrowed = narrow(parameters_from_config(config["space"]))
    check_space(problem, task, fixed_of(config), narrowed.absent)
    problem = problem.guarded(task.refusal)
    asked, left_out = _without_absent(config["study"], narrowed)
    identity, notes = study_identity(asked, problem, folder)
    identity = with_pruner(identity, config)
    optimizer = optimizer_of({**config, "study": identity})
    executor = build(config, "executor")(folder=folder, task=task)
    check_fidelity(problem, task, config)
    pruner = _pruner_of(config, problem, task, executor)
    for name, part in config["tracker"].items():
        if not isinstance(part, Mapping) or "_target_" not in part:
            raise ConfigError(
                f"tracker.{name}: no tracker of that name is chosen (tracker=[{name}])."
                f"{nearest(name, choices('tracker'))}"
            )
    trackers = tuple(
        build(config, f"tracker.{name}")(
            folder=folder, problem=problem, budget=settings.budget
        )
        for name in config["tracker"]
    )
    return Parts(
        settings=settings,
        problem=problem,
        optimizer=optimizer,
        task=task,
        executor=executor,
        pruner=pruner,
        trackers=trackers,
        identity=identity,
        notes=(*left_out, *notes),
    )


def check_keys(config: Mapping[str, Any]) -> None:
    """Refuse keys that nobody would read, and a config that lacks some.

    Raises:
        ConfigError: with the nearest key, or the place of a number that is none.
    """
    _check_names("", config, KEYS, OPTIONAL_KEYS)
    for key in ("space", "problem", "study", "tracker"):
        if not isinstance(config[key], Mapping):
            raise ConfigError(f"{key}: expected a mapping, got {config[key]!r}.")
    _check_names("study.", config["study"], STUDY_KEYS, STUDY_OPTIONS)
    for where, value in _numbers("", config):
        if not math.isfinite(value):
            raise ConfigError(f"{where}: expected a finite number, got {value!r}.")
    folder = config["study_dir"]
    if folder is not None and (not isinstance(folder, str) or not folder.strip()):
        raise ConfigError(f"study_dir: expected a folder's name, got {folder!r}.")


def _check_names(
    prefix: str,
    config: Mapping[str, Any],
    needed: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> None:
    known = (*needed, *optional)
    for key in config:
        if key not in known:
            hint = nearest(prefix + key, [prefix + name for name in known])
            raise ConfigError(f"unknown key '{prefix}{key}'.{hint}")
    for key in needed:
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
    study = config["study"]
    confirm = study["confirm"]
    return Settings(
        budget=study["budget"],
        seed=config["seed"],
        confirm=None if confirm == "all" else confirm,
        hours=study.get("hours"),
        stagnation=study.get("stagnation"),
        suggestion_s=study.get("suggestion_s"),
    )


def _task_of(config: Mapping[str, Any]) -> Task:
    """The task, or whose fault it is that there is none.

    Raises:
        MoosnnError: what its constructor refuses.
    """
    try:
        task: Task = build(config, "task")
    except ConfigError as error:
        if str(error).startswith(_NO_RUNGS) and config.get("pruner") is not None:
            raise ConfigError(
                "pruner: the task tells nothing before its end: use task=snn, or "
                "pruner=none."
            ) from error
        if str(error).startswith(_NO_ROBUSTNESS):
            raise ConfigError(
                f"{error} It is asked by a problem of networks: use task=snn, or "
                "another problem."
            ) from error
        raise placed(error, fixed_of(config), "") from error
    return task


def _pruner_of(
    config: Mapping[str, Any], problem: Problem, task: Task, executor: Executor
) -> Pruner | None:
    """The pruner, if one is chosen and can be heard.

    Raises:
        ConfigError: the problem wants what is not known at rungs, or trials run in the
            driver, which hears nothing until they end.
    """
    if config.get("pruner") is None:
        return None
    pruner: Pruner = build(config, "pruner")
    told = abilities_of(task).at_rungs
    unknown = [metric for metric in problem.metrics if metric not in (told or ())]
    if told is not None and unknown:
        raise ConfigError(
            f"pruner: {unknown[0]!r} is known at the end of a training only, so that "
            "there is nothing to compare before: use another problem, or pruner=none."
        )
    if not executor.ahead:
        raise ConfigError(
            "pruner: this executor runs trials in the driver, which cannot stop them: "
            "use executor=local, or pruner=none."
        )
    return pruner


def _without_absent(
    study: Mapping[str, Any], narrowed: Narrowed
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Leave out what has an option that was left out of the space, and say so.

    Returns:
        ``study`` without enqueued points of such an option; lines for people.
    """
    left_out = dict.fromkeys((one.choice, one.value) for one in narrowed.absent)
    notes = []
    if narrowed.gone:
        options = one_of(f"{choice}={value}" for choice, value in left_out)
        notes.append(f"space: without {options} there is no {one_of(narrowed.gone)}.")
    points = study.get("enqueue")
    if not isinstance(points, list):
        return study, tuple(notes)
    kept = [
        point
        for point in points
        if not (
            isinstance(point, Mapping)
            and any(point.get(choice) == value for choice, value in left_out)
        )
    ]
    if len(kept) < len(points):
        notes.append(
            f"study.enqueue: {len(points) - len(kept)} of {len(points)} points are of "
            "options that the space does not have, and are not tried."
        )
    return {**study, "enqueue": kept}, tuple(notes)
