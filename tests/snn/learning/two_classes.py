"""A toy of two classes, and what goes on around its training."""

from __future__ import annotations

import numpy as np
import torch

from moosnn.snn.data import Split
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.learning.training import Course
from moosnn.snn.samples import Samples

SHAPE, CLASSES = (2, 2, 2), 2


class Awake:
    """A watch that never stops, or after so many updates."""

    def __init__(self, updates=None):
        self.updates = updates
        self.count = 0

    def update(self, seen):
        self.count += 1
        return self.count == self.updates

    def heard(self):
        return ()

    def hear_again(self, batches):
        assert not batches


def samples(count=200):
    """Two classes: the brighter of the two channels decides."""
    inputs = np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)
    first, second = inputs.reshape(count, 2, 4).sum(2).T
    split = Split(inputs=inputs, labels=(first > second).astype(np.int64))
    return Samples.of(split, 1.0, torch.device("cpu"))


def course(on_epoch=lambda epoch, metrics: False, watch=None, checkpoint=None):
    return Course(
        generator=torch.Generator().manual_seed(2),
        watch=watch or Awake(),
        on_epoch=on_epoch,
        checkpoint=checkpoint or Checkpoint(),
    )
