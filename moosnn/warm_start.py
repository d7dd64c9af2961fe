"""Points of earlier studies that are worth trying again here.

Knows: other studies' journals, which of their points lie in this space. Must not know:
optimizers, how a study is run.

A trial of another study is no trial of this one: its data, its fixed values or its
problem may differ, so its measurement enters neither the front nor a model. Only its
point is taken over and evaluated here, which is honest however much the two differ.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moosnn.errors import ConfigError, MoosnnError, SpaceError, nearest
from moosnn.optimizers.base import point_key
from moosnn.optimizers.enqueued import missing_parameters
from moosnn.pareto.dominance import spread
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.runtime.record import Record, read_record
from moosnn.space import Params, Value
from moosnn.trial import Trial

WARM_START = "warm_start"
KEY = f"study.{WARM_START}"
_POINTS, _FILL = f"{WARM_START}_points", f"{WARM_START}_fill"
_DEFAULT_POINTS = 5  # as in conf/config.yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """What is taken over from earlier studies.

    Attributes:
        points: canonical points of this study's space, each with the folder and the
            trial it comes from.
        notes: a line for people about each folder.
    """

    points: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def warm_start(
    problem: Problem, folders: Sequence[str], fill: Params, count: int
) -> WarmStart:
    """The points to take over, spread along the fronts of earlier studies.

    A trial can be taken over if each parameter that is active here has a value there
    that may be tried here: one that was searched there, that its ``task.fixed`` names,
    or that ``fill`` gives; and if it measured what this problem names. Parameters that
    were searched there only are dropped. Each study has a front of its own, by this
    problem, of which members are taken in turns.

    Args:
        problem: of this study; says what may be tried.
        folders: of the earlier studies.
        fill: values of parameters that they neither searched nor fixed.
        count: of the points, at most.

    Raises:
        ConfigError: a folder that holds no study, or none of whose trials can be taken
            over; a ``fill`` of no parameter, or out of its range.
    """
    _check_fill(problem, fill)
    share = math.ceil(count / len(folders))
    sources = [_source(problem, folder, fill, share) for folder in folders]
    offers = [[(source, trial) for trial in source.best] for source in sources]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*offers))
    points: dict[tuple[object, ...], tuple[_Source, Trial]] = {}
    for source, trial in filter(None, turns):
        points.setdefault(point_key(trial.proposal.params), (source, trial))
    taken = list(points.values())[:count]
    return WarmStart(
        points=tuple(
            {
                "folder": source.folder,
                "trial": trial.number,
                "params": dict(trial.proposal.params),
            }
            for source, trial in taken
        ),
        notes=tuple(
            _note(source, [trial for whose, trial in taken if whose is source], count)
            for source in sources
        ),
    )


def require_folders(study: Mapping[str, Any]) -> None:
    """Refuse what only a warm start reads where no study is named to begin with.

    Args:
        study: that part of the config.

    Raises:
        ConfigError: ``warm_start_fill`` has values, or ``warm_start_points`` is not at
            its default.
    """
    if study.get(WARM_START) not in (None, []):
        return
    fill, count = study.get(_FILL), study.get(_POINTS, _DEFAULT_POINTS)
    default = type(count) is int and count == _DEFAULT_POINTS
    for name, value, unset in (
        (_FILL, fill, fill is None or fill == {}),
        (_POINTS, count, default),
    ):
        if not unset:
            raise ConfigError(
                f"study.{name}: got {value!r}, but no study is named to begin with; "
                f"name one, e.g. {KEY}=[runs/nas-ehvi-s0], or take it out."
            )


def _check_fill(problem: Problem, fill: Params) -> None:
    for name, value in fill.items():
        where = f"{KEY}_fill.{name}"
        if name not in problem.space.parameters:
            hint = nearest(name, problem.space)
            raise ConfigError(f"{where}: the space has no such parameter.{hint}")
        try:
            problem.space.parameters[name].spell(value)
        except SpaceError as error:
            raise ConfigError(f"{where}: {error}") from None


def _record(folder: str) -> Record:
    path = Path(folder)
    if path.is_file():
        raise ConfigError(
            f"{KEY}: expected the folder of a study, but {folder} is a file; name a "
            f"folder, e.g. {path.parent}."
        )
    try:
        record = read_record(path)
    except MoosnnError as error:
        raise ConfigError(f"{KEY}: {error}") from None
    if record.simulated:
        raise ConfigError(
            f"{KEY}: {folder} is a simulation, whose trials never ran; name the study "
            "that it follows."
        )
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transfer:
    """The trials of a study that can be taken over, at points of this space.

    Attributes:
        trials: under their own numbers.
        skipped: how many others there are, by reason.
        dropped: parameters that were searched there only.
    """

    trials: tuple[Trial, ...]
    skipped: Mapping[str, int]
    dropped: tuple[str, ...]

    def why(self) -> str:
        """Why the others were skipped."""
        reasons = sorted(self.skipped.items(), key=lambda item: -item[1])
        parts = [f"{count} {reason}" for reason, count in reasons]
        return "; ".join(parts) or "none was evaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """An earlier study.

    Attributes:
        folder: as it was given.
        transfer: which of its trials can be taken over.
        best: those that are offered.
        damage: which line of its journal is damaged, if one is.
    """

    folder: str
    transfer: _Transfer
    best: Sequence[Trial]
    damage: str | None


def _source(problem: Problem, folder: str, fill: Params, share: int) -> _Source:
    """What an earlier study offers, at most ``share`` trials.

    Raises:
        ConfigError: none of its trials can be taken over.
    """
    record = _record(folder)
    transfer = _transfer(problem, record, fill)
    if not transfer.trials:
        why = "; ".join([transfer.why(), *_damaged(record.damage)])
        raise ConfigError(f"{KEY}: no trial of {folder} fits: {why}.")
    best = _best(problem, transfer.trials, share)
    return _Source(folder=folder, transfer=transfer, best=best, damage=record.damage)


def _damaged(damage: str | None) -> list[str]:
    """What is to be said of a damaged journal, if it is one."""
    where = damage and damage.partition(" is damaged")[0]
    return [f"{where} is damaged: only what precedes it counts"] if where else []


def _transfer(problem: Problem, record: Record, fill: Params) -> _Transfer:
    there = record.problem.space
    fixed = record.config["task"].get("fixed") or {}
    trials: list[Trial] = []
    skipped: Counter[str] = Counter()
    for trial in record.history.done:
        active = there.active(trial.proposal.params)
        known = {**fill, **fixed, **active}
        params = {name: known[name] for name in problem.space if name in known}
        reason = _unfit(problem, trial, params)
        if reason:
            skipped[reason] += 1
            continue
        here = problem.space.canonical(params)
        moved = replace(trial.proposal, params=here)
        trials.append(replace(trial, proposal=moved))
    dropped = tuple(name for name in there if name not in problem.space.parameters)
    return _Transfer(trials=tuple(trials), skipped=skipped, dropped=dropped)


def _unfit(problem: Problem, trial: Trial, params: dict[str, Value]) -> str | None:
    """Why a trial cannot be taken over, or ``None``."""
    missing = missing_parameters(problem.space, params)
    if missing:
        return (
            f"without a value for {', '.join(missing)} (give it one with "
            f"{KEY}_fill.{missing[0]}=…)"
        )
    try:
        here = problem.space.canonical(params)
    except SpaceError as error:
        rule, _, _ = str(error).partition(", got ")
        return f"outside of this space ({rule.rstrip('.')})"
    if problem.refusal(here):
        return "that may not be tried here"
    assert trial.evaluation is not None
    lack = problem.check_evaluation(trial.evaluation)
    return f"of which {lack}" if lack else None


def _best(problem: Problem, trials: Sequence[Trial], count: int) -> list[Trial]:
    """Members of the trials' front, spread along it."""
    front = front_of(problem, trials)
    members = front.within(problem) or front
    shape = (len(members), len(problem.objectives))
    rows = spread(np.array(members.losses).reshape(shape), count)
    by_number = {trial.number: trial for trial in trials}
    return [by_number[members.numbers[row]] for row in rows]


def _note(source: _Source, taken: Sequence[Trial], count: int) -> str:
    """What becomes of an earlier study's trials, for people.

    Args:
        source: the study.
        taken: the trials that are tried again.
        count: of the points of all studies, at most.
    """
    folder, transfer = source.folder, source.transfer
    numbers = ", ".join(str(trial.number) for trial in taken)
    if len(taken) > 1:
        parts = [f"trials {numbers} of {folder} are tried again here"]
    elif taken:
        parts = [f"trial {numbers} of {folder} is tried again here"]
    elif source.best:
        parts = [
            f"no trial of {folder} is tried again here: others have the same points, "
            f"or come first (study.{_POINTS}={count})"
        ]
    else:
        parts = [f"no trial of {folder} is feasible here"]
    if transfer.skipped:
        parts.append(f"skipped: {transfer.why()}")
    if transfer.dropped:
        parts.append(f"not searched here: {', '.join(transfer.dropped)}")
    parts += _damaged(source.damage)
    return f"warm start: {'; '.join(parts)}"
