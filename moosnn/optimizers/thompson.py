"""Thompson sampling: functions drawn from the models, and what is best in a draw.

Knows: the processes of gains and violations. Must not know: trials, spaces, how
candidates are found.

A draw from a process is a function that can be asked at any number of points: random
Fourier features of the prior, corrected at the data [Wilson2020]_. A joint draw at
``b`` points takes a Cholesky factor of ``b x b`` instead: 0.1 s at 1,024 points and
0.6 s at 2,048, where 5,000 values of a function take 0.1 s.

.. [Wilson2020] J. T. Wilson et al. Efficiently Sampling Functions from Gaussian Process
   Posteriors. ICML 2020.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.pareto.cells import UNBOUNDED, Cells, cells_of
from moosnn.pareto.dominance import non_dominated
from moosnn.problem import Floats

_FREQUENCIES = 512
_FREEDOM = 5  # of the t distribution that Matern-5/2's frequencies have
_MOST_AXES = 3  # of a front that is cut into boxes; there are too many beyond


class DrawnFunction:
    """One function drawn from a process ([Wilson2020]_, eq. 13).

    Args:
        gp: conditioned on data, not imagined.
        rng: of the draw.
    """

    def __init__(self, gp: Gp, rng: np.random.Generator) -> None:
        self._gp = gp
        shape = (_FREQUENCIES, gp.scaled.shape[1])
        spread = np.sqrt(rng.chisquare(_FREEDOM, (_FREQUENCIES, 1)) / _FREEDOM)
        self._frequencies = (rng.standard_normal(shape) / spread).T
        amplitude = np.sqrt(gp.scale / _FREQUENCIES)
        self._amplitudes = amplitude * rng.standard_normal((2, _FREQUENCIES))
        factor, _ = lapack.dtrtri(gp.whiten, lower=1)
        noise = np.maximum((factor * factor).sum(axis=1) - gp.scale, 0.0)
        seen = self._prior(gp.scaled)
        seen += np.sqrt(noise) * rng.standard_normal(len(seen))
        self._weights = gp.weights[:, 0] - gp.whiten.T @ (gp.whiten @ seen)

    def _prior(self, scaled: Floats) -> Floats:
        phases = scaled @ self._frequencies
        cosines, sines = self._amplitudes
        return np.asarray(np.cos(phases) @ cosines + np.sin(phases) @ sines)

    def __call__(self, points: Floats) -> Floats:
        """Its values at ``b x e`` points, ``b``."""
        scaled, cross, _ = self._gp.covariances(points)
        return np.asarray(self._gp.mean + self._prior(scaled) + cross @ self._weights)


def drawn_order(
    surrogates: Surrogates,
    points: Floats,
    good: Floats,
    pending: Floats,
    rng: np.random.Generator,
) -> Indexes:
    """The candidates in the order of one draw of all outcomes, the best first.

    Those that are feasible in the draw come first, by the hypervolume that they add to
    the front there is in the draw (with one objective: by the objective), the others by
    their total violation. The front consists of the good points and of the pending
    ones that are feasible in the draw: where a pending point turns out well, there is
    little left to add.

    Args:
        surrogates: of all outcomes, not imagined.
        points: the candidates, ``b x e``.
        good: the feasible points, ``f x e``.
        pending: those that are being evaluated, ``p x e``.
        rng: of the draw.
    """
    everywhere = np.vstack([points, good, pending])
    functions = [DrawnFunction(surrogates.gps[k], rng) for k in surrogates.leading]
    values = np.stack([function(everywhere) for function in functions], axis=1)
    gains, zeros = surrogates.gains, surrogates.zeros[surrogates.leading]
    violated = np.maximum(values[:, gains:] - zeros[gains:], 0.0).sum(axis=1)
    ours, others = values[: len(points), :gains], values[len(points) :, :gains]
    counts = violated[len(points) :] <= 0
    counts[: len(good)] = True
    added, lead = _merits(ours, others[counts], zeros[:gains])
    return np.lexsort((-lead, -added, violated[: len(points)]))


def _merits(gains: Floats, others: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """What points add to the hypervolume of others, and how far they are ahead.

    Args:
        gains: ``b x m``.
        others: ``f x m``.
        reference: ``m``.

    Returns:
        The volume, ``b``, 0 beyond three axes; and the least by which a point exceeds
        each of the others (or the reference, which decides among points that add
        nothing) in some gain, ``b``.
    """
    if not len(reference):
        return np.zeros(len(gains)), np.zeros(len(gains))
    front = others[(others > reference).all(axis=1)]
    front = front[non_dominated(-front)] if len(front) else reference[None]
    lead = (gains[:, None] - front[None]).max(axis=2).min(axis=1)
    if len(reference) > _MOST_AXES:
        return np.zeros(len(gains)), lead
    return added_volume(gains, cells_of(front, reference)), lead


def added_volume(points: Floats, cells: Cells) -> Floats:
    """The hypervolume that each of ``b x m`` points would add to a front, ``b``."""
    volume = np.ones((len(points), len(cells.lower)))
    for k, levels in enumerate(cells.levels):
        lower = levels[cells.lower[:, k]]
        bounded = cells.upper[:, k] != UNBOUNDED
        upper = np.where(bounded, levels[cells.upper[:, k]], np.inf)
        volume *= np.maximum(np.minimum(points[:, k, None], upper) - lower, 0.0)
    return np.asarray(volume.sum(axis=1))
