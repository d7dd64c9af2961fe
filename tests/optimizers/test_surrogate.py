"""Hyperparameters: their density against GPyTorch, its slopes, what a fit finds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import gamma, lognorm, norm

from moosnn.optimizers import surrogate
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.posterior import Gp
from moosnn.optimizers.surrogate import (
    Hyper,
    _Density,
    default_hyper,
    fit,
    matern,
    squared_distances,
)
from moosnn.problem import Floats
from tests.optimizers.gpytorch_oracle import gls_mean, gpytorch_process
from tests.optimizers.oracles import (
    PARAMETER_OF,
    PARAMETERS,
    block_of,
    differences,
    some_hyper,
    wavy_block,
)

SMALL, LARGE = 3e-4, 0.1  # noise shares of formulas and of trainings


def theta_of(hyper: Hyper) -> Floats:
    return np.array([*hyper.log_lengthscales, hyper.log_noise, hyper.log_scale])


def reaching(block: Block, far: bool) -> Block:
    """The block with the far lengthscale prior, or the near one."""
    return replace(block, far=np.full(block.values.shape[1], far))


def density_of(
    block: Block, column: int = 0, noise_share: float = LARGE, *, far: bool = False
) -> _Density:
    rows = np.arange(len(block.points))
    return _Density(reaching(block, far), column, rows, PARAMETER_OF, noise_share)


@pytest.mark.parametrize("column", [0, 1])
def test_the_likelihood_is_gpytorchs(column) -> None:
    block, hyper = wavy_block(), some_hyper(column)
    mean = gls_mean(block, column, hyper)
    process = gpytorch_process(block, column, hyper, mean)
    marginal = process.likelihood(process(*process.train_inputs))
    expected = float(marginal.log_prob(process.train_targets))
    value, _ = density_of(block, column)._likelihood(theta_of(hyper))
    constant = 0.5 * len(block.points) * math.log(2 * math.pi)
    assert -value - constant == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_densitys_slopes_are_its_differences(seed, far) -> None:
    density, theta = density_of(wavy_block(), far=far), theta_of(some_hyper(seed))
    _, slopes = density(theta)

    def value(thetas: Floats) -> Floats:
        return np.array([density(one)[0] for one in thetas])

    expected = differences(value, theta[None], 1e-5)[0]
    np.testing.assert_allclose(slopes, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("far", [False, True])
def test_the_priors_slopes_are_its_differences(far) -> None:
    density, theta = density_of(wavy_block(), far=far), theta_of(some_hyper())

    def value(thetas: Floats) -> Floats:
        return np.array([density._prior(one)[0] for one in thetas])

    expected = differences(value, theta[None], 1e-5)[0]
    np.testing.assert_allclose(density._prior(theta)[1], expected, rtol=1e-7, atol=1e-9)


def lengthscale_priors(lengthscales: Floats, *, far: bool) -> Floats:
    """The log prior of ``n x d`` lengthscales, ``n``, up to a constant."""
    density = density_of(wavy_block(), far=far)
    found = [
        -density._prior(np.array([*np.log(row), math.log(LARGE), 0.0]))[0]
        for row in lengthscales
    ]
    return np.array(found)


@pytest.mark.parametrize("dim", [1, 3, 20])
def test_the_near_prior_of_lengthscales_is_its_formula(dim) -> None:
    """Worth half a unit of log density at three sides and a third, steep beyond."""
    drawn = np.random.default_rng(dim).lognormal(0.0, 1.0, (40, dim))
    found = lengthscale_priors(drawn, far=False)
    expected = -0.1 * (drawn**2 + 1 / drawn**2).sum(axis=1)
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-9)
    sides = np.ones((5, dim))
    sides[:, 0] = [1.0, 1 / 3, 3.0, 0.1, 10.0]
    middle, *flat, short, long = lengthscale_priors(sides, far=False)
    assert middle - np.array(flat) == pytest.approx([0.1 * (9 + 1 / 9 - 2)] * 2)
    assert middle - max(short, long) > 9


@pytest.mark.parametrize("dim", [1, 3, 20])
def test_the_far_prior_of_lengthscales_is_log_normal(dim) -> None:
    """[Hvarfner2024], with its median at the root of the number of parameters."""
    drawn = np.random.default_rng(dim).lognormal(1.0, 1.5, (40, dim))
    found = lengthscale_priors(drawn, far=True)
    prior = lognorm(math.sqrt(3.0), scale=math.exp(math.sqrt(2.0)) * math.sqrt(dim))
    in_logarithm = prior.logpdf(drawn) + np.log(drawn)  # the density of log l
    expected = in_logarithm.sum(axis=1)
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-9)


@pytest.mark.parametrize("far", [False, True])
def test_the_prior_of_the_scale_is_a_gamma_distribution(far) -> None:
    density, theta = density_of(wavy_block(), far=far), theta_of(some_hyper())
    scales = np.linspace(0.05, 9.0, 12)
    found = []
    for scale in scales:
        theta[-1] = math.log(scale)
        found.append(-density._prior(theta)[0])
    expected = gamma(2.0).logpdf(scales)
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-9)


@pytest.mark.parametrize("share", [SMALL, LARGE])
def test_the_noises_prior_is_log_normal_around_its_share(share) -> None:
    density = density_of(wavy_block(), noise_share=share)
    normal = norm(math.log(share), surrogate._LOG_NOISE_SD)
    noises = np.linspace(-12.0, 1.0, 9)
    theta = theta_of(some_hyper())
    found = []
    for noise in noises:
        theta[-2] = noise
        found.append(-density._prior(theta)[0])
    np.testing.assert_allclose(
        np.diff(found), np.diff(normal.logpdf(noises)), rtol=1e-9
    )


@pytest.mark.parametrize("far", [False, True])
def test_the_prior_forbids_what_no_data_could_teach(far) -> None:
    """Very short and very long lengthscales, a process that is much too large."""
    density = density_of(wavy_block(), far=far)
    usual = theta_of(default_hyper(PARAMETERS, LARGE, far=far))
    boxes = [*[surrogate._LOG_LENGTHSCALE_BOX] * PARAMETERS]
    boxes += [surrogate._LOG_NOISE_BOX, surrogate._LOG_SCALE_BOX]
    for column, box in enumerate(boxes):
        for end in box:
            theta = usual.copy()
            theta[column] = end
            assert density._prior(theta)[0] > density._prior(usual)[0] + 0.5


def test_matern_is_the_textbooks_with_its_slope() -> None:
    """Rasmussen & Williams, eq. 4.17; dk/dr = -r g of the distance r."""
    distance = np.linspace(0.0, 9.0, 40)
    root = math.sqrt(5.0) * distance
    expected = (1 + root + 5 * distance**2 / 3) * np.exp(-root)
    value, slope = matern(distance**2)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    inner = distance[1:]
    numeric = (matern((inner + 1e-6) ** 2)[0] - matern((inner - 1e-6) ** 2)[0]) / 2e-6
    np.testing.assert_allclose(-inner * slope[1:], numeric, rtol=1e-6, atol=1e-10)


def test_squared_distances_are_never_negative() -> None:
    points = 1e6 + np.random.default_rng(0).random((30, 4)) * 1e-6
    assert (squared_distances(points, points) >= 0).all()
    one, two = np.random.default_rng(1).random((2, 5, 4))
    expected = ((one[:, None] - two[None]) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(one, two), expected, atol=1e-14)


def drawn_block(rows: int, hyper: Hyper, seed: int) -> Block:
    """Values drawn from the process of some hyperparameters, noise included."""
    rng = np.random.default_rng(seed)
    points = rng.random((rows, len(PARAMETER_OF)))
    scaled = points * np.exp(-hyper.log_lengthscales)[PARAMETER_OF]
    covariance = math.exp(hyper.log_scale) * matern(squared_distances(scaled, scaled))[
        0
    ] + math.exp(hyper.log_noise) * np.eye(rows)
    values = np.linalg.cholesky(covariance) @ rng.standard_normal((rows, 1))
    return block_of(points, values)


@pytest.mark.parametrize("far", [False, True])
def test_a_fit_finds_the_hyperparameters_of_what_it_was_drawn_from(far) -> None:
    true = Hyper(np.log([0.3, 1.0, 40.0]), math.log(0.02), math.log(1.5))
    found = [
        fit(
            reaching(drawn_block(150, true, seed), far),
            0,
            PARAMETER_OF,
            [default_hyper(PARAMETERS, LARGE, far=far)],
            LARGE,
        )
        for seed in range(4)
    ]
    lengthscales = np.median([h.log_lengthscales for h in found], axis=0)
    assert lengthscales[0] == pytest.approx(true.log_lengthscales[0], abs=0.4)
    assert lengthscales[1] == pytest.approx(true.log_lengthscales[1], abs=0.6)
    assert lengthscales[2] > math.log(4)  # beyond some ranges it makes no difference
    assert np.median([h.log_noise for h in found]) == pytest.approx(
        true.log_noise, abs=0.4
    )


def test_only_a_far_form_denies_an_influence() -> None:
    """Ten trials of one parameter: the others may have no say, or some all the same."""
    points = np.random.default_rng(3).random((10, len(PARAMETER_OF)))
    block = block_of(points, np.sin(4 * points[:, :1]))
    near, far = (
        fit(
            reaching(block, reach),
            0,
            PARAMETER_OF,
            [default_hyper(PARAMETERS, SMALL, far=reach)],
            SMALL,
        ).log_lengthscales
        for reach in (False, True)
    )
    assert np.exp(near[1:]).max() < 4
    assert np.exp(far[1:]).min() > 6


@pytest.mark.parametrize("far", [False, True])
def test_a_fit_is_where_the_density_is_largest(far) -> None:
    block = reaching(wavy_block(40), far)
    start = default_hyper(PARAMETERS, LARGE, far=far)
    found = fit(block, 0, PARAMETER_OF, [start], LARGE)
    density = density_of(block, far=far)
    value, slopes = density(theta_of(found))
    assert found.evidence == pytest.approx(-value, rel=1e-12)
    assert value < density(theta_of(start))[0]
    assert np.abs(slopes).max() < 0.05
    rng = np.random.default_rng(0)
    for _ in range(20):
        near = theta_of(found) + 0.1 * rng.standard_normal(len(slopes))
        assert density(near)[0] > value


def test_of_several_starts_the_best_end_is_kept() -> None:
    block = wavy_block(30)
    start = default_hyper(PARAMETERS, SMALL)
    far = Hyper(np.full(PARAMETERS, math.log(250.0)), 0.5, -3.5)
    ends = [fit(block, 0, PARAMETER_OF, [s], SMALL).evidence for s in (start, far)]
    assert fit(block, 0, PARAMETER_OF, [far, start], SMALL).evidence == max(ends)
    good = fit(block, 0, PARAMETER_OF, [start], SMALL)
    again = fit(block, 0, PARAMETER_OF, [start, good], SMALL)
    assert again.evidence >= good.evidence


def test_the_evidence_is_that_of_the_outcome_before_it_was_stretched() -> None:
    """d value / d outcome multiplies the density of the outcome once a row."""
    block = wavy_block(20, 1)
    stretch = np.random.default_rng(0).normal(size=(20, 1))
    stretched = block_of(
        block.points, block.values, variances=block.variances, log_stretch=stretch
    )
    start = [default_hyper(PARAMETERS, LARGE)]
    plain = fit(block, 0, PARAMETER_OF, start, LARGE).evidence
    found = fit(stretched, 0, PARAMETER_OF, start, LARGE).evidence
    assert found - plain == pytest.approx(stretch.sum(), abs=1e-9)


def test_a_noisier_share_expects_more_noise() -> None:
    block = wavy_block(12, 1)
    noises = [
        fit(block, 0, PARAMETER_OF, [default_hyper(PARAMETERS, share)], share).log_noise
        for share in (SMALL, LARGE)
    ]
    assert noises[0] < noises[1]


def test_many_rows_are_thinned_evenly() -> None:
    """What lies between the rows that are used cannot matter; the ends are used."""
    rows = surrogate._FIT_ROWS + 44
    block = wavy_block(rows, 1)
    used = np.unique(np.linspace(0, rows - 1, surrogate._FIT_ROWS).round().astype(int))
    assert {0, rows - 1} <= set(used.tolist())
    assert len(used) == surrogate._FIT_ROWS
    assert np.diff(used).max() <= 2
    start = [default_hyper(PARAMETERS, LARGE)]
    thin = block_of(
        block.points[used], block.values[used], variances=block.variances[used]
    )
    expected = fit(thin, 0, PARAMETER_OF, start, LARGE)
    spoilt = block.values.copy()
    others = np.setdiff1d(np.arange(rows), used)
    spoilt[others] = 99.0
    all_rows = block_of(block.points, spoilt, variances=block.variances)
    found = fit(all_rows, 0, PARAMETER_OF, start, LARGE)
    assert theta_of(found).tolist() == theta_of(expected).tolist()


@pytest.mark.parametrize("noise_share", [SMALL, LARGE])
@pytest.mark.parametrize("rows", [1, 2, 12])
@pytest.mark.parametrize("values", ["constant", "contradicting"])
def test_copies_of_a_point_can_be_fitted(rows, values, noise_share) -> None:
    """As can one point, a constant, and one point with several values."""
    points = np.tile([[0.3, 0.4, 0.5, 0.6]], (rows, 1))
    outcome = np.zeros((rows, 1))
    if values == "contradicting":
        outcome[::2] = 1.0
    block = block_of(points, outcome)
    start = [default_hyper(PARAMETERS, noise_share)]
    found = fit(block, 0, PARAMETER_OF, start, noise_share)
    assert np.isfinite([*theta_of(found), found.evidence]).all()
    means, variances = Gp.of(block, 0, found, PARAMETER_OF).marginal(points[:1])
    assert means[0] == pytest.approx(outcome.mean(), abs=1e-6)
    assert 0 < variances[0] < math.exp(found.log_scale)


def test_hyperparameters_stay_in_their_boxes() -> None:
    boxes = [surrogate._LOG_LENGTHSCALE_BOX] * PARAMETERS
    boxes += [surrogate._LOG_NOISE_BOX, surrogate._LOG_SCALE_BOX]
    low, high = np.array(boxes).T
    outside = Hyper(np.full(PARAMETERS, 99.0), -99.0, 99.0)
    for seed in range(3):
        found = fit(wavy_block(9, 1, seed), 0, PARAMETER_OF, [outside], SMALL)
        assert (theta_of(found) >= low).all()
        assert (theta_of(found) <= high).all()
        assert np.isfinite(found.evidence)


def test_without_a_cholesky_factor_the_density_is_smallest() -> None:
    block = wavy_block(5, 1)
    broken = block_of(block.points, block.values, variances=np.full((5, 1), -9.0))
    value, slopes = density_of(broken)._likelihood(theta_of(some_hyper()))
    assert value == surrogate._IMPOSSIBLE
    assert (slopes == 0).all()


def test_the_default_has_a_lengthscale_for_each_parameter() -> None:
    hyper = default_hyper(20, LARGE)
    assert hyper.log_lengthscales.shape == (20,)
    assert len(set(hyper.log_lengthscales.tolist())) == 1
    assert hyper.log_noise == pytest.approx(math.log(LARGE))
    assert hyper.log_scale == 0.0  # outcomes are standardised


@pytest.mark.parametrize("dim", [1, 4, 20])
def test_the_default_is_no_longer_than_the_priors_median(dim) -> None:
    """The near prior is symmetric around the unit cube's side."""
    near = np.exp(default_hyper(dim, LARGE).log_lengthscales)
    far = np.exp(default_hyper(dim, LARGE, far=True).log_lengthscales)
    median = math.exp(math.sqrt(2.0)) * math.sqrt(dim)
    assert near == pytest.approx(np.ones(dim))
    assert far == pytest.approx(np.full(dim, median / math.e))
