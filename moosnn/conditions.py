"""When a parameter exists: conditions on the values of other parameters.

Knows: values, tests of one value, their YAML form.
Must not know: parameters, spaces, coordinates; numpy and torch.

``when`` holds if every named condition holds; a list of such mappings holds if any of
them does. A condition is ``{min: …}``, ``{max: …}``, both, one value or a list of
values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeGuard

from moosnn.errors import SpaceError, number_hint

Value = bool | int | float | str


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite real number, numpy's included; a bool is none."""
    if type(value) is float:  # nearly all are, and asking for a Real is slow
        return math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an int beyond the floats
        return False


def is_value(value: object) -> TypeGuard[Value]:
    """Whether a parameter may have this value: text, a finite number or a boolean."""
    return isinstance(value, bool | str) or is_number(value)


def same(a: object, b: object) -> bool:
    """Whether two values are the same; 3 and 3.0 are, True and 1 are not."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One test of another parameter's value.

    Attributes:
        parameter: the name of the parameter that is tested.
        min: smallest value that passes, or ``None``.
        max: largest value that passes, or ``None``.
        values: the values that pass, or ``None``; excludes ``min`` and ``max``.

    Raises:
        SpaceError: no test at all, values beside bounds, an empty list, bounds that are
            reversed or not finite numbers.
    """

    parameter: str
    min: float | None = None
    max: float | None = None
    values: tuple[Value, ...] | None = None

    def __post_init__(self) -> None:
        where = f"when: {self.parameter}"
        bounds = [b for b in (self.min, self.max) if b is not None]
        if (self.values is not None) == bool(bounds):
            raise SpaceError(
                f"{where}: expected min and/or max, one value or a list of values."
            )
        for bound in bounds:
            if not is_number(bound):
                raise SpaceError(
                    f"{where}: expected a number for min and max, got {bound!r}."
                    f"{number_hint(bound)}"
                )
        if bounds != sorted(bounds):
            raise SpaceError(
                f"{where}: expected min <= max, got min={self.min}, max={self.max}."
            )
        if self.values is not None:
            object.__setattr__(self, "values", _checked(where, self.values))

    def holds(self, value: Value) -> bool:
        """Say whether ``value`` of the tested parameter passes."""
        if self.values is not None:
            return any(same(value, passing) for passing in self.values)
        return (
            is_number(value)
            and (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
        )

    @classmethod
    def from_config(cls, parameter: str, test: object) -> Condition:
        """Read ``{min: 3}``, ``lif`` or ``[lif, plif]``.

        Raises:
            SpaceError: the test has another form.
        """
        if isinstance(test, Mapping):
            if set(test) - {"min", "max"}:
                raise SpaceError(
                    f"when: {parameter}: expected min and/or max, one value or a list "
                    f"of values, got {dict(test)!r}."
                )
            return cls(parameter=parameter, min=test.get("min"), max=test.get("max"))
        if isinstance(test, Sequence) and not isinstance(test, str):
            return cls(parameter=parameter, values=tuple(test))
        return cls(parameter=parameter, values=(test,))  # type: ignore[arg-type]

    def to_config(self) -> object:
        """The YAML form, read back by `from_config`."""
        if self.values is not None:
            return list(self.values)
        bounds = {"min": self.min, "max": self.max}
        return {k: v for k, v in bounds.items() if v is not None}


def _checked(where: str, values: Iterable[object]) -> tuple[Value, ...]:
    checked = []
    for value in values:
        if not is_value(value):
            raise SpaceError(
                f"{where}: expected strings, finite numbers or booleans, got {value!r}."
            )
        checked.append(value)
    if not checked:
        raise SpaceError(f"{where}: expected one or more values, got none.")
    return tuple(checked)


# Any of these alternatives, each of which is a conjunction; () = always active.
When = tuple[tuple[Condition, ...], ...]


def when_from_config(raw: object) -> When:
    """Read a mapping (all of it must hold) or a list of them (any may hold).

    Raises:
        SpaceError: the form is wrong.
    """
    if raw is None:
        return ()
    alternatives = [raw] if isinstance(raw, Mapping) else raw
    if not isinstance(alternatives, Sequence) or isinstance(alternatives, str):
        raise SpaceError(f"when: expected a mapping or a list of them, got {raw!r}.")
    result = []
    for alternative in alternatives or [raw]:
        if not isinstance(alternative, Mapping) or not alternative:
            raise SpaceError(
                f"when: expected a mapping such as {{depth: {{min: 3}}}}, "
                f"got {alternative!r}."
            )
        result.append(
            tuple(Condition.from_config(str(k), v) for k, v in alternative.items())
        )
    return tuple(result)


def when_to_config(when: When) -> object:
    """The YAML form, read back by `when_from_config`."""
    alternatives = [{c.parameter: c.to_config() for c in group} for group in when]
    return alternatives[0] if len(alternatives) == 1 else alternatives
