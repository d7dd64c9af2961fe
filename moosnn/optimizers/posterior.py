"""Gaussian processes conditioned on what was measured, and on what is imagined.

Knows: blocks and hyperparameters. Must not know: trials, acquisition functions; torch.

Slopes are in closed form: a process's mean and standard deviation at a point depend on
the point only through its covariances with the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack
from scipy.special import ndtri
from scipy.stats import qmc

from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.surrogate import (
    NOISE_FLOOR,
    Hyper,
    matern,
    squared_distances,
)
from moosnn.problem import Floats, Mask

_SMALLEST_VARIANCE = 1e-10
_JITTER = 1e-7  # of a joint covariance, relative to the process's variance
_JITTERS = 8  # tenfold ones, until there is a factor


@dataclass(frozen=True, slots=True)
class Gp:
    """One Gaussian process, conditioned on ``n`` values or on ``s`` times as many.

    Attributes:
        mean: the constant mean.
        scale: the prior variance.
        inverse_lengthscales: ``e``.
        scaled: the points divided by their lengthscales, ``n x e``.
        weights: ``n x s``; the mean at a point is ``mean + covariances @ weights``.
        whiten: ``n x n``, lower triangular, the inverse of the Cholesky factor.
    """

    mean: float
    scale: float
    inverse_lengthscales: Floats
    scaled: Floats
    weights: Floats
    whiten: Floats

    @classmethod
    def of(cls, block: Block, column: int, hyper: Hyper, parameter_of: Indexes) -> Gp:
        """The process of one column of a block.

        Raises:
            ArithmeticError: the covariance has no Cholesky factor.
        """
        inverse = np.exp(-hyper.log_lengthscales)[parameter_of]
        scaled, scale = block.points * inverse, float(np.exp(hyper.log_scale))
        covariance = scale * matern(squared_distances(scaled, scaled))[0]
        noise = np.exp(hyper.log_noise) + NOISE_FLOOR + block.variances[:, column]
        covariance.flat[:: len(scaled) + 1] += noise
        whiten, _ = lapack.dtrtri(_factor(covariance, scale), lower=1)
        values = block.values[:, column]
        ones = whiten.sum(axis=1)
        mean = float(ones @ (whiten @ values) / (ones @ ones))
        weights = whiten.T @ (whiten @ (values - mean))
        return cls(mean, scale, inverse, scaled, weights[:, None], whiten)

    def covariances(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Prior covariances of ``b x e`` points with the data.

        Returns:
            The scaled points, the covariances, ``b x n``, and minus twice their slopes
            in the squared distance.
        """
        scaled = points * self.inverse_lengthscales
        correlation, slope = matern(squared_distances(scaled, self.scaled))
        return scaled, self.scale * correlation, self.scale * slope

    def marginal(self, points: Floats) -> tuple[Floats, Floats]:
        """Posterior means of the first values, and variances, at ``b x e``, ``b``."""
        _, cross, _ = self.covariances(points)
        known = cross @ self.whiten.T
        return self.mean + cross @ self.weights[:, 0], _root(self, known) ** 2

    def joint(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Posterior of ``q x e`` points together.

        Returns:
            Means, ``q x s``; the lower Cholesky factor of their covariance, ``q x q``;
            their covariances with the whitened data, ``q x n``.

        Raises:
            ArithmeticError: the covariance has no factor.
        """
        scaled, cross, _ = self.covariances(points)
        known = cross @ self.whiten.T
        covariance = self.scale * matern(squared_distances(scaled, scaled))[0]
        factor = _factor(covariance - known @ known.T, self.scale, jitter=_JITTER)
        return self.mean + cross @ self.weights, factor, known

    def imagining(self, points: Floats, normals: Floats) -> tuple[Gp, Floats]:
        """The process, had its values at some points been seen as well, ``s`` times.

        Args:
            points: ``q x e``.
            normals: ``q x s``, standard normal numbers that make the values.

        Returns:
            The process, and the values, ``q x s``.

        Raises:
            ArithmeticError: the points' covariance has no factor.
        """
        assert self.weights.shape[1] == 1, "imagined once"
        means, factor, known = self.joint(points)
        values = means + factor @ normals
        inverse, _ = lapack.dtrtri(factor, lower=1)
        size, more = len(self.scaled), len(points)
        whiten = np.zeros((size + more, size + more))
        whiten[:size, :size] = self.whiten
        whiten[size:, :size] = -inverse @ known @ self.whiten
        whiten[size:, size:] = inverse
        weights = whiten[size:].T @ normals
        weights[:size] += self.weights
        scaled = np.vstack([self.scaled, points * self.inverse_lengthscales])
        return replace(self, scaled=scaled, weights=weights, whiten=whiten), values


def _factor(covariance: Floats, scale: float, jitter: float = 0.0) -> Floats:
    """The lower Cholesky factor of a covariance, with as little jitter as it takes.

    Raises:
        ArithmeticError: it has none even with a jitter of the prior variance.
    """
    diagonal = covariance.diagonal().copy()
    for _ in range(_JITTERS):
        covariance.flat[:: len(covariance) + 1] = diagonal + jitter * scale
        factor, failed = lapack.dpotrf(covariance, lower=1, clean=1)
        if not failed:
            return np.asarray(factor)
        jitter = max(10.0 * jitter, _JITTER)
    raise ArithmeticError("a covariance has no Cholesky factor")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the processes say of ``b`` points.

    Attributes:
        means: ``b x s x k``.
        sds: ``b x k``; they do not depend on what was imagined.
    """

    means: Floats
    sds: Floats


@dataclass(frozen=True, slots=True)
class Surrogates:
    """The processes of all outcomes: gains first, then violations in their forms.

    Attributes:
        gps: ``k``.
        gains: how many of them are gains; 0 if none was observed.
        zeros: ``k``, the reference or bound of each, standardised.
        constraint: ``k - gains``, which constraint a violation is a form of.
        log_weights: ``k - gains``, the logarithm of how much a form counts among those
            of its constraint.
        far: ``k - gains``, whether a form may reach across the unit cube.
    """

    gps: tuple[Gp, ...]
    gains: int
    zeros: Floats
    constraint: Indexes
    log_weights: Floats
    far: Mask

    @property
    def leading(self) -> Indexes:
        """The processes of the gains and of the weightiest near form of each bound."""
        rows = range(len(self.constraint))
        best = [
            max((r for r in rows if self.constraint[r] == c), key=self._weight)
            for c in np.unique(self.constraint)
        ]
        return np.array(
            [*range(self.gains), *(self.gains + r for r in best)], dtype=int
        )

    def _weight(self, row: int) -> tuple[bool, float]:
        return not self.far[row], float(self.log_weights[row])

    def predict(self, points: Floats) -> Prediction:
        """Posterior means and standard deviations at ``b x e`` points."""
        means, sds = [], []
        for gp in self.gps:
            _, cross, _ = gp.covariances(points)
            known = cross @ gp.whiten.T
            means.append(gp.mean + cross @ gp.weights)
            sds.append(_root(gp, known))
        return Prediction(np.stack(_filled(means), axis=-1), np.stack(sds, axis=-1))

    def predict_and_slopes(self, points: Floats) -> tuple[Prediction, _Back]:
        """`predict`, and how to bring slopes in the predictions back to the points."""
        means, sds, parts = [], [], []
        for gp in self.gps:
            scaled, cross, slope = gp.covariances(points)
            known = cross @ gp.whiten.T
            means.append(gp.mean + cross @ gp.weights)
            sds.append(_root(gp, known))
            parts.append(_Part(gp, scaled, slope, known))
        prediction = Prediction(np.stack(_filled(means), axis=-1), np.stack(sds, -1))
        return prediction, _Back(tuple(parts), prediction.sds)

    def excess(self, means: Floats) -> Floats:
        """How far means, ``… x k``, lie on the wrong side of their zeros."""
        signs = np.ones(len(self.zeros))
        signs[: self.gains] = -1.0
        return signs * (means - self.zeros)

    def only(self, outcomes: Indexes) -> Surrogates:
        """Some of the processes; gains come first and stay all."""
        violations = outcomes[outcomes >= self.gains] - self.gains
        return Surrogates(
            tuple(self.gps[k] for k in outcomes),
            self.gains,
            self.zeros[outcomes],
            self.constraint[violations],
            np.zeros(len(violations)),
            self.far[violations],
        )


@dataclass(frozen=True, slots=True)
class _Part:
    gp: Gp
    scaled: Floats
    slope: Floats
    known: Floats


@dataclass(frozen=True, slots=True)
class _Back:
    """From slopes in means, ``b x s x k``, and sds, ``b x k``, to ``b x e``."""

    parts: tuple[_Part, ...]
    sds: Floats

    def __call__(self, in_means: Floats, in_sds: Floats) -> Floats:
        total = np.zeros_like(self.parts[0].scaled)
        for k, part in enumerate(self.parts):
            gp = part.gp
            samples = gp.weights.shape[1]
            by_mean = in_means[:, :, k]
            if samples == 1:  # it was not imagined: one mean for all samples
                by_mean = by_mean.sum(axis=1, keepdims=True)
            pull = by_mean @ gp.weights.T
            pull -= (in_sds[:, k] / self.sds[:, k])[:, None] * (part.known @ gp.whiten)
            pull *= part.slope
            moved = part.scaled * pull.sum(axis=1)[:, None] - pull @ gp.scaled
            total -= moved * gp.inverse_lengthscales
        return total


def _root(gp: Gp, known: Floats) -> Floats:
    variance = gp.scale - np.einsum("ij,ij->i", known, known)
    return np.asarray(np.sqrt(np.maximum(variance, _SMALLEST_VARIANCE)))


def _filled(means: list[Floats]) -> list[Floats]:
    """Means of the same number of samples each, ``b x s``."""
    samples = max(mean.shape[1] for mean in means)
    return [np.broadcast_to(mean, (len(mean), samples)) for mean in means]


def normals(count: int, samples: int, rng: np.random.Generator) -> Floats:
    """Standard normal numbers of a scrambled Sobol sequence, ``count x samples``.

    Args:
        count: dimensions, >= 1; beyond those that the sequence has, plain ones.
        samples: a power of two.
        rng: of the scrambling.
    """
    if count > qmc.Sobol.MAXDIM:
        return rng.standard_normal((count, samples))
    engine = qmc.Sobol(count, scramble=True, rng=rng)
    uniform = engine.random_base2(samples.bit_length() - 1)
    smallest = np.finfo(float).eps
    return np.asarray(ndtri(np.clip(uniform, smallest, 1 - smallest)).T)
