"""The search space: what may be tried, and the unit cube that optimizers see.

Knows: parameters, their conditions, their YAML form and their coordinates.
Must not know: trials, objectives, optimizers, networks; numpy and torch.

In YAML a space is a mapping from name to parameter::

    depth:     {int: [1, 4]}
    width_2:   {int: [8, 256], log: true, when: {depth: {min: 2}}}
    neuron_1:  {choice: [if, lif, plif]}
    tau_steps: {float: [1.05, 20], log: true, when: {neuron_1: [lif, plif]}}

``when`` holds if every named condition holds; a list of such mappings holds if any of
them does. A condition is ``{min: …}``, ``{max: …}``, both, one value or a list of
values. A condition on an inactive parameter does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from moosnn.errors import SpaceError, nearest

Value = bool | int | float | str
Params = Mapping[str, Value]

_GRID_SLACK = 1e-9  # (high - low) / step may fall short of a whole number by rounding


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One test of another parameter's value.

    Attributes:
        parameter: the name of the parameter that is tested.
        min: smallest value that passes, or ``None``.
        max: largest value that passes, or ``None``.
        values: the values that pass, or ``None``; excludes ``min`` and ``max``.
    """

    parameter: str
    min: float | None = None
    max: float | None = None
    values: tuple[Value, ...] | None = None

    def holds(self, value: Value) -> bool:
        """Say whether ``value`` of the tested parameter passes."""
        if self.values is not None:
            return value in self.values
        if not isinstance(value, int | float):
            return False
        return (self.min is None or value >= self.min) and (
            self.max is None or value <= self.max
        )

    @classmethod
    def from_config(cls, parameter: str, test: object) -> Condition:
        """Read ``{min: 3}``, ``lif`` or ``[lif, plif]``.

        Raises:
            SpaceError: the test has another form.
        """
        if isinstance(test, Mapping):
            if not test or set(test) - {"min", "max"}:
                raise SpaceError(
                    f"when: {parameter}: expected min and/or max, one value or a list "
                    f"of values, got {dict(test)!r}."
                )
            for bound in test.values():
                if not _is_number(bound):
                    raise SpaceError(
                        f"when: {parameter}: expected a number for min and max, "
                        f"got {bound!r}."
                    )
            return cls(parameter=parameter, min=test.get("min"), max=test.get("max"))
        if isinstance(test, Sequence) and not isinstance(test, str):
            return cls(parameter=parameter, values=tuple(test))
        if isinstance(test, bool | int | float | str):
            return cls(parameter=parameter, values=(test,))
        raise SpaceError(f"when: {parameter}: expected a condition, got {test!r}.")

    def to_config(self) -> object:
        """The YAML form, read back by `from_config`."""
        if self.values is not None:
            return list(self.values)
        bounds = {"min": self.min, "max": self.max}
        return {k: v for k, v in bounds.items() if v is not None}


# Any of these alternatives, each of which is a conjunction; () = always active.
When = tuple[tuple[Condition, ...], ...]


def _when_from_config(raw: object) -> When:
    if raw is None:
        return ()
    alternatives = [raw] if isinstance(raw, Mapping) else raw
    if not isinstance(alternatives, Sequence) or isinstance(alternatives, str):
        raise SpaceError(f"when: expected a mapping or a list of them, got {raw!r}.")
    result = []
    for alternative in alternatives:
        if not isinstance(alternative, Mapping) or not alternative:
            raise SpaceError(
                f"when: expected a mapping such as {{depth: {{min: 3}}}}, "
                f"got {alternative!r}."
            )
        result.append(
            tuple(Condition.from_config(str(k), v) for k, v in alternative.items())
        )
    return tuple(result)


def _when_to_config(when: When) -> object:
    alternatives = [{c.parameter: c.to_config() for c in group} for group in when]
    return alternatives[0] if len(alternatives) == 1 else alternatives


def _check_bounds(kind: str, low: object, high: object, log: bool) -> None:
    for bound in (low, high):
        if not _is_number(bound):
            raise SpaceError(f"{kind}: expected two finite numbers, got {bound!r}.")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if not low < high:
        raise SpaceError(
            f"{kind}: expected low < high, got [{low}, {high}]; "
            "a fixed value belongs into task.fixed."
        )
    if log and low <= 0:
        raise SpaceError(f"{kind}: a log scale needs low > 0, got low={low}.")


@dataclass(frozen=True, slots=True)
class _Grid:
    """Equally wide cells of the unit interval for ``low + k step``, k < count."""

    low: float
    step: float
    count: int
    log: bool

    def index(self, coordinate: float) -> int:
        """The cell of a coordinate in [0, 1]."""
        if self.log:
            first, last = self._log_edges()
            value = math.exp(first + coordinate * (last - first))
            index = round((value - self.low) / self.step)
        else:
            index = math.floor(coordinate * self.count)
        return min(max(index, 0), self.count - 1)

    def coordinate(self, index: int) -> float:
        """A coordinate inside of a cell: its centre, or on a log grid its value."""
        if self.log:
            first, last = self._log_edges()
            return (math.log(self.low + index * self.step) - first) / (last - first)
        return (index + 0.5) / self.count

    def _log_edges(self) -> tuple[float, float]:
        # Half a step beyond either end, so that the end values get whole cells; never
        # below half of low, which keeps the logarithm finite for any step.
        first = math.log(max(self.low - self.step / 2, self.low / 2))
        return first, math.log(self.low + (self.count - 0.5) * self.step)

    def nearest_index(self, value: float) -> int | None:
        """The cell that holds exactly ``value`` (to rounding), or ``None``."""
        position = (value - self.low) / self.step
        index = round(position)
        on_grid = abs(position - index) <= _GRID_SLACK * max(1.0, abs(position))
        return index if on_grid and 0 <= index < self.count else None


def _grid(low: float, high: float, step: float, log: bool) -> _Grid:
    count = math.floor((high - low) / step + _GRID_SLACK) + 1
    return _Grid(low, step, count, log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """A real parameter in ``[low, high]``.

    Attributes:
        low: smallest value.
        high: largest value (with ``step``: no value lies above it).
        log: the unit coordinate is linear in the logarithm; needs ``low > 0``.
        step: only ``low + k step`` may be tried; ``None`` = any value.
        when: the conditions under which the parameter exists.

    Raises:
        SpaceError: bounds reversed, equal or not finite; a log scale with ``low <= 0``;
            ``step`` not positive or wider than the range.
    """

    kind: ClassVar[str] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When = ()

    def __post_init__(self) -> None:
        _check_bounds(self.kind, self.low, self.high, self.log)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.step is not None and not (
            _is_number(self.step) and 0 < self.step <= self.high - self.low
        ):
            raise SpaceError(
                f"float: expected 0 < step <= {self.high - self.low}, got {self.step}."
            )

    def encode(self, value: Value) -> float:
        """The coordinate in [0, 1] of a value.

        Raises:
            SpaceError: the value lies outside of the bounds or off the grid.
        """
        if not _is_number(value) or not self.low <= float(value) <= self.high:
            raise SpaceError(
                f"expected a number in [{self.low}, {self.high}], got {value!r}"
            )
        number = float(value)
        if self.step is not None:
            grid = _grid(self.low, self.high, self.step, self.log)
            index = grid.nearest_index(number)
            if index is None:
                raise SpaceError(
                    f"expected {self.low} + k * {self.step}, got {value!r}"
                )
            return grid.coordinate(index)
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def decode(self, coordinate: float) -> float:
        """The value at a coordinate in [0, 1]."""
        if self.step is not None:
            grid = _grid(self.low, self.high, self.step, self.log)
            return self.low + grid.index(coordinate) * self.step
        if self.log:
            value = self.low * math.pow(self.high / self.low, coordinate)
        else:
            value = self.low + coordinate * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def to_config(self) -> dict[str, object]:
        """The YAML form."""
        return _ranged_config(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int:
    """An integer parameter ``low, low + step, …`` up to ``high``.

    Attributes:
        low: smallest value.
        high: largest value.
        log: the cells of the unit interval are equally wide in the logarithm; needs
            ``low >= 1``.
        step: distance of neighbouring values.
        when: the conditions under which the parameter exists.

    Raises:
        SpaceError: bounds not whole, reversed or equal; a log scale with ``low <= 0``;
            ``step`` not a positive whole number or wider than the range.
    """

    kind: ClassVar[str] = "int"
    low: int
    high: int
    log: bool = False
    step: int = 1
    when: When = ()

    def __post_init__(self) -> None:
        _check_bounds(self.kind, self.low, self.high, self.log)
        for field in ("low", "high", "step"):
            value = getattr(self, field)
            if not _is_number(value) or value != int(value):
                raise SpaceError(f"int: expected a whole {field}, got {value!r}.")
            object.__setattr__(self, field, int(value))
        if not 0 < self.step <= self.high - self.low:
            raise SpaceError(
                f"int: expected 0 < step <= {self.high - self.low}, got {self.step}."
            )

    @property
    def _cells(self) -> _Grid:
        return _grid(self.low, self.high, self.step, self.log)

    @property
    def count(self) -> int:
        """How many values there are."""
        return self._cells.count

    def encode(self, value: Value) -> float:
        """The coordinate in [0, 1] of a value (inside of its cell).

        Raises:
            SpaceError: the value is not one of the range.
        """
        index = self._cells.nearest_index(value) if _is_number(value) else None  # type: ignore[arg-type]
        if index is None:
            steps = f" in steps of {self.step}" if self.step != 1 else ""
            raise SpaceError(
                f"expected a whole number in [{self.low}, {self.high}]{steps}, "
                f"got {value!r}"
            )
        return self._cells.coordinate(index)

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
        options: two or more different values.
        when: the conditions under which the parameter exists.

    Raises:
        SpaceError: fewer than two options, two equal ones, or one that is not a
            string, number or boolean.
    """

    kind: ClassVar[str] = "choice"
    options: tuple[Value, ...]
    when: When = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if len(self.options) < 2:
            raise SpaceError(
                f"choice: expected two or more options, got {list(self.options)}; "
                "a fixed value belongs into task.fixed."
            )
        for option in self.options:
            if not isinstance(option, bool | int | float | str):
                raise SpaceError(
                    f"choice: expected strings, numbers or booleans, got {option!r}."
                )
        if len(set(self.options)) < len(self.options):
            raise SpaceError(f"choice: an option is twice in {list(self.options)}.")

    def encode(self, value: Value) -> float:
        """The centre of the option's cell of the unit interval.

        Raises:
            SpaceError: the value is not an option.
        """
        if value not in self.options:
            raise SpaceError(
                f"got {value!r}.{nearest(str(value), map(str, self.options))}"
            )
        return (self.options.index(value) + 0.5) / len(self.options)

    def decode(self, coordinate: float) -> Value:
        """The option whose cell holds a coordinate in [0, 1]."""
        index = math.floor(coordinate * len(self.options))
        return self.options[min(max(index, 0), len(self.options) - 1)]

    def to_config(self) -> dict[str, object]:
        """The YAML form."""
        config: dict[str, object] = {self.kind: list(self.options)}
        if self.when:
            config["when"] = _when_to_config(self.when)
        return config


Parameter = Float | Int | Choice
_KINDS: Mapping[str, type[Float] | type[Int]] = {"float": Float, "int": Int}


def _ranged_config(parameter: Float | Int) -> dict[str, object]:
    config: dict[str, object] = {parameter.kind: [parameter.low, parameter.high]}
    if parameter.log:
        config["log"] = True
    if parameter.step != (1 if isinstance(parameter, Int) else None):
        config["step"] = parameter.step
    if parameter.when:
        config["when"] = _when_to_config(parameter.when)
    return config


def parameter_from_config(raw: object) -> Parameter:
    """Read one parameter of the YAML form.

    Raises:
        SpaceError: the form is wrong; the message says what was expected.
    """
    kinds = (*_KINDS, Choice.kind)
    if not isinstance(raw, Mapping):
        raise SpaceError(f"expected e.g. {{float: [0, 1]}}, got {raw!r}.")
    named = [kind for kind in kinds if kind in raw]
    if len(named) != 1:
        raise SpaceError(f"expected exactly one of {', '.join(kinds)} in {dict(raw)}.")
    kind = named[0]
    keys = {kind, "when"} | ({"log", "step"} if kind in _KINDS else set())
    for key in raw:
        if key not in keys:
            raise SpaceError(f"{kind}: unknown key {key!r}.{nearest(str(key), keys)}")
    body = raw[kind]
    if not isinstance(body, Sequence) or isinstance(body, str):
        raise SpaceError(f"{kind}: expected a list, got {body!r}.")
    when = _when_from_config(raw.get("when"))
    if kind == Choice.kind:
        return Choice(options=tuple(body), when=when)
    if len(body) != 2:
        raise SpaceError(f"{kind}: expected [low, high], got {list(body)}.")
    rest: dict[str, Any] = {
        k: raw[k] for k in ("log", "step") if raw.get(k) is not None
    }
    if not isinstance(rest.get("log", False), bool):
        raise SpaceError(f"{kind}: expected true or false for log, got {raw['log']!r}.")
    return _KINDS[kind](low=body[0], high=body[1], when=when, **rest)


@dataclass(frozen=True, slots=True)
class Space:
    """An ordered set of named parameters.

    Attributes:
        parameters: name to parameter; the order is the order of the coordinates.

    Raises:
        SpaceError: no parameter; a ``when`` that names no parameter, tests a value the
            parameter cannot take, or makes a cycle.
    """

    parameters: Mapping[str, Parameter]

    def __post_init__(self) -> None:
        if not self.parameters:
            raise SpaceError("space: expected at least one parameter, got none.")
        frozen = MappingProxyType(dict(self.parameters))
        object.__setattr__(self, "parameters", frozen)
        for name, parameter in self.parameters.items():
            for condition in _conditions(parameter):
                self._check_condition(name, condition)
        self._check_acyclic()

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Space, (dict(self.parameters),))  # a mappingproxy cannot be pickled

    def _check_condition(self, name: str, condition: Condition) -> None:
        where = f"space.{name}.when"
        if condition.parameter not in self.parameters:
            known = nearest(condition.parameter, self.parameters)
            raise SpaceError(f"{where}: no parameter {condition.parameter!r}.{known}")
        tested = self.parameters[condition.parameter]
        for value in condition.values or ():
            try:
                tested.encode(value)
            except SpaceError as error:
                raise SpaceError(f"{where}: {condition.parameter}: {error}") from None
        bounded = condition.min is not None or condition.max is not None
        if bounded and isinstance(tested, Choice):
            raise SpaceError(
                f"{where}: {condition.parameter} is a choice: expected one value or a "
                "list of values, got min or max."
            )

    def _check_acyclic(self) -> None:
        done: set[str] = set()

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                loop = " -> ".join((*path[path.index(name) :], name))
                raise SpaceError(f"space: the when conditions make a cycle: {loop}.")
            if name not in done:
                for condition in _conditions(self.parameters[name]):
                    visit(condition.parameter, (*path, name))
                done.add(name)

        for name in self.parameters:
            visit(name, ())

    def active(self, params: Params) -> dict[str, Value]:
        """The parameters of ``params`` that exist, given the others.

        Args:
            params: a value for each parameter (`canonical` completes a partial one).

        Returns:
            The active part, in the space's order.
        """
        known: dict[str, bool] = {}

        def exists(name: str) -> bool:
            if name not in known:
                when = self.parameters[name].when
                known[name] = not when or any(
                    all(
                        exists(c.parameter)
                        and c.parameter in params
                        and c.holds(params[c.parameter])
                        for c in alternative
                    )
                    for alternative in when
                )
            return known[name]

        return {n: params[n] for n in self.parameters if exists(n) and n in params}

    def canonical(self, params: Params) -> dict[str, Value]:
        """The same point with one spelling: equal networks are equal points.

        Args:
            params: a value for at least each active parameter.

        Returns:
            A value for every parameter in the space's order; whatever is inactive has
            the value at coordinate 0.5.

        Raises:
            SpaceError: an unknown name, a value out of range, an active one missing.
        """
        for name in params:
            if name not in self.parameters:
                raise SpaceError(f"no parameter {name!r}.{nearest(name, self)}")
        filled = {n: params.get(n, p.decode(0.5)) for n, p in self.parameters.items()}
        active = self.active(filled)
        for name in active:
            if name not in params:
                raise SpaceError(f"parameter {name!r} is active but has no value.")
        return {
            name: self._respelled(name, active[name])
            if name in active
            else parameter.decode(0.5)
            for name, parameter in self.parameters.items()
        }

    def _respelled(self, name: str, value: Value) -> Value:
        """The value in the parameter's own type (3.0 of an Int becomes 3), checked."""
        parameter = self.parameters[name]
        try:
            coordinate = parameter.encode(value)
        except SpaceError as error:
            raise SpaceError(f"parameter {name!r}: {error}") from None
        if isinstance(parameter, Float) and parameter.step is None:
            return float(value)
        return parameter.decode(coordinate)

    def encode(self, params: Params) -> list[float]:
        """The point's coordinates in the unit cube, one a parameter.

        Args:
            params: as for `canonical`.

        Returns:
            ``d`` numbers in [0, 1]. An integer or choice lies inside of its cell, an
            inactive parameter where its canonical value lies.

        Raises:
            SpaceError: as `canonical`.
        """
        point = self.canonical(params)
        return [p.encode(point[n]) for n, p in self.parameters.items()]

    def decode(self, coordinates: Sequence[float]) -> dict[str, Value]:
        """The canonical point at coordinates in the unit cube.

        Args:
            coordinates: ``d`` numbers; those outside of [0, 1] are clipped.

        Raises:
            SpaceError: not ``d`` finite numbers.
        """
        if len(coordinates) != len(self) or not all(map(math.isfinite, coordinates)):
            raise SpaceError(
                f"expected {len(self)} finite coordinates, got {list(coordinates)}."
            )
        clipped = [min(max(float(c), 0.0), 1.0) for c in coordinates]
        pairs = zip(self.parameters.items(), clipped, strict=True)
        return self.canonical({name: p.decode(c) for (name, p), c in pairs})

    @classmethod
    def from_config(cls, raw: Mapping[str, object]) -> Space:
        """Read the YAML form.

        Raises:
            SpaceError: with the parameter's name and what was expected.
        """
        if not isinstance(raw, Mapping):
            raise SpaceError(f"space: expected a mapping of parameters, got {raw!r}.")
        parameters: dict[str, Parameter] = {}
        for name, body in raw.items():
            try:
                parameters[str(name)] = parameter_from_config(body)
            except SpaceError as error:
                raise SpaceError(f"space.{name}: {error}") from None
        return cls(parameters)

    def to_config(self) -> dict[str, object]:
        """The YAML (and JSON) form, read back by `from_config`."""
        return {name: p.to_config() for name, p in self.parameters.items()}


def _conditions(parameter: Parameter) -> list[Condition]:
    return [condition for group in parameter.when for condition in group]
