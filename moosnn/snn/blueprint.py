"""A network before it is built: what its nodes are, their shapes, what they cost.

Knows: operations, shapes, parameter counts, which neurons every path crosses.
Must not know: torch, genes, data, how weights are found.

A blueprint is a list of nodes in an order in which they can be computed. A node reads
nodes before it; only a `Delay` reads one that comes later, as it was one time step
earlier. Everything that can be known without a weight is known here, so that a network
that is too large or cannot be is refused before anything is trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from moosnn.snn.fixed import Decode, Heaviside, Lateral, OneToOne, fixed_synapses
from moosnn.snn.layer import Neurons

Shape = tuple[int, ...]
INPUT = "input"
_LEARNABLE = ("plif", "klif")  # neuron types with one learnable scalar a layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """All inputs of a step to each output."""

    outputs: int
    bias: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """A square convolution, padded to keep the size at stride 1, without bias.

    An even window reaches one entry further to the top and left than to the bottom and
    right. ``norm`` = a batch norm follows.
    """

    channels: int
    kernel: int
    stride: int = 1
    norm: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """``kind`` is ``"max"`` or ``"average"``; windows beyond the border are padded."""

    kind: str
    kernel: int
    stride: int
    padding: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean over height and width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The sum of several nodes of one shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Another node, one time step ago; 0 at the first step."""


_Fixed = Heaviside | OneToOne | Lateral | Decode
Op = Linear | Conv | Pool | Mean | Sum | Delay | Neurons | _Fixed
CONNECTIONS = (Linear, Conv, OneToOne, Lateral)  # what has synapses


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation.

    Attributes:
        name: unique, an identifier.
        op: what it does.
        sources: the nodes it reads; `INPUT` is the coded input.
        shape: of what it gives at a step, without the batch.
    """

    name: str
    op: Op
    sources: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """All nodes of a network; the last one gives one number a class and step.

    Attributes:
        input_shape: of a step of the coded input.
        nodes: in an order in which they can be computed.
    """

    input_shape: Shape
    nodes: tuple[Node, ...]

    @property
    def output(self) -> Node:
        """The node that is read out."""
        return self.nodes[-1]

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every node and of the input."""
        return {INPUT: self.input_shape, **{n.name: n.shape for n in self.nodes}}

    @cached_property
    def layers(self) -> tuple[Node, ...]:
        """The nodes that are spiking neurons, in order."""
        return tuple(n for n in self.nodes if isinstance(n.op, Neurons))

    @property
    def neurons(self) -> int:
        """How many spiking neurons there are."""
        return sum(math.prod(n.shape) for n in self.layers)

    @cached_property
    def parameters(self) -> int:
        """Number of learnable scalars."""
        return sum(self._parameters(node) for node in self.nodes)

    def _parameters(self, node: Node) -> int:
        match node.op:
            case Linear(outputs=outputs, bias=bias):
                return (math.prod(self.shapes[node.sources[0]]) + bias) * outputs
            case Conv(channels=channels, kernel=kernel, norm=norm):
                inputs = self.shapes[node.sources[0]][0]
                norms = 2 if norm else 0  # its scale and shift
                return (inputs * kernel**2 + norms) * channels
            case Neurons(kind=kind):
                return int(kind in _LEARNABLE)
            case _:
                return 0

    def dense_ops(self, time_steps: int, *, constant_input: bool) -> int:
        """Multiply-accumulates of a sample if every activation were nonzero.

        Biases, pooling and norms do not count (NeuroBench's definition; Yik et al.
        2025).

        Args:
            time_steps: T >= 1.
            constant_input: the input is the same at each step (direct coding), so
                that a connection which only the input reaches works once.
        """
        constant = self.constant if constant_input else frozenset()
        return sum(
            self.dense_ops_a_step(node)
            * (1 if set(node.sources) <= constant else time_steps)
            for node in self.nodes
        )

    @cached_property
    def constant(self) -> frozenset[str]:
        """The nodes that do not change over time if the input does not."""
        names = {INPUT}
        for node in self.nodes:
            if not isinstance(node.op, Neurons | Delay) and names >= {*node.sources}:
                names.add(node.name)
        return frozenset(names)

    def dense_ops_a_step(self, node: Node) -> int:
        """Multiply-accumulates of one node at one step with all activations nonzero."""
        match node.op:
            case Linear(outputs=outputs):
                return math.prod(self.shapes[node.sources[0]]) * outputs
            case Conv(channels=channels, kernel=kernel, stride=stride):
                inputs, height, width = self.shapes[node.sources[0]]
                taps = _taps(height, kernel, stride) * _taps(width, kernel, stride)
                return inputs * channels * taps
            case _:
                return fixed_synapses(node.op, math.prod(node.shape))

    def fan_out(self, layer: str) -> float:
        """Synapses that a spike of a layer reaches on average, borders included.

        A maximum passes every spike on that lies in a window, though of several in one
        window only one is left; so does an average over windows side by side.
        """
        passed, reached = {layer: 1.0}, 0.0  # of a spike: the share that arrives there
        for node in self.nodes:
            share = max((passed.get(s, 0.0) for s in node.sources), default=0.0)
            if share == 0.0:
                continue
            entries = math.prod(self.shapes[node.sources[0]])
            match node.op:
                case Linear() | Conv() | OneToOne() | Lateral():
                    reached += share * self.dense_ops_a_step(node) / entries
                case Pool(kind=kind, kernel=kernel, stride=stride) if (
                    kind == "max" or kernel == stride
                ):
                    seen = math.prod(node.shape) * kernel**2
                    passed[node.name] = share * seen / entries
                case Pool() | Mean() | Sum() | Delay():
                    passed[node.name] = share
        return reached

    @cached_property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Sets of spiking neurons that every path from input to output crosses.

        Between any two nodes of the order lie the values that later nodes still read.
        Where all of these are spikes, the layers that sent them are a stage: one layer
        of a plain network; several where skip connections or branches run side by
        side, of which one may be silent while another works.

        Returns:
            Names of layers, in order. A stage of several values is left out if another
            stage is part of it, for then it can never be the more silent one.
        """
        members = self._members()
        single: dict[tuple[str, ...], None] = {}
        joint: dict[tuple[str, ...], None] = {}
        for position in range(len(self.nodes)):
            live = self._live(position)
            if any(not members.get(name) for name in live):
                continue
            carried = frozenset[str]().union(*(members[name] for name in live))
            ordered = tuple(n.name for n in self.layers if n.name in carried)
            if ordered:
                (single if len(live) == 1 else joint).setdefault(ordered)
        for stage in list(joint):
            others = [*single, *(j for j in joint if j != stage)]
            if any(set(other) <= set(stage) for other in others):
                del joint[stage]
        position_of = {node.name: k for k, node in enumerate(self.nodes)}
        return tuple(
            sorted({**single, **joint}, key=lambda s: (position_of[s[-1]], len(s)))
        )

    def _live(self, position: int) -> set[str]:
        """What nodes after a position read of those up to it; a delay's is its source.

        A delayed value whose source lies behind the position is no way past it: what
        it carries had to come by first.
        """
        place = {node.name: k for k, node in enumerate(self.nodes)}
        last = position == len(self.nodes) - 1
        live: set[str] = {self.output.name} if last else set()
        for node in self.nodes[position + 1 :]:
            for source in node.sources if not isinstance(node.op, Delay) else ():
                at = place.get(source, -1)
                delayed = at >= 0 and isinstance(self.nodes[at].op, Delay)
                sender = self.nodes[at].sources[0] if delayed else source
                if at <= position and place.get(sender, -1) <= position:
                    live.add(sender)
        return live

    def _members(self) -> dict[str, frozenset[str]]:
        """The layers whose spikes a node carries, for nodes that carry only spikes."""
        members: dict[str, frozenset[str]] = {}
        for node in self.nodes:
            if isinstance(node.op, Neurons):
                members[node.name] = frozenset({node.name})
            elif isinstance(node.op, Pool | Mean | Sum) and all(
                s in members for s in node.sources
            ):
                members[node.name] = frozenset().union(
                    *(members[s] for s in node.sources)
                )
        return members


def _taps(size: int, kernel: int, stride: int) -> int:
    """Pairs of an output and an input in its window, along one axis."""
    before = kernel // 2
    after = kernel - 1 - before
    return sum(
        min(centre + after, size - 1) - max(centre - before, 0) + 1
        for centre in range(0, size, stride)
    )
