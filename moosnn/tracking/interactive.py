"""The front as an interactive figure.

Knows plotly; must not know where a figure is shown. It shows what
`front_plot.front_figure` shows, in the colours of Okabe and Ito, and every trial tells
its numbers on hover. What matters is told apart by shape as well.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.interactive_points import View, values
from moosnn.tracking.kinds import Kind, kinds_of
from moosnn.tracking.points import points_of
from moosnn.trial import Trial

_FRONT = "#0072B2"
_DOMINATED = "#56B4E9"
_BEYOND = "#777777"
_REFERENCE = "#D55E00"
_EDGE = "#000000"
_SCALE = "Cividis"  # made to be read alike by people who are colour-blind
_BEYOND_SHARE = 0.24  # of the width
_GAP = 0.02
# Of the members of a kind, by the marker that they have in the picture; a triangle is
# what is infeasible, so it gets points.
_SYMBOLS = {
    "D": "diamond",
    "s": "square",
    "^": "star-triangle-up",
    "P": "cross",
    "v": "triangle-down",
    "p": "pentagon",
}
_TICKS_Y = 0.03  # of the panel's height
_BEYOND_LEAST = 0.1  # of the axis beyond the edge, in the constraint's unit


def front_figure(problem: Problem, history: History) -> Any | None:  # noqa: ANN401
    """The front in its first two objectives, and what lies beyond the edge.

    The panels are those of `front_plot.front_figure`: on the right the observed trials,
    on the left, behind the edge, those that a constraint voided. Where kinds are
    compared each has its colour and shape. A third objective is the colour of all
    observed ones, on a log scale its decimal logarithm. A member that was measured
    several times has a standard error to each side of its means.

    Args:
        problem: of any number of objectives; of four or more the first three are drawn.
        history: what happened.

    Returns:
        A plotly figure; ``None`` with one objective, where there is no front to draw.
    """
    if len(problem.objectives) < 2:
        return None
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    figure = go.Figure()
    voiding = next((c for c in problem.constraints if c.voids), None)
    points = points_of(problem, history)
    observed = [t for t in points.trials if problem.is_observed(t)]
    front = front_of(problem, points.trials)
    view = View(problem, front, points)
    left = _GAP + _BEYOND_SHARE if voiding else 0.0
    vertical, horizontal = problem.objectives[:2]
    figure.update_layout(
        template="plotly_white",
        title=f"front, hypervolume {front.hypervolume:.3f}",
        legend={"orientation": "h", "yanchor": "top", "y": -0.18},
        xaxis={"domain": [left, 1.0], **_axis(horizontal)},
        yaxis={"anchor": "x2" if voiding else "x", **_axis(vertical)},
        hovermode="closest",
    )
    if voiding:
        voided = [t for t in points.trials if _violation(t, voiding) > 0]
        figure.add_traces(_beyond(view, voided, voiding))
        figure.update_layout(**_beyond_layout(voided, voiding))
    figure.add_traces(_observed(view, observed))
    if len(problem.objectives) > 2:
        third = problem.objectives[2]
        log = "log10 of " if third.scale == "log" else ""
        bar = {"title": {"text": log + _label(third), "side": "right"}}
        figure.update_layout(coloraxis={"colorscale": _SCALE, "colorbar": bar})
    return figure


def _observed(view: View, observed: Sequence[Trial]) -> list[dict[str, Any]]:
    """Infeasible, dominated, the front and its steps, the reference."""
    problem = view.problem
    vertical, horizontal, *others = problem.objectives
    rest = [t for t in observed if t.number not in view.front]
    infeasible = [t for t in rest if not problem.is_feasible(t)]
    dominated = [t for t in rest if problem.is_feasible(t)]
    on_front = sorted(
        (t for t in observed if t.number in view.front),
        key=lambda t: horizontal.loss(values([t], horizontal)[0]),
    )
    traces = []
    if infeasible:
        traces.append(view.observed(infeasible, "infeasible", "triangle-up", _BEYOND))
    kinds = kinds_of(problem.space)
    if not kinds:
        traces.append(view.observed(dominated, "dominated", "circle", _DOMINATED))
    if not others:  # the steps of more than two objectives would cross
        traces.append(_steps(on_front, horizontal, vertical))
    if kinds:
        for kind in kinds:
            traces += _of_kind(view, kind, dominated, on_front)
    else:
        traces.append(view.members(on_front, "front", "diamond", _FRONT))
    reference = {
        "type": "scatter",
        "mode": "markers",
        "name": "reference",
        "x": [horizontal.reference],
        "y": [vertical.reference],
        "marker": {"symbol": "x", "color": _REFERENCE, "size": 9},
        "hovertemplate": "reference<extra></extra>",
    }
    return [*traces, reference]


def _steps(
    on_front: Sequence[Trial], horizontal: Objective, vertical: Objective
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": values(on_front, horizontal),
        "y": values(on_front, vertical),
        "line": {"shape": "hv", "color": _FRONT, "width": 1},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _of_kind(
    view: View, kind: Kind, dominated: Sequence[Trial], on_front: Sequence[Trial]
) -> list[dict[str, Any]]:
    """The feasible points of a kind, its members in its shape; one legend for both."""
    rest = [t for t in dominated if kind.has(t)]
    best = [t for t in on_front if kind.has(t)]
    option = html.escape(str(kind.option))
    shown = {
        "name": f"{option} ({len(best)} of {len(best) + len(rest)})",
        "legendgroup": option,
    }
    circles = view.observed(rest, option, "circle", kind.colour)
    members = view.members(best, option, _SYMBOLS[kind.marker], kind.colour)
    return [{**circles, **shown, "showlegend": False}, {**members, **shown}]


def _beyond(
    view: View, voided: Sequence[Trial], constraint: Constraint
) -> list[dict[str, Any]]:
    """The voided trials; those without an accuracy are ticks at the bottom."""
    vertical = view.problem.objectives[0]
    measured = [t for t in voided if _measured(t, vertical.metric)]
    stopped = [t for t in voided if not _measured(t, vertical.metric)]
    trained = view.trace(
        measured, "beyond, trained", "x-thin-open", _BEYOND, xaxis="x2", yaxis="y"
    )
    trained["x"] = [_violation(t, constraint) for t in measured]
    trained["y"] = values(measured, vertical)
    ticks = view.trace(
        stopped,
        "beyond, stopped early",
        "line-ns-open",
        _BEYOND,
        xaxis="x2",
        yaxis="y2",
    )
    ticks["x"] = [_violation(t, constraint) for t in stopped]
    ticks["y"] = [_TICKS_Y] * len(stopped)
    for trace in (trained, ticks):
        trace["marker"]["line"] = {"width": 2}  # or the thin symbols are hairlines
    return [trained, ticks]


def _beyond_layout(voided: Sequence[Trial], constraint: Constraint) -> dict[str, Any]:
    """The left panel: grey, ending in the edge, its ticks on an axis of their own."""
    largest = max((_violation(t, constraint) for t in voided), default=1.0)
    name = constraint.metric.replace("_", " ")
    panel = {"xref": "x2 domain", "yref": "y domain", "y0": 0, "y1": 1}
    edge = {"color": _EDGE, "width": 3}
    grey = {"fillcolor": "#eeeeee", "line": {"width": 0}, "layer": "below"}
    return {
        "xaxis2": {
            "domain": [0.0, _BEYOND_SHARE],
            "range": [1.05 * max(largest, _BEYOND_LEAST), 0.0],
            "title": f"{name} beyond the edge",
        },
        "yaxis2": {
            "anchor": "x2",
            "overlaying": "y",
            "range": [0.0, 1.0],
            "fixedrange": True,
            "visible": False,
        },
        "shapes": [
            {"type": "rect", "x0": 0, "x1": 1, **panel, **grey},
            {"type": "line", "x0": 1, "x1": 1, **panel, "line": edge},
        ],
        "annotations": [
            {
                "text": f"beyond the edge: {len(voided)}",
                "showarrow": False,
                "xref": "x2 domain",
                "yref": "y domain",
                "x": 0,
                "y": 1.08,
            }
        ],
    }


def _axis(objective: Objective) -> dict[str, Any]:
    kind = "log" if objective.scale == "log" else "linear"
    return {"type": kind, "title": _label(objective)}


def _label(objective: Objective) -> str:
    told = not objective.unit or objective.unit in objective.metric
    unit = "" if told else f" ({objective.unit})"
    better = "higher" if objective.goal == "max" else "lower"
    return f"{objective.metric.replace('_', ' ')}{unit}, {better} is better"


def _measured(trial: Trial, metric: str) -> bool:
    return trial.evaluation is not None and metric in trial.evaluation.metrics


def _violation(trial: Trial, constraint: Constraint) -> float:
    assert trial.evaluation is not None
    return constraint.violation(trial.evaluation.metrics[constraint.metric])
