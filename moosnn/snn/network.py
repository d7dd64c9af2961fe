"""A spiking network: the nodes of a blueprint with weights.

Knows: how nodes become modules, and what is read out. Must not know: how values flow
from node to node, data sets, learning, silence, search, which architecture the
blueprint was drawn by.

There is no state between two calls.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moosnn.snn import sparse
from moosnn.snn.activity import Activity
from moosnn.snn.blueprint import Delay, Node, Shape
from moosnn.snn.connections import Dropout, built
from moosnn.snn.fixed import Decode
from moosnn.snn.flow import Flow, Tap, runs
from moosnn.snn.gene_names import SPIKING_READOUTS
from moosnn.snn.genes import Genes
from moosnn.snn.layer import Neurons as NeuronGenes
from moosnn.snn.readout import integrate, read


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
        self._sizes = shape, classes
        self._plan(genes)
        self.parts = nn.ModuleDict()
        looped = {n.name for run in self._runs if len(run) > 1 for n in run}
        for node in self.blueprint.nodes:
            steps = genes.time_steps if node.name in looped else 1
            part = built(node, self.blueprint, steps, generator)
            if part is not None:
                self.parts[node.name] = part

    def _plan(self, genes: Genes) -> None:
        """Everything that genes say of a network without its modules."""
        self.genes = genes
        self.blueprint = genes.blueprint(*self._sizes)
        self._runs = runs(self.blueprint)
        self.pairs = sparse.pairs(genes.rule, self.blueprint, self._runs)
        names = [node.name for node in self.blueprint.layers]
        self._stages = tuple(
            tuple(names.index(n) for n in stage) for stage in self.blueprint.stages
        )

    def sharing(self, genes: Genes) -> SpikingNetwork:
        """The network of other genes, of this one's modules and not of copies.

        Args:
            genes: of a network whose modules are all here under the same names.
        """
        network = SpikingNetwork(genes, *self._sizes, torch.Generator())
        network.narrow(genes, self.parts)
        return network

    def narrow(self, genes: Genes, parts: nn.ModuleDict | None = None) -> None:
        """Become the network of other genes; modules that it has not are gone.

        Args:
            genes: of a network whose modules are all in ``parts`` by their names.
            parts: ``None`` = the own ones.
        """
        held = self.parts if parts is None else parts
        self._plan(genes)
        names = [node.name for node in self.blueprint.nodes if node.name in held]
        self.parts = nn.ModuleDict({name: held[name] for name in names})

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
        parts = dict(self.parts.items())
        flow = Flow(parts, self.pairs, inputs, tap, dropout)
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

    def _read(self, flow: Flow) -> tuple[Tensor, Tensor | None]:
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


def _neurons_of(node: Node) -> NeuronGenes:
    assert isinstance(node.op, NeuronGenes)
    return node.op
