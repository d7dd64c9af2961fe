"""The fronts of many studies in one picture. Knows matplotlib; must not know folders.

Colours and markers are those of the other pictures of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from moosnn.problem import Objective
from moosnn.tracking.comparison import Compared, Group
from moosnn.tracking.comparison_plots import (
    COLUMNS,
    DPI,
    Style,
    add_legend,
    styles,
)
from moosnn.tracking.front_marks import metric_words
from moosnn.tracking.front_plot import axis_label
from moosnn.tracking.log_ticks import label_few, set_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_REFERENCE = "#555555"


def fronts_comparison(groups: Sequence[Group]) -> Figure:
    """The last front of every study.

    Two objectives: the fronts as steps from the reference, and left of them, on grey,
    the trials beyond the edge. More: a panel for each pair. One: the best value against
    trials.

    Args:
        groups: one or more, of one problem.
    """
    from matplotlib.figure import Figure

    problem = groups[0].studies[0].problem
    objectives = problem.objectives
    if len(objectives) == 1:
        figure = Figure(figsize=(8.5, 5.0), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        _draw_best(axes, objectives[0], groups)
    elif len(objectives) == 2:
        figure = Figure(figsize=(9.5, 5.4), dpi=DPI, layout="constrained")
        if any(c.voids for c in problem.constraints):
            beyond, axes = figure.subplots(1, 2, sharey=True, width_ratios=(1, 3.2))
            _draw_beyond(beyond, groups)
            beyond.set_ylabel(axis_label(objectives[0]))
        else:
            axes = figure.subplots()
            axes.set_ylabel(axis_label(objectives[0]))
        _draw_pair(axes, groups, (1, 0), steps=True)
    else:
        figure = _pairs_figure(groups)
    add_legend(figure, groups)
    return figure


def _pairs_figure(groups: Sequence[Group]) -> Figure:
    from matplotlib.figure import Figure

    objectives = groups[0].studies[0].problem.objectives
    pairs = list(combinations(range(len(objectives)), 2))
    rows = -(-len(pairs) // COLUMNS)
    figure = Figure(figsize=(12.0, 4.2 * rows + 0.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for panel, (vertical, horizontal) in zip(panels, pairs, strict=False):
        _draw_pair(panel, groups, (horizontal, vertical), steps=False)
        panel.set_ylabel(axis_label(objectives[vertical]))
        label_few(panel)
    for panel in panels[len(pairs) :]:
        panel.remove()
    return figure


def _draw_pair(
    axes: Axes, groups: Sequence[Group], columns: tuple[int, int], *, steps: bool
) -> None:
    """Fronts in two objectives: the horizontal and the vertical one's columns."""
    objectives = groups[0].studies[0].problem.objectives
    horizontal, vertical = (objectives[column] for column in columns)
    _scale(axes, "x", horizontal, _along(groups, columns[0]))
    _scale(axes, "y", vertical, _along(groups, columns[1]))
    for group, style in styles(groups):
        for study in group.studies:
            axes.plot(
                *study.front[:, columns].T,
                color=style.color,
                marker=style.marker,
                markersize=5,
                fillstyle="full" if study.finished else "none",
                linestyle="none",
                alpha=0.85,
            )
            if steps:
                _draw_steps(axes, study, style)
    x, y = horizontal.reference, vertical.reference
    axes.plot(x, y, marker="X", markersize=9, color=_REFERENCE, linestyle="none")
    _name_reference(axes, (x, y), horizontal=horizontal.goal, vertical=vertical.goal)
    axes.set_xlabel(axis_label(horizontal))
    axes.grid(alpha=0.25)


def _name_reference(
    axes: Axes, point: tuple[float, float], *, horizontal: str, vertical: str
) -> None:
    """On the side of the better values: the frame is close on the other ones."""
    up, right = vertical == "max", horizontal == "max"
    axes.annotate(
        "reference", point, (0, 7 if up else -7), textcoords="offset points",
        ha="left" if right else "right", va="bottom" if up else "top",
        fontsize="small", color=_REFERENCE,
    )  # fmt: skip


def _scale(
    axes: Axes,
    which: Literal["x", "y"],
    objective: Objective,
    values: Iterable[float],
) -> None:
    if objective.scale == "log":
        set_log(axes, which, [objective.reference, *values])


def _along(groups: Sequence[Group], column: int) -> list[float]:
    """The values of an objective of all feasible points."""
    studies = [study for group in groups for study in group.studies]
    return [v for study in studies for v in study.feasible[:, column].tolist()]


def _draw_steps(axes: Axes, study: Compared, style: Style) -> None:
    """What the front dominates lies on one side of its steps."""
    second = study.problem.objectives[1]
    order = np.argsort([second.loss(float(x)) for x in study.front[:, 1]])
    y, x = study.front[order].T
    axes.step(
        x, y, where="post", color=style.color, linestyle=style.line, lw=1.2, alpha=0.8
    )


def _draw_beyond(axes: Axes, groups: Sequence[Group]) -> None:
    """The trials beyond the edge; a tick at the bottom has no first objective."""
    problem = groups[0].studies[0].problem
    constraint = next(c for c in problem.constraints if c.voids)
    axes.set_facecolor("#eeeeee")
    deepest, count = 0.1, 0
    for group, style in styles(groups):
        points = np.concatenate([study.beyond for study in group.studies])
        x, y = points.T
        known = np.isfinite(y)
        axes.plot(
            x[known], y[known], color=style.color, marker=style.marker, markersize=4,
            fillstyle="none", linestyle="none", alpha=0.5,
        )  # fmt: skip
        axes.plot(
            x[~known], np.zeros((~known).sum()), color=style.color, marker="|",
            markersize=14, linestyle="none", alpha=0.5,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        deepest = max(deepest, float(x.max(initial=0.0)))
        count += len(x)
    axes.set_xlim(1.05 * deepest, 0.0)
    axes.axvline(0.0, color="black", linewidth=2)
    axes.set_xlabel(f"{metric_words(constraint.metric)} beyond the edge")
    axes.set_title(f"beyond the edge: {count} trials", loc="left", fontsize="medium")


def _draw_best(axes: Axes, objective: Objective, groups: Sequence[Group]) -> None:
    """Of one objective there is no front: every feasible trial, and the best so far."""
    _scale(axes, "y", objective, _along(groups, 0))
    best = np.maximum if objective.goal == "max" else np.minimum
    for group, style in styles(groups):
        for study in group.studies:
            values = study.feasible[:, 0]
            axes.plot(
                study.ended, values, color=style.color, marker=style.marker,
                markersize=4, linestyle="none", alpha=0.4,
                fillstyle="full" if study.finished else "none",
            )  # fmt: skip
            axes.step(
                study.ended,
                best.accumulate(values) if len(values) else values,
                where="post",
                color=style.color,
                linestyle=style.line,
            )
    axes.axhline(objective.reference, color=_REFERENCE, lw=1)
    end = (axes.get_xlim()[1], objective.reference)
    _name_reference(axes, end, horizontal="min", vertical=objective.goal)
    axes.set_xlabel("trials ended")
    axes.set_ylabel(axis_label(objective))
    axes.grid(alpha=0.25)
