"""HYBRID: its genes and what it asks of a network.

Knows: what is converted from an artificial network and fine-tuned, and by which
gradient. Must not know: torch.

Rathi, Srinivasan, Panda & Roy, "Enabling deep spiking neural networks with hybrid
conversion and spike timing dependent backpropagation", ICLR 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from moosnn.errors import ArchitectureError
from moosnn.snn.architectures.cnn import Cnn
from moosnn.snn.architectures.mlp import Mlp
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import Rule, neurons_of
from moosnn.snn.values import Values
from moosnn.space import Value

GRADIENTS = ("linear", "stdb")
OPTIMIZERS = ("adam", "sgd")
CONVERTED = ("mlp", "cnn")
SPIKING_READOUTS = ("rate", "first_spike")
AVERAGED = ("rate", "direct", "population", "frames")  # codes whose mean is a sample
TIMED = "latency"
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "ann_epochs": 40,
        "ann_learning_rate": 0.1,
        "balance_steps": 100,
        "scaling_factor": 0.7,
        "hybrid_surrogate": "linear",
        "stdb_alpha": 0.3,
        "stdb_beta": 0.01,
        "hybrid_optimizer": "adam",
        "weight_decay": 5e-4,
    }
)
CHANGED: Mapping[str, Value] = MappingProxyType(
    {
        "neuron": "if",
        "reset": "soft",
        "coding": "rate",
        "pool_kind": "average",
        "time_steps": 8,
        "dropout": 0.2,
        "activity_penalty": 0.1,
    }
)
UNREAD = frozenset(
    {"reset", "surrogate", "slope", "tau_syn_steps", "tau_adapt_steps", "adaptation"}
)
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        ann_epochs: passes over the training split of the artificial network, >= 1.
        ann_learning_rate: its learning rate, > 0.
        balance_steps: time steps in which thresholds are balanced, >= 1.
        scaling_factor: what balanced thresholds are multiplied by, > 0.
        surrogate: ``"linear"`` or ``"stdb"``, see `moosnn.snn.surrogate`.
        alpha: the height of either surrogate, > 0.
        beta: how fast the surrogate stdb falls with the time since the last spike, a
            step, > 0.
        optimizer: of the fine-tuning, ``"adam"`` or ``"sgd"``.
        weight_decay: of both trainings, >= 0.
        loops: whether layers of an mlp would hear themselves.
        maxima: whether a cnn would pool by the maximum.
    """

    ann_epochs: int
    ann_learning_rate: float
    balance_steps: int
    scaling_factor: float
    surrogate: str
    alpha: float
    beta: float
    optimizer: str
    weight_decay: float
    # The two below have no meaning of other architectures.
    loops: bool = field(compare=False)
    maxima: bool = field(compare=False)

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: an input code that cannot be converted.
        """
        if values.option("coding", (*AVERAGED, TIMED)) == TIMED:
            raise ArchitectureError(
                f"training=hybrid: expected coding={', '.join(AVERAGED[:-1])} or "
                f"{AVERAGED[-1]}, got {TIMED}: an artificial network has no times."
            )
        network = Cnn.read(values)
        pools = zip(network.pool_kinds, network.pool_sizes, strict=True)
        return cls(
            ann_epochs=values.integer("ann_epochs", 1),
            ann_learning_rate=values.real("ann_learning_rate", 0.0),
            balance_steps=values.integer("balance_steps", 1),
            scaling_factor=values.real("scaling_factor", 0.0),
            surrogate=values.option("hybrid_surrogate", GRADIENTS),
            alpha=values.real("stdb_alpha", 0.0),
            beta=values.real("stdb_beta", 0.0),
            optimizer=values.option("hybrid_optimizer", OPTIMIZERS),
            weight_decay=values.real("weight_decay", 0.0, strict=False),
            loops=any(Mlp.read(values).recurrent),
            maxima=any(kind == "max" and size > 1 for kind, size in pools),
        )

    def neurons(self, values: Values, layer: int) -> Neurons:
        """IF or LIF with a soft reset and the rule's own surrogate."""
        return replace(
            neurons_of(values, layer, "hybrid"),
            reset="soft",
            surrogate=self.surrogate,
            slope=self.beta,
            height=self.alpha,
        )

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """Batch norms, loops and output neurons, which cannot be converted."""
        if architecture not in CONVERTED:
            return (
                "converts networks without batch norms, expected architecture="
                f"{' or '.join(CONVERTED)}, got {architecture}"
            )
        if architecture == "mlp" and self.loops:
            return "converts networks without loops, expected recurrent=false, got true"
        if architecture == "cnn" and self.maxima:
            return (
                "converts averages and no maxima, which of spikes are another thing, "
                "expected pool_kind=average, got max"
            )
        if readout in SPIKING_READOUTS:
            return (
                "converts an output that does not spike, expected readout=mean, sum or "
                f"max, got {readout}"
            )
        return None


RULE: type[Rule] = Hybrid
