"""Rewiring: its genes and what it asks of a network.

Knows: the prior of a connection's strength, and how much noise there is. Must not know:
torch, how weights change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, number_hint
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

REWIRINGS = ("grad_r", "deep_r")
UNTIL_TARGET = "until_target"
PULLS = (UNTIL_TARGET, "always")
SPARSITY_MIN = 0.5  # below, the centre of the prior would be above 0
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "rewiring": "grad_r",
        "prior_alpha": 0.3,
        "target_sparsity": 0.9,
        "prior_pull": UNTIL_TARGET,
        "rewiring_temperature": 0.0,
    }
)
# Tuned on the digits. The pull keeps weights small, so that neurons of the common
# threshold of 1 hardly fire; a tenth of the connections needs wider layers.
CHANGED: Mapping[str, Value] = MappingProxyType(
    {"width": 128, "threshold": 0.5, "learning_rate": 0.01, "epochs": 30}
)
UNREAD: frozenset[str] = frozenset()
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GradR:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        rewiring: ``"grad_r"`` or ``"deep_r"``, see `moosnn.snn.learning.rewiring`.
        alpha: how strong the prior pulls, as a share of the largest step of Adam, > 0.
        sparsity: the share of connections that is to be pruned, in [0.5, 1).
        pull: of the prior of Grad R: ``"until_target"`` = it rests while so many are
            pruned; ``"always"``, as published: ``sparsity`` is only in its centre.
        temperature: of the noise of Deep R, >= 0.
    """

    rewiring: str
    alpha: float
    sparsity: float
    pull: str
    temperature: float

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
        """
        sparsity = values.value("target_sparsity")
        if not (is_number(sparsity) and SPARSITY_MIN <= sparsity < 1.0):
            raise ConfigError(
                f"target_sparsity: expected a share in [{SPARSITY_MIN:g}, 1), got "
                f"{sparsity!r}.{number_hint(sparsity)}"
            )
        return cls(
            rewiring=values.option("rewiring", REWIRINGS),
            alpha=values.real("prior_alpha", 0.0),
            sparsity=float(sparsity),
            pull=values.option("prior_pull", PULLS),
            temperature=values.real("rewiring_temperature", 0.0, strict=False),
        )

    def neurons(self, values: Values, layer: int) -> Neurons:
        """Those of the common genes."""
        return neurons_of(values, layer, "grad_r")

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains everything."""
        return None


RULE: type[Rule] = GradR
