"""The points of a study of Optuna's, the best ones first.

Knows: what Optuna's trials say. Must not know: storages' files, spaces.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moosnn.conditions import is_number, is_value
from moosnn.errors import ConfigError, nearest
from moosnn.exchange.optuna_storage import opened
from moosnn.exchange.optuna_trials import METRICS
from moosnn.exchange.points import Point, Points
from moosnn.pareto.dominance import ranks, spread

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

FIXED = "fixed"  # the user attribute of a study that was exported from here
_SPREAD = 50  # so many of the front are put in order; nobody tries more of them again
_LARGEST = 1e300


def read_optuna(path: Path, name: str | None) -> tuple[Points, list[str]]:
    """Read the complete trials of a study.

    Feasible ones come first, by non-dominated sorting in the study's own directions;
    of the front the ends, then what fills the widest gaps. Infeasible ones are points
    only where no trial is feasible, those that violate least first.

    Args:
        path: of the storage, which is only read.
        name: of the study; ``None`` = the only one.

    Returns:
        The points, and lines for people.

    Raises:
        ConfigError: no storage, no such study, several and no name, no complete trial.
    """
    with opened(path) as storage:
        study = _study(path, storage, name)
        trials = _complete(path, storage, study)
        complete = [trial for trial in trials if trial.params]
        if not complete:
            why = "no complete trial has a parameter" if trials else _states(study)
            raise ConfigError(f"{path}: study {study.study_name!r}: {why}.")
        kept, note = _best_first(study, complete)
        metrics, count = _metrics(study), _count(storage, study)
        fixed = study.user_attrs.get(FIXED)
        points = Points(
            source=str(path),
            study=study.study_name,
            points=tuple(_point(trial, metrics) for trial in kept),
            fixed=_values(fixed) if isinstance(fixed, dict) else {},
        )
    notes = [note]
    if len(kept) < count:
        notes.append(f"{count - len(kept)} of {count} trials left out")
    return points, notes


def _study(path: Path, storage: BaseStorage, name: str | None) -> Study:
    import optuna

    names = [study.study_name for study in storage.get_all_studies()]
    if not names:
        raise ConfigError(f"{path}: no study of Optuna's in it.")
    if name is None and len(names) > 1:
        raise ConfigError(
            f"{path}: holds {len(names)} studies: name one with --study: "
            f"{', '.join(sorted(names))}."
        )
    if name is not None and name not in names:
        raise ConfigError(f"{path}: no study {name!r}.{nearest(name, names)}")
    return optuna.load_study(study_name=name or names[0], storage=storage)


def _count(storage: BaseStorage, study: Study) -> int:
    """How many trials there are, of which none is read.

    Their numbers have no gaps: the first one that is not there is looked for.
    """

    def is_there(number: int) -> bool:
        try:
            storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
        except KeyError:
            return False
        return True

    beyond = 1
    while is_there(beyond - 1):
        beyond *= 2
    return bisect_left(range(beyond), True, key=lambda number: not is_there(number))


def _complete(path: Path, storage: BaseStorage, study: Study) -> list[FrozenTrial]:
    """The complete trials; of the others, which cost as much, nothing is read.

    A study of Optuna's own would read all of them, into a cache that nobody needs.

    Raises:
        ConfigError: what the storage says of them cannot be understood.
    """
    from optuna.trial import TrialState

    try:
        return storage.get_all_trials(
            study._study_id, deepcopy=False, states=(TrialState.COMPLETE,)
        )
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        # Whatever a damaged value, or one of another version, makes of its reader.
        raise ConfigError(
            f"{path}: study {study.study_name!r}: Optuna cannot read its trials: "
            f"{type(error).__name__}: {error}."
        ) from error


def _states(study: Study) -> str:
    """Why no trial is complete."""
    trials = study.get_trials(deepcopy=False)
    names = ", ".join(sorted({trial.state.name for trial in trials}))
    return f"none of {len(trials)} trials is complete{names and f': {names} only'}"


def _best_first(
    study: Study, trials: Sequence[FrozenTrial]
) -> tuple[list[FrozenTrial], str]:
    """The trials that are points, in order, and what they are."""
    excess = [sum(max(v, 0.0) for v in t.constraints.values()) for t in trials]
    feasible = [t for t, over in zip(trials, excess, strict=True) if over <= 0]
    if not feasible:
        order = np.argsort(excess, kind="stable")
        return [trials[i] for i in order], "none is feasible: least violating first"
    losses = _losses(study, feasible)
    rank = ranks(losses)
    front = np.flatnonzero(rank == 0)
    rest = sorted(np.flatnonzero(rank > 0), key=lambda i: (rank[i], i))
    rows = [*(front[i] for i in _spread_first(losses[front])), *rest]
    return [feasible[i] for i in rows], f"{len(front)} of them are its front"


def _losses(study: Study, trials: Sequence[FrozenTrial]) -> Any:  # noqa: ANN401 -- an array
    """``n x m``, minimised, finite."""
    signs = [-1.0 if d.name == "MAXIMIZE" else 1.0 for d in study.directions]
    values = np.array([trial.values for trial in trials], dtype=float) * signs
    return np.nan_to_num(values, posinf=_LARGEST, neginf=-_LARGEST)


def _spread_first(losses: Any) -> list[int]:  # noqa: ANN401 -- an array
    """Rows in an order of which every beginning lies spread along the front."""
    order: list[int] = []
    for count in range(1, min(len(losses), _SPREAD) + 1):
        order += [row for row in spread(losses, count) if row not in order]
    return [*order, *(row for row in range(len(losses)) if row not in order)]


def _metrics(study: Study) -> list[str]:
    """What the objectives are called."""
    return study.metric_names or [f"value_{k}" for k in range(len(study.directions))]


def _point(trial: FrozenTrial, names: Sequence[str]) -> Point:
    metrics = dict(zip(names, trial.values, strict=True))
    return Point(
        number=trial.number,
        params=_values(trial.params),
        metrics={
            k: float(v) for k, v in (metrics | _told(trial)).items() if is_number(v)
        },
    )


def _told(trial: FrozenTrial) -> dict[str, Any]:
    """What an export from here told of a trial."""
    try:
        told = json.loads(trial.user_attrs.get(METRICS, "{}"))
    except (TypeError, ValueError):  # somebody else's attribute of that name
        return {}
    return told if isinstance(told, dict) else {}


def _values(params: Mapping[str, Any]) -> dict[str, Any]:
    """What can be a parameter's value here; Optuna's choices may be ``None``."""
    return {name: value for name, value in params.items() if is_value(value)}
