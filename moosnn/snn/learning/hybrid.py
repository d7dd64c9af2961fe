"""HYBRID: an artificial network is trained, converted and fine-tuned as a spiking one.

Knows: how thresholds are balanced and become part of the weights. Must not know:
validation or test data, files, search.

Rathi, Srinivasan, Panda & Roy, "Enabling deep spiking neural networks with hybrid
conversion and spike timing dependent backpropagation", ICLR 2020. Thresholds are
balanced layer by layer with spiking input and neurons that do not leak: the threshold
``th[l]`` of layer l is the largest input current of a step over time and a batch, with
the layers before it balanced. Then all are multiplied by ``scaling_factor``.

Here neurons keep the threshold of their gene and the balanced ones are folded into the
weights. With a soft reset that is the same network: multiplying current, threshold and
hence membrane of a layer by one number changes no spike. What is kept of a layer is
its *unit* ``u[l]``, the activation of the artificial network that one spike a step
stands for: the product of the thresholds up to it. A weight from a layer of unit ``u``
into one of threshold ``theta[l]`` is multiplied by ``u theta[l] / u[l]``, a bias by
``theta[l] / u[l]``; the input's unit is 1, and the output's weights are multiplied by
``u``. Hence the mean of the output over time approaches the artificial network's
output, and biases and skip connections are converted too, which the paper has not.

Other than in the published program a spike reaches the next layer in the step in which
it is sent, not in the next one, and the output is in the artificial network's units
instead of those of its last layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from moosnn.errors import DivergedError
from moosnn.snn.blueprint import INPUT, Conv, Linear, Mean, Pool
from moosnn.snn.coding import encode
from moosnn.snn.connections import Convolution
from moosnn.snn.fused import fire
from moosnn.snn.layer import Neurons
from moosnn.snn.learning import ann
from moosnn.snn.learning.descent import descend
from moosnn.snn.learning.progress import EPOCH
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.hybrid import Hybrid
from moosnn.snn.samples import Samples

BALANCE_SAMPLES = 512  # one batch (published program)
_VALUES_AT_ONCE = 1 << 24  # 64 MB of float32


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`.

    Updates, epochs and what the watch hears are those of the spiking network.

    Raises:
        DivergedError: also if a layer gets no drive, so that nothing can be converted.
    """
    saved = course.checkpoint.saved()
    done = 0 if saved is None else int(saved.facts.get(EPOCH, 0))
    if saved is None or EPOCH not in saved.facts:
        ann.train(network, samples, course)
        convert(network, samples, course.generator)
    optimizer = _optimizer(network)
    rate, epochs = network.genes.learning_rate, network.genes.epochs
    ann.set_rate(optimizer, rate, done, epochs)
    return descend(
        network,
        samples,
        optimizer,
        course,
        after_epoch=lambda epoch: ann.set_rate(optimizer, rate, epoch, epochs),
    )


def _optimizer(network: SpikingNetwork) -> torch.optim.Optimizer:
    rule = cast(Hybrid, network.genes.rule)
    rate, decay = network.genes.learning_rate, rule.weight_decay
    if rule.optimizer == "adam":
        return torch.optim.Adam(
            network.parameters(), lr=rate, weight_decay=decay, amsgrad=True
        )
    return torch.optim.SGD(
        network.parameters(), lr=rate, momentum=ann.MOMENTUM, weight_decay=decay
    )


def convert(
    network: SpikingNetwork, samples: Samples, generator: torch.Generator
) -> None:
    """Make a spiking network of the artificial network's weights, in place.

    Args:
        network: with the weights of `moosnn.snn.learning.ann.train`; its genes are of
            `Hybrid`.
        samples: some of these balance the thresholds.
        generator: on the CPU.

    Raises:
        DivergedError: a layer gets no drive.
    """
    rule = cast(Hybrid, network.genes.rule)
    units = balanced(network, samples, generator)
    scaled = {
        name: unit * rule.scaling_factor**place
        for place, (name, unit) in enumerate(units.items(), start=1)
    }
    fold(network, scaled)


class _Balanced(nn.Module):
    """IF neurons whose spikes count as much as they stand for.

    Attributes:
        unit: of a spike; ``None`` = not balanced yet, so that there are no spikes.
        largest: input current so far, in units of the artificial network.
    """

    def __init__(self, genes: Neurons) -> None:
        super().__init__()
        self.genes = genes
        self.unit: float | None = None
        self.largest = -math.inf

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """``T x N x …`` spikes times the unit, and the membrane."""
        if self.unit is None:
            self.largest = max(self.largest, float(current.max()))
            rest = current.new_zeros(()).expand(current.shape)
            return rest, rest
        genes = replace(self.genes, kind="if", threshold=self.unit)
        spikes, membrane = fire(current, current.new_ones(()), genes)
        return spikes * self.unit, membrane


@torch.no_grad()
def balanced(
    network: SpikingNetwork, samples: Samples, generator: torch.Generator
) -> dict[str, float]:
    """The unit of each layer of neurons, before it is scaled.

    Args:
        network: with the weights of the artificial network.
        samples: up to 512 of them are drawn, the same for all layers.
        generator: on the CPU.

    Returns:
        By name, in order. What is published as a layer's threshold is its unit divided
        by that of the layer before.

    Raises:
        DivergedError: the current into a layer is nowhere positive, or not finite.
    """
    rule = cast(Hybrid, network.genes.rule)
    probe = ann.twin(network, _Balanced)
    genes = replace(network.genes, time_steps=rule.balance_steps)
    chosen = torch.randperm(len(samples), generator=generator)[:BALANCE_SAMPLES]
    size = _samples_at_once(network, rule.balance_steps)
    units: dict[str, float] = {}
    for node in network.blueprint.layers:
        layer = cast(_Balanced, probe.parts[node.name])
        layer.largest = -math.inf
        for part in torch.split(chosen, size):
            inputs, _ = samples.batch(part)
            probe.observe(encode(inputs, genes, generator))
        if not 0.0 < layer.largest < math.inf:
            raise DivergedError(
                f"{node.name} gets a current of at most {layer.largest:g} from the "
                f"spikes of {rule.balance_steps} balance_steps: there is no threshold "
                f"> 0 to balance (ann_learning_rate={rule.ann_learning_rate:g})."
            )
        layer.unit = units[node.name] = layer.largest
    return units


def _samples_at_once(network: SpikingNetwork, steps: int) -> int:
    """As many as memory is there for: what the training takes, or a little."""
    values = sum(math.prod(shape) for shape in network.blueprint.shapes.values())
    trained = network.genes.batch_size * network.genes.time_steps
    return max(1, max(trained, _VALUES_AT_ONCE // values) // steps)


@torch.no_grad()
def fold(network: SpikingNetwork, units: Mapping[str, float]) -> None:
    """Change weights so that each spike stands for its layer's unit, in place.

    Args:
        network: with the weights of the artificial network.
        units: of each layer of neurons, > 0.
    """
    blueprint = network.blueprint
    carried = {INPUT: 1.0, **units}
    gains: dict[str, float] = {}  # of the current that a node gives to a layer
    for node in reversed(blueprint.nodes):
        gain = gains.get(node.name, 1.0)
        if isinstance(node.op, Neurons):
            gain = node.op.threshold / units[node.name]
        gains.update(dict.fromkeys(node.sources, gain))
    for node in blueprint.nodes:
        unit = carried.get(node.sources[0], 1.0)
        if isinstance(node.op, Pool | Mean):
            carried[node.name] = unit
        elif isinstance(node.op, Linear | Conv):
            part = network.parts[node.name]
            inner = part.conv if isinstance(part, Convolution) else part
            gain = gains.get(node.name, 1.0)
            for name, parameter in inner.named_parameters():
                parameter.mul_(gain if name == "bias" else unit * gain)
