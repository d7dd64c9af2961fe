"""The traces of an interactive figure: the front, what is not on it, the edge.

Knows: how plotly describes traces and axes. Must not know: how many panels there are.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moosnn.problem import Constraint, Objective
from moosnn.tracking.front_marks import Pair, axis_label, metric_words
from moosnn.tracking.interactive_points import View
from moosnn.tracking.kinds import Kind, kinds_of
from moosnn.trial import Trial

_FRONT = "#0072B2"
_DOMINATED = "#56B4E9"
_BEYOND = "#777777"
_REFERENCE = "#D55E00"
_EDGE = "#000000"
# Of the members of a kind, by the marker that they have in the picture; a triangle is
# what is infeasible, so it gets points.
_SYMBOLS = {
    "D": "diamond",
    "s": "square",
    "^": "star-triangle-up",
    "P": "cross",
    "v": "triangle-down",
    "p": "pentagon",
    "h": "hexagon",
}
_TICKS_Y = 0.03  # of the panel's height
_BEYOND_LEAST = 0.1  # of the axis beyond the edge, in the constraint's unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """The axes of the panel beyond the edge, as ``"x2"``.

    Attributes:
        x: how far beyond.
        y: the first objective.
        ticks: from 0 to 1, of those without an accuracy.
    """

    x: str
    y: str
    ticks: str


def layout_name(axis: str) -> str:
    """What the layout calls an axis: ``xaxis2`` of ``x2``."""
    return f"{axis[0]}axis{axis[1:]}"


def axis(objective: Objective) -> dict[str, Any]:
    """An axis in words and in its scale."""
    kind = "log" if objective.scale == "log" else "linear"
    return {"type": kind, "title": axis_label(objective)}


def observed_traces(view: View) -> list[dict[str, Any]]:
    """Infeasible, dominated, the front and its steps, the reference."""
    problem, pair = view.problem, view.pair
    observed = [t for t in view.points.trials if problem.is_observed(t)]
    rest = [t for t in observed if t.number not in view.front]
    infeasible = [t for t in rest if not problem.is_feasible(t)]
    dominated = [t for t in rest if problem.is_feasible(t)]
    on_front = sorted(
        (t for t in observed if t.number in view.front),
        key=lambda t: pair.horizontal.loss(float(pair.at([t])[0][0])),
    )
    traces = []
    if infeasible:
        traces.append(view.observed(infeasible, "infeasible", "triangle-up", _BEYOND))
    kinds = kinds_of(problem.space)
    if not kinds:
        traces.append(view.observed(dominated, "dominated", "circle", _DOMINATED))
    traces.append(_steps(view, pair.best(on_front)))
    if kinds:
        for kind in kinds:
            traces += _of_kind(view, kind, dominated, on_front)
    else:
        traces.append(view.members(on_front, "front", "diamond", _FRONT))
    return [*traces, _reference(view, pair)]


def _reference(view: View, pair: Pair) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "reference",
        "x": [pair.horizontal.reference],
        "y": [pair.vertical.reference],
        "marker": {"symbol": "x", "color": _REFERENCE, "size": 9},
        "hovertemplate": "reference<extra></extra>",
        **view.place,
    }


def _steps(view: View, best: Sequence[Trial]) -> dict[str, Any]:
    x, y = view.pair.at(best)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x.tolist(),
        "y": y.tolist(),
        "line": {"shape": "hv", "color": _FRONT, "width": 1},
        "hoverinfo": "skip",
        "showlegend": False,
        **view.place,
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


def voided_trials(view: View, constraint: Constraint) -> list[Trial]:
    """The points that the edge voided."""
    found = [t for t in view.points.trials if t.evaluation is not None]
    return [t for t in found if _violation(t, constraint) > 0]


def beyond_traces(
    view: View, voided: Sequence[Trial], constraint: Constraint, panel: Beyond
) -> list[dict[str, Any]]:
    """The voided trials; those without an accuracy are ticks at the bottom."""
    vertical = view.problem.objectives[0]
    measured = [t for t in voided if _measured(t, vertical.metric)]
    stopped = [t for t in voided if not _measured(t, vertical.metric)]
    trained = view.trace(
        measured,
        "beyond, trained",
        "x-thin-open",
        _BEYOND,
        xaxis=panel.x,
        yaxis=panel.y,
    )
    trained["x"] = [_violation(t, constraint) for t in measured]
    trained["y"] = Pair(horizontal=vertical, vertical=vertical).at(measured)[1].tolist()
    ticks = view.trace(
        stopped,
        "beyond, stopped early",
        "line-ns-open",
        _BEYOND,
        xaxis=panel.x,
        yaxis=panel.ticks,
    )
    ticks["x"] = [_violation(t, constraint) for t in stopped]
    ticks["y"] = [_TICKS_Y] * len(stopped)
    for trace in (trained, ticks):
        trace["marker"]["line"] = {"width": 2}  # or the thin symbols are hairlines
    return [trained, ticks]


def beyond_layout(
    voided: Sequence[Trial],
    constraint: Constraint,
    panel: Beyond,
    domain: tuple[float, float],
) -> dict[str, Any]:
    """The panel: grey, ending in the edge, its ticks on an axis of their own.

    Args:
        voided: what is in it.
        constraint: the edge.
        panel: its axes.
        domain: from where to where it lies across, in shares of the figure.
    """
    largest = max((_violation(t, constraint) for t in voided), default=1.0)
    name = metric_words(constraint.metric)
    place = {"xref": f"{panel.x} domain", "yref": f"{panel.y} domain"}
    whole = {**place, "y0": 0, "y1": 1}
    edge = {"color": _EDGE, "width": 3}
    grey = {"fillcolor": "#eeeeee", "line": {"width": 0}, "layer": "below"}
    return {
        layout_name(panel.x): {
            "domain": list(domain),
            "range": [1.05 * max(largest, _BEYOND_LEAST), 0.0],
            "title": f"{name} beyond the edge",
        },
        layout_name(panel.ticks): {
            "anchor": panel.x,
            "overlaying": panel.y,
            "range": [0.0, 1.0],
            "fixedrange": True,
            "visible": False,
        },
        "shapes": [
            {"type": "rect", "x0": 0, "x1": 1, **whole, **grey},
            {"type": "line", "x0": 1, "x1": 1, **whole, "line": edge},
        ],
        "annotations": [
            {
                "text": f"beyond the edge: {len(voided)}",
                "showarrow": False,
                **place,
                "x": 0,
                "y": 1.08,
            }
        ],
    }


def _measured(trial: Trial, metric: str) -> bool:
    return trial.evaluation is not None and metric in trial.evaluation.metrics


def _violation(trial: Trial, constraint: Constraint) -> float:
    assert trial.evaluation is not None
    return constraint.violation(trial.evaluation.metrics[constraint.metric])
