"""The kinds of parameters, and the unit interval that an optimizer sees of each.

Knows: one parameter's values, its coordinate in [0, 1], its YAML form.
Must not know: which other parameters there are; numpy and torch.

Common to all: ``spell`` checks a value and gives it back in the parameter's own type,
``encode`` gives its coordinate, ``decode`` the value at one; ``count`` is how many
values there are and ``values`` gives them all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from moosnn.conditions import (
    Value,
    When,
    is_number,
    is_value,
    same,
    when_from_config,
    when_to_config,
)
from moosnn.errors import SpaceError, nearest, number_hint
from moosnn.grid import Grid, checked_grid

# Larger ranges (for a log scale: high / low) overflow where they are interpolated.
_WIDEST = 1e300
# In steps: by how much high or a value may miss the grid, having been computed.
_GRID_SLACK = 1e-6


def _check_bounds(kind: str, low: object, high: object, log: bool) -> None:
    for bound in (low, high):
        if not is_number(bound):
            raise SpaceError(
                f"{kind}: expected two finite numbers, got {bound!r}."
                f"{number_hint(bound)}"
            )
    assert is_number(low)
    assert is_number(high)
    if not low < high:
        raise SpaceError(
            f"{kind}: expected low < high, got [{low}, {high}]; "
            "a fixed value belongs into task.fixed."
        )
    if log and low <= 0:
        raise SpaceError(f"{kind}: a log scale needs low > 0, got low={low}.")
    if (high / low if log else high - low) > _WIDEST:
        width = "high / low" if log else "high - low"
        raise SpaceError(
            f"{kind}: the range [{low}, {high}] is too wide: expected {width} <= "
            f"{_WIDEST:g}."
        )


def _check_step(kind: str, step: object, width: float) -> None:
    if not (is_number(step) and 0 < step <= width):
        raise SpaceError(
            f"{kind}: expected 0 < step <= {width}, got {step!r}.{number_hint(step)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """A real parameter in ``[low, high]``.

    Attributes:
        low: smallest value.
        high: largest value (with ``step``: no value lies above it).
        log: the unit coordinate is linear in the logarithm; needs ``low > 0``.
        step: only ``low + k step`` may be tried, summed in decimal as it is written
            (0.1 and 0.1 and 0.1 are 0.3); ``None`` = any value.
        when: the conditions under which the parameter exists.

    Raises:
        SpaceError: bounds reversed, equal or not finite; a log scale with ``low <= 0``;
            ``step`` not positive, wider than the range or too fine for it.
    """

    kind: ClassVar[str] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When = ()
    _cells: Grid | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if is_number(value):
                object.__setattr__(self, name, float(value))
        _check_bounds(self.kind, self.low, self.high, self.log)
        if self.step is None:
            return
        _check_step(self.kind, self.step, self.high - self.low)
        low, high, step = map(_decimal, (self.low, self.high, self.step))
        steps = int((high - low) / step + _decimal(_GRID_SLACK))
        cells = checked_grid(self.kind, self.low, self.step, steps, self.log)
        object.__setattr__(self, "_cells", cells)

    def spell(self, value: object) -> float:
        """The value as a float, on the grid if there is one.

        Raises:
            SpaceError: the value lies outside of the bounds or off the grid.
        """
        number = float(value) if is_number(value) else math.inf  # never in range
        if self._cells is not None:
            near = self._at(self._cells.nearest(number))
            if abs(near - number) <= _GRID_SLACK * self._cells.step:
                return near
            expected = f"{self.low} + k * {self.step} up to {self.high}"
        else:
            if self.low <= number <= self.high:
                return number
            expected = f"a number in [{self.low}, {self.high}]"
        raise SpaceError(f"expected {expected}, got {value!r}.{number_hint(value)}")

    def encode(self, value: object) -> float:
        """The coordinate in [0, 1] of a value.

        Raises:
            SpaceError: as `spell`.
        """
        number = self.spell(value)
        if self._cells is not None:
            return self._cells.coordinate(self._cells.nearest(number))
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def decode(self, coordinate: float) -> float:
        """The value at a coordinate in [0, 1]."""
        if self._cells is not None:
            return self._at(self._cells.index(coordinate))
        if self.log:
            value = self.low * math.pow(self.high / self.low, coordinate)
        else:
            value = self.low + coordinate * (self.high - self.low)
        return min(max(value, self.low), self.high)

    @property
    def grid(self) -> Grid | None:
        """The cells of the unit interval; ``None`` = a continuum."""
        return self._cells

    @property
    def count(self) -> int | None:
        """How many values there are; ``None`` = a continuum."""
        return None if self._cells is None else self._cells.count

    def values(self) -> Sequence[float]:
        """Every value, ascending; none of a continuum."""
        return [self._at(index) for index in range(self.count or 0)]

    def _at(self, index: int) -> float:
        assert self.step is not None
        value = float(_decimal(self.low) + index * _decimal(self.step))
        return min(value, self.high)

    def to_config(self) -> dict[str, object]:
        """The YAML form."""
        return _ranged_config(self)


def _decimal(number: float) -> Decimal:
    """The number as it is written, not as it is stored."""
    return Decimal(repr(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Int:
    """An integer parameter ``low, low + step, …`` up to ``high``.

    Attributes:
        low: smallest value.
        high: largest value (no value lies above it).
        log: the cells of the unit interval are as wide as the values are apart in the
            logarithm; needs ``low >= 1``.
        step: distance of neighbouring values.
        when: the conditions under which the parameter exists.

    Raises:
        SpaceError: bounds not whole, reversed or equal; a log scale with ``low <= 0``;
            ``step`` not a positive whole number or wider than the range; more than
            2**40 values.
    """

    kind: ClassVar[str] = "int"
    low: int
    high: int
    log: bool = False
    step: int = 1
    when: When = ()
    _cells: Grid = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_bounds(self.kind, self.low, self.high, self.log)
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if not is_number(value) or value != int(value):
                raise SpaceError(
                    f"int: expected a whole {name}, got {value!r}.{number_hint(value)}"
                )
            object.__setattr__(self, name, int(value))
        _check_step(self.kind, self.step, self.high - self.low)
        steps = (self.high - self.low) // self.step
        cells = checked_grid(self.kind, self.low, self.step, steps, self.log)
        object.__setattr__(self, "_cells", cells)

    @property
    def grid(self) -> Grid:
        """The cells of the unit interval."""
        return self._cells

    @property
    def count(self) -> int:
        """How many values there are."""
        return self._cells.count

    def values(self) -> Sequence[int]:
        """Every value, ascending."""
        return range(self.low, self.high + 1, self.step)

    def spell(self, value: object) -> int:
        """The value as an int.

        Raises:
            SpaceError: the value is not one of the range.
        """
        if (
            is_number(value)
            and value == int(value)
            and self.low <= int(value) <= self.high
            and (int(value) - self.low) % self.step == 0
        ):
            return int(value)
        steps = f" in steps of {self.step}" if self.step != 1 else ""
        raise SpaceError(
            f"expected a whole number in [{self.low}, {self.high}]{steps}, "
            f"got {value!r}.{number_hint(value)}"
        )

    def encode(self, value: object) -> float:
        """The coordinate in [0, 1] of a value (inside of its cell).

        Raises:
            SpaceError: as `spell`.
        """
        return self._cells.coordinate((self.spell(value) - self.low) // self.step)

    def decode(self, coordinate: float) -> int:
        """The value whose cell holds a coordinate in [0, 1]."""
        return self.low + self._cells.index(coordinate) * self.step

    def to_config(self) -> dict[str, object]:
        """The YAML form."""
        return _ranged_config(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An unordered parameter.

    Attributes:
        options: different values; of a single one, that value is it always.
        when: the conditions under which the parameter exists.

    Raises:
        SpaceError: no option, two equal ones (True equals 1), or one that
            is not a string, a finite number or a boolean.
    """

    kind: ClassVar[str] = "choice"
    options: tuple[Value, ...]
    when: When = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            raise SpaceError("choice: expected one or more options, got [].")
        for option in self.options:
            if not isinstance(option, bool | int | float | str) or not is_value(option):
                raise SpaceError(
                    "choice: expected strings, finite numbers or booleans, "
                    f"got {option!r}."
                )
        if len(set(self.options)) < len(self.options):
            raise SpaceError(
                f"choice: an option is twice in {list(self.options)} (1, 1.0 and true "
                "are equal)."
            )

    @property
    def count(self) -> int:
        """How many options there are."""
        return len(self.options)

    def values(self) -> Sequence[Value]:
        """Every option, in the order of the config."""
        return self.options

    def spell(self, value: object) -> Value:
        """The option that equals the value.

        Raises:
            SpaceError: the value is not an option; true and 1 are not the same.
        """
        for option in self.options:
            if same(option, value):
                return option
        if isinstance(value, str) and all(isinstance(o, str) for o in self.options):
            raise SpaceError(f"got {value!r}.{nearest(value, map(str, self.options))}")
        raise SpaceError(f"expected one of {list(self.options)}, got {value!r}.")

    def encode(self, value: object) -> float:
        """The centre of the option's cell of the unit interval.

        Raises:
            SpaceError: as `spell`.
        """
        return (self.options.index(self.spell(value)) + 0.5) / len(self.options)

    def decode(self, coordinate: float) -> Value:
        """The option whose cell holds a coordinate in [0, 1]."""
        index = math.floor(coordinate * len(self.options))
        return self.options[min(max(index, 0), len(self.options) - 1)]

    def to_config(self) -> dict[str, object]:
        """The YAML form."""
        config: dict[str, object] = {self.kind: list(self.options)}
        if self.when:
            config["when"] = when_to_config(self.when)
        return config


Parameter = Float | Int | Choice
_RANGED: Mapping[str, type[Float] | type[Int]] = {"float": Float, "int": Int}


def _ranged_config(parameter: Float | Int) -> dict[str, object]:
    config: dict[str, object] = {parameter.kind: [parameter.low, parameter.high]}
    if parameter.log:
        config["log"] = True
    if parameter.step != (1 if isinstance(parameter, Int) else None):
        config["step"] = parameter.step
    if parameter.when:
        config["when"] = when_to_config(parameter.when)
    return config


def parameter_from_config(raw: object) -> Parameter:
    """Read one parameter of the YAML form.

    Raises:
        SpaceError: the form is wrong; the message says what was expected.
    """
    if not isinstance(raw, Mapping):
        raise SpaceError(f"expected e.g. {{float: [0, 1]}}, got {raw!r}.")
    kind = _kind(raw)
    body = raw[kind]
    if not isinstance(body, Sequence) or isinstance(body, str):
        raise SpaceError(f"{kind}: expected a list, got {body!r}.")
    when = when_from_config(raw.get("when"))
    if kind == Choice.kind:
        return Choice(options=tuple(body), when=when)
    if len(body) != 2:
        raise SpaceError(f"{kind}: expected [low, high], got {list(body)}.")
    rest: dict[str, Any] = {
        k: raw[k] for k in ("log", "step") if raw.get(k) is not None
    }
    if not isinstance(rest.get("log", False), bool):
        raise SpaceError(f"{kind}: expected true or false for log, got {raw['log']!r}.")
    return _RANGED[kind](low=body[0], high=body[1], when=when, **rest)


def _kind(raw: Mapping[Any, object]) -> str:
    """The one key that names the kind; every other one must be known beside it."""
    kinds = (*_RANGED, Choice.kind)
    named = [kind for kind in kinds if kind in raw]
    if len(named) > 1:
        raise SpaceError(f"expected exactly one of {', '.join(kinds)} in {dict(raw)}.")
    options = {"when"} if named == [Choice.kind] else {"when", "log", "step"}
    known = options | set(named or kinds)
    for key in raw:
        if key not in known:
            where = f"{named[0]}: " if named else ""
            raise SpaceError(f"{where}unknown key {key!r}.{nearest(str(key), known)}")
    if not named:
        raise SpaceError(f"expected exactly one of {', '.join(kinds)} in {dict(raw)}.")
    return named[0]
