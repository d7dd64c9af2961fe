"""Training by the gradient of a loss: the loop of all rules that have one.

Knows: epochs, an optimizer, a loss, a checkpoint. Must not know: where gradients come
from; validation or test data, search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.coding import encode
from moosnn.snn.connections import Dropout
from moosnn.snn.learning.checkpoint import Saved
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.learning.training import (
    Course,
    Fit,
    Tally,
    require_finite,
    shuffled,
    untouched,
)
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import BatchSilence, Watch

EPOCH = "epoch"  # the fact of a checkpoint that this loop wrote
# (what a batch made the network do, its labels) -> the mean loss of the batch's answers
Loss = Callable[[Activity, Tensor], Tensor]
# (epochs done): called after every epoch; raises DivergedError if nothing is learned
AfterEpoch = Callable[[int], None]


def held(
    network: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """What a training holds that learns by an optimizer, by name; see `hold_again`."""
    slots = optimizer.state_dict()["state"]
    moments = {
        f"optimizer.{index}.{key}": value
        for index, slot in slots.items()
        for key, value in slot.items()
    }
    weights = {f"network.{k}": v for k, v in network.state_dict().items()}
    return {**weights, **moments, "generator": generator.get_state()}


def hold_again(
    tensors: Mapping[str, Tensor],
    network: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
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
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
    generator.set_state(tensors["generator"])


@dataclass(slots=True)
class _State:
    """Where a training is, between two epochs."""

    network: SpikingNetwork
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    watch: Watch
    epoch: int
    fit: Fit

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

    Batches are shuffled anew for each epoch.

    Args:
        network: as in `moosnn.snn.learning.training.Rule`, like all that is not below.
        samples: the training split.
        optimizer: of the network's weights.
        course: see there.
        loss: of the answers; ``None`` = the one that the genes name.
        after_epoch: called after every epoch.

    Raises:
        DivergedError: the loss or a weight is not finite.
        ReleasedError: see there.
    """
    genes, generator, watch = network.genes, course.generator, course.watch
    network.train()
    fit = untouched(len(samples), genes.batch_size, genes.epochs)
    state = _State(network, optimizer, generator, watch, epoch=0, fit=fit)
    saved = course.checkpoint.saved()
    if saved is not None and EPOCH in saved.facts:  # else of what came before
        state.restore(saved)
    while state.epoch < genes.epochs:
        course.checkpoint.offer(state.saved)
        state.epoch += 1
        tally = Tally(len(network.blueprint.stages))
        for chosen in shuffled(len(samples), genes.batch_size, generator):
            seen = _update(state, samples, chosen, loss, tally)
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
class _Together:
    """What several batches made a network do; a `moosnn.snn.silence.Seen`."""

    batches: list[Activity]

    def stage_counts(self) -> Tensor:
        """``n x stages``."""
        return torch.cat([batch.stage_counts() for batch in self.batches])

    def stage_nearness(self, alpha: int) -> Tensor:
        """``n x stages``."""
        return torch.cat([batch.stage_nearness(alpha) for batch in self.batches])


def _is_silent(state: _State, samples: Samples) -> bool:
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
    return state.watch.agrees(_Together(batches))


def _update(
    state: _State, samples: Samples, chosen: Tensor, loss: Loss | None, tally: Tally
) -> Activity:
    """One step of the optimizer; what the network did before it."""
    network, genes = state.network, state.network.genes
    inputs, labels = samples.batch(chosen)
    coded = encode(inputs, genes, state.generator)
    dropout = Dropout(genes.dropout, state.generator) if genes.dropout else None
    activity = network.observe(coded, dropout=dropout)
    answers = (
        answer_loss(activity, labels, genes.loss)
        if loss is None
        else loss(activity, labels)
    )
    penalty = activity_penalty(
        activity.layer_counts(), network.blueprint, genes.time_steps, genes.regulariser
    )
    total = answers + genes.activity_penalty * penalty
    if not torch.isfinite(total):
        raise DivergedError(
            f"the loss became {float(total.detach())} "
            f"(learning_rate={genes.learning_rate:g})."
        )
    state.optimizer.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    state.optimizer.step()
    tally.add(activity, labels, float(answers.detach()))
    return activity
