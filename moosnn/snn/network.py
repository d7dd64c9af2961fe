"""A plain spiking network: layers of spiking neurons and a read-out that never spikes.

Knows: how genes become connections and neurons, and what flows through them.
Must not know: data sets, learning, silence, search.

The read-out's membrane is its input current at each step, and the logits are its mean
over time. The read-out is linear, so that mean is the read-out of the mean spikes: the
same value for a T-th of the work. Each spiking layer is a *stage*: every path from the
input to the read-out crosses it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from moosnn.snn.genes import Genes
from moosnn.snn.neuron import Neurons


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a batch made a network do.

    Attributes:
        logits: ``N x classes``.
        spikes: of each stage, ``T x N x width``, each 0 or 1.
        membranes: of each stage before reset, ``T x N x width``; no gradient.
    """

    logits: Tensor
    spikes: tuple[Tensor, ...]
    membranes: tuple[Tensor, ...]

    def spike_counts(self) -> Tensor:
        """Spikes of each sample in each stage, ``N x stages``, differentiable."""
        return torch.stack([s.sum((0, 2)) for s in self.spikes], dim=1)


class SpikingNetwork(nn.Module):
    """Linear and spiking neurons for each layer, then a linear read-out.

    Weights and biases start uniform in ``+-1 / sqrt(inputs)``, torch's own default,
    but drawn from ``generator``: the global generator is never touched.

    Args:
        genes: widths, neuron types and their constants.
        features: inputs of a step.
        classes: outputs.
        generator: on the CPU.
    """

    def __init__(
        self, genes: Genes, features: int, classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.genes = genes
        sizes = (features, *genes.widths)
        self.connections = nn.ModuleList(
            _linear(inputs, outputs, generator) for inputs, outputs in pairwise(sizes)
        )
        self.neurons = nn.ModuleList(
            Neurons(
                kind,
                tau_mem_steps=genes.tau_mem_steps,
                threshold=genes.threshold,
                surrogate=genes.surrogate,
                slope=genes.slope,
            )
            for kind in genes.neurons
        )
        self.readout = _linear(sizes[-1], classes, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """``N x classes`` logits of ``T x N x features`` inputs, from the membrane 0.

        No state survives a call: equal batches give equal logits.
        """
        return self.observe(inputs).logits

    def observe(self, inputs: Tensor) -> Activity:
        """Run ``T x N x features`` inputs and keep what every stage did."""
        spikes: list[Tensor] = []
        membranes: list[Tensor] = []
        flow = inputs
        for connection, neurons in zip(self.connections, self.neurons, strict=True):
            flow, membrane = neurons(_current(connection, flow))
            spikes.append(flow)
            membranes.append(membrane)
        logits = self.readout(flow.mean(dim=0))
        return Activity(logits=logits, spikes=tuple(spikes), membranes=tuple(membranes))

    def parameter_count(self) -> int:
        """Number of learnable scalars."""
        return sum(p.numel() for p in self.parameters())


def predicted_parameters(genes: Genes, features: int, classes: int) -> int:
    """`SpikingNetwork.parameter_count` without building the network.

    Every connection has ``(inputs + 1) x outputs`` weights and biases, and a PLIF
    layer one time constant.
    """
    sizes = (features, *genes.widths, classes)
    linear = sum((i + 1) * o for i, o in pairwise(sizes))
    return linear + genes.neurons.count("plif")


def _current(connection: nn.Module, flow: Tensor) -> Tensor:
    """The connection's output at each step; once for a view that repeats one step."""
    if flow.stride(0) == 0:
        once: Tensor = connection(flow[0])
        return once.expand(len(flow), *once.shape)
    current: Tensor = connection(flow)
    return current


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    linear: nn.Linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]  # torch
        nn.Linear, inputs, outputs
    )
    bound = 1.0 / math.sqrt(inputs)
    with torch.no_grad():
        linear.weight.uniform_(-bound, bound, generator=generator)
        linear.bias.uniform_(-bound, bound, generator=generator)
    return linear
