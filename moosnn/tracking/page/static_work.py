"""Who worked when: a row a worker.

Knows matplotlib and the data of a page. Must not know: where pictures are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moosnn.tracking.page.static_marks import Study, figure_of
from moosnn.tracking.page.timeline import CONFIRM, LOST, TRIAL
from moosnn.tracking.summary import duration_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colour, hatch and name of each kind of span.
_KINDS = {
    TRIAL: ("#56B4E9", "", "trial"),
    CONFIRM: ("#009E73", "//", "retraining of a front member"),
    LOST: ("#D55E00", "xx", "lost attempt"),
}
_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))
_MANY = 400  # spans, of which each is too narrow for a border
_NAMED = 32  # rows; of more only some have a name


def timeline_figure(study: Study) -> Figure | None:
    """The picture; ``None`` if no time has passed since a trial was given out."""
    told = study["timeline"]
    workers = told["workers"]
    length = told["to_s"] - told["from_s"]
    if not workers or length <= 0:
        return None
    unit, name = next((u for u in _UNITS if length > 3 * u[0]), (1.0, "seconds"))
    figure = figure_of(9.0, min(9.0, 1.7 + 0.3 * len(workers)))
    axes = figure.subplots()
    spans = sum(len(worker["spans"]) for worker in workers)
    seen = {}
    for row, worker in enumerate(workers):
        for kind, (colour, hatch, label) in _KINDS.items():
            bars = [
                (s[0] / unit, (s[1] - s[0]) / unit)
                for s in worker["spans"]
                if s[3] == kind
            ]
            if bars:
                seen[label] = axes.broken_barh(
                    bars,
                    (row - 0.4, 0.8),
                    facecolor=colour,
                    edgecolor="white",
                    linewidth=0.3 if spans < _MANY else 0.0,
                    hatch=hatch,
                )
    step = -(-len(workers) // _NAMED)
    rows = range(0, len(workers), step)
    axes.set_yticks(rows, [workers[row]["name"] for row in rows], fontsize="small")
    axes.set_ylim(len(workers) - 0.4, -0.6)
    axes.set_xlim(told["from_s"] / unit, told["to_s"] / unit)
    axes.set_xlabel(
        f"{name} at work (without the time in which no driver ran)", fontsize="small"
    )
    axes.tick_params(labelsize="small")
    axes.set_title(_summary(study), loc="left", fontsize="small")
    figure.legend(
        list(seen.values()),
        list(seen),
        loc="outside lower center",
        ncols=len(seen),
        frameon=False,
        fontsize="small",
    )
    return figure


def _summary(study: Study) -> str:
    told = study["timeline"]
    parts = [f"{duration_text(told['trained_s'])} of trials"]
    if told["utilisation"] is not None:
        parts.append(f"workers busy {told['utilisation']:.0%}")
    if told["saved_s"]:
        parts.append(f"early stopping spared {duration_text(told['saved_s'])}")
    return ", ".join(parts)
