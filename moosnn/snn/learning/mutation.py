"""Learning without a gradient, by random mutations.

Knows: an energy of a vector, a mutation that is kept or not, batches. Must not know:
gradients, files, search.

Weights are changed at random, and the change is kept with the probability
``min(1, exp(-beta dU))`` (Metropolis), U the energy of a batch, the same for old and
new weights. Small mutations of variance s^2 go on average down the gradient (Whitelam
et al. 2021): by ``-beta s^2 / 2 grad U`` each, and where beta is infinite by
``-s / sqrt(2 pi)`` along ``grad U / |grad U|``. Nothing has to have a derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from moosnn.errors import DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.coding import encode
from moosnn.snn.connections import Norm
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.learning.progress import Progress
from moosnn.snn.learning.training import (
    Course,
    Fit,
    Tally,
    require_finite,
    shuffled,
)
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.mutation import Mutation
from moosnn.snn.samples import Samples

# ``n`` weights -> a number; one that is not finite is never gone to.
Energy = Callable[[Tensor], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutator:
    """What a mutation is, and when it is kept.

    Attributes:
        sds: standard deviations of the mutations of ``n`` weights, each > 0.
        share: of the weights that a mutation changes, at least one, in (0, 1].
        beta: > 0, in 1 / energy; infinite = nothing that raises the energy is kept.
        generator: on the CPU.
    """

    sds: Tensor
    share: float
    beta: float
    generator: torch.Generator

    def mutated(self, weights: Tensor) -> Tensor:
        """A random change of some of ``n`` weights, each as likely as its reverse."""
        count = len(weights)
        few = max(1, round(self.share * count))
        if few == count:
            draws = torch.randn(count, generator=self.generator)
            return torch.addcmul(weights, draws.to(weights), self.sds)
        chosen = torch.randperm(count, generator=self.generator)[:few]
        chosen = chosen.to(weights.device)
        draws = torch.randn(few, generator=self.generator).to(weights)
        return weights.index_add(0, chosen, draws * self.sds[chosen])

    def keeps(self, rise: float) -> bool:
        """Whether a mutation that changes the energy by so much is kept, at random."""
        chance = float(torch.rand((), generator=self.generator, dtype=torch.float64))
        if not math.isfinite(rise):  # NaN: on the way to nowhere
            return False
        return rise <= 0 or chance < math.exp(-self.beta * rise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Weights and their energy.

    Attributes:
        weights: ``n``.
        energy: of them.
    """

    weights: Tensor
    energy: float

    def after(self, energy: Energy, mutator: Mutator) -> Place:
        """One step of the walk: a mutation if it is kept, else the same place.

        Whitelam, Selin, Park & Tamblyn, Nature Communications 12:6317 (2021); the rule
        is that of Metropolis et al. 1953, so that many steps draw weights of the
        density ``exp(-beta U)``.

        Args:
            energy: asked once.
            mutator: says what is tried, and whether it is kept.
        """
        weights = mutator.mutated(self.weights)
        found = energy(weights)
        if mutator.keeps(found - self.energy):
            return Place(weights=weights, energy=found)
        return self


@torch.no_grad()
def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`; an update is a batch.

    Tells also ``train_acceptance``: the share of the epoch's mutations that were kept.

    Raises:
        DivergedError: the energy before a mutation or a weight is not finite.
    """
    genes, rule = network.genes, _rule_of(network)
    network.train()
    state = Progress.begun(network, samples, course)
    mutator = Mutator(
        sds=fresh_sds(network) * rule.sigma,
        share=rule.share,
        beta=rule.beta if rule.acceptance == "metropolis" else math.inf,
        generator=state.generator,
    )
    blamed = f"mutation_sigma={rule.sigma:g}"
    while state.epoch < genes.epochs:
        course.checkpoint.offer(state.saved)
        state.epoch += 1
        epoch = _Epoch(state=state, mutator=mutator)
        for chosen in shuffled(len(samples), genes.batch_size, state.generator):
            seen = epoch.learn(samples, chosen)
            state.fit = state.fit.after(chosen)
            last = state.fit.updates == state.fit.planned
            if not last and course.watch.update(seen):
                require_finite(network, state.epoch, blamed)
                return replace(state.fit, stopped="silent")
        require_finite(network, state.epoch, blamed)
        if course.on_epoch(state.epoch, epoch.metrics()) and state.epoch < genes.epochs:
            return replace(state.fit, stopped="pruned")
    return state.fit


def fresh_sds(network: SpikingNetwork) -> Tensor:
    """The standard deviations that a network's weights begin with.

    Those of a connection are drawn evenly from ``+-1 / sqrt(inputs)``. What begins with
    a value of its own, as the scale of a norm, is as one with three inputs: 1 / 3.

    Returns:
        One for each learnable scalar, in the order of ``network.parameters()``.
    """
    sds = []
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        drawn = isinstance(module, nn.Linear | nn.Conv2d)
        inputs = own[0][0].numel() if drawn else 3
        sds += [torch.full_like(p, 1 / math.sqrt(3 * inputs)).flatten() for p in own]
    return torch.cat(sds)


@dataclass(slots=True, kw_only=True)
class _Epoch:
    """The batches of one pass.

    Attributes:
        state: of the training.
        mutator: of all weights.
    """

    state: Progress[SpikingNetwork]
    mutator: Mutator
    tally: Tally = field(init=False)
    tried: int = 0
    kept: int = 0

    def __post_init__(self) -> None:
        self.tally = Tally(len(self.state.network.blueprint.stages))

    def learn(self, samples: Samples, chosen: Tensor) -> Activity:
        """Try mutations on a batch; what the network did before them."""
        network, rule = self.state.network, _rule_of(self.state.network)
        inputs, labels = samples.batch(chosen)
        coded = encode(inputs, network.genes, self.state.generator)
        batch = _Batch(network=network, coded=coded, labels=labels)
        seen, answers, energy = batch.observed()
        if not math.isfinite(energy):
            raise DivergedError(
                f"the loss became {energy} (mutation_sigma={rule.sigma:g})."
            )
        self.tally.add(seen, labels, answers)
        place = Place(weights=batch.weights(), energy=energy)
        for _ in range(rule.mutations_per_batch):
            normed = batch.statistics()
            before, place = place, place.after(batch.energy, self.mutator)
            self.kept += place is not before
            if place is before:
                batch.take_back(normed)
        batch.write(place.weights)
        self.tried += rule.mutations_per_batch
        return seen

    def metrics(self) -> Mapping[str, float]:
        """Of the epoch, which is over."""
        share = self.kept / self.tried
        return {**self.tally.metrics(), "train_acceptance": share}


@dataclass(slots=True, kw_only=True)
class _Batch:
    """The energy of a network's weights on one batch, coded once.

    Norms normalise by the batch. What they remember for the evaluation has to be of
    networks that were kept, so that of another one is taken back.
    """

    network: SpikingNetwork
    coded: Tensor
    labels: Tensor
    parameters: list[nn.Parameter] = field(init=False)
    remembered: list[Tensor] = field(init=False)  # by norms

    def __post_init__(self) -> None:
        norms = [m for m in self.network.modules() if isinstance(m, Norm)]
        self.remembered = [buffer for norm in norms for buffer in norm.buffers()]
        self.parameters = list(self.network.parameters())

    def energy(self, weights: Tensor) -> float:
        """Of these weights, which the network then has."""
        self.write(weights)
        return self.observed()[2]

    def weights(self) -> Tensor:
        """Those that the network has, ``n``; a copy."""
        return torch.cat([parameter.flatten() for parameter in self.parameters])

    def write(self, weights: Tensor) -> None:
        """Let the network have these ``n`` weights."""
        pieces = torch.split(weights, [p.numel() for p in self.parameters])
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            parameter.copy_(piece.view_as(parameter))

    def observed(self) -> tuple[Activity, float, float]:
        """What the network does, how wrong its answers are, and its energy."""
        network, genes = self.network, self.network.genes
        seen = network.observe(self.coded)
        if _rule_of(network).energy == "errors":
            answers = (seen.logits.argmax(1) != self.labels).float().mean()
        else:
            answers = answer_loss(seen, self.labels, genes.loss)
        counts = seen.layer_counts()
        penalty = activity_penalty(
            counts, network.blueprint, genes.time_steps, genes.regulariser
        )
        return seen, float(answers), float(answers + genes.activity_penalty * penalty)

    def statistics(self) -> list[Tensor]:
        """What its norms remember; a copy."""
        return [buffer.clone() for buffer in self.remembered]

    def take_back(self, statistics: list[Tensor]) -> None:
        """Let its norms remember what they did."""
        for buffer, old in zip(self.remembered, statistics, strict=True):
            buffer.copy_(old)


def _rule_of(network: SpikingNetwork) -> Mutation:
    rule = network.genes.rule
    assert isinstance(rule, Mutation)
    return rule
