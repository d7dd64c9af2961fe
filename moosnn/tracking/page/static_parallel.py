"""Parallel coordinates: every trial a line over all parameters and objectives.

Knows matplotlib and the data of a page. Must not know: where pictures are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moosnn.tracking.page.plain import evenly
from moosnn.tracking.page.static_marks import (
    STATUS_COLOURS,
    Study,
    figure_of,
    scaled,
    short,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ABSENT = -0.13  # where a line runs that has no such parameter
_MOST_LINES = 300  # of a status, spread evenly over the study
_MOST_OPTIONS = 16  # of a choice that are labelled
_INCH = 0.85  # an axis
_JITTER = 0.025  # of lines through one value
_FULL_WIDTH = 25  # lines that are drawn in their full width; more are thinner
# What is drawn, from below to above: status, width, opacity.
_LAYERS = (
    ("silent", 0.6, 0.35),
    ("infeasible", 0.6, 0.5),
    ("dominated", 0.7, 0.45),
    ("front", 1.8, 0.95),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """One vertical axis.

    Attributes:
        label: below it.
        places: of the trials, 0 to 1, or NaN.
        ticks: places and labels.
        spread: whether lines through one value are drawn apart.
    """

    label: str
    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]
    spread: bool


def parallel_figure(study: Study) -> Figure | None:
    """The picture; ``None`` if no trial was evaluated."""
    statuses = study["trials"]["status"]
    rows = {
        status: [row for row, own in enumerate(statuses) if own == status]
        for status, _, _ in _LAYERS
    }
    if not any(rows.values()):
        return None
    shown = [row for found in rows.values() for row in found]
    columns = [
        _parameter_axis(p, study["trials"]["params"][p["name"]])
        for p in study["parameters"]
        if p["kind"] != "choice" or len(p["options"]) > 1
    ]
    columns += [
        axis for o in study["objectives"] if (axis := _objective_axis(study, o, shown))
    ]
    figure = figure_of(max(6.0, 1.5 + _INCH * len(columns)), 4.6)
    axes = figure.subplots()
    _draw_axes(axes, columns)
    for status, width, opacity in _LAYERS:
        _draw_lines(
            axes, columns, rows[status], status=status, width=width, opacity=opacity
        )
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.04),
        ncols=len(_LAYERS),
        frameon=False,
        fontsize="small",
    )
    axes.set_title("objectives: better is up", loc="right", fontsize="small", pad=18)
    return figure


def _parameter_axis(parameter: Mapping[str, Any], values: Sequence[Any]) -> _Axis:
    label = words(parameter["name"])
    if parameter["kind"] == "choice":
        options = parameter["options"]
        places = {
            _key(option): scaled(k, 0, len(options) - 1, False)
            for k, option in enumerate(options)
        }
        return _Axis(
            label=label,
            places=[np.nan if v is None else places[_key(v)] for v in values],
            ticks=[
                (places[_key(options[k])], short(options[k]))
                for k in evenly(len(options), _MOST_OPTIONS)
            ],
            spread=True,
        )
    low, high, log = parameter["low"], parameter["high"], parameter["log"]
    return _Axis(
        label=label,
        places=[np.nan if v is None else scaled(v, low, high, log) for v in values],
        ticks=[(0.0, short(low)), (1.0, short(high))],
        spread=parameter["kind"] == "int",
    )


def _key(option: object) -> tuple[str, object]:
    """True and 1 are two options."""
    return type(option).__name__, option


def _objective_axis(
    study: Study, objective: Mapping[str, Any], shown: Sequence[int]
) -> _Axis | None:
    """The axis of an objective, over what the drawn trials measured, better above."""
    log = objective["scale"] == "log"
    column = _observed(study, objective["metric"])
    values = [v if v is None or not log else max(v, objective["floor"]) for v in column]
    measured = [v for row in shown if (v := values[row]) is not None]
    if not measured:
        return None
    low, high = min(measured), max(measured)
    if objective["goal"] == "min":
        low, high = high, low
    return _Axis(
        label=words(objective["metric"]),
        places=[np.nan if v is None else _between(v, low, high, log) for v in values],
        ticks=[(0.0, short(low)), (1.0, short(high))],
        spread=False,
    )


def _observed(study: Study, metric: str) -> list[float | None]:
    """A metric of the trials; that of a silent one means nothing."""
    columns = zip(
        study["trials"]["status"], study["trials"]["metrics"][metric], strict=True
    )
    return [None if status == "silent" else value for status, value in columns]


def _between(value: float, low: float, high: float, log: bool) -> float:
    """`scaled`, where ``low`` may lie above ``high``."""
    return (
        scaled(value, low, high, log) if high > low else _flipped(value, low, high, log)
    )


def _flipped(value: float, low: float, high: float, log: bool) -> float:
    return 1.0 - scaled(value, high, low, log)


def _draw_axes(axes: Axes, columns: Sequence[_Axis]) -> None:
    for x, column in enumerate(columns):
        axes.plot([x, x], [0.0, 1.0], color="black", linewidth=0.8, zorder=3)
        for place, label in column.ticks:
            axes.annotate(
                label,
                (x, place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize="xx-small",
                zorder=6,
                bbox={
                    "facecolor": "white",
                    "edgecolor": "none",
                    "alpha": 0.75,
                    "pad": 0.5,
                },
            )
    axes.set_xticks(
        range(len(columns)),
        [column.label for column in columns],
        rotation=35,
        ha="right",
        rotation_mode="anchor",
        fontsize="small",
    )
    axes.set_xlim(-0.3, len(columns) - 0.3)
    axes.set_ylim(_ABSENT - 0.05, 1.05)
    absent = any(np.isnan(column.places).any() for column in columns)
    axes.set_yticks([_ABSENT] if absent else [], ["not there"] if absent else [])
    axes.tick_params(axis="both", length=0, labelsize="small")
    axes.spines[:].set_visible(False)


def _draw_lines(
    axes: Axes,
    columns: Sequence[_Axis],
    rows: Sequence[int],
    *,
    status: str,
    width: float,
    opacity: float,
) -> None:
    from matplotlib.collections import LineCollection

    rng = np.random.default_rng(0)
    chosen = [rows[place] for place in evenly(len(rows), _MOST_LINES)]
    x = np.arange(len(columns))
    lines = []
    for row in chosen:
        places = np.array([column.places[row] for column in columns], dtype=float)
        apart = rng.uniform(-_JITTER, _JITTER, len(columns))
        places += np.where([column.spread for column in columns], apart, 0.0)
        lines.append(np.column_stack([x, np.where(np.isnan(places), _ABSENT, places)]))
    thinner = min(1.0, (_FULL_WIDTH / max(len(lines), 1)) ** 0.5)
    drawn = LineCollection(
        lines,
        colors=STATUS_COLOURS[status],
        linewidths=width * thinner,
        alpha=opacity,
        zorder=5 if status == "front" else 2,
        label=f"{status} ({len(rows)})" if rows else "_nothing",
    )
    axes.add_collection(drawn)
