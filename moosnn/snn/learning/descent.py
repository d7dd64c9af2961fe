"""Training by the gradient of a loss: the loop of all rules that have one.

Knows: epochs, an optimizer, a loss, a checkpoint. Must not know: where gradients come
from; validation or test data, search.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity, Network
from moosnn.snn.coding import encode
from moosnn.snn.connections import Dropout
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.learning.progress import Progress
from moosnn.snn.learning.training import (
    Course,
    Fit,
    Observed,
    Tally,
    require_finite,
    shuffled,
)
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples

# (what a batch made the network do, its labels) -> the mean loss of the batch's answers
Loss = Callable[[Activity, Tensor], Tensor]
# (samples of a batch, its labels, what is random in the training) -> what the network
# did and the mean loss of its answers; the gradient is added to the weights' `grad`
Gradient = Callable[[Tensor, Tensor, torch.Generator], tuple[Observed, float]]
# (epochs done): called after every epoch; raises DivergedError if nothing is learned
AfterEpoch = Callable[[int], None]


def _nothing(epoch: int) -> None:
    pass


def descend(
    network: SpikingNetwork,
    samples: Samples,
    optimizer: torch.optim.Optimizer,
    course: Course,
    *,
    loss: Loss | None = None,
    after_epoch: AfterEpoch = _nothing,
) -> Fit:
    """Minimise a loss plus ``activity_penalty`` times the activity.

    See `follow`; the gradient is that of backpropagation.

    Args:
        network: as there, like all that is not below.
        samples: see there.
        optimizer: see there.
        course: see there.
        loss: of the answers; ``None`` = the one that the genes name.
        after_epoch: see there.

    Raises:
        DivergedError: the loss or a weight is not finite.
        ReleasedError: see there.
    """
    gradient = partial(backpropagated, network, loss)
    return follow(
        network,
        samples,
        optimizer,
        course,
        gradient=gradient,
        after_epoch=after_epoch,
    )


def follow(
    network: Network,
    samples: Samples,
    optimizer: torch.optim.Optimizer,
    course: Course,
    *,
    gradient: Gradient,
    after_epoch: AfterEpoch = _nothing,
) -> Fit:
    """Take steps against a gradient.

    Batches are shuffled anew for each epoch.

    Args:
        network: as in `moosnn.snn.learning.training.Rule`, like all that is not below.
        samples: the training split.
        optimizer: of the network's weights.
        course: see there.
        gradient: of a batch, for weights without a gradient before.
        after_epoch: called after every epoch.

    Raises:
        DivergedError: the loss or a weight is not finite.
        ReleasedError: see there.
    """
    genes, generator, watch = network.genes, course.generator, course.watch
    network.train()
    state = Progress.begun(network, samples, course, optimizer)
    while state.epoch < genes.epochs:
        course.checkpoint.offer(state.saved)
        state.epoch += 1
        tally = Tally(len(network.blueprint.stages))
        for chosen in shuffled(len(samples), genes.batch_size, generator):
            seen = _update(state, samples, chosen, gradient, tally)
            state.fit = state.fit.after(chosen)
            last = state.fit.updates == state.fit.planned
            if not last and watch.update(seen) and _is_silent(state, samples):
                require_finite(network, state.epoch)
                return replace(state.fit, stopped="silent")
        require_finite(network, state.epoch)
        after_epoch(state.epoch)
        if course.on_epoch(state.epoch, tally.metrics()) and state.epoch < genes.epochs:
            return replace(state.fit, stopped="pruned")
    return state.fit


@dataclass(frozen=True, slots=True)
class Together:
    """What several batches made a network do; a `moosnn.snn.silence.Seen`."""

    batches: list[Activity]

    def stage_counts(self) -> Tensor:
        """``n x stages``."""
        return torch.cat([batch.stage_counts() for batch in self.batches])

    def stage_nearness(self, alpha: int) -> Tensor:
        """``n x stages``."""
        return torch.cat([batch.stage_nearness(alpha) for batch in self.batches])


def _is_silent(state: Progress[Network], samples: Samples) -> bool:
    """Whether a network that was called silent is so where nothing drops out.

    It will be judged by the same samples.
    """
    network, genes = state.network, state.network.genes
    if not genes.dropout:
        return True
    twin = torch.Generator().manual_seed(state.fit.updates)  # the training's stays
    network.eval()
    with torch.no_grad():
        batches = [
            network.observe(encode(samples.batch(chosen)[0], genes, twin))
            for chosen in torch.split(state.fit.recent, genes.batch_size)
        ]
    network.train()
    return state.watch.agrees(Together(batches))


def _update(
    state: Progress[Network],
    samples: Samples,
    chosen: Tensor,
    gradient: Gradient,
    tally: Tally,
) -> Observed:
    """One step of the optimizer; what the network did before it."""
    assert state.optimizer is not None
    inputs, labels = samples.batch(chosen)
    state.optimizer.zero_grad()
    observed, answers = gradient(inputs, labels, state.generator)
    state.optimizer.step()
    tally.add(observed, labels, answers)
    return observed


def backpropagated(
    network: SpikingNetwork,
    loss: Loss | None,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
) -> tuple[Observed, float]:
    """See `Gradient`."""
    genes = network.genes
    coded = encode(inputs, genes, generator)
    dropout = Dropout(genes.dropout, generator) if genes.dropout else None
    activity = network.observe(coded, dropout=dropout)
    return activity, pull(network, activity, labels, loss)


def pull(
    network: Network, activity: Activity, labels: Tensor, loss: Loss | None = None
) -> float:
    """Add the gradient of what a batch made a network do to that of its weights.

    Args:
        network: that learns.
        activity: of the batch.
        labels: ``N`` classes.
        loss: of the answers; ``None`` = the one that the genes name.

    Returns:
        The mean loss of the answers.

    Raises:
        DivergedError: the loss is not finite.
    """
    genes = network.genes
    answers = (
        answer_loss(activity, labels, genes.loss)
        if loss is None
        else loss(activity, labels)
    )
    penalty = activity_penalty(
        activity.layer_counts(), network.blueprint, genes.time_steps, genes.regulariser
    )
    total = answers + genes.activity_penalty * penalty
    require_finite_loss(float(total.detach()), genes.learning_rate)
    total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return float(answers.detach())


def require_finite_loss(loss: float, learning_rate: float) -> None:
    """Nothing can be learned from a loss that is no number.

    Raises:
        DivergedError: with the loss and the learning rate.
    """
    if not math.isfinite(loss):
        raise DivergedError(
            f"the loss became {loss} (learning_rate={learning_rate:g})."
        )
