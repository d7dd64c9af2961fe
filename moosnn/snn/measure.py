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
from moosnn.snn.activity import Activity, Network, Stages
from moosnn.snn.coding import encode
from moosnn.snn.cost import Cost, per_sample_metrics, static_metrics
from moosnn.snn.counters import Counter, Tapped
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge, dead_neurons, first_spike_steps, saturation
from moosnn.snn.silence_steps import over_steps, step_metrics

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
        stage_steps: ``n x T x stages``, the same at each step.
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
    stage_steps: Tensor
    near: Tensor
    first_steps: Tensor
    latencies: Tensor
    neuron_spikes: tuple[Tensor, ...]
    stages: Stages
    time_steps: int
    cost: Cost

    @property
    def stage_rates(self) -> Tensor:
        """Spikes of a neuron and step, ``n x stages`` float64 in [0, 1]."""
        entries = torch.tensor(self.stage_neurons).double() * self.time_steps
        return self.stage_spikes.double() / entries

    @property
    def stage_neurons(self) -> list[int]:
        """How many each stage has."""
        return [sum(len(self.neuron_spikes[k]) for k in s) for s in self.stages]

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
    """Run samples through a network, see `measured`.

    Raises:
        DivergedError: a loss or a membrane is not finite.
    """
    entries = sum(math.prod(shape) for shape in network.blueprint.shapes.values())
    return measured(
        network,
        Tapped(network),
        samples,
        alpha=alpha,
        generator=generator,
        entries=entries,
    )


@torch.no_grad()
def measured(
    network: Network,
    counter: Counter,
    samples: Samples,
    *,
    alpha: int,
    generator: torch.Generator,
    entries: int,
) -> Measurement:
    """Run samples through a network.

    Args:
        network: on the device of the samples; its weights are not changed, and it is
            left in evaluation mode.
        counter: of the network, new.
        samples: one or more.
        alpha: spikes that make a sample not silent.
        generator: of the rate and population code, on the CPU.
        entries: activations of a sample at a step: bounds how many samples run at once.

    Raises:
        DivergedError: a loss or a membrane is not finite.
    """
    network.eval()
    time_steps = network.genes.time_steps
    at_once = max(1, min(CHUNK, _CHUNK_ENTRIES // (time_steps * entries)))
    parts: list[tuple[Tensor, ...]] = []
    fired: list[Tensor] = []
    stages: Stages = ()
    for chosen in torch.split(torch.arange(len(samples)), at_once):
        inputs, labels = samples.batch(chosen)
        seen = counter.observe(encode(inputs, network.genes, generator))
        stages = seen.stages
        parts.append(
            (
                seen.logits.argmax(1) == labels,
                F.cross_entropy(seen.logits, labels, reduction="none"),
                seen.stage_nearness(alpha),
                _latencies(seen, network.genes),
                *_counted(seen),
            )
        )
        totals = [layer.sum((0, 1)).flatten().double() for layer in seen.spikes]
        fired = [a + b for a, b in zip(fired, totals, strict=True)] if fired else totals
    correct, losses, near, latencies, layers, by_stage, first, steps = (
        torch.cat(column).cpu() for column in zip(*parts, strict=True)
    )
    if not (losses.isfinite().all() and near.isfinite().all()):
        raise DivergedError("the trained network's loss or membrane is not finite.")
    acs, macs = (count.cpu() for count in counter.operations())
    return Measurement(
        correct=correct,
        losses=losses,
        layer_spikes=layers,
        stage_spikes=by_stage,
        stage_steps=steps,
        near=near,
        first_steps=first,
        latencies=latencies,
        neuron_spikes=tuple(total.cpu() for total in fired),
        stages=stages,
        time_steps=time_steps,
        cost=Cost(acs=acs, macs=macs, hardware=counter.hardware()),
    )


def _counted(seen: Activity) -> tuple[Tensor, ...]:
    """``N x layers`` and ``N x stages`` spikes, first steps, spikes at each step."""
    steps = torch.stack([s.flatten(2).sum(2) for s in seen.spikes], 2)  # T x N x layers
    by_stage = torch.stack([steps[:, :, list(s)].sum(2) for s in seen.stages], 2)
    first = [first_spike_steps(stage.unsqueeze(2)) for stage in by_stage.unbind(2)]
    at_steps = by_stage.transpose(0, 1)
    return steps.sum(0), by_stage.sum(0), torch.stack(first, 1), at_steps


def _latencies(seen: Activity, genes: Genes) -> Tensor:
    """Steps until each sample's answer is known, ``N``."""
    time_steps = genes.time_steps
    if genes.readout == "first_spike" and seen.outputs is not None:
        return (first_spike_steps(seen.outputs) + 1).clamp(max=time_steps)
    return torch.full((len(seen.logits),), time_steps, device=seen.logits.device)


def edge_metrics(seen: Measurement, edge: Edge) -> Metrics:
    """What any network has, silent ones too: how near it is to either edge, its size.

    Args:
        seen: of at least one sample.
        edge: the stages that count, and beta.

    Returns:
        ``dead_fraction.k`` of the k-th stage, in [0, 1], and ``dead_fraction``, the
        largest; ``firing_rate_min``, the smallest rate of a stage, and
        ``saturation_rate`` (`moosnn.snn.silence.saturation`), spikes of a neuron and
        step, with ``.k`` of the k-th stage; `moosnn.snn.silence_steps.step_metrics`;
        and `moosnn.snn.cost.static_metrics`.
    """
    rates = edge.judged(seen.stage_rates)
    busy = [saturation(rate[:, None], edge.beta) for rate in seen.stage_rates.T]
    return {
        "firing_rate_min": float(rates.mean(0).min()),
        "saturation_rate": saturation(rates, edge.beta),
        "dead_fraction": float(edge.judged(seen.stage_dead[None]).max()),
        **_numbered("dead_fraction", seen.stage_dead),
        **_numbered("saturation_rate", torch.tensor(busy).double()),
        **step_metrics(over_steps(seen.stage_steps, seen.stage_neurons), edge),
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
