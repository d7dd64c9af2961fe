"""What a network does on labelled samples: accuracy, spikes, membranes, operations.

Knows: how to run samples through a network and what to write down of each.
Must not know: learning, objectives, which split it is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.coding import encode
from moosnn.snn.cost import Cost, per_sample_metrics, static_metrics
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import OperationCounter, hardware_of
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge, dead_neurons, first_spike_steps, saturation

CHUNK = 512  # samples at once, at most
_CHUNK_ENTRIES = 1 << 24  # activations at once: bounds the memory, not the result

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Of ``n`` samples, on the CPU.

    Attributes:
        correct: ``n`` booleans.
        losses: ``n`` cross-entropies in nats.
        layer_spikes: ``n x layers`` counts over neurons and steps.
        stage_spikes: ``n x stages``, the same of the layers of a stage.
        near: ``n x stages`` see `moosnn.snn.silence.nearness`.
        first_steps: ``n x stages``, see `moosnn.snn.silence.first_spike_steps`.
        latencies: ``n`` steps until the answer, 1 to T.
        neuron_spikes: of each layer, how often each neuron fired on all samples.
        stages: the layers of each stage, as positions in ``neuron_spikes``.
        time_steps: T.
        cost: what each sample cost.
    """

    correct: Tensor
    losses: Tensor
    layer_spikes: Tensor
    stage_spikes: Tensor
    near: Tensor
    first_steps: Tensor
    latencies: Tensor
    neuron_spikes: tuple[Tensor, ...]
    stages: tuple[tuple[int, ...], ...]
    time_steps: int
    cost: Cost

    @property
    def stage_rates(self) -> Tensor:
        """Spikes of a neuron and step, ``n x stages`` float64 in [0, 1]."""
        sizes = [sum(len(self.neuron_spikes[k]) for k in s) for s in self.stages]
        entries = torch.tensor(sizes, dtype=torch.float64) * self.time_steps
        return self.stage_spikes.double() / entries

    @property
    def stage_dead(self) -> Tensor:
        """The share of each stage's neurons that fired on no sample, ``stages``."""
        merged = [torch.cat([self.neuron_spikes[k] for k in s]) for s in self.stages]
        return torch.tensor([dead_neurons(m[None]) for m in merged]).double()


@torch.no_grad()
def measure(
    network: SpikingNetwork,
    samples: Samples,
    *,
    alpha: int,
    generator: torch.Generator,
) -> Measurement:
    """Run samples through a network.

    Args:
        network: on the device of the samples; its weights are not changed, and it is
            left in evaluation mode.
        samples: one or more.
        alpha: spikes that make a sample not silent.
        generator: of the rate and population code, on the CPU.

    Raises:
        DivergedError: a loss or a membrane is not finite.
    """
    network.eval()
    counter = OperationCounter(network)
    parts: list[tuple[Tensor, ...]] = []
    fired: list[Tensor] = []
    stages: tuple[tuple[int, ...], ...] = ()
    for chosen in torch.split(torch.arange(len(samples)), _chunk(network)):
        inputs, labels = samples.batch(chosen)
        coded = encode(inputs, network.genes, generator)
        seen = network.observe(coded, tap=counter)
        stages = seen.stages
        parts.append(
            (
                seen.logits.argmax(1) == labels,
                F.cross_entropy(seen.logits, labels, reduction="none"),
                seen.stage_nearness(alpha),
                _latencies(seen, network),
                *_counted(seen),
                *counter.take(),
            )
        )
        totals = [layer.sum((0, 1)).flatten().double() for layer in seen.spikes]
        fired = [a + b for a, b in zip(fired, totals, strict=True)] if fired else totals
    correct, losses, near, latencies, layers, by_stage, first, acs, macs = (
        torch.cat(column).cpu() for column in zip(*parts, strict=True)
    )
    if not (losses.isfinite().all() and near.isfinite().all()):
        raise DivergedError("the trained network's loss or membrane is not finite.")
    return Measurement(
        correct=correct,
        losses=losses,
        layer_spikes=layers,
        stage_spikes=by_stage,
        near=near,
        first_steps=first,
        latencies=latencies,
        neuron_spikes=tuple(total.cpu() for total in fired),
        stages=stages,
        time_steps=network.genes.time_steps,
        cost=Cost(acs=acs, macs=macs, hardware=hardware_of(network)),
    )


def _counted(seen: Activity) -> tuple[Tensor, Tensor, Tensor]:
    """``N x layers`` and ``N x stages`` spikes, and ``N x stages`` first steps."""
    steps = torch.stack([s.flatten(2).sum(2) for s in seen.spikes], 2)  # T x N x layers
    by_stage = torch.stack([steps[:, :, list(s)].sum(2) for s in seen.stages], 2)
    first = [first_spike_steps(stage.unsqueeze(2)) for stage in by_stage.unbind(2)]
    return steps.sum(0), by_stage.sum(0), torch.stack(first, 1)


def _latencies(seen: Activity, network: SpikingNetwork) -> Tensor:
    """Steps until each sample's answer is known, ``N``."""
    time_steps = network.genes.time_steps
    if network.genes.readout == "first_spike" and seen.outputs is not None:
        return (first_spike_steps(seen.outputs) + 1).clamp(max=time_steps)
    return torch.full((len(seen.logits),), time_steps, device=seen.logits.device)


def _chunk(network: SpikingNetwork) -> int:
    """Samples at once."""
    shapes = network.blueprint.shapes.values()
    entries = network.genes.time_steps * sum(math.prod(shape) for shape in shapes)
    return max(1, min(CHUNK, _CHUNK_ENTRIES // entries))


def edge_metrics(seen: Measurement, edge: Edge) -> Metrics:
    """What any network has, silent ones too: how near it is to either edge, its size.

    Args:
        seen: of at least one sample.
        edge: the stages that count, and beta.

    Returns:
        ``dead_fraction.k`` of the k-th stage, in [0, 1], and ``dead_fraction``, the
        largest; ``firing_rate_min``, the smallest rate of a stage, and
        ``saturation_rate`` (`moosnn.snn.silence.saturation`), spikes of a neuron and
        step; and `moosnn.snn.cost.static_metrics`.
    """
    rates = edge.judged(seen.stage_rates)
    return {
        "firing_rate_min": float(rates.mean(0).min()),
        "saturation_rate": saturation(rates, edge.beta),
        "dead_fraction": float(edge.judged(seen.stage_dead[None]).max()),
        **_numbered("dead_fraction", seen.stage_dead),
        **static_metrics(seen.cost.hardware),
    }


def working_metrics(seen: Measurement) -> tuple[Metrics, Metrics]:
    """What only a network that was not stopped as silent has, and standard errors.

    The accuracy's standard error is binomial at (right + 1/2) / (n + 1), so that it is
    not 0 at an accuracy of 0 or 1; that of any other mean over samples is their
    deviation divided by sqrt(n).

    Args:
        seen: of at least two samples.

    Returns:
        ``accuracy``; ``loss`` in nats; ``spikes_per_sample`` over all spiking layers
        and, as ``spikes_per_sample.k``, of the k-th; ``firing_rate`` (spikes of a
        neuron and step) over all layers and, as ``firing_rate.k``, of the k-th stage;
        ``activation_sparsity``, 1 - ``firing_rate``; ``first_spike_step.k`` of the
        k-th stage, counted from 0, T if it stays silent; ``latency_steps`` until the
        answer; and `moosnn.snn.cost.per_sample_metrics`. And the standard errors of
        what is of the whole network.
    """
    count = len(seen.correct)
    total = seen.layer_spikes.double().sum(1)
    entries = sum(map(len, seen.neuron_spikes)) * seen.time_steps
    metrics, sems = _means(
        {
            "loss": seen.losses,
            "spikes_per_sample": total,
            "firing_rate": total / entries,
            "activation_sparsity": 1.0 - total / entries,
            "latency_steps": seen.latencies,
            **per_sample_metrics(seen.cost),
            **_columns("spikes_per_sample", seen.layer_spikes),
            **_columns("firing_rate", seen.stage_rates),
            **_columns("first_spike_step", seen.first_steps),
        }
    )
    right = int(seen.correct.sum())
    smoothed = (right + 0.5) / (count + 1)
    accuracy_sem = math.sqrt(smoothed * (1.0 - smoothed) / count)
    return (
        {"accuracy": right / count, **metrics},
        {"accuracy": accuracy_sem, **sems},
    )


def _means(per_sample: Mapping[str, Tensor]) -> tuple[Metrics, Metrics]:
    """The mean of each over samples, and the standard error of whole networks'."""
    table = torch.stack([values.double() for values in per_sample.values()], dim=1)
    sems = table.std(0, correction=1) / math.sqrt(len(table))
    return (
        dict(zip(per_sample, table.mean(0).tolist(), strict=True)),
        {
            name: sem
            for name, sem in zip(per_sample, sems.tolist(), strict=True)
            if "." not in name  # of single layers they would fill the journal
        },
    )


def _columns(name: str, table: Tensor) -> dict[str, Tensor]:
    return {f"{name}.{k}": column for k, column in enumerate(table.T, 1)}


def _numbered(name: str, values: Tensor) -> Metrics:
    return {f"{name}.{k}": value for k, value in enumerate(values.tolist(), 1)}
