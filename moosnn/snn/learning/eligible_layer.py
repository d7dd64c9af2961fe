"""A layer of neurons that runs and learns step by step, without a graph.

Knows: the connections into a layer, what it hears, its traces. Must not know: where
errors come from, what the loss is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn

from moosnn.snn.blueprint import INPUT, Delay, Node, Sum
from moosnn.snn.connections import Dropout
from moosnn.snn.layer import Neurons as NeuronGenes
from moosnn.snn.learning.eligibility import Eligibility
from moosnn.snn.learning.streamed import largest
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.neuron import Neurons, State
from moosnn.snn.surrogate import surrogate_derivative


@dataclass(frozen=True, slots=True, kw_only=True)
class Synapses:
    """A layer of neurons and the linear connections into it.

    Attributes:
        node: the neurons.
        neurons: their module.
        linears: the connections; only the first has a bias.
        sources: what each connection reads: `INPUT`, a layer below, or a `Delay`.
        looped: whether each reads the layer's own spikes of the step before.
    """

    node: Node
    neurons: Neurons
    linears: tuple[nn.Linear, ...]
    sources: tuple[str, ...]
    looped: tuple[bool, ...]

    @classmethod
    def into(cls, node: Node, network: SpikingNetwork) -> Self:
        """Those of a layer of a network of fully connected layers."""
        nodes = {n.name: n for n in network.blueprint.nodes}
        delays = {n.name for n in nodes.values() if isinstance(n.op, Delay)}
        current = nodes[node.sources[0]]
        summed = isinstance(current.op, Sum)
        linears = [nodes[s] for s in current.sources] if summed else [current]
        sources = tuple(n.sources[0] for n in linears)
        return cls(
            node=node,
            neurons=cast(Neurons, network.parts[node.name]),
            linears=tuple(cast(nn.Linear, network.parts[n.name]) for n in linears),
            sources=sources,
            looped=tuple(s in delays for s in sources),
        )


class EligibleLayer:
    """A layer during one batch, from rest.

    Args:
        synapses: the layer.
        kappa: the share of the read-out's membrane kept from step to step.
        feedback: by which it hears errors, ``classes x neurons``.
        price: what one of its spikes adds to the loss, >= 0.
        dropout: which spikes are not heard.
        alpha: how many of the largest membranes are kept.

    Attributes:
        name: of the neurons' node.
        genes: of the neurons.
        price: see above.
        spent: spikes of each sample so far, ``N``.
        peaks: the largest membranes of each sample so far, ``N x alpha``.
    """

    spent: Tensor
    peaks: Tensor

    def __init__(
        self,
        synapses: Synapses,
        *,
        kappa: float,
        feedback: Tensor,
        price: float,
        dropout: Dropout | None,
        alpha: int,
    ) -> None:
        self._synapses = synapses
        self._feedback = feedback
        self._dropout = dropout
        self._alpha = alpha
        self.name = synapses.node.name
        self.genes: NeuronGenes = synapses.neurons.genes
        self.price = price
        decay = float(synapses.neurons.decay)
        self._traces = Eligibility(self.genes, decay, kappa, price)
        self._state: State = ()
        self._spikes: Tensor | None = None
        self._inputs: Tensor | None = None
        self._derivative: Tensor | None = None

    def heard(self, spikes: Tensor) -> Tensor:
        """What those above hear of its ``N x neurons`` spikes."""
        return self._masked(self.name, spikes)

    def fire(self, now: Mapping[str, Tensor]) -> Tensor:
        """One step forwards.

        Args:
            now: what the input and the layers below give at this step, ``N x size``.

        Returns:
            Its spikes, ``N x neurons``.
        """
        kit = self._synapses
        first = self._spikes is None
        heard = self._incoming(now)
        pairs = zip(kit.linears, heard, strict=True)
        currents = [linear(values) for linear, values in pairs]
        current = currents[0] if len(currents) == 1 else torch.stack(currents).sum(0)
        spikes, membrane, self._state = kit.neurons.step(current, self._state)
        self.peaks = largest(None if first else self.peaks, membrane, self._alpha)
        self.spent = spikes.sum(1) if first else self.spent + spikes.sum(1)
        self._derivative = surrogate_derivative(
            membrane - self.genes.threshold, self.genes
        )
        self._inputs, self._spikes = with_one(heard), spikes
        return spikes

    def learn(self, error: Tensor) -> None:
        """Let the errors of a step, ``N x classes``, meet the traces of that step."""
        assert self._inputs is not None
        assert self._spikes is not None
        assert self._derivative is not None
        signal = self.heard(error @ self._feedback)
        self._traces.step(self._inputs, self._spikes, self._derivative, signal)

    def tell(self) -> None:
        """Put the gradient where an optimizer finds it."""
        total = self._traces.gradient
        assert total is not None
        linears = self._synapses.linears
        sizes = [linear.in_features for linear in linears]
        *parts, bias = torch.split(total, [*sizes, 1], dim=1)
        for linear, part in zip(linears, parts, strict=True):
            linear.weight.grad = part.contiguous()
        linears[0].bias.grad = bias[:, 0].contiguous()

    def _incoming(self, now: Mapping[str, Tensor]) -> list[Tensor]:
        """What each connection hears at this step."""
        before = self._spikes
        if before is None:
            before = now[INPUT].new_zeros(len(now[INPUT]), *self._synapses.node.shape)
        rows = zip(self._synapses.sources, self._synapses.looped, strict=True)
        return [self._masked(s, before if own else now[s]) for s, own in rows]

    def _masked(self, source: str, values: Tensor) -> Tensor:
        if self._dropout is None or source == INPUT:
            return values
        return self._dropout(source, values.unsqueeze(0))[0]


def with_one(heard: Sequence[Tensor]) -> Tensor:
    """What all connections hear, and the 1 that a bias hears, ``N x (inputs + 1)``."""
    return torch.cat([*heard, torch.ones_like(heard[0][:, :1])], dim=1)
