"""Backpropagation through time of somebody's network.

Knows: that Adam follows the gradient that the network's own surrogates give. Must not
know: validation or test data, files, search. The loop is that of all rules here
(`moosnn.snn.learning.descent`): the same batches, watch, reports and checkpoints.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from moosnn.errors import ConfigError
from moosnn.snn.activity import Activity
from moosnn.snn.coding import encode
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.snn.learning.descent import follow, pull
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.samples import Samples

_SEEDS = 1 << 62


def fit(network: HookedNetwork, samples: Samples, course: Course) -> Fit:
    """Train a network in place, as its genes say.

    Everything random in the network, dropout for example, draws from torch's global
    generator, which is seeded anew for each update: call it where that is forked.

    Args:
        network: on the device of the samples.
        samples: the training split.
        course: what goes on around it.

    Raises:
        ConfigError: there is nothing to train.
        DivergedError: the loss or a weight is not finite.
        ReleasedError: it had to make room; its checkpoint is written.
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    if not weights:
        raise ConfigError(
            "task.factory: the network has no weight that requires a gradient: there "
            "is nothing to train."
        )
    optimizer = torch.optim.Adam(weights, lr=network.genes.learning_rate)
    return follow(
        network, samples, optimizer, course, gradient=partial(_gradient, network)
    )


def _gradient(
    network: HookedNetwork, inputs: Tensor, labels: Tensor, generator: torch.Generator
) -> tuple[Activity, float]:
    """See `moosnn.snn.learning.descent.Gradient`."""
    coded = encode(inputs, network.genes, generator)
    torch.manual_seed(int(torch.randint(_SEEDS, (), generator=generator)))
    seen = network.observe(coded)
    return seen, pull(network, seen, labels)
