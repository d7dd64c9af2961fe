"""Rewiring of a spiking network while it learns: Grad R, and Deep R beside it.

Knows: which weights are connections. Must not know: how they are rewired
(`moosnn.snn.learning.rewiring`), validation or test data, files, search.

Biases, batch norms and what neurons learn of themselves are Adam's alone. A layer that
has lost all connections still has a gradient under Grad R and may grow again, so it is
no failure; whether anything comes through is what accuracy and silence tell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moosnn.snn.learning import rewiring
from moosnn.snn.learning.descent import descend
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.grad_r import UNTIL_TARGET, GradR
from moosnn.snn.samples import Samples


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`."""
    rule = network.genes.rule
    assert isinstance(rule, GradR)
    optimizer = torch.optim.Adam(network.parameters(), lr=network.genes.learning_rate)
    weights = connections(network)
    if rule.rewiring == "deep_r":
        rewiring.thin(weights, rule.sparsity, course.generator)
        deep = rewiring.DeepR(
            alpha=rule.alpha,
            temperature=rule.temperature,
            generator=course.generator,
        )
        rewiring.rewire(optimizer, weights, deep)
    else:
        grad = rewiring.GradR(
            alpha=rule.alpha,
            sparsity=rule.sparsity,
            rests=rule.pull == UNTIL_TARGET,
        )
        rewiring.rewire(optimizer, weights, grad)
    return descend(network, samples, optimizer, course)


def connections(network: SpikingNetwork) -> list[Tensor]:
    """The weights of linear connections and convolutions, the read-out's too."""
    carriers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return [module.weight for module in carriers]
