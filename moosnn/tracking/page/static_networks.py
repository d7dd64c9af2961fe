"""What a network of the front does: rates of its stages, spikes of one sample.

Knows matplotlib and the data of a page. Must not know: where pictures are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from moosnn.tracking.front_marks import FRONT
from moosnn.tracking.page.static_marks import Study, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DEAD = "#E69F00"
_SILENT = "#999999"
_COLOURS = ("#0072B2", "#D55E00")  # of the stages in turn


def network_figure(study: Study) -> Figure | None:
    """The median front member with a raster, or of all; ``None`` if none has stages."""
    networks = study["networks"]
    numbers = [str(number) for number in study["front"] if str(number) in networks]
    if not numbers:
        return None
    pictured = [n for n in numbers if networks[n]["raster"]] or numbers
    number = pictured[len(pictured) // 2]
    network = networks[number]
    raster = network["raster"]
    stages = len(network["stages"])
    figure = figure_of(10.0 if raster else 5.0, max(3.4, 1.6 + 0.7 * stages))
    widths = [1.0, 1.6] if raster else [1.0]
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    _draw_rates(panels[0], network)
    if raster:
        _draw_raster(panels[1], raster)
    figure.suptitle(f"trial {number} of the front", fontsize="medium")
    return figure


def _draw_rates(axes: Axes, network: Mapping[str, Any]) -> None:
    names = network["stages"]
    if network["neurons"]:
        counts = zip(names, network["neurons"], strict=True)
        names = [f"{name}\n{count} neurons" for name, count in counts]
    rows = np.arange(len(names))
    bars = (
        ("rates_per_step", "spikes a neuron and step", FRONT, ""),
        ("dead", "neurons that never fire", _DEAD, "//"),
        ("silent", "samples that are silent", _SILENT, "xx"),
    )
    height = 0.8 / len(bars)
    for k, (key, label, colour, hatch) in enumerate(bars):
        values = [value or 0.0 for value in network[key]]
        places = rows + (k - 1) * height
        drawn = axes.barh(
            places, values, height, color=colour, hatch=hatch, label=label
        )
        axes.bar_label(
            drawn, [f"{v:.2g}" for v in values], fontsize="x-small", padding=2
        )
    axes.set_yticks(rows, names, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlim(0.0, 1.12)
    axes.set_xlabel("share", fontsize="small")
    axes.tick_params(axis="x", labelsize="small")
    axes.grid(axis="x", alpha=0.25)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        fontsize="x-small",
        frameon=False,
    )


def _draw_raster(axes: Axes, raster: Mapping[str, Any]) -> None:
    """Stage above stage, each neuron a row, each spike a stroke."""
    from matplotlib.ticker import MaxNLocator

    base, ticks = 0.0, []
    for k, stage in enumerate(raster["stages"]):
        whole = stage["shown"] == stage["neurons"]
        height = stage["shown"]
        # Neurons that stay silent have a row as well.
        share = (height - 1) / max(stage["neurons"] - 1, 1)
        rows = [base + i * share for i in stage["i"]]
        axes.scatter(
            stage["t"],
            rows,
            marker="|",
            s=max(2.0, 1200.0 / max(_rows(raster), 1)),
            linewidths=1.4,
            color=_COLOURS[k % len(_COLOURS)],
        )
        more = "" if whole else f", {height} of {stage['neurons']} neurons"
        ticks.append(
            (
                base + (height - 1) / 2,
                f"{stage['name']}\n{stage['spikes']} spikes{more}",
            )
        )
        base += height
        if k < len(raster["stages"]) - 1:
            axes.axhline(base - 0.5, color="black", linewidth=0.6)
    axes.set_yticks(
        [y for y, _ in ticks], [text for _, text in ticks], fontsize="small"
    )
    axes.set_ylim(base - 0.5, -0.5)
    axes.set_xlim(-0.6, raster["steps"] - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("time step", fontsize="small")
    axes.tick_params(axis="x", labelsize="small")
    right = "rightly" if raster["class"] == raster["answer"] else "wrongly"
    axes.set_title(
        f"{raster['split']} sample {raster['sample']} of class {raster['class']}, "
        f"{right} answered {raster['answer']}",
        fontsize="small",
        loc="left",
    )


def _rows(raster: Mapping[str, Any]) -> int:
    return sum(stage["shown"] for stage in raster["stages"])
