"""Where a training is between two epochs, and how a checkpoint holds it.

Knows: weights, an optimizer's moments, random numbers, what a watch has heard. Must not
know: learning rules, files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from moosnn.snn.activity import Network
from moosnn.snn.learning.checkpoint import Saved
from moosnn.snn.learning.training import Course, Fit, untouched
from moosnn.snn.samples import Samples
from moosnn.snn.silence import BatchSilence, Watch

Learner = TypeVar("Learner", bound=Network)
EPOCH = "epoch"  # the fact that tells such a checkpoint from those of an earlier phase


def held(
    network: Network,
    optimizer: torch.optim.Optimizer | None,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """What a training holds, by name; see `hold_again`."""
    slots = {} if optimizer is None else optimizer.state_dict()["state"]
    moments = {
        f"optimizer.{index}.{key}": value
        for index, slot in slots.items()
        for key, value in slot.items()
    }
    weights = {f"network.{k}": v for k, v in network.state_dict().items()}
    return {**weights, **moments, "generator": generator.get_state()}


def hold_again(
    tensors: Mapping[str, Tensor],
    network: Network,
    optimizer: torch.optim.Optimizer | None,
    generator: torch.Generator,
) -> None:
    """Give a training what it held."""
    weights: dict[str, Tensor] = {}
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "network":
            weights[rest] = tensor
        elif kind == "optimizer":
            index, _, key = rest.partition(".")
            slots.setdefault(int(index), {})[key] = tensor
    network.load_state_dict(weights)
    if optimizer is not None:
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": slots, "param_groups": groups})
    generator.set_state(tensors["generator"])


@dataclass(slots=True)
class Progress(Generic[Learner]):
    """Where a training is, between two epochs.

    Attributes:
        network: that learns.
        optimizer: of its weights, if the rule has one.
        generator: of everything random in the training.
        watch: which remembers what it heard.
        epoch: done.
        fit: so far.
    """

    network: Learner
    optimizer: torch.optim.Optimizer | None
    generator: torch.Generator
    watch: Watch
    epoch: int
    fit: Fit

    @classmethod
    def begun(
        cls,
        network: Learner,
        samples: Samples,
        course: Course,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> Progress[Learner]:
        """Of a training from its beginning, or from its checkpoint if there is one."""
        genes = network.genes
        progress = cls(
            network=network,
            optimizer=optimizer,
            generator=course.generator,
            watch=course.watch,
            epoch=0,
            fit=untouched(len(samples), genes.batch_size, genes.epochs),
        )
        saved = course.checkpoint.saved()
        if saved is not None and EPOCH in saved.facts:  # else of what came before
            progress.restore(saved)
        return progress

    def saved(self) -> Saved:
        """Everything that the epochs to come depend on."""
        learned = held(self.network, self.optimizer, self.generator)
        heard = [asdict(batch) for batch in self.watch.heard()]
        return Saved(
            tensors={**learned, "recent": self.fit.recent},
            facts={EPOCH: self.epoch, "updates": self.fit.updates, "heard": heard},
        )

    def restore(self, saved: Saved) -> None:
        """Be where the saved training was."""
        hold_again(saved.tensors, self.network, self.optimizer, self.generator)
        self.watch.hear_again([_batch(raw) for raw in saved.facts["heard"]])
        self.epoch = int(saved.facts[EPOCH])
        updates, recent = int(saved.facts["updates"]), saved.tensors["recent"]
        self.fit = replace(self.fit, updates=updates, recent=recent)


def _batch(raw: dict[str, Any]) -> BatchSilence:
    return BatchSilence(
        samples=raw["samples"], silent=tuple(raw["silent"]), peaks=tuple(raw["peaks"])
    )
