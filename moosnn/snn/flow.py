"""One pass through a network: the value of every node, in order or step by step.

Knows: how nodes are computed from those before them. Must not know: how modules came
about, what is read out, learning, silence.

Where nothing is fed back, a node runs over all time steps at once. Nodes on a loop
through a `Delay` run together, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn import sparse
from moosnn.snn.blueprint import (
    CONNECTIONS,
    INPUT,
    Blueprint,
    Conv,
    Delay,
    Linear,
    Mean,
    Node,
    Pool,
    Sum,
)
from moosnn.snn.connections import Convolution, Dropout
from moosnn.snn.diehl_cook import fixed_current
from moosnn.snn.fixed import Heaviside, Lateral, OneToOne
from moosnn.snn.layer import Neurons as NeuronGenes
from moosnn.snn.neuron import NeuronLayer, State

# Hears of every connection what went into it: (node, T x N x shape of its source).
Tap = Callable[[Node, Tensor], None]


class Flow:
    """The values of one pass through a network.

    Args:
        parts: the modules of nodes that have one, by name.
        pairs: connections computed together with the neurons that they feed.
        inputs: coded samples, ``T x N x …``.
        tap: hears what goes into every connection.
        dropout: says which spikes connections do not hear.

    Attributes:
        values: of each node that was computed, ``T x N x shape``.
        membranes: of each layer of neurons.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        pairs: sparse.Pairs,
        inputs: Tensor,
        tap: Tap | None,
        dropout: Dropout | None,
    ) -> None:
        self.values: dict[str, Tensor] = {INPUT: inputs}
        self.membranes: dict[str, Tensor] = {}
        self._parts = parts
        self._pairs = pairs
        self._active: dict[str, Tensor | None] = {}  # where neurons have a gradient
        self._tap = tap
        self._dropout = dropout

    def tell(self, node: Node, source: Tensor) -> None:
        """Let the tap hear what a connection reads."""
        if self._tap is not None and isinstance(node.op, CONNECTIONS):
            self._tap(node, source)

    def heard(self, node: Node, values: Sequence[Tensor]) -> list[Tensor]:
        """What a node hears of its sources' ``T x N x …`` values."""
        if self._dropout is None or not isinstance(node.op, Linear | Conv):
            return list(values)
        pairs = zip(node.sources, values, strict=True)
        return [v if s == INPUT else self._dropout(s, v) for s, v in pairs]

    def run(self, node: Node) -> None:
        """Compute a node over all time steps."""
        if node.name in self.membranes:  # with its connection, before
            return
        sources = self.heard(node, [self.values[s] for s in node.sources])
        if node.name in self._pairs.neurons and sparse.takes(sources[0]):
            self._run_pair(node, sources[0])
            return
        if isinstance(node.op, NeuronGenes):
            spikes, membrane = self._parts[node.name](sources[0])
            self.values[node.name], self.membranes[node.name] = spikes, membrane
            return
        steps = len(sources[0])
        if all(
            s.stride(0) == 0 for s in sources
        ):  # one step, repeated: compute it once
            sources = [s[:1] for s in sources]
        self.tell(node, sources[0])
        value = self._apply(node, sources)
        self.values[node.name] = value.expand(steps, *value.shape[1:])

    def _run_pair(self, node: Node, source: Tensor) -> None:
        """Compute a connection and the neurons that it alone feeds."""
        self.tell(node, source[:1] if source.stride(0) == 0 else source)
        name = self._pairs.neurons[node.name].name
        modules = self._parts[node.name], self._parts[name]
        wanted = self._active.get(node.sources[0])
        result = self._pairs.run(source.flatten(2), *modules, wanted)
        self.values[name], self.membranes[name], self._active[name] = result

    def run_stepwise(self, nodes: Sequence[Node]) -> None:
        """Compute nodes that depend on each other over time."""
        inputs = self.values[INPUT]
        now: dict[str, Tensor] = {}
        states: dict[str, State] = {}
        kept: dict[str, list[Tensor]] = {n.name: [] for n in nodes}
        membranes: dict[str, list[Tensor]] = {}
        for step in range(len(inputs)):
            before, now = now, {}
            for node in nodes:
                if isinstance(node.op, Delay):
                    zero = inputs.new_zeros(inputs.shape[1], *node.shape)
                    now[node.name] = before.get(node.sources[0], zero)
                    continue
                sources = [
                    now[s] if s in now else self.values[s][step] for s in node.sources
                ]
                if isinstance(node.op, NeuronGenes):
                    part = cast(NeuronLayer, self._parts[node.name])
                    spikes, membrane, states[node.name] = part.step(
                        sources[0], states.get(node.name, ())
                    )
                    now[node.name] = spikes
                    membranes.setdefault(node.name, []).append(membrane)
                else:
                    lone = self.heard(node, [s.unsqueeze(0) for s in sources])
                    self.tell(node, lone[0])
                    now[node.name] = self._apply(node, lone, step)[0]
            for name, value in now.items():
                kept[name].append(value)
        self.values |= {name: torch.stack(steps) for name, steps in kept.items()}
        self.membranes |= {n: torch.stack(steps) for n, steps in membranes.items()}

    def _apply(self, node: Node, sources: Sequence[Tensor], step: int = 0) -> Tensor:
        """A node without time of its own, on ``T x N x …``; ``step`` is of a loop."""
        flow = sources[0]
        match node.op:
            case Sum():
                return torch.stack(list(sources)).sum(0)
            case Mean():
                return flow.mean((3, 4))
            case Heaviside():
                return (flow > 0).to(flow.dtype)
            case OneToOne() | Lateral():
                return fixed_current(flow, node.op)
            case Linear():
                current: Tensor = self._parts[node.name](flow.flatten(2))
                return current
            case Conv():
                part = self._parts[node.name]
                assert isinstance(part, Convolution)
                images: Tensor = part(flow.flatten(0, 1), step)
            case Pool(kind=kind, kernel=kernel, stride=stride, padding=padding):
                pool = F.max_pool2d if kind == "max" else F.avg_pool2d
                images = pool(flow.flatten(0, 1), kernel, stride, padding)
            case _:
                raise TypeError(f"{node.name}: {node.op!r} is not computed here")
        return images.reshape(*flow.shape[:2], *images.shape[1:])


def runs(blueprint: Blueprint) -> tuple[tuple[Node, ...], ...]:
    """The nodes in order, those of a loop through time together.

    A loop reaches from a `Delay` to the node that it reads; loops that overlap are one.

    Returns:
        Tuples of one node, or of all nodes of a loop.
    """
    position = {node.name: k for k, node in enumerate(blueprint.nodes)}
    loop = list(range(len(position)))  # of each node: where its run begins
    for start, node in enumerate(blueprint.nodes):
        if isinstance(node.op, Delay):
            end = position[node.sources[0]]
            first = loop[start]
            loop[first : end + 1] = [first] * (end + 1 - first)
    grouped = groupby(zip(loop, blueprint.nodes, strict=True), key=lambda pair: pair[0])
    return tuple(tuple(node for _, node in members) for _, members in grouped)
