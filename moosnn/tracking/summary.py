"""The front as rows of text and numbers, for tables and files.

Knows: problems, histories, confirmations. Must not know: how a row is shown.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moosnn.confirmation import Confirmed, confirmed
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.space import Params, Space, Value
from moosnn.tracking.points import points_of
from moosnn.tracking.trial_table import table_csv, trial_table
from moosnn.trial import Trial

_NUMBERED = re.compile(r"(.+)_(\d+)")
_BRIEF_S = 10
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a front.

    Attributes:
        trial: as it was searched; its metrics are validation values, means if it was
            measured several times.
        trials: the numbers of all trials of its point that were evaluated, ascending.
        confirmed: its retrainings on the test split; ``None`` if there are none.
    """

    trial: Trial
    trials: tuple[int, ...]
    confirmed: Confirmed | None

    @property
    def is_repeated(self) -> bool:
        """Whether it was measured several times."""
        return len(self.trials) > 1

    @property
    def metrics(self) -> Mapping[str, float]:
        """The validation values."""
        assert self.trial.evaluation is not None
        return self.trial.evaluation.metrics

    @property
    def sems(self) -> Mapping[str, float]:
        """The standard errors of the validation values that are known.

        Of a repeated member over its seeds (see `pooled`), else as its task told.
        """
        assert self.trial.evaluation is not None
        return self.trial.evaluation.sems

    def fell_infeasible(self, problem: Problem) -> int:
        """How many retrainings violate a constraint (fell silent) or failed."""
        if self.confirmed is None:
            return 0
        violated = sum(
            any(
                c.violation(evaluation.metrics[c.metric]) > 0
                for c in problem.constraints
            )
            for evaluation in self.confirmed.evaluations
        )
        return violated + len(self.confirmed.failures)


def members(problem: Problem, history: History) -> list[Member]:
    """The front's members, by ascending first loss."""
    found, points = confirmed(history), points_of(problem, history)
    trials = {trial.number: trial for trial in points.trials}
    return [
        Member(
            trial=trials[number],
            trials=points.numbers[number],
            confirmed=found.get(number),
        )
        for number in front_of(problem, points.trials).numbers
    ]


def number_text(value: float) -> str:
    """A number for a table: about three digits, no exponent where it reads well."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e6:
        digits = 3 if magnitude < 1 else 2 if magnitude < 10 else 1
        return f"{value:.{digits}f}" if magnitude >= 1e-2 else f"{value:.4f}"
    return f"{value:.2e}"


def duration_text(seconds: float, parts: int = 2) -> str:
    """Seconds for a person: ``0.42 s``, ``45 s``, ``6 min 20 s``, ``2 h 5 min``.

    Args:
        seconds: >= 0.
        parts: how many units at most.
    """
    if seconds < _MINUTE_S:
        brief = seconds < _BRIEF_S
        return f"{seconds:.2g} s" if seconds > 0 and brief else f"{seconds:.0f} s"
    whole = round(seconds)
    texts: list[str] = []
    for unit, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min"), (1, "s")):
        count, whole = divmod(whole, unit)
        if count or texts:
            texts.append(f"{count} {name}")
    kept = texts[:parts]
    return " ".join(t for i, t in enumerate(kept) if i == 0 or not t.startswith("0 "))


def value_text(value: Value) -> str:
    """A parameter's value for a table."""
    if isinstance(value, bool | str):
        return str(value)
    return number_text(value)


def params_text(space: Space, params: Params) -> str:
    """The active parameters in short.

    Numbered ones are joined: ``width_1=64, width_2=32`` becomes ``width=64-32``.
    """
    groups: dict[str, list[str]] = {}
    for name, value in space.active(params).items():
        numbered = _NUMBERED.fullmatch(name)
        groups.setdefault(numbered[1] if numbered else name, []).append(
            value_text(value)
        )
    return " ".join(f"{name}={'-'.join(texts)}" for name, texts in groups.items())


def range_text(values: Sequence[float]) -> str:
    """Mean and range: ``0.951 (0.944-0.956)``; a dash for no values."""
    if not values:
        return "-"
    mean = sum(values) / len(values)
    ends = f"{number_text(min(values))}-{number_text(max(values))}"
    return f"{number_text(mean)} ({ends})"


def front_json(problem: Problem, history: History) -> list[dict[str, Any]]:
    """The front as JSON data, a mapping a member, by ascending first loss.

    Returns:
        Keys ``number``; ``params``, the active ones; ``metrics``, all that were
        measured (validation; means over ``trials``); ``test``: ``None`` without
        retrainings, else ``count`` of them, ``infeasible``, how many violated a
        constraint or failed, and ``metrics``: for each metric ``mean``, ``min``,
        ``max`` and ``count``, how many measured it; ``trials``, the numbers of all
        trials of the point; ``sems``, standard errors of those metrics where it is
        known.
    """
    return [
        {
            "number": row.trial.number,
            "params": dict(problem.space.active(row.trial.proposal.params)),
            "metrics": dict(row.metrics),
            "test": _test_json(problem, row),
            "trials": list(row.trials),
            "sems": dict(row.sems),
        }
        for row in members(problem, history)
    ]


def _test_json(problem: Problem, row: Member) -> dict[str, Any] | None:
    found = row.confirmed
    if found is None:
        return None
    names = sorted({name for e in found.evaluations for name in e.metrics})
    named = {name: found.values(name) for name in names}
    return {
        "count": len(found.evaluations) + len(found.failures),
        "infeasible": row.fell_infeasible(problem),
        "metrics": {
            name: {
                "mean": sum(values) / len(values),
                "min": min(values),
                "max": max(values),
                "count": len(values),
            }
            for name, values in named.items()
        },
    }


def front_csv(problem: Problem, history: History) -> str:
    """The front as CSV: a column a metric and a parameter, then the test values.

    Columns: ``number``, every metric that any member measured (validation), every
    parameter (``param.<name>``, blank where inactive), and, for each metric of the
    problem, ``test.<metric>.mean``, ``.min``, ``.max``; ``test.count`` retrainings, of
    which ``test.infeasible`` violated a constraint or failed. Then, repeats or not,
    ``trainings``: how many trials of the point were evaluated, of which the metrics are
    the means; ``trials``: their numbers, with spaces between them; for each metric of
    the problem ``sem.<metric>``, its standard error, blank where it is not known.
    """
    rows = members(problem, history)
    metrics = list(problem.metrics)
    metrics += sorted({m for row in rows for m in row.metrics} - set(metrics))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    tests = [f"test.{m}.{k}" for m in problem.metrics for k in ("mean", "min", "max")]
    names = [f"param.{name}" for name in problem.space]
    counts = ["test.count", "test.infeasible"]
    trained = ["trainings", "trials", *(f"sem.{m}" for m in problem.metrics)]
    writer.writerow(["number", *metrics, *names, *tests, *counts, *trained])
    for row in rows:
        active = problem.space.active(row.trial.proposal.params)
        writer.writerow(
            [row.trial.number]
            + [row.metrics.get(metric, "") for metric in metrics]
            + [active.get(name, "") for name in problem.space]
            + _test_columns(problem, row)
            + [len(row.trials), " ".join(map(str, row.trials))]
            + [row.sems.get(metric, "") for metric in problem.metrics]
        )
    return table.getvalue()


def trials_csv(problem: Problem, history: History) -> str:
    """Every proposed trial as CSV, a row a trial; for its columns see `trial_table`."""
    return table_csv(trial_table(problem, history))


def _test_columns(problem: Problem, row: Member) -> list[float | int | str]:
    columns: list[float | int | str] = []
    for metric in problem.metrics:
        values = row.confirmed.values(metric) if row.confirmed else []
        if values:
            columns += [sum(values) / len(values), min(values), max(values)]
        else:
            columns += ["", "", ""]
    found = row.confirmed
    count = len(found.evaluations) + len(found.failures) if found else 0
    return [*columns, count, row.fell_infeasible(problem)]
