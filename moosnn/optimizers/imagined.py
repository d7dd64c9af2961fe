"""The fronts that there may be: by what is expected, or in draws.

Knows: surrogates, good and pending points. Must not know: trials, spaces, how
candidates are found.

A front is known if its members' values are: then it consists of what the models
expect. Otherwise (noisy measurements; points that are being evaluated) it is drawn
several times, jointly with the surrogates that had seen the draw: what is said about
a candidate and about the front it competes with always belongs together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.posterior import Gp, Surrogates, normals
from moosnn.pareto.cells import Cells, cells_of
from moosnn.pareto.dominance import non_dominated, spread
from moosnn.problem import Floats, Mask

_CERTAIN_SD = 0.03  # of a front member's value, standardised: below it is known
_MOST_MEMBERS = 40  # of the points that a drawn front may consist of
_PLAUSIBLE_SDS = 2.0  # how lucky a dominated point may be to be a member


def imagined_fronts(
    surrogates: Surrogates,
    good: Floats,
    pending: Floats,
    samples: int,
    rng: np.random.Generator,
) -> tuple[Surrogates, list[Cells]]:
    """The boxes that the front leaves, and the surrogates that belong to them.

    Args:
        surrogates: of all outcomes; ``gains`` >= 1.
        good: ``f x e``, the feasible points.
        pending: ``p x e``, the points that are being evaluated.
        samples: how many draws, a power of two.
        rng: of the draws.

    Returns:
        The surrogates themselves and one front, or as many as there are draws.

    Raises:
        ArithmeticError: a covariance has no Cholesky factor.
    """
    gains, reference = surrogates.gains, surrogates.zeros[: surrogates.gains]
    prediction = surrogates.predict(good)
    means, sds = prediction.means[:, 0, :gains], prediction.sds[:, :gains]
    members = _plausible(means, sds, reference)
    if not len(pending) and (sds[members] < _CERTAIN_SD).all():
        return surrogates, [cells_of(means, reference)]
    return _drawn(surrogates, good[members], pending, samples, rng)


def believing(surrogates: Surrogates, points: Floats) -> Surrogates:
    """The surrogates, had their means been measured at ``p x e`` points, p >= 1.

    Raises:
        ArithmeticError: the points' covariance has no Cholesky factor.
    """
    nothing = np.zeros((len(points), 1))
    gps = tuple(gp.imagining(points, nothing)[0] for gp in surrogates.gps)
    return replace(surrogates, gps=gps)


def _plausible(means: Floats, sds: Floats, reference: Floats) -> Mask:
    """Which points might be on the front: not even luck undominates the others."""
    lucky = means + _PLAUSIBLE_SDS * sds
    dominated = np.any(np.all(means[None] > lucky[:, None], axis=2), axis=1)
    kept = np.flatnonzero(~dominated & (lucky > reference).all(axis=1))
    if len(kept) > _MOST_MEMBERS:
        lead = (lucky[kept] - reference).min(axis=1)
        kept = kept[_representative(means[kept], lead)]
    mask = np.zeros(len(means), dtype=bool)
    mask[kept] = True
    return mask


def _representative(means: Floats, lead: Floats) -> Indexes:
    """As many rows as may be drawn: the expected front's, then those of most lead.

    Of too large a front it keeps members all along it: where one is missing, points
    seem to add the hypervolume that it has.
    """
    front = np.flatnonzero(non_dominated(-means))
    if len(front) >= _MOST_MEMBERS:
        return front[spread(-means[front], _MOST_MEMBERS)]
    others = np.setdiff1d(np.argsort(-lead, kind="stable"), front, assume_unique=True)
    return np.concatenate([front, others[: _MOST_MEMBERS - len(front)]])


def _drawn(
    surrogates: Surrogates,
    members: Floats,
    pending: Floats,
    samples: int,
    rng: np.random.Generator,
) -> tuple[Surrogates, list[Cells]]:
    gains = surrogates.gains
    leading = set(surrogates.leading.tolist())
    gps: list[Gp] = []
    drawn = np.empty((gains, len(members) + len(pending), samples))
    feasible = np.ones((len(pending), samples), dtype=bool)
    for k, gp in enumerate(surrogates.gps):
        points = np.vstack([members, pending]) if k < gains else pending
        imagined, values = gp, np.empty((0, samples))
        if len(points):
            imagined, values = gp.imagining(points, normals(len(points), samples, rng))
        gps.append(imagined)
        if k < gains:
            drawn[k] = values
        elif k in leading and len(pending):
            feasible &= values <= surrogates.zeros[k]
    counts = np.vstack([np.ones((len(members), samples), dtype=bool), feasible])
    reference = surrogates.zeros[:gains]
    fronts = [cells_of(drawn[:, counts[:, s], s].T, reference) for s in range(samples)]
    return replace(surrogates, gps=tuple(gps)), fronts
