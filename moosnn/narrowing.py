"""Choices of which a config leaves options out: what can then not exist any more.

Knows: parameters by name and their ``when``. Must not know: spaces, tasks; numpy and
torch.

``space.training.choice=[bptt,ssgd]`` narrows a space whose conditions also name other
rules. What such a condition says of the options that are left still holds; a parameter
that needs one of the others does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from moosnn.conditions import Condition, Value, same
from moosnn.errors import SpaceError
from moosnn.parameters import Choice, Parameter, parameter_from_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A value that a condition names and the choice that it tests has not.

    Attributes:
        of: the parameter that has the condition.
        choice: the name of the choice.
        value: which is none of its options.
    """

    of: str
    choice: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """Parameters whose conditions name nothing that is left out.

    Attributes:
        parameters: name to parameter, without those that could never exist.
        absent: what their conditions named beside that.
        gone: the names of those that could never exist.
    """

    parameters: Mapping[str, Parameter]
    absent: tuple[Absent, ...]
    gone: tuple[str, ...]


def parameters_from_config(raw: object) -> dict[str, Parameter]:
    """Read the YAML form of a space's parameters.

    Raises:
        SpaceError: with the parameter's name and what was expected.
    """
    if not isinstance(raw, Mapping):
        raise SpaceError(f"space: expected a mapping of parameters, got {raw!r}.")
    parameters: dict[str, Parameter] = {}
    for name, body in raw.items():
        try:
            parameters[name] = parameter_from_config(body)
        except SpaceError as error:
            raise SpaceError(f"space.{name}: {error}") from None
    return parameters


def narrow(parameters: Mapping[str, Parameter]) -> Narrowed:
    """Take out of all conditions what the choices that they test have not.

    A value that is of another type than all options (``'1'`` of a choice of numbers)
    was never one of them: it stays, and a space refuses it.

    Args:
        parameters: name to parameter.

    Returns:
        The same parameters if every condition names options only.
    """
    absent = tuple(
        Absent(of=name, choice=condition.parameter, value=value)
        for name, parameter in parameters.items()
        for group in parameter.when
        for condition in group
        for value in condition.values or ()
        if _is_absent(parameters.get(condition.parameter), value)
    )
    kept = dict(parameters)
    while True:
        after = _without_impossible(kept, parameters)
        if after == kept:
            break
        kept = after
    gone = tuple(name for name in parameters if name not in kept)
    return Narrowed(parameters=kept, absent=absent, gone=gone)


def _is_absent(tested: Parameter | None, value: Value) -> bool:
    """Whether a choice might have had a value that it has not."""
    if not isinstance(tested, Choice) or any(same(o, value) for o in tested.options):
        return False
    return any(_type(option) is _type(value) for option in tested.options)


def _type(value: Value) -> type:
    """Text, boolean or number."""
    return next((kind for kind in (str, bool) if isinstance(value, kind)), float)


def _without_impossible(
    kept: Mapping[str, Parameter], all_of_them: Mapping[str, Parameter]
) -> dict[str, Parameter]:
    """The parameters that may exist as far as those kept do."""
    found: dict[str, Parameter] = {}
    for name, parameter in kept.items():
        groups = (
            tuple(_possible(c, kept, all_of_them) for c in group)
            for group in parameter.when
        )
        when = tuple(
            tuple(c for c in group if c is not None)
            for group in groups
            if None not in group
        )
        if when or not parameter.when:
            found[name] = replace(parameter, when=when)
    return found


def _possible(
    condition: Condition,
    kept: Mapping[str, Parameter],
    all_of_them: Mapping[str, Parameter],
) -> Condition | None:
    """The condition with what may come true, or ``None`` if nothing may."""
    tested = kept.get(condition.parameter)
    if tested is None:  # a name that is none at all is refused by a space
        return None if condition.parameter in all_of_them else condition
    if condition.values is None:
        return condition
    values = tuple(v for v in condition.values if not _is_absent(tested, v))
    return replace(condition, values=values) if values else None
