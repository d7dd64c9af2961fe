"""Spike-timing-dependent plasticity: its genes and what it asks of a network.

Knows: the constants of two populations of neurons in mV, of the plasticity of their
input, and who reads the answer. Must not know: torch.

Names and meaning are those that Firmin, Boulet & Talbi searched (Neurocomputing 2024,
arXiv 2403.00450, experiments 1 and 2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.errors import ArchitectureError
from moosnn.snn.fixed import DECODERS, Population
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.base import NEURON_DEFAULTS, Rule
from moosnn.snn.values import Values
from moosnn.space import Value

ARCHITECTURE = "diehl_cook"
CODINGS = ("direct", "rate", "latency", "population", "frames")
EXCITATORY = 1  # the first layer of the architecture
# Tuned on the digits, whose 8 x 8 pixels spike often; the rest as in Hazan et al. 2018.
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "decoder": "all",
        "nu_pre": 0.0001,
        "nu_post": 0.02,
        "norm": 10.0,
        "e_thresh": -52.0,
        "e_rest": -65.0,
        "e_refrac": 5,
        "e_tc_decay": 100.0,
        "e_tc_trace": 20.0,
        "input_tc_trace": 2.0,
        "theta_plus": 0.5,
        "tc_theta_decay": 1e7,
        "i_thresh": -40.0,
        "i_rest": -60.0,
        "i_refrac": 2,
        "i_tc_decay": 10.0,
    }
)
CHANGED: Mapping[str, Value] = MappingProxyType(
    {
        "architecture": ARCHITECTURE,
        "map_size": 200,
        "strength_exc": 22.5,
        "strength_inh": 120.0,
        "coding": "rate",
        "time_steps": 25,
        "batch_size": 64,
        "epochs": 5,
    }
)
UNREAD = frozenset(
    {
        *NEURON_DEFAULTS,
        "dropout",
        "readout",
        "tau_readout_steps",
        "loss",
        "regulariser",
        "activity_penalty",
        "learning_rate",
    }
)
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdp:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        decoder: how spikes become classes, see `moosnn.snn.decoding`.
        nu_pre: what a spike of the input takes off a weight at most, >= 0.
        nu_post: what a spike of the neuron adds to a weight at most, >= 0.
        input_tc_trace: steps in which what a spike of the input adds fades, > 0.
        e_tc_trace: the same of the neuron's spikes, > 0.
        norm: to what the weights of a neuron add up after every batch, > 0.
    """

    decoder: str
    nu_pre: float
    nu_post: float
    input_tc_trace: float
    e_tc_trace: float
    norm: float

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: an input without spikes.
        """
        if values.option("coding", CODINGS) == "direct":
            raise ArchitectureError(
                "coding: training=stdp learns from spikes of the input, which "
                "coding=direct has not; use coding=rate, latency or population."
            )
        return cls(
            decoder=values.option("decoder", DECODERS),
            nu_pre=values.real("nu_pre", 0.0, strict=False),
            nu_post=values.real("nu_post", 0.0, strict=False),
            input_tc_trace=values.real("input_tc_trace", 0.0),
            e_tc_trace=values.real("e_tc_trace", 0.0),
            norm=values.real("norm", 0.0),
        )

    def neurons(self, values: Values, layer: int) -> Neurons:
        """The excitatory or the inhibitory population.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: a threshold that is not above the rest: such neurons
                would fire without any input.
        """
        excitatory = layer == EXCITATORY
        kind = "e" if excitatory else "i"
        thresh = values.real(f"{kind}_thresh", -math.inf)
        rest = values.real(f"{kind}_rest", -math.inf)
        if thresh <= rest:
            raise ArchitectureError(
                f"{kind}_thresh: expected above {kind}_rest={rest:g} mV, got "
                f"{thresh:g}: such neurons would fire without any input."
            )
        return Neurons(
            kind="diehl_cook",
            tau_mem_steps=values.real(f"{kind}_tc_decay", 0.0),
            threshold=thresh - rest,
            surrogate=str(NEURON_DEFAULTS["surrogate"]),
            slope=1.0,
            tau_syn_steps=math.inf,
            tau_adapt_steps=math.inf,
            adaptation=0.0,
            constants=Population(
                size=values.integer("map_size", 1),
                refractory=values.integer(f"{kind}_refrac", 0),
                first_only=excitatory,
                adapts=excitatory,
                theta_plus=values.real("theta_plus", 0.0, strict=False),
                tau_theta_steps=values.real("tc_theta_decay", 0.0),
            ),
        )

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains one architecture, whose answer it reads itself."""
        if architecture == ARCHITECTURE:
            return None
        return f"expected architecture={ARCHITECTURE}, got {architecture}"


RULE: type[Rule] = Stdp
