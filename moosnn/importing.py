"""Points of other programs' studies, to be tried first in one of ours.

Knows: which source is read how. Must not know: the sources' forms, spaces, hydra.
Which points fit a space is found where they are used (`moosnn.warm_start`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moosnn.errors import ConfigError, one_of

if TYPE_CHECKING:
    from moosnn.exchange.points import Points

_CSV = ".csv"
_SCHEME = "://"
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was found.

    Attributes:
        source: as it was given.
        study: its name in an Optuna storage, else ``None``.
        points: how many there are.
        path: of the file of points, if one was wanted.
        notes: for people, what was left out.
        lines: for people: what was found, and how to use it; without a file the
            points themselves, as JSON.
    """

    source: str
    study: str | None
    points: int
    path: Path | None
    notes: tuple[str, ...]
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For a script."""
        return {
            "source": self.source,
            "study": self.study,
            "points": self.points,
            "path": None if self.path is None else str(self.path),
            "notes": list(self.notes),
        }


def import_points(source: str, study: str | None, out: Path | None) -> Imported:
    """Write the points of a study of Optuna's, or of a CSV file, as a file of points.

    Args:
        source: a CSV file (``.csv``), a SQLite database of Optuna's (a path, or
            ``sqlite:///path``) or a journal of its. It is only read.
        study: its name in an Optuna storage; ``None`` = the only one.
        out: a new file, YAML if its name ends in ``.yaml``, else JSON; ``None`` = none.

    Returns:
        What was found.

    Raises:
        ConfigError: the source cannot be read, has no point, or several studies of
            which none is named; something lies at ``out``, or it has another ending.
        StudyFolderError: ``out`` cannot be written.
    """
    from moosnn.exchange.new_file import require_new
    from moosnn.exchange.points import ENDINGS, points_text, write_points

    if out is not None:
        if out.suffix.lower() not in ENDINGS:
            raise ConfigError(
                f"import: --out: expected a name that ends in {one_of(ENDINGS)}, "
                f"got {out}."
            )
        require_new(out)
    points, notes = _read(source, study)
    if out is None:
        lines = points_text(points, ascii_only=True).splitlines()
    else:
        write_points(out, points)
        lines = _told(source, points, notes, out)
    return Imported(
        source=source,
        study=points.study,
        points=len(points.points),
        path=out,
        notes=tuple(notes),
        lines=tuple(lines),
    )


def _told(source: str, points: Points, notes: list[str], out: Path) -> list[str]:
    what = f" of study {points.study!r}" if points.study else ""
    count = len(points.points)
    found = f"{count} point{'' if count == 1 else 's'}{what}, best first -> {out}"
    return [
        f"import: {source}: {found}",
        *(f"note: {note}" for note in notes),
        f"try them first: study.warm_start=[{out}]",
    ]


def _read(source: str, study: str | None) -> tuple[Points, list[str]]:
    rest = source.removeprefix(_SQLITE)
    path = Path(rest)
    if _SCHEME in rest:
        raise ConfigError(
            "import: expected a .csv, a SQLite database or a journal file of Optuna's, "
            f"got {source}; copy such a storage with optuna.copy_study."
        )
    if path.suffix.lower() == _CSV:
        from moosnn.exchange.csv_points import read_csv

        if study is not None:
            raise ConfigError(
                f"import: --study {study}: a CSV file is one study; leave --study out."
            )
        return read_csv(path)
    from moosnn.exchange.optuna_import import read_optuna

    return read_optuna(path, study)
