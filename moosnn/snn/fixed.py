"""Operations without anything to learn by gradient, before they are built.

Knows: two populations of neurons, connections of one strength between them, and what
makes classes of their spikes. Must not know: torch, genes, how they are computed
(`moosnn.snn.diehl_cook`, `moosnn.snn.decoding`).
"""

from __future__ import annotations

from dataclasses import dataclass

INHIBITIONS = ("all", "distance")
DECODERS = ("all", "vote", "2gram", "3gram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heaviside:
    """1 where there is anything above 0, else 0: any number of events is a spike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneToOne:
    """Each entry to the one at its place, with one strength > 0."""

    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateral:
    """Each entry inhibits all but the one at its place.

    Attributes:
        strength: of the inhibition, > 0.
        inhibition: ``"all"`` = equally; ``"distance"`` = from the entry i to j with
            ``strength |i - j| / (n - 1)`` of n entries.
    """

    strength: float
    inhibition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Constants of a population of `moosnn.snn.diehl_cook` neurons.

    Attributes:
        size: neurons, >= 1.
        refractory: steps after a spike without input, >= 0.
        first_only: whether at most one neuron spikes at a step.
        adapts: whether thresholds rise; without it the two below do not count.
        theta_plus: by how many mV with a spike, >= 0.
        tau_theta_steps: time constant of their way back, > 0.
    """

    size: int
    refractory: int
    first_only: bool = False
    adapts: bool = False
    theta_plus: float = 0.0
    tau_theta_steps: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """Spikes of a whole sample to one number a class, see `moosnn.snn.decoding`."""

    classes: int
    decoder: str


def fixed_synapses(op: object, entries: int) -> int:
    """Synapses of a connection of one strength; 0 of anything else.

    Args:
        op: of a node.
        entries: of what it reads.
    """
    match op:
        case OneToOne():
            return entries
        case Lateral():
            return entries * (entries - 1)
        case _:
            return 0
