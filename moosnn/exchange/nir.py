"""A trained network as a graph of the Neuromorphic Intermediate Representation.

Knows: how the nodes of a network are connected, over time too. Must not know: what the
nodes are in NIR (`moosnn.exchange.nir_nodes`), studies, tasks, data.

NIR (Pedram et al., Nature Communications 2024) describes neurons by differential
equations. With a forward Euler step ``dt`` they are exactly ours, with these constants
(tau in steps, theta the threshold)::

    IF       dv/dt = R I                            R = 1 / dt
    LIF      tau_m dv/dt = (v_leak - v) + R I       tau_m = tau dt, R = tau, v_leak = 0
    CubaLIF  tau_s dI/dt = -I + w_in S, then LIF    tau_s = tau_syn dt, w_in = tau_syn

and ``v_reset = 0``. A plif exports as LIF with what it learned. NIR's neurons fire
*above* their threshold, ours from it on: ``v_threshold`` is the float32 next below
theta, so that both fire at the same values.

Batch norm is part of its convolution's weights. The sum of several nodes is several
edges into one. The maximum of spikes is 1 where their sum exceeds 1/2: SumPool2d and
Threshold. A node's number is its place in a step; an edge that closes a loop comes from
a node of a higher number and arrives one step later, and where no loop says so there is
a Delay. A convolution back in time has no bias, since what closes a loop starts at 0:
its bias enters through a convolution with weights of 0.

The graph takes what `moosnn.snn.coding` gives for a step and gives the output of a
step (of ``rate`` and ``first_spike`` spikes, else membranes); reading it over time is
left to whoever runs the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from moosnn.errors import ConfigError
from moosnn.exchange.nir_nodes import Translator, library
from moosnn.snn.blueprint import INPUT, Blueprint, Conv, Delay, Node, Sum
from moosnn.snn.layer import Neurons
from moosnn.snn.network import SpikingNetwork

STEP_S = 1e-4  # what other libraries assume if nobody tells them
OUTPUT = "output"


def save_nir(
    network: SpikingNetwork, path: Path | str, *, step_s: float = STEP_S
) -> None:
    """Write a network as an HDF5 file of NIR.

    Args:
        network: see `to_nir`.
        path: of the file; an existing one is replaced.
        step_s: see `to_nir`.

    Raises:
        ConfigError: as `to_nir`, or the file cannot be written.
    """
    graph = to_nir(network, step_s=step_s)
    try:
        library().write(str(path), graph)
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"nir: cannot write {path}: {reason}") from error


def to_nir(network: SpikingNetwork, *, step_s: float = STEP_S) -> Any:  # noqa: ANN401 -- nir is optional
    """Describe a network as an ``nir.NIRGraph``.

    Args:
        network: its norms are folded with what they learned, as in evaluation mode.
        step_s: the length of a time step in seconds, > 0; whoever runs the graph must
            use the same.

    Returns:
        The graph, from ``input`` to ``output``, with nodes named after those of the
        blueprint.

    Raises:
        ConfigError: the package is not installed, or NIR has no such neurons.
    """
    if not step_s > 0:
        raise ConfigError(f"step_s: expected > 0 seconds, got {step_s!r}.")
    wiring = _Wiring(network, Translator(network, step_s))
    plan = network.blueprint
    nodes = {
        INPUT: library().Input(np.array(plan.input_shape)),
        **dict(sorted(wiring.nodes.items())),
        OUTPUT: library().Output(np.array(plan.output.shape)),
    }
    return library().NIRGraph(nodes, wiring.edges, metadata={"step_s": step_s})


class _Wiring:
    """The nodes and edges of a graph.

    Attributes:
        nodes: by name, without input and output.
        edges: pairs of names.
    """

    def __init__(self, network: SpikingNetwork, translator: Translator) -> None:
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self._plan = network.blueprint
        self._by_name = {node.name: node for node in self._plan.nodes}
        self._translator = translator
        self._given: dict[str, str] = {INPUT: INPUT}  # blueprint's name to NIR's
        drawn = [n for n in self._plan.nodes if not isinstance(n.op, Sum | Delay)]
        for node in drawn:  # all of them first: an edge may come from a later one
            self._add(node)
        for node in drawn:
            self._connect(node)
        self._read_out(network.genes.tau_readout_steps)

    def _named(self, name: str, part: int = 0) -> str:
        """A name that sorts by place, since files forget the order."""
        place = list(self._by_name).index(name)
        return f"n{place:03d}{'abc'[part]}_{name}"

    def _add(self, node: Node) -> None:
        """A node; edges into it come later."""
        bias = not (isinstance(node.op, Conv) and self._closes_a_loop(node))
        row = self._translator.row(node, bias=bias)
        names = [self._named(node.name, part) for part in range(len(row))]
        self.nodes |= zip(names, row, strict=True)
        self.edges += pairwise(names)
        self._given[node.name] = names[-1]

    def _connect(self, node: Node) -> None:
        """The edges into a node."""
        first = self._named(node.name)
        self.edges += [(end, first) for end in self._ends(node.sources[0], node)]
        if isinstance(node.op, Conv) and self._closes_a_loop(node):
            self._bias_of_a_loop(node)

    def _ends(self, source: str, reader: Node) -> Iterator[str]:
        """The nodes of the graph that add up to what a node reads."""
        if source == INPUT:
            yield INPUT
            return
        node = self._by_name[source]
        match node.op:
            case Sum():
                for part in node.sources:
                    yield from self._ends(part, reader)
            case Delay() if not _reaches(self._plan, reader.name, node.sources[0]):
                yield self._explicit(node)
            case Delay():
                yield self._given[node.sources[0]]
            case _:
                yield self._given[source]

    def _explicit(self, node: Node) -> str:
        """A delay that no loop implies, shared by its readers."""
        name = self._named(node.name)
        if name not in self.nodes:
            self.nodes[name] = self._translator.delay(node.shape)
            self.edges.append((self._given[node.sources[0]], name))
        return name

    def _closes_a_loop(self, node: Node) -> bool:
        """Whether a node reads itself, through what follows it, one step ago."""
        late = self._by_name.get(node.sources[0])
        return (
            late is not None
            and isinstance(late.op, Delay)
            and _reaches(self._plan, node.name, late.sources[0])
        )

    def _bias_of_a_loop(self, node: Node) -> None:
        """Add a bias at every step, the first one included."""
        total = next(n for n in self._plan.nodes if node.name in n.sources)
        reader = next(n for n in self._plan.nodes if total.name in n.sources)
        forward = next(s for s in total.sources if not self._is_late(s))
        name = self._named(node.name, 1)
        self.nodes[name] = self._translator.bias(node)
        self.edges.append((next(self._ends(forward, reader)), name))
        self.edges.append((name, self._named(reader.name)))

    def _is_late(self, name: str) -> bool:
        """Whether a node reads nothing but spikes of the step before."""
        node = self._by_name[name]
        if isinstance(node.op, Delay):
            return True
        source = node.sources[0]
        return not isinstance(node.op, Neurons) and (
            source != INPUT and self._is_late(source)
        )

    def _read_out(self, tau_steps: float) -> None:
        """The edge to the output, from a membrane if the read-out has one."""
        output = self._plan.output
        last = self._given[output.name]
        if tau_steps > 1.0 and not isinstance(output.op, Neurons):
            name = self._named(output.name, 2)
            self.nodes[name] = self._translator.integrator(output.shape, tau_steps)
            self.edges.append((last, name))
            last = name
        self.edges.append((last, OUTPUT))


def _reaches(plan: Blueprint, start: str, end: str) -> bool:
    """Whether there is a way from a node to another, over time too."""
    reached, grown = {start}, True
    while grown and end not in reached:
        grown = False
        for node in plan.nodes:
            if node.name not in reached and reached & {*node.sources}:
                reached.add(node.name)
                grown = True
    return end in reached
