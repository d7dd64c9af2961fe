"""The picture of tests/bench/silence_curves.py: training paid against false stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tests.bench.silence_curves import Curves, Point

# Okabe & Ito (2008): told apart by colour-blind readers; the markers differ as well.
# The last is where a label stands, in points from its marker.
LOOKS = {
    "drive": ("#0072B2", "o", "-", (-4, -11)),
    "sequential": ("#D55E00", "s", "--", (4, 4)),
    "firmin": ("#555555", "^", ":", (4, 4)),
}
NAMES = {
    "drive": "drive, by min_updates",
    "sequential": "sequential 99 %, by min_updates",
    "firmin": "Firmin et al., by beta",
}
TITLES = {
    "digits": "digits",
    "manifolds": "manifolds, 1,000 to 2,000 updates",
    "manifolds-long": "manifolds, 1,000 to 7,500 updates",
}
GOAL = 2.0  # per cent of false stops
PAID = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw(panels: Mapping[str, Curves], folder: Path) -> None:
    """Write ``silence-rules.png``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(panels), 4.4), dpi=150, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (name, found) in zip(axes, panels.items(), strict=True):
        for rule in LOOKS:
            _curve(axis, rule, found[rule])
        axis.axhline(GOAL, color="black", linewidth=0.8)
        axis.set_yscale("symlog", linthresh=GOAL, linscale=0.8)
        axis.set_yticks(
            [0, 1, 2, 5, 10, 20, 40], ["0", "1", "2", "5", "10", "20", "40"]
        )
        axis.set_ylim(-0.3, 60)
        axis.set_xscale("log")
        axis.set_xlim(0.15, 130)
        axis.set_xticks(PAID, [f"{paid:g}" for paid in PAID], minor=False)
        axis.set_xticks([], minor=True)
        ended = next(iter(found["drive"].values())).ended
        axis.set_title(f"{TITLES[name]} ({ended} networks end silent)", fontsize=10)
        axis.set_xlabel("training paid for networks that end silent, %")
        axis.grid(visible=True, color="#e5e5e5", linewidth=0.6)
        axis.set_axisbelow(True)
    axes[0].set_ylabel("stopped networks that would have woken, %")
    axes[0].legend(fontsize=9, framealpha=1, loc="lower left")
    figure.savefig(folder / "silence-rules.png")


def _curve(axis: Axes, rule: str, points: Mapping[float, Point]) -> None:
    colour, marker, line, offset = LOOKS[rule]
    shown = {value: p for value, p in points.items() if p.stopped}
    cost = [100 * p.cost for p in shown.values()]
    false = [100 * p.false / p.stopped for p in shown.values()]
    lows, highs = zip(*(p.false_interval() for p in shown.values()), strict=True)
    axis.errorbar(
        cost,
        false,
        xerr=(
            [100 * (p.cost - p.cost_low) for p in shown.values()],
            [100 * (p.cost_high - p.cost) for p in shown.values()],
        ),
        yerr=(
            [f - 100 * low for f, low in zip(false, lows, strict=True)],
            [100 * high - f for f, high in zip(false, highs, strict=True)],
        ),
        color=colour,
        marker=marker,
        linestyle=line,
        markersize=5,
        linewidth=1.4,
        elinewidth=0.7,
        label=NAMES[rule],
    )
    places: dict[tuple[int, int], list[tuple[float, float, str]]] = {}
    for value, x, y in zip(shown, cost, false, strict=True):
        place = round(20 * math.log10(x)), round(y)  # as far apart as labels can be
        places.setdefault(place, []).append((x, y, f"{value:g}"))
    for found in places.values():
        (x, y, _), values = found[-1], [label for *_, label in found]
        axis.annotate(
            values[0] if len(values) == 1 else f"≤ {values[-1]}",
            (x, y),
            xytext=offset if len(values) == 1 else (offset[0], 4),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            horizontalalignment="left" if offset[0] > 0 else "right",
        )
