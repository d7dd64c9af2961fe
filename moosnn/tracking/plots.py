"""The course of a study as a picture, and how any picture is written.

Knows matplotlib; must not know where pictures are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.front import hypervolume_history
from moosnn.problem import Problem
from moosnn.tracking.front_plot import DPI, FRONT

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def hypervolume_figure(problem: Problem, history: History) -> Figure:
    """The hypervolume against ended trials."""
    from matplotlib.figure import Figure

    ended = (Kind.FINISHED, Kind.FAILED)
    trials = [
        history.trial(event.number)
        for event in history
        if event.kind in ended and event.number is not None
    ]
    volumes = hypervolume_history(problem, trials)
    figure = Figure(figsize=(7.0, 4.0), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.step(np.arange(1, len(volumes) + 1), volumes, where="post", color=FRONT)
    axes.set_xlabel("trials ended")
    axes.locator_params(axis="x", integer=True)
    axes.set_ylabel("hypervolume")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format=path.suffix.lstrip("."))
    temporary.replace(path)
