"""What a training minimises: a loss of the answers and a penalty on activity.

Knows: logits, spikes, fan-outs. Must not know: optimizers, data sets, epochs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.activity import Activity
from moosnn.snn.blueprint import Blueprint
from moosnn.snn.genes import LOSSES, REGULARISERS

SPIKES_A_PENALTY = 100.0  # the unit of `spikes`: so many spikes of a sample
SYNOPS_A_PENALTY = 10_000.0  # the unit of `synops`


def answer_loss(activity: Activity, labels: Tensor, loss: str) -> Tensor:
    """How wrong the answers are, the mean over samples.

    ``cross_entropy``: of the logits, in nats. ``mse``: the mean over classes of the
    squared difference of logits and 1 for the right class, 0 for the others.
    ``tet``: the cross-entropy of the output at each step, averaged over steps
    (temporal efficient training without its regulariser; Deng et al. 2022, eq. 9).

    Args:
        activity: of ``N`` samples; for ``tet`` with outputs.
        labels: ``N`` classes.
        loss: one of `LOSSES`.

    Raises:
        ConfigError: an unknown loss.
    """
    match loss:
        case "cross_entropy":
            return F.cross_entropy(activity.logits, labels)
        case "mse":
            wanted = F.one_hot(labels, activity.logits.shape[1])
            return F.mse_loss(activity.logits, wanted.to(activity.logits.dtype))
        case "tet":
            assert activity.outputs is not None
            steps = activity.outputs.flatten(0, 1)
            return F.cross_entropy(steps, labels.repeat(len(activity.outputs)))
        case _:
            raise ConfigError(f"loss: got {loss!r}.{nearest(loss, LOSSES)}")


def activity_penalty(
    counts: Tensor, blueprint: Blueprint, time_steps: int, regulariser: str
) -> Tensor:
    """How much a network did, the mean over samples, before its weight.

    ``spikes``: spikes of a sample over all layers, in hundreds. ``rate``: the firing
    rate (spikes of a neuron and step), summed over layers, so that a wide layer costs
    no more than a narrow one. ``synops``: spikes times the synapses that they reach,
    in ten thousands.

    Args:
        counts: ``N x layers`` spikes, differentiable.
        blueprint: of the network.
        time_steps: T.
        regulariser: one of `REGULARISERS`.

    Raises:
        ConfigError: an unknown regulariser.
    """
    layers = blueprint.layers
    match regulariser:
        case "spikes":
            return counts.sum(1).mean() / SPIKES_A_PENALTY
        case "rate":
            sizes = [math.prod(node.shape) * time_steps for node in layers]
            return (counts / counts.new_tensor(sizes)).sum(1).mean()
        case "synops":
            reached = [blueprint.fan_out(node.name) for node in layers]
            return (counts @ torch.as_tensor(reached).to(counts)).mean() / (
                SYNOPS_A_PENALTY
            )
        case _:
            hint = nearest(regulariser, REGULARISERS)
            raise ConfigError(f"regulariser: got {regulariser!r}.{hint}")
