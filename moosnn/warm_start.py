"""Points of earlier studies that are worth trying again here.

Knows: other studies' journals and files of points, which of their points lie in this
space. Must not know: optimizers, how a study is run, other programs' files.

A trial of another study is no trial of this one: its data, its fixed values or its
problem may differ, so its measurement enters neither the front nor a model. Only its
point is taken over and evaluated here, which is honest however much the two differ.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moosnn.errors import ConfigError, MoosnnError, SpaceError, nearest
from moosnn.exchange.csv_points import read_csv
from moosnn.exchange.points import ENDINGS, Points, read_points
from moosnn.optimizers.base import point_key
from moosnn.pareto.dominance import spread
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.runtime.record import Record, read_record
from moosnn.space import Params
from moosnn.transfer import Transfer, of_points, of_record
from moosnn.trial import Trial

WARM_START = "warm_start"
KEY = f"study.{WARM_START}"
_POINTS, _FILL = f"{WARM_START}_points", f"{WARM_START}_fill"
_CSV = ".csv"
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

    A file of points (`moosnn.exchange.points`, or CSV) has its best ones first; they
    are taken in that order.

    A trial can be taken over if each parameter that is active here has a value there
    that may be tried here: one that was searched there, that its ``task.fixed`` names,
    or that ``fill`` gives; and if it measured what this problem names. Parameters that
    were searched there only are dropped. Each study has a front of its own, by this
    problem, of which members are taken in turns.

    Args:
        problem: of this study; says what may be tried.
        folders: of the earlier studies, or files of points.
        fill: values of parameters that they neither searched nor fixed.
        count: of the points, at most.

    Raises:
        ConfigError: a folder that holds no study, a file that has no points, or one
            none of whose trials can be taken over; a ``fill`` of no parameter, or out
            of its range.
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
    try:
        record = read_record(Path(folder))
    except MoosnnError as error:
        raise ConfigError(f"{KEY}: {error}") from None
    if record.simulated:
        raise ConfigError(
            f"{KEY}: {folder} is a simulation, whose trials never ran; name the study "
            "that it follows."
        )
    return record


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
    transfer: Transfer
    best: Sequence[Trial]
    damage: str | None


def _source(problem: Problem, folder: str, fill: Params, share: int) -> _Source:
    """What an earlier study offers, at most ``share`` trials.

    Raises:
        ConfigError: none of its trials can be taken over.
    """
    if Path(folder).is_file():
        return _file_source(problem, folder, fill)
    record = _record(folder)
    transfer = of_record(problem, record, fill)
    if not transfer.trials:
        why = "; ".join([transfer.why(), *_damaged(record.damage)])
        raise ConfigError(f"{KEY}: no trial of {folder} fits: {why}.")
    best = _best(problem, transfer.trials, share)
    return _Source(folder=folder, transfer=transfer, best=best, damage=record.damage)


def _file_source(problem: Problem, name: str, fill: Params) -> _Source:
    """What a file of points offers.

    Raises:
        ConfigError: it is none, or none of its points fits.
    """
    path = Path(name)
    if path.suffix.lower() not in (*ENDINGS, _CSV):
        raise ConfigError(
            f"{KEY}: expected the folder of a study or a file of points "
            f"({', '.join((*ENDINGS, _CSV))}), but {path} is another file; name a "
            f"folder, e.g. {path.parent}, or write such a file with python -m moosnn "
            "import."
        )
    try:
        points = _points(path)
    except ConfigError as error:
        raise ConfigError(f"{KEY}: {error}") from None
    transfer = of_points(problem, points, fill)
    if not transfer.trials:
        raise ConfigError(f"{KEY}: no point of {name} fits: {transfer.why()}.")
    return _Source(folder=name, transfer=transfer, best=transfer.trials, damage=None)


def _points(path: Path) -> Points:
    return read_csv(path)[0] if path.suffix.lower() == _CSV else read_points(path)


def _damaged(damage: str | None) -> list[str]:
    """What is to be said of a damaged journal, if it is one."""
    where = damage and damage.partition(" is damaged")[0]
    return [f"{where} is damaged: only what precedes it counts"] if where else []


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
