"""Where proposals come from beside the optimizer: given points, repeats.

Knows: which keys of ``study`` make it another study, and how they wrap its optimizer.
Must not know: hydra, how a study is run.

What those keys come to is a part of the study's identity: it is journaled in the
header, so that neither a continuation nor a replay depends on another folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moosnn.errors import ConfigError, nearest
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.enqueued import Enqueued, checked_points
from moosnn.optimizers.replicated import Replicated
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Problem
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.journal import read
from moosnn.runtime.worker import build
from moosnn.warm_start import KEY, WARM_START, warm_start

_ENQUEUE, _REPLICATES = "enqueue", "replicates"
_POINTS, _FILL = f"{WARM_START}_points", f"{WARM_START}_fill"
# The keys of `study` that are read here.
OPTIONS = (_ENQUEUE, _REPLICATES, WARM_START, _POINTS, _FILL)
_DEFAULT_POINTS = 5
PRUNER = "pruner"


def optimizer_of(identity: Mapping[str, Any]) -> Optimizer:
    """The optimizer of a study: that of the config, and what comes before it.

    Args:
        identity: ``optimizer``, and ``study`` as `study_identity` gives it: for example
            the ``config`` of a journal's header.

    Raises:
        MoosnnError: a mistake in the config.
    """
    optimizer: Optimizer = build(identity, "optimizer")
    study = identity.get("study", {})
    if _REPLICATES in study:
        optimizer = Replicated(optimizer, **study[_REPLICATES])
    if WARM_START in study:
        points = [point["params"] for point in study[WARM_START]["found"]]
        optimizer = Enqueued(optimizer, points, origin=WARM_START)
    if _ENQUEUE in study:
        optimizer = Enqueued(optimizer, study[_ENQUEUE])
    return optimizer


def study_identity(
    study: Mapping[str, Any], problem: Problem, folder: Path
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of a config's ``study`` makes it another study, checked and resolved.

    Args:
        study: that part of the config.
        problem: says what may be tried.
        folder: of the study; if it has begun with the same warm start, the points are
            those that it began with.

    Returns:
        Plain data, empty if all of it is at its default; and lines for people.

    Raises:
        ConfigError: a mistake in one of the keys, or in a folder they name.
    """
    found: dict[str, Any] = {}
    points = checked_points(f"study.{_ENQUEUE}", problem, study.get(_ENQUEUE))
    if points:
        found[_ENQUEUE] = points
    if study.get(_REPLICATES) is not None:
        found[_REPLICATES] = _replicates(study[_REPLICATES])
    asked = _asked(study)
    if asked is None:
        return found, ()
    begun = _begun(folder)
    if begun is not None and all(begun.get(key) == asked[key] for key in asked):
        found[WARM_START] = begun
        return found, ()
    own = [
        name for name in asked["folders"] if Path(name).resolve() == folder.resolve()
    ]
    if own:
        raise ConfigError(f"{KEY}: {own[0]} is this study itself; name earlier ones.")
    warm = warm_start(problem, asked["folders"], asked["fill"], asked["points"])
    found[WARM_START] = {**asked, "found": [dict(p) for p in warm.points]}
    return found, warm.notes


def with_pruner(
    identity: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
    """The same identity with the pruner, which makes a study another one as well.

    Args:
        identity: see `study_identity`.
        config: resolved; a study without a pruner has the identity it always had.
    """
    pruner = config.get(PRUNER)
    return {**identity, **({} if pruner is None else {PRUNER: pruner})}


def _replicates(raw: object) -> dict[str, Any]:
    """All settings of the repeats, those with a default too."""
    known = ("share", "most", "after")
    if not isinstance(raw, Mapping):
        raise ConfigError(
            f"study.{_REPLICATES}: expected e.g. {{share: 0.2}}, got {raw!r}."
        )
    for key in raw:
        if key not in known:
            hint = nearest(str(key), known)
            raise ConfigError(f"study.{_REPLICATES}: unknown key {key!r}.{hint}")
    settled = Replicated(Sobol(), **raw)
    return {name: getattr(settled, name) for name in known}


def _asked(study: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the config says about a warm start, in one spelling; ``None`` = nothing."""
    folders, fill = study.get(WARM_START), study.get(_FILL)
    if folders is None or folders == []:
        return None
    folders = [folders] if isinstance(folders, str) else folders
    if not isinstance(folders, list) or not all(
        isinstance(name, str) and name.strip() for name in folders
    ):
        raise ConfigError(
            f"{KEY}: expected folders of studies, e.g. [runs/nas-ehvi-s0], got "
            f"{folders!r}."
        )
    count = study.get(_POINTS, _DEFAULT_POINTS)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ConfigError(
            f"study.{_POINTS}: expected a whole number >= 1, got {count!r}."
        )
    if fill is not None and not isinstance(fill, Mapping):
        raise ConfigError(
            f"study.{_FILL}: expected a value for each parameter, e.g. {{lr: 0.01}}, "
            f"got {fill!r}."
        )
    return {"folders": folders, "points": count, "fill": dict(fill or {})}


def _begun(folder: Path) -> Mapping[str, Any] | None:
    """The warm start that a study began with, if it has begun with one."""
    history = read(folder / JOURNAL).history
    if not len(history):
        return None
    config = history[0].data.get("config", {})
    begun: Mapping[str, Any] | None = config.get("study", {}).get(WARM_START)
    return begun
