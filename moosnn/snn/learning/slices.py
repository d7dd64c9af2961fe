"""Which samples paths are trained on and which they are compared by.

Knows: indices. Must not know: networks, paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from moosnn.snn.learning.training import shuffled

HELD_SHARE = 0.2  # of the training split
HELD_MOST = 512  # samples: they are run for every score


def held_back(samples: int, generator: torch.Generator) -> Tensor:
    """Indices of the samples that paths are compared by, at least one.

    Args:
        samples: of the training split.
        generator: on the CPU.
    """
    count = min(max(round(HELD_SHARE * samples), 1), HELD_MOST)
    return torch.randperm(samples, generator=generator)[:count]


def batches_of(
    samples: int, held: Tensor, batch_size: int, generator: torch.Generator
) -> list[Tensor]:
    """An epoch's batches: as many as the split has, of the samples not held back.

    Args:
        samples: of the training split.
        held: indices of those that are held back.
        batch_size: >= 1.
        generator: on the CPU.
    """
    free = torch.ones(samples, dtype=torch.bool)
    free[held] = samples == 1  # a lone sample is both
    left = free.nonzero().flatten()
    order = left[torch.randperm(len(left), generator=generator)]
    rows = shuffled(samples, batch_size, generator)
    return [order[row % len(order)] for row in rows]


def tournaments(
    batches: Sequence[Tensor], slice_updates: int
) -> list[tuple[Sequence[Tensor], Sequence[Tensor]]]:
    """An epoch's batches as pairs of slices, as equal as can be, at least one pair.

    Args:
        batches: one or more.
        slice_updates: about so many are a slice, >= 1.
    """
    count = 2 * max(1, round(len(batches) / (2 * slice_updates)))
    bounds = [k * len(batches) // count for k in range(count + 1)]
    slices = [batches[begin:end] for begin, end in pairwise(bounds)]
    return list(zip(slices[::2], slices[1::2], strict=True))
