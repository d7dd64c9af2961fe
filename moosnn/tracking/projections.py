"""A front of three or more objectives: a matrix of its projections on two of them.

Knows matplotlib's figures; must not know where pictures are kept, how a point is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from moosnn.problem import Objective
from moosnn.tracking.front_marks import (
    DPI,
    Pair,
    Scene,
    axis_label,
    draw_beyond,
    draw_pair,
)
from moosnn.tracking.log_ticks import label_few

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

_CELL_INCHES = (3.4, 2.9)  # width and height
_LEGEND_INCHES = 0.9  # below the cells
_LEGEND_COLUMNS = 5


def matrix_figure(scene: Scene) -> Figure:
    """The lower triangle of a matrix with a cell for each two objectives.

    A column has one objective across, a row one upwards: the first objective in the
    lowest row, so that it is never across, the last one in the first column. Each cell
    is as the right panel of two objectives, with steps along the members that are best
    in its two alone; a member that lies behind them is better in another objective. The
    corner above holds what lies beyond the edge, with the first objective upwards.

    Args:
        scene: of a problem with three or more objectives.
    """
    from matplotlib.figure import Figure

    side = len(scene.problem.objectives) - 1
    width, height = _CELL_INCHES
    size = (width * side, height * side + _LEGEND_INCHES)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    grid = figure.add_gridspec(side, side)
    shown = _draw_cells(figure, grid, scene)[:1]
    if scene.voiding:
        corner = figure.add_subplot(grid[0, -1], sharey=shown[0])
        draw_beyond(corner, scene, scene.voiding)
        corner.yaxis.set_label_position("right")  # on the left it would part columns
        corner.yaxis.tick_right()
        corner.set_ylabel(_label(scene.problem.objectives[0]))
        shown.insert(0, corner)
    figure.suptitle(
        f"front ({len(scene.front)}), hypervolume {scene.front.hypervolume:.3f}",
        x=0.01,
        ha="left",
    )
    _add_legend(figure, shown)
    return figure


def cells(objectives: Sequence[Objective]) -> list[tuple[int, int, Pair]]:
    """The cells of the lower triangle: row and column from 0, and what they show.

    Args:
        objectives: m of them, of which ``m (m - 1) / 2`` pairs are made.
    """
    side = len(objectives) - 1
    return [
        (
            side - 1 - up,
            side - across,
            Pair(horizontal=objectives[across], vertical=objectives[up]),
        )
        for up in range(side)
        for across in range(side, up, -1)
    ]


def _draw_cells(figure: Figure, grid: GridSpec, scene: Scene) -> list[Axes]:
    """All cells; those of a row share its axis, those of a column theirs."""
    side = len(scene.problem.objectives) - 1
    drawn: list[Axes] = []
    rows: dict[int, Axes] = {}
    columns: dict[int, Axes] = {}
    for row, column, pair in cells(scene.problem.objectives):
        axes = figure.add_subplot(
            grid[row, column], sharex=columns.get(column), sharey=rows.get(row)
        )
        rows.setdefault(row, axes)
        columns.setdefault(column, axes)
        draw_pair(axes, scene, pair)
        if column == 0:
            axes.set_ylabel(_label(pair.vertical))
        if row == side - 1:
            axes.set_xlabel(_label(pair.horizontal))
        axes.tick_params(labelleft=column == 0, labelbottom=row == side - 1)
        drawn.append(axes)
    for axes in drawn:
        label_few(axes)
    return drawn


def _label(objective: Objective) -> str:
    """In two lines: a cell is small."""
    return "\n".join(axis_label(objective).rsplit(", ", 1))


def _add_legend(figure: Figure, shown: Sequence[Axes]) -> None:
    """One for all cells, which say the same."""
    pairs = [
        (handle, label)
        for axes in shown
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    figure.legend(
        *zip(*pairs, strict=True),
        loc="outside lower center",
        ncols=_LEGEND_COLUMNS,
        frameon=False,
        fontsize="small",
        columnspacing=1.2,
        handletextpad=0.3,
    )
