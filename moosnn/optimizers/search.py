"""Where a score over a mixed space is largest.

Knows: spaces and which points are fresh. Must not know: what the score means, trials.

Candidates are always points of the space: a score is only ever compared at snapped
points, where an integer is an integer and what does not exist is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from scipy.stats import qmc

from moosnn.optimizers.base import Fresh
from moosnn.optimizers.cube import Cube, Indexes
from moosnn.optimizers.lockstep import minimised
from moosnn.problem import Floats, Mask
from moosnn.space import Choice, Int, Params, Value

_CHUNK = 512  # points that are scored at once: keeps the memory of a score small
_SCREENED = 64  # candidates that a rough score leaves, at most
_SMALLEST_STEP, _LARGEST_STEP = 1e-3, 0.32  # of a perturbation, in the unit cube
_NEIGHBOUR_ROUNDS = 3
_EVALUATIONS = 2  # an iteration of L-BFGS at most, on average
_APART = 0.02  # largest coordinate difference below which two starts are one


class Score(Protocol):
    """What is to be as large as possible, at points as the models see them."""

    def values(self, points: Floats) -> Floats:
        """The score at ``b x e`` features, ``b``."""
        ...

    def slopes(self, points: Floats) -> tuple[Floats, Floats]:
        """The score at ``b x e`` features, ``b``, and its slopes, ``b x e``."""
        ...


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to search.

    Attributes:
        raw_candidates: how many points are scored first, a power of two.
        restarts: how many of them are improved by L-BFGS.
        iterations: of L-BFGS at most.
    """

    raw_candidates: int
    restarts: int
    iterations: int


@dataclass(frozen=True, slots=True)
class Instead:
    """A score that takes another one's place where that one promises little.

    Attributes:
        score: the other score.
        below: if no raw candidate has so much of the first one.
    """

    score: Score
    below: float


@dataclass(frozen=True, slots=True)
class _Pool:
    """Snapped points with their scores.

    Attributes:
        points: ``n x d``.
        active: ``n x d``.
        scores: ``n``.
    """

    points: Floats
    active: Mask
    scores: Floats

    @classmethod
    def of(cls, score: Score, cube: Cube, points: Floats) -> _Pool:
        snapped, active = cube.snapped(points)
        found = np.full(len(snapped), -np.inf)
        for first in range(0, len(snapped), _CHUNK):
            rows = slice(first, first + _CHUNK)
            found[rows] = score.values(cube.features(snapped[rows], active[rows]))
        return cls(snapped, active, np.where(np.isnan(found), -np.inf, found))

    def joined(self, other: _Pool) -> _Pool:
        return _Pool(
            np.vstack([self.points, other.points]),
            np.vstack([self.active, other.active]),
            np.concatenate([self.scores, other.scores]),
        )

    @property
    def order(self) -> Indexes:
        """The rows, the largest score first."""
        return np.argsort(-self.scores, kind="stable")


def best_point(
    score: Score,
    cube: Cube,
    bases: Floats,
    fresh: Fresh,
    *,
    rng: np.random.Generator,
    effort: Effort,
    instead: Instead | None = None,
    rough: Score | None = None,
) -> dict[str, Value] | None:
    """The fresh point of the largest score that a search found.

    Scrambled Sobol points and variations of good points are scored (if there is a rough
    score, the 64 that it likes best), the best are improved in their numeric
    coordinates by L-BFGS and snapped, and the winner is compared with its neighbours
    in the discrete coordinates.

    Args:
        score: differentiable in the numeric features.
        cube: of the space.
        bases: ``n x d``, good points to vary; may be empty.
        fresh: which points may be proposed.
        rng: of the candidates.
        effort: how hard to search.
        instead: by what to search if the score promises little.
        rough: a cheaper likeness of the score: only the best candidates by it are
            scored.

    Returns:
        A canonical point, or ``None`` if no candidate was fresh.
    """
    raw = candidates(cube, bases, rng, effort.raw_candidates)
    if rough is not None:
        raw = _screened(rough, cube, raw, fresh)
        if not len(raw):
            return None
    pool = _Pool.of(score, cube, raw)
    if instead is not None and pool.scores.max() < instead.below:
        score = instead.score
        pool = _Pool.of(score, cube, raw)
    starts = _spread_starts(pool, cube, fresh, effort.restarts)
    if not starts:
        return None
    climbed = _climbed(score, cube, pool, starts, effort)
    pool = pool.joined(_Pool.of(score, cube, climbed))
    best = _first_fresh(pool, cube, fresh)
    for _ in range(_NEIGHBOUR_ROUNDS if cube.discrete else 0):
        assert best is not None, "the starts are fresh"
        neighbours = _neighbours(cube, cube.decoded(pool.points[best]))
        pool = pool.joined(_Pool.of(score, cube, neighbours))
        before, best = best, _first_fresh(pool, cube, fresh)
        if best == before:
            break
    return None if best is None else cube.decoded(pool.points[best])


def _screened(rough: Score, cube: Cube, points: Floats, fresh: Fresh) -> Floats:
    """The different fresh points of the largest rough scores."""
    pool = _Pool.of(rough, cube, points)
    _, first = np.unique(pool.points, axis=0, return_index=True)
    order = first[np.argsort(-pool.scores[first], kind="stable")]
    best = (r for r in order if fresh(cube.decoded(pool.points[r])))
    return points[list(islice(best, _SCREENED))]


def _first_fresh(pool: _Pool, cube: Cube, fresh: Fresh) -> int | None:
    """The row of the largest score among the fresh points."""
    for row in pool.order:
        if fresh(cube.decoded(pool.points[row])):
            return int(row)
    return None


def candidates(
    cube: Cube, bases: Floats, rng: np.random.Generator, count: int
) -> Floats:
    """Sobol points, and variations of good ones: steps, jumps, mixtures.

    Args:
        cube: of the space.
        bases: ``n x d``, the good points; may be empty.
        rng: of all that is random.
        count: of the Sobol points, a power of two.

    Returns:
        Points of the cube, not snapped, ``9/4 count x d``; without bases ``count x d``.
    """
    engine = qmc.Sobol(cube.dim, scramble=True, rng=rng)
    points = np.asarray(engine.random_base2(count.bit_length() - 1), dtype=float)
    if not len(bases):
        return points
    active = cube.active(bases)
    stepped = _stepped(_genes(bases, active, count // 2, rng), rng)
    jumped = _jumped(_genes(bases, active, count // 2, rng), rng)
    one, two = (_genes(bases, active, count // 4, rng) for _ in range(2))
    mixed = np.where(rng.random(one.shape) < 0.5, one, two)
    return np.vstack([points, stepped, jumped, mixed])


def _stepped(points: Floats, rng: np.random.Generator) -> Floats:
    """Gaussian steps of all sizes in some coordinates, one at least."""
    count, dim = points.shape
    low, high = np.log(_SMALLEST_STEP), np.log(_LARGEST_STEP)
    steps = np.exp(rng.uniform(low, high, (count, 1))) * rng.standard_normal(
        (count, dim)
    )
    share = np.maximum(min(1.0, 3.0 / dim), rng.random((count, 1)) ** 2)
    touched = rng.random((count, dim)) < share
    touched[np.arange(count), rng.integers(dim, size=count)] = True
    return np.clip(points + np.where(touched, steps, 0.0), 0.0, 1.0)


def _jumped(points: Floats, rng: np.random.Generator) -> Floats:
    """One coordinate or two anywhere else."""
    count, dim = points.shape
    rows, moved = np.arange(count), points.copy()
    moved[rows, rng.integers(dim, size=count)] = rng.random(count)
    twice = rows[rng.random(count) < 0.5]
    moved[twice, rng.integers(dim, size=len(twice))] = rng.random(len(twice))
    return moved


def _genes(bases: Floats, active: Mask, count: int, rng: np.random.Generator) -> Floats:
    """Random bases, with random coordinates for whatever is inactive: it may wake."""
    rows = rng.integers(len(bases), size=count)
    return np.where(active[rows], bases[rows], rng.random((count, bases.shape[1])))


def _spread_starts(pool: _Pool, cube: Cube, fresh: Fresh, count: int) -> list[int]:
    """The rows of the largest scores that are fresh and lie apart."""
    starts: list[int] = []
    for row in pool.order:
        apart = np.abs(pool.points[starts] - pool.points[row]).max(axis=1) > _APART
        if apart.all() and fresh(cube.decoded(pool.points[row])):
            starts.append(int(row))
        if len(starts) == count:
            break
    return starts


def _climbed(
    score: Score, cube: Cube, pool: _Pool, starts: list[int], effort: Effort
) -> Floats:
    """Starts moved uphill in the numeric coordinates that exist there, ``s x d``."""
    points, active = pool.points[starts].copy(), pool.active[starts]
    free = active & ~cube.choices

    def falls(moved: Mapping[int, Floats]) -> list[tuple[float, Floats]]:
        """Minus the score and its slopes in the free coordinates of some starts."""
        rows = list(moved)
        here, exists = points[rows], active[rows]
        for place, row in enumerate(rows):
            here[place, free[row]] = moved[row]
        values, slopes = score.slopes(cube.features(here, exists))
        slopes = cube.slopes(here, exists, slopes)
        return [
            (-float(values[place]), -slopes[place, free[row]])
            for place, row in enumerate(rows)
        ]

    ends = minimised(
        falls,
        {row: points[row, free[row]] for row in range(len(starts)) if free[row].any()},
        steps=effort.iterations,
        evaluations=_EVALUATIONS * effort.iterations,
    )
    climbed = points.copy()
    for row, end in ends.items():
        if np.isfinite(end).all():
            climbed[row, free[row]] = np.clip(end, 0.0, 1.0)
    return climbed


def _neighbours(cube: Cube, params: Params) -> Floats:
    """The points that differ in one discrete coordinate, by one step or option."""
    space, found = cube.space, []
    for name in space.active(params):
        parameter, value = space.parameters[name], params[name]
        others: list[Value] = []
        if isinstance(parameter, Choice):
            others = [option for option in parameter.options if option != value]
        elif isinstance(parameter, Int):
            steps = (int(value) - parameter.step, int(value) + parameter.step)
            others = [v for v in steps if parameter.low <= v <= parameter.high]
        found += [space.encode({**params, name: other}) for other in others]
    return np.array(found, dtype=float).reshape(len(found), cube.dim)
