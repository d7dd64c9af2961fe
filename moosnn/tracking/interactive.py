"""The front as an interactive figure.

Knows plotly; must not know where a figure is shown. It shows what
`front_plot.front_figure` shows, in the colours of Okabe and Ito, and every trial tells
its numbers on hover. What matters is told apart by shape as well.
"""

from __future__ import annotations

from typing import Any

from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.tracking.front_marks import Pair
from moosnn.tracking.interactive_matrix import matrix
from moosnn.tracking.interactive_points import View
from moosnn.tracking.interactive_traces import (
    Beyond,
    axis,
    beyond_layout,
    beyond_traces,
    observed_traces,
    voided_trials,
)
from moosnn.tracking.points import points_of

_BEYOND_SHARE = 0.24  # of the width
_GAP = 0.02
_BEYOND = Beyond(x="x2", y="y", ticks="y2")


def front_figure(problem: Problem, history: History) -> Any | None:  # noqa: ANN401 -- plotly is not imported here
    """The front, and what lies beyond the edge.

    The panels are those of `front_plot.front_figure`: on the right the observed trials,
    on the left, behind the edge, those that a constraint voided; of three objectives or
    more, a matrix of panels. Where kinds are compared each has its colour and shape. A
    member that was measured several times has a standard error to each side of its
    means.

    Args:
        problem: of any number of objectives.
        history: what happened.

    Returns:
        A plotly figure; ``None`` with one objective, where there is no front to draw.
    """
    if len(problem.objectives) < 2:
        return None
    import plotly.graph_objects as go  # type: ignore[import-untyped]  # plotly is

    points = points_of(problem, history)
    view = View(
        problem=problem,
        front=front_of(problem, points.trials),
        points=points,
        pair=Pair(horizontal=problem.objectives[1], vertical=problem.objectives[0]),
    )
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        title=f"front, hypervolume {view.front.hypervolume:.3f}",
        legend={"orientation": "h", "yanchor": "top", "y": -0.18},
        hovermode="closest",
    )
    traces, layout = (_two if len(problem.objectives) == 2 else matrix)(view)
    figure.add_traces(traces)
    figure.update_layout(**layout)
    return figure


def _two(view: View) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The traces and the layout of two objectives."""
    voiding = next((c for c in view.problem.constraints if c.voids), None)
    left = _GAP + _BEYOND_SHARE if voiding else 0.0
    layout: dict[str, Any] = {
        "xaxis": {"domain": [left, 1.0], **axis(view.pair.horizontal)},
        "yaxis": {"anchor": "x2" if voiding else "x", **axis(view.pair.vertical)},
    }
    traces: list[dict[str, Any]] = []
    if voiding:
        voided = voided_trials(view, voiding)
        traces += beyond_traces(view, voided, voiding, _BEYOND)
        layout |= beyond_layout(voided, voiding, _BEYOND, (0.0, _BEYOND_SHARE))
    return traces + observed_traces(view), layout
