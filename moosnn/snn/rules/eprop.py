"""Eligibility propagation: its genes and what it asks of a network.

Knows: which neurons have eligibility traces, how errors reach them. Must not know:
torch.

Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking
neurons", Nature Communications 11:3625, 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.errors import ArchitectureError, one_of
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

FEEDBACKS = ("symmetric", "random")
ARCHITECTURES = ("mlp",)
LOSS = "tet"  # the one with an error at each step
READOUTS = ("mean", "sum", "max")
DEFAULTS: Mapping[str, Value] = MappingProxyType({"feedback": "symmetric"})
# Tuned on the digits. A soft reset lets all neurons of a layer share their traces.
CHANGED: Mapping[str, Value] = MappingProxyType(
    {
        "depth": 1,
        "recurrent": True,
        "tau_mem_steps": 5.0,
        "reset": "soft",
        "time_steps": 6,
        "loss": LOSS,
        "activity_penalty": 0.05,
        "epochs": 15,
    }
)
UNREAD = frozenset({"tau_syn_steps"})
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Eprop:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        feedback: how the errors of the output reach the last layer of neurons:
            ``"symmetric"`` = by the weights of the output, ``"random"`` = by fixed
            random ones. Layers below always hear them by fixed random ones.
    """

    feedback: str

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
        """
        return cls(feedback=values.option("feedback", FEEDBACKS))

    def neurons(self, values: Values, layer: int) -> Neurons:
        """Those of the common genes."""
        return neurons_of(values, layer, "eprop")

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """Convolutions.

        Raises:
            ArchitectureError: a loss without an error at each step, or a spiking
                output; it names the gene, since the default value is one that fits.
        """
        if architecture not in ARCHITECTURES:
            return (
                "has traces of fully connected layers, expected architecture="
                f"{ARCHITECTURES[0]}, got {architecture}"
            )
        if loss != LOSS:
            raise ArchitectureError(
                f"loss: training=eprop needs loss={LOSS}, an error at each step, got "
                f"{loss}; take it out, or use another training."
            )
        if readout not in READOUTS:
            raise ArchitectureError(
                f"readout: training=eprop needs readout={one_of(READOUTS)}, an output "
                f"that does not spike, got {readout}; take it out, or use another "
                "training."
            )
        return None


RULE: type[Rule] = Eprop
