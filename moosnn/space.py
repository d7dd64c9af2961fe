"""The search space: what may be tried, and the unit cube that optimizers see.

Knows: parameters by name, who depends on whom, canonical points, coordinates.
Must not know: trials, objectives, optimizers, networks; numpy and torch.

In YAML a space is a mapping from name to parameter::

    depth:     {int: [1, 4]}
    width_2:   {int: [8, 256], log: true, when: {depth: {min: 2}}}
    neuron_1:  {choice: [if, lif, plif]}
    tau_steps: {float: [1.05, 20], log: true, when: {neuron_1: [lif, plif]}}

``when`` holds if every named condition holds; a list of such mappings holds if any of
them does. A condition on an inactive parameter does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any

from moosnn.conditions import Condition, Value
from moosnn.errors import SpaceError, nearest
from moosnn.narrowing import narrow, parameters_from_config
from moosnn.parameters import Choice, Float, Int, Parameter

__all__ = ["Choice", "Float", "Int", "Parameter", "Params", "Space", "Value"]

Params = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Space:
    """An ordered set of named parameters.

    Attributes:
        parameters: name to parameter; the order is the order of the coordinates.

    Raises:
        SpaceError: no parameter; a name that is not text; a ``when`` that names no
            parameter, tests a value the parameter cannot take, or makes a cycle.
    """

    parameters: Mapping[str, Parameter]
    _tested_first: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.parameters:
            raise SpaceError("space: expected at least one parameter, got none.")
        frozen = MappingProxyType(dict(self.parameters))
        object.__setattr__(self, "parameters", frozen)
        for name, parameter in self.parameters.items():
            if not isinstance(name, str) or not name:
                raise SpaceError(
                    f"space: expected names as text, got {name!r}; put it in quotes."
                )
            for condition in _conditions(parameter):
                self._check_condition(name, condition)
        object.__setattr__(self, "_tested_first", self._order())

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        return [*self.parameters.items()] == [*other.parameters.items()]

    def __hash__(self) -> int:
        return hash(tuple(self.parameters.items()))

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
                tested.spell(value)
            except SpaceError as error:
                raise SpaceError(f"{where}: {condition.parameter}: {error}") from None
        # A range may be narrowed until min or max always holds, or never does.
        if condition.values is None and isinstance(tested, Choice):
            raise SpaceError(
                f"{where}: {condition.parameter} is a choice: expected one value or a "
                "list of values, got min or max."
            )

    def _order(self) -> tuple[str, ...]:
        """The names, each after those that its ``when`` tests."""
        graph = {
            name: [condition.parameter for condition in _conditions(parameter)]
            for name, parameter in self.parameters.items()
        }
        try:
            return tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            loop = " -> ".join(reversed(error.args[1]))
            raise SpaceError(
                f"space: the when conditions make a cycle: {loop}."
            ) from None

    @property
    def dependency_order(self) -> tuple[str, ...]:
        """The names, each after those that its ``when`` tests."""
        return self._tested_first

    def active(self, params: Params) -> dict[str, Value]:
        """The parameters of ``params`` that exist, given the others.

        Args:
            params: a value for each parameter (`canonical` completes a partial one).

        Returns:
            The active part, in the space's order. What depends on a parameter that
            has no value is not active.
        """
        exists: set[str] = set()
        for name in self._tested_first:
            when = self.parameters[name].when
            if not when or any(
                all(
                    c.parameter in exists
                    and c.parameter in params
                    and c.holds(params[c.parameter])
                    for c in alternative
                )
                for alternative in when
            ):
                exists.add(name)
        return {n: params[n] for n in self.parameters if n in exists and n in params}

    def canonical(self, params: Params) -> dict[str, Value]:
        """The same point with one spelling: equal networks are equal points.

        Args:
            params: a value for at least each active parameter; that of an inactive
                one counts for nothing, whatever it is.

        Returns:
            A value for every parameter in the space's order and each in its own type
            (3.0 of an Int becomes 3); whatever is inactive has the value at
            coordinate 0.5.

        Raises:
            SpaceError: an unknown name, a value out of range, an active one missing.
        """
        for name in params:
            if name not in self.parameters:
                raise SpaceError(f"no parameter {name!r}.{nearest(name, self)}")
        point: dict[str, Value] = {}
        wrong: dict[str, SpaceError] = {}
        for name, parameter in self.parameters.items():
            point[name] = parameter.decode(0.5)
            if name not in params:
                wrong[name] = SpaceError(
                    f"parameter {name!r} is active but has no value."
                )
                continue
            try:
                point[name] = parameter.spell(params[name])
            except SpaceError as error:
                wrong[name] = SpaceError(f"parameter {name!r}: {error}")
        active = self.active(point)
        for name in active:
            if name in wrong:
                raise wrong[name]
        return {n: active.get(n, p.decode(0.5)) for n, p in self.parameters.items()}

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
    def from_config(cls, raw: Mapping[str, object], *, narrowed: bool = False) -> Space:
        """Read the YAML form.

        Args:
            raw: name to parameter.
            narrowed: options may have been left out that a ``when`` still names. What
                needs one of them is not a part of the space (`moosnn.narrowing`).

        Raises:
            SpaceError: with the parameter's name and what was expected.
        """
        parameters = parameters_from_config(raw)
        return cls(narrow(parameters).parameters if narrowed else parameters)

    def to_config(self) -> dict[str, object]:
        """The YAML (and JSON) form, read back by `from_config`."""
        return {name: p.to_config() for name, p in self.parameters.items()}


def _conditions(parameter: Parameter) -> list[Condition]:
    return [condition for group in parameter.when for condition in group]
