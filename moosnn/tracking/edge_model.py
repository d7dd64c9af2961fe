"""The probability of lying beyond the edge, from a study's trials.

Knows: the optimizers' Gaussian processes, which trials they learn from. Must not know:
what is drawn or printed. Imports torch.

One process a constraint, fitted to the violations of every DONE trial, the silent and
stopped ones included. The probability is that of *a training*: the noise of its seed is
part of it, so at the edge of a noisy constraint it rises more slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from moosnn.history import History
from moosnn.optimizers.base import choices_of
from moosnn.optimizers.outcomes import Block, blocks_of
from moosnn.optimizers.posterior import Gp
from moosnn.optimizers.surrogate import Hyper, constant_means, fit, kernel
from moosnn.pareto.edge import LEVEL, violation_probability
from moosnn.problem import Constraint, Floats, Mask, Problem
from moosnn.tracking.edge import Trust

_NOISE_SHARE = 0.1  # of the variance, expected: trainings are noisy (see surrogate)
_FITS = 2  # of 30 steps, the second begins where the first ended
# An L-BFGS step costs n**3: some 10 ms for 300 trials, 0.3 s for 1,000.
_FITTED = 300
_CONDITIONED = 1500
_CHUNK = 4096  # points that are predicted at once


class EdgeModel:
    """Predicts how likely a training violates one of some constraints.

    Args:
        problem: says what is a violation.
        history: with at least one DONE trial.
        constraints: of the problem, one or more: those whose edge it is.

    It learns from 1,500 trials at most, spread evenly over the study, and fits its
    kernels to 300 of them at most.
    """

    def __init__(
        self, problem: Problem, history: History, constraints: Sequence[Constraint]
    ) -> None:
        block = _constraints_block(problem, history, constraints)
        choices = choices_of(problem.space)
        hyper = _fitted(_thinned(block, _FITTED), choices)
        self._block = _thinned(block, _CONDITIONED)
        self._hyper, self._choices = hyper, choices
        self._gp = Gp(self._block, hyper, choices)
        self._noises = np.exp(hyper.log_noises)

    def probability(self, points: Floats) -> Floats:
        """How likely a training at each of some points lies beyond the edge.

        Args:
            points: ``n x d`` in the unit cube.

        Returns:
            ``n`` numbers in [0, 1].
        """
        chunks = range(0, len(points), _CHUNK)
        parts = [self._probability(points[i : i + _CHUNK]) for i in chunks]
        return np.concatenate([np.zeros(0), *parts])

    def _probability(self, points: Floats) -> Floats:
        means, variances = self._gp.marginal(torch.as_tensor(points))
        sds = np.sqrt(variances.numpy() + self._noises)
        return violation_probability(means.numpy() - self._block.zero, sds)

    def trust(self) -> Trust:
        """How many of its trials lie where it expects them, each left out.

        A trial's own outcome is left out when it is predicted (Rasmussen & Williams,
        Gaussian Processes for Machine Learning, 2006, eqs. 5.10-5.12); the kernel and
        the mean have seen it.
        """
        expected = self.left_out() >= LEVEL
        beyond = (self._block.values > self._block.zero).any(axis=1)
        return Trust(
            beyond=int(beyond.sum()),
            beyond_found=int((beyond & expected).sum()),
            others=int((~beyond).sum()),
            others_found=int((~beyond & ~expected).sum()),
        )

    def left_out(self) -> Floats:
        """The probability of each trial, had its outcome not been measured, ``n``."""
        values = torch.as_tensor(self._block.values).mT
        precision, weights = self._inverse(values)
        variances = 1.0 / precision.diagonal(dim1=-2, dim2=-1)
        means = (values - weights * variances).mT.numpy()
        return violation_probability(
            means - self._block.zero, variances.sqrt().mT.numpy()
        )

    def _inverse(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The inverse covariance of the outcomes, and it times their residuals."""
        points = torch.as_tensor(self._block.points)
        lengthscales = torch.as_tensor(self._hyper.log_lengthscales)[:, None].exp()
        covariance = kernel(
            points, points, lengthscales, torch.as_tensor(self._choices)
        )
        noises = torch.as_tensor(self._noises)[:, None].expand_as(values)
        factor = torch.linalg.cholesky(covariance + torch.diag_embed(noises))
        precision = torch.cholesky_inverse(factor)
        residual = values - constant_means(factor, values)[:, None]
        return precision, (precision @ residual[..., None])[..., 0]


def _constraints_block(
    problem: Problem, history: History, constraints: Sequence[Constraint]
) -> Block:
    """The violations of some constraints, standardised."""
    only = replace(problem, constraints=tuple(constraints))
    block = blocks_of(only, history).constraints
    assert block is not None, "a constraint and a DONE trial"
    return block


def _thinned(block: Block, most: int) -> Block:
    """At most so many rows of a block, spread evenly over it."""
    count = len(block.points)
    if count <= most:
        return block
    rows = np.unique(np.linspace(0, count - 1, most).round().astype(int))
    return Block(block.points[rows], block.values[rows], block.zero)


def _fitted(block: Block, choices: Mask) -> Hyper:
    outputs, dim = block.values.shape[1], block.points.shape[1]
    hyper = Hyper.default(outputs, dim, _NOISE_SHARE)
    for _ in range(_FITS):
        hyper = fit(block, choices, hyper, _NOISE_SHARE)
    return hyper
