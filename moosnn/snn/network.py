"""A spiking network: the nodes of a blueprint with weights.

Knows: how nodes become modules, and what flows through them. Must not know: data sets,
learning, silence, search, which architecture the blueprint was drawn by.

Where nothing is fed back, a node runs over all time steps at once. Nodes on a loop
through a `Delay` run together, step by step. There is no state between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn import sparse
from moosnn.snn.activity import Activity
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
    Shape,
    Sum,
)
from moosnn.snn.connections import Convolution, Dropout, built
from moosnn.snn.diehl_cook import fixed_current
from moosnn.snn.fixed import Decode, Heaviside, Lateral, OneToOne
from moosnn.snn.gene_names import SPIKING_READOUTS
from moosnn.snn.genes import Genes
from moosnn.snn.layer import Neurons as NeuronGenes
from moosnn.snn.neuron import NeuronLayer, State
from moosnn.snn.readout import integrate, read

# Hears of every connection what went into it: (node, T x N x shape of its source).
Tap = Callable[[Node, Tensor], None]


class SpikingNetwork(nn.Module):
    """The network that some genes describe.

    Weights and biases start uniform in ``+-1 / sqrt(inputs)``, torch's own default,
    but drawn from ``generator``: the global generator is never touched.

    Args:
        genes: architecture, neurons, coding and read-out.
        shape: of a sample at one step, before coding.
        classes: outputs.
        generator: on the CPU.

    Raises:
        ConfigError: the architecture cannot take such samples.
    """

    def __init__(
        self, genes: Genes, shape: Shape, classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.genes = genes
        self.blueprint = genes.blueprint(shape, classes)
        self.parts = nn.ModuleDict()
        self._runs = runs(self.blueprint)
        self.pairs = sparse.pairs(genes.rule, self.blueprint, self._runs)
        looped = {n.name for run in self._runs if len(run) > 1 for n in run}
        for node in self.blueprint.nodes:
            steps = genes.time_steps if node.name in looped else 1
            part = built(node, self.blueprint, steps, generator)
            if part is not None:
                self.parts[node.name] = part
        names = [node.name for node in self.blueprint.layers]
        self._stages = tuple(
            tuple(names.index(n) for n in stage) for stage in self.blueprint.stages
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """``N x classes`` logits of ``T x N x …`` coded inputs, from rest.

        No state survives a call: equal batches give equal logits.
        """
        return self.observe(inputs).logits

    def observe(
        self,
        inputs: Tensor,
        tap: Tap | None = None,
        dropout: Dropout | None = None,
    ) -> Activity:
        """Run ``T x N x …`` coded inputs and keep what every layer did.

        Args:
            inputs: coded samples.
            tap: hears what goes into every connection.
            dropout: says which spikes connections do not hear.
        """
        flow = _Flow(self, inputs, tap, dropout)
        for run in self._runs:
            if len(run) > 1 or isinstance(run[0].op, Delay):
                flow.run_stepwise(run)
            elif run[0] is not self.blueprint.output or not self._read_at_once():
                flow.run(run[0])
        logits, outputs = self._read(flow)
        layers = self.blueprint.layers
        return Activity(
            logits=logits,
            outputs=outputs,
            spikes=tuple(flow.values[n.name] for n in layers),
            membranes=tuple(flow.membranes[n.name] for n in layers),
            thresholds=tuple(_neurons_of(n).threshold for n in layers),
            stages=self._stages,
        )

    def parameter_count(self) -> int:
        """Number of learnable scalars."""
        return sum(p.numel() for p in self.parameters())

    def _read_at_once(self) -> bool:
        """Whether the output is linear in time, so that reading the mean is enough."""
        genes = self.genes
        return isinstance(self.blueprint.output.op, Decode) or (
            genes.readout in ("mean", "sum")
            and genes.tau_readout_steps == 1.0
            and genes.loss != "tet"
        )

    def _read(self, flow: _Flow) -> tuple[Tensor, Tensor | None]:
        output = self.blueprint.output
        genes = self.genes
        if isinstance(output.op, Decode):
            scores: Tensor = self.parts[output.name](flow.values[output.sources[0]])
            return scores, None
        if self._read_at_once():
            (source,) = flow.heard(output, [flow.values[output.sources[0]]])
            flow.tell(output, source)
            logits: Tensor = self.parts[output.name](source.mean(0).flatten(1))
            return logits * (len(source) if genes.readout == "sum" else 1), None
        values = flow.values[output.name]
        if genes.readout not in SPIKING_READOUTS:
            values = integrate(values, genes.tau_readout_steps)
        return read(values, genes.readout), values


class _Flow:
    """The values of one pass through a network.

    Attributes:
        values: of each node that was computed, ``T x N x shape``.
        membranes: of each layer of neurons.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        inputs: Tensor,
        tap: Tap | None,
        dropout: Dropout | None,
    ) -> None:
        self.values: dict[str, Tensor] = {INPUT: inputs}
        self.membranes: dict[str, Tensor] = {}
        self._parts: Mapping[str, nn.Module] = dict(network.parts.items())
        self._pairs = network.pairs
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


def _neurons_of(node: Node) -> NeuronGenes:
    assert isinstance(node.op, NeuronGenes)
    return node.op
