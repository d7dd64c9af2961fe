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
from moosnn.snn.blueprint import Blueprint
from moosnn.snn.coding import encode
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples

CHUNK = 512  # samples at once, at most
_CHUNK_ENTRIES = 1 << 24  # activations at once: bounds the memory, not the result


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Of ``n`` samples, on the CPU.

    Attributes:
        correct: ``n`` booleans.
        losses: ``n`` cross-entropies in nats.
        layer_spikes: ``n x layers`` counts over neurons and steps.
        stage_spikes: ``n x stages``, the same of the layers of a stage.
        near: ``n x stages`` see `moosnn.snn.silence.nearness`.
    """

    correct: Tensor
    losses: Tensor
    layer_spikes: Tensor
    stage_spikes: Tensor
    near: Tensor


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
    parts: list[tuple[Tensor, ...]] = []
    for chosen in torch.arange(len(samples)).split(_chunk(network)):
        inputs, labels = samples.batch(chosen)
        activity = network.observe(encode(inputs, network.genes, generator))
        parts.append(
            (
                activity.logits.argmax(1) == labels,
                F.cross_entropy(activity.logits, labels, reduction="none"),
                activity.layer_counts(),
                activity.stage_counts(),
                activity.stage_nearness(alpha),
            )
        )
    correct, losses, layers, stages, near = (
        torch.cat(column).cpu() for column in zip(*parts, strict=True)
    )
    if not (losses.isfinite().all() and near.isfinite().all()):
        raise DivergedError("the trained network's loss or membrane is not finite.")
    return Measurement(
        correct=correct,
        losses=losses,
        layer_spikes=layers,
        stage_spikes=stages,
        near=near,
    )


def _chunk(network: SpikingNetwork) -> int:
    """Samples at once."""
    shapes = network.blueprint.shapes.values()
    entries = network.genes.time_steps * sum(math.prod(shape) for shape in shapes)
    return max(1, min(CHUNK, _CHUNK_ENTRIES // entries))


def working_metrics(
    seen: Measurement, blueprint: Blueprint, time_steps: int
) -> tuple[dict[str, float], dict[str, float]]:
    """What only a network that was not stopped as silent has, and standard errors.

    The accuracy's standard error is binomial at (right + 1/2) / (n + 1), so that it is
    not 0 at an accuracy of 0 or 1; that of the spikes is their deviation over samples
    divided by sqrt(n).

    Args:
        seen: of at least two samples.
        blueprint: of the measured network.
        time_steps: T.

    Returns:
        ``accuracy`` and ``firing_rate`` (spikes of a neuron and step) in [0, 1],
        ``loss`` in nats, ``spikes_per_sample`` over all spiking layers and, as
        ``spikes_per_sample.k``, of the k-th; and the standard errors.
    """
    count = len(seen.correct)
    right = int(seen.correct.sum())
    loss = float(seen.losses.double().mean())
    spikes = seen.layer_spikes.double()
    total = spikes.sum(1)
    per_sample = float(total.mean())
    metrics = {
        "accuracy": right / count,
        "loss": loss,
        "spikes_per_sample": per_sample,
        "firing_rate": per_sample / (blueprint.neurons * time_steps),
        **{
            f"spikes_per_sample.{k}": float(layer.mean())
            for k, layer in enumerate(spikes.T, 1)
        },
    }
    smoothed = (right + 0.5) / (count + 1)
    sems = {
        "accuracy": math.sqrt(smoothed * (1.0 - smoothed) / count),
        "spikes_per_sample": float(total.std(correction=1)) / math.sqrt(count),
    }
    return metrics, sems
