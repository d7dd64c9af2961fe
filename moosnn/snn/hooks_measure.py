"""What somebody's network does on labelled samples.

Knows: how to run samples through it and what to write down of each. Must not know:
learning, objectives, which split it is given. What becomes of the measurement is
`moosnn.snn.measure`'s and `moosnn.snn.silence`'s: all metrics mean the same.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from moosnn.errors import ConfigError, DivergedError
from moosnn.snn.activity import stage_counts
from moosnn.snn.coding import encode
from moosnn.snn.cost import Cost
from moosnn.snn.gene_names import SPIKING_READOUTS
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.snn.hooks_operations import ConnectionCounter
from moosnn.snn.hooks_record import Recorded
from moosnn.snn.measure import Measurement
from moosnn.snn.metrics import Metrics, metrics_from
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge, first_spike_steps

_CHUNK = 512  # samples at once, at most
_CHUNK_ENTRIES = 1 << 24  # activations at once: bounds the memory, not the result


def metrics_of(
    network: HookedNetwork,
    samples: Samples,
    edge: Edge,
    generator: torch.Generator,
    *,
    answered: bool,
) -> tuple[Metrics, Metrics]:
    """Measure a network, see `moosnn.snn.metrics.metrics_of`.

    Raises:
        DivergedError: a loss or a membrane is not finite.
        ConfigError: a spiking module gave something else than 0 and 1.
    """
    seen = measure(network, samples, alpha=edge.alpha, generator=generator)
    return metrics_from(
        seen, edge, parameters=network.blueprint.parameters, answered=answered
    )


@torch.no_grad()
def measure(
    network: HookedNetwork,
    samples: Samples,
    *,
    alpha: int,
    generator: torch.Generator,
) -> Measurement:
    """Run samples through a network, see `moosnn.snn.measure.measure`.

    Raises:
        DivergedError: a loss or a membrane is not finite.
        ConfigError: a spiking module gave something else than 0 and 1.
    """
    network.eval()
    counter = ConnectionCounter(network)
    parts: list[tuple[Tensor, ...]] = []
    fired: list[Tensor] = []
    try:
        for chosen in torch.split(torch.arange(len(samples)), _chunk(network)):
            inputs, labels = samples.batch(chosen)
            counter.begin(len(labels))
            seen = network.observe(encode(inputs, network.genes, generator))
            counter.end()
            _require_spikes(seen, network)
            parts.append(_noted(seen, labels, network, alpha))
            sums = [layer.sum((0, 1)).flatten().double() for layer in seen.spikes]
            fired = [a + b for a, b in zip(fired, sums, strict=True)] if fired else sums
    finally:
        counter.close()
    correct, losses, near, latencies, layers, by_stage, first = (
        torch.cat(column).cpu() for column in zip(*parts, strict=True)
    )
    if not (losses.isfinite().all() and near.isfinite().all()):
        raise DivergedError("the trained network's loss or membrane is not finite.")
    acs, macs = counter.operations()
    return Measurement(
        correct=correct,
        losses=losses,
        layer_spikes=layers,
        stage_spikes=by_stage,
        near=near,
        first_steps=first,
        latencies=latencies,
        neuron_spikes=tuple(total.cpu() for total in fired),
        stages=network.blueprint.stages,
        time_steps=network.genes.time_steps,
        cost=Cost(acs=acs.cpu(), macs=macs.cpu(), hardware=counter.hardware()),
    )


def _noted(
    seen: Recorded, labels: Tensor, network: HookedNetwork, alpha: int
) -> tuple[Tensor, ...]:
    """What is kept of each sample of a batch."""
    steps = torch.stack([s.flatten(2).sum(2) for s in seen.spikes], 2)  # T x N x layers
    by_stage = torch.stack([steps[:, :, list(s)].sum(2) for s in seen.stages], 2)
    first = [first_spike_steps(stage.unsqueeze(2)) for stage in by_stage.unbind(2)]
    counts = steps.sum(0)
    return (
        seen.logits.argmax(1) == labels,
        F.cross_entropy(seen.logits, labels, reduction="none"),
        seen.stage_nearness(alpha),
        _latencies(seen, network),
        counts,
        stage_counts(counts, seen.stages),
        torch.stack(first, 1),
    )


def _latencies(seen: Recorded, network: HookedNetwork) -> Tensor:
    """Steps until each sample's answer is known, ``N``."""
    steps = network.genes.time_steps
    if network.genes.readout == SPIKING_READOUTS[-1] and seen.outputs is not None:
        return (first_spike_steps(seen.outputs) + 1).clamp(max=steps)
    return torch.full((len(seen.logits),), steps, device=seen.logits.device)


def _require_spikes(seen: Recorded, network: HookedNetwork) -> None:
    for layer, spikes in zip(network.blueprint.layers, seen.spikes, strict=True):
        odd = spikes[(spikes != 0) & (spikes != 1)]
        if not len(odd):
            continue
        if not spikes.isfinite().all():
            raise DivergedError(f"the spikes of {layer.name} are not finite.")
        raise ConfigError(
            f"task.factory: the spiking module {layer.name} gave {float(odd[0]):g}: "
            "expected spikes, each 0 or 1; graded spikes are not counted."
        )


def _chunk(network: HookedNetwork) -> int:
    """Samples at once."""
    outline = network.blueprint
    entries = math.prod(network.coded_shape) + outline.neurons
    return max(1, min(_CHUNK, _CHUNK_ENTRIES // (network.genes.time_steps * entries)))
