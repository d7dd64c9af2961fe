"""What a batch made a network do, put together step by step.

Knows: that counts add up and that the largest of the largest is the largest. Must not
know: networks, learning, time steps that are over.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moosnn.snn.activity import Stages, stage_counts, stage_nearness


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """A `moosnn.snn.learning.training.Observed` without any tensor over time.

    Attributes:
        logits: ``N x classes``.
        counts: spikes of each sample in each layer, ``N x layers``.
        peaks: of each layer, each sample's largest membranes over neurons and steps:
            ``N x alpha``, or fewer columns if there are fewer membranes.
        thresholds: of each layer.
        stages: the layers of each stage, as positions.
    """

    logits: Tensor
    counts: Tensor
    peaks: tuple[Tensor, ...]
    thresholds: tuple[float, ...]
    stages: Stages

    def layer_counts(self) -> Tensor:
        """Spikes of each sample in each layer, ``N x layers``."""
        return self.counts

    def stage_counts(self) -> Tensor:
        """Spikes of each sample in each stage, ``N x stages``."""
        return stage_counts(self.counts, self.stages)

    def stage_nearness(self, alpha: int) -> Tensor:
        """How near each sample came to its alpha-th spike in each stage.

        Args:
            alpha: not more than the peaks were kept for.

        Returns:
            ``N x stages``, see `moosnn.snn.silence.nearness`.
        """
        largest = [peaks.unsqueeze(0) for peaks in self.peaks]
        return stage_nearness(largest, self.thresholds, self.stages, alpha)


def largest(peaks: Tensor | None, membrane: Tensor, alpha: int) -> Tensor:
    """The alpha largest entries up to now.

    Args:
        peaks: what this gave at the step before; ``None`` = there was none.
        membrane: ``N x neurons``.
        alpha: >= 1.

    Returns:
        ``N x alpha``, or fewer columns if there were fewer entries.
    """
    if alpha == 1:
        highest = membrane.amax(1, keepdim=True)
        return highest if peaks is None else torch.maximum(peaks, highest)
    entries = membrane if peaks is None else torch.cat([peaks, membrane], 1)
    return entries.topk(min(alpha, entries.shape[1]), dim=1).values
