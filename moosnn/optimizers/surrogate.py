"""Which hyperparameters a Gaussian process of some outcome has.

Knows: standardised outcomes, the kernel and its hyperparameters. Must not know:
trials, acquisition functions, how a candidate is searched; torch.

The kernel is Matern-5/2 over the features of `Cube` with one lengthscale a parameter,
times a scale. Hyperparameters maximise the posterior density. There are two priors of
a lengthscale ``l``, because which one is right cannot be told from a few trials:

- *near*: ``exp(-0.1 (l^2 + 1 / l^2))``, flat between a third of the unit cube's side
  and three sides, steep beyond, as in Optuna's Gaussian processes. A likelihood of some
  dozen trials is content with lengthscales that deny the influence of most of twenty
  parameters: of 60 proposals on the digits P(feasible) was 0.87 on average, and 0.68
  came true, with the other prior (log-loss 0.94); with this one it was 0.61 (0.41).
- *far*: log-normal around a value that grows with the root of the number of parameters
  [Hvarfner2024]_. Without it a feasible region behind an infeasible one is given up: on
  C2DTLZ2 with four variables the near prior found all three parts of the front with one
  of six seeds, this one with all.

Constraints have both, objectives the near one: on the digits (seeds 0-2, 60 trials,
which it was chosen by) it made hypervolumes of 1.22, 1.17 and 1.15 with 0-4 % silent
proposals, the far one 1.13, 1.14 and 1.16 with 16-32 %.

The scale has a Gamma(2, 1) prior, the noise a log-normal one around a share of the
outcome's variance that the caller knows: over 300 random digits networks, the log-loss
of P(silent) after 60 trials was 0.47 with 0.0003, and 0.37 with 0.1. The constant mean
is profiled out (generalised least squares).

One likelihood of ``n`` points costs a Cholesky factor, an inverse and two products with
the features; its gradient, in closed form, is for nothing ([Rasmussen2006]_, eq. 5.9).

.. [Hvarfner2024] C. Hvarfner, E. O. Hellsten, L. Nardi. Vanilla Bayesian Optimization
   Performs Great in High Dimensions. ICML 2024.
.. [Rasmussen2006] C. E. Rasmussen, C. K. I. Williams. Gaussian Processes for Machine
   Learning. MIT Press, 2006.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.outcomes import Block
from moosnn.problem import Floats

NOISE_FLOOR = 1e-6  # of the variance; keeps Cholesky factors finite

_FIT_ROWS = 256  # hyperparameters need no more; a fit costs the third power of them
_ITERATIONS = 40  # of L-BFGS a fit
_NEAR_WEIGHT = 0.1  # of the near prior's penalty l^2 + 1 / l^2
_FAR_SD = math.sqrt(3.0)  # of the far prior's logarithm, as [Hvarfner2024]
_LOG_NOISE_SD = 2.0
_LOG_LENGTHSCALE_BOX = (math.log(0.01), math.log(300.0))
_LOG_NOISE_BOX = (math.log(1e-9), 1.0)
_LOG_SCALE_BOX = (-4.0, 6.0)
_IMPOSSIBLE = 1e10  # minus the log density where the covariance has no factor


@dataclass(frozen=True, slots=True)
class Hyper:
    """The hyperparameters of one process.

    Attributes:
        log_lengthscales: one a parameter, ``d``.
        log_noise: of the noise's variance.
        log_scale: of the process's variance.
        evidence: the log posterior density at them, up to a constant that all forms of
            one outcome share.
    """

    log_lengthscales: Floats
    log_noise: float
    log_scale: float
    evidence: float = 0.0


def default_hyper(parameters: int, noise_share: float, *, far: bool = False) -> Hyper:
    """Where a fit without a predecessor starts: no longer than the prior's median."""
    lengthscale = _far_centre(parameters) - 1.0 if far else 0.0
    return Hyper(np.full(parameters, lengthscale), math.log(noise_share), 0.0)


def _far_centre(parameters: int) -> float:
    return math.sqrt(2.0) + 0.5 * math.log(parameters)


def matern(square: Floats) -> tuple[Floats, Floats]:
    """The Matern-5/2 correlation, and minus twice its slope in the squared distance.

    Args:
        square: squared scaled distances, any shape.

    Returns:
        Two arrays of its shape: ``k`` and ``g`` with ``dk/dz = -g (z - z')``.
    """
    root = np.sqrt(5.0 * square)
    decay = np.exp(-root)
    slope = (5.0 / 3.0) * (1.0 + root) * decay
    return decay + root * decay + (square * 5.0 / 3.0) * decay, slope


def squared_distances(one: Floats, two: Floats) -> Floats:
    """Squared distances of ``n x e`` and ``m x e`` points, ``n x m``."""
    squares = (one * one).sum(-1)[:, None] + (two * two).sum(-1)[None]
    return np.asarray(np.maximum(squares - 2.0 * one @ two.T, 0.0))


def fit(
    block: Block,
    column: int,
    parameter_of: Indexes,
    starts: list[Hyper],
    noise_share: float,
) -> Hyper:
    """The most probable hyperparameters of one column near some starts.

    Args:
        block: ``n`` points; of more than 256, as many evenly spread ones are used.
        column: of the block.
        parameter_of: the parameter of each feature, ``e``.
        starts: at least one.
        noise_share: what share of the outcome's variance its noise is expected to be,
            > 0: the median of the prior.

    Returns:
        The best of those after at most 40 L-BFGS steps from each start.
    """
    rows = np.unique(
        np.linspace(0, len(block.points) - 1, _FIT_ROWS).round().astype(int)
    )
    density = _Density(block, column, rows, parameter_of, noise_share)
    found = [_climbed(density, start) for start in starts]
    best = max(found, key=lambda hyper: hyper.evidence)
    stretch = float(block.log_stretch[rows, column].sum())
    return replace(best, evidence=best.evidence + stretch)


def _climbed(density: _Density, start: Hyper) -> Hyper:
    parameters = len(start.log_lengthscales)
    theta = np.array([*start.log_lengthscales, start.log_noise, start.log_scale])
    boxes = [_LOG_LENGTHSCALE_BOX] * parameters + [_LOG_NOISE_BOX, _LOG_SCALE_BOX]
    low, high = np.array(boxes).T
    found = minimize(
        density,
        np.clip(theta, low, high),
        jac=True,
        bounds=boxes,
        method="L-BFGS-B",
        options={"maxiter": _ITERATIONS},
    )
    best = found.x
    return Hyper(best[:-2], float(best[-2]), float(best[-1]), -float(found.fun))


class _Density:
    """Minus the log posterior density of one column's hyperparameters."""

    def __init__(
        self,
        block: Block,
        column: int,
        rows: Indexes,
        parameter_of: Indexes,
        noise_share: float,
    ) -> None:
        self._points = block.points[rows]
        self._values = block.values[rows, column]
        self._variances = block.variances[rows, column]
        self._parameter_of = parameter_of
        self._log_noise = math.log(noise_share)
        self._far = bool(block.far[column])

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """The value at ``d`` log lengthscales, log noise, log scale; its gradient."""
        likelihood, slopes = self._likelihood(theta)
        prior, prior_slopes = self._prior(theta)
        return likelihood + prior, slopes + prior_slopes

    def _likelihood(self, theta: Floats) -> tuple[float, Floats]:
        noise, scale = math.exp(theta[-2]), math.exp(theta[-1])
        size = len(self._values)
        scaled = self._points * np.exp(-theta[:-2])[self._parameter_of]
        correlation, slope = matern(squared_distances(scaled, scaled))
        covariance = scale * correlation
        covariance.flat[:: size + 1] += noise + NOISE_FLOOR + self._variances
        factor, failed = lapack.dpotrf(covariance, lower=1, clean=1, overwrite_a=1)
        if failed:
            return _IMPOSSIBLE, np.zeros_like(theta)
        inverse, _ = lapack.dpotri(factor, lower=1)
        inverse += np.tril(inverse, -1).T
        ones = inverse.sum(axis=1)
        residual = self._values - (ones @ self._values) / ones.sum()
        weights = inverse @ residual
        value = 0.5 * residual @ weights + np.log(factor.diagonal()).sum()
        outer = inverse - np.outer(weights, weights)
        slopes = np.empty_like(theta)
        pull = outer * (scale * slope)
        moved = pull.sum(axis=1) @ (scaled * scaled) - (scaled * (pull @ scaled)).sum(0)
        slopes[:-2] = np.bincount(self._parameter_of, moved, minlength=len(theta) - 2)
        slopes[-2] = 0.5 * np.trace(outer) * noise
        slopes[-1] = 0.5 * scale * (outer * correlation).sum()
        return float(value), slopes

    def _prior(self, theta: Floats) -> tuple[float, Floats]:
        slopes = np.empty_like(theta)
        if self._far:
            away = (theta[:-2] - _far_centre(len(theta) - 2)) / _FAR_SD
            value = 0.5 * float(away @ away)
            slopes[:-2] = away / _FAR_SD
        else:
            long, short = np.exp(2.0 * theta[:-2]), np.exp(-2.0 * theta[:-2])
            value = _NEAR_WEIGHT * float((long + short).sum())
            slopes[:-2] = 2.0 * _NEAR_WEIGHT * (long - short)
        deviation = (theta[-2] - self._log_noise) / _LOG_NOISE_SD
        value += 0.5 * deviation**2
        slopes[-2] = deviation / _LOG_NOISE_SD
        scale = math.exp(theta[-1])
        value += scale - theta[-1]  # Gamma(2, 1), up to a constant
        slopes[-1] = scale - 1.0
        return value, slopes
