"""Sparse spiking gradient descent (Perez-Nieves & Goodman, NeurIPS 2021).

Knows: that only active neurons have a gradient. Must not know: files, search.
"""

from __future__ import annotations

from moosnn.snn.learning import bptt
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`."""
    return bptt.fit(network, samples, course)
