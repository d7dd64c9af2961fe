"""Points from a CSV file: a row a trial, a column a parameter.

Knows: CSV, whose columns are parameters. Must not know: spaces. A column of numbers or
of booleans is read as such, any other as text; whether that is the parameter's type is
left to who uses the points (`moosnn.transfer.typed`).

Three kinds of columns are known. In a file of ``moosnn export`` parameters are
``param.<name>``, in one of Optuna's ``trials_dataframe`` ``params_<name>``; else every
column may be one. Of those two only the trials that are worth trying again are points:
feasible ones, front first; complete ones.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from moosnn.conditions import Value
from moosnn.errors import ConfigError
from moosnn.exchange.points import Point, Points

_PREFIXES = ("param.", "params_")
# The trials that are points, by the column that tells and what it says; best first.
_WORTHY = {"standing": ("front", "dominated"), "state": ("COMPLETE",)}
# Numbers, but not measured; nor are errors and retrainings what a point measured.
_COUNTS = ("", "number", "repeats", "attempts", "seed", "seconds")
_ABOUT = ("sem.", "test.", "user_attrs_", "system_attrs_")
_METRIC = "metric."  # before a metric whose name another column has
# A number that no one wrote to be text, as 007 or nan.
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")
_BOOLEANS = {"true": True, "false": False}
_SHOWN = 60
_DIGITS = 18  # of a trial's number; Python refuses to read some thousands


def read_csv(path: Path) -> tuple[Points, list[str]]:
    """Read the points of a CSV file.

    Args:
        path: of the file: UTF-8, commas, names in the first line.

    Returns:
        The points, and lines for people about what was left out.

    Raises:
        ConfigError: it cannot be read, is no such table, or has no point.
    """
    names, rows = _table(path)
    prefix = next((p for p in _PREFIXES if any(n.startswith(p) for n in names)), "")
    # A column without a name is none: pandas numbers its rows in one.
    columns = {
        n: n.removeprefix(prefix) for n in names if n.startswith(prefix) and n != prefix
    }
    others = [name for name in names if name not in columns]
    read = {name: _reader([row[name] for row in rows]) for name in columns}
    teller = next((n for n in _WORTHY if prefix and n in others), None)
    numbered = [(_number(row, i), row) for i, row in enumerate(rows)]
    kept = _worthy(numbered, teller)
    points = [
        Point(
            number=number,
            params={columns[n]: read[n](row[n]) for n in columns if row[n] != ""},
            metrics=_numbers(row, others),
        )
        for number, row in kept
    ]
    whole = tuple(point for point in points if point.params)
    if not whole:
        raise ConfigError(
            f"{path}: no point in it: {len(rows)} rows, of which "
            f"{len(kept)} are {_named(teller)}."
        )
    notes = []
    if len(whole) < len(rows):
        left = len(rows) - len(whole)
        notes.append(f"{left} of {len(rows)} rows left out: not {_named(teller)}")
    if others:
        notes.append(f"{len(others)} other columns are not parameters")
    return Points(source=str(path), points=whole), notes


def _named(teller: str | None) -> str:
    """What a row has to be."""
    return " or ".join(_WORTHY[teller]) if teller else "points with values"


def _table(path: Path) -> tuple[Sequence[str], list[Mapping[str, str]]]:
    """The names of the columns, and a mapping a row.

    Raises:
        ConfigError: see `read_csv`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        # Empty lines may precede the names: line numbers stay those of the file.
        read = enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1)
        (_, names), *lines = ((number, cells) for number, cells in read if cells)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected text in UTF-8, got other bytes.") from None
    except csv.Error as error:
        raise ConfigError(f"{path}: no CSV: {error}.") from None
    except ValueError:
        raise ConfigError(
            f"{path}: expected names in its first line, got none."
        ) from None
    names = [name.strip() for name in names]
    _check_names(path, names)
    rows: list[Mapping[str, str]] = []
    for number, cells in lines:
        if len(cells) != len(names):
            raise ConfigError(
                f"{path}: row {number}: expected {len(names)} values, one a column, "
                f"got {len(cells)}."
            )
        rows.append(dict(zip(names, map(str.strip, cells), strict=True)))
    return names, rows


def _check_names(path: Path, names: Sequence[str]) -> None:
    line = ",".join(names)
    if len(names) == 1 and (";" in line or "\t" in line):
        raise ConfigError(
            f"{path}: expected columns separated by commas, got {line[:_SHOWN]!r}."
        )
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(f"{path}: the column {name!r} is there twice.")


def _worthy(
    rows: Sequence[tuple[int, Mapping[str, str]]], teller: str | None
) -> list[tuple[int, Mapping[str, str]]]:
    """The rows that are points, the best ones first, else in their order."""
    if teller is None:
        return list(rows)
    order = _WORTHY[teller]
    kept = [pair for pair in rows if pair[1][teller] in order]
    return sorted(kept, key=lambda pair: order.index(pair[1][teller]))


def _number(row: Mapping[str, str], index: int) -> int:
    """The trial's number if the row says it, else the row's place."""
    said = row.get("number", "")
    is_number = said.isdecimal() and len(said) <= _DIGITS
    return int(said) if is_number else index


def _reader(cells: Iterable[str]) -> Callable[[str], Value]:
    """What reads the cells of a column, all in the same way."""
    filled = [cell for cell in cells if cell != ""]
    if all(cell.lower() in _BOOLEANS for cell in filled):
        return _boolean
    return _number_of if all(map(_is_number, filled)) else str


def _is_number(cell: str) -> bool:
    if _NUMBER.fullmatch(cell) is None:
        return False
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _boolean(cell: str) -> bool:
    return _BOOLEANS[cell.lower()]


def _number_of(cell: str) -> float:
    """An ``int`` if it is written as one, of no more digits than a float holds."""
    is_whole = _INTEGER.fullmatch(cell) and len(cell) <= _DIGITS
    return int(cell) if is_whole else float(cell)


def _numbers(row: Mapping[str, str], names: Sequence[str]) -> dict[str, float]:
    """The metrics: the other columns with a finite number."""
    found = {}
    for name in names:
        if name in _COUNTS or name.startswith(_ABOUT):
            continue
        try:
            value = float(row[name])
        except ValueError:
            continue
        if math.isfinite(value):
            found[name.removeprefix(_METRIC)] = value
    return found
