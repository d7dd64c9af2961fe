"""SLAYER: its genes and what it asks of a network.

Knows: the neurons that respond without a reset, and the losses of their output spikes.
Must not know: torch.

Shrestha & Orchard, "SLAYER: Spike layer error reassignment in time", NeurIPS 2018, with
the spike response model; and the form in which lava-dl carries it on, with the neurons
of Loihi and an adaptive threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.layer import Neurons
from moosnn.snn.rules import base
from moosnn.snn.values import Values
from moosnn.space import Value

KINDS = base.KINDS["slayer"]
LOSSES = ("spike_count", "spike_time", "spike_max")
SPIKING_READOUTS = ("rate", "first_spike")
# lava-dl's own factors of tau_grad and scale_grad for such neurons
TAU_FACTOR = 100.0
SCALE_FACTOR = 0.1
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "tau_s_steps": 2.0,
        "tau_ref_steps": 1.0,
        "scale_ref": 2.0,
        "tau_rho": 0.3,
        "scale_rho": 1.0,
        "current_decay": 0.5,
        "voltage_decay": 0.2,
        "threshold_decay": 0.1,
        "refractory_decay": 0.5,
        "threshold_step": 0.05,
        "tau_grad": 0.01,
        "scale_grad": 1.0,
        "target_true": 0.5,
        "target_false": 0.05,
    }
)
CHANGED: Mapping[str, Value] = MappingProxyType(
    {
        "neuron": "srm",
        "width": 100,
        "epochs": 15,
        "time_steps": 12,
        "readout": "rate",
        "loss": "spike_count",
        "activity_penalty": 0.0,
    }
)
UNREAD = frozenset(
    {
        "tau_mem_steps",
        "surrogate",
        "slope",
        "reset",
        "tau_syn_steps",
        "tau_adapt_steps",
        "adaptation",
    }
)
LAYERED: tuple[str, ...] = (
    "tau_s_steps",
    "tau_ref_steps",
    "scale_ref",
    "tau_rho",
    "scale_rho",
    "current_decay",
    "voltage_decay",
    "threshold_decay",
    "refractory_decay",
    "threshold_step",
    "tau_grad",
    "scale_grad",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SrmConstants:
    """Of spike response neurons, see `moosnn.snn.srm`.

    Attributes:
        tau_s_steps: time constant of the response to a current, > 0.
        tau_ref_steps: time constant of the response to an own spike, > 0.
        scale_ref: its largest value in thresholds, >= 0.
    """

    tau_s_steps: float
    tau_ref_steps: float
    scale_ref: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveCubaConstants:
    """Of neurons with an adaptive threshold, see `moosnn.snn.adaptive_cuba`.

    Attributes:
        current_decay: the share of the current lost in a step, in [0, 1].
        voltage_decay: that of the voltage.
        threshold_decay: that of the threshold's rise.
        refractory_decay: that of the refractory state.
        threshold_step: what a spike adds to the threshold, >= 0.
    """

    current_decay: float
    voltage_decay: float
    threshold_decay: float
    refractory_decay: float
    threshold_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slayer:
    """See `moosnn.snn.rules.base.Rule`.

    Attributes:
        target_true: spikes of a step that the right class's output neuron should have,
            in [0, 1].
        target_false: that of the others, in [0, 1], less than ``target_true``.
        tau_s_steps: of the responses that the loss of spike times compares, > 0.
    """

    target_true: float
    target_false: float
    tau_s_steps: float

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: the right class should spike no more than the others.
        """
        rates = {name: _share(values, name) for name in ("target_true", "target_false")}
        if rates["target_true"] <= rates["target_false"]:
            raise ArchitectureError(
                "target_true: expected more than target_false="
                f"{rates['target_false']:g}, got {rates['target_true']:g}."
            )
        return cls(**rates, tau_s_steps=values.real("tau_s_steps", 0.0))

    def neurons(self, values: Values, layer: int) -> Neurons:
        """Neurons that respond, with the exponential surrogate."""
        kind = base.kind_of(values, layer, "slayer")
        threshold = values.real("threshold", 0.0, layer)
        if kind == "srm":
            tau, scale = "tau_rho", "scale_rho"
            factors = (1.0, 2.0)  # the surrogate's height is half its slope
        else:
            tau, scale = "tau_grad", "scale_grad"
            factors = (TAU_FACTOR, SCALE_FACTOR)
        width = factors[0] * values.real(tau, 0.0, layer) * threshold
        return Neurons(
            kind=kind,
            threshold=threshold,
            surrogate="exponential",
            slope=1.0 / width,
            height=factors[1] * values.real(scale, 0.0, layer),
            constants=_constants(kind, values, layer),
            tau_mem_steps=2.0,  # this and what follows is not of such neurons
            tau_syn_steps=2.0,
            tau_adapt_steps=2.0,
            adaptation=0.0,
        )

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """It trains everything, but not every loss is one of every read-out."""
        if loss in LOSSES and readout not in SPIKING_READOUTS:
            options = " or ".join(SPIKING_READOUTS)
            return (
                f"loss={loss} is of output spikes, which readout={readout} has not; "
                f"use readout={options}, or loss=cross_entropy"
            )
        return None


def _constants(
    kind: str, values: Values, layer: int
) -> SrmConstants | AdaptiveCubaConstants:
    if kind == "srm":
        return SrmConstants(
            tau_s_steps=values.real("tau_s_steps", 0.0, layer),
            tau_ref_steps=values.real("tau_ref_steps", 0.0, layer),
            scale_ref=values.real("scale_ref", 0.0, layer, strict=False),
        )
    return AdaptiveCubaConstants(
        current_decay=_share(values, "current_decay", layer),
        voltage_decay=_share(values, "voltage_decay", layer),
        threshold_decay=_share(values, "threshold_decay", layer),
        refractory_decay=_share(values, "refractory_decay", layer),
        threshold_step=values.real("threshold_step", 0.0, layer, strict=False),
    )


def _share(values: Values, name: str, layer: int | None = None) -> float:
    value = values.real(name, 0.0, layer, strict=False)
    if value > 1.0:
        raise ConfigError(
            f"{values.name(name, layer)}: expected a share in [0, 1], got {value:g}."
        )
    return value


RULE: type[base.Rule] = Slayer
