"""A file of points to try first: found elsewhere, tried again here.

Knows: the file's form, JSON or YAML. Must not know: spaces, where points come from.

The form, in JSON or YAML by the file's ending::

    {"moosnn_points": 1, "source": "old.db", "study": "first", "fixed": {"width": 64},
     "points": [{"number": 17, "params": {"lr": 0.01}, "metrics": {"error": 0.1}}, …]}

The best points come first. Only ``points`` and the ``params`` of each are needed.
``fixed`` has values that all points share. ``metrics`` are for people: what was
measured elsewhere counts for nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from moosnn.conditions import Value, is_number, is_value
from moosnn.errors import ConfigError
from moosnn.exchange.new_file import write_text

FORMAT = 1
_KEY = "moosnn_points"
_YAML = (".yaml", ".yml")
ENDINGS = (".json", *_YAML)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point that was tried elsewhere.

    Attributes:
        number: of its trial there, or its place in the source.
        params: values by name; numbers may be text.
        metrics: what was measured there.
    """

    number: int
    params: Mapping[str, Value]
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points of one source, the best ones first.

    Attributes:
        source: where they come from, for people.
        points: in the order in which they are to be tried.
        study: its name in the source, or ``None``.
        fixed: values that all of them share.
    """

    source: str
    points: tuple[Point, ...]
    study: str | None = None
    fixed: Mapping[str, Value] = field(default_factory=dict)


def points_text(
    points: Points, *, as_yaml: bool = False, ascii_only: bool = False
) -> str:
    """The file's text, JSON unless YAML is wanted.

    Args:
        points: what it holds.
        as_yaml: whether it is YAML.
        ascii_only: whether other characters are escaped in JSON, for a terminal that
            may not have them.
    """
    raw = {
        _KEY: FORMAT,
        "source": points.source,
        "study": points.study,
        "fixed": dict(points.fixed),
        "points": [
            {
                "number": point.number,
                "params": dict(point.params),
                "metrics": dict(point.metrics),
            }
            for point in points.points
        ],
    }
    if as_yaml:
        return str(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    text = json.dumps(raw, allow_nan=False, indent=1, ensure_ascii=ascii_only)
    return text + "\n"


def write_points(path: Path, points: Points) -> None:
    """Write a new file of points, YAML if its name ends so, else JSON.

    Raises:
        ConfigError, StudyFolderError: as `moosnn.exchange.new_file.new_file`.
    """
    write_text(path, points_text(points, as_yaml=path.suffix.lower() in _YAML))


def read_points(path: Path) -> Points:
    """Read a file of points.

    Raises:
        ConfigError: it cannot be read, or has another form; with the place.
    """
    raw = _parsed(path)
    if not isinstance(raw, Mapping) or not isinstance(raw.get("points"), list):
        raise ConfigError(
            f"{path}: expected a file of points (a mapping with a list points), as "
            "python -m moosnn import writes."
        )
    if raw.get(_KEY, FORMAT) != FORMAT:
        raise ConfigError(f"{path}: expected {_KEY} {FORMAT}, got {raw[_KEY]!r}.")
    study = raw.get("study")
    return Points(
        source=str(raw.get("source", path)),
        points=tuple(_point(path, i, one) for i, one in enumerate(raw["points"])),
        study=None if study is None else str(study),
        fixed=_values(f"{path}: fixed", raw.get("fixed") or {}),
    )


def _parsed(path: Path) -> Any:  # noqa: ANN401 -- whatever the file holds
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() in _YAML:
            return yaml.safe_load(text)
        return json.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    except (
        ValueError,  # JSON's and Unicode's are
        yaml.YAMLError,
        RecursionError,  # brackets in brackets in brackets
    ) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{path}: expected a file of points in JSON or YAML, or a .csv: {reason}."
        ) from error


def _point(path: Path, index: int, raw: object) -> Point:
    where = f"{path}: points[{index}]"
    if not isinstance(raw, Mapping) or "params" not in raw:
        raise ConfigError(
            f"{where}: expected e.g. {{params: {{lr: 0.1}}}}, got {raw!r}."
        )
    number, metrics = raw.get("number", index), raw.get("metrics") or {}
    if type(number) is not int or number < 0:
        raise ConfigError(f"{where}.number: expected one >= 0, got {number!r}.")
    if not isinstance(metrics, Mapping):
        raise ConfigError(f"{where}.metrics: expected numbers, got {metrics!r}.")
    return Point(
        number=number,
        params=_values(f"{where}.params", raw["params"]),
        metrics={str(k): float(v) for k, v in metrics.items() if is_number(v)},
    )


def _values(where: str, raw: object) -> dict[str, Value]:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: expected values by name, got {raw!r}.")
    for name, value in raw.items():
        if not isinstance(name, str) or not is_value(value):
            raise ConfigError(
                f"{where}: expected text, finite numbers or booleans by name, got "
                f"{name!r}: {value!r}."
            )
    return dict(raw)
