"""What people write in Python, turned into the types of the house.

Knows: the plain forms of spaces, objectives, constraints, optimizers and numbers.
Must not know: what happens with them.

The plain forms are those of the YAML files, so whatever stands in ``conf/`` can be
written in Python and the other way round.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import yaml

from moosnn.configs import choices, config_folder
from moosnn.errors import ConfigError, nearest, number_hint
from moosnn.optimizers.base import Optimizer
from moosnn.parameters import Choice, Float, Int, Parameter
from moosnn.problem import Constraint, Objective, Problem
from moosnn.runtime.worker import build
from moosnn.space import Space
from moosnn.tasks.calls import plain_numbers

PlainSpace = Space | Mapping[str, Parameter | Mapping[str, Any]]
PlainObjectives = Sequence[Objective | Mapping[str, Any]]
PlainConstraints = Sequence[Constraint | Mapping[str, Any]]
PlainOptimizer = Optimizer | Mapping[str, Any] | str | None

# Beside the class of an optimizer that came ready-made: its settings are not known.
OBJECT_KEY = "_given_"
_OBJECT = "as an object"


def problem_from(
    space: PlainSpace, objectives: PlainObjectives, constraints: PlainConstraints
) -> Problem:
    """The problem of plain input.

    Args:
        space: a `Space`, or names to parameters, each a `Float`, `Int`, `Choice` or
            the YAML form, e.g. ``{"float": [1e-4, 1e-1], "log": True}``.
        objectives: each an `Objective` or a mapping of its fields.
        constraints: each a `Constraint` or a mapping of its fields.

    Raises:
        SpaceError, ProblemError: with the name and what was expected.
    """
    if isinstance(space, Mapping):
        space = Space.from_config(
            {name: _parameter_config(body) for name, body in space.items()}
        )
    elif not isinstance(space, Space):
        space = Space.from_config(space)  # says what was expected
    raw = {"objectives": _axes(objectives), "constraints": _axes(constraints)}
    return Problem.from_config(space, raw)


def _parameter_config(body: object) -> object:
    return body.to_config() if isinstance(body, Float | Int | Choice) else body


def _axes(given: object) -> object:
    """The mappings of some objectives or constraints; what is none stays as it is."""
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        return given
    return [
        asdict(axis)
        if isinstance(axis, Objective | Constraint)
        else plain_numbers(axis)
        if isinstance(axis, Mapping)
        else axis
        for axis in given
    ]


def optimizer_from(given: PlainOptimizer) -> tuple[Optimizer, dict[str, Any]]:
    """An optimizer, and the config from which it can be built again.

    Args:
        given: ``None`` = the default of ``conf/config.yaml``; the name of a file in
            ``conf/optimizer``; a mapping with ``_target_``; or an optimizer. Of the
            last one only the class is recorded.

    Raises:
        ConfigError: an unknown name, or what is no optimizer.
    """
    if given is None or isinstance(given, str):
        given = _named(_default() if given is None else given)
    if isinstance(given, Mapping):
        config = dict(given)
        built = build({"optimizer": config}, "optimizer")
        if not _proposes(built):
            raise ConfigError(
                f"optimizer: expected the _target_ of an optimizer, but "
                f"{config['_target_']!r} gives a {type(built).__name__}, which cannot "
                f"propose.{nearest('', choices('optimizer'))}"
            )
        return built, config
    if not _proposes(given):
        raise ConfigError(
            "optimizer: expected a name, a mapping with a _target_, or an optimizer, "
            f"got {given!r}.{nearest('', choices('optimizer'))}"
        )
    kind = type(given)
    target = f"{kind.__module__}.{kind.__qualname__}"
    return given, {"_target_": target, OBJECT_KEY: _OBJECT}


def _proposes(given: object) -> bool:
    return not isinstance(given, type) and callable(getattr(given, "propose", None))


def _named(name: str) -> Mapping[str, Any]:
    known = choices("optimizer")
    if name not in known:
        raise ConfigError(f"optimizer: got {name!r}.{nearest(name, known)}")
    path = config_folder() / "optimizer" / f"{name}.yaml"
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    return config


def _default() -> str:
    """The optimizer that ``conf/config.yaml`` chooses."""
    config = yaml.safe_load((config_folder() / "config.yaml").read_text())
    entries = [entry for entry in config["defaults"] if isinstance(entry, Mapping)]
    return next(str(e["optimizer"]) for e in entries if "optimizer" in e)


def whole(value: Any) -> int | None:  # noqa: ANN401 - whatever somebody gave
    """A whole number, Python's or numpy's, as Python's; ``None`` if it is none.

    A text, a boolean and 3.0 are none.
    """
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def require_whole(name: str, value: object, least: int) -> int:
    """The whole number that a value is, Python's or numpy's.

    Raises:
        ConfigError: it is less than ``least``, or none (see `whole`).
    """
    number = whole(value)
    if number is None or number < least:
        raise ConfigError(
            f"{name}: expected a whole number >= {least}, got {value!r}."
            f"{number_hint(value)}"
        )
    return number
