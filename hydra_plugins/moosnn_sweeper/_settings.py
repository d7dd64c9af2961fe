"""What stands in ``hydra.sweeper``, as the config of a study.

Knows: the keys of ``hydra.sweeper``, the groups of ``conf/``. Must not know: hydra, how
a study is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hydra_plugins.moosnn_sweeper.sweeper import DEFAULTS
from moosnn.configs import choices, config_folder
from moosnn.errors import ConfigError, nearest

_STUDY = (
    "budget",
    "confirm",
    "hours",
    "stagnation",
    "suggestion_s",
    "replicates",
    "enqueue",
    "warm_start",
    "warm_start_points",
    "warm_start_fill",
)
# Jobs of somebody's app may take long; on a cluster its jobs' time says how long.
_LOCAL_TIMEOUT_MIN = 7 * 24 * 60
_LOCAL = "moosnn.runtime.local.local"
INLINE = "inline"
_NAME = "name"
_TARGET = "_target_"
_WORKERS = "workers"
_NONE = "none"
# What keys of other sweepers of Hydra are here.
_ELSEWHERE = {
    "n_jobs": "workers",
    "n_trials": "budget",
    "direction": "objectives",
    "sampler": "optimizer",
    "search_space": "params",
    "custom_search_space": "when",
    "storage": "hydra.sweep.dir",
    "study_name": "hydra.sweep.dir",
}
_EXAMPLE = "[{metric: loss, goal: min, reference: 2}]"


def check_keys(given: Mapping[str, Any]) -> None:
    """Refuse a key that nobody would read.

    Raises:
        ConfigError: with the nearest key.
    """
    known = [key for key in DEFAULTS if not key.startswith("_")]
    for key in given:
        if key not in known:
            here = _ELSEWHERE.get(key)
            hint = nearest(key, known) if here is None else f" Here it is {here}."
            raise ConfigError(f"hydra.sweeper: unknown key {key!r}.{hint}")


def study_of(
    given: Mapping[str, Any],
    *,
    task: Mapping[str, Any],
    space: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """The config of a study, as `moosnn.driver.run` takes it.

    Args:
        given: the values of ``hydra.sweeper``, without what is hidden.
        task: what is evaluated.
        space: what is searched, name to YAML form.
        folder: of the study.

    Raises:
        ConfigError: a name or a form that is none.
    """
    for key in ("confirm", "replicates"):
        if given[key] and given["trial_seed"] is None:
            raise ConfigError(
                f"hydra.sweeper.{key}: runs points again with other seeds: expected "
                "hydra.sweeper.trial_seed to name the override that sets the app's "
                "seed, e.g. trial_seed: seed."
            )
    return {
        "task": dict(task),
        "data": None,
        "space": dict(space),
        "problem": problem_of(given),
        "optimizer": _part("optimizer", given["optimizer"]),
        "executor": _executor(given),
        "tracker": _trackers(given["tracker"]),
        "study": {key: given[key] for key in _STUDY},
        "seed": given["seed"],
        "study_dir": str(folder),
    }


def problem_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The objectives and constraints; one alone may stand without a list.

    Raises:
        ConfigError: there is no objective.
    """
    if not given["objectives"]:
        raise ConfigError(
            f"hydra.sweeper.objectives: expected at least one, e.g. {_EXAMPLE}, whose "
            "metric the app returns and whose reference is the worst value of interest."
        )
    return {
        key: [given[key]] if isinstance(given[key], Mapping) else given[key]
        for key in ("objectives", "constraints")
    }


def is_inline(given: Mapping[str, Any]) -> bool:
    """Whether jobs run in the process that sweeps."""
    executor = given["executor"]
    return INLINE in (executor, _name(executor))


def _name(part: object) -> object:
    return part.get(_NAME) if isinstance(part, Mapping) else None


def _part(group: str, given: object) -> dict[str, Any]:
    """A part of a study: a file of ``conf/GROUP``, some of its values replaced.

    Raises:
        ConfigError: no such file; neither a name nor a mapping with one.
    """
    if isinstance(given, str):
        return _file(group, given)
    if isinstance(given, Mapping):
        own = {str(key): value for key, value in given.items()}
        if _TARGET in own:
            return own
        if isinstance(own.get(_NAME), str):
            return {**_file(group, own.pop(_NAME)), **own}
    raise ConfigError(
        f"hydra.sweeper.{group}: expected a name, or a mapping with a name and what is "
        f"to be set, got {given!r}.{nearest('', choices(group))}"
    )


def _file(group: str, name: str) -> dict[str, Any]:
    known = choices(group)
    if name not in known:
        raise ConfigError(f"hydra.sweeper.{group}: got {name!r}.{nearest(name, known)}")
    path = config_folder() / group / f"{name}.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _executor(given: Mapping[str, Any]) -> dict[str, Any]:
    executor, workers = given["executor"], given[_WORKERS]
    part = _part("executor", executor)
    if workers is not None and not (is_inline(given) and workers == 1):
        part[_WORKERS] = workers
    own = executor if isinstance(executor, Mapping) else {}
    if part.get(_TARGET) == _LOCAL and "timeout_min" not in own:
        part["timeout_min"] = _LOCAL_TIMEOUT_MIN
    return part


def _trackers(given: object) -> dict[str, Any]:
    """Each tracker by its name.

    Raises:
        ConfigError: an unknown name, or what is no list of names.
    """
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        options = dict(given)
    elif isinstance(given, Iterable):
        options = dict.fromkeys(map(str, given))
    elif given is None:
        options = {}
    else:
        raise ConfigError(
            "hydra.sweeper.tracker: expected a name or a list of names, got "
            f"{given!r}.{nearest('', choices('tracker'))}"
        )
    return {
        name: {**_file("tracker", name), **(own or {})}
        for name, own in options.items()
        if name != _NONE
    }
