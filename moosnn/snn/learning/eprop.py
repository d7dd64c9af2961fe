"""Eligibility propagation (Bellec et al., Nature Communications 11:3625, 2020).

Knows: the order of steps, and how the errors of the output reach the layers. Must not
know: how a layer runs and learns (`moosnn.snn.learning.eligible_layer`), validation or
test data, search.

Time is gone through once, forwards: nothing is kept of a step that is over but sums and
traces, so the memory does not grow with the steps. With y the membrane of the read-out
and kappa the share of it that is kept (1 - 1 / tau_readout_steps), the loss is the
cross-entropy of every step, averaged, and the learning signal of a layer::

    y[t]   = kappa y[t-1] + W S[t] + b
    L_j[t] = sum over classes k of B_kj (softmax(y[t])_k - 1 if k is right) / (N T)

``B`` is W for the last layer of neurons (``feedback=symmetric``), or fixed and random;
layers below hear the errors by fixed random ones of their own (broadcast alignment).
What activity costs is added to each layer's own signal.

Of the gradient of backpropagation through time one thing is left out: what a spike does
later through other neurons, by recurrent connections. Without these, one layer of
neurons and symmetric feedback give exactly its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn.blueprint import INPUT
from moosnn.snn.coding import encode
from moosnn.snn.connections import Dropout
from moosnn.snn.genes import Genes
from moosnn.snn.learning.descent import follow, require_finite_loss
from moosnn.snn.learning.eligible_layer import EligibleLayer, Synapses, with_one
from moosnn.snn.learning.losses import activity_penalty
from moosnn.snn.learning.streamed import Streamed
from moosnn.snn.learning.training import Course, Fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.eprop import Eprop
from moosnn.snn.samples import Samples

BY_STEPS = ("direct", "rate", "population")  # codes of which each step is drawn alone
_FEEDBACK = 0x5EED  # tells the numbers of the feedback from those of the training


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`."""
    optimizer = torch.optim.Adam(network.parameters(), lr=network.genes.learning_rate)
    of_batch = partial(gradient, network, alpha=course.watch.alpha)
    return follow(network, samples, optimizer, course, gradient=of_batch)


@torch.no_grad()
def gradient(
    network: SpikingNetwork,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    alpha: int = 1,
) -> tuple[Streamed, float]:
    """Put the gradient of a batch into the weights' ``grad``.

    Args:
        network: of fully connected layers.
        inputs: ``N x …``, before coding.
        labels: ``N`` classes.
        generator: of the training. Random feedback has one of its own, made of its
            seed: the same for all batches, also after an interruption.
        alpha: the alpha of which a watch asks for the nearness.

    Returns:
        What the network did, and the mean loss of its answers.

    Raises:
        DivergedError: the loss is not finite.
    """
    genes = network.genes
    dropout = Dropout(genes.dropout, generator) if genes.dropout else None
    layers = _layers(network, labels, generator.initial_seed(), dropout, alpha)
    output = _Output(network, labels)
    for coded in _steps(inputs, genes, generator):
        now = {INPUT: coded.flatten(1)}
        for layer in layers:
            now[layer.name] = layer.fire(now)
        error = output.step(layers[-1].heard(now[layers[-1].name]))
        for layer in layers:
            layer.learn(error)
    penalty = sum(layer.price * float(layer.spent.sum()) for layer in layers)
    require_finite_loss(output.loss + penalty, genes.learning_rate)
    for layer in layers:
        layer.tell()
    output.tell()
    return _streamed(network, layers, output), output.loss


def _steps(
    inputs: Tensor, genes: Genes, generator: torch.Generator
) -> Iterator[Tensor]:
    """The coded input of each step, ``N x …``; of all steps at once if it must be."""
    if genes.coding not in BY_STEPS:
        yield from encode(inputs, genes, generator)
        return
    one = replace(genes, time_steps=1)
    for _ in range(genes.time_steps):
        yield encode(inputs, one, generator)[0]


def _layers(
    network: SpikingNetwork,
    labels: Tensor,
    seed: int,
    dropout: Dropout | None,
    alpha: int,
) -> list[EligibleLayer]:
    """The layers of neurons at rest, in order."""
    nodes = network.blueprint.layers
    prices = _prices(network, len(labels))
    rows = zip(nodes, feedbacks(network, seed), prices, strict=True)
    return [
        EligibleLayer(
            Synapses.into(node, network),
            kappa=kappa_of(network.genes),
            feedback=feedback,
            price=price,
            dropout=dropout,
            alpha=alpha,
        )
        for node, feedback, price in rows
    ]


def feedbacks(network: SpikingNetwork, seed: int) -> list[Tensor]:
    """B of each layer: by which weights it hears the errors of the output.

    Args:
        network: with the rule.
        seed: of the training's generator.

    Returns:
        ``classes x neurons`` each; random ones are uniform in ``+-1 / sqrt(neurons)``,
        as weights of the output are at first.
    """
    plan, rule = network.blueprint, network.genes.rule
    assert isinstance(rule, Eprop)
    readout = cast(nn.Linear, network.parts[plan.output.name]).weight.detach()
    dice = torch.Generator().manual_seed(seed ^ _FEEDBACK)
    found = []
    for node in plan.layers:
        bound = 1.0 / math.sqrt(node.shape[0])
        drawn = torch.empty(len(readout), node.shape[0])
        found.append(drawn.uniform_(-bound, bound, generator=dice).to(readout))
    return [*found[:-1], readout] if rule.feedback == "symmetric" else found


def kappa_of(genes: Genes) -> float:
    """The share of the read-out's membrane that is kept from step to step."""
    return 1.0 - 1.0 / genes.tau_readout_steps


def _prices(network: SpikingNetwork, samples: int) -> list[float]:
    """What one spike of each layer adds to the loss of a batch."""
    genes, count = network.genes, len(network.blueprint.layers)
    plan, steps = network.blueprint, genes.time_steps
    # The penalty is linear in the counts: that of one spike of each layer says all.
    alone = torch.eye(count, dtype=torch.float64).unsqueeze(1)
    penalties = [activity_penalty(n, plan, steps, genes.regulariser) for n in alone]
    return [float(p) * genes.activity_penalty / samples for p in penalties]


class _Output:
    """The read-out of a batch, step by step, and the gradient of its weights.

    Attributes:
        loss: of the steps so far, the mean over samples and all steps.
    """

    def __init__(self, network: SpikingNetwork, labels: Tensor) -> None:
        self._linear = cast(nn.Linear, network.parts[network.blueprint.output.name])
        self._genes = network.genes
        self._labels = labels
        self._kappa = kappa_of(network.genes)
        weight = self._linear.weight
        self._membrane = weight.new_zeros(len(labels), len(weight))
        self._trace = weight.new_zeros(len(labels), weight.shape[1] + 1)
        self._gradient = weight.new_zeros(len(weight), weight.shape[1] + 1)
        self._wanted = F.one_hot(labels, len(weight)).to(weight.dtype)
        self._loss = weight.new_zeros(())
        self._read: Tensor | None = None

    @property
    def loss(self) -> float:
        """Of the steps so far, as a share of the mean over all."""
        return float(self._loss)

    def step(self, heard: Tensor) -> Tensor:
        """One step.

        Args:
            heard: spikes of the last layer, ``N x neurons``.

        Returns:
            The loss's derivative by the membrane of this step, ``N x classes``.
        """
        self._membrane = self._kappa * self._membrane + self._linear(heard)
        self._trace.mul_(self._kappa).add_(with_one([heard]))
        now, steps = self._membrane, self._genes.time_steps
        self._loss += F.cross_entropy(now, self._labels) / steps
        error = (now.softmax(1) - self._wanted) / (len(now) * steps)
        self._gradient.addmm_(error.T, self._trace)
        if self._read is None:
            self._read = now
        elif self._genes.readout == "max":
            self._read = torch.maximum(self._read, now)
        else:
            self._read = self._read + now
        return error

    def logits(self) -> Tensor:
        """``N x classes``, see `moosnn.snn.readout.read`."""
        assert self._read is not None
        mean = self._genes.readout == "mean"
        return self._read / self._genes.time_steps if mean else self._read

    def tell(self) -> None:
        """Put the gradient where an optimizer finds it."""
        self._linear.weight.grad = self._gradient[:, :-1].contiguous()
        self._linear.bias.grad = self._gradient[:, -1].contiguous()


def _streamed(
    network: SpikingNetwork, layers: Sequence[EligibleLayer], output: _Output
) -> Streamed:
    names = [layer.name for layer in layers]
    stages = network.blueprint.stages
    return Streamed(
        logits=output.logits(),
        counts=torch.stack([layer.spent for layer in layers], 1),
        peaks=tuple(layer.peaks for layer in layers),
        thresholds=tuple(layer.genes.threshold for layer in layers),
        stages=tuple(tuple(names.index(n) for n in stage) for stage in stages),
    )
