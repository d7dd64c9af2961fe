"""What a batch made a network do: its answers, spikes and membranes.

Knows: tensors of each layer, which layers are a stage, and what a network must have so
that it can be trained and measured. Must not know: how they came about, what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from moosnn.snn.genes import Genes
from moosnn.snn.silence import nearness

Stages = tuple[tuple[int, ...], ...]  # the layers of each stage, as positions


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a batch made a network do.

    Attributes:
        logits: ``N x classes``.
        outputs: the read-out's membrane at each step, ``T x N x classes``; ``None``
            where the network did not need it.
        spikes: of each layer of neurons, ``T x N x …``, each 0 or 1.
        membranes: of each layer before reset, ``T x N x …``; no gradient. Where there
            was a spike, it is enough that it is not below the threshold.
        thresholds: of each layer.
        stages: the layers of each stage, as positions in the tuples above.
    """

    logits: Tensor
    outputs: Tensor | None
    spikes: tuple[Tensor, ...]
    membranes: Sequence[Tensor]
    thresholds: Sequence[float]
    stages: Stages

    def layer_counts(self) -> Tensor:
        """Spikes of each sample in each layer, ``N x layers``, differentiable."""
        return self._layer_counts

    @cached_property
    def _layer_counts(self) -> Tensor:
        # Loss, tally and watch ask for it in every update.
        return torch.stack(
            [s.transpose(0, 1).flatten(1).sum(1) for s in self.spikes], 1
        )

    def stage_counts(self) -> Tensor:
        """Spikes of each sample in each stage, ``N x stages``, no gradient."""
        return stage_counts(self.layer_counts().detach(), self.stages)

    def stage_nearness(self, alpha: int) -> Tensor:
        """How near each sample came to its alpha-th spike in each stage.

        Returns:
            ``N x stages``, see `moosnn.snn.silence.nearness`.
        """
        return stage_nearness(self.membranes, self.thresholds, self.stages, alpha)


class Layer(Protocol):
    """One layer of neurons."""

    @property
    def name(self) -> str:
        """In the network."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its neurons."""
        ...


class Outline(Protocol):
    """What is known of a network before it sees a sample."""

    @property
    def layers(self) -> Sequence[Layer]:
        """Of neurons, in the order of an `Activity`."""
        ...

    @property
    def stages(self) -> Sized:
        """As many as an `Activity` has."""
        ...

    @property
    def parameters(self) -> int:
        """Learnable scalars."""
        ...


class Network(Protocol):
    """What can be trained and measured; modules of ``torch`` have the rest of it."""

    training: bool

    @property
    def genes(self) -> Genes:
        """Its coding and read-out, and how it learns."""
        ...

    @property
    def blueprint(self) -> Outline:
        """What it is made of."""
        ...

    def observe(self, inputs: Tensor) -> Activity:
        """Run ``T x N x …`` coded inputs from rest and keep what every layer did."""
        ...

    def train(self, mode: bool = True) -> Self:
        """See `torch.nn.Module`, as all that follows."""
        ...

    def eval(self) -> Self:
        """Batch norms use what they learned, nothing drops out."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The weights."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Weights and buffers by name."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- torch's own
        """Take them back."""
        ...


def stage_counts(counts: Tensor, stages: Stages) -> Tensor:
    """``N x stages`` spikes of ``N x layers`` spikes."""
    return torch.stack([counts[:, list(s)].sum(1) for s in stages], dim=1)


def stage_nearness(
    membranes: Sequence[Tensor], thresholds: Sequence[float], stages: Stages, alpha: int
) -> Tensor:
    """How near each sample came to its alpha-th spike in each stage.

    Args:
        membranes: of each layer before reset, ``T x N x …``, or of each sample only the
            alpha largest, ``1 x N x alpha``.
        thresholds: of each layer.
        stages: the layers of each stage.
        alpha: >= 1.

    Returns:
        ``N x stages``, see `moosnn.snn.silence.nearness`.
    """
    columns = []
    for stage in stages:
        first = stage[0]
        if len(stage) == 1:
            entries, threshold = membranes[first], thresholds[first]
        else:
            ratios = [membranes[k] / thresholds[k] for k in stage]
            entries, threshold = torch.cat([r.flatten(2) for r in ratios], 2), 1.0
        columns.append(nearness(entries, threshold, alpha))
    return torch.stack(columns, dim=1)
