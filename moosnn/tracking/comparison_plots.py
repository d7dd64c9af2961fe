"""Pictures of studies side by side. Knows matplotlib; must not know folders.

A group has a colour, a line style and a marker of its own, so that it is told apart by
colour-blind people and on grey paper. Hollow marks are studies that are not finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import numpy as np

from moosnn.tracking.comparison import Curve, Group, band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = Literal["-", "--", "-.", ":"]
# Okabe and Ito, in an order in which neighbours differ in lightness as well; their
# yellow is too light for lines on white.
_COLORS = (
    "#0072B2",
    "#E69F00",
    "#000000",
    "#CC79A7",
    "#009E73",
    "#D55E00",
    "#56B4E9",
)
_LINES: tuple[Line, ...] = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DPI = 120
_MINUTE_S = 60.0
_HOUR_S = 3600.0
_APART = 10.0  # one group takes so many times as long as another
_SHARES = ("feasible", "silent", "failed")
COLUMNS = 3  # of panels and of a legend
_LONG_LABEL = 28  # characters; longer ones stand below each other
_LEGEND_WIDTH = 85  # characters; longer titles take several lines
_TICK_WIDTH = 32  # characters of a title beside a panel
_LINE_INCHES = 0.17  # the height of a line
_LEGEND_LINES = 3  # for which the figures are high enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a group is drawn.

    Attributes:
        color: of everything.
        line: matplotlib's line style.
        marker: matplotlib's marker.
    """

    color: str
    line: Line
    marker: str


def styles(groups: Sequence[Group]) -> list[tuple[Group, Style]]:
    """Each group with how it is drawn, the same in every picture."""
    return [
        (
            group,
            Style(
                color=_COLORS[index % len(_COLORS)],
                line=_LINES[index % len(_LINES)],
                marker=_MARKERS[index % len(_MARKERS)],
            ),
        )
        for index, group in enumerate(groups)
    ]


def hypervolume_comparison(groups: Sequence[Group]) -> Figure:
    """The hypervolume against ended trials (left) and time at work (right).

    A line is a group's median, the band its range, as far as every study of the group
    is known; beyond that the studies that are known are thin dotted lines. A hollow
    mark is the last trial of a study that is not finished.

    Args:
        groups: one or more.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    unit, seconds = _time_unit(groups)
    longest = max(s.now.elapsed_s for group in groups for s in group.studies)
    for group, style in styles(groups):
        _draw_curves(left, group, style, [s.by_trials for s in group.studies])
        curves = [s.by_seconds for s in group.studies]
        _draw_curves(right, group, style, curves, unit=seconds, until=longest)
    left.set_xlabel("trials ended")
    left.locator_params(axis="x", integer=True)
    left.set_ylabel("hypervolume")
    left.set_ylim(bottom=0)
    right.set_xlabel(f"{unit} at work")
    left.set_xlim(left=0)
    _scale_time(right, groups, seconds)
    for axes in (left, right):
        axes.grid(alpha=0.25)
    several = any(len(group.studies) > 1 for group in groups)
    if several:
        left.set_title("median and range of the studies", loc="left", fontsize="medium")
    add_legend(figure, groups)
    return figure


def _time_unit(groups: Sequence[Group]) -> tuple[str, float]:
    longest = max(s.now.elapsed_s for group in groups for s in group.studies)
    if longest >= _HOUR_S:
        return "hours", _HOUR_S
    return ("minutes", _MINUTE_S) if longest >= 2 * _MINUTE_S else ("seconds", 1.0)


def _scale_time(axes: Axes, groups: Sequence[Group], unit: float) -> None:
    """From 0; on a log axis if one group would be a stroke at the edge of it."""
    ends = [max(s.by_seconds.x[-1] for s in group.studies) for group in groups]
    if max(ends) <= _APART * min(ends):
        axes.set_xlim(left=0)
        return
    curves = [s.by_seconds.x for group in groups for s in group.studies]
    first = min(float(x[x > 0].min(initial=max(ends))) for x in curves)
    axes.set_xscale("log")
    axes.set_xlim(left=first / unit)


def add_legend(figure: Figure, groups: Sequence[Group]) -> None:
    """Below the panels: wherever it lay inside, some study has its curve there."""
    from matplotlib.lines import Line2D

    titles = [fill(group.title, _LEGEND_WIDTH) for group in groups]
    handles = [
        Line2D(
            [], [], color=style.color, linestyle=style.line, marker=style.marker,
            markersize=5, linewidth=2, label=title,
        )
        for title, (_, style) in zip(titles, styles(groups), strict=True)
    ]  # fmt: skip
    longest = max(len(group.title) for group in groups)
    if longest > _LONG_LABEL:
        lines = sum(title.count("\n") + 1 for title in titles)
        more = _LINE_INCHES * max(0, lines - _LEGEND_LINES)
        figure.set_figheight(figure.get_figheight() + more)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=1 if longest > _LONG_LABEL else COLUMNS,
        frameon=False,
        fontsize="small",
        handlelength=3.5,
    )


def _draw_curves(
    axes: Axes,
    group: Group,
    style: Style,
    curves: Sequence[Curve],
    *,
    unit: float = 1.0,
    until: float = 0.0,
) -> None:
    found = band(curves, until)
    x = found.x / unit
    if len(curves) > 1:
        axes.fill_between(
            x, found.low, found.high, step="post", color=style.color, alpha=0.18, lw=0
        )
        for edge in (found.low, found.high):
            axes.step(x, edge, where="post", color=style.color, lw=0.5, alpha=0.6)
    axes.step(
        x,
        found.median,
        where="post",
        color=style.color,
        linestyle=style.line,
        linewidth=2,
        marker=style.marker,
        markevery=(0.1, 0.2),
        markersize=5,
    )
    for study, curve in zip(group.studies, curves, strict=True):
        _draw_rest(axes, style, curve, float(found.x[-1]), unit)
        if not study.finished:
            axes.plot(
                curve.end / unit,
                study.now.hypervolume,
                color=style.color,
                marker=style.marker,
                fillstyle="none",
                markersize=8,
                clip_on=False,
            )


def _draw_rest(
    axes: Axes, style: Style, curve: Curve, limit: float, unit: float
) -> None:
    """One study beyond where its group has a median."""
    rest = curve.x[curve.x > limit]
    if len(rest):
        x = np.concatenate([[limit], rest])
        axes.step(
            x / unit, curve.at(x), where="post", color=style.color, lw=1, linestyle=":"
        )


def shares_comparison(groups: Sequence[Group]) -> Figure:
    """Which share of the trials was feasible, silent, failed: a mark a study.

    A bar is the share of all trials of a group. Silent trials violate a constraint that
    voids; what is missing to 100 % is infeasible otherwise, or was stopped.

    Args:
        groups: one or more.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    titles = [fill(group.title, _TICK_WIDTH) for group in groups]
    most = max(title.count("\n") + 1 for title in titles)
    height = 1.6 + max(0.5, _LINE_INCHES * (most + 1)) * len(groups)
    figure = Figure(figsize=(9.5, height), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(_SHARES), sharey=True)
    for panel, what in zip(panels, _SHARES, strict=True):
        for row, (group, style) in enumerate(styles(groups)):
            _draw_share(panel, group, style, what, row)
        panel.set_title(f"{what} trials", loc="left", fontsize="medium")
        panel.set_xlim(0, 100)
        panel.xaxis.set_major_formatter(PercentFormatter())
        panel.grid(alpha=0.25, axis="x")
        panel.set_axisbelow(True)
    panels[1].set_xlabel("share of the trials that ended; a mark is a study")
    panels[0].set_yticks(range(len(groups)), titles)
    panels[0].invert_yaxis()
    return figure


def _draw_share(axes: Axes, group: Group, style: Style, what: str, row: int) -> None:
    axes.barh(
        row, 100 * group.share(what), height=0.55, color=style.color, alpha=0.35,
        edgecolor=style.color,
    )  # fmt: skip
    count = len(group.studies)
    heights = row + np.linspace(-0.18, 0.18, count) if count > 1 else [float(row)]
    for study, height in zip(group.studies, heights, strict=True):
        axes.plot(
            100 * getattr(study.now, what) / study.now.ended,
            height,
            marker=style.marker,
            markersize=5,
            color=style.color,
            fillstyle="full" if study.finished else "none",
            clip_on=False,
        )
