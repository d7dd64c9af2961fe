"""Values of genes: looked up by name and layer, and checked.

Knows: how a flat mapping such as a point of a search space is read. Must not know:
which genes there are.

A gene of a layer is named ``threshold_2``; where it has no value of its own, the
whole network's ``threshold`` holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from moosnn.errors import ConfigError, nearest
from moosnn.space import Value


class Values:
    """A flat mapping of genes.

    Args:
        given: name to value.
    """

    def __init__(self, given: Mapping[str, Value]) -> None:
        self._given = given

    def name(self, gene: str, layer: int | None = None) -> str:
        """The name under which a gene has its value."""
        own = f"{gene}_{layer}"
        return own if layer is not None and own in self._given else gene

    def value(self, gene: str, layer: int | None = None) -> Value:
        """What it is, unchecked.

        Raises:
            ConfigError: no value.
        """
        return self._named(gene, layer)[1]

    def integer(self, gene: str, low: int, layer: int | None = None) -> int:
        """A whole number >= ``low``.

        Raises:
            ConfigError: no value, or another.
        """
        name, value = self._named(gene, layer)
        whole = isinstance(value, int) or (
            isinstance(value, float) and value.is_integer()
        )
        if not whole or isinstance(value, bool) or int(value) < low:
            raise ConfigError(
                f"{name}: expected a whole number >= {low}, got {value!r}."
            )
        return int(value)

    def real(
        self, gene: str, low: float, layer: int | None = None, *, strict: bool = True
    ) -> float:
        """A finite number > ``low``, or >= ``low`` if not ``strict``.

        Raises:
            ConfigError: no value, or another.
        """
        name, value = self._named(gene, layer)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (value > low or (value == low and not strict))
        ):
            return float(value)
        bound = f"{'>' if strict else '>='} {low:g}"
        raise ConfigError(f"{name}: expected a finite number {bound}, got {value!r}.")

    def share(self, gene: str, layer: int | None = None) -> float:
        """A number in [0, 1).

        Raises:
            ConfigError: no value, or another.
        """
        value = self.real(gene, 0.0, layer, strict=False)
        if value >= 1.0:
            raise ConfigError(
                f"{self.name(gene, layer)}: expected a share in [0, 1), got {value:g}."
            )
        return value

    def part(self, gene: str) -> float:
        """A number in (0, 1].

        Raises:
            ConfigError: no value, or another.
        """
        value = self.real(gene, 0.0)
        if value > 1.0:
            raise ConfigError(f"{gene}: expected a share in (0, 1], got {value:g}.")
        return value

    def option(
        self, gene: str, options: Sequence[str], layer: int | None = None
    ) -> str:
        """One of some names.

        Raises:
            ConfigError: no value, or another; with the nearest.
        """
        name, value = self._named(gene, layer)
        if value not in options:
            raise ConfigError(f"{name}: got {value!r}.{nearest(str(value), options)}")
        return str(value)

    def boolean(self, gene: str, layer: int | None = None) -> bool:
        """True or false.

        Raises:
            ConfigError: no value, or another.
        """
        name, value = self._named(gene, layer)
        if not isinstance(value, bool):
            raise ConfigError(f"{name}: expected true or false, got {value!r}.")
        return value

    def _named(self, gene: str, layer: int | None) -> tuple[str, Value]:
        name = self.name(gene, layer)
        if name not in self._given:
            raise ConfigError(f"parameter {name!r} has no value.")
        return name, self._given[name]
