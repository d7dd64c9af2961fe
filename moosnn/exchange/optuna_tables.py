"""Trials as rows of Optuna's tables, of which it makes one at a time.

Knows: the tables of one version of Optuna's schema. Must not know: studies of ours.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_KNOWN = "v3.2.0.a"  # the schema since Optuna 3.2; times in UTC since 5.0
_TABLES = {
    "trials": "trial_id, number, study_id, state, datetime_start, datetime_complete",
    "trial_values": "trial_id, objective, value, value_type",
    "trial_params": "trial_id, param_name, param_value, distribution_json",
    "trial_user_attributes": "trial_id, key, value_json",
    "trial_system_attributes": "trial_id, key, value_json",
    "trial_intermediate_values": (
        "trial_id, step, intermediate_value, intermediate_value_type"
    ),
}
_FINITE = "FINITE"

Row = tuple[Any, ...]


def is_known(path: Path) -> bool:
    """Whether a database has the tables that are known here."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT version_num FROM alembic_version").fetchall()
    return found == [(_KNOWN,)]


def add_rows(path: Path, trials: Sequence[FrozenTrial]) -> None:
    """Add trials to the only study of a database, which has none yet.

    Args:
        path: of the database.
        trials: by number, from 0 on.
    """
    with closing(sqlite3.connect(path)) as database, database:
        ((study,),) = database.execute("SELECT study_id FROM studies").fetchall()
        for name, columns in _TABLES.items():
            marks = ", ".join("?" * len(columns.split(",")))
            rows = (row for trial in trials for row in _rows(name, trial, study))
            database.executemany(
                f"INSERT INTO {name} ({columns}) VALUES ({marks})", rows
            )


def _rows(table: str, trial: FrozenTrial, study: int) -> Iterator[Row]:
    """A trial's rows of a table."""
    key = trial.number + 1
    match table:
        case "trials":
            times = _utc(trial.datetime_start), _utc(trial.datetime_complete)
            yield key, trial.number, study, trial.state.name, *times
        case "trial_values":
            for objective, value in enumerate(trial.values or ()):
                yield key, objective, *_number(value)
        case "trial_params":
            yield from _params(key, trial)
        case "trial_user_attributes":
            for name, value in trial.user_attrs.items():
                yield key, name, json.dumps(value)
        case "trial_system_attributes":
            for name, value in trial.system_attrs.items():
                yield key, name, json.dumps(value)
        case "trial_intermediate_values":
            for step, value in trial.intermediate_values.items():
                yield key, step, *_number(value)


def _params(key: int, trial: FrozenTrial) -> Iterator[Row]:
    from optuna.distributions import distribution_to_json

    for name, value in trial.params.items():
        found = trial.distributions[name]
        yield key, name, found.to_internal_repr(value), distribution_to_json(found)


def _number(value: float) -> tuple[float, str]:
    assert math.isfinite(value), "a metric that is not finite is a failure"
    return value, _FINITE


def _utc(time: datetime | None) -> str | None:
    """As SQLAlchemy spells it."""
    if time is None:
        return None
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
