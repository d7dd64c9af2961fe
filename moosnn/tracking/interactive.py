"""The front as an interactive figure.

Knows plotly; must not know where a figure is shown. It shows what
`front_plot.front_figure` shows, in the colours of Okabe and Ito, and every trial tells
its numbers on hover. What matters is told apart by shape as well.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moosnn.history import History
from moosnn.pareto.front import Front, front_of
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.points import Points, points_of
from moosnn.tracking.summary import number_text, params_text
from moosnn.trial import Trial

_FRONT = "#0072B2"
_DOMINATED = "#56B4E9"
_BEYOND = "#777777"
_REFERENCE = "#D55E00"
_EDGE = "#000000"
_SCALE = "Cividis"  # made to be read alike by people who are colour-blind
_BEYOND_SHARE = 0.24  # of the width
_GAP = 0.02
_TICKS_Y = 0.03  # of the panel's height
_BEYOND_LEAST = 0.1  # of the axis beyond the edge, in the constraint's unit


def front_figure(problem: Problem, history: History) -> Any | None:  # noqa: ANN401
    """The front in its first two objectives, and what lies beyond the edge.

    The panels are those of `front_plot.front_figure`: on the right the observed trials,
    on the left, behind the edge, those that a constraint voided. A third objective is the
    colour of the observed ones, on a log scale its decimal logarithm. A member that was
    measured several times has a standard error to each side of its means.

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
    view = _View(problem, front, points)
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


@dataclass(frozen=True, slots=True)
class _View:
    """What every trace needs to know."""

    problem: Problem
    front: Front
    points: Points

    def trace(
        self,
        trials: Sequence[Trial],
        name: str,
        symbol: str,
        color: str,
        **more: object,
    ) -> dict[str, Any]:
        """Markers without coordinates; they tell their trials on hover."""
        marker = {"symbol": symbol, "color": color, "size": 9}
        return {
            "type": "scatter",
            "mode": "markers",
            "name": f"{name} ({len(trials)})",
            "marker": marker,
            "text": [self._hover(trial) for trial in trials],
            "hovertemplate": "%{text}<extra></extra>",
            **more,
        }

    def observed(
        self, trials: Sequence[Trial], name: str, symbol: str, color: str
    ) -> dict[str, Any]:
        """Markers at the first two objectives, coloured by the third if any."""
        vertical, horizontal, *others = self.problem.objectives
        trace = self.trace(trials, name, symbol, color)
        trace["x"] = _values(trials, horizontal)
        trace["y"] = _values(trials, vertical)
        if others:
            third = others[0]
            values = _values(trials, third)
            if third.scale == "log":
                values = [math.log10(value) for value in values]
            trace["marker"] |= {"color": values, "coloraxis": "coloraxis"}
        return trace

    def _hover(self, trial: Trial) -> str:
        assert trial.evaluation is not None
        metrics = trial.evaluation.metrics
        lines = [f"<b>trial {trial.number}</b>"]
        numbers = self.points.numbers[trial.number]
        if len(numbers) > 1:
            lines.append(f"means of trials {', '.join(map(str, numbers))}")
        for name, value in metrics.items():
            sem = self.points.sem(trial, name)
            error = f" ± {number_text(sem)}" if sem else ""
            lines.append(html.escape(f"{name} {number_text(value)}{error}"))
        if trial.evaluation.stopped:
            lines.append(f"stopped: {trial.evaluation.stopped}")
        params = params_text(self.problem.space, trial.proposal.params)
        lines += [html.escape(word) for word in params.split()]
        return "<br>".join(lines)


def _observed(view: _View, observed: Sequence[Trial]) -> list[dict[str, Any]]:
    """Infeasible, dominated, the front and its steps, the reference."""
    problem = view.problem
    vertical, horizontal, *others = problem.objectives
    rest = [t for t in observed if t.number not in view.front]
    infeasible = [t for t in rest if not problem.is_feasible(t)]
    dominated = [t for t in rest if problem.is_feasible(t)]
    on_front = sorted(
        (t for t in observed if t.number in view.front),
        key=lambda t: horizontal.loss(_values([t], horizontal)[0]),
    )
    traces = []
    if infeasible:
        traces.append(view.observed(infeasible, "infeasible", "triangle-up", _BEYOND))
    traces.append(view.observed(dominated, "dominated", "circle", _DOMINATED))
    if not others:  # the steps of more than two objectives would cross
        steps = {"shape": "hv", "color": _FRONT, "width": 1}
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": _values(on_front, horizontal),
                "y": _values(on_front, vertical),
                "line": steps,
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    members = view.observed(on_front, "front", "diamond", _FRONT)
    if any(map(view.points.is_repeated, on_front)):
        for axis, objective in (("error_x", horizontal), ("error_y", vertical)):
            sems = [view.points.sem(t, objective.metric) for t in on_front]
            members[axis] = {"type": "data", "array": sems, "thickness": 1}
    traces.append(members)
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


def _beyond(
    view: _View, voided: Sequence[Trial], constraint: Constraint
) -> list[dict[str, Any]]:
    """The voided trials; those without an accuracy are ticks at the bottom."""
    vertical = view.problem.objectives[0]
    measured = [t for t in voided if _measured(t, vertical.metric)]
    stopped = [t for t in voided if not _measured(t, vertical.metric)]
    trained = view.trace(
        measured, "beyond, trained", "x-thin-open", _BEYOND, xaxis="x2", yaxis="y"
    )
    trained["x"] = [_violation(t, constraint) for t in measured]
    trained["y"] = _values(measured, vertical)
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


def _values(trials: Sequence[Trial], objective: Objective) -> list[float]:
    """Values on an axis; on a log axis none lies below the floor."""
    floor = objective.floor if objective.scale == "log" else -math.inf
    return [
        max(t.evaluation.metrics[objective.metric], floor)
        for t in trials
        if t.evaluation is not None
    ]
