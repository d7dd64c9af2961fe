"""The front so far as a table that fits into the live display.

Knows: problems and trials, the width and height there is. Must not know: terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from moosnn.pareto.dominance import spread
from moosnn.problem import Objective, Problem
from moosnn.tracking.summary import number_text
from moosnn.tracking.wording import (
    HEADING_STYLE,
    SILENT_FRACTION,
    Signs,
    fitted,
    share_text,
)
from moosnn.trial import Trial

_COLUMN_GAP = 2
_NARROWEST_COLUMN = 6  # that a column's name is cut down to
_LEAST_TABLE = 3  # its head, a row, and how many more there are


def front_lines(
    problem: Problem, front: Sequence[Trial], *, width: int, room: int, signs: Signs
) -> list[Text]:
    """The front as a table; nothing if there is no room for a row of it.

    Args:
        problem: says what is shown of a member.
        front: its members, by ascending first loss.
        width: columns there are.
        room: lines there are; members that do not fit are counted in the last one.
        signs: the characters to draw with.
    """
    if not front:
        return [Text("no front yet")][: max(room, 0)]
    if room < least_room(front):
        return []
    shown = front
    if len(front) > room - 1:
        shown = spread_members(problem, front, room - 2)
    columns = _columns(problem, shown)
    widths = _widths(columns, width)
    lines = []
    for cells in zip(*columns, strict=True):
        pairs = zip(cells, widths, strict=False)  # the last columns may be left out
        padded = [_right(cell, wide, signs) for cell, wide in pairs]
        lines.append(Text((" " * _COLUMN_GAP).join(padded)))
    lines[0].stylize(HEADING_STYLE)
    if len(shown) < len(front):
        lines.append(Text(f"{signs.more} and {len(front) - len(shown)} more"))
    return lines


def least_room(front: Sequence[Trial]) -> int:
    """Lines that the smallest table of a front takes."""
    return min(_LEAST_TABLE, 1 + len(front))


def spread_members(
    problem: Problem, front: Sequence[Trial], count: int
) -> Sequence[Trial]:
    """Members that lie spread along a front, by ascending first loss.

    Those that do not dominate the reference are of no interest to whoever set it: they
    are chosen only if no member does.

    Args:
        problem: says what is good.
        front: its members.
        count: how many at most.
    """
    values = tuple(
        tuple(t.evaluation.metrics[o.metric] for o in problem.objectives)
        for t in front
        if t.evaluation is not None
    )
    return [front[row] for row in _spread_rows(problem.objectives, values, count)]


@lru_cache(maxsize=1)  # a display asks again and again until the front changes
def _spread_rows(
    objectives: tuple[Objective, ...], values: tuple[tuple[float, ...], ...], count: int
) -> list[int]:
    losses = np.array(
        [[o.loss(v) for o, v in zip(objectives, row, strict=True)] for row in values]
    )
    references = np.array([o.loss(o.reference) for o in objectives])
    of_interest = np.flatnonzero((losses < references).all(axis=1))
    rows = of_interest if len(of_interest) else np.arange(len(losses))
    return [int(rows[row]) for row in spread(losses[rows], count)]


def objective_name(objective: Objective) -> str:
    """An objective's name, with its unit unless the name tells it."""
    name = objective.metric.replace("_", " ")
    told = not objective.unit or objective.unit in objective.metric
    return name if told else f"{name} ({objective.unit})"


def _columns(problem: Problem, trials: Sequence[Trial]) -> list[list[str]]:
    """The table, column by column; the name stands above the values."""
    metrics = {o.metric: objective_name(o) for o in problem.objectives}
    if any(SILENT_FRACTION in t.evaluation.metrics for t in trials if t.evaluation):
        metrics.setdefault(SILENT_FRACTION, "silent fraction")
    columns = [["trial", *(str(trial.number) for trial in trials)]]
    for metric, name in metrics.items():
        measured = [t.evaluation.metrics if t.evaluation else {} for t in trials]
        spelled = share_text if metric == SILENT_FRACTION else number_text
        values = [spelled(m[metric]) if metric in m else "-" for m in measured]
        columns.append([name, *values])
    return columns


def _right(cell: str, width: int, signs: Signs) -> str:
    """A cell on the right of its column, cut if it is wider."""
    if cell.isascii() and len(cell) <= width:
        return cell.rjust(width)
    text = fitted(Text(cell), width, signs)
    return " " * (width - text.cell_len) + text.plain


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide the columns are that fit, from the left.

    Names are cut before a column is left out, the widest first; values never are.
    """
    widths = [max(map(cell_len, column)) for column in columns]
    least = [
        min(w, max(_NARROWEST_COLUMN, *map(cell_len, column[1:])))
        for w, column in zip(widths, columns, strict=True)
    ]
    while len(widths) > 1 and _total(least) > width:
        widths, least = widths[:-1], least[:-1]
    while _total(widths) > width and widths != least:
        spare = [(w, i) for i, w in enumerate(widths) if w > least[i]]
        widths[max(spare)[1]] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _COLUMN_GAP * (len(widths) - 1)
