"""A layer of neurons before it is built: its type and its constants.

Knows: which types there are and what each needs. Must not know: torch, how a type is
computed (`moosnn.snn.neuron`), how genes are named, learning rules.
"""

from __future__ import annotations

from dataclasses import dataclass

NEURONS = ("if", "lif", "plif", "alif", "cuba", "klif", "izhikevich")
RESETS = ("hard", "soft")
SURROGATES = (
    "atan",
    "sigmoid",
    "fast_sigmoid",
    "triangle",
    "exponential",
    "gaussian",
    "boxcar",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neurons:
    """Spiking neurons, one for each entry of the shape.

    Attributes:
        kind: one of `NEURONS`, or a type that only one learning rule has.
        tau_mem_steps: membrane time constant (of PLIF and KLIF: initial), > 1.
        threshold: > 0.
        surrogate: see `moosnn.snn.surrogate`.
        slope: of the surrogate, > 0.
        tau_syn_steps: time constant of the synaptic current of CUBA, > 1.
        tau_adapt_steps: of the adaptation of ALIF and Izhikevich neurons, > 1.
        adaptation: what a spike adds to it, in thresholds, >= 0.
        reset: ``"hard"`` = a spike sets the membrane to 0; ``"soft"`` = it takes the
            threshold off.
        band: the surrogate is 0 where the membrane is at least so far from the
            threshold, > 0; ``None`` = nowhere.
        height: what the surrogate is multiplied by, > 0.
        constants: of a type that only one rule has, what that rule says of it.
    """

    kind: str
    tau_mem_steps: float
    threshold: float
    surrogate: str
    slope: float
    tau_syn_steps: float
    tau_adapt_steps: float
    adaptation: float
    reset: str = "hard"
    band: float | None = None
    height: float = 1.0
    constants: object = None
