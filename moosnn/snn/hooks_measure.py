"""What somebody's network does on labelled samples.

Knows: how its operations are heard while it runs. Must not know: learning, objectives,
which split it is given. What is written down of each sample, and what becomes of it, is
`moosnn.snn.measure`'s and `moosnn.snn.silence`'s: all metrics mean the same.
"""

from __future__ import annotations

import math

import torch

from moosnn.snn.cost import OF_OPERATIONS
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.snn.hooks_operations import ConnectionCounter
from moosnn.snn.measure import Measurement, measured
from moosnn.snn.metrics import Metrics, metrics_from
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge


def metrics_of(
    network: HookedNetwork,
    samples: Samples,
    edge: Edge,
    generator: torch.Generator,
    *,
    answered: bool,
) -> tuple[Metrics, Metrics]:
    """Measure a network, see `moosnn.snn.metrics.metrics_of`.

    If its operations are not counted, there is no metric that is made of them.

    Raises:
        DivergedError: a loss or a membrane is not finite.
        ConfigError: a spiking module gave something else than 0 and 1.
    """
    seen = measure(network, samples, alpha=edge.alpha, generator=generator)
    found = metrics_from(
        seen, edge, parameters=network.blueprint.parameters, answered=answered
    )
    if not network.counted:
        for metrics in found:
            for name in OF_OPERATIONS:
                metrics.pop(name, None)
    return found


def measure(
    network: HookedNetwork,
    samples: Samples,
    *,
    alpha: int,
    generator: torch.Generator,
) -> Measurement:
    """Run samples through a network, see `moosnn.snn.measure.measured`.

    Raises:
        DivergedError: a loss or a membrane is not finite.
        ConfigError: a spiking module gave something else than 0 and 1.
    """
    counter = ConnectionCounter(network)
    try:
        return measured(
            network,
            counter,
            samples,
            alpha=alpha,
            generator=generator,
            entries=math.prod(network.coded_shape) + network.blueprint.neurons,
        )
    finally:
        counter.close()
