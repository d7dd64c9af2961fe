"""Our operation counts beside those of the ``neurobench`` package, on the same nets.

Run by hand, where neurobench 2.3.0 is installed beside moosnn (it brings snntorch,
tonic, librosa and numba, so it is no dependency of the tests)::

    python -m tests.bench.neurobench_agreement

It prints a table and the lines of `GOLDEN`, against which the tests of operations check
the counts without neurobench. Each network is run by `Stepwise`, a plain torch
module that takes one step at a time and saves no work, so that NeuroBench's hooks hear
every connection at every step; it shares the weights with the network under test and
nothing of how that runs.

All weights are small whole numbers and every leak is a half, so no spike depends on
rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn.blueprint import (
    INPUT,
    Conv,
    Delay,
    Linear,
    Mean,
    Node,
    Pool,
    Shape,
    Sum,
)
from moosnn.snn.connections import Norm
from moosnn.snn.gene_names import DEFAULTS
from moosnn.snn.genes import Genes
from moosnn.snn.layer import Neurons
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import OperationCounter, hardware_of
from moosnn.space import Value

TIME_STEPS, SAMPLES, CLASSES = 4, 3, 3
THRESHOLD = 0.95  # no membrane can equal it: they are multiples of 1/16


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network and what goes into it.

    Attributes:
        shape: of a sample at a step.
        genes: that differ from the defaults.
        scales: of the batch norms' channels, in turn.
        brightest: of direct coding, the value of what is not 0.
    """

    shape: Shape
    genes: Mapping[str, Value]
    scales: tuple[float, ...] = (1.0, 0.5)
    brightest: float = 0.5


_CONV = {"architecture": "conv", "stem_channels": 3, "channels": 4, "depth": 1}
_SMALL = {"width_1": 7, "width_2": 5}
CASES: Mapping[str, Case] = {
    "linear, pruned": Case(shape=(11,), genes=_SMALL),
    "linear, direct coding": Case(shape=(11,), genes={**_SMALL, "coding": "direct"}),
    "linear, direct, 0 and 1": Case(
        shape=(11,), genes={**_SMALL, "coding": "direct"}, brightest=1.0
    ),
    "recurrent, skip": Case(
        shape=(11,), genes={**_SMALL, "recurrent": True, "skip_2": True}
    ),
    "conv, norm, max pool": Case(shape=(2, 5, 6), genes={**_CONV, "pool": True}),
    "conv 5, residual": Case(shape=(2, 5, 6), genes={**_CONV, "block": "residual_5"}),
    "conv, norm of scale 0": Case(shape=(2, 5, 6), genes=_CONV, scales=(1.0, 0.0, 0.5)),
    "cell, average, back": Case(
        shape=(2, 4, 4),
        genes={
            "architecture": "cell",
            "cells": 2,
            "cell_channels": 2,
            "edge_13": "average_3",
            "back_41": "conv_1",
        },
    ),
    "sew, stride, sums": Case(
        shape=(2, 5, 6),
        genes={"architecture": "sew", "depth": 2, "channels": 3, "blocks": 2},
    ),
    "sew, quiet sums": Case(
        shape=(2, 5, 6),
        genes={
            "architecture": "sew",
            "depth": 1,
            "channels": 3,
            "blocks": 2,
            "threshold": 3.95,
        },
    ),
}

# What neurobench 2.3.0 said: effective MACs, effective ACs and dense operations a
# sample; activation sparsity; connection sparsity; bytes; parameters.
GOLDEN: Mapping[str, tuple[float, ...]] = {
    "linear, pruned": (0.0, 162.333333, 508.0, 0.631944, 0.2047, 576, 142),
    "linear, direct coding": (106.666667, 50.666667, 508.0, 0.666667, 0.2047, 576, 142),
    "linear, direct, 0 and 1": (0.0, 166.666667, 508.0, 0.611111, 0.2047, 576, 142),
    "recurrent, skip": (0.0, 299.666667, 1024.0, 0.638889, 0.2109, 1092, 271),
    "conv, norm, max pool": (0.0, 6817.666667, 28576.0, 0.740152, 0.2011, 1712, 403),
    "conv 5, residual": (0.0, 16414.666667, 58944.0, 0.654798, 0.2007, 4768, 1159),
    "conv, norm of scale 0": (0.0, 5050.666667, 29728.0, 0.838889, 0.2012, 2864, 691),
    "cell, average, back": (0.0, 3523.666667, 15936.0, 0.749566, 0.2017, 5884, 1163),
    "sew, stride, sums": (
        5200.666667,
        7979.666667,
        42612.0,
        0.683903,
        0.1986,
        3412,
        783,
    ),
    "sew, quiet sums": (12.0, 2155.0, 34980.0, 0.991667, 0.199, 1820, 420),
}


def network_of(case: Case) -> SpikingNetwork:
    """The network of a case, with whole numbers as weights, some of them 0."""
    genes = Genes.from_params(
        {
            **DEFAULTS,
            "coding": "latency",
            "time_steps": TIME_STEPS,
            "threshold": THRESHOLD,
            **case.genes,
        }
    )
    network = SpikingNetwork(genes, case.shape, CLASSES, torch.Generator())
    with torch.no_grad():
        for salt, parameter in enumerate(network.parameters()):
            entries = torch.arange(parameter.numel())
            whole = (entries * 7 + entries // 3 + salt) % 5 - 2
            parameter.copy_(whole.reshape(parameter.shape))
        for module in network.modules():
            if isinstance(module, Norm):
                entries = torch.arange(len(module.scale))
                scales = torch.tensor(case.scales)
                module.scale.copy_(scales[entries % len(scales)])
                module.shift.copy_((entries % 3 - 1) * 0.25)
    return network.eval()


def inputs_of(case: Case) -> Tensor:
    """``T x N x …``: scattered spikes, or with direct coding one repeated step."""
    size = SAMPLES * TIME_STEPS
    shape = (TIME_STEPS, SAMPLES, *case.shape)
    entries = torch.arange(size * int(torch.tensor(case.shape).prod()))
    scattered = ((entries * 5 + entries // 7) % 3 == 0).float().reshape(shape)
    if case.genes.get("coding") == "direct":
        return (case.brightest * scattered[0]).expand(shape)
    return scattered


def counted(case: Case) -> tuple[float, float]:
    """Our MACs and ACs a sample."""
    network = network_of(case)
    counter = OperationCounter(network)
    with torch.no_grad():
        network.observe(inputs_of(case), tap=counter)
    acs, macs = counter.take()
    return float(macs.mean()), float(acs.mean())


class Lif(nn.Module):
    """Leaky neurons for one run; a module, so that NeuroBench can find it."""

    def __init__(self, decay: float, threshold: float) -> None:
        super().__init__()
        self._decay, self._threshold = decay, threshold
        self._membrane: Tensor | None = None

    def forward(self, current: Tensor) -> Tensor:
        """Spikes of one step."""
        before = 0.0 if self._membrane is None else self._decay * self._membrane
        membrane = before + current
        spikes = (membrane >= self._threshold).to(current.dtype)
        self._membrane = membrane * (1.0 - spikes)
        return spikes


class Stepwise(nn.Module):
    """All nodes of a network at each step, one after the other; for one run."""

    def __init__(self, network: SpikingNetwork) -> None:
        super().__init__()
        self.nodes = network.blueprint.nodes
        self.parts = nn.ModuleDict()
        for node in self.nodes:
            if isinstance(node.op, Neurons):
                leak = 1.0 / node.op.tau_mem_steps
                self.parts[node.name] = Lif(1.0 - leak, node.op.threshold)
            elif isinstance(node.op, Linear | Conv):
                self.parts[node.name] = network.parts[node.name]

    def forward(self, batch: Tensor) -> Tensor:
        """``N x classes`` means over time of ``N x T x …``."""
        before: dict[str, Tensor] = {}
        outputs = []
        for step in batch.unbind(1):
            now = {INPUT: step}
            for node in self.nodes:
                now[node.name] = self._value(node, now, before)
            outputs.append(now[self.nodes[-1].name])
            before = now
        return torch.stack(outputs).mean(0)

    def _value(
        self, node: Node, now: Mapping[str, Tensor], before: Mapping[str, Tensor]
    ) -> Tensor:
        if isinstance(node.op, Delay):
            lone = next(iter(now.values()))
            return before.get(node.sources[0], lone.new_zeros(len(lone), *node.shape))
        sources = [now[name] for name in node.sources]
        if isinstance(node.op, Pool | Mean | Sum):
            return _without_weights(node.op, sources)
        flat = isinstance(node.op, Linear)
        value: Tensor = self.parts[node.name](
            sources[0].flatten(1) if flat else sources[0]
        )
        return value


def _without_weights(op: Pool | Mean | Sum, sources: list[Tensor]) -> Tensor:
    match op:
        case Pool(kind="max", kernel=kernel, stride=stride):
            return F.max_pool2d(sources[0], kernel, stride)
        case Pool(kernel=kernel, stride=stride, padding=padding):
            return F.avg_pool2d(sources[0], kernel, stride, padding)
        case Mean():
            return sources[0].mean((2, 3))
        case Sum():
            return torch.stack(sources).sum(0)


def neurobench_says(case: Case) -> tuple[float, ...]:
    """A row of `GOLDEN`."""
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import (
        ConnectionSparsity,
        Footprint,
        ParameterCount,
    )
    from neurobench.metrics.workload import (
        ActivationSparsity,
        SynapticOperations,
    )
    from neurobench.models import TorchModel
    from torch.utils.data import DataLoader, TensorDataset

    network = network_of(case)
    batch = inputs_of(case).transpose(0, 1).contiguous()
    loader = DataLoader(TensorDataset(batch, torch.zeros(SAMPLES)), batch_size=SAMPLES)
    model = TorchModel(Stepwise(network))
    model.add_activation_module(Lif)
    metrics = [[], [ActivationSparsity, SynapticOperations]]
    with torch.no_grad():
        done = Benchmark(model, loader, [], [], metrics).run(quiet=True)
    module = TorchModel(network)  # what is stored is that of the network itself
    ops = done["SynapticOperations"]
    return (
        ops["Effective_MACs"],
        ops["Effective_ACs"],
        ops["Dense"],
        done["ActivationSparsity"],
        ConnectionSparsity()(module),
        Footprint()(module),
        ParameterCount()(module),
    )


def main() -> None:
    """Print the table and the golden values."""
    golden = {name: neurobench_says(case) for name, case in CASES.items()}
    print(f"{'':28}{'MACs':>20}{'ACs':>20}{'dense':>18}{'zero weights':>18}")
    print(
        f"{'':28}" + f"{'ours':>10}{'theirs':>10}" * 2 + f"{'ours':>9}{'theirs':>9}" * 2
    )
    for name, case in CASES.items():
        macs, acs = counted(case)
        static = hardware_of(network_of(case))
        theirs = golden[name]
        print(
            f"{name:28}{macs:10.2f}{theirs[0]:10.2f}{acs:10.2f}{theirs[1]:10.2f}"
            f"{static.dense_ops:9}{theirs[2]:9.0f}"
            f"{static.zero_weights / static.weights:9.4f}{theirs[4]:9.4f}"
        )
    for name, row in golden.items():
        print(f'    "{name}": {tuple(round(value, 6) for value in row)},')


if __name__ == "__main__":
    main()
