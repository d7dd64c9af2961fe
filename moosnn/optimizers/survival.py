"""Survival: which feasible points are worth being parents, as pymoo's algorithms judge.

Knows: loss matrices, pymoo. Must not know: trials, spaces, constraints.

Every call builds pymoo's survival afresh and shows it all points that there are, so
that what an algorithm remembers of earlier generations (the ideal and the extreme
points of NSGA-III) is recomputed from the points and nothing is kept between calls.

.. [Deb2002] K. Deb, A. Pratap, S. Agarwal, T. Meyarivan. A Fast and Elitist
   Multiobjective Genetic Algorithm: NSGA-II. IEEE TEVC 6(2), 2002.
.. [Beume2007] N. Beume, B. Naujoks, M. Emmerich. SMS-EMOA: Multiobjective Selection
   Based on Dominated Hypervolume. EJOR 181(3), 2007.
.. [Deb2014] K. Deb, H. Jain. An Evolutionary Many-Objective Optimization Algorithm
   Using Reference-Point-Based Nondominated Sorting Approach, Part I. IEEE TEVC 18(4),
   2014.
.. [Panichella2022] A. Panichella. An Improved Pareto Front Modeling Algorithm for
   Large-Scale Many-Objective Optimization. GECCO 2022.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moosnn.problem import Floats

if TYPE_CHECKING:
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem as Box

ALGORITHMS = ("nsga2", "nsga3", "age_moea2", "sms_emoa")

_BLOCK = 100  # points of a front whose hypervolume contributions are compared at once
_INNER_SCALE = 0.5  # size of the inner layer of directions; Deb2014, section IV-B


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A row of the loss matrix and its place in the tournament.

    Attributes:
        index: of the row.
        rank: of its front; smaller wins.
        crowding: how lonely it is on its front, larger wins; 0 where the algorithm
            does not ask.
    """

    index: int
    rank: float
    crowding: float


def survive(
    algorithm: str, losses: Floats, count: int, rng: np.random.Generator
) -> list[Survivor]:
    """The best points as one algorithm judges.

    With one objective every algorithm sorts by it.

    Args:
        algorithm: one of `ALGORITHMS`: ``nsga2`` = rank and crowding [Deb2002]_;
            ``nsga3`` = rank and reference directions [Deb2014]_; ``age_moea2`` = rank,
            then spread and nearness in the geometry of the front [Panichella2022]_;
            ``sms_emoa`` = rank, then contribution to the hypervolume [Beume2007]_.
        losses: ``n x m``, minimised, finite, n >= 1.
        count: how many survive, >= 1.
        rng: for ties (and niches of ``nsga3``).

    Returns:
        min(n, count) survivors.
    """
    count = min(count, len(losses))
    if algorithm == "nsga2" or losses.shape[1] == 1:
        return _by_crowding(losses, count, rng)
    # pymoo's other algorithms have absolute tolerances, and AGE-MOEA-II takes the
    # origin for the ideal point.
    losses = _normalised(losses, count)
    judges = {
        "nsga3": _by_direction,
        "age_moea2": _by_geometry,
        "sms_emoa": _by_contribution,
    }
    return judges[algorithm](losses, count, rng)


def directions(objectives: int, count: int) -> Floats:
    """Reference directions, at most one a parent.

    Simplex lattices of Das and Dennis: the largest that fits. With so few partitions
    that no direction would point inside, two layers that fit together instead, of q
    and q - 1 partitions, the inner one of half the size [Deb2014]_.

    Args:
        objectives: m, >= 2.
        count: how many parents, >= 1.

    Returns:
        ``k x m``, each sums up to 1, k <= count.
    """
    from pymoo.util.reference_direction import (
        UniformReferenceDirectionFactory,
        get_partition_closest_to_points,
    )

    def lattice(partitions: int, scaling: float | None = None) -> Floats:
        factory = UniformReferenceDirectionFactory(
            objectives, n_partitions=partitions, scaling=scaling
        )
        points: Floats = factory.do()
        return points

    def size(partitions: int) -> int:
        return math.comb(objectives + partitions - 1, partitions)

    most = get_partition_closest_to_points(count, objectives)
    if most < objectives:
        for outer in range(most, 0, -1):
            if size(outer) + size(outer - 1) <= count:
                layers = [lattice(outer), lattice(outer - 1, _INNER_SCALE)]
                return np.concatenate(layers)
    return lattice(most)


def _by_crowding(
    losses: Floats, count: int, rng: np.random.Generator
) -> list[Survivor]:
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

    best = RankAndCrowding().do(
        box(1), _population(losses), n_survive=count, random_state=rng
    )
    return _survivors(*best.get("index", "rank", "crowding"))


def _by_direction(
    losses: Floats, count: int, rng: np.random.Generator
) -> list[Survivor]:
    """Crowding is 0: within a front NSGA-III mates at random.

    It mates at random between fronts too, with populations that have become one front;
    ours is too small and too young for that, so that the rank counts.
    """
    from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival

    dim = losses.shape[1]
    # pymoo silences every warning of the process for good.
    with warnings.catch_warnings():
        best = ReferenceDirectionSurvival(directions(dim, count)).do(
            box(1, dim), _population(losses), n_survive=count, random_state=rng
        )
    index, rank = best.get("index", "rank")
    return _survivors(index, rank, np.zeros(len(index)))


def _by_geometry(
    losses: Floats, count: int, rng: np.random.Generator
) -> list[Survivor]:
    from pymoo.algorithms.moo.age2 import AGEMOEA2Survival

    survival = AGEMOEA2Survival()
    try:
        with np.errstate(all="ignore"):
            best = survival.do(
                box(1, losses.shape[1]),
                _population(losses),
                n_survive=count,
                random_state=rng,
            )
    except ZeroDivisionError:  # a front of one place has no geometry
        return _by_crowding(losses, count, rng)
    index, rank, crowding = best.get("index", "rank", "crowding")
    # A later front may be scored 0 / 0, where the first one has fewer points than axes.
    return _survivors(index, rank, np.where(np.isnan(crowding), 0.0, crowding))


def _by_contribution(
    losses: Floats, count: int, rng: np.random.Generator
) -> list[Survivor]:
    """The least contributing points of the last front that has room are left out.

    The exact contributions cost a power of the number of points, and of objectives: a
    front of more than 100 meets in blocks, the survivors of the earlier ones with the
    next 100.
    """
    from pymoo.algorithms.moo.sms import LeastHypervolumeContributionSurvival

    *whole, last = _fronts(losses, count)
    room = count - sum(len(front) for front in whole)
    dim = losses.shape[1]
    kept = np.empty(0, dtype=int)
    for start in range(0, len(last), _BLOCK):
        pool = np.concatenate([kept, last[start : start + _BLOCK]])
        best = LeastHypervolumeContributionSurvival().do(
            box(1, dim),
            _population(losses[pool]),
            n_survive=room,
            ideal=np.zeros(dim),
            nadir=np.ones(dim),
            random_state=rng,
        )
        kept = pool[best.get("index").astype(int)]
    fronts = [*whole, kept]
    rank = np.repeat(np.arange(len(fronts)), [len(front) for front in fronts])
    return _survivors(np.concatenate(fronts), rank, np.zeros(len(rank)))


def _survivors(
    indices: Iterable[int], ranks: Iterable[float], crowdings: Iterable[float]
) -> list[Survivor]:
    rows = zip(indices, ranks, crowdings, strict=True)
    return [
        Survivor(index=int(i), rank=float(r), crowding=float(c)) for i, r, c in rows
    ]


def _normalised(losses: Floats, count: int) -> Floats:
    """Losses with those of the fronts that may survive in [0, 1], ``n x m``.

    Relative to all points an early outlier would decide about the weight of an axis.
    """
    best = losses[np.concatenate(_fronts(losses, count))]
    ideal = best.min(axis=0)
    spread = best.max(axis=0) - ideal
    normalised: Floats = (losses - ideal) / np.where(spread > 0, spread, 1.0)
    return normalised


def _fronts(losses: Floats, count: int) -> list[np.typing.NDArray[np.int_]]:
    """The fronts' rows, until they hold ``count`` points."""
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    fronts: list[np.typing.NDArray[np.int_]] = NonDominatedSorting().do(
        losses, n_stop_if_ranked=count
    )
    return fronts


def _population(losses: Floats) -> Population:
    from pymoo.core.population import Population

    population = Population.new("F", losses)
    population.set("index", np.arange(len(losses)))
    return population


def box(dim: int, objectives: int = 1) -> Box:
    """The unit cube in pymoo's words."""
    from pymoo.core.problem import Problem as Box

    return Box(n_var=dim, n_obj=objectives, xl=np.zeros(dim), xu=np.ones(dim))
