"""Backpropagation through time with surrogate gradients.

Knows: one training loop. Must not know: validation or test data, files, search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.coding import encode
from moosnn.snn.genes import Genes
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Watch

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

    stages: int
    samples: int = 0
    correct: int = 0
    loss: float = 0.0
    spikes: float = 0.0
    silent: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.silent = [0] * self.stages

    def metrics(self) -> dict[str, float]:
        """Means over the epoch's samples, while the weights changed."""
        return {
            "train_accuracy": self.correct / self.samples,
            "train_loss": self.loss / self.samples,
            "train_spikes_per_sample": self.spikes / self.samples,
            "train_silent_fraction": max(self.silent) / self.samples,
        }


def fit(
    network: SpikingNetwork,
    samples: Samples,
    *,
    generator: torch.Generator,
    watch: Watch,
    on_epoch: OnEpoch,
) -> Fit:
    """Train a network in place, as its genes say.

    Adam on the loss plus ``activity_penalty`` times the activity, both of
    `moosnn.snn.learning.losses`, on batches shuffled anew for each epoch.

    Args:
        network: on the device of the samples.
        samples: the training split.
        generator: of shuffling and rate coding, on the CPU.
        watch: hears every batch but the last, after which there is nothing left to
            stop; stops a silent training.
        on_epoch: hears every epoch's means; stops if it answers True and epochs remain.

    Raises:
        DivergedError: the loss or a weight is not finite.
    """
    genes = network.genes
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=genes.learning_rate)
    done = _untouched(len(samples), genes)
    for epoch in range(1, genes.epochs + 1):
        tally = _Tally(len(network.blueprint.stages))
        for chosen in _batches(len(samples), genes.batch_size, generator):
            inputs, labels = samples.batch(chosen)
            coded = encode(inputs, genes, generator)
            seen = _update(network, optimizer, coded, labels, tally)
            done = replace(
                done,
                updates=done.updates + 1,
                recent=torch.cat([done.recent, chosen])[-RECENT:],
            )
            if done.updates < done.planned and watch.update(seen):
                _require_finite(network, epoch)
                return replace(done, stopped="silent")
        _require_finite(network, epoch)
        if on_epoch(epoch, tally.metrics()) and epoch < genes.epochs:
            return replace(done, stopped="pruned")
    return done


def planned_updates(samples: int, batch_size: int, epochs: int) -> int:
    """Updates of a full training."""
    batches = max(math.ceil(samples / batch_size) - _lone(samples, batch_size), 1)
    return batches * epochs


def _untouched(samples: int, genes: Genes) -> Fit:
    return Fit(
        updates=0,
        planned=planned_updates(samples, genes.batch_size, genes.epochs),
        recent=torch.empty(0, dtype=torch.int64),
        stopped=None,
    )


def _lone(samples: int, batch_size: int) -> bool:
    """Whether one sample is left over: no batch norm can learn from a single one."""
    return batch_size > 1 and samples > 1 and samples % batch_size == 1


def _batches(
    samples: int, batch_size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """All indices once, shuffled; the last batch may be smaller, or one larger."""
    batches = torch.split(torch.randperm(samples, generator=generator), batch_size)
    if _lone(samples, batch_size) and len(batches) > 1:
        return (*batches[:-2], torch.cat(batches[-2:]))
    return tuple(batches)


def _update(
    network: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
    coded: Tensor,
    labels: Tensor,
    tally: _Tally,
) -> Activity:
    """One step of Adam on a coded batch; what the network did before it."""
    genes = network.genes
    activity = network.observe(coded)
    counts = activity.layer_counts()
    loss = answer_loss(activity, labels, genes.loss)
    penalty = activity_penalty(
        counts, network.blueprint, genes.time_steps, genes.regulariser
    )
    total = loss + genes.activity_penalty * penalty
    if not torch.isfinite(total):
        raise DivergedError(
            f"the loss became {float(total.detach())} "
            f"(learning_rate={genes.learning_rate:g})."
        )
    optimizer.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()
    size = len(labels)
    tally.samples += size
    tally.correct += int((activity.logits.argmax(1) == labels).sum())
    tally.loss += float(loss.detach()) * size
    tally.spikes += float(counts.detach().sum())
    silent = (activity.stage_counts() == 0).sum(0).tolist()
    tally.silent = [a + b for a, b in zip(tally.silent, silent, strict=True)]
    return activity


def _require_finite(network: SpikingNetwork, epoch: int) -> None:
    """A weight that is not a number makes a silent network with a finite loss."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            raise DivergedError(
                f"{name} is not finite in epoch {epoch} "
                f"(learning_rate={network.genes.learning_rate:g})."
            )
