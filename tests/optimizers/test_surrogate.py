"""Outcomes, kernels, fits and posteriors against GPyTorch and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moosnn.optimizers.acquisition import _Joint
from moosnn.optimizers.base import choices_of
from moosnn.optimizers.fit_chain import FitChain, _grid_points
from moosnn.optimizers.outcomes import Block, _compressed, blocks_of
from moosnn.optimizers.posterior import Conditional, Gp, Surrogates
from moosnn.optimizers.surrogate import (
    Hyper,
    _negative_log_likelihood,
    _negative_log_prior,
    fit,
    kernel,
)
from moosnn.problem import Constraint, Objective
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import FAILURE_KINDS
from tests.contracts.optimizers import toy_points
from tests.helpers import Story, story_of, toy_problem

CHOICES = np.array([False, False, True])

SMALL = 3e-4  # a noise share for outcomes that are formulas


def block(rows: int = 12, outputs: int = 2) -> Block:
    rng = np.random.default_rng(0)
    points = rng.random((rows, 3))
    points[:, 2] = (rng.integers(3, size=rows) + 0.5) / 3
    values = np.stack([np.sin(3 * points[:, 0] + k) for k in range(outputs)], axis=1)
    values = (values - values.mean(0)) / values.std(0)
    return Block(points, values, np.zeros(outputs))


def hyper() -> Hyper:
    return Hyper(np.log([[0.5, 0.8, 1.5], [1.0, 0.3, 0.7]]), np.log([1e-4, 1e-2]))


def oracle(which: int):
    """The same process, made of GPyTorch's parts."""
    from gpytorch.kernels import MaternKernel

    data, given = block(), hyper()
    scales = np.exp(given.log_lengthscales[which])
    matern = MaternKernel(nu=2.5, ard_num_dims=2)
    matern.lengthscale = torch.tensor(scales[:2])
    matern.double()

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        numeric = matern(torch.tensor(a[:, :2]), torch.tensor(b[:, :2])).to_dense()
        differ = (a[:, None, 2] != b[None, :, 2]).astype(float)
        return numeric.detach().numpy() * np.exp(-differ / scales[2])

    noise = np.exp(given.log_noises[which])
    return data, covariance, noise


@pytest.mark.parametrize("which", [0, 1])
def test_the_posterior_is_the_textbooks(which) -> None:
    """Rasmussen and Williams, eq. 2.25-2.26 and 2.41 (a constant mean, by GLS)."""
    data, covariance, noise = oracle(which)
    k = covariance(data.points, data.points) + noise * np.eye(len(data.points))
    y, ones = data.values[:, which], np.ones(len(data.points))
    mean = ones @ np.linalg.solve(k, y) / (ones @ np.linalg.solve(k, ones))
    new = block(5).points + np.array([0.01, 0.02, 0.0])
    cross = covariance(new, data.points)
    expected = mean + cross @ np.linalg.solve(k, y - mean)
    joint = covariance(new, new) - cross @ np.linalg.solve(k, cross.T)
    gp = Gp(data, hyper(), CHOICES)
    means, variances = gp.marginal(torch.tensor(new))
    assert means[:, which].numpy() == pytest.approx(expected, abs=1e-6)
    assert variances[:, which].numpy() == pytest.approx(joint.diagonal(), abs=1e-6)
    _, covariances = gp.joint(torch.tensor(new)[None])
    np.testing.assert_allclose(covariances[0, which], joint, atol=1e-6)


def test_the_fits_objective_is_the_density() -> None:
    from scipy.stats import multivariate_normal, norm

    expected = 0.0
    for which in (0, 1):
        data, covariance, noise = oracle(which)
        k = covariance(data.points, data.points) + noise * np.eye(len(data.points))
        y, ones = data.values[:, which], np.ones(len(data.points))
        mean = ones @ np.linalg.solve(k, y) / (ones @ np.linalg.solve(k, ones))
        expected -= multivariate_normal(mean * ones, k).logpdf(y)
        prior = norm(math.sqrt(2) + math.log(3) / 2, math.sqrt(3))
        expected -= prior.logpdf(hyper().log_lengthscales[which]).sum()
        expected += hyper().log_lengthscales[which].sum()  # d log l = d l / l
        expected -= norm(math.log(SMALL), 1).logpdf(hyper().log_noises[which])
    constant = 2 * (12 + 3 + 1) / 2 * math.log(2 * math.pi)
    constant += 2 * 3 * math.log(math.sqrt(3))
    theta = np.hstack([hyper().log_lengthscales, hyper().log_noises[:, None]])
    found = _negative_log_prior(torch.tensor(theta), SMALL) + _negative_log_likelihood(
        torch.tensor(theta),
        torch.tensor(block().points),
        torch.tensor(block().values).mT,
        torch.tensor(CHOICES),
    )
    assert float(found) + constant == pytest.approx(expected, rel=1e-8)


def test_a_fit_finds_which_coordinate_matters() -> None:
    fitted = fit(block(30), CHOICES, Hyper.default(2, 3, SMALL), SMALL)
    assert (fitted.log_lengthscales.argmin(axis=1) == 0).all()
    assert (fitted.log_noises < math.log(1e-2)).all()


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_constant_outcomes_and_copies_can_be_fitted(rows) -> None:
    points = np.tile([[0.3, 0.4, 0.5]], (rows, 1))
    flat = Block(points, np.zeros((rows, 2)), np.zeros(2))
    fitted = fit(flat, CHOICES, Hyper.default(2, 3, SMALL), SMALL)
    means, variances = Gp(flat, fitted, CHOICES).marginal(torch.tensor(points))
    assert torch.isfinite(means).all()
    assert torch.isfinite(variances).all()


def test_a_failed_factorisation_keeps_the_start() -> None:
    broken = Block(np.full((3, 3), np.nan), np.zeros((3, 1)), np.zeros(1))
    start = Hyper.default(1, 3, SMALL)
    assert fit(broken, CHOICES, start, SMALL) is start


def test_believing_keeps_means_and_lowers_variances() -> None:
    gp = Gp(block(), hyper(), CHOICES)
    new = torch.tensor([[0.2, 0.9, 0.5]], dtype=torch.double)
    means, variances = gp.marginal(new)
    after, less = gp.believing(new).marginal(new)
    np.testing.assert_allclose(after, means, atol=1e-6)
    assert (less < variances).all()


def test_conditional_samples_have_the_posteriors_moments() -> None:
    surrogates = Surrogates((Gp(block(), hyper(), CHOICES),), 1, torch.zeros(2))
    rng = np.random.default_rng(1)
    baseline = torch.tensor([[0.1, 0.9, 0.5], [0.6, 0.05, 0.5]], dtype=torch.double)
    new = torch.tensor([[0.15, 0.85, 0.5]], dtype=torch.double)
    conditional = Conditional(surrogates, baseline)
    count = 20_000
    white = torch.tensor(rng.standard_normal((2, 2, count)))
    own = torch.tensor(rng.standard_normal((count, 2)))
    samples = conditional.samples(new, white, own)[:, 0].numpy()
    group = torch.cat([baseline, new])[None]
    means, covariances = surrogates.joint(group)
    np.testing.assert_allclose(samples.mean(0), means[0, :, 2], atol=0.02)
    np.testing.assert_allclose(samples.var(0), covariances[0, :, 2, 2], rtol=0.1)
    root = torch.linalg.cholesky(covariances[0, :, :2, :2])
    at_baseline = (means[0, :, :2, None] + root @ white).permute(2, 1, 0)
    np.testing.assert_allclose(conditional.whitened(at_baseline), white, atol=1e-6)
    for k in range(2):
        both = np.cov(at_baseline[:, 0, k].numpy(), samples[:, k])
        expected = float(covariances[0, k, 0, 2])
        assert both[0, 1] == pytest.approx(expected, abs=0.02)


def test_the_kernel_is_one_at_a_point_itself() -> None:
    points = torch.tensor(block().points)
    scales = torch.full((1, 3), 0.4, dtype=torch.double)
    covariance = kernel(points, points, scales, torch.tensor(CHOICES))
    np.testing.assert_allclose(covariance.diagonal(), 1.0, atol=1e-6)
    assert torch.linalg.eigvalsh(covariance).min() > -1e-9


def test_silent_trials_are_rows_of_the_constraints_only() -> None:
    problem = toy_problem()
    story = story_of(problem, AnalyticTask("toy_snn"), toy_points(30))
    done = story.history.done
    observed = int(problem.observed(done).sum())
    assert 0 < observed < len(done)
    blocks = blocks_of(problem, story.history)
    assert len(blocks.objectives.points) == observed
    assert len(blocks.constraints.points) == len(done)
    silent = next(t for t in done if not problem.is_observed(t))
    row = problem.space.encode(silent.proposal.params)
    assert not (blocks.objectives.points == row).all(axis=1).any()
    assert (blocks.constraints.points == row).all(axis=1).any()


def test_gains_and_zeros_mean_what_they_say() -> None:
    """Above zero on a gain = better than the reference; on a constraint = violated."""
    problem = toy_problem(
        objectives=(
            Objective(
                metric="spikes_per_sample", goal="min", reference=700, scale="log"
            ),
            Objective(metric="accuracy", goal="max", reference=0.6),
        ),
        constraints=(
            Constraint(metric="weights", upper=2e4),
            Constraint(metric="silence_margin", voids=True),
        ),
    )
    story = story_of(problem, AnalyticTask("toy_snn"), toy_points(40))
    done = story.history.done
    blocks = blocks_of(problem, story.history)
    metrics = [t.evaluation.metrics for t in done]
    observed = [m for m, o in zip(metrics, problem.observed(done), strict=True) if o]
    better = blocks.objectives.values > blocks.objectives.zero
    assert better[:, 0].tolist() == [m["accuracy"] > 0.6 for m in observed]
    assert better[:, 1].tolist() == [m["spikes_per_sample"] < 700 for m in observed]
    broken = blocks.constraints.values > blocks.constraints.zero
    assert broken[:, 0].tolist() == [m["silence_margin"] > 0 for m in metrics]
    assert broken[:, 1].tolist() == [m["weights"] > 2e4 for m in metrics]
    for each in (blocks.objectives, blocks.constraints):
        np.testing.assert_allclose(each.values.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(each.values.std(axis=0), 1, atol=1e-9)


def test_compression_is_the_identity_above_the_reference() -> None:
    gains = np.array([[3.0, -5.0], [-100.0, -7.0], [1.0, -6.0]])
    reference = np.array([0.0, 0.0])
    squeezed = _compressed(gains, reference)
    assert squeezed[[0, 2], 0].tolist() == [3.0, 1.0]
    assert -100 < squeezed[1, 0] < 0
    assert np.argsort(squeezed[:, 1]).tolist() == np.argsort(gains[:, 1]).tolist()
    assert (squeezed[:, 1] < 0).all()


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_viability_learns_from_failures_of_the_trial_itself(kind) -> None:
    problem = toy_problem()
    story = story_of(problem, AnalyticTask("toy_snn"), [])
    points = toy_points(5)
    story.finish(story.propose_at(*points[0]), stopped="silent", silence_margin=0.3)
    for point in points[1:3]:
        story.fail(story.propose_at(*point), kind)
    assert blocks_of(problem, story.history).viability is None
    story.fail(story.propose_at(*points[3]), kind)
    block = blocks_of(problem, story.history).viability
    if kind in {"diverged", "out_of_memory", "timeout", "crashed"}:
        assert (block.values > block.zero)[:, 0].tolist() == [False, True, True, True]
    else:
        assert block is None


def test_grid_points_are_each_to_32_then_15_percent() -> None:
    problem = toy_problem()
    story = Story(problem)
    for index, point in enumerate(np.random.default_rng(0).random((70, 9)).tolist()):
        number = story.propose_at(*point)
        if index == 49:  # the first feasible one
            story.finish(
                number, silence_margin=-1.0, accuracy=0.9, spikes_per_sample=9.0
            )
        else:
            story.finish(number, stopped="silent", silence_margin=0.5)
    lengths = [length for length, _ in _grid_points(problem, story.history)]
    counts = [len(story.history.prefix(length).done) for length in lengths]
    assert counts == [*range(1, 33), 37, 43, 50, 58, 67]


def test_the_chain_remembers_without_a_difference() -> None:
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    story, warm = Story(problem), FitChain(SMALL)
    for point in toy_points(16):
        story.evaluate(task, story.propose_at(*point))
        warm.fits(problem, story.history)
    found, expected = (
        warm.fits(problem, story.history),
        FitChain(SMALL).fits(problem, story.history),
    )
    for name in ("objectives", "constraints"):
        one, two = getattr(found, name), getattr(expected, name)
        assert (one.log_lengthscales == two.log_lengthscales).all()
        assert (one.log_noises == two.log_noises).all()


def test_choices_of() -> None:
    assert np.flatnonzero(choices_of(toy_problem().space)).tolist() == [6, 8]


def test_botorch_sees_independent_outputs() -> None:
    surrogates = Surrogates((Gp(block(), hyper(), CHOICES),), 1, torch.zeros(2))
    points = torch.tensor(block(4).points)[None].expand(3, 4, 3)
    posterior = _Joint(surrogates).posterior(points)
    means, covariances = surrogates.joint(points)
    np.testing.assert_allclose(posterior.mean, means.mT)
    full = posterior.distribution.covariance_matrix
    assert full.shape == (3, 8, 8)
    # GPyTorch interleaves: point 0 output 0, point 0 output 1, …
    np.testing.assert_allclose(full[:, 0::2, 0::2], covariances[:, 0])
    np.testing.assert_allclose(full[:, 1::2, 1::2], covariances[:, 1])
    assert (full[:, 0::2, 1::2] == 0).all()
