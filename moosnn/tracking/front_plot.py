"""The picture of a front. Knows matplotlib; must not know where pictures are kept.

Of two objectives it has two axes; of more see `moosnn.tracking.projections`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.front_marks import (
    DPI,
    FRONT,
    Pair,
    Scene,
    axis_label,
    draw_beyond,
    draw_pair,
)
from moosnn.tracking.projections import matrix_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DPI", "FRONT", "axis_label", "front_figure"]


def front_figure(problem: Problem, history: History) -> Figure:
    """The front, and what lies beyond the edge.

    A point that was measured several times is drawn once, at its means, with a standard
    error to each side.

    The right panel holds the observed trials: the front, dominated ones, those that
    violate a constraint which does not void, the reference. The left panel, grey, holds
    those that a constraint voided (the silent ones): further left = further beyond the
    edge. A voided trial that was stopped before its accuracy was measured is a tick at
    the bottom. A ring marks a member that fell silent when it was trained again.

    Three objectives or more are a matrix of such panels, one for each two of them.

    Args:
        problem: with two or more objectives.
        history: what happened.
    """
    from matplotlib.figure import Figure

    scene = Scene.of(problem, history)
    if len(problem.objectives) > 2:
        return matrix_figure(scene)
    figure = Figure(figsize=(8.5, 5.0), dpi=DPI, layout="constrained")
    vertical, horizontal = problem.objectives
    if scene.voiding:
        beyond, axes = figure.subplots(1, 2, sharey=True, width_ratios=(1, 3.2))
        draw_beyond(beyond, scene, scene.voiding)
        beyond.set_ylabel(axis_label(vertical))
    else:
        axes = figure.subplots()
        axes.set_ylabel(axis_label(vertical))
    draw_pair(axes, scene, Pair(horizontal=horizontal, vertical=vertical))
    axes.set_xlabel(axis_label(horizontal))
    axes.set_title(f"front, hypervolume {scene.front.hypervolume:.3f}", loc="left")
    # Below the panels: wherever a legend lay inside, some study has its front there.
    figure.legend(
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize="small",
        columnspacing=1.2,
        handletextpad=0.3,
    )
    return figure
