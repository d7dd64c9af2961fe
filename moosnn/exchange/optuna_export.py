"""A study as one of Optuna's, in a new storage.

Knows: Optuna's studies. Must not know: how a trial becomes one of Optuna's, study
folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moosnn.errors import StudyFolderError
from moosnn.exchange.new_file import new_file
from moosnn.exchange.optuna_storage import (
    JOURNALS,
    Journal,
    database,
    quietly,
    refusals,
)
from moosnn.exchange.optuna_tables import add_rows, is_known
from moosnn.exchange.optuna_trials import frozen_trials, reported_metric
from moosnn.history import History
from moosnn.problem import Problem

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

_DIRECTIONS: Mapping[str, Literal["minimize", "maximize"]] = {
    "min": "minimize",
    "max": "maximize",
}


def write_optuna(
    path: Path,
    *,
    name: str,
    problem: Problem,
    history: History,
    standings: Mapping[int, str],
    about: Mapping[str, Any],
) -> None:
    """Write a storage with one study.

    Args:
        path: a new file: a journal if its name ends in ``.log`` or ``.journal``, else
            a SQLite database.
        name: of the study.
        problem: of the study.
        history: of the study.
        standings: what became of every trial, by number.
        about: user attributes of the study, JSON values.

    Raises:
        ConfigError: Optuna is not installed, or there is something at ``path``.
        StudyFolderError: it cannot be written.
    """
    with quietly() as optuna:
        empty = _Empty(
            name=name,
            directions=[_DIRECTIONS[o.goal] for o in problem.objectives],
            metrics=[o.metric for o in problem.objectives],
            about={**about, "intermediate_values": reported_metric(problem, history)},
        )
        trials = frozen_trials(problem, history, standings)
        write = _write_journal if path.suffix in JOURNALS else _write_database
        with new_file(path) as draft:
            try:
                write(draft, empty, trials)
            except refusals(optuna) as error:
                reason = str(error.__cause__ or error).strip().splitlines()[0]
                raise StudyFolderError(
                    f"{path}: cannot be written: {reason}."
                ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Empty:
    """A study before it has trials."""

    name: str
    directions: Sequence[Literal["minimize", "maximize"]]
    metrics: list[str]
    about: Mapping[str, Any]

    def created(self, storage: BaseStorage) -> Study:
        """The study in a storage."""
        import optuna

        study = optuna.create_study(
            storage=storage, study_name=self.name, directions=self.directions
        )
        study.set_metric_names(self.metrics)
        for key, value in self.about.items():
            study.set_user_attr(key, value)
        return study


def _write_journal(draft: Path, empty: _Empty, trials: Sequence[FrozenTrial]) -> None:
    from optuna.storages import JournalStorage

    journal: Any = Journal()  # what Optuna calls a backend, but not by inheritance
    empty.created(JournalStorage(journal)).add_trials(trials)
    journal.save(draft)


def _write_database(draft: Path, empty: _Empty, trials: Sequence[FrozenTrial]) -> None:
    """Optuna makes the tables and the study; the trials are rows in them.

    Its own way of adding a trial takes 80 ms.
    """
    storage = database(draft, mode="rwc")
    try:
        study = empty.created(storage)
        known = is_known(draft)
        if not known:
            study.add_trials(trials)
    finally:
        storage.remove_session()
        storage.engine.dispose()
    if known:
        add_rows(draft, trials)
