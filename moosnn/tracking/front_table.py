"""The front as a table, with what its retrainings gave.

Knows: how to lay a front out on a terminal of some width. Must not know: where it runs,
how it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.measure import Measurement
from rich.table import Table

from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Objective, Problem
from moosnn.tracking.edge import beyond_word, edge_constraints, fell_beyond
from moosnn.tracking.kinds import telling
from moosnn.tracking.summary import (
    Member,
    members,
    number_text,
    params_text,
    range_text,
)
from moosnn.tracking.wording import (
    ASCII,
    FELL_MARK,
    SILENT_FRACTION,
    Signs,
    printable,
    share_text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Which optional columns a table has, and how far apart they are."""

    padding: int = 1
    errors: bool = True
    seeds: bool = True
    tests: bool = True
    ranges: bool = True
    edge: bool = True
    silent: bool = True


_UNLIMITED = 10_000  # columns

# What is left out, step by step, until the table is narrow enough.
_NARROWER = (
    _Columns(),
    _Columns(padding=0),
    _Columns(errors=False),
    _Columns(ranges=False),
    _Columns(errors=False, ranges=False),
    _Columns(errors=False, ranges=False, silent=False),
    _Columns(errors=False, ranges=False, silent=False, edge=False),
    _Columns(
        errors=False, ranges=False, silent=False, edge=False, tests=False, seeds=False
    ),
)


def print_front(terminal: Terminal, problem: Problem, history: History) -> None:
    """The front as a table with validation and test values, then its parameters.

    A member that was measured several times has its means, their standard errors, and
    how many seeds they come from.

    A terminal too narrow for everything gets fewer columns: first the standard errors
    go, or the ranges of the test values, or both; then the silent fraction, the edge,
    the test values and the number of seeds.

    Args:
        terminal: where to print.
        problem: says what is good.
        history: what happened.
    """
    rows = members(problem, history)
    if not rows:
        beyond, failed = len(history.done), len(history.failed)
        terminal.print(
            f"no front: of {beyond + failed} trials {beyond} lie beyond the edge (or "
            f"were stopped), {failed} failed",
            markup=False,
        )
        return
    volume = front_of(problem, history.done).hypervolume
    trials = f"{len(rows)} trial{'s' * (len(rows) != 1)}"
    terminal.print(f"front of {trials}, hypervolume {volume:.3f}\n")
    columns, table = _fitting(terminal, problem, rows)
    terminal.print(table, soft_wrap=False)
    terminal.print(_caption(problem, rows, columns), soft_wrap=False)
    for row in rows:
        text = params_text(problem.space, row.trial.proposal.params)
        line = printable(f"trial {row.trial.number}: {text}", terminal.encoding)
        # A file gets whole lines; a terminal lines that break between two words.
        whole = not terminal.is_terminal
        terminal.print(line, markup=False, emoji=False, soft_wrap=whole)


def _fitting(
    terminal: Terminal, problem: Problem, rows: Sequence[Member]
) -> tuple[_Columns, Table]:
    """The fullest table that the terminal is wide enough for."""
    tested = any(row.confirmed for row in rows)
    repeated = any(row.is_repeated for row in rows)
    silent = any(SILENT_FRACTION in row.metrics for row in rows)
    named = SILENT_FRACTION in {o.metric for o in problem.objectives}
    unlimited = terminal.options.update(width=_UNLIMITED)
    for narrower in _NARROWER:
        columns = replace(
            narrower,
            errors=narrower.errors and repeated,
            seeds=narrower.seeds and repeated,
            tests=narrower.tests and tested,
            edge=narrower.edge and tested and bool(problem.constraints),
            silent=narrower.silent and silent and not named,
        )
        signs = ASCII if terminal.options.ascii_only else Signs()
        table = _table(problem, rows, columns, signs)
        if Measurement.get(terminal, unlimited, table).maximum <= terminal.width:
            break
    return columns, table


def _caption(problem: Problem, rows: Sequence[Member], columns: _Columns) -> str:
    parts = []
    if columns.seeds:
        error = ", with its standard error" if columns.errors else ""
        parts.append(f"seeds: how many trainings a value is the mean of{error}")
    if columns.tests:
        what = "mean and range" if columns.ranges else "mean"
        parts.append(f"test: {what} of retrainings with new seeds")
    if columns.edge:
        parts.append("edge: how many of them fell beyond it (violate a constraint)")
        if any(_fell(problem, row) for row in rows):
            word = beyond_word(edge_constraints(problem))
            parts.append(f"{FELL_MARK}: fell {word} at least once")
    if columns.silent:
        parts.append("silent: share of the samples that leave it silent")
    return "\n" + "; ".join(parts) if parts else ""


def _table(
    problem: Problem, rows: Sequence[Member], columns: _Columns, signs: Signs
) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, columns.padding, 0, 0),
    )
    table.add_column("trial", justify="right", no_wrap=True)
    kind = telling(problem.space)
    if kind is not None:
        table.add_column(kind, no_wrap=True)
    for objective in problem.objectives:
        name = objective.metric.replace("_", " ")
        values = [_mean(row, objective, columns, signs) for row in rows]
        width = max(map(len, [*name.split(), *values]))
        table.add_column(name, justify="right", width=width)
        if columns.tests:
            table.add_column("test", justify="right", no_wrap=True)
    for name in ("seeds", "silent", "edge"):
        if getattr(columns, name):
            table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [str(row.trial.number)]
        if kind is not None:
            cells.append(str(row.trial.proposal.params[kind]))
        for objective in problem.objectives:
            cells.append(_mean(row, objective, columns, signs))
            if columns.tests:
                cells.append(_test_text(row, objective, columns))
        if columns.seeds:
            cells.append(str(len(row.trials)))
        if columns.silent:
            fraction = row.metrics.get(SILENT_FRACTION)
            cells.append("-" if fraction is None else share_text(fraction))
        if columns.edge:
            cells.append(_beyond_text(problem, row))
        table.add_row(*cells)
    return table


def _mean(row: Member, objective: Objective, columns: _Columns, signs: Signs) -> str:
    """``0.941``, and over several seeds ``0.941 ±0.004``."""
    text = number_text(row.metrics[objective.metric])
    if not (columns.errors and row.is_repeated and objective.metric in row.sems):
        return text
    return f"{text} {signs.plus_minus}{number_text(row.sems[objective.metric])}"


def _test_text(row: Member, objective: Objective, columns: _Columns) -> str:
    values = row.confirmed.values(objective.metric) if row.confirmed else []
    if columns.ranges or not values:
        return range_text(values)
    return number_text(sum(values) / len(values))


def _beyond_text(problem: Problem, row: Member) -> str:
    """``o 1/3``: of three retrainings one fell silent (violated a constraint)."""
    if row.confirmed is None:
        return "-"
    count = len(row.confirmed.evaluations) + len(row.confirmed.failures)
    mark = f"{FELL_MARK} " if _fell(problem, row) else ""
    return f"{mark}{row.fell_infeasible(problem)}/{count}"


def _fell(problem: Problem, row: Member) -> bool:
    return fell_beyond(edge_constraints(problem), row)[0] > 0
