"""Where a score over a mixed space is largest.

Knows: spaces and which points are fresh. Must not know: what the score means, trials,
BoTorch.

Candidates are always points of the space: a score is only ever compared at points that
were decoded and encoded again, so that an integer is an integer and an inactive
parameter is where every inactive parameter is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import qmc
from torch import Tensor

from moosnn.optimizers.base import Fresh, choices_of, point_key
from moosnn.problem import Floats, Mask
from moosnn.space import Choice, Int, Params, Space, Value

Score = Callable[[Tensor], Tensor]  # ``b x d`` in the unit cube -> ``b``; larger wins

_CHUNK = 128  # points that are scored at once: keeps the memory of a score small
_SMALLEST_STEP, _LARGEST_STEP = 1e-3, 0.32  # of a perturbation, in the unit cube
_NEIGHBOUR_ROUNDS = 3
_APART = 0.02  # largest coordinate difference below which two starts are one


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


class _Pool:
    """Fresh canonical points, each once, in the order in which they came."""

    def __init__(self, space: Space, fresh: Fresh) -> None:
        self._space, self._fresh = space, fresh
        self._known: set[tuple[object, ...]] = set()
        self.params: list[dict[str, Value]] = []
        self.rows: list[list[float]] = []

    def add(self, points: Iterable[Iterable[float]]) -> None:
        for point in points:
            params = self._space.decode(list(point))
            key = point_key(params)
            if key not in self._known and self._fresh(params):
                self.params.append(params)
                self.rows.append(_coordinates(self._space, params))
            self._known.add(key)

    def points(self, first: int = 0) -> Floats:
        """The coordinates from one row on, ``n x d``."""
        return np.array(self.rows[first:]).reshape(-1, len(self._space))


def best_point(
    score: Score,
    space: Space,
    bases: Floats,
    fresh: Fresh,
    *,
    rng: np.random.Generator,
    effort: Effort,
) -> dict[str, Value] | None:
    """The fresh point of the largest score that a search found.

    Scrambled Sobol points and variations of good points are scored, the best are
    improved in their numeric coordinates by L-BFGS and snapped, and the winner is
    compared with its neighbours in the discrete coordinates.

    Args:
        score: ``b x d`` -> ``b``, differentiable in the numeric coordinates.
        space: what may be tried.
        bases: ``n x d``, good points to vary; may be empty.
        fresh: which points may be proposed.
        rng: of the candidates.
        effort: how hard to search.

    Returns:
        A canonical point, or ``None`` if no candidate was fresh.
    """
    pool = _Pool(space, fresh)
    pool.add(_raw(space, bases, rng, effort.raw_candidates))
    if not pool.params:
        return None
    scores = _scored(score, pool.points())
    starts = _spread_starts(pool.points(), scores, effort.restarts)
    free = np.array([_movable(space, pool.params[i]) for i in starts])
    if free.any():
        improved = _improved(score, pool.points()[starts], free, effort.iterations)
        scores = _extended(score, pool, scores, improved)
    for _ in range(_NEIGHBOUR_ROUNDS):
        best = int(np.argmax(scores))
        scores = _extended(score, pool, scores, _neighbours(space, pool.params[best]))
        if int(np.argmax(scores)) == best:
            break
    return pool.params[int(np.argmax(scores))]


def _extended(
    score: Score, pool: _Pool, scores: Floats, points: Iterable[Iterable[float]]
) -> Floats:
    """Add points to the pool and their scores to the scores."""
    pool.add(points)
    return np.concatenate([scores, _scored(score, pool.points(len(scores)))])


def _scored(score: Score, points: Floats) -> Floats:
    """The scores of ``n x d`` points; what is not a number is the worst."""
    found = np.full(len(points), -np.inf)
    with torch.no_grad():
        for first in range(0, len(points), _CHUNK):
            chunk = torch.as_tensor(points[first : first + _CHUNK])
            found[first : first + _CHUNK] = score(chunk).numpy()
    return np.where(np.isnan(found), -np.inf, found)


def _raw(space: Space, bases: Floats, rng: np.random.Generator, count: int) -> Floats:
    """Half Sobol points; the rest perturbs, jumps from and mixes the bases."""
    dim = len(space)
    varied = count // 2 if len(bases) else 0
    engine = qmc.Sobol(dim, scramble=True, rng=rng)
    points = engine.random_base2(int(count - varied).bit_length() - 1)
    if not varied:
        return np.asarray(points, dtype=float)
    active = np.array([_active(space, space.decode(list(base))) for base in bases])
    one, two = (_genes(bases, active, varied, rng) for _ in range(2))
    low, high = np.log(_SMALLEST_STEP), np.log(_LARGEST_STEP)
    steps = np.exp(rng.uniform(low, high, (varied, 1))) * rng.standard_normal(one.shape)
    touched = rng.random(one.shape) < rng.random((varied, 1))
    perturbed = np.clip(one + np.where(touched, steps, 0.0), 0.0, 1.0)
    jumping = rng.random(one.shape) < 1.5 / dim
    jumping[np.arange(varied), rng.integers(dim, size=varied)] = True
    jumped = np.where(jumping, rng.random(one.shape), one)
    mixed = np.where(rng.random(one.shape) < 0.5, one, two)
    kind = np.arange(varied)[:, None] % 5  # two perturbed, two jumps, one mixed
    return np.vstack(
        [points, np.select([kind < 2, kind < 4], [perturbed, jumped], mixed)]
    )


def _genes(bases: Floats, active: Mask, count: int, rng: np.random.Generator) -> Floats:
    """Random bases, with random coordinates for whatever is inactive: it may wake."""
    rows = rng.integers(len(bases), size=count)
    return np.where(active[rows], bases[rows], rng.random((count, bases.shape[1])))


def _coordinates(space: Space, params: Params) -> list[float]:
    """As `Space.encode`, of a point that is known to be canonical."""
    return [p.encode(params[name]) for name, p in space.parameters.items()]


def _active(space: Space, params: Params) -> list[bool]:
    names = space.active(params)
    return [name in names for name in space]


def _movable(space: Space, params: Params) -> Mask:
    """The coordinates that L-BFGS may move: active and numeric."""
    return np.array(_active(space, params)) & ~choices_of(space)


def _spread_starts(points: Floats, scores: Floats, count: int) -> list[int]:
    """The rows of the largest scores that are not one and the same optimum."""
    starts: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        apart = np.abs(points[starts] - points[row]).max(axis=1) > _APART
        if apart.all():
            starts.append(int(row))
        if len(starts) == count:
            break
    return starts


def _improved(score: Score, starts: Floats, free: Mask, iterations: int) -> Floats:
    """Starts moved uphill together in their free coordinates, ``s x d``."""

    def objective(flat: Floats) -> tuple[float, Floats]:
        points = torch.as_tensor(starts).clone()
        points[torch.as_tensor(free)] = torch.as_tensor(flat)
        points.requires_grad_(True)
        total = -score(points).sum()
        (gradient,) = torch.autograd.grad(total, points)
        return float(total.detach()), gradient.numpy()[free]

    found = minimize(
        objective,
        starts[free],
        jac=True,
        bounds=[(0.0, 1.0)] * int(free.sum()),
        method="L-BFGS-B",
        options={"maxiter": iterations},
    )
    moved = starts.copy()
    if np.isfinite(found.x).all():
        moved[free] = found.x
    return moved


def _neighbours(space: Space, params: Params) -> list[list[float]]:
    """The points that differ in one discrete coordinate, by one step or option."""
    found: list[list[float]] = []
    for name in space.active(params):
        parameter, value = space.parameters[name], params[name]
        others: list[Value] = []
        if isinstance(parameter, Choice):
            others = [option for option in parameter.options if option != value]
        elif isinstance(parameter, Int):
            steps = (int(value) - parameter.step, int(value) + parameter.step)
            others = [v for v in steps if parameter.low <= v <= parameter.high]
        found += [space.encode({**params, name: other}) for other in others]
    return found
