"""Evolution without generations, so that no worker waits for another.

Knows: losses, violations, pymoo. Must not know: models of outcomes, tasks.

A steady state: each proposal is one child of the best trials so far. Which feasible
trials those are is the chosen algorithm's affair (`survival`); everything else, that
is mating, mixed variables and constraints, is the same for all of them. pymoo's types
stay inside of these two files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from moosnn.errors import ConfigError, nearest
from moosnn.history import History
from moosnn.optimizers.base import (
    FALLBACK,
    Fresh,
    choices_of,
    generator,
    proposal,
    require_number,
    require_whole,
)
from moosnn.optimizers.judged import Judged
from moosnn.optimizers.sobol import sobol_point
from moosnn.optimizers.survival import ALGORITHMS, box, survive
from moosnn.problem import Floats, Problem
from moosnn.space import Space, Value
from moosnn.trial import Proposal, Trial

_MATINGS = 64  # children that may turn out to be known before Sobol steps in


@dataclass(frozen=True, slots=True)
class _Parent:
    """A survivor: its trial and its place in the tournament; smaller wins."""

    trial: Trial
    place: tuple[float, float, float]


class Evolution:
    """Proposes children of the non-dominated, spread and least violating trials.

    The first proposals are Sobol points. A trial whose objectives mean nothing (a
    silent network) takes part with its violation only; one that was pruned takes no
    part.

    Args:
        population_size: how many trials may become parents, >= 2.
        initial: how many Sobol points come first, >= 0; ``None`` =
            ``population_size``.
        crossover_probability: of a child having two parents in its numeric
            coordinates, in [0, 1].
        crossover_eta: of simulated binary crossover, >= 0; larger = nearer to the
            parents.
        mutation_eta: of polynomial mutation, >= 0; larger = smaller steps. Each
            coordinate mutates with probability 1 / d, at least one does.
        algorithm: whose survival picks among the feasible trials: ``nsga2``, ``nsga3``,
            ``age_moea2``, ``sms_emoa``; see `survive`.

    Raises:
        ConfigError: an argument that is not a number of its range, an unknown
            algorithm, or ``age_moea2`` without the package numba.
    """

    def __init__(
        self,
        population_size: int = 20,
        initial: int | None = None,
        crossover_probability: float = 0.9,
        crossover_eta: float = 15.0,
        mutation_eta: float = 20.0,
        *,
        algorithm: str = "nsga2",
    ) -> None:
        _require_algorithm(algorithm)
        require_whole("population_size", population_size, 2)
        require_whole("initial", 0 if initial is None else initial, 0)
        require_number("crossover_probability", crossover_probability, 0, 1)
        require_number("crossover_eta", crossover_eta, 0)
        require_number("mutation_eta", mutation_eta, 0)
        self.population_size = population_size
        self.initial = population_size if initial is None else initial
        self.crossover_probability = crossover_probability
        self.crossover_eta = crossover_eta
        self.mutation_eta = mutation_eta
        self.algorithm = algorithm
        self._judged: Judged | None = None  # what would be computed again

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next children; see `Optimizer.propose`.

        Origins: ``sobol`` (initial design, or nothing to breed from), the name of the
        algorithm, and ``fallback`` = a Sobol point because every child was known or
        inadmissible.
        """
        fresh = Fresh(problem, history)
        proposals: list[Proposal] = []
        for offset in range(count):
            number = history.proposals + offset
            params, origin = None, "sobol"
            if number >= self.initial and history.done:
                rng = generator(seed, number)
                params = self._child(problem, history, fresh, rng)
                origin = FALLBACK if params is None else self.algorithm
            if params is None:
                params = sobol_point(problem.space, fresh, seed, number)
            if params is None:
                break
            fresh.take(params)
            proposals.append(proposal(history, offset, seed, params, origin))
        return proposals

    def _child(
        self,
        problem: Problem,
        history: History,
        fresh: Fresh,
        rng: np.random.Generator,
    ) -> dict[str, Value] | None:
        """A fresh child, or ``None`` after 64 matings or without parents."""
        done = history.done
        if self._judged is None or not self._judged.is_of(problem, done):
            # Only NSGA-II looks at nothing but the fronts that it takes.
            band = self.population_size if self.algorithm == "nsga2" else None
            self._judged = Judged(problem, band)
        self._judged.read(done)
        parents = _parents(
            self.algorithm, problem, self._judged, self.population_size, rng
        )
        if not parents:
            return None
        for _ in range(_MATINGS):
            pair = [_tournament(parents, rng) for _ in range(2)]
            points = np.array([_genes(problem.space, p.trial, rng) for p in pair])
            params = problem.space.decode(self._mate(problem.space, points, rng))
            if fresh(params):
                return params
        return None

    def _mate(
        self, space: Space, points: Floats, rng: np.random.Generator
    ) -> list[float]:
        """Crossover and mutation of two points, ``2 x d`` -> ``d``."""
        choices = choices_of(space)
        child = np.where(rng.random(len(space)) < 0.5, points[0], points[1])
        mutates = rng.random(len(space)) < 1 / len(space)
        mutates[rng.integers(len(space))] = True
        numeric = ~choices
        if numeric.any():
            child[numeric] = self._crossed(points[:, numeric], rng)
        moved = numeric & mutates
        if moved.any():
            child[moved] = self._mutated(child[moved], rng)
        reset = choices & mutates
        child[reset] = rng.random(int(reset.sum()))
        return [float(c) for c in child]

    def _crossed(self, points: Floats, rng: np.random.Generator) -> Floats:
        """One child by simulated binary crossover, ``2 x k`` -> ``k``."""
        from pymoo.core.population import Population
        from pymoo.operators.crossover.sbx import SBX

        crossover = SBX(
            prob=self.crossover_probability, eta=self.crossover_eta, n_offsprings=1
        )
        pair = Population.new("X", points)
        children = crossover.do(box(points.shape[1]), [pair], random_state=rng)
        child: Floats = children.get("X")[0]
        return child

    def _mutated(self, point: Floats, rng: np.random.Generator) -> Floats:
        """Polynomial mutation of every given coordinate, ``k``."""
        from pymoo.core.population import Population
        from pymoo.operators.mutation.pm import PM

        mutation = PM(prob=1.0, prob_var=1.0, eta=self.mutation_eta)
        children = Population.new("X", point[None])
        children = mutation.do(box(len(point)), children, random_state=rng)
        child: Floats = children.get("X")[0]
        return child


Nsga2 = Evolution  # the name that the configs of studies carry


def _require_algorithm(algorithm: object) -> None:
    """Refuse an algorithm that is unknown or cannot run.

    Raises:
        ConfigError: with the nearest name, or the package that is missing.
    """
    if algorithm not in ALGORITHMS:
        hint = nearest(str(algorithm), ALGORITHMS)
        raise ConfigError(f"optimizer.algorithm: got {algorithm!r}.{hint}")
    if algorithm == "age_moea2" and find_spec("numba") is None:
        raise ConfigError(
            "optimizer.algorithm: pymoo's age_moea2 needs the package numba, which is "
            'not installed: pip install "moosnn[age_moea2]".'
        )


def _genes(space: Space, trial: Trial, rng: np.random.Generator) -> Floats:
    """A parent's coordinates; those of inactive parameters mean nothing: random."""
    active = space.active(trial.proposal.params)
    mask = np.array([name in active for name in space])
    return np.where(mask, space.encode(trial.proposal.params), rng.random(len(space)))


def _tournament(parents: Sequence[_Parent], rng: np.random.Generator) -> _Parent:
    """The better of two different parents drawn at random."""
    drawn = rng.choice(len(parents), size=min(2, len(parents)), replace=False)
    return min([parents[int(i)] for i in drawn], key=lambda parent: parent.place)


def _parents(
    algorithm: str,
    problem: Problem,
    judged: Judged,
    count: int,
    rng: np.random.Generator,
) -> list[_Parent]:
    """The best trials: the feasible ones that survive, then by violation."""
    parents: list[_Parent] = []
    if judged.feasible:
        losses = judged.losses
        if algorithm != "nsga2":
            # Else the order in which the axes are written would decide about ties;
            # to NSGA-II they are all alike.
            losses = losses[:, np.argsort([o.metric for o in problem.objectives])]
        parents = [
            _Parent(judged.feasible[s.index], (0.0, s.rank, -s.crowding))
            for s in survive(algorithm, losses, count, rng)
        ]
    if len(parents) >= count:
        return parents
    rest = _by_violation(problem, judged.infeasible)
    return parents + rest[: count - len(parents)]


def _by_violation(problem: Problem, trials: Sequence[Trial]) -> list[_Parent]:
    """The violating trials among some, the least violating first.

    Violations are added up relative to the largest one of each constraint.
    """
    violations = np.maximum(problem.violations(trials), 0.0)
    if not violations.size:
        return []
    largest = violations.max(axis=0)
    totals = (violations / np.where(largest > 0, largest, 1.0)).sum(axis=1)
    order = [i for i in np.argsort(totals, kind="stable") if totals[i] > 0]
    return [_Parent(trials[i], (1.0, float(totals[i]), 0.0)) for i in order]
