"""A split on a device, a batch at a time.

Knows: arrays and tensors. Must not know: files, networks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moosnn.snn.data import Split

# Splits up to this size, mapped from a file or not, are held on the device as float32;
# larger ones are read a batch at a time.
_HELD_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples of a split, scaled so that ``input_max`` is 1.

    Attributes:
        split: raw values.
        input_max: the raw value that becomes 1.
        device: where batches are wanted.
        held: all samples scaled and on the device, or ``None``.
        rows: which samples of the split these are; ``None`` = all.
    """

    split: Split
    input_max: float
    device: torch.device
    held: Tensor | None
    rows: Tensor | None = None

    @classmethod
    def of(cls, split: Split, input_max: float, device: torch.device) -> Samples:
        """Samples of a split; small splits are moved to the device at once."""
        small = split.inputs.size * 4 <= _HELD_BYTES
        held = _scaled(split.inputs, input_max, device) if small else None
        return cls(split=split, input_max=input_max, device=device, held=held)

    def __len__(self) -> int:
        return len(self.split) if self.rows is None else len(self.rows)

    def share(self, share: float, generator: torch.Generator) -> Samples:
        """A random share of each class; nothing is copied.

        Args:
            share: in (0, 1]; of a class at least one sample is left.
            generator: of the choice, on the CPU.

        Returns:
            So many samples of each class as the share comes to, rounded, in the order
            that they have here.
        """
        rows = torch.arange(len(self.split)) if self.rows is None else self.rows
        labels = self.split.labels[rows.numpy()]
        order = torch.randperm(len(rows), generator=generator)
        kept = []
        for label in np.unique(labels):
            members = order[torch.from_numpy(labels == label)[order]]
            kept.append(members[: max(round(share * len(members)), 1)])
        return replace(self, rows=rows[torch.cat(kept).sort().values])

    def _of_split(self, chosen: Tensor) -> Tensor:
        return chosen if self.rows is None else self.rows[chosen]

    def only(self, chosen: Tensor) -> Samples:
        """Some of the samples, by their indices."""
        indices = self._of_split(chosen).numpy()
        split = Split(
            inputs=self.split.inputs[indices], labels=self.split.labels[indices]
        )
        return Samples.of(split, self.input_max, self.device)

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Some samples.

        Args:
            chosen: ``N`` indices, on the CPU.

        Returns:
            ``N x …`` float32 inputs and ``N`` labels, on the device.
        """
        chosen = self._of_split(chosen)
        indices = chosen.numpy()
        if self.held is not None:
            inputs = self.held[chosen.to(self.device)]
        else:
            inputs = _scaled(self.split.inputs[indices], self.input_max, self.device)
        labels = torch.as_tensor(self.split.labels[indices], device=self.device)
        return inputs, labels


def _scaled(raw: npt.NDArray[Any], input_max: float, device: torch.device) -> Tensor:
    # torch.tensor copies: torch cannot share arrays that are read-only.
    return torch.tensor(raw, device=device, dtype=torch.float32) / input_max
