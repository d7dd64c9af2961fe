"""An artificial network of the nodes and weights of a spiking one, and its training.

Knows: that ReLU takes the place of spikes and that there is no time. Must not know:
how the network becomes a spiking one again, validation or test data, search.

The weights are the spiking network's own, so that nothing has to be copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.errors import DivergedError
from moosnn.snn.blueprint import Conv, Linear
from moosnn.snn.coding import encode
from moosnn.snn.connections import Dropout
from moosnn.snn.genes import Genes
from moosnn.snn.layer import Neurons
from moosnn.snn.learning.checkpoint import Saved
from moosnn.snn.learning.progress import held, hold_again
from moosnn.snn.learning.training import Course, shuffled
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.hybrid import Hybrid
from moosnn.snn.samples import Samples

EPOCH = "ann_epoch"  # the fact of a checkpoint that tells it from a later training
MOMENTUM = 0.9
_ENLARGED = math.sqrt(6.0)
DECAYS = (0.6, 0.8, 0.9)  # shares of the epochs at which the learning rate falls
DECAY = 0.1  # to so much of what it was (Rathi et al. 2020, published program)


class Rectified(nn.Module):
    """ReLU in the place of a layer of neurons.

    Args:
        genes: of the layer; without meaning here.
    """

    def __init__(self, genes: Neurons) -> None:
        super().__init__()

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Activations, and the current without gradient."""
        return torch.relu(current), current.detach()


def twin(
    network: SpikingNetwork, neurons: Callable[[Neurons], nn.Module]
) -> SpikingNetwork:
    """The same nodes with the very same weights and other neurons.

    Args:
        network: without loops.
        neurons: makes the module of a layer, called as `Rectified`.
    """
    shape, classes = network.blueprint.input_shape, network.blueprint.output.shape[0]
    genes = replace(network.genes, coding="direct")  # the shape is of a coded sample
    other = SpikingNetwork(genes, shape, classes, torch.Generator())
    other.genes = network.genes
    for node in network.blueprint.nodes:
        if isinstance(node.op, Neurons):
            other.parts[node.name] = neurons(node.op)
        elif node.name in network.parts:
            other.parts[node.name] = network.parts[node.name]
    return other


def intensities(samples: Tensor, genes: Genes, generator: torch.Generator) -> Tensor:
    """What an artificial network sees: the mean over time of what a spiking one does.

    Args:
        samples: ``N x …``, see `moosnn.snn.coding.encode`.
        genes: of the spiking network.
        generator: of the population code, on the CPU.

    Returns:
        ``N x coded shape``; of the rate code its expectation, which are the samples.
    """
    if genes.coding in ("rate", "direct"):
        return samples
    return encode(samples, genes, generator).mean(0)


def answers(
    artificial: SpikingNetwork,
    inputs: Tensor,
    generator: torch.Generator,
    dropout: Dropout | None = None,
) -> Tensor:
    """``N x classes`` logits.

    Args:
        artificial: a `twin` with `Rectified`.
        inputs: ``N x …`` samples.
        generator: see `intensities`.
        dropout: says which activations are not heard.
    """
    seen = intensities(inputs, artificial.genes, generator).unsqueeze(0)
    return artificial.observe(seen, dropout=dropout).logits


def train(network: SpikingNetwork, samples: Samples, course: Course) -> None:
    """Train the artificial network by stochastic gradient descent with momentum.

    It minimises the cross-entropy. The learning rate falls to a tenth after 60, 80 and
    90 % of the epochs, as published. Neither the watch nor ``on_epoch`` hears of it:
    there are no spikes yet.

    Args:
        network: learns in place; its genes are of `Hybrid`.
        samples: the training split.
        course: its checkpoint and generator.

    Raises:
        DivergedError: the loss or a weight is not finite.
        ReleasedError: it had to make room; its checkpoint is written.
    """
    genes, generator = network.genes, course.generator
    rule = cast(Hybrid, genes.rule)
    artificial = twin(network, Rectified)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=rule.ann_learning_rate,
        momentum=MOMENTUM,
        weight_decay=rule.weight_decay,
    )
    done = 0
    saved = course.checkpoint.saved()
    if saved is None:
        enlarge(network)
    else:
        hold_again(saved.tensors, network, optimizer, generator)
        done = int(saved.facts[EPOCH])

    def state() -> Saved:
        learned = held(network, optimizer, generator)
        return Saved(tensors=learned, facts={EPOCH: done})

    while done < rule.ann_epochs:
        course.checkpoint.offer(state)
        set_rate(optimizer, rule.ann_learning_rate, done, rule.ann_epochs)
        for chosen in shuffled(len(samples), genes.batch_size, generator):
            _update(artificial, optimizer, samples, chosen, generator)
        done += 1
    if not all(torch.isfinite(p).all() for p in network.parameters()):
        raise _diverged(rule, "a weight of the artificial network is not finite")


@torch.no_grad()
def enlarge(network: SpikingNetwork) -> None:
    """Begin with weights of the variance 2 / inputs before a ReLU, in place.

    Deep networks without norms hardly learn otherwise (He et al. 2015, "Delving deep
    into rectifiers", eq. 10).

    Args:
        network: with weights uniform in ``+-1 / sqrt(inputs)``: the variance is a third
            of 1 / inputs.
    """
    for node in network.blueprint.nodes:
        if isinstance(node.op, Linear | Conv) and node != network.blueprint.output:
            for parameter in network.parts[node.name].parameters():
                if parameter.ndim > 1:  # a bias is left as it is
                    parameter.mul_(_ENLARGED)


def set_rate(
    optimizer: torch.optim.Optimizer, rate: float, epoch: int, epochs: int
) -> None:
    """Set the learning rate of an epoch, see `DECAYS`.

    Args:
        optimizer: of any number of groups.
        rate: of the first epoch.
        epoch: those done, from 0.
        epochs: of the whole training; decays at the same epoch are one.
    """
    passed = sum(epoch >= k for k in {int(share * epochs) for share in DECAYS} - {0})
    for group in optimizer.param_groups:
        group["lr"] = rate * DECAY**passed


def _update(
    artificial: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
    samples: Samples,
    chosen: Tensor,
    generator: torch.Generator,
) -> None:
    """One step of the optimizer."""
    genes = artificial.genes
    inputs, labels = samples.batch(chosen)
    dropout = Dropout(genes.dropout, generator) if genes.dropout else None
    loss = F.cross_entropy(answers(artificial, inputs, generator, dropout), labels)
    if not torch.isfinite(loss):
        what = f"the loss of the artificial network became {float(loss.detach())}"
        raise _diverged(cast(Hybrid, genes.rule), what)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()


def _diverged(rule: Hybrid, what: str) -> DivergedError:
    return DivergedError(f"{what} (ann_learning_rate={rule.ann_learning_rate:g}).")
