"""The surrogates in torch, joint over several points, for BoTorch.

Knows: surrogates. Must not know: trials, acquisition functions, hyperparameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from moosnn.optimizers.posterior import Gp, Surrogates

_JITTER = 1e-8  # of a joint posterior covariance
_TINY = 1e-15  # squared distance below which the Matern kernel has no slope


class TorchGps:
    """Gaussian processes that were conditioned on values at the same ``n`` points.

    Args:
        gps: ``k``.
    """

    def __init__(self, gps: Sequence[Gp]) -> None:
        self.outputs = len(gps)
        self._inverse = torch.as_tensor(np.stack([g.inverse_lengthscales for g in gps]))
        self._scaled = torch.as_tensor(np.stack([g.scaled for g in gps]))
        self._weights = torch.as_tensor(np.stack([g.weights for g in gps]))
        self._whiten = torch.as_tensor(np.stack([g.whiten for g in gps])).mT
        self._means = torch.as_tensor(np.array([g.mean for g in gps]))
        self._scales = torch.as_tensor(np.array([g.scale for g in gps]))

    def _kernel(self, one: Tensor, two: Tensor) -> Tensor:
        """Covariances of scaled points, ``… x k x n x e`` each -> ``… x k x n x m``."""
        square = (one * one).sum(-1)[..., :, None] + (two * two).sum(-1)[..., None, :]
        root = (5.0 * (square - 2.0 * one @ two.mT).clamp_min(_TINY)).sqrt()
        matern = (1.0 + root + root**2 / 3.0) * (-root).exp()
        return self._scales[:, None, None] * matern

    def scaled(self, points: Tensor) -> Tensor:
        """Points over lengthscales, ``… x n' x e`` -> ``… x k x n' x e``."""
        return points[..., None, :, :] * self._inverse[:, None]

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """What the data say about some points.

        Args:
            points: ``n' x e``.

        Returns:
            The posterior means, ``k x n'``, and the whitened covariances with the
            data, ``k x n' x n``: the prior covariance minus the product of two of them
            is the posterior covariance.
        """
        cross = self._kernel(self.scaled(points), self._scaled)
        means = self._means[:, None] + (cross @ self._weights)[..., 0]
        return means, cross @ self._whiten

    def beside(
        self, points: Tensor, others: Tensor, projected: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Posterior of single points beside some others.

        Args:
            points: ``n' x e``.
            others: ``r x e``.
            projected: the second result of `project` of the others, ``k x r x n``.

        Returns:
            Means and variances, ``k x n'``, and the covariances of each point with the
            others, ``k x n' x r``.
        """
        means, whitened = self.project(points)
        variances = self._scales[:, None] - whitened.square().sum(-1)
        prior = self._kernel(self.scaled(points), self.scaled(others))
        return means, variances, prior - whitened @ projected.mT

    def joint(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of groups of points.

        Args:
            points: ``b x q x e``.

        Returns:
            Means, ``b x k x q``, and covariances, ``b x k x q x q``.
        """
        size, group, dim = points.shape
        means, whitened = self.project(points.reshape(-1, dim))
        means = means.reshape(self.outputs, size, group).transpose(0, 1)
        whitened = whitened.reshape(self.outputs, size, group, -1).transpose(0, 1)
        scaled = self.scaled(points)
        covariances = self._kernel(scaled, scaled) - whitened @ whitened.mT
        eye = torch.eye(group, dtype=points.dtype)
        return means, covariances + _JITTER * self._scales[:, None, None] * eye


class TorchSurrogates:
    """The leading processes of some surrogates: gains first, then violations.

    Args:
        surrogates: of all outcomes; of a constraint's forms the weightiest counts.

    Attributes:
        blocks: processes with the same data together.
        gains: how many of the ``k`` outputs are gains.
        zeros: ``k``, the reference or bound of each output.
    """

    def __init__(self, surrogates: Surrogates) -> None:
        chosen = surrogates.only(surrogates.leading)
        self.gains = chosen.gains
        self.zeros = torch.as_tensor(chosen.zeros)
        groups: list[list[Gp]] = []
        for gp in chosen.gps:
            if groups and len(groups[-1][0].scaled) == len(gp.scaled):
                groups[-1].append(gp)
            else:
                groups.append([gp])
        self.blocks = tuple(TorchGps(group) for group in groups)

    def joint(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior at ``b x q x e``: ``b x k x q`` and ``b x k x q x q``."""
        means, covariances = zip(*[b.joint(points) for b in self.blocks], strict=True)
        return torch.cat(means, dim=1), torch.cat(covariances, dim=1)


class Conditional:
    """The surrogates at single points, given their values at a baseline.

    Args:
        surrogates: of all ``k`` outputs.
        baseline: ``r x e``.

    Raises:
        LinAlgError: the baseline's covariance has no Cholesky factor.
    """

    def __init__(self, surrogates: TorchSurrogates, baseline: Tensor) -> None:
        self._surrogates, self._baseline = surrogates, baseline
        means, covariances = surrogates.joint(baseline[None])
        self._means = means[0]
        self._projected = [block.project(baseline)[1] for block in surrogates.blocks]
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
            points: ``n' x e``.
            white: ``k x r x s``, of the baseline, by `whitened`.
            own: ``s x k``, further standard normal samples.

        Returns:
            ``s x n' x k``.
        """
        pairs = zip(self._surrogates.blocks, self._projected, strict=True)
        parts = [block.beside(points, self._baseline, known) for block, known in pairs]
        means, variances, cross = map(torch.cat, zip(*parts, strict=True))
        rows = _solved(self._factor, cross.mT)
        left = (variances - rows.square().sum(1)).clamp_min(_JITTER).sqrt()
        samples = means[..., None] + rows.mT @ white + left[..., None] * own.mT[:, None]
        return torch.as_tensor(samples.permute(2, 1, 0))


def _solved(factor: Tensor, right: Tensor) -> Tensor:
    """``x`` of ``factor x = right``, lower triangular."""
    solution: Tensor = torch.linalg.solve_triangular(factor, right, upper=False)
    return solution
