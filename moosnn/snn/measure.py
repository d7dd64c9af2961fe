"""What a network does on labelled samples: accuracy, loss, spikes, membranes.

Knows: how to run samples through a network and what to write down of each.
Must not know: learning, objectives, which split it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.coding import encode
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.silence import nearness

CHUNK = 512  # samples at once: bounds the memory, not the result


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Of ``n`` samples, on the CPU.

    Attributes:
        correct: ``n`` booleans.
        losses: ``n`` cross-entropies in nats.
        spikes: ``n x stages`` counts over neurons and steps.
        near: ``n x stages`` see `moosnn.snn.silence.nearness`.
    """

    correct: Tensor
    losses: Tensor
    spikes: Tensor
    near: Tensor


@torch.no_grad()
def measure(
    network: SpikingNetwork,
    inputs: Tensor,
    labels: Tensor,
    *,
    alpha: int,
    generator: torch.Generator,
) -> Measurement:
    """Run samples through a network.

    Args:
        network: on the device of the samples; not changed.
        inputs: ``n x features`` intensities in [0, 1], n >= 1.
        labels: ``n`` classes.
        alpha: spikes that make a sample not silent.
        generator: of the rate code, on the CPU.

    Raises:
        DivergedError: a loss or a membrane is not finite.
    """
    genes = network.genes
    parts: list[tuple[Tensor, ...]] = []
    chunks = torch.split(inputs, CHUNK), torch.split(labels, CHUNK)
    for chunk, targets in zip(*chunks, strict=True):
        coded = encode(chunk, genes.coding, genes.time_steps, generator)
        activity = network.observe(coded)
        near = [nearness(m, genes.threshold, alpha) for m in activity.membranes]
        parts.append(
            (
                activity.logits.argmax(1) == targets,
                F.cross_entropy(activity.logits, targets, reduction="none"),
                activity.spike_counts(),
                torch.stack(near, dim=1),
            )
        )
    correct, losses, spikes, nears = (
        torch.cat(column).cpu() for column in zip(*parts, strict=True)
    )
    if not (losses.isfinite().all() and nears.isfinite().all()):
        raise DivergedError("the trained network's loss or membrane is not finite.")
    return Measurement(correct=correct, losses=losses, spikes=spikes, near=nears)


def working_metrics(
    seen: Measurement, genes: Genes
) -> tuple[dict[str, float], dict[str, float]]:
    """What only a network that was not stopped as silent has, and standard errors.

    The accuracy's standard error is binomial at (right + 1/2) / (n + 1), so that it is
    not 0 at an accuracy of 0 or 1; that of the spikes is their deviation over samples
    divided by sqrt(n).

    Args:
        seen: of at least two samples.
        genes: of the measured network.

    Returns:
        ``accuracy`` and ``firing_rate`` (spikes of a neuron and step) in [0, 1],
        ``loss`` in nats, ``spikes_per_sample`` over all spiking layers and, as
        ``spikes_per_sample.k``, of the k-th; and the standard errors.
    """
    count = len(seen.correct)
    right = int(seen.correct.sum())
    loss = float(seen.losses.double().mean())
    spikes = seen.spikes.double()
    total = spikes.sum(1)
    per_sample = float(total.mean())
    metrics = {
        "accuracy": right / count,
        "loss": loss,
        "spikes_per_sample": per_sample,
        "firing_rate": per_sample / (sum(genes.widths) * genes.time_steps),
        **{
            f"spikes_per_sample.{k}": float(stage.mean())
            for k, stage in enumerate(spikes.T, 1)
        },
    }
    smoothed = (right + 0.5) / (count + 1)
    sems = {
        "accuracy": math.sqrt(smoothed * (1.0 - smoothed) / count),
        "spikes_per_sample": float(total.std(correction=1)) / math.sqrt(count),
    }
    return metrics, sems
