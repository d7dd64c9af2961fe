"""Two populations after Diehl & Cook: one that learns and one that lets the first win.

Knows: the genes ``map_size``, ``strength_exc``, ``strength_inh``, ``inhibition``. Must
not know: torch, what the neurons are.

Every input reaches every excitatory neuron. Each of these drives one inhibitory neuron
of its own, which one step later inhibits all excitatory neurons but that one (Diehl &
Cook, Frontiers in Computational Neuroscience 2015). Silence is judged in the excitatory
population alone: nothing on the way to the answer passes through the inhibitory one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moosnn.snn.blueprint import INPUT
from moosnn.snn.draft import Draft
from moosnn.snn.fixed import INHIBITIONS, Lateral, OneToOne, Population
from moosnn.snn.layer import Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

POPULATIONS = 2
# Strengths for a threshold of about 1; a rule whose neurons count in mV has others.
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {"map_size": 64, "strength_exc": 2.0, "strength_inh": 0.05, "inhibition": "all"}
)
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiehlCook:
    """Excitatory and inhibitory neurons, equally many.

    Attributes:
        size: neurons of each population, >= 1.
        excites: the connection of the excitatory to the inhibitory neurons.
        inhibits: the one back.
    """

    size: int
    excites: OneToOne
    inhibits: Lateral

    @property
    def layers(self) -> int:
        """Two: genes of the excitatory and of the inhibitory neurons."""
        return POPULATIONS

    @classmethod
    def read(cls, values: Values) -> DiehlCook:
        """Read the genes.

        Raises:
            ConfigError: a bad value.
        """
        return cls(
            size=values.integer("map_size", 1),
            excites=OneToOne(strength=values.real("strength_exc", 0.0)),
            inhibits=Lateral(
                strength=values.real("strength_inh", 0.0),
                inhibition=values.option("inhibition", INHIBITIONS),
            ),
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of the excitatory population."""
        excitatory, inhibitory = neurons
        plastic = isinstance(excitatory.constants, Population)
        delay, current = self._plastic(draft) if plastic else self._constant(draft)
        back = draft.fixed(delay, self.inhibits)
        spikes = draft.neurons(draft.sum([current, back]), excitatory)
        draft.close(delay, draft.neurons(draft.fixed(spikes, self.excites), inhibitory))
        return spikes

    def _plastic(self, draft: Draft) -> tuple[str, str]:
        """The delay and the current of the input, which spikes change at each step.

        What stands between the delay and the node that it reads runs step by step.
        """
        spikes = draft.spikes(INPUT)
        delay = draft.delay((self.size,))
        return delay, draft.linear(spikes, self.size, bias=False)

    def _constant(self, draft: Draft) -> tuple[str, str]:
        """The same where weights change between batches: all steps at once."""
        current = draft.linear(INPUT, self.size, bias=False)
        return draft.delay((self.size,)), current
