"""The processes of `moosnn.optimizers.posterior`, made of GPyTorch's parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from moosnn.optimizers import acquisition  # imports GPyTorch without its warnings
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.surrogate import NOISE_FLOOR, Hyper
from moosnn.problem import Floats
from tests.optimizers.oracles import PARAMETER_OF


def gpytorch_process(block: Block, column: int, hyper: Hyper, mean: float) -> Any:
    """The same process, made of GPyTorch's parts: an ExactGP in training mode."""
    import gpytorch

    assert acquisition
    noise = np.exp(hyper.log_noise) + NOISE_FLOOR + block.variances[:, column]
    points = torch.as_tensor(block.points)
    values = torch.as_tensor(block.values[:, column].copy())
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
        torch.as_tensor(noise)
    )

    class Process(gpytorch.models.ExactGP):
        def __init__(self) -> None:
            super().__init__(points, values, likelihood)
            self.mean = gpytorch.means.ConstantMean()
            inner = gpytorch.kernels.MaternKernel(2.5, ard_num_dims=points.shape[1])
            self.kernel = gpytorch.kernels.ScaleKernel(inner)

        def forward(self, x: torch.Tensor) -> Any:
            return gpytorch.distributions.MultivariateNormal(
                self.mean(x), self.kernel(x)
            )

    process = Process().double()
    process.mean.constant.data = torch.tensor(mean).double()
    process.kernel.outputscale = np.exp(hyper.log_scale)
    lengthscales = np.exp(hyper.log_lengthscales)[PARAMETER_OF]
    process.kernel.base_kernel.lengthscale = torch.as_tensor(lengthscales)
    return process.requires_grad_(False)


def gls_mean(block: Block, column: int, hyper: Hyper) -> float:
    """The constant mean by generalised least squares, with GPyTorch's covariance."""
    process = gpytorch_process(block, column, hyper, 0.0)
    covariance = process.likelihood(process(*process.train_inputs)).covariance_matrix
    inverse = np.linalg.inv(covariance.numpy())
    return float(inverse.sum(0) @ block.values[:, column] / inverse.sum())


def gpytorch_posterior(
    block: Block, column: int, hyper: Hyper, at: Floats
) -> tuple[Floats, Floats]:
    """Means, ``q``, and covariances, ``q x q``, at ``q x e`` points."""
    process = gpytorch_process(block, column, hyper, gls_mean(block, column, hyper))
    posterior = process.eval()(torch.as_tensor(at))
    return posterior.mean.numpy(), posterior.covariance_matrix.numpy()
