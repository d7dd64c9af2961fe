"""Backpropagation through time with surrogate gradients.

Knows: one training loop. Must not know: validation or test data, files, search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.coding import encode
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.silence import Watch

SPIKES_A_PENALTY = 100.0  # the penalty's unit: so many spikes of a sample
RECENT = 256  # samples remembered for judging a network that was stopped

# (epochs done, metrics of the epoch's batches) -> stop?
OnEpoch = Callable[[int, Mapping[str, float]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a training went.

    Attributes:
        updates: done.
        planned: updates of the full training, >= 1.
        recent: indices of the last samples seen, at most 256, in order.
        stopped: ``None``, ``"silent"`` (by the watch) or ``"pruned"`` (by the caller).
    """

    updates: int
    planned: int
    recent: Tensor
    stopped: str | None

    @property
    def work_saved(self) -> float:
        """The share of planned updates that was not run, in [0, 1)."""
        return 1.0 - self.updates / self.planned


@dataclass(slots=True)
class _Tally:
    """Sums over the batches of one epoch."""

    samples: int = 0
    correct: int = 0
    loss: float = 0.0
    spikes: float = 0.0

    def metrics(self) -> dict[str, float]:
        """Means over the epoch's samples, while the weights changed."""
        return {
            "train_accuracy": self.correct / self.samples,
            "train_loss": self.loss / self.samples,
            "train_spikes_per_sample": self.spikes / self.samples,
        }


def fit(
    network: SpikingNetwork,
    inputs: Tensor,
    labels: Tensor,
    *,
    generator: torch.Generator,
    watch: Watch,
    on_epoch: OnEpoch,
) -> Fit:
    """Train a network in place, as its genes say.

    Adam on the cross-entropy plus ``activity_penalty`` times the spikes of a sample
    (over all spiking layers) / 100, on batches shuffled anew for each epoch.

    Args:
        network: on the device of the data.
        inputs: ``n x features`` intensities in [0, 1].
        labels: ``n`` classes.
        generator: of shuffling and rate coding, on the CPU.
        watch: hears the spike counts of every batch but the last, after which there is
            nothing left to stop; stops a silent training.
        on_epoch: hears every epoch's means; stops if it answers True and epochs remain.

    Raises:
        DivergedError: the loss or a weight is not finite.
    """
    genes = network.genes
    optimizer = torch.optim.Adam(network.parameters(), lr=genes.learning_rate)
    done = _untouched(len(labels), genes)
    for epoch in range(1, genes.epochs + 1):
        tally = _Tally()
        for chosen in _batches(len(labels), genes.batch_size, generator):
            here = chosen.to(inputs.device)
            coded = encode(inputs[here], genes.coding, genes.time_steps, generator)
            spikes = _update(network, optimizer, coded, labels[here], tally)
            done = replace(
                done,
                updates=done.updates + 1,
                recent=torch.cat([done.recent, chosen])[-RECENT:],
            )
            if done.updates < done.planned and watch.update(spikes):
                _require_finite(network, epoch)
                return replace(done, stopped="silent")
        _require_finite(network, epoch)
        if on_epoch(epoch, tally.metrics()) and epoch < genes.epochs:
            return replace(done, stopped="pruned")
    return done


def _untouched(samples: int, genes: Genes) -> Fit:
    return Fit(
        updates=0,
        planned=math.ceil(samples / genes.batch_size) * genes.epochs,
        recent=torch.empty(0, dtype=torch.int64),
        stopped=None,
    )


def _batches(
    samples: int, batch_size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """All indices once, shuffled; the last batch may be smaller."""
    order = torch.randperm(samples, generator=generator)
    return tuple(torch.split(order, batch_size))


def _update(
    network: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
    coded: Tensor,
    labels: Tensor,
    tally: _Tally,
) -> Tensor:
    """One step of Adam on a coded batch; its ``n x stages`` spike counts."""
    genes = network.genes
    activity = network.observe(coded)
    counts = activity.spike_counts()
    spikes = counts.sum(1).mean()
    entropy = F.cross_entropy(activity.logits, labels)
    loss = entropy + genes.activity_penalty * spikes / SPIKES_A_PENALTY
    if not torch.isfinite(loss):
        raise DivergedError(
            f"the loss became {float(loss.detach())} "
            f"(learning_rate={genes.learning_rate:g})."
        )
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()
    size = len(labels)
    tally.samples += size
    tally.correct += int((activity.logits.argmax(1) == labels).sum())
    tally.loss += float(entropy.detach()) * size
    tally.spikes += float(spikes.detach()) * size
    return counts.detach()


def _require_finite(network: SpikingNetwork, epoch: int) -> None:
    """A weight that is not a number makes a silent network with a finite loss."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            raise DivergedError(
                f"{name} is not finite in epoch {epoch} "
                f"(learning_rate={network.genes.learning_rate:g})."
            )
