"""Weight-sharing search: a population of paths through one network of all modules.

Knows: slices of training, tournaments, which samples paths are compared on. Must not
know: validation or test data, files, how paths are compared (`genotypes`).

After PathNet (Fernando et al. 2017, arXiv 1701.08734): two paths of a population are
drawn and each is trained for a slice of batches on weights that all paths share; the
loser is overwritten by the winner, mutated. What wins is here no single number: paths
are compared by non-domination on error, SynOps and active modules.

A fifth of the training split, at most 512 samples, is held back to compare paths by
and trains none. The last epochs train the path that is kept, alone, on all samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor

from moosnn.snn.coding import encode
from moosnn.snn.genes import Genes
from moosnn.snn.learning.checkpoint import Saved
from moosnn.snn.learning.descent import backpropagated
from moosnn.snn.learning.genotypes import (
    Genotype,
    Score,
    drawn,
    kept,
    letters,
    loser,
    mutated,
)
from moosnn.snn.learning.path_score import path_genes, paths_of, score
from moosnn.snn.learning.progress import Progress
from moosnn.snn.learning.slices import batches_of, held_back, tournaments
from moosnn.snn.learning.training import Course, Fit, Tally, require_finite, shuffled
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.supernet import Supernet
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Seen

_NETWORKS = 256  # paths remembered as networks
# Facts and a tensor of a checkpoint, beside those of every training.
_POPULATION, _KEPT, _HELD = "population", "kept", "held"


def fit(network: SpikingNetwork, samples: Samples, course: Course) -> Fit:
    """See `moosnn.snn.learning.training.Rule`.

    The network becomes the path that is kept: the other modules are gone, and its genes
    say which are left. What is told of an epoch is of the paths trained in it.

    The watch hears every path that is trained, and where that is silent all modules
    together. It stops the training only if, when it says so, every path of the
    population is silent on the last samples seen: some may be, as long as others can
    overwrite them.

    Args:
        network: of all modules.
        samples: the training split.
        course: see there.

    Raises:
        DivergedError: the loss or a weight is not finite.
        ReleasedError: see there.
    """
    search = _Search.begun(network, samples, course)
    state, genes = search.state, network.genes
    last = search_epochs(genes)
    network.train()
    while state.epoch < genes.epochs:
        course.checkpoint.offer(search.saved)
        state.epoch += 1
        tally = Tally(len(network.blueprint.stages))
        alone = search.path is not None
        silent = search.tune(tally) if alone else search.hold_tournaments(tally)
        require_finite(network, state.epoch)
        if silent or state.epoch == last:
            search.settle()
        if silent:
            return replace(state.fit, stopped="silent")
        stop = course.on_epoch(state.epoch, tally.metrics())
        if stop and state.epoch < genes.epochs:
            search.settle()
            return replace(state.fit, stopped="pruned")
    return state.fit


def search_epochs(genes: Genes) -> int:
    """How many epochs are searched in, the first ones, >= 1."""
    return max(1, genes.epochs - round(_rule_of(genes).tune_share * genes.epochs))


@dataclass(slots=True)
class _Search:
    """A population and the weights that its paths share.

    Attributes:
        state: of the network of all modules; from `settle` on of the path kept.
        samples: the training split.
        course: what goes on around the training.
        held: indices of the samples that are held back.
        population: genes of each path; once one is kept, that one alone.
        path: the active modules of the path kept, once there is one.
        networks: of paths by their active modules, of the shared modules.
        scored: the samples held back.
    """

    state: Progress[SpikingNetwork]
    samples: Samples
    course: Course
    held: Tensor
    population: list[Genotype]
    path: tuple[str, ...] | None = None
    networks: dict[tuple[str, ...], SpikingNetwork] = field(default_factory=dict)
    scored: Samples = field(init=False)

    def __post_init__(self) -> None:
        self.scored = self.samples.only(self.held)

    @classmethod
    def begun(
        cls, network: SpikingNetwork, samples: Samples, course: Course
    ) -> _Search:
        """From the beginning, or from the checkpoint if there is one."""
        saved = course.checkpoint.saved()
        if saved is None:
            held = held_back(len(samples), course.generator)
            population, path = _first(network.genes, course.generator), None
        else:
            held = saved.tensors[_HELD]
            population, path = _population(saved.facts), saved.facts[_KEPT]
        if path is not None:
            network.narrow(path_genes(network.genes, path))
        return cls(
            state=Progress.begun(network, samples, course, _adam(network)),
            samples=samples,
            course=course,
            held=held,
            population=population,
            path=None if path is None else tuple(path),
        )

    def saved(self) -> Saved:
        """Everything that the epochs to come depend on."""
        saved = self.state.saved()
        return Saved(
            tensors={**saved.tensors, _HELD: self.held},
            facts={**saved.facts, _POPULATION: self.population, _KEPT: self.path},
        )

    def hold_tournaments(self, tally: Tally) -> bool:
        """One epoch; whether the watch stopped it."""
        genes, generator, paths = self._genes, self.state.generator, self.population
        scores = self._scores()
        batches = batches_of(len(self.samples), self.held, genes.batch_size, generator)
        for slices in tournaments(batches, _rule_of(genes).slice_updates):
            rivals = torch.randperm(len(paths), generator=generator)[:2].tolist()
            for rival, part in zip(rivals, slices, strict=True):
                if self._train(self._network(paths[rival]), part, tally):
                    return True
            for rival in rivals:
                scores[rival] = self._score(paths[rival])
            lost = _loser(rivals, paths, scores)
            if lost is not None:
                (won,) = {*rivals} - {lost}
                modules = paths_of(genes).modules
                paths[lost] = mutated(paths[won], modules, generator)
                scores[lost] = self._score(paths[lost])
        return False

    def tune(self, tally: Tally) -> bool:
        """One epoch of the path kept, alone; whether the watch stopped it."""
        size, generator = self._genes.batch_size, self.state.generator
        batches = shuffled(len(self.samples), size, generator)
        return self._train(self.state.network, batches, tally)

    def settle(self) -> None:
        """Let the network become the path that is kept, if it is not yet."""
        if self.path is not None:
            return
        scores = self._scores()
        best = self.population[kept(scores, _rule_of(self._genes).tolerance)]
        self.population, self.path = [best], letters(best)
        self.state.network.narrow(path_genes(self._genes, self.path))
        self.state.optimizer = _adam(self.state.network)
        self.networks.clear()

    @property
    def _genes(self) -> Genes:
        return self.state.network.genes

    def _train(
        self, network: SpikingNetwork, batches: Sequence[Tensor], tally: Tally
    ) -> bool:
        """Train a path on batches; whether the watch stopped it.

        Modules that are not on the path have no gradient, and Adam passes them over.
        """
        state, optimizer = self.state, self.state.optimizer
        assert optimizer is not None
        for chosen in batches:
            inputs, labels = self.samples.batch(chosen)
            optimizer.zero_grad()
            seen, loss = backpropagated(network, None, inputs, labels, state.generator)
            optimizer.step()
            tally.add(seen, labels, loss)
            state.fit = state.fit.after(chosen)
            last = state.fit.updates == state.fit.planned
            if not last and self._says_silent(network, seen, inputs):
                return True
        return False

    def _says_silent(self, trained: SpikingNetwork, seen: Seen, inputs: Tensor) -> bool:
        """Whether the watch says silent, and every path is, undisturbed.

        Of a silent path it hears what all modules do together: paths have different
        thresholds, and one after the other would pass for a trend.
        """
        state, watch = self.state, self.state.watch
        if self.path is None and watch.agrees(seen):
            twin = torch.Generator().manual_seed(state.fit.updates)
            with torch.no_grad():
                seen = state.network.observe(encode(inputs, self._genes, twin))
        if not watch.update(seen):
            return False
        recent = self.samples.only(state.fit.recent)
        others = () if self.path is not None else map(self._network, self.population)
        return all(score(path, recent, watch).silent for path in (trained, *others))

    def _scores(self) -> list[Score]:
        """Of the whole population, with the weights of now."""
        networks = [self._network(genotype) for genotype in self.population]
        found = {id(n): score(n, self.scored, self.state.watch) for n in networks}
        return [found[id(n)] for n in networks]

    def _score(self, genotype: Genotype) -> Score:
        return score(self._network(genotype), self.scored, self.state.watch)

    def _network(self, genotype: Genotype) -> SpikingNetwork:
        """A path as a network of its own, of the shared modules."""
        active = letters(genotype)
        if active not in self.networks:
            if len(self.networks) == _NETWORKS:
                self.networks.clear()
            genes = path_genes(self._genes, active)
            self.networks[active] = self.state.network.sharing(genes)
        return self.networks[active]


def _adam(network: SpikingNetwork) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=network.genes.learning_rate)


def _rule_of(genes: Genes) -> Supernet:
    return cast(Supernet, genes.rule)


def _first(genes: Genes, generator: torch.Generator) -> list[Genotype]:
    """The population that a search begins with."""
    rule, family = _rule_of(genes), paths_of(genes)
    return [
        drawn(family.layers, rule.modules, family.modules, generator)
        for _ in range(rule.population)
    ]


def _population(facts: Mapping[str, Any]) -> list[Genotype]:
    return [tuple(tuple(row) for row in genes) for genes in facts[_POPULATION]]


def _loser(
    rivals: Sequence[int], paths: Sequence[Genotype], scores: Sequence[Score]
) -> int | None:
    """Which of two rivals is overwritten: of equal paths the second."""
    one, other = rivals
    if letters(paths[one]) == letters(paths[other]):
        return other
    return loser(one, other, scores)
