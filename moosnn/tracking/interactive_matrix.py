"""The interactive figure of three or more objectives: a matrix of panels.

Knows: how plotly lays panels out. Must not know: what is in a panel, where a figure is
shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moosnn.problem import Constraint, Objective
from moosnn.tracking.interactive_points import View
from moosnn.tracking.interactive_traces import (
    Beyond,
    axis,
    beyond_layout,
    beyond_traces,
    layout_name,
    observed_traces,
    voided_trials,
)
from moosnn.tracking.projections import cells

_GAP = 0.08  # between panels, in shares of one
_CELL_PX = 300  # the height of a panel
_MARGIN_PX = 220  # title, legend
_BELOW_PX = 75  # between the panels and the legend: an axis in two lines


def matrix(view: View) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The panels of `projections.matrix_figure`.

    The panels of a column have one axis, those of a row too, so that they are zoomed
    together; a name in the legend is of all panels.

    Args:
        view: of three objectives or more; of each panel another pair of them is drawn.

    Returns:
        The traces and the layout.
    """
    objectives = view.problem.objectives
    side = len(objectives) - 1
    layout: dict[str, Any] = {"height": _CELL_PX * side + _MARGIN_PX}
    layout["legend"] = {
        "orientation": "h",
        "yanchor": "top",
        "y": -_BELOW_PX / _CELL_PX / side,
    }
    for index in range(side):
        layout[layout_name(_name("x", index))] = {
            "domain": _domain(index, side),
            "anchor": _name("y", side - 1),
            **_axis(objectives[side - index]),
        }
        layout[layout_name(_name("y", index))] = {
            "domain": _domain(side - 1 - index, side),  # the first row is the highest
            "anchor": "x",
            **_axis(objectives[side - 1 - index]),
        }
    voiding = next((c for c in view.problem.constraints if c.voids), None)
    traces = _corner(view, voiding, layout) if voiding else []
    for row, column, pair in cells(objectives):
        place = {"xaxis": _name("x", column), "yaxis": _name("y", row)}
        own = observed_traces(replace(view, pair=pair, place=place))
        corner = (row, column) == (side - 1, 0)
        traces += [_grouped(trace, told=corner) for trace in own]
    return traces, layout


def _corner(
    view: View, constraint: Constraint, layout: dict[str, Any]
) -> list[dict[str, Any]]:
    """The panel beyond the edge, above on the right; adds its axes to the layout."""
    objectives = view.problem.objectives
    side = len(objectives) - 1
    panel = Beyond(x=_name("x", side), y=_name("y", side), ticks=_name("y", side + 1))
    voided = voided_trials(view, constraint)
    low, high = _domain(side - 1, side)
    layout |= beyond_layout(voided, constraint, panel, (low, high))
    layout[layout_name(panel.x)]["anchor"] = panel.y
    layout[layout_name(panel.y)] = {
        "domain": [low, high],
        "anchor": panel.x,
        "matches": _name("y", side - 1),  # of the first objective too
        "side": "right",
        **_axis(objectives[0]),
    }
    return beyond_traces(view, voided, constraint, panel)


def _name(letter: str, index: int) -> str:
    """What the axis of a column or row from 0 is called: ``x``, then ``x2``."""
    return letter if index == 0 else f"{letter}{index + 1}"


def _domain(index: int, side: int) -> list[float]:
    """From where to where a panel reaches, in shares of the figure."""
    size = 1 / (side + _GAP * (side - 1))
    start = index * size * (1 + _GAP)
    return [start, min(start + size, 1.0)]


def _axis(objective: Objective) -> dict[str, Any]:
    """In two lines: a panel is small."""
    found = axis(objective)
    return {**found, "title": "<br>".join(found["title"].rsplit(", ", 1))}


def _grouped(trace: dict[str, Any], *, told: bool) -> dict[str, Any]:
    """A trace that the legend hides together with those of its name."""
    shown = told and trace.get("showlegend", True)
    group = trace.get("legendgroup", trace.get("name", "steps"))
    return {**trace, "legendgroup": group, "showlegend": shown}
