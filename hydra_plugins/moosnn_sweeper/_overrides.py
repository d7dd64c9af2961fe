"""Overrides in Hydra's grammar, turned into parameters of a search, and back.

Knows: Hydra's parser of overrides, the YAML form of parameters. Must not know: what an
app does with them, how it is run.

A parameter is named by its override's key as it was written (``+model.lr``,
``db@source``): any text is a name. An option of a choice that is no number or truth
value is the text that stands behind the ``=`` of its job's override, so that quotes,
lists and mappings survive.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    IntervalSweep,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException

from moosnn.errors import ConfigError, SpaceError, nearest
from moosnn.parameters import parameter_from_config
from moosnn.space import Params, Space

PARAMS = "hydra.sweeper.params"
_LOG = "log"
_PREFIXES = "+~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the overrides of a sweep say.

    Attributes:
        fixed: those that are the same in every job, as they were written.
        space: the parameters that are searched, name to YAML form.
    """

    fixed: tuple[str, ...]
    space: Mapping[str, Mapping[str, Any]]


def read_overrides(
    params: object, words: Sequence[str], loader: ConfigLoader
) -> Overrides:
    """Tell what is fixed from what is searched.

    Args:
        params: ``hydra.sweeper.params``: key to value, nested mappings as dotted keys.
        words: of the command line; they replace those of ``params`` with their key.
        loader: knows the options that ``glob`` chooses from.

    Raises:
        ConfigError: an override that cannot be read, or makes no parameter.
    """
    found: dict[str, Override] = {}
    for override in _parsed([*_words(params), *words], loader):
        key = bare(override.get_key_element())
        found.pop(key, None)
        found[key] = override
    searched = {
        override.get_key_element(): _parameter(override)
        for override in found.values()
        if override.is_sweep_override()
    }
    fixed = [str(o.input_line) for o in found.values() if not o.is_sweep_override()]
    return Overrides(fixed=tuple(fixed), space=searched)


def bare(name: str) -> str:
    """The key of an override without the signs that precede it."""
    return name.lstrip(_PREFIXES)


def words_of(space: Space, params: Params) -> list[str]:
    """The overrides of a point; what does not exist in it has none."""
    return [f"{name}={_text(value)}" for name, value in space.active(params).items()]


def with_conditions(
    space: Mapping[str, Mapping[str, Any]], when: object
) -> dict[str, Mapping[str, Any]]:
    """The same parameters, some with the condition under which they exist.

    Args:
        space: name to YAML form.
        when: name to condition, a mapping or a list of mappings as in a space's YAML;
            names need no leading ``+``.

    Raises:
        ConfigError: a name that is not searched.
    """
    if when is None:
        return dict(space)
    if not isinstance(when, Mapping):
        raise ConfigError(
            "hydra.sweeper.when: expected e.g. {momentum: {kind: sgd}}, got "
            f"{when!r}."
        )
    names = {bare(name): name for name in space}

    def known(name: object) -> str:
        if bare(str(name)) not in names:
            hint = nearest(str(name), names)
            raise ConfigError(f"hydra.sweeper.when: {name!r} is not searched.{hint}")
        return names[bare(str(name))]

    def renamed(condition: object) -> object:
        if isinstance(condition, Mapping):
            return {known(name): test for name, test in condition.items()}
        if isinstance(condition, list):
            return [renamed(part) for part in condition]
        return condition  # whoever reads it says what was expected

    conditions = {known(name): renamed(body) for name, body in when.items()}
    return {
        name: {**body, "when": conditions[name]} if name in conditions else body
        for name, body in space.items()
    }


def _words(params: object, prefix: str = "") -> Iterator[str]:
    """The overrides in a mapping; a mapping in it lends its key to what it holds."""
    if params is None:
        return
    if not isinstance(params, Mapping):
        raise ConfigError(
            f'{PARAMS}: expected e.g. {{lr: "interval(0, 1)"}}, got {params!r}.'
        )
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _words(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            yield f"{prefix}{key}={value}"
        else:
            yield f"{prefix}{key}={Override._get_value_element_as_str(value)}"


def _parsed(words: Sequence[str], loader: ConfigLoader) -> list[Override]:
    parser = OverridesParser.create(config_loader=loader)
    found = []
    for word in words:
        try:
            found += parser.parse_overrides([word])
        except HydraException as error:
            text = " ".join(str(error).partition("\nSee ")[0].split())
            raise ConfigError(f"cannot read {word!r}: {text}") from error
    return found


def _parameter(override: Override) -> dict[str, Any]:
    """The YAML form of what an override searches.

    Raises:
        ConfigError: it is none.
    """
    name = override.get_key_element()
    value = override.value()
    try:
        if override.is_choice_sweep():
            return _checked({"choice": [*_options(override)]})
        assert isinstance(value, RangeSweep | IntervalSweep)
        log = _is_log(value.tags)
        if isinstance(value, RangeSweep):
            return _checked(_range(value, log))
        low, high = value.start, value.end
        kind = "int" if isinstance(low, int) and isinstance(high, int) else "float"
        return _checked({kind: [low, high], **log})
    except (SpaceError, HydraException) as error:
        line = override.input_line
        raise ConfigError(f"{name}: {error} (in {line!r})") from error


def _checked(form: dict[str, Any]) -> dict[str, Any]:
    """The same, if a parameter can be made of it."""
    return dict(parameter_from_config(form).to_config())


def _is_log(tags: set[str]) -> dict[str, bool]:
    """What tags say of the scale.

    Raises:
        SpaceError: a tag that says nothing.
    """
    for tag in tags:
        if tag != _LOG:
            raise SpaceError(f"tag: got {tag!r}.{nearest(tag, [_LOG])}")
    return {_LOG: True} if tags else {}


def _options(override: Override) -> Iterator[object]:
    values = [*override.sweep_iterator()]
    if not values:
        raise SpaceError("choice: nothing matches.")
    for value in values:
        plain = isinstance(value, bool | int | float)
        yield value if plain and math.isfinite(value) else _spelled(value)


def _spelled(value: object) -> str:
    """What stands for an option behind a ``=``: text in quotes only if it needs them.

    Hydra forgets the quotes inside of ``choice('1','2')``, and makes numbers of it.
    """
    text = value.text if isinstance(value, QuotedString) else value
    spelled = str(Override._get_value_element_as_str(text))
    if not isinstance(text, str) or _means(spelled, text):
        return spelled
    return str(QuotedString(text, Quote.single).with_quotes())


def _means(spelled: str, text: str) -> bool:
    """Whether Hydra reads some characters as a text, and as that one."""
    try:
        value = OverridesParser.create().parse_overrides([f"key={spelled}"])[0].value()
    except HydraException:
        return False
    return isinstance(value, str) and value == text


def _text(value: object) -> str:
    """What stands for a value of a parameter behind a ``=``."""
    if isinstance(value, str):
        return value
    return str(Override._get_value_element_as_str(value))


def _range(sweep: RangeSweep, log: Mapping[str, bool]) -> dict[str, Any]:
    """A range without its end, as Hydra and Python have it; of one value, a choice."""
    bounds = (sweep.start, sweep.stop, sweep.step)
    whole = all(isinstance(bound, int) for bound in bounds)
    start, stop, step = (Decimal(repr(bound)) for bound in bounds)
    count = math.ceil((stop - start) / step) if step else 0
    if count < 1:
        raise SpaceError(f"range: there is nothing from {start} to {stop} by {step}.")
    ends = sorted([start, start + (count - 1) * step])
    low, high = (int(end) if whole else float(end) for end in ends)
    if count == 1:
        return {"choice": [low]}
    size = int(abs(step)) if whole else float(abs(step))
    return {"int" if whole else "float": [low, high], "step": size, **log}
