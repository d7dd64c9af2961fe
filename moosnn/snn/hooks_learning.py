"""Backpropagation through time of somebody's network.

Knows: that Adam follows the gradient that the network's own surrogates give. Must not
know: validation or test data, files, search. The loop is that of all rules here
(`moosnn.snn.learning.descent`): the same batches, watch, reports and checkpoints.
"""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor

from moosnn.snn.activity import Activity
from moosnn.snn.blueprint import Blueprint
from moosnn.snn.coding import encode
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.snn.hooks_record import Recorded
from moosnn.snn.learning.descent import descend, require_finite_loss
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples

REGULARISERS = ("spikes", "rate")  # what a network without a blueprint can be told
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
        DivergedError: the loss or a weight is not finite.
        ReleasedError: it had to make room; its checkpoint is written.
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=network.genes.learning_rate)
    # The loop asks a network for its genes, stages, parameters and state only.
    learner = cast("SpikingNetwork", network)
    return descend(
        learner, samples, optimizer, course, gradient=partial(_gradient, network)
    )


def _gradient(
    network: HookedNetwork, inputs: Tensor, labels: Tensor, generator: torch.Generator
) -> tuple[Recorded, float]:
    """See `moosnn.snn.learning.descent.Gradient`."""
    genes = network.genes
    coded = encode(inputs, genes, generator)
    torch.manual_seed(int(torch.randint(_SEEDS, (), generator=generator)))
    seen = network.observe(coded)
    answers = answer_loss(_answered(seen), labels, genes.loss)
    penalty = activity_penalty(
        seen.layer_counts(),
        cast("Blueprint", network.blueprint),  # of which it reads the layers' shapes
        genes.time_steps,
        genes.regulariser,
    )
    total = answers + genes.activity_penalty * penalty
    require_finite_loss(float(total.detach()), genes.learning_rate)
    total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return seen, float(answers.detach())


def _answered(seen: Recorded) -> Activity:
    """As much of it as a loss of answers reads."""
    return Activity(
        logits=seen.logits,
        outputs=seen.outputs,
        spikes=seen.spikes,
        membranes=(),
        thresholds=(),
        stages=seen.stages,
    )
