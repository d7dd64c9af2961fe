"""Gaussian processes conditioned on what was measured, and samples of them.

Knows: blocks and hyperparameters. Must not know: trials, acquisition functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.surrogate import Hyper, constant_means, kernel
from moosnn.problem import Mask

_JITTER = 1e-8  # of a joint posterior covariance


class Gp:
    """``k`` independent Gaussian processes, conditioned on a block.

    Args:
        block: what was measured.
        hyper: of the ``k`` processes.
        choices: the mask of the choices, ``d``.

    Raises:
        LinAlgError: the covariance has no Cholesky factor.
    """

    def __init__(self, block: Block, hyper: Hyper, choices: Mask) -> None:
        self.points = torch.as_tensor(block.points)
        self.outputs = block.values.shape[1]
        self._given = (block, hyper, choices)
        self._choices = torch.as_tensor(choices)
        self._lengthscales = torch.as_tensor(hyper.log_lengthscales)[:, None].exp()
        values = torch.as_tensor(block.values).mT
        noises = torch.as_tensor(hyper.log_noises).exp()[:, None].expand_as(values)
        covariance = self._kernel(self.points, self.points) + torch.diag_embed(noises)
        factor = torch.linalg.cholesky(covariance)
        self._means = constant_means(factor, values)
        residual = (values - self._means[:, None])[..., None]
        self._weights = torch.cholesky_solve(residual, factor)[..., 0]
        eye = torch.eye(len(self.points), dtype=values.dtype).expand_as(factor)
        self._whiten = torch.linalg.solve_triangular(factor, eye, upper=False).mT

    def _kernel(self, one: Tensor, two: Tensor) -> Tensor:
        return kernel(one, two, self._lengthscales, self._choices)

    def believing(self, points: Tensor) -> Gp:
        """The same processes, had their means been measured at ``p x d``."""
        block, hyper, choices = self._given
        means, _ = self.marginal(points)
        more = Block(
            np.vstack([block.points, points.numpy()]),
            np.vstack([block.values, means.numpy()]),
            block.zero,
        )
        return Gp(more, hyper, choices)

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """What the data say about some points.

        Args:
            points: ``n' x d``.

        Returns:
            The posterior means, ``k x n'``, and the whitened covariances with the
            data, ``k x n' x n``: the prior covariance minus the product of two of them
            is the posterior covariance.
        """
        cross = self._kernel(points, self.points)
        means = self._means[:, None] + (cross @ self._weights[..., None])[..., 0]
        return means, cross @ self._whiten

    def marginal(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior means and variances, each ``n' x k``."""
        means, whitened = self.project(points)
        variances = (1.0 - whitened.square().sum(-1)).clamp_min(1e-10)
        return means.mT, variances.mT

    def beside(
        self, points: Tensor, others: Tensor, projected: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Posterior of single points beside some others.

        Args:
            points: ``n' x d``.
            others: ``r x d``.
            projected: the second result of `project` of the others, ``k x r x n``.

        Returns:
            Means and variances, ``k x n'``, and the covariances of each point with the
            others, ``k x n' x r``.
        """
        means, whitened = self.project(points)
        variances = 1.0 - whitened.square().sum(-1)
        cross = self._kernel(points, others) - whitened @ projected.mT
        return means, variances, cross

    def joint(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of groups of points.

        Args:
            points: ``b x q x d``.

        Returns:
            Means, ``b x k x q``, and covariances, ``b x k x q x q``.
        """
        size, group, dim = points.shape
        means, whitened = self.project(points.reshape(-1, dim))
        means = means.reshape(self.outputs, size, group).transpose(0, 1)
        whitened = whitened.reshape(self.outputs, size, group, -1).transpose(0, 1)
        prior = self._kernel(points[:, None], points[:, None])
        return means, prior - whitened @ whitened.mT


@dataclass(frozen=True, slots=True)
class Surrogates:
    """The processes of all outputs: gains first, then violations, then viability.

    Attributes:
        gps: one for each block that was measured.
        gains: how many of the outputs are gains; 0 if none was observed.
        zeros: ``k``, the reference or bound of each output, standardised.
    """

    gps: tuple[Gp, ...]
    gains: int
    zeros: Tensor

    def marginal(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior means and variances at ``n x d``, each ``n x k``."""
        pairs = [gp.marginal(points) for gp in self.gps]
        means, variances = zip(*pairs, strict=True)
        return torch.cat(means, dim=1), torch.cat(variances, dim=1)

    def joint(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior at ``b x q x d``: ``b x k x q`` and ``b x k x q x q``."""
        pairs = [gp.joint(points) for gp in self.gps]
        means, covariances = zip(*pairs, strict=True)
        eye = _JITTER * torch.eye(points.shape[1], dtype=points.dtype)
        return torch.cat(means, dim=1), torch.cat(covariances, dim=1) + eye

    def believing(self, points: Tensor) -> Surrogates:
        """The same processes, had their means been measured at ``p x d``."""
        gps = tuple(gp.believing(points) for gp in self.gps)
        return Surrogates(gps, self.gains, self.zeros)

    def excess(self, means: Tensor) -> Tensor:
        """How far means (``n x k``) lie on the wrong side of their zeros."""
        signs = torch.ones_like(self.zeros)
        signs[: self.gains] = -1.0
        return signs * (means - self.zeros)


class Conditional:
    """The surrogates at single points, given their values at a baseline.

    Args:
        surrogates: of all ``k`` outputs.
        baseline: ``r x d``.

    Raises:
        LinAlgError: the baseline's covariance has no Cholesky factor.
    """

    def __init__(self, surrogates: Surrogates, baseline: Tensor) -> None:
        self._surrogates, self._baseline = surrogates, baseline
        means, covariances = surrogates.joint(baseline[None])
        self._means = means[0]
        self._projected = [gp.project(baseline)[1] for gp in surrogates.gps]
        self._factor = torch.linalg.cholesky(covariances[0])

    def whitened(self, samples: Tensor) -> Tensor:
        """The standard normal samples behind samples at the baseline.

        Args:
            samples: ``s x r x k``.

        Returns:
            ``k x r x s``.
        """
        centred = samples.permute(2, 1, 0) - self._means[..., None]
        return _solved(self._factor, centred)

    def samples(self, points: Tensor, white: Tensor, own: Tensor) -> Tensor:
        """Samples at points, each conditional on the baseline's samples alone.

        Args:
            points: ``n' x d``.
            white: ``k x r x s``, of the baseline, by `whitened`.
            own: ``s x k``, further standard normal samples.

        Returns:
            ``s x n' x k``.
        """
        gps = zip(self._surrogates.gps, self._projected, strict=True)
        parts = [gp.beside(points, self._baseline, known) for gp, known in gps]
        means, variances, cross = map(torch.cat, zip(*parts, strict=True))
        rows = _solved(self._factor, cross.mT)
        left = (variances - rows.square().sum(1)).clamp_min(_JITTER).sqrt()
        samples = means[..., None] + rows.mT @ white + left[..., None] * own.mT[:, None]
        return torch.as_tensor(samples.permute(2, 1, 0))


def _solved(factor: Tensor, right: Tensor) -> Tensor:
    """``x`` of ``factor x = right``, lower triangular."""
    solution: Tensor = torch.linalg.solve_triangular(factor, right, upper=False)
    return solution
