"""Sparse spiking gradient descent (Perez-Nieves & Goodman, NeurIPS 2021).

Knows: that only active neurons have a gradient, and that a stage without any cannot
learn. Must not know: how the gradient is computed (`moosnn.snn.sparse`), files, search.

A stage (layers that every path crosses) without an active neuron for a whole epoch has
no gradient, and neither has anything before it. Nothing brings it back, and it would
look like a very fast training; so the training has diverged. A single layer beside a
skip connection may be as still as it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.layer import Neurons
from moosnn.snn.learning.descent import descend
from moosnn.snn.learning.losses import answer_loss
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.ssgd import Ssgd
from moosnn.snn.samples import Samples
from moosnn.snn.sparse import active_share


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`.

    Tells also ``train_active_fraction``: of the layer where it is smallest, the share
    of steps, samples and neurons of the epoch that had a gradient.

    Raises:
        DivergedError: also when a stage had none in a whole epoch.
    """
    shares = _Shares(network)

    def loss(activity: Activity, labels: Tensor) -> Tensor:
        shares.add(activity, len(labels))
        return answer_loss(activity, labels, network.genes.loss)

    def told(epoch: int, metrics: Mapping[str, float]) -> bool:
        smallest = min(shares.ended(), default=0.0)
        return course.on_epoch(epoch, {**metrics, "train_active_fraction": smallest})

    optimizer = torch.optim.Adam(network.parameters(), lr=network.genes.learning_rate)
    return descend(
        network,
        samples,
        optimizer,
        replace(course, on_epoch=told),
        loss=loss,
        after_epoch=shares.require_active,
    )


@dataclass(slots=True)
class _Shares:
    """How many entries of each layer were active, in one epoch.

    Between epochs there is nothing to remember, hence nothing in a checkpoint.
    """

    network: SpikingNetwork
    samples: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, activity: Activity, samples: int) -> None:
        """One more batch."""
        self.samples += samples
        layers = self.network.blueprint.layers
        for node, membrane in zip(layers, activity.membranes, strict=True):
            assert isinstance(node.op, Neurons)
            share = active_share(membrane, node.op)
            self.sums[node.name] = self.sums.get(node.name, 0.0) + share * samples

    def require_active(self, epoch: int) -> None:
        """Refuse to go on where nothing can be learned.

        Raises:
            DivergedError: with the stage, the epoch and what to do.
        """
        for stage in self.network.blueprint.stages:
            if all(self.sums[name] == 0.0 for name in stage):
                rule = self.network.genes.rule
                assert isinstance(rule, Ssgd)
                raise DivergedError(
                    f"{' and '.join(stage)}: no neuron was active in epoch {epoch} "
                    f"(b_th={rule.b_th:g}), so nothing up to it can learn; widen b_th, "
                    "or lower the threshold or the learning_rate."
                )

    def ended(self) -> list[float]:
        """The shares of the epoch, which is over."""
        shares = [total / self.samples for total in self.sums.values()]
        self.samples, self.sums = 0, {}
        return shares
