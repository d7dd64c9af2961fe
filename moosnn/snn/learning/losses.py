"""What a training minimises: a loss of the answers and a penalty on activity.

Knows: logits, spikes, wanted spikes, fan-outs. Must not know: optimizers, data sets,
epochs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.activity import Activity, Outline
from moosnn.snn.blueprint import Blueprint
from moosnn.snn.gene_names import LOSSES, REGULARISERS
from moosnn.snn.neuron import State
from moosnn.snn.srm import Alpha

SPIKES_A_PENALTY = 100.0  # the unit of `spikes`: so many spikes of a sample
SYNOPS_A_PENALTY = 10_000.0  # the unit of `synops`
HALF = 0.5  # spikes are due from so much of one on


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


def spike_count(spikes: Tensor, targets: Tensor) -> Tensor:
    """How far output neurons are from wanted spike counts, the mean over samples.

    The difference of counts, divided by T, is the error at each of the T steps; half
    of its square is summed over steps and classes (Shrestha & Orchard 2018).

    Args:
        spikes: ``T x N x classes``, each 0 or 1.
        targets: ``N x classes`` wanted spikes of a step, in [0, 1].
    """
    error = spikes.mean(0) - targets
    return error.square().sum(1).mean() * (len(spikes) / 2)


def spike_time(spikes: Tensor, targets: Tensor, tau_steps: float) -> Tensor:
    """How far output spikes are from regular ones, the mean over samples.

    Half the squared difference of the responses to the spikes and to the wanted ones,
    summed over steps and classes (van Rossum 2001; Shrestha & Orchard 2018).

    Args:
        spikes: ``T x N x classes``, each 0 or 1.
        targets: ``N x classes`` wanted spikes of a step, see `regular`.
        tau_steps: of the response, see `moosnn.snn.srm`, > 0.
    """
    missed = spikes - regular(targets, len(spikes))
    response = Alpha(tau_steps)
    state: State = (torch.zeros_like(missed[0]),) * 2
    total = missed.new_zeros(())
    for step in missed:
        felt, state = response.respond(step, state)
        total = total + felt.square().sum(1).mean()
    return total / 2


def spike_max(spikes: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of output spike counts, in nats, the mean over samples.

    Args:
        spikes: ``T x N x classes``, each 0 or 1.
        labels: ``N`` classes.
    """
    return F.cross_entropy(spikes.sum(0), labels)


def regular(rates: Tensor, steps: int) -> Tensor:
    """Spikes as evenly spaced as steps allow, the rate times T of them, rounded.

    Args:
        rates: spikes of a step, in [0, 1], any shape.
        steps: T >= 1.

    Returns:
        ``T x …``, each 0 or 1.
    """
    until = torch.arange(steps + 1, device=rates.device, dtype=rates.dtype)
    due = (until.reshape(-1, *[1] * rates.ndim) * rates + HALF).floor()
    return due[1:] - due[:-1]


def activity_penalty(
    counts: Tensor, blueprint: Outline, time_steps: int, regulariser: str
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
            assert isinstance(blueprint, Blueprint)  # others are not offered it
            reached = [blueprint.fan_out(node.name) for node in layers]
            return (counts @ torch.as_tensor(reached).to(counts)).mean() / (
                SYNOPS_A_PENALTY
            )
        case _:
            hint = nearest(regulariser, REGULARISERS)
            raise ConfigError(f"regulariser: got {regulariser!r}.{hint}")
