"""Conditioned processes against GPyTorch, their draws and slopes against arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import qmc

from moosnn.optimizers.posterior import (
    _JITTER,
    Gp,
    Surrogates,
    _factor,
    normals,
)
from moosnn.optimizers.surrogate import NOISE_FLOOR, matern, squared_distances
from moosnn.problem import Floats
from tests.optimizers.gpytorch_oracle import gpytorch_posterior
from tests.optimizers.oracles import (
    PARAMETER_OF,
    differences,
    gp_of,
    some_hyper,
    toy_surrogates,
    wavy_block,
)

SAMPLES = 4


def new_points(count: int = 6, seed: int = 9) -> Floats:
    return np.random.default_rng(seed).uniform(-0.2, 1.2, (count, len(PARAMETER_OF)))


def joint_of(gp: Gp, points: Floats) -> tuple[Floats, Floats]:
    means, factor, _ = gp.joint(points)
    return means[:, 0], factor @ factor.T


@pytest.mark.parametrize("column", [0, 1])
def test_the_posterior_is_gpytorchs(column) -> None:
    block, hyper, points = wavy_block(), some_hyper(column), new_points()
    means, covariances = gpytorch_posterior(block, column, hyper, points)
    gp = gp_of(block, column)
    found, variances = gp.marginal(points)
    np.testing.assert_allclose(found, means, atol=1e-8)
    np.testing.assert_allclose(variances, covariances.diagonal(), atol=1e-8)
    together, joint = joint_of(gp, points)
    np.testing.assert_allclose(together, means, atol=1e-8)
    jitter = 1e-6 * gp.scale * np.eye(len(points))
    np.testing.assert_allclose(joint, covariances, atol=jitter.max())
    off = ~np.eye(len(points), dtype=bool)
    np.testing.assert_allclose(joint[off], covariances[off], atol=1e-8)


def test_surrogates_say_what_their_processes_say() -> None:
    surrogates, points = toy_surrogates(), new_points()
    prediction = surrogates.predict(points)
    with_slopes, _ = surrogates.predict_and_slopes(points)
    for k, gp in enumerate(surrogates.gps):
        means, variances = gp.marginal(points)
        np.testing.assert_allclose(prediction.means[:, 0, k], means, atol=1e-14)
        np.testing.assert_allclose(prediction.sds[:, k] ** 2, variances, atol=1e-14)
    np.testing.assert_array_equal(prediction.means, with_slopes.means)
    np.testing.assert_array_equal(prediction.sds, with_slopes.sds)


def imagined(surrogates: Surrogates, gains: int) -> Surrogates:
    """The gains imagined at two points, the violations as they were."""
    points, rng = new_points(2, seed=3), np.random.default_rng(4)
    gps = [
        gp.imagining(points, rng.standard_normal((2, SAMPLES)))[0] if k < gains else gp
        for k, gp in enumerate(surrogates.gps)
    ]
    return replace(surrogates, gps=tuple(gps))


@pytest.mark.parametrize("draws", ["none", "of the gains", "of all"])
def test_slopes_are_those_of_the_predictions(draws) -> None:
    """Of any weighted sum of all means and deviations, by central differences."""
    surrogates = toy_surrogates()
    if draws != "none":
        count = 2 if draws == "of the gains" else len(surrogates.gps)
        surrogates = imagined(surrogates, count)
    points, rng = new_points(), np.random.default_rng(5)
    prediction, back = surrogates.predict_and_slopes(points)
    in_means = rng.standard_normal(prediction.means.shape)
    in_sds = rng.standard_normal(prediction.sds.shape)

    def weighted(at: Floats) -> Floats:
        found = surrogates.predict(at)
        return (in_means * found.means).sum((1, 2)) + (in_sds * found.sds).sum(1)

    expected = differences(weighted, points)
    np.testing.assert_allclose(back(in_means, in_sds), expected, rtol=1e-6, atol=1e-7)


def test_imagined_values_have_the_joint_posteriors_moments() -> None:
    gp, points = gp_of(wavy_block()), new_points(3)
    drawn = np.random.default_rng(0).standard_normal((3, 200_000))
    _, values = gp.imagining(points, drawn)
    means, covariance = joint_of(gp, points)
    np.testing.assert_allclose(values.mean(1), means, atol=0.01)
    np.testing.assert_allclose(np.cov(values), covariance, atol=0.01)


def test_imagining_is_refitting_with_those_rows_and_no_noise() -> None:
    """Rasmussen & Williams, eq. 2.25-2.26, with the mean that the process had."""
    block, points, at = wavy_block(), new_points(3, seed=2), new_points()
    gp, hyper = gp_of(block), some_hyper()
    drawn = np.random.default_rng(1).standard_normal((3, SAMPLES))
    after, values = gp.imagining(points, drawn)
    rows = np.vstack([block.points, points]) * gp.inverse_lengthscales
    noise = np.exp(hyper.log_noise) + NOISE_FLOOR + block.variances[:, 0]
    noise = np.append(noise, np.full(3, _JITTER * gp.scale))
    covariance = gp.scale * matern(squared_distances(rows, rows))[0] + np.diag(noise)
    cross = squared_distances(at * gp.inverse_lengthscales, rows)
    cross = gp.scale * matern(cross)[0]
    seen = np.vstack([np.repeat(block.values[:, :1], SAMPLES, axis=1), values])
    expected = gp.mean + cross @ np.linalg.solve(covariance, seen - gp.mean)
    left = gp.scale - (cross * np.linalg.solve(covariance, cross.T).T).sum(1)
    found = after.mean + after.covariances(at)[1] @ after.weights
    np.testing.assert_allclose(found, expected, atol=1e-8)
    np.testing.assert_allclose(after.marginal(at)[1], left, atol=1e-8)
    first = after.marginal(at)[0]
    np.testing.assert_allclose(first, expected[:, 0], atol=1e-8)


def test_what_was_imagined_is_known() -> None:
    gp, points = gp_of(wavy_block()), new_points(3)
    drawn = np.random.default_rng(1).standard_normal((3, SAMPLES))
    after, values = gp.imagining(points, drawn)
    means = after.mean + after.covariances(points)[1] @ after.weights
    np.testing.assert_allclose(means, values, atol=1e-5)
    assert (after.marginal(points)[1] < 1e-5).all()


def test_many_draws_share_one_variance() -> None:
    """What is imagined moves means; the deviations depend on where alone."""
    gp, points, at = gp_of(wavy_block()), new_points(2), new_points(5, seed=6)
    rng = np.random.default_rng(1)
    many, _ = gp.imagining(points, rng.standard_normal((2, 64)))
    one, _ = gp.imagining(points, 7 + rng.standard_normal((2, 1)))
    np.testing.assert_array_equal(many.whiten, one.whiten)
    np.testing.assert_array_equal(many.marginal(at)[1], one.marginal(at)[1])
    assert (many.marginal(at)[1] < gp.marginal(at)[1] + 1e-12).all()
    assert many.weights.shape == (len(gp.scaled) + 2, 64)


def test_believing_the_means_keeps_them() -> None:
    gp, points, at = gp_of(wavy_block()), new_points(2), new_points(5, seed=6)
    after, values = gp.imagining(points, np.zeros((2, 1)))
    np.testing.assert_allclose(values[:, 0], gp.marginal(points)[0], atol=1e-12)
    np.testing.assert_allclose(after.marginal(at)[0], gp.marginal(at)[0], atol=1e-12)


def test_copies_of_a_point_are_drawn_with_a_jitter() -> None:
    gp = gp_of(wavy_block())
    points = np.repeat(new_points(1), 3, axis=0)
    after, values = gp.imagining(points, np.ones((3, 1)))
    np.testing.assert_allclose(values, values[0, 0], atol=0.01)
    assert np.isfinite(after.weights).all()


def test_the_jitter_grows_until_there_is_a_factor() -> None:
    indefinite = np.diag([1.0, -1e-5])
    factor = _factor(indefinite.copy(), 1.0)
    added = (factor @ factor.T - indefinite)[0, 0]
    assert 1e-5 < added < 1.1e-4  # the first power of ten that helps
    np.testing.assert_allclose(
        factor @ factor.T, indefinite + added * np.eye(2), atol=1e-12
    )
    definite = np.array([[2.0, 1.0], [1.0, 2.0]])
    whole = _factor(definite.copy(), 1.0)
    np.testing.assert_allclose(whole @ whole.T, definite, atol=1e-15)


def test_a_hopeless_covariance_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="no Cholesky factor"):
        _factor(np.diag([1.0, -10.0]), 1.0)


def test_excess_is_what_lies_on_the_wrong_side() -> None:
    surrogates = toy_surrogates()
    assert surrogates.gains == 2
    assert surrogates.zeros.tolist() == [-0.4, -0.4, 0.2, 0.2, 0.2]
    found = surrogates.excess(np.array([0.6, -1.4, 0.7, 0.2, -0.8]))
    np.testing.assert_allclose(found, [-1.0, 1.0, 0.5, 0.0, -1.0], atol=1e-12)


def test_leading_are_the_gains_and_the_weightiest_forms() -> None:
    surrogates = toy_surrogates(weights=(0.0, np.log(0.3), np.log(0.7)))
    assert surrogates.leading.tolist() == [0, 1, 2, 4]
    other = replace(surrogates, log_weights=np.array([0.0, -0.1, -9.0]))
    assert other.leading.tolist() == [0, 1, 2, 3]
    some = surrogates.only(surrogates.leading)
    assert some.gps == tuple(surrogates.gps[k] for k in (0, 1, 2, 4))
    assert some.constraint.tolist() == [0, 1]
    assert some.log_weights.tolist() == [0.0, 0.0]
    assert some.zeros.tolist() == surrogates.zeros[[0, 1, 2, 4]].tolist()


def test_leading_is_a_near_form_however_little_it_weighs() -> None:
    surrogates = toy_surrogates(
        constraint=(0, 1, 0, 1, 1),
        weights=tuple(np.log([0.01, 0.3, 0.99, 0.2, 0.5])),
        far=(False, False, True, False, True),
    )
    assert surrogates.leading.tolist() == [0, 1, 2, 3]
    other = replace(surrogates, log_weights=np.log([0.01, 0.2, 0.99, 0.3, 0.5]))
    assert other.leading.tolist() == [0, 1, 2, 5]
    swapped = replace(other, far=~other.far)
    assert swapped.leading.tolist() == [0, 1, 4, 6]
    assert not other.only(other.leading).far.any()
    assert surrogates.only(np.array([0, 1, 3, 4])).far.tolist() == [False, True]


def test_of_forms_that_all_reach_far_the_weightiest_leads() -> None:
    surrogates = toy_surrogates(far=(True, True, True))
    assert surrogates.leading.tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize("count", [1, 5])
def test_normals_are_normal_and_evenly_spread(count) -> None:
    drawn = normals(count, 256, np.random.default_rng(0))
    assert drawn.shape == (count, 256)
    assert np.isfinite(drawn).all()
    np.testing.assert_allclose(drawn.mean(1), 0.0, atol=0.02)  # plain ones: 0.06
    np.testing.assert_allclose(drawn.std(1), 1.0, atol=0.05)
    again = normals(count, 256, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)


def test_beyond_the_sequences_dimensions_there_are_plain_ones() -> None:
    drawn = normals(qmc.Sobol.MAXDIM + 1, 2, np.random.default_rng(0))
    assert drawn.shape == (qmc.Sobol.MAXDIM + 1, 2)
    assert drawn.std() == pytest.approx(1.0, abs=0.05)
