"""What every learning rule says of itself, and the neurons that most of them share.

Knows: the genes of a layer of neurons. Must not know: torch, how a rule learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, Self

from moosnn.errors import ArchitectureError, MisfitError, one_of
from moosnn.snn.layer import NEURONS, RESETS, SURROGATES, Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

NEURON_DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "neuron": "lif",
        "tau_mem_steps": 2.0,
        "threshold": 1.0,
        "surrogate": "atan",
        "slope": 2.0,
        "reset": "hard",
        "tau_syn_steps": 2.0,
        "tau_adapt_steps": 10.0,
        "adaptation": 0.5,
    }
)
# The types that a rule trains; those of a rule that is not here have no `neuron`.
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "bptt": NEURONS,
        "ssgd": ("if", "lif"),
        "slayer": ("srm", "cuba_adaptive"),
        "hybrid": ("if", "lif"),
        "grad_r": NEURONS,
        "eprop": ("if", "lif", "alif"),
        "mutation": NEURONS,
        "supernet": NEURONS,
    }
)


class Rule(Protocol):
    """The hyperparameters that only one learning rule has."""

    @classmethod
    def read(cls, values: Values) -> Self:
        """Read its genes.

        Raises:
            ConfigError: a bad value.
        """
        ...

    def neurons(self, values: Values, layer: int) -> Neurons:
        """The neurons of a layer, from 1.

        Raises:
            ConfigError: a bad value.
        """
        ...

    def refusal(self, architecture: str, readout: str, loss: str) -> str | None:
        """Why it cannot train such a network, or ``None``.

        Raises:
            ArchitectureError: the same, where one gene alone is to blame: named first.
        """
        ...


class RuleModule(Protocol):
    """What a module of a learning rule says.

    Attributes:
        DEFAULTS: its own genes and their values.
        CHANGED: other values that common genes have by default under this rule.
        UNREAD: common genes without meaning under it.
        LAYERED: which of its own genes a layer may have for itself.
        RULE: the rule.
    """

    DEFAULTS: Mapping[str, Value]
    CHANGED: Mapping[str, Value]
    UNREAD: frozenset[str]
    LAYERED: tuple[str, ...]
    RULE: type[Rule]


def kind_of(values: Values, layer: int, training: str) -> str:
    """The type of a layer's neurons.

    Args:
        values: all genes.
        layer: from 1.
        training: the learning rule, one of `KINDS`.

    Raises:
        ConfigError: no type.
        MisfitError: one that only other rules train.
    """
    value, kinds = values.value("neuron", layer), KINDS[training]
    others = [rule for rule in KINDS if value in KINDS[rule]]
    if value in kinds or not others:
        return values.option("neuron", kinds, layer)
    having = "" if training == "bptt" else f" (space={training} has them)"
    raise MisfitError(
        f"{values.name('neuron', layer)}: training={training} has neurons "
        f"{one_of(kinds)}, got {value!r}; use one of these{having}, or training="
        f"{one_of(others)}."
    )


def neurons_of(values: Values, layer: int, training: str) -> Neurons:
    """The neurons that the common genes of a layer describe.

    Args:
        values: all genes.
        layer: from 1.
        training: the learning rule, one of `KINDS`.

    Raises:
        ConfigError: a bad value.
        ArchitectureError: a soft reset that the type of neurons has not.
    """
    kind = kind_of(values, layer, training)
    reset = values.option("reset", RESETS, layer)
    if kind == "izhikevich" and reset == "soft":
        raise ArchitectureError(
            "reset: izhikevich neurons have a hard reset only, since above the "
            "threshold their parabola would run away; use reset=hard."
        )
    return Neurons(
        kind=kind,
        tau_mem_steps=values.real("tau_mem_steps", 1.0, layer),
        threshold=values.real("threshold", 0.0, layer),
        surrogate=values.option("surrogate", SURROGATES, layer),
        slope=values.real("slope", 0.0, layer),
        tau_syn_steps=values.real("tau_syn_steps", 1.0, layer),
        tau_adapt_steps=values.real("tau_adapt_steps", 1.0, layer),
        adaptation=values.real("adaptation", 0.0, layer, strict=False),
        reset=reset,
    )
