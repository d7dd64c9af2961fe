"""The picture of an edge: the probability of lying beyond it over two parameters.

Knows matplotlib. Must not know: where pictures are kept, models.

Beyond the edge is dark, so that it reads in print; trials are told apart by shape and
by colours of Okabe and Ito.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from moosnn.conditions import is_number
from moosnn.pareto.edge import LEVEL, SURE
from moosnn.problem import Floats
from moosnn.space import Choice, Int, Params
from moosnn.tracking.edge import (
    Survey,
    beyond_word,
    fell_beyond,
    is_beyond,
)
from moosnn.tracking.edge_lines import Map, Surroundings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORKING = "#0072B2"
_BEYOND = "#D55E00"
_MEMBER = "#F0E442"
_CHOSEN = "#009E73"
_DPI = 120
_NEIGHBOUR = (0.06, 0.04)  # of the axes' sides: a star so near is under a number
_LEVELS = 21  # shades
_DARKEST = 0.45  # of the grey where the probability is 1
_CONTOURS = (
    (SURE, f"P = {SURE:g}", 1.0, "dotted"),
    (LEVEL, f"the edge: P = {LEVEL:g}", 3.0, "solid"),
    (1 - SURE, f"P = {1 - SURE:g}", 1.0, "dashed"),
)


def edge_figure(survey: Survey) -> Figure:
    """The map of a survey, with the trials and the front members on it.

    Grey is the probability that a training lies beyond the edge, with the other
    parameters as at the chosen member; the bold line is one half. A trial or a member
    lies where its own two values are, whatever its others.

    Args:
        survey: with a map.
    """
    from matplotlib.figure import Figure

    assert survey.map is not None
    figure = Figure(figsize=(8.5, 6.0), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    _set_axes(axes, survey, survey.map)
    _draw_map(axes, survey.map)
    _draw_trials(axes, survey, survey.map.names)
    _draw_members(axes, survey, survey.map.names)
    word = beyond_word(survey.constraints)
    axes.set_title(
        f"P({word}) with everything else as in trial {survey.chosen.number}",
        loc="left",
    )
    figure.legend(
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize="small",
        markerscale=0.7,
    )
    return figure


def _set_axes(axes: Axes, survey: Survey, shown: Map) -> None:
    from matplotlib.ticker import MaxNLocator

    for which, name, values in zip("xy", shown.names, shown.values, strict=True):
        parameter = survey.problem.space.parameters[name]
        log = not isinstance(parameter, Choice) and parameter.log
        axes.set(
            **{
                f"{which}scale": "log" if log else "linear",
                f"{which}lim": (values[0], values[-1]),
                f"{which}label": name.replace("_", " "),
            }
        )
        if isinstance(parameter, Int) and not log:
            axis = axes.xaxis if which == "x" else axes.yaxis
            axis.set_major_locator(MaxNLocator(integer=True))


def _draw_map(axes: Axes, shown: Map) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    grey = str(1 - _DARKEST)
    shades = LinearSegmentedColormap.from_list("beyond", ["white", grey])
    x, y = (np.array(values) for values in shown.values)
    levels = np.linspace(0.0, 1.0, _LEVELS)
    axes.contourf(x, y, shown.probability, levels=levels, cmap=shades)
    low, high = float(shown.probability.min()), float(shown.probability.max())
    for level, name, width, style in _CONTOURS:
        if low < level < high:
            axes.contour(
                x,
                y,
                shown.probability,
                levels=[level],
                colors="black",
                linewidths=width,
                linestyles=style,
            )
            # A set of contours has no label of its own.
            axes.plot(
                [], [], color="black", linewidth=width, linestyle=style, label=name
            )


def _draw_trials(axes: Axes, survey: Survey, names: tuple[str, str]) -> None:
    beyond = is_beyond(survey.constraints, survey.history)
    word = beyond_word(survey.constraints)
    kinds = (
        (False, "working" if word == "silent" else "not beyond", "o", _WORKING),
        (True, word, "x", _BEYOND),
    )
    for wanted, name, marker, color in kinds:
        points = [
            point
            for trial, is_so in zip(survey.history.done, beyond, strict=True)
            if is_so == wanted
            and (point := _place(survey, trial.proposal.params, names)) is not None
        ]
        axes.plot(
            *_columns(points),
            marker=marker,
            color=color,
            markersize=5 if marker == "o" else 7,
            markeredgewidth=2 if marker == "x" else 0,
            alpha=0.8,
            linestyle="none",
            clip_on=False,  # those at the ends of a range lie on the frame
            label=f"{name} ({len(points)})",
        )


def _draw_members(axes: Axes, survey: Survey, names: tuple[str, str]) -> None:
    placed = [
        (one, point)
        for one in survey.members
        if (point := _place(survey, one.member.trial.proposal.params, names))
    ]
    for chosen, name, color in (
        (False, "front", _MEMBER),
        (True, f"trial {survey.chosen.number}", _CHOSEN),
    ):
        points = [p for one, p in placed if (one is survey.chosen) == chosen]
        if points:
            axes.plot(
                *_columns(points),
                marker="*",
                color=color,
                markeredgecolor="black",
                markersize=17,
                linestyle="none",
                clip_on=False,
                zorder=4 + chosen,
                label=name,
            )
    _draw_rings(axes, survey, placed)
    _draw_numbers(axes, placed)


Placed = list[tuple[Surroundings, tuple[float, float]]]


def _draw_rings(axes: Axes, survey: Survey, placed: Placed) -> None:
    fallen = [p for one, p in placed if fell_beyond(survey.constraints, one.member)[0]]
    if not fallen:
        return
    axes.plot(
        *_columns(fallen),
        marker="o",
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=2,
        markersize=23,
        linestyle="none",
        clip_on=False,
        zorder=6,
        label=f"fell {beyond_word(survey.constraints)} when trained again",
    )


def _draw_numbers(axes: Axes, placed: Placed) -> None:
    """The numbers beside the stars; those of one place in one text."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")]
    texts: dict[tuple[float, float], list[str]] = {}
    for one, point in placed:
        texts.setdefault(point, []).append(str(one.number))
    # In shares of the axes' sides.
    change = axes.transData + axes.transAxes.inverted()
    places = change.transform(list(texts)) if texts else np.zeros((0, 2))
    for (point, numbers), place in zip(texts.items(), places, strict=True):
        right, up = (places - place).T
        crowded = (right > 0) & (right < _NEIGHBOUR[0]) & (abs(up) < _NEIGHBOUR[1])
        above = bool(crowded.any())
        axes.annotate(
            ", ".join(numbers),
            point,
            xytext=(0, 12) if above else (13, -4),
            fontsize="small",
            horizontalalignment="center" if above else "left",
            textcoords="offset points",
            path_effects=halo,
            zorder=7,
        )


def _place(
    survey: Survey, params: Params, names: tuple[str, str]
) -> tuple[float, float] | None:
    """Where a point lies on the map; ``None`` if it lacks one of the parameters."""
    active = survey.problem.space.active(params)
    if any(
        isinstance(survey.problem.space.parameters[name], Choice) or name not in active
        for name in names
    ):
        return None
    x, y = (active[name] for name in names)
    assert is_number(x)
    assert is_number(y)
    return float(x), float(y)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    table = np.array(points, dtype=float).reshape(len(points), 2)
    return table[:, 0], table[:, 1]
