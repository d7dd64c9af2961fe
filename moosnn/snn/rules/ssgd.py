"""Sparse spiking gradient descent: its genes and what it asks of a network.

Knows: the band around the threshold, and which neurons have a sparse gradient.
Must not know: torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from moosnn.snn.layer import Neurons
from moosnn.snn.rules import base
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

BACKENDS = ("auto", "dense", "sparse")
KINDS = base.KINDS["ssgd"]
DEFAULTS: Mapping[str, Value] = MappingProxyType({"b_th": 0.2, "backend": "auto"})
# With these it learns the digits. At the common threshold of 1 no membrane of a fresh
# second layer comes near the band, so that it would never have a gradient.
CHANGED: Mapping[str, Value] = MappingProxyType(
    {"reset": "soft", "threshold": 0.4, "surrogate": "fast_sigmoid", "slope": 2.0}
)
UNREAD = frozenset({"reset", "tau_syn_steps", "tau_adapt_steps", "adaptation"})
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssgd:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        b_th: a neuron is active while its membrane is nearer to the threshold than
            this share of it, > 0; only active neurons have a gradient.
        backend: ``"sparse"`` or ``"dense"`` backward, of equal gradients but for
            rounding; ``"auto"`` = for every layer and batch what should be faster by
            its sizes and the share of active neurons, see `moosnn.snn.sparse.pays`.
    """

    b_th: float
    backend: str

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
        """
        return cls(
            b_th=values.real("b_th", 0.0), backend=values.option("backend", BACKENDS)
        )

    def neurons(self, values: Values, layer: int) -> Neurons:
        """IF or LIF with a soft reset and a surrogate cut off at the band."""
        common = neurons_of(values, layer, "ssgd")
        return replace(common, reset="soft", band=self.b_th * common.threshold)

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains everything."""
        return None


RULE: type[Rule] = Ssgd
