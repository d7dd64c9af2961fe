"""The candidates of trust regions: points in a box, and where a region may begin.

Knows: spaces, boxes in the unit cube, where the models expect feasible points. Must not
know: trials, which candidate is chosen.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import qmc

from moosnn.grid import Grid
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.improvement import log_feasibility
from moosnn.optimizers.posterior import Surrogates
from moosnn.problem import Floats, Mask
from moosnn.space import Choice

_TOUCHED = 20  # coordinates of a candidate that differ from the centre, at most
_LEAST_REACH = 0.03  # of a candidate, as a share of the box
_SURE = math.log(0.5)  # log probability of feasibility that a beginning should have
_LEAST_SURE = 16  # at least one in so many candidates counts as sure


def weights_of(surrogates: Surrogates, cube: Cube) -> Floats:
    """How long the sides of a region are relative to each other, ``d``; product 1.

    Proportional to the lengthscales, the geometric mean over all outcomes.
    """
    first = np.unique(cube.parameter_of, return_index=True)[1]
    gps = [surrogates.gps[k] for k in surrogates.leading]
    logs = -np.mean([np.log(gp.inverse_lengthscales[first]) for gp in gps], axis=0)
    return np.asarray(np.exp(logs - logs.mean()))


def everywhere(cube: Cube, count: int, rng: np.random.Generator) -> Floats:
    """Scrambled Sobol points of the space, ``count x d`` or fewer."""
    return _snapped(cube, _sobol(cube.dim, count, rng))


def in_box(
    cube: Cube, centres: Floats, sides: Floats, count: int, rng: np.random.Generator
) -> Floats:
    """Points of the space in boxes, ``count x d`` or fewer, each once.

    Each candidate differs from its centre in a share of the coordinates of its own, of
    more than 20 in about 20 at most, and reaches its own share of the way to the sides.
    In twelve dimensions a point that is anywhere in the box in all of them is never
    near the centre: with such candidates only, 80 trials of the shifted C2-DTLZ2 found
    a hypervolume of 0.17, with these 0.25.

    A choice, whose options have no order, differs with the probability that is the
    box's side. A number in steps that are wider than a move makes a step so often that
    it moves as far on average as a number without steps. What does not exist at the
    centre may be anything.

    Args:
        cube: of the space.
        centres: of the boxes, ``c x d``, snapped; each point has one at random.
        sides: of a box, ``d``.
        count: how many, about.
        rng: of the candidates.
    """
    raw = _sobol(cube.dim, count, rng)
    chance = rng.random(raw.shape)
    share = np.minimum(_TOUCHED / cube.dim, rng.random((len(raw), 1)) ** 2)
    touched = rng.random(raw.shape) < share
    touched[np.arange(len(raw)), rng.integers(cube.dim, size=len(raw))] = True
    centre = centres[rng.integers(len(centres), size=len(raw))]
    reach = _LEAST_REACH ** rng.random((len(raw), 1))
    moved = centre + (raw - 0.5) * sides * reach
    for k, parameter in enumerate(cube.space.parameters.values()):
        if isinstance(parameter, Choice):
            moved[:, k] = np.where(chance[:, k] < sides[k], raw[:, k], centre[:, k])
        elif parameter.grid is not None:
            moved[:, k] = _stepped(
                parameter.grid, centre[:, k], moved[:, k], chance[:, k]
            )
    near = np.where(touched, moved, centre)
    return _snapped(cube, np.where(cube.active(centre), near, raw))


def _stepped(grid: Grid, centre: Floats, moved: Floats, chance: Floats) -> Floats:
    """Moves shorter than a step become a step or none, equal on average."""
    beside = {}
    for at in np.unique(centre).tolist():
        index = grid.index(at)
        ends = max(index - 1, 0), min(index + 1, grid.count - 1)
        beside[at] = [grid.coordinate(end) for end in ends]
    low, high = np.array([beside[at] for at in centre.tolist()]).T
    shift = moved - centre
    step = np.where(shift > 0, high, low) - centre
    jump = np.where(chance * np.abs(step) < np.abs(shift), step, 0.0)
    return np.asarray(centre + np.where(np.abs(shift) < np.abs(step), jump, shift))


def beginnings(
    surrogates: Surrogates, cube: Cube, points: Floats, centres: Floats
) -> Floats:
    """The points where a region may begin anew: probably feasible and far away.

    Args:
        surrogates: of all outcomes.
        cube: of the space.
        points: candidates, ``n x d``.
        centres: of all regions, now and where they gave up, ``c x d``.

    Returns:
        Those of the candidates that are feasible with probability 0.5 (a sixteenth of
        them at least), and of those the half that is farthest from the centres.
    """
    features = cube.features(points, cube.active(points))
    feasible, _ = log_feasibility(surrogates, surrogates.predict(features))
    least = np.sort(feasible[:, 0])[-math.ceil(len(points) / _LEAST_SURE)]
    sure: Mask = feasible[:, 0] >= min(_SURE, float(least))
    points, features = points[sure], features[sure]
    if not len(centres):
        return points
    known = cube.features(centres, cube.active(centres))
    weights = weights_of(surrogates, cube)[cube.parameter_of]
    apart = (features[:, None] - known[None]) / weights
    distances = np.sqrt((apart**2).sum(axis=2)).min(axis=1)
    return np.asarray(points[distances >= np.median(distances)])


def _sobol(dim: int, count: int, rng: np.random.Generator) -> Floats:
    """About as many scrambled points: the nearest power of two."""
    engine = qmc.Sobol(dim, scramble=True, rng=rng)
    return np.asarray(engine.random_base2(round(math.log2(count))), dtype=float)


def _snapped(cube: Cube, points: Floats) -> Floats:
    snapped = cube.snapped(np.clip(points, 0.0, 1.0))[0]
    return np.unique(snapped, axis=0) if cube.discrete else snapped
