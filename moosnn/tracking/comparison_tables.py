"""A comparison as files of numbers and as a table.

Knows: groups of studies. Must not know: folders, pictures.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from moosnn.problem import Floats
from moosnn.tracking.comparison import FRACTIONS, Group, checkpoints

if TYPE_CHECKING:
    from rich.table import Table

_SHARES = ("feasible", "silent", "failed")
_HALF = FRACTIONS.index(0.5)


def summary_csv(groups: Sequence[Group]) -> str:
    """A row a study.

    Columns: ``group``, ``study``, ``seed``, ``finished`` (True, False), ``budget``,
    ``ended``, ``hypervolume``, ``front`` (members), ``done``, ``feasible``, ``silent``,
    ``failed``, ``seconds`` (a driver was at work), ``best.<metric>`` of each objective
    (validation; blank if nothing is feasible).
    """
    metrics = [o.metric for o in groups[0].studies[0].problem.objectives]
    numbers = ("done", "feasible", "silent", "failed")
    head = ["group", "study", "seed", "finished", "budget", "ended", "hypervolume"]
    rows: list[list[object]] = [
        [*head, "front", *numbers, "seconds", *(f"best.{m}" for m in metrics)]
    ]
    for group, study in ((g, s) for g in groups for s in g.studies):
        now, best = study.now, study.best
        rows.append(
            [group.label, study.name, study.seed, study.finished]
            + ["" if study.budget is None else study.budget]
            + [now.ended, now.hypervolume, len(now.front)]
            + [getattr(now, name) for name in numbers]
            + [now.elapsed_s]
            + [best.get(metric, "") for metric in metrics]
        )
    return _csv(rows)


def groups_csv(groups: Sequence[Group]) -> str:
    """A row a group: hypervolumes after shares of the smallest budget, and at the end.

    Columns: ``group``, ``studies``, ``unfinished``; for 25, 50, 75 and 100 %:
    ``at_25.trials``, ``at_25.studies`` (that tell: see `Curve.end`), ``at_25.median``,
    ``at_25.min``, ``at_25.max``; ``end.median``, ``end.min``, ``end.max`` of the last
    hypervolumes, unfinished studies included; ``feasible``, ``silent``, ``failed``,
    each a share of all ended trials of the group.
    """
    names = [f"at_{100 * fraction:.0f}" for fraction in FRACTIONS]
    kinds = ("trials", "studies", "median", "min", "max")
    head = ["group", "studies", "unfinished"]
    head += [f"{name}.{kind}" for name in names for kind in kinds]
    rows: list[list[object]] = [[*head, "end.median", "end.min", "end.max", *_SHARES]]
    for group in groups:
        row: list[object] = [group.label, len(group.studies), group.unfinished]
        for trials in checkpoints(groups):
            volumes = group.volumes_at(trials)
            row += [trials, len(volumes), *_range(volumes)]
        row += [*_range(group.volumes), *(group.share(what) for what in _SHARES)]
        rows.append(row)
    return _csv(rows)


def _range(values: Floats) -> list[float | str]:
    if not len(values):
        return ["", "", ""]
    return [float(np.median(values)), float(values.min()), float(values.max())]


def _csv(rows: Sequence[Sequence[object]]) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    return table.getvalue()


def groups_table(groups: Sequence[Group]) -> Table:
    """The groups for a terminal; with labels of up to 24 characters in 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    half = checkpoints(groups)[_HALF]
    table = Table(
        title="hypervolume: median and range of the studies",
        caption="silent, failed: share of all trials that ended",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=0,
    )
    table.add_column("group", overflow="fold")
    columns = ("studies", f"after {half} trials", "at the end", "silent", "failed")
    for name in columns:
        table.add_column(name, justify="right")
    for group in groups:
        more = f" ({group.unfinished} unfinished)" if group.unfinished else ""
        table.add_row(
            Text(group.label),  # what is in brackets is no markup
            f"{len(group.studies)}{more}",
            _median_text(group.volumes_at(half)),
            _median_text(group.volumes),
            f"{100 * group.share('silent'):.0f} %",
            f"{100 * group.share('failed'):.0f} %",
        )
    return table


def _median_text(volumes: Floats) -> str:
    if not len(volumes):
        return "-"
    if len(volumes) == 1:
        return f"{volumes[0]:.3f}"
    return f"{np.median(volumes):.3f} ({volumes.min():.3f}-{volumes.max():.3f})"
