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
    found, notes = [], []
    for folder in folders:
        record = _record(folder)
        transfer = _transfer(problem, record, fill)
        if not transfer.trials:
            raise ConfigError(f"{KEY}: no trial of {folder} fits: {transfer.why()}.")
        best = _best(problem, transfer.trials, share)
        found.append([(folder, trial) for trial in best])
        notes.append(_note(folder, best, transfer))
    turns = itertools.chain.from_iterable(itertools.zip_longest(*found))
    points: dict[tuple[object, ...], Mapping[str, Any]] = {}
    for folder, trial in filter(None, turns):
        params = dict(trial.proposal.params)
        point = {"folder": folder, "trial": trial.number, "params": params}
        points.setdefault(point_key(params), point)
    return WarmStart(points=tuple(points.values())[:count], notes=tuple(notes))


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
        return read_record(Path(folder))
    except MoosnnError as error:
        raise ConfigError(f"{KEY}: {error}") from None


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


def _note(folder: str, best: Sequence[Trial], transfer: _Transfer) -> str:
    taken = ", ".join(str(trial.number) for trial in best)
    parts = [f"trials {taken} of {folder} are tried again here"]
    if not best:
        parts = [f"no trial of {folder} is feasible here"]
    if transfer.skipped:
        parts.append(f"skipped: {transfer.why()}")
    if transfer.dropped:
        parts.append(f"not searched here: {', '.join(transfer.dropped)}")
    return f"warm start: {'; '.join(parts)}"
