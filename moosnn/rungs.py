"""Rungs: the epochs at which trainings are compared. Must not know who compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moosnn.errors import ConfigError, nearest

_SMALLEST_ETA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """The epochs ``first * eta ** k``.

    Attributes:
        first: epochs done at the first rung, >= 1.
        eta: of the trials at a rung one in so many goes on, to so many times the
            epochs; >= 2.

    Raises:
        ConfigError: a number that is too small or not whole.
    """

    first: int = 1
    eta: int = 3

    def __post_init__(self) -> None:
        for name, least in (("first", 1), ("eta", _SMALLEST_ETA)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(
                    f"rungs.{name}: expected a whole number >= {least}, got {value!r}."
                )

    @classmethod
    def of(cls, raw: Mapping[str, int] | None) -> Rungs | None:
        """The rungs of a config; ``None`` = none.

        Raises:
            ConfigError: not a mapping of ``first`` and ``eta``.
        """
        if raw is None:
            return None
        if not isinstance(raw, Mapping):
            raise ConfigError(
                f"rungs: expected e.g. {{first: 1, eta: 3}}, got {raw!r}."
            )
        known = cls.__dataclass_fields__
        for key in raw:
            if key not in known:
                raise ConfigError(
                    f"rungs: unknown key {key!r}.{nearest(str(key), known)}"
                )
        return cls(**raw)

    def __contains__(self, epochs: object) -> bool:
        """Whether so many epochs are a rung."""
        if not isinstance(epochs, int):
            return False
        rung = self.first
        while rung < epochs:
            rung *= self.eta
        return rung == epochs
