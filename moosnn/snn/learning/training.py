"""What every training has: batches, epochs, an end, and what is told on the way.

Knows: how samples are shuffled, what an epoch's means are, how a training can end.
Must not know: learning rules, files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.activity import Network
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Seen, Watch

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

    def after(self, chosen: Tensor) -> Fit:
        """One more update, on the samples of these indices."""
        recent = torch.cat([self.recent, chosen])[-RECENT:]
        return replace(self, updates=self.updates + 1, recent=recent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What goes on around a training.

    Attributes:
        generator: of everything random in the training, on the CPU.
        watch: hears every batch but the last, after which there is nothing left to
            stop; stops a silent training.
        on_epoch: hears every epoch's means; stops if it answers True and epochs
            remain.
        checkpoint: goes on from there if an earlier attempt left one, with the same
            result, bit for bit, as if it had not been interrupted.
    """

    generator: torch.Generator
    watch: Watch
    on_epoch: OnEpoch
    checkpoint: Checkpoint


class Rule(Protocol):
    """A learning rule, carried out: the function ``fit`` of each module beside this."""

    def __call__(
        self, network: SpikingNetwork, samples: Samples, course: Course
    ) -> Fit:
        """Train a network in place, as its genes say.

        Args:
            network: on the device of the samples.
            samples: the training split.
            course: what goes on around it.

        Raises:
            DivergedError: the loss or a weight is not finite, or there is nothing
                that can be learned.
            ReleasedError: it had to make room; its checkpoint is written.
        """
        ...


class Observed(Seen, Protocol):
    """What a batch made a network do, as far as a training tells of it."""

    @property
    def logits(self) -> Tensor:
        """``N x classes``."""
        ...

    def layer_counts(self) -> Tensor:
        """Spikes of each sample in each layer, ``N x layers``."""
        ...


@dataclass(slots=True)
class Tally:
    """Sums over the batches of one epoch."""

    stages: int
    samples: int = 0
    correct: int = 0
    loss: float = 0.0
    spikes: float = 0.0
    silent: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.silent = [0] * self.stages

    def add(self, observed: Observed, labels: Tensor, loss: float) -> None:
        """One more batch.

        Args:
            observed: what it made the network do.
            labels: ``N`` classes.
            loss: mean over the batch.
        """
        size = len(labels)
        self.samples += size
        self.correct += int((observed.logits.argmax(1) == labels).sum())
        self.loss += loss * size
        self.spikes += float(observed.layer_counts().detach().sum())
        silent = (observed.stage_counts() == 0).sum(0).tolist()
        self.silent = [a + b for a, b in zip(self.silent, silent, strict=True)]

    def metrics(self) -> dict[str, float]:
        """Means over the epoch's samples, while the weights changed."""
        return {
            "train_accuracy": self.correct / self.samples,
            "train_loss": self.loss / self.samples,
            "train_spikes_per_sample": self.spikes / self.samples,
            "train_silent_fraction": max(self.silent) / self.samples,
        }


def untouched(samples: int, batch_size: int, epochs: int) -> Fit:
    """A training that has not begun."""
    return Fit(
        updates=0,
        planned=planned_updates(samples, batch_size, epochs),
        recent=torch.empty(0, dtype=torch.int64),
        stopped=None,
    )


def planned_updates(samples: int, batch_size: int, epochs: int) -> int:
    """Updates of a full training."""
    batches = max(math.ceil(samples / batch_size) - _lone(samples, batch_size), 1)
    return batches * epochs


def _lone(samples: int, batch_size: int) -> bool:
    """Whether one sample is left over: no batch norm can learn from a single one."""
    return batch_size > 1 and samples > 1 and samples % batch_size == 1


def shuffled(
    samples: int, batch_size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """All indices once, shuffled; the last batch may be smaller, or one larger."""
    batches = torch.split(torch.randperm(samples, generator=generator), batch_size)
    if _lone(samples, batch_size) and len(batches) > 1:
        return (*batches[:-2], torch.cat(batches[-2:]))
    return tuple(batches)


def require_finite(network: Network, epoch: int, setting: str | None = None) -> None:
    """A weight that is not a number makes a silent network with a finite loss.

    Args:
        network: that learns.
        epoch: it is in, from 1.
        setting: what the blame is put on; ``None`` = the learning rate.

    Raises:
        DivergedError: with the weight and the epoch.
    """
    blamed = setting or f"learning_rate={network.genes.learning_rate:g}"
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            raise DivergedError(f"{name} is not finite in epoch {epoch} ({blamed}).")
