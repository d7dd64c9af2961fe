"""Studies side by side: curves, medians and ranges. Numbers only.

Knows: problems, histories, configs as plain data. Must not know: folders, pictures,
how groups are told apart.

Studies that differ in nothing but their seed are one group. Two questions are asked,
and they treat a study that is shorter than the others of its group differently:

- What had been found after so many trials? A study that stopped after 30 says nothing
  about 40, whether it is finished or not, unless its space was exhausted: then there
  was nothing more to find.
- What was in hand after so much time? A finished study was over: what it had found
  stays. One that is not finished says nothing about later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.problem import Floats, Problem
from moosnn.tracking.overview import is_ended
from moosnn.tracking.points import Points, points_of
from moosnn.tracking.progress import Follower, Progress, is_silent
from moosnn.trial import Trial

# Where the groups' table reads the curves, as shares of the smallest budget.
FRACTIONS = (0.25, 0.5, 0.75, 1.0)
_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A hypervolume that changes in steps; 0 before the first.

    Attributes:
        x: where it changes, not descending, ``n``: trials ended or seconds at work.
        y: the hypervolume from there on, ``n``.
        end: how far it is known, >= the last x; infinite if nothing follows.
    """

    x: Floats
    y: Floats
    end: float

    def at(self, x: Floats) -> Floats:
        """The hypervolume at some places, each >= 0 and <= `end`."""
        padded = np.concatenate([[0.0], self.y])
        values: Floats = padded[np.searchsorted(self.x, x, side="right")]
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Median and range of a group's curves, as far as all of them are known.

    Attributes:
        x: from 0, ascending, ``n``.
        median, low, high: ``n`` each; they hold from their x on to the next.
    """

    x: Floats
    median: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One study.

    Attributes:
        name: for people: where it lies.
        config: its identity and the digest of its data, flat: dotted names to text.
        seed: of the study.
        problem: what is wanted.
        now: its numbers at the end.
        budget: how many trials were to end, if that is known.
        finished: whether nothing was left to do.
        by_trials: the hypervolume against trials ended.
        by_seconds: the hypervolume against seconds at work.
        feasible: objectives of its feasible points, natural units, ``n x m``: of one
            that was measured several times the means of all.
        ended: after how many ended trials each of them was there (the first of its
            trials), ``n``.
        front: objectives of the front's members, ``k x m``, by ascending first loss.
        beyond: of each point beyond the edge how far, and its first objective or NaN,
            ``s x 2``.
    """

    name: str
    config: Mapping[str, str]
    seed: Any
    problem: Problem
    now: Progress
    budget: int | None
    finished: bool
    by_trials: Curve
    by_seconds: Curve
    feasible: Floats
    ended: Floats
    front: Floats
    beyond: Floats

    @property
    def best(self) -> dict[str, float]:
        """The best feasible value of each objective; empty if nothing is feasible."""
        if not len(self.feasible):
            return {}
        columns = zip(self.problem.objectives, self.feasible.T, strict=True)
        return {
            o.metric: float(column.max() if o.goal == "max" else column.min())
            for o, column in columns
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Studies that differ in their seed only.

    Attributes:
        label: the optimizer, and what else tells the group from the others.
        studies: one or more, by name.
    """

    label: str
    studies: tuple[Compared, ...]

    @property
    def unfinished(self) -> int:
        """How many of its studies are not finished."""
        return sum(not study.finished for study in self.studies)

    @property
    def title(self) -> str:
        """The label with the number of studies, and how many are unfinished."""
        more = f", {self.unfinished} unfinished" if self.unfinished else ""
        return f"{self.label} ({len(self.studies)}{more})"

    def share(self, what: str) -> float:
        """Which share of the group's ended trials is e.g. ``feasible``, ``silent``."""
        ended = sum(study.now.ended for study in self.studies)
        return float(sum(getattr(s.now, what) for s in self.studies) / ended)

    def volumes_at(self, trials: int) -> Floats:
        """The hypervolumes after so many trials, of the studies that tell."""
        known = [s.by_trials for s in self.studies if s.by_trials.end >= trials]
        return np.array([curve.at(np.array([trials]))[0] for curve in known])

    @property
    def volumes(self) -> Floats:
        """The last hypervolume of each study."""
        return np.array([study.now.hypervolume for study in self.studies])


def compared(
    name: str,
    config: Mapping[str, Any],
    problem: Problem,
    history: History,
    budget: int | None,
) -> Compared:
    """What a comparison needs of one study.

    Args:
        name: for people: where it lies.
        config: the identity of its config.
        problem: of that config.
        history: everything so far, its header included.
        budget: how many trials were to end, or ``None``.
    """
    follower = Follower.of(problem, history)
    now, curve = follower.now, follower.curve
    finished = is_ended(history)
    exhausted = finished and budget is not None and now.ended < budget
    volumes = np.array([point.hypervolume for point in curve])
    counts = np.array([float(point.ended) for point in curve])
    seconds = np.array([point.elapsed_s for point in curve])
    digests = history[0].data.get("fingerprint", {})
    data = {key: str(digest)[:_HASH_DIGITS] for key, digest in digests.items()}
    points = points_of(problem, history)
    ended, feasible = _feasible(problem, points, history)
    return Compared(
        name=name,
        config=dict(_flat({**config, "data": data})),
        seed=config.get("seed"),
        problem=problem,
        now=now,
        budget=budget,
        finished=finished,
        by_trials=Curve(
            x=counts, y=volumes, end=math.inf if exhausted else float(now.ended)
        ),
        by_seconds=Curve(
            x=seconds, y=volumes, end=math.inf if finished else now.elapsed_s
        ),
        feasible=_natural(problem, feasible),
        ended=np.array(ended, dtype=float),
        front=_natural(problem, follower.front),
        beyond=_beyond(problem, points),
    )


def _feasible(
    problem: Problem, points: Points, history: History
) -> tuple[list[int], list[Trial]]:
    """The feasible points, and after how many ended trials each was there."""
    feasible = {t.number: t for t in points.trials if problem.is_feasible(t)}
    ended, counts, trials = 0, [], []
    for event in history:
        if event.kind in (Kind.FINISHED, Kind.FAILED, Kind.CORRECTED):
            ended += event.kind is not Kind.CORRECTED
            if event.kind is not Kind.FAILED and event.number in feasible:
                counts.append(ended)
                trials.append(feasible[event.number])
    return counts, trials


def _natural(problem: Problem, trials: Sequence[Trial]) -> Floats:
    """The objectives of observed trials; on a log scale none is below the floor."""
    values: Floats = problem.losses(trials)
    for column, objective in enumerate(problem.objectives):
        values[:, column] = [objective.value(float(x)) for x in values[:, column]]
    return values


def _beyond(problem: Problem, points: Points) -> Floats:
    voiding = next((c for c in problem.constraints if c.voids), None)
    metric = problem.objectives[0].metric
    rows = [
        (
            voiding.violation(trial.evaluation.metrics[voiding.metric]),
            trial.evaluation.metrics.get(metric, math.nan),
        )
        for trial in points.trials
        if voiding and trial.evaluation and is_silent(problem, trial)
    ]
    return np.array(rows, dtype=float).reshape(len(rows), 2)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            yield f"{prefix}{key}", value
        else:
            yield f"{prefix}{key}", json.dumps(value, separators=(",", ":"))


def band(curves: Sequence[Curve], until: float = 0.0) -> Band:
    """Median and range of some curves, as far as all of them are known.

    Args:
        curves: one or more.
        until: where curves that keep their last value for ever are to end.
    """
    changes = np.unique(np.concatenate([[0.0], *(curve.x for curve in curves)]))
    limit = min(curve.end for curve in curves)
    grid = changes[changes <= limit]
    grid = np.union1d(grid, [limit if math.isfinite(limit) else max(until, grid[-1])])
    values = np.array([curve.at(grid) for curve in curves])
    return Band(
        x=grid,
        median=np.median(values, axis=0),
        low=values.min(axis=0),
        high=values.max(axis=0),
    )


def checkpoints(groups: Sequence[Group]) -> list[int]:
    """The numbers of trials at which groups are compared: `FRACTIONS` of a budget.

    Of the smallest budget of all studies, so that each number means the same for every
    group; a study whose budget is not known counts with what has ended.
    """
    budgets = [s.budget or s.now.ended for one in groups for s in one.studies]
    return [math.ceil(fraction * min(budgets)) for fraction in FRACTIONS]
