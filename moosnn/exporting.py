"""A study, or a network of its front, in the files of other programs.

Knows: which format has which file, what is told about a study in each. Must not know:
the formats themselves, hydra, the command line. Nothing of a config is instantiated;
what costs time to import waits until a format needs it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moosnn.errors import ConfigError, nearest

if TYPE_CHECKING:
    from moosnn.runtime.record import Record

FORMATS = ("csv", "parquet", "json", "optuna", "nir", "weights")

FOLDER = "export"  # in the study's folder: what is written without a name goes there
_JSON_FORMAT = 1
_NAMES = {
    "csv": "trials.csv",
    "parquet": "trials.parquet",
    "json": "study.json",
    "optuna": "optuna.db",
}
_OF_A_TRIAL = {"nir": "trial-{:06d}.nir", "weights": "trial-{:06d}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        study: its folder.
        to: one of `FORMATS`.
        path: of the file, or the folder of weights.
        trials: how many are in it.
        trial: the number of the only one, of nir and weights.
        damage: what is wrong with the journal, of which only the beginning is there.
        lines: for people.
    """

    study: Path
    to: str
    path: Path
    trials: int
    trial: int | None
    damage: str | None
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For a script."""
        return {
            "study": str(self.study),
            "format": self.to,
            "path": str(self.path),
            "trials": self.trials,
            "trial": self.trial,
            "damage": self.damage,
        }


def export(record: Record, to: str, out: Path | None, number: int | None) -> Exported:
    """Write a study, or a network of it, in another format.

    Args:
        record: the study.
        to: one of `FORMATS`.
        out: a file (for ``weights`` a folder) of which nothing exists yet; ``None`` =
            one in the study's ``export/``, named after the format.
        number: of the trial, for ``nir`` and ``weights``; ``None`` = the front's only
            member.

    Returns:
        What was written where.

    Raises:
        ConfigError: an unknown format, a trial that has no network, something in the
            way, a package that is not installed, a network that the format cannot say.
        StudyFolderError: it cannot be written, or the weights are gone.
    """
    if to not in FORMATS:
        raise ConfigError(f"export: --to: unknown format {to!r}.{nearest(to, FORMATS)}")
    if to in _OF_A_TRIAL:
        member = _trial(record, to, number)
        path = out or record.folder / FOLDER / _OF_A_TRIAL[to].format(member)
        return _exported(record, to, path, member, _NETWORKS[to](record, member, path))
    if number is not None:
        raise ConfigError(
            f"export: --trial: {to} has every trial; only nir and weights are of one."
        )
    path = out or record.folder / FOLDER / _NAMES[to]
    return _exported(record, to, path, None, _STUDIES[to](record, path))


def _exported(
    record: Record, to: str, path: Path, trial: int | None, lines: list[str]
) -> Exported:
    return Exported(
        study=record.folder,
        to=to,
        path=path,
        trials=record.history.proposals if trial is None else 1,
        trial=trial,
        damage=record.damage,
        lines=tuple(lines),
    )


def _trial(record: Record, to: str, number: int | None) -> int:
    """The trial whose network is wanted.

    Raises:
        ConfigError: none is named and the front does not leave it open, or the study
            has no such trial.
    """
    from moosnn.pareto.front import front_of

    count = record.history.proposals
    if number is not None:
        if not 0 <= number < count:
            known = f"expected 0 to {count - 1}" if count else "it has no trial yet"
            raise ConfigError(
                f"export: --trial: {record.folder}: {known}, got {number}."
            )
        return number
    members = front_of(record.problem, record.history.done).numbers
    if len(members) == 1:
        return members[0]
    front = ", ".join(map(str, members)) or "empty"
    raise ConfigError(
        f"export: --to {to} writes one network: name it with --trial N; the front of "
        f"{record.folder} is {front}."
    )


def _about(record: Record) -> dict[str, Any]:
    """What every format tells of the study, JSON values."""
    from moosnn import __version__

    header = record.history[0].data
    return {
        "moosnn": __version__,
        "study": record.folder.resolve().name,
        "problem": record.problem.to_config(),
        "space": record.problem.space.to_config(),
        "fixed": dict(record.config.get("task", {}).get("fixed") or {}),
        "seed": record.config.get("seed"),
        "digest": header.get("digest"),
        "versions": header.get("versions"),
        "events": len(record.history),
        "simulated": record.simulated,
    }


def _written(record: Record, path: Path, what: str) -> list[str]:
    lines = [f"export: {what} of {record.folder} -> {path}"]
    if record.damage:
        lines.append(f"note: {record.damage}; only what precedes it is there")
    return lines


def _trials(record: Record) -> str:
    count = record.history.proposals
    return f"{count} trial{'' if count == 1 else 's'}"


def _csv(record: Record, path: Path) -> list[str]:
    from moosnn.exchange.new_file import require_new, write_text
    from moosnn.tracking.summary import trials_csv

    require_new(path)
    write_text(path, trials_csv(record.problem, record.history))
    return _written(record, path, _trials(record))


def _parquet(record: Record, path: Path) -> list[str]:
    from moosnn.exchange.new_file import require_new
    from moosnn.exchange.parquet import write_parquet
    from moosnn.tracking.trial_table import trial_table

    require_new(path)
    table = trial_table(record.problem, record.history)
    columns = [(column.name, str(column.kind), column.values) for column in table]
    write_parquet(path, columns, _about(record))
    return _written(record, path, _trials(record))


def _json(record: Record, path: Path) -> list[str]:
    from moosnn.exchange.new_file import require_new, write_text
    from moosnn.exchange.study_json import study_json
    from moosnn.tracking.trial_table import standings

    require_new(path)
    problem, history = record.problem, record.history
    raw = {
        "moosnn_study": _JSON_FORMAT,
        **_about(record),
        "config": record.config,
        **study_json(problem, history, standings(problem, history)),
    }
    write_text(path, json.dumps(raw, allow_nan=False) + "\n")
    return _written(record, path, _trials(record))


def _optuna(record: Record, path: Path) -> list[str]:
    from moosnn.exchange.new_file import require_new
    from moosnn.exchange.optuna_export import write_optuna
    from moosnn.exchange.optuna_storage import url_of
    from moosnn.tracking.trial_table import standings

    require_new(path)
    problem, history = record.problem, record.history
    about = _about(record)
    name = about.pop("study")
    write_optuna(
        path,
        name=name,
        problem=problem,
        history=history,
        standings=standings(problem, history),
        about=about,
    )
    lines = _written(record, path, f"{_trials(record)} as the Optuna study {name}")
    return [*lines, f"look at it: optuna-dashboard {url_of(path)}"]


def _nir(record: Record, number: int, path: Path) -> list[str]:
    from moosnn.api import load
    from moosnn.exchange.new_file import new_file, require_new
    from moosnn.exchange.nir import STEP_S, save_nir

    require_new(path)
    network, _ = load(record.folder, number)
    with new_file(path) as draft:
        save_nir(network, draft)
    lines = _written(record, path, f"the network of trial {number}")
    return [*lines, f"one step is {STEP_S:g} s there; it reads coded samples"]


def _weights(record: Record, number: int, path: Path) -> list[str]:
    from moosnn.api import load
    from moosnn.exchange.new_file import new_file, require_new
    from moosnn.runtime.files import attempt_folder
    from moosnn.snn.weights import DESCRIPTION, WEIGHTS

    require_new(path)
    load(record.folder, number)  # what cannot be loaded is not handed on
    trained = attempt_folder(
        record.folder, number, record.history.trial(number).attempt
    )
    with new_file(path) as draft:
        draft.mkdir()
        for name in (WEIGHTS, DESCRIPTION):
            shutil.copyfile(trained / name, draft / name)
    lines = _written(record, path, f"the network of trial {number}")
    return [*lines, f"{path}: {WEIGHTS}, {DESCRIPTION}"]


_STUDIES: Mapping[str, Callable[[Record, Path], list[str]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
    "optuna": _optuna,
}
_NETWORKS: Mapping[str, Callable[[Record, int, Path], list[str]]] = {
    "nir": _nir,
    "weights": _weights,
}
