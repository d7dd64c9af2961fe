"""Backpropagation through time with surrogate gradients: it has no genes of its own.

Knows: that every neuron type and every architecture will do. Must not know: torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

DEFAULTS: Mapping[str, Value] = MappingProxyType({})
CHANGED: Mapping[str, Value] = MappingProxyType({})
UNREAD: frozenset[str] = frozenset()
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bptt:
    """See `moosnn.snn.rules.base.Rule`."""

    @classmethod
    def read(cls, values: Values) -> Self:
        """Nothing to read."""
        return cls()

    def neurons(self, values: Values, layer: int) -> Neurons:
        """Those of the common genes."""
        return neurons_of(values, layer, "bptt")

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains everything."""
        return None


RULE: type[Rule] = Bptt
