"""Which operations an inference does: fan-outs, ACs and MACs of every sample.

Knows: which entries of which tensors are zero. Must not know: what an operation costs,
data sets, learning.

An *effective operation* is one weight that is not 0 meeting one activation that is not
0. It is an accumulate (AC) where the activation can only be 0 or 1, else a
multiply-accumulate (MAC); neurons, biases, pooling and norms are no operations
(NeuroBench: Yik et al., Nature Communications 2025, arXiv 2304.04640). A batch norm is
folded into its convolution, as it is when a trained network is deployed. Which of the
two a connection does is read off the blueprint and not off the values, where NeuroBench
looks at each call: sums of spikes are MACs even where no two spikes met.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.grad import conv2d_input

from moosnn.snn.blueprint import INPUT, Blueprint, Conv, Delay, Linear, Node, Pool
from moosnn.snn.connections import Convolution
from moosnn.snn.cost import Hardware
from moosnn.snn.fixed import Heaviside, Lateral, OneToOne, fixed_synapses
from moosnn.snn.layer import Neurons
from moosnn.snn.network import SpikingNetwork

BINARY_CODINGS = ("rate", "latency", "population")
# State variables of a neuron; of the types that are not here: the membrane only.
_STATES = {
    "srm": 4,
    "cuba_adaptive": 4,
    "alif": 2,
    "cuba": 2,
    "izhikevich": 2,
    "diehl_cook": 2,
}


class OperationCounter:
    """Hears what goes into the connections of a network and counts operations.

    A `moosnn.snn.flow.Tap`. What a tap hears is what is counted: with direct coding
    a connection of the constant input works once; a linear read-out that the network
    computes from the mean over time for speed is told all the steps, because hardware
    adds at each spike.

    Args:
        network: whose weights do not change while it counts.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self._fan_out = fan_out(network)
        binary = binary_nodes(network.blueprint, network.genes.coding)
        self._adds = {
            node.name: set(node.sources) <= binary for node in network.blueprint.nodes
        }
        self._active: dict[str, Tensor] = {}

    def __call__(self, node: Node, source: Tensor) -> None:
        """Count a connection's operations of some steps.

        Args:
            node: the connection.
            source: what it reads, ``T x N x …``.
        """
        # Spikes are their own count. Step after step in a loop, or all at once.
        nonzero = source if self._adds[node.name] else (source != 0).to(source.dtype)
        active = nonzero.sum(0).flatten(1)
        known = self._active.get(node.name)
        self._active[node.name] = active if known is None else known + active

    def take(self) -> tuple[Tensor, Tensor]:
        """What was counted since it was last asked.

        Returns:
            ACs and MACs of each sample, ``N`` float64 each.

        Raises:
            StopIteration: it heard nothing.
        """
        some = next(iter(self._active.values()))
        totals = {adds: some.new_zeros(len(some)).double() for adds in (True, False)}
        for name, active in self._active.items():
            totals[self._adds[name]] += active.double() @ self._fan_out[name]
        self._active = {}
        return totals[True], totals[False]


def binary_nodes(blueprint: Blueprint, coding: str) -> frozenset[str]:
    """The nodes that can only give 0 or 1, by what they are.

    Spikes, their maxima and their delays; the input if its code is one of spikes. Not
    sums and averages of spikes, whatever their values.

    Args:
        blueprint: of the network.
        coding: of its input.
    """
    binary = {n.name for n in blueprint.nodes} | {INPUT}
    if coding not in BINARY_CODINGS:
        binary.remove(INPUT)
    shrunk = True
    while shrunk:  # a delay reads a later node, so once through is not enough
        kept = {INPUT} & binary | {
            node.name
            for node in blueprint.nodes
            if isinstance(node.op, Neurons | Heaviside)
            or (_keeps_binary(node) and binary >= {*node.sources})
        }
        shrunk, binary = kept != binary, kept
    return frozenset(binary)


def _keeps_binary(node: Node) -> bool:
    return isinstance(node.op, Delay) or (
        isinstance(node.op, Pool) and node.op.kind == "max"
    )


def fan_out(network: SpikingNetwork) -> Mapping[str, Tensor]:
    """How many nonzero weights each entry of a connection's source meets.

    Borders, strides, pruned weights and folded batch norms included: an input pixel in
    a corner meets fewer outputs than one in the middle.

    Returns:
        Of each connection a vector over the flattened source, float64.
    """
    shapes = network.blueprint.shapes
    maps: dict[str, Tensor] = {}
    for node, weight in _folded(network).items():
        reaches = (weight != 0).float()
        if isinstance(node.op, Conv):
            # An even window as an odd one, whose last row and column are 0.
            reaches = pad(reaches, [0, 1 - node.op.kernel % 2] * 2)
            entries = conv2d_input(  # type: ignore[no-untyped-call]  # torch leaves it untyped
                (1, *shapes[node.sources[0]]),
                reaches,
                reaches.new_ones(1, *node.shape),
                stride=node.op.stride,
                padding=node.op.kernel // 2,
            )
        else:
            entries = reaches.sum(0)
        maps[node.name] = entries.flatten().round().double()
    some = next(network.parameters())
    for node in network.blueprint.nodes:
        if isinstance(node.op, OneToOne | Lateral):
            entry = some.new_ones(math.prod(node.shape)).double()
            maps[node.name] = entry * (_fixed(node) / len(entry))
    return maps


def _fixed(node: Node) -> int:
    """The synapses of a connection of one strength, none of which is 0."""
    return fixed_synapses(node.op, math.prod(node.shape))


def _folded(network: SpikingNetwork) -> dict[Node, Tensor]:
    """The weights of every connection with its batch norm in them."""
    weights: dict[Node, Tensor] = {}
    for node in network.blueprint.nodes:
        if isinstance(node.op, Linear):
            linear = network.parts[node.name]
            assert isinstance(linear, nn.Linear)
            weights[node] = linear.weight.detach()
        elif isinstance(node.op, Conv):
            block = network.parts[node.name]
            assert isinstance(block, Convolution)
            # Which are 0 does not depend on the step.
            weights[node] = block.folded()[0][0]
    return weights


def hardware_of(network: SpikingNetwork) -> Hardware:
    """Count what a network is and what it always does."""
    genes, blueprint = network.genes, network.blueprint
    weights = list(_folded(network).values())
    states = sum(_states(node) for node in blueprint.layers)
    held = [*network.parameters(), *network.buffers()]
    return Hardware(
        dense_ops=blueprint.dense_ops(
            genes.time_steps, constant_input=genes.coding == "direct"
        ),
        membrane_updates=blueprint.neurons * genes.time_steps,
        state_updates=states * genes.time_steps,
        states=states,
        weights=sum(w.numel() for w in weights) + sum(map(_fixed, blueprint.nodes)),
        zero_weights=sum(int((w == 0).sum()) for w in weights),
        footprint_bytes=sum(t.numel() * t.element_size() for t in held),
    )


def _states(layer: Node) -> int:
    assert isinstance(layer.op, Neurons)
    return math.prod(layer.shape) * _STATES.get(layer.op.kind, 1)
