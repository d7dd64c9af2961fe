"""The picture of tests/bench/silence_curves.py: training paid against false stops."""

from __future__ import annotations

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
    "manifolds": "random manifolds, 500 updates an epoch",
}
GOAL = 2.0  # per cent of false stops


def draw(panels: Mapping[str, Curves], folder: Path) -> None:
    """Write ``silence-rules.png``; of several curves of a name the last one counts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(panels), 4.4), dpi=150, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (name, found) in zip(axes, panels.items(), strict=True):
        for rule, points in found.items():
            _curve(axis, rule, points)
        axis.axhline(GOAL, color="black", linewidth=0.8)
        axis.set_yscale("symlog", linthresh=GOAL, linscale=0.8)
        axis.set_yticks(
            [0, 1, 2, 5, 10, 20, 40], ["0", "1", "2", "5", "10", "20", "40"]
        )
        axis.set_ylim(-0.3, 60)
        axis.set_xlim(0, 100)
        ended = next(iter(found["drive"].values())).ended
        axis.set_title(f"{TITLES[name]} ({ended} networks end silent)", fontsize=10)
        axis.set_xlabel("training paid for networks that end silent, %")
        axis.grid(visible=True, color="#e5e5e5", linewidth=0.6)
        axis.set_axisbelow(True)
    axes[0].set_ylabel("stopped networks that would have woken, %")
    axes[-1].legend(fontsize=9, framealpha=1, loc="upper right")
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
    places: dict[tuple[int, int], list[str]] = {}
    for value, x, y in zip(shown, cost, false, strict=True):
        places.setdefault((round(x), round(y)), []).append(f"{value:g}")
    for (x, y), values in places.items():
        axis.annotate(
            values[0] if len(values) == 1 else f"≤ {values[-1]}",
            (x, y),
            xytext=offset if len(values) == 1 else (offset[0], 4),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            horizontalalignment="left" if offset[0] > 0 else "right",
        )
