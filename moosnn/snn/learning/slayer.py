"""SLAYER (Shrestha & Orchard, NeurIPS 2018).

Knows: which loss of the output spikes Adam follows. Must not know: validation or test
data, files, search.

What makes the rule is how its neurons give their errors back in time, see
`moosnn.snn.response`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moosnn.snn.activity import Activity
from moosnn.snn.learning.descent import Loss, descend
from moosnn.snn.learning.losses import spike_count, spike_max, spike_time
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.slayer import LOSSES, Slayer
from moosnn.snn.samples import Samples


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`."""
    genes = network.genes
    assert isinstance(genes.rule, Slayer)
    loss = loss_of(genes.loss, genes.rule) if genes.loss in LOSSES else None
    optimizer = torch.optim.Adam(network.parameters(), lr=genes.learning_rate)
    return descend(network, samples, optimizer, course, loss=loss)


def loss_of(name: str, rule: Slayer) -> Loss:
    """One of `moosnn.snn.rules.slayer.LOSSES` with the rule's targets."""

    def loss(activity: Activity, labels: Tensor) -> Tensor:
        spikes = activity.outputs
        assert spikes is not None
        if name == "spike_max":
            return spike_max(spikes, labels)
        targets = torch.full_like(spikes[0], rule.target_false)
        targets.scatter_(1, labels[:, None], rule.target_true)
        if name == "spike_time":
            return spike_time(spikes, targets, rule.tau_s_steps)
        return spike_count(spikes, targets)

    return loss
