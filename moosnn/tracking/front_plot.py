"""The picture of a front. Knows matplotlib; must not know where pictures are kept.

Colours are those of Okabe and Ito, told apart by colour-blind people; what matters is
also told apart by shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Floats, Objective, Problem
from moosnn.tracking.edge import beyond_word, edge_constraints, fell_beyond
from moosnn.tracking.kinds import Kind, kinds_of
from moosnn.tracking.points import Points, points_of
from moosnn.tracking.summary import members
from moosnn.trial import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FRONT = "#0072B2"
_DOMINATED = "#56B4E9"
_SILENT = "#999999"
_REFERENCE = "#D55E00"
DPI = 120


def front_figure(problem: Problem, history: History) -> Figure:
    """The front in its first two objectives, and what lies beyond the edge.

    A point that was measured several times is drawn once, at its means, with a standard
    error to each side.

    The right panel holds the observed trials: the front, dominated ones, those that
    violate a constraint which does not void, the reference. The left panel, grey, holds
    those that a constraint voided (the silent ones): further left = further beyond the
    edge. A voided trial that was stopped before its accuracy was measured is a tick at
    the bottom. A ring marks a member that fell silent when it was trained again.

    Args:
        problem: with two or more objectives; of more, the first two are drawn.
        history: what happened.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 5.0), dpi=DPI, layout="constrained")
    voiding = [c for c in problem.constraints if c.voids]
    vertical, horizontal = problem.objectives[:2]
    if voiding:
        beyond, axes = figure.subplots(1, 2, sharey=True, width_ratios=(1, 3.2))
        _draw_beyond(beyond, problem, history)
        beyond.set_ylabel(axis_label(vertical))
    else:
        axes = figure.subplots()
        axes.set_ylabel(axis_label(vertical))
    _draw_front(axes, problem, history, horizontal, vertical)
    # Below the panels: wherever a legend lay inside, some study has its front there.
    figure.legend(
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize="small",
        columnspacing=1.2,
        handletextpad=0.3,
    )
    return figure


def axis_label(objective: Objective) -> str:
    """An axis in words: the metric, its unit and which way is better."""
    told = not objective.unit or objective.unit in objective.metric
    unit = "" if told else f" ({objective.unit})"
    better = "higher" if objective.goal == "max" else "lower"
    name = objective.metric.replace("_", " ")
    return f"{name}{unit}, {better} is better"


def _measured(trial: Trial, metric: str) -> bool:
    return trial.evaluation is not None and metric in trial.evaluation.metrics


def _values(trials: Sequence[Trial], metric: str) -> Floats:
    return np.array([t.evaluation.metrics[metric] for t in trials if t.evaluation])


def _draw_front(
    axes: Axes,
    problem: Problem,
    history: History,
    horizontal: Objective,
    vertical: Objective,
) -> None:
    points = points_of(problem, history)
    front = front_of(problem, points.trials)
    if horizontal.scale == "log":
        axes.set_xscale("log")
    if vertical.scale == "log":
        axes.set_yscale("log")
    observed = [t for t in points.trials if problem.is_observed(t)]
    others = [t for t in observed if t.number not in front]
    _draw_others(axes, problem, others, horizontal, vertical)
    # Sorted along the horizontal axis, so that the steps run along it.
    on_front = sorted(
        (t for t in observed if t.number in front),
        key=lambda t: horizontal.loss(_values([t], horizontal.metric)[0]),
    )
    x, y = _clipped(on_front, horizontal), _values(on_front, vertical.metric)
    axes.step(x, y, where="post", color=FRONT, linewidth=1, alpha=0.7)
    _draw_errors(axes, points, on_front, horizontal, vertical)
    if kinds := kinds_of(problem.space):
        feasible = [t for t in observed if problem.is_feasible(t)]
        _draw_kinds(axes, kinds, feasible, on_front, (horizontal, vertical))
    else:
        label = f"front ({len(x)})"
        axes.plot(x, y, marker="D", color=FRONT, linestyle="none", label=label)
    _ring_fallen(axes, problem, history, horizontal, vertical)
    axes.plot(
        [horizontal.reference],
        [vertical.reference],
        marker="X",
        color=_REFERENCE,
        linestyle="none",
        label="reference",
    )
    axes.set_xlabel(axis_label(horizontal))
    axes.set_title(f"front, hypervolume {front.hypervolume:.3f}", loc="left")
    axes.grid(alpha=0.25)


def _draw_kinds(
    axes: Axes,
    kinds: Sequence[Kind],
    feasible: Sequence[Trial],
    on_front: Sequence[Trial],
    objectives: tuple[Objective, Objective],
) -> None:
    """Each kind in its own colour and shape: the front's members large, others small.

    The legend says of each kind how many of its feasible points are on the front.
    """
    horizontal, vertical = objectives
    for kind in kinds:
        own = [t for t in feasible if kind.has(t)]
        best = [t for t in on_front if kind.has(t)]
        rest = [t for t in own if t not in best]
        for trials, size, alpha in ((rest, 4, 0.6), (best, 8, 1.0)):
            axes.plot(
                _clipped(trials, horizontal),
                _values(trials, vertical.metric),
                marker=kind.marker,
                markersize=size,
                color=kind.colour,
                alpha=alpha,
                linestyle="none",
                label=f"{kind.option} ({len(best)} of {len(own)})" * (trials is best),
            )


def _draw_errors(
    axes: Axes,
    points: Points,
    on_front: Sequence[Trial],
    horizontal: Objective,
    vertical: Objective,
) -> None:
    """A standard error to each side of the members that were measured several times."""
    repeated = [t for t in on_front if points.is_repeated(t)]
    if not repeated:
        return
    x, y = _clipped(repeated, horizontal), _clipped(repeated, vertical)
    spans = []
    for values, objective in ((x, horizontal), (y, vertical)):
        sems = np.array([points.sem(t, objective.metric) for t in repeated])
        log = objective.scale == "log"
        below = np.minimum(sems, values - objective.floor) if log else sems
        spans.append(np.stack([below, sems]))
    axes.errorbar(
        x, y, xerr=spans[0], yerr=spans[1], linestyle="none", color=FRONT, linewidth=1
    )


def _ring_fallen(
    axes: Axes,
    problem: Problem,
    history: History,
    horizontal: Objective,
    vertical: Objective,
) -> None:
    """A ring around the members that fell silent when they were trained again."""
    constraints = edge_constraints(problem)
    fallen = [
        row.trial
        for row in members(problem, history)
        if fell_beyond(constraints, row)[0]
    ]
    if fallen:
        axes.plot(
            _clipped(fallen, horizontal),
            _values(fallen, vertical.metric),
            marker="o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor="black",
            linestyle="none",
            label=f"fell {beyond_word(constraints)} when trained again ({len(fallen)})",
        )


def _draw_others(
    axes: Axes,
    problem: Problem,
    others: Sequence[Trial],
    horizontal: Objective,
    vertical: Objective,
) -> None:
    """The observed trials that are not on the front, and why they are not."""
    infeasible = [t for t in others if not problem.is_feasible(t)]
    dominated = [t for t in others if problem.is_feasible(t)]
    groups = [(dominated, "dominated", "o", _DOMINATED)]
    if kinds_of(problem.space):
        groups.clear()  # they are drawn with their kind
    if infeasible:
        groups.insert(0, (infeasible, "infeasible", "^", _SILENT))
    for trials, name, marker, color in groups:
        axes.plot(
            _clipped(trials, horizontal),
            _values(trials, vertical.metric),
            marker=marker,
            color=color,
            alpha=0.6,
            linestyle="none",
            markersize=5,
            label=f"{name} ({len(trials)})",
        )


def _clipped(trials: Sequence[Trial], objective: Objective) -> Floats:
    """Values on an axis; on a log axis none lies below the floor."""
    values = _values(trials, objective.metric)
    return np.maximum(values, objective.floor) if objective.scale == "log" else values


def _draw_beyond(axes: Axes, problem: Problem, history: History) -> None:
    constraint = next(c for c in problem.constraints if c.voids)
    vertical = problem.objectives[0]
    voided = [
        t
        for t in points_of(problem, history).trials
        if t.evaluation
        and constraint.violation(t.evaluation.metrics[constraint.metric]) > 0
    ]
    measured = [t for t in voided if _measured(t, vertical.metric)]
    unmeasured = [t for t in voided if not _measured(t, vertical.metric)]
    axes.set_facecolor("#eeeeee")
    axes.plot(
        _values(measured, constraint.metric) - constraint.upper,
        _values(measured, vertical.metric),
        linestyle="none",
        marker="x",
        color=_SILENT,
        label=f"beyond, trained ({len(measured)})",
    )
    axes.plot(
        _values(unmeasured, constraint.metric) - constraint.upper,
        np.zeros(len(unmeasured)),
        linestyle="none",
        marker="|",
        markersize=14,
        color=_SILENT,
        transform=axes.get_xaxis_transform(),
        label=f"beyond, stopped early ({len(unmeasured)})",
    )
    largest = max(
        (v for t in voided for v in _values([t], constraint.metric)), default=1
    )
    axes.set_xlim(1.05 * max(float(largest) - constraint.upper, 0.1), 0.0)
    axes.axvline(0.0, color="black", linewidth=2)
    axes.set_xlabel(f"{constraint.metric.replace('_', ' ')} beyond the edge")
    axes.set_title(f"beyond the edge: {len(voided)}", loc="left")
