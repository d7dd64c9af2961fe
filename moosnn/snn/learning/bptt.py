"""Backpropagation through time with surrogate gradients.

Knows: that Adam follows the gradient that the neurons give. Must not know: validation
or test data, files, search.

The gradient of a spike is that of a surrogate (`moosnn.snn.surrogate`; Neftci, Mostafa
& Zenke 2019); everything else is differentiated as it is, but for the reset.
"""

from __future__ import annotations

import torch

from moosnn.snn.learning.descent import descend
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`."""
    optimizer = torch.optim.Adam(network.parameters(), lr=network.genes.learning_rate)
    return descend(network, samples, optimizer, course)
