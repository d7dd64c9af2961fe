"""Every trial as a row: the one place for the columns of tables and exports.

Knows: problems, histories, confirmations. Must not know: how a table is written.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from moosnn.confirmation import Confirmed, confirmed
from moosnn.history import History
from moosnn.parameters import Choice, Int, Parameter
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.tracking.points import points_of
from moosnn.trial import Evaluation, Status, Trial

PARAM = "param."
Cell = bool | int | float | str | None


class Standing(StrEnum):
    """What became of a trial."""

    FRONT = "front"
    DOMINATED = "dominated"
    INFEASIBLE = "infeasible"
    SILENT = "silent"
    PRUNED = "pruned"
    FAILED = "failed"
    PENDING = "pending"


class Kind(StrEnum):
    """What the values of a column are; any may be missing."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "text"
    WORD = "word"  # text of which there are few different ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One value of every trial.

    Attributes:
        name: of the column.
        kind: of its values.
        values: one a trial, ``None`` where there is none.
    """

    name: str
    kind: Kind
    values: Sequence[Cell]


def standings(problem: Problem, history: History) -> dict[int, Standing]:
    """What became of every trial, by number.

    Trials of one point are judged together, by their means, as the front is: all those
    of a member are of the front. One that fell silent or was pruned itself is that,
    whatever the others of its point are.

    Args:
        problem: says what is feasible, better, and what makes objectives meaningless.
        history: what happened.
    """
    points = points_of(problem, history)
    members = set(front_of(problem, points.trials).numbers)
    found = {
        number: _of_point(problem, point, point.number in members)
        for point in points.trials
        for number in points.numbers[point.number]
    }
    for trial in history.trials:
        own = _own(problem, trial)
        if own is not None:
            found[trial.number] = own
    return dict(sorted(found.items()))


def _own(problem: Problem, trial: Trial) -> Standing | None:
    """What a trial is whatever the others of its point are, or ``None``."""
    if trial.status is Status.PENDING:
        return Standing.PENDING
    if trial.status is Status.FAILED:
        return Standing.FAILED
    if trial.is_pruned:
        return Standing.PRUNED
    return None if problem.is_observed(trial) else Standing.SILENT


def _of_point(problem: Problem, point: Trial, is_member: bool) -> Standing:
    own = _own(problem, point)
    if own is not None:
        return own
    if is_member:
        return Standing.FRONT
    feasible = problem.is_feasible(point)
    return Standing.DOMINATED if feasible else Standing.INFEASIBLE


def trial_table(problem: Problem, history: History) -> list[Column]:
    """Every proposed trial, by number.

    Columns: ``number``; ``status`` (pending, done, failed); ``origin``; ``feasible``
    (none unless evaluated); ``stopped``; ``seconds``; ``failure`` (its kind); every
    metric that any trial measured, those of the problem first (``metric.<name>`` if
    another column has its name); every parameter (``param.<name>``, none where
    inactive); ``repeats``, the trial whose point it repeats; ``standing`` (see
    `Standing`); ``attempts``; ``seed``; ``sem.<metric>``, the standard errors that are
    known; for each metric of the problem ``test.<metric>.mean``, ``.min``, ``.max``;
    ``test.count`` retrainings, of which ``test.infeasible`` violated a constraint or
    failed. Each trial has its own values; the means of points are in the front's file.
    """
    trials = history.trials
    found = standings(problem, history)
    columns = [
        Column(name="number", kind=Kind.INT, values=[t.number for t in trials]),
        _words("status", [str(t.status) for t in trials]),
        _words("origin", [t.proposal.origin for t in trials]),
        Column(
            name="feasible",
            kind=Kind.BOOL,
            values=[problem.is_feasible(t) if t.evaluation else None for t in trials],
        ),
        _words("stopped", _each(trials, lambda e: e.stopped)),
        _floats("seconds", _each(trials, lambda e: e.seconds)),
        _words("failure", [t.failure.kind if t.failure else None for t in trials]),
    ]
    later = [
        Column(
            name="repeats",
            kind=Kind.INT,
            values=[t.proposal.repeats for t in trials],
        ),
        _words("standing", [str(found[t.number]) for t in trials]),
        Column(name="attempts", kind=Kind.INT, values=[t.attempt for t in trials]),
        Column(name="seed", kind=Kind.INT, values=[t.proposal.seed for t in trials]),
    ]
    later += [*_sems(problem, trials), *_tests(problem, history)]
    params = _params(problem, trials)
    taken = {column.name for column in (*columns, *params, *later)}
    return [*columns, *_metrics(problem, trials, taken), *params, *later]


def _words(name: str, values: Sequence[Cell]) -> Column:
    return Column(name=name, kind=Kind.WORD, values=values)


def _floats(name: str, values: Sequence[Cell]) -> Column:
    return Column(name=name, kind=Kind.FLOAT, values=values)


def _each(trials: Sequence[Trial], of: Callable[[Evaluation], Cell]) -> list[Cell]:
    """A value of each trial's evaluation, if it has one."""
    return [of(t.evaluation) if t.evaluation else None for t in trials]


def _ordered(problem: Problem, named: Sequence[Mapping[str, float]]) -> list[str]:
    """The metrics of the problem, then the others by name."""
    measured = {metric for metrics in named for metric in metrics}
    return [*problem.metrics, *sorted(measured - set(problem.metrics))]


def _metrics(
    problem: Problem, trials: Sequence[Trial], taken: Collection[str]
) -> list[Column]:
    values = [t.evaluation.metrics if t.evaluation else {} for t in trials]
    return [
        _floats(
            f"metric.{name}" if name in taken else name, [v.get(name) for v in values]
        )
        for name in _ordered(problem, values)
    ]


def _sems(problem: Problem, trials: Sequence[Trial]) -> list[Column]:
    values = [t.evaluation.sems if t.evaluation else {} for t in trials]
    names = _ordered(problem, values)
    return [_floats(f"sem.{name}", [v.get(name) for v in values]) for name in names]


def _params(problem: Problem, trials: Sequence[Trial]) -> list[Column]:
    space = problem.space
    active = [space.active(trial.proposal.params) for trial in trials]
    return [
        Column(
            name=f"{PARAM}{name}",
            kind=kind_of(parameter),
            values=[params.get(name) for params in active],
        )
        for name, parameter in space.parameters.items()
    ]


def kind_of(parameter: Parameter) -> Kind:
    """What the values of a parameter are."""
    if isinstance(parameter, Choice):
        counts = Counter(type(option) for option in parameter.options)
        if counts.keys() == {bool}:
            return Kind.BOOL
        if counts.keys() == {int}:
            return Kind.INT
        if counts.keys() <= {int, float}:
            return Kind.FLOAT
        return Kind.WORD
    return Kind.INT if isinstance(parameter, Int) else Kind.FLOAT


def _tests(problem: Problem, history: History) -> list[Column]:
    found = confirmed(history)
    each = [found.get(number) for number in range(history.proposals)]
    columns = []
    for metric in problem.metrics:
        values = [test.values(metric) if test else [] for test in each]
        columns += [
            _floats(
                f"test.{metric}.mean", [sum(v) / len(v) if v else None for v in values]
            ),
            _floats(f"test.{metric}.min", [min(v, default=None) for v in values]),
            _floats(f"test.{metric}.max", [max(v, default=None) for v in values]),
        ]
    counts = [_count(problem, test) for test in each]
    for place, name in enumerate(("test.count", "test.infeasible")):
        tested = [pair[place] if pair else None for pair in counts]
        columns.append(Column(name=name, kind=Kind.INT, values=tested))
    return columns


def _count(problem: Problem, test: Confirmed | None) -> tuple[int, int] | None:
    """How many retrainings there were, and how many violated something or failed."""
    if test is None:
        return None
    violated = sum(
        any(c.violation(e.metrics[c.metric]) > 0 for c in problem.constraints)
        for e in test.evaluations
    )
    lost = len(test.failures)
    return len(test.evaluations) + lost, violated + lost


def table_csv(columns: Sequence[Column]) -> str:
    """The table as CSV, blank where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    # The writer spells None as nothing, and a float so that it can be read back.
    writer.writerows(zip(*(column.values for column in columns), strict=True))
    return text.getvalue()
