"""The processes in torch against those in numpy, which GPyTorch vouches for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moosnn.optimizers.posterior import _factor
from moosnn.optimizers.torch_posterior import _JITTER, Conditional, TorchSurrogates
from moosnn.problem import Floats
from tests.optimizers.oracles import PARAMETER_OF, toy_surrogates


def points_of(*shape: int) -> Floats:
    return np.random.default_rng(7).random((*shape, len(PARAMETER_OF)))


def test_joint_posteriors_are_those_of_the_leading_processes() -> None:
    surrogates, points = toy_surrogates(), points_of(3, 4)
    model = TorchSurrogates(surrogates)
    means, covariances = model.joint(torch.as_tensor(points))
    leading = surrogates.leading.tolist()
    assert model.gains == surrogates.gains
    assert model.zeros.tolist() == surrogates.zeros[leading].tolist()
    assert means.shape == (3, len(leading), 4)
    off = ~np.eye(4, dtype=bool)
    for group in range(3):
        for output, k in enumerate(leading):
            mean, factor, _ = surrogates.gps[k].joint(points[group])
            found = covariances[group, output].numpy()
            np.testing.assert_allclose(means[group, output], mean[:, 0], atol=1e-9)
            np.testing.assert_allclose(found, factor @ factor.T, atol=1e-6)
            np.testing.assert_allclose(found[off], (factor @ factor.T)[off], atol=1e-9)


def test_processes_of_the_same_data_are_computed_together() -> None:
    """Those of the gains, then those of the violations, which have more rows."""
    model = TorchSurrogates(toy_surrogates())
    assert [block.outputs for block in model.blocks] == [2, 2]


def test_beside_others_a_point_is_as_in_the_joint_posterior() -> None:
    model = TorchSurrogates(toy_surrogates())
    points, others = torch.as_tensor(points_of(5)), torch.as_tensor(points_of(3) + 0.1)
    group = torch.cat([points, others])[None]
    for block in model.blocks:
        _, projected = block.project(others)
        means, variances, cross = block.beside(points, others, projected)
        joint_means, joint = block.joint(group)
        np.testing.assert_allclose(means, joint_means[0, :, :5], atol=1e-10)
        np.testing.assert_allclose(cross, joint[0, :, :5, 5:], atol=1e-10)
        diagonal = joint[0].diagonal(dim1=-2, dim2=-1)[:, :5]
        np.testing.assert_allclose(variances, diagonal, atol=10 * _JITTER)


def test_conditional_samples_have_the_posteriors_moments() -> None:
    model, rng = TorchSurrogates(toy_surrogates()), np.random.default_rng(1)
    baseline, new = torch.as_tensor(points_of(2)), torch.as_tensor(points_of(1) + 0.1)
    conditional, count = Conditional(model, baseline), 20_000
    outputs = len(model.zeros)
    white = torch.as_tensor(rng.standard_normal((outputs, 2, count)))
    own = torch.as_tensor(rng.standard_normal((count, outputs)))
    samples = conditional.samples(new, white, own)[:, 0].numpy()
    means, covariances = model.joint(torch.cat([baseline, new])[None])
    deviations = covariances[0, :, 2, 2].sqrt().numpy()
    found = (samples.mean(0) - means[0, :, 2].numpy()) / deviations
    np.testing.assert_allclose(found, 0.0, atol=0.03)
    np.testing.assert_allclose(samples.std(0) / deviations, 1.0, atol=0.03)
    root = torch.linalg.cholesky(covariances[0, :, :2, :2])
    at_baseline = (means[0, :, :2, None] + root @ white).permute(2, 1, 0)
    np.testing.assert_allclose(conditional.whitened(at_baseline), white, atol=1e-6)
    for k in range(outputs):
        for row in range(2):
            both = np.cov(at_baseline[:, row, k].numpy(), samples[:, k])
            expected = float(covariances[0, k, row, 2])
            assert both[0, 1] == pytest.approx(expected, abs=0.03)


def test_slopes_reach_the_points_even_at_the_data() -> None:
    surrogates = toy_surrogates()
    data = surrogates.gps[0].scaled / surrogates.gps[0].inverse_lengthscales
    points = torch.tensor(data[:2, None], requires_grad=True)
    means, covariances = TorchSurrogates(surrogates).joint(points)
    (means.sum() + covariances.sum()).backward()
    assert torch.isfinite(points.grad).all()
    assert points.grad.abs().max() > 0


def test_a_joint_covariance_of_copies_has_a_factor() -> None:
    model = TorchSurrogates(toy_surrogates())
    copies = torch.as_tensor(np.repeat(points_of(1), 3, axis=0))[None]
    covariance = model.joint(copies)[1][0, 0].numpy()
    np.testing.assert_allclose(covariance, covariance[0, 0], atol=1e-6)
    factor = _factor(covariance.copy(), 1.0)
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-5)
