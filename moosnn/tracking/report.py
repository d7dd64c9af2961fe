"""The files of ``moosnn report``: of one study, or of several side by side.

Knows: their names and how they are written. Must not know: where studies lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moosnn.errors import StudyFolderError
from moosnn.history import History
from moosnn.tracking.comparison import Group
from moosnn.tracking.comparison_tables import groups_csv, summary_csv
from moosnn.tracking.kinds import kinds_of
from moosnn.tracking.kinds_table import kinds_csv
from moosnn.tracking.summary import front_csv, trials_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HYPERVOLUME_PNG = "hypervolume.png"
FRONT_PNG = "front.png"
FRONT_CSV = "front.csv"
TRIALS_CSV = "trials.csv"
KINDS_CSV = "kinds.csv"
FRONTS_PNG = "fronts.png"
SILENT_PNG = "silent.png"
SUMMARY_CSV = "summary.csv"
GROUPS_CSV = "groups.csv"


def write_study(folder: Path, history: History, groups: Sequence[Group]) -> list[str]:
    """Write the report of one study.

    Args:
        folder: made if it does not exist.
        history: of the study.
        groups: one, with the study alone.

    Returns:
        The names of the files.

    Raises:
        StudyFolderError: the folder cannot be written.
    """
    from moosnn.tracking.comparison_fronts import fronts_comparison
    from moosnn.tracking.comparison_plots import hypervolume_comparison
    from moosnn.tracking.front_plot import front_figure

    problem = groups[0].studies[0].problem
    many = len(problem.objectives) > 1
    front = front_figure(problem, history) if many else fronts_comparison(groups)
    files: dict[str, Figure | str] = {
        FRONT_PNG: front,
        HYPERVOLUME_PNG: hypervolume_comparison(groups),
        FRONT_CSV: front_csv(problem, history),
        TRIALS_CSV: trials_csv(problem, history),
    }
    if kinds_of(problem.space):
        files[KINDS_CSV] = kinds_csv(problem, history)
    _write(folder, files)
    return list(files)


def write_comparison(folder: Path, groups: Sequence[Group]) -> list[str]:
    """Write the report of several studies.

    Args:
        folder: made if it does not exist.
        groups: of one problem.

    Returns:
        The names of the files.

    Raises:
        StudyFolderError: the folder cannot be written.
    """
    from moosnn.tracking.comparison_fronts import fronts_comparison
    from moosnn.tracking.comparison_plots import (
        hypervolume_comparison,
        shares_comparison,
    )

    files: dict[str, Figure | str] = {
        HYPERVOLUME_PNG: hypervolume_comparison(groups),
        FRONTS_PNG: fronts_comparison(groups),
        SILENT_PNG: shares_comparison(groups),
        SUMMARY_CSV: summary_csv(groups),
        GROUPS_CSV: groups_csv(groups),
    }
    _write(folder, files)
    return list(files)


def _write(folder: Path, files: dict[str, Figure | str]) -> None:
    """Each file whole or not at all."""
    from moosnn.tracking.plots import save

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            if isinstance(content, str):
                temporary = path.with_name(f".{name}")
                temporary.write_text(content)
                temporary.replace(path)
            else:
                save(content, path)
    except OSError as error:
        raise StudyFolderError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder "
            "with --out FOLDER."
        ) from error
