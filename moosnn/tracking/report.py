"""The tables beside the page of ``moosnn report``: of one study, or of several.

Knows: their names and how they are written. Must not know: where studies lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from moosnn.errors import StudyFolderError
from moosnn.history import History
from moosnn.tracking.comparison import Group
from moosnn.tracking.comparison_tables import groups_csv, summary_csv
from moosnn.tracking.kinds import kinds_of
from moosnn.tracking.kinds_table import kinds_csv
from moosnn.tracking.summary import front_csv, trials_csv

FRONT_CSV = "front.csv"
TRIALS_CSV = "trials.csv"
KINDS_CSV = "kinds.csv"
SUMMARY_CSV = "summary.csv"
GROUPS_CSV = "groups.csv"


def write_study(folder: Path, history: History, groups: Sequence[Group]) -> list[str]:
    """Write the tables of one study.

    Args:
        folder: made if it does not exist.
        history: of the study.
        groups: one, with the study alone.

    Returns:
        The names of the files.

    Raises:
        StudyFolderError: the folder cannot be written.
    """
    problem = groups[0].studies[0].problem
    tables = {
        FRONT_CSV: front_csv(problem, history),
        TRIALS_CSV: trials_csv(problem, history),
    }
    if kinds_of(problem.space):
        tables[KINDS_CSV] = kinds_csv(problem, history)
    _write(folder, tables)
    return list(tables)


def write_comparison(folder: Path, groups: Sequence[Group]) -> list[str]:
    """Write the tables of several studies.

    Args:
        folder: made if it does not exist.
        groups: of one problem.

    Returns:
        The names of the files.

    Raises:
        StudyFolderError: the folder cannot be written.
    """
    tables = {SUMMARY_CSV: summary_csv(groups), GROUPS_CSV: groups_csv(groups)}
    _write(folder, tables)
    return list(tables)


def _write(folder: Path, tables: Mapping[str, str]) -> None:
    """Each file whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in tables.items():
            path = folder / name
            temporary = path.with_name(f".{name}")
            temporary.write_text(content)
            temporary.replace(path)
    except OSError as error:
        raise StudyFolderError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder "
            "with --out FOLDER."
        ) from error
