"""Bars of how much each parameter matters to each outcome.

Knows matplotlib and the data of a page. Must not know: where pictures are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moosnn.tracking.page.static_marks import KIND_COLOURS, Study, figure_of, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 15
_LEAST_SHARE = 0.01  # of the most important one; less is no bar to be seen
_GUESS = {"silence": 0.6, "objective": 0.1, "constraint": 0.1}  # scores up to that
_INCH = 0.26  # a bar


def importance_figure(study: Study) -> Figure | None:
    """The picture; ``None`` if nothing is known."""
    targets = study["importance"]["targets"]
    names = _ranked(targets)
    if not names:
        return None
    figure = figure_of(1.8 + 2.6 * len(targets), 1.3 + _INCH * len(names))
    panels = figure.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for axes, target in zip(panels, targets, strict=True):
        _draw(axes, target, names)
    panels[0].set_yticks(
        range(len(names)), [words(name) for name in names], fontsize="small"
    )
    panels[0].invert_yaxis()
    return figure


def _ranked(targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters that matter most to any outcome, the most important first.

    Each outcome has the same say: its means as shares of its largest.
    """
    shares: dict[str, float] = {}
    for target in targets:
        rows = target["parameters"]
        largest = max((row["mean"] for row in rows), default=0.0)
        for row in rows:
            share = max(row["mean"], 0.0) / largest if largest > 0 else 0.0
            shares[row["name"]] = shares.get(row["name"], 0.0) + share
    told = [name for name in shares if shares[name] > _LEAST_SHARE]
    return sorted(told, key=lambda name: -shares[name])[:_MOST_BARS]


def _draw(axes: Axes, target: Mapping[str, Any], names: Sequence[str]) -> None:
    rows = {row["name"]: row for row in target["parameters"]}
    means = [rows[name]["mean"] if name in rows else 0.0 for name in names]
    sds = [rows[name]["sd"] if name in rows else 0.0 for name in names]
    poor = target["score"] < _GUESS[target["kind"]]
    axes.barh(
        range(len(names)),
        means,
        xerr=sds,
        color=KIND_COLOURS[target["kind"]],
        alpha=0.3 if poor else 0.9,
        error_kw={"linewidth": 1, "ecolor": "black"},
    )
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.25)
    axes.tick_params(labelsize="small")
    axes.set_xlabel("fall of the score", fontsize="small")
    score = target["score_name"].partition(" out")[0]
    doubt = " (hardly more than a guess)" if poor else ""
    axes.set_title(
        f"{words(target['target'])}\n{score} {target['score']:.2f}{doubt}, "
        f"{target['trials']} trials",
        fontsize="small",
    )
