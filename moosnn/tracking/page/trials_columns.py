"""Every trial of a study as columns: what it was, what it gave, what it counts for.

Knows: problems, histories. Must not know: how a trial is drawn.

Of a point that was measured with several seeds the first trial stands for all: it has
the means over the seeds, as the front judges them, and the others say whose repeats
they are. So whoever draws all trials but the repeats draws every point once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.front import Front, front_of
from moosnn.problem import Floats, Problem
from moosnn.tracking.page.plain import plain, plain_values, plains
from moosnn.tracking.points import Points, points_of
from moosnn.tracking.progress import is_silent
from moosnn.trial import Status, Trial

STATUSES = (
    "front",
    "dominated",
    "infeasible",
    "silent",
    "pruned",
    "repeat",
    "failed",
    "pending",
)
_FEASIBLE = ("front", "dominated")
_UNENDED = "pending"
# Of more trials the metrics of single layers are left out: they would be half the page.
_MANY_TRIALS = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The trials of a study, judged.

    Attributes:
        problem: that judges them.
        history: that they are of.
        points: of them.
        front: of the points.
        shown: every proposed trial by number; the first of a repeated point with the
            means of all.
        status: of each, one of `STATUSES`.
    """

    problem: Problem
    history: History
    points: Points
    front: Front
    shown: tuple[Trial, ...]
    status: tuple[str, ...]

    @classmethod
    def of(cls, problem: Problem, history: History) -> Trials:
        """The trials of a history."""
        points = points_of(problem, history)
        front = front_of(problem, points.trials)
        pooled = {trial.number: trial for trial in points.trials}
        trials = history.trials
        shown = tuple(pooled.get(trial.number, trial) for trial in trials)
        on_front = frozenset(front.numbers)
        status = tuple(_status(problem, t, on_front, pooled) for t in shown)
        return cls(
            problem=problem,
            history=history,
            points=points,
            front=front,
            shown=shown,
            status=status,
        )

    def counts(self) -> dict[str, int]:
        """How many trials have ended, are feasible, and have each status."""
        counted = Counter(self.status)
        found = {status: counted[status] for status in STATUSES}
        ended = len(self.status) - counted[_UNENDED]
        return {
            "ended": ended,
            "feasible": sum(found[status] for status in _FEASIBLE),
            **found,
        }


def _status(
    problem: Problem, trial: Trial, on_front: Container[int], points: Container[int]
) -> str:
    evaluation = trial.evaluation
    if evaluation is None:
        return "failed" if trial.status is Status.FAILED else _UNENDED
    if trial.number not in points:
        return "repeat"
    if trial.number in on_front:
        return "front"
    if trial.is_pruned:
        return "pruned"
    if is_silent(problem, trial) or evaluation.stopped == "silent":
        return "silent"
    return "dominated" if problem.is_feasible(trial) else "infeasible"


def trials_json(trials: Trials, clock: Floats) -> dict[str, Any]:
    """The trials as the page has them.

    Args:
        trials: of a study.
        clock: seconds at work at each event (`moosnn.tracking.page.timeline`).
    """
    shown = trials.shown
    submitted, ended, order = _moments(trials.history, clock)
    names = _metric_names(trials.problem, shown)
    known = {name for t in shown if t.evaluation for name in t.evaluation.sems}
    return {
        "number": [t.number for t in shown],
        "status": list(trials.status),
        "ended": [order.get(t.number) for t in shown],
        "params": _params(trials.problem, shown),
        "metrics": {name: _metric(shown, name) for name in names},
        "sems": {name: _sems(shown, name) for name in names if name in known},
        "submitted_s": [plain(submitted.get(t.number)) for t in shown],
        "ended_s": [plain(ended.get(t.number)) for t in shown],
        "worker": [t.job_id for t in shown],
        "attempts": [t.attempt for t in shown],
        "seconds": [_seconds(t) for t in shown],
        "origin": [t.proposal.origin for t in shown],
        "stopped": [t.evaluation.stopped if t.evaluation else None for t in shown],
        "failure": [t.failure.kind if t.failure else None for t in shown],
        "repeats": [t.proposal.repeats for t in shown],
    }


def _moments(
    history: History, clock: Floats
) -> tuple[Mapping[int, float], Mapping[int, float], Mapping[int, int]]:
    """When each trial was first given out and ended, and after how many others."""
    submitted: dict[int, float] = {}
    ended: dict[int, float] = {}
    order: dict[int, int] = {}
    count = 0
    for event, now in zip(history, clock.tolist(), strict=True):
        if event.number is None:
            continue
        if event.kind is Kind.SUBMITTED:
            submitted.setdefault(event.number, now)
        elif event.kind in (Kind.FINISHED, Kind.FAILED, Kind.CORRECTED):
            # A corrected trial was counted when it failed.
            count += event.kind is not Kind.CORRECTED
            ended[event.number], order[event.number] = now, count
    return submitted, ended, order


def _params(problem: Problem, trials: Sequence[Trial]) -> dict[str, list[Any]]:
    active = [problem.space.active(t.proposal.params) for t in trials]
    return {
        name: plain_values(parameter, (row.get(name) for row in active))
        for name, parameter in problem.space.parameters.items()
    }


def _metric_names(problem: Problem, trials: Sequence[Trial]) -> list[str]:
    """The problem's metrics, then what else any trial measured."""
    measured = {name for t in trials if t.evaluation for name in t.evaluation.metrics}
    if len(trials) > _MANY_TRIALS:
        measured = {name for name in measured if "." not in name}
    return [*problem.metrics, *sorted(measured - set(problem.metrics))]


def _seconds(trial: Trial) -> float | int | None:
    return plain(trial.evaluation.seconds) if trial.evaluation else None


def _metric(trials: Sequence[Trial], name: str) -> list[float | int | None]:
    return plains(
        t.evaluation.metrics.get(name) if t.evaluation else None for t in trials
    )


def _sems(trials: Sequence[Trial], name: str) -> list[float | int | None]:
    return plains(t.evaluation.sems.get(name) if t.evaluation else None for t in trials)
