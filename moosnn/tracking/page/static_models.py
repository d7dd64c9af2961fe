"""Slices and maps of the models around a front member.

Knows matplotlib and the data of a page. Must not know: where pictures are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from moosnn.pareto.edge import LEVEL
from moosnn.problem import Floats
from moosnn.tracking.log_ticks import few_ticks, label_few, set_log
from moosnn.tracking.page.static_marks import (
    KIND_COLOURS,
    MEMBER,
    Study,
    figure_of,
    parameter_of,
    params_of,
    set_x,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure

_MOST_SLICES = 8
_SHADES = 10
_WIDE = 3  # columns over which a title fits in one line
_PROBABILITY = "probability"


def slices_figure(study: Study) -> Figure | None:
    """A row an outcome, a column a parameter; ``None`` if there are no models."""
    models = study["models"]
    targets, slices = models["targets"], _telling(models)
    if not slices:
        return None
    figure = figure_of(1.2 + 1.6 * len(slices), 0.7 + 1.7 * len(targets))
    grid = figure.subplots(
        len(targets), len(slices), sharey="row", sharex="col", squeeze=False
    )
    own = params_of(study, models["around"])
    for row, target in enumerate(targets):
        said = [s["values"][row] for s in slices]
        span = [v for one in said for line in one.values() for v in line]
        for axes, found in zip(grid[row], slices, strict=True):
            parameter = parameter_of(study, found["parameter"])
            _draw_slice(
                axes, target, found, row=row, parameter=parameter, own=own, span=span
            )
            if row < len(targets) - 1:
                axes.set_xlabel("")
        _label_rows(grid[row][0], target)
    for axes in grid[-1]:
        label_few(axes)
    _title(figure, "one parameter moved", models, len(slices))
    return figure


def _label_rows(axes: Axes, target: Mapping[str, Any]) -> None:
    unit = f" ({target['unit']})" if target["unit"] else ""
    said = target["target"].lower().split("_")
    unit = "" if target["unit"].lower() in said else unit
    axes.set_ylabel(f"{words(target['target'])}{unit}", fontsize="small")
    if target["kind"] == _PROBABILITY:
        axes.set_ylim(-0.03, 1.03)


def _telling(models: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The slices along which the models vary most, in the space's order."""
    slices, targets = models["slices"], models["targets"]
    spans = np.array(
        [
            [
                _span(said["mean"], target)
                for said, target in zip(s["values"], targets, strict=True)
            ]
            for s in slices
        ]
    ).reshape(len(slices), len(targets))
    shares = spans / np.maximum(spans.max(axis=0, initial=0.0), 1e-12)
    best = np.argsort(-shares.sum(axis=1), kind="stable")[:_MOST_SLICES]
    return [slices[row] for row in sorted(best)]


def _span(means: Sequence[float], target: Mapping[str, Any]) -> float:
    values = np.log10(means) if target["log"] else np.array(means)
    return float(np.ptp(values))


def _draw_slice(
    axes: Axes,
    target: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    row: int,
    parameter: Mapping[str, Any],
    own: Mapping[str, Any],
    span: Sequence[float],
) -> None:
    colour, said = KIND_COLOURS[target["kind"]], found["values"][row]
    if target["log"]:
        set_log(axes, "y", span)
    value = own[parameter["name"]]
    if parameter["kind"] == "choice":
        x = list(range(len(found["x"])))
        here = [type(o) is type(value) and o == value for o in found["x"]].index(True)
        if "low" in said:
            axes.vlines(x, said["low"], said["high"], color=colour, alpha=0.5)
        axes.plot(x, said["mean"], "o", color=colour, markersize=5)
    else:
        x, here = found["x"], value
        if "low" in said:
            axes.fill_between(x, said["low"], said["high"], color=colour, alpha=0.2)
        marker = "o" if len(x) < 10 and parameter["kind"] == "int" else None
        axes.plot(x, said["mean"], color=colour, marker=marker, markersize=4)
    axes.axvline(here, color=MEMBER, linewidth=1.2, linestyle="--")
    if target["kind"] == _PROBABILITY:
        axes.axhline(LEVEL, color="black", linewidth=0.8, linestyle=":")
    set_x(axes, parameter, found["x"])
    axes.grid(alpha=0.25)


def _title(
    figure: Figure,
    moved: str,
    models: Mapping[str, Any],
    columns: int,
    more: str = "",
) -> None:
    """Say what is shown; over few columns in several lines."""
    said = f"{moved}, all others as in trial {models['around']}{more}"
    if columns < _WIDE:
        said = said.replace(", ", ",\n").replace("; ", ";\n")
    figure.suptitle(said, fontsize="medium")


def maps_figure(study: Study) -> Figure | None:
    """A row an outcome, a column a pair of parameters; ``None`` without maps."""
    models = study["models"]
    targets, maps = models["targets"], models["maps"]
    if not maps:
        return None
    figure = figure_of(1.0 + 2.35 * len(maps), 0.7 + 2.2 * len(targets))
    grid = figure.subplots(len(targets), len(maps), sharex="col", squeeze=False)
    own = params_of(study, models["around"])
    for row, target in enumerate(targets):
        levels = _levels([one["values"][row] for one in maps], target)
        for axes, found in zip(grid[row], maps, strict=True):
            drawn = _draw_map(axes, study, target, row, found, levels=levels)
            _draw_edge(axes, targets, found)
            axes.plot(
                own[found["x_parameter"]],
                own[found["y_parameter"]],
                marker="*",
                markersize=11,
                color=MEMBER,
                markeredgecolor="black",
                markeredgewidth=0.6,
                clip_on=False,
                zorder=5,
            )
            if row < len(targets) - 1:
                axes.set_xlabel("")
            label_few(axes)
        _label_bar(_draw_bar(figure, drawn, grid[row]), target, levels)
    edge = any(target["kind"] == _PROBABILITY for target in targets)
    line = f"; black line: probability {LEVEL:g}" if edge else ""
    _title(figure, "two parameters moved", models, len(maps), f" (star){line}")
    return figure


def _heights(values: object, target: Mapping[str, Any]) -> Floats:
    """What the shades of a map stand for: of a log axis the logarithm."""
    heights = np.array(values, dtype=float)
    return np.log10(heights) if target["log"] else heights


def _levels(values: Sequence[object], target: Mapping[str, Any]) -> Floats:
    """Shades that all maps of an outcome share."""
    from matplotlib.ticker import MaxNLocator

    if target["kind"] == _PROBABILITY:
        return np.linspace(0.0, 1.0, _SHADES + 1)
    low = min(float(_heights(one, target).min()) for one in values)
    high = max(float(_heights(one, target).max()) for one in values)
    return np.asarray(MaxNLocator(_SHADES).tick_values(low, high))


def _draw_map(
    axes: Axes,
    study: Study,
    target: Mapping[str, Any],
    row: int,
    found: Mapping[str, Any],
    *,
    levels: Floats,
) -> QuadContourSet:
    dark = target["kind"] == _PROBABILITY
    drawn = axes.contourf(
        found["x"],
        found["y"],
        _heights(found["values"][row], target),
        levels=levels,
        cmap="Greys" if dark else "cividis",
    )
    set_x(axes, parameter_of(study, found["x_parameter"]), found["x"])
    other = parameter_of(study, found["y_parameter"])
    axes.set_ylabel(words(other["name"]), fontsize="small", labelpad=1)
    if other["log"]:
        axes.set_yscale("log")
    return drawn


def _draw_bar(figure: Figure, drawn: QuadContourSet, row: Sequence[Axes]) -> Colorbar:
    bar = figure.colorbar(drawn, ax=list(row), pad=0.01, aspect=12)
    bar.ax.tick_params(labelsize="x-small")
    return bar


def _label_bar(bar: Colorbar, target: Mapping[str, Any], levels: Floats) -> None:
    """Few round numbers, those of a log axis in natural units."""
    bar.set_label(words(target["target"]), fontsize="small")
    low, high = float(levels[0]), float(levels[-1])
    if target["kind"] == _PROBABILITY:
        bar.set_ticks([0.0, LEVEL, 1.0])
    elif target["log"]:
        ticks = few_ticks(10.0**low, 10.0**high)
        bar.set_ticks(np.log10(ticks).tolist(), labels=[f"{t:g}" for t in ticks])
    else:
        bar.set_ticks(levels[::2].tolist())


def _draw_edge(
    axes: Axes, targets: Sequence[Mapping[str, Any]], found: Mapping[str, Any]
) -> None:
    """The line where silence is as likely as not."""
    for row, target in enumerate(targets):
        if target["kind"] != _PROBABILITY:
            continue
        z = np.array(found["values"][row], dtype=float)
        if z.min() < LEVEL < z.max():
            axes.contour(
                found["x"], found["y"], z, levels=[LEVEL], colors="black", linewidths=2
            )
