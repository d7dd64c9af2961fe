"""BoTorch's acquisition functions on our processes, against BoTorch's own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from moosnn.optimizers import acquisition
from moosnn.optimizers.acquisition import (
    _Joint,
    constraints_of,
    improvement_score,
    logei,
    promising,
)
from moosnn.optimizers.improvement import Improvement
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.surrogate import Hyper
from moosnn.optimizers.torch_posterior import TorchSurrogates
from moosnn.pareto.cells import cells_of
from moosnn.problem import Floats
from tests.optimizers.oracles import block_of, differences

SEED = 1
POINTS = np.random.default_rng(0).random((15, 2))


@pytest.fixture(autouse=True)
def _eager() -> None:
    acquisition.set_kernel("eager")


def surrogates(gains: int = 2) -> Surrogates:
    """Two opposed gains and a constraint (y >= 0.6), smooth in two coordinates."""
    x, y = POINTS.T
    outcomes = np.stack([-x, x - 0.3 * (y - 0.5) ** 2, 0.6 - y], axis=1)
    kept = [*range(gains), 2]
    outcomes = outcomes[:, kept]
    mean, sd = outcomes.mean(0), outcomes.std(0)
    block = block_of(POINTS, (outcomes - mean) / sd)
    hyper = Hyper(np.log([0.7, 0.7]), -9.0, 0.0)
    return Surrogates(
        gps=tuple(Gp.of(block, k, hyper, np.arange(2)) for k in range(gains + 1)),
        gains=gains,
        zeros=(np.array([-0.9, 0.0, 0.0])[kept] - mean) / sd,
        constraint=np.array([0]),
        log_weights=np.zeros(1),
        far=np.zeros(1, dtype=bool),
    )


def torched(gains: int = 2) -> TorchSurrogates:
    return TorchSurrogates(surrogates(gains))


def score_of(
    model: TorchSurrogates, pending: Floats | None = None, samples: int = 64
) -> acquisition.TorchScore:
    return improvement_score(
        model,
        promising(model, torch.as_tensor(POINTS), SEED + 1),
        None if pending is None else torch.as_tensor(pending),
        samples,
        SEED,
    )


def test_each_constraint_looks_at_its_own_output() -> None:
    model = torched()
    model.gains, model.zeros = 1, torch.tensor([0.0, 1.0, 2.0])
    samples = torch.tensor([[10.0, 20.0, 30.0]])
    found = [float(bound(samples)) for bound in constraints_of(model)]
    assert found == [19.0, 28.0]


@pytest.mark.parametrize("gains", [1, 2])
def test_improvement_is_where_the_front_has_room(gains) -> None:
    score = score_of(torched(gains))
    feasible = np.array([[0.05, 0.95], [0.5, 0.9]])
    violating = np.array([[0.05, 0.05], [0.5, 0.1]])
    assert score.values(feasible).max() > score.values(violating).max()
    again = score_of(torched(gains)).values(feasible)
    assert score.values(feasible).tolist() == again.tolist()


@pytest.mark.parametrize("gains", [1, 2])
def test_slopes_are_differences(gains) -> None:
    score = score_of(torched(gains))
    points = np.random.default_rng(4).uniform(0.1, 0.9, (8, 2))
    values, slopes = score.slopes(points)
    assert values.tolist() == score.values(points).tolist()
    likely = values > values.max() - 4
    expected = differences(score.values, points)
    np.testing.assert_allclose(slopes[likely], expected[likely], rtol=1e-3, atol=1e-4)


def test_the_short_way_to_samples_agrees_with_botorchs(monkeypatch) -> None:
    model, pending = torched(), np.array([[0.4, 0.8]])
    points = np.random.default_rng(2).random((20, 2))
    short = score_of(model, pending, 1024).values(points)
    name = "_compute_posterior_samples_and_concat_pending"
    assert hasattr(logei.qLogNoisyExpectedHypervolumeImprovement, name)
    monkeypatch.delattr(acquisition._Nehvi, name)
    with acquisition.quiet():
        long = score_of(model, pending, 1024).values(points)
    likely = long > long.max() - 4
    assert likely.sum() > 3
    np.testing.assert_allclose(short[likely], long[likely], atol=0.15)


def test_of_a_known_front_it_is_the_closed_form() -> None:
    """Without a constraint, without noise: sampling against `Improvement`."""
    both = surrogates()
    free = replace(
        both,
        gps=both.gps[:2],
        zeros=both.zeros[:2],
        constraint=np.zeros(0, dtype=int),
        log_weights=np.zeros(0),
        far=np.zeros(0, dtype=bool),
    )
    means = free.predict(POINTS).means[:, 0]
    exact = Improvement(free, [cells_of(means, free.zeros)])
    points = np.random.default_rng(3).random((40, 2))
    expected = exact.values(points)
    found = score_of(TorchSurrogates(free), samples=1024).values(points)
    likely = expected > expected.max() - 2.5
    assert likely.sum() > 3
    np.testing.assert_allclose(found[likely], expected[likely], atol=0.25)


def test_pending_points_are_worth_less() -> None:
    model, point = torched(), np.array([[0.3, 0.95]])
    without = score_of(model, samples=128).values(point)
    beside = score_of(model, point + 1e-3, samples=128).values(point)
    assert float(beside[0]) < float(without[0]) - 1


@pytest.mark.parametrize("gains", [1, 2])
@pytest.mark.parametrize("zeros", [(-0.9, 0.0), (-0.5, -1.0), (9.0, 9.0)])
def test_a_baseline_is_what_any_sample_has_on_its_front(gains, zeros) -> None:
    model = torched(gains)
    model.zeros[:gains] = torch.tensor(zeros[:gains])
    points = torch.as_tensor(np.random.default_rng(3).random((40, 2)))
    sampler = acquisition.SobolQMCNormalSampler(torch.Size([256]), seed=5)
    samples = sampler(_Joint(model).posterior(points))
    (bound,) = constraints_of(model)
    kept = set()
    for sample in samples:
        good = (sample[:, :gains] > model.zeros[:gains]).all(1) & (bound(sample) <= 0)
        rows = good.nonzero()[:, 0].tolist()
        for row in rows:
            one = sample[row, :gains]
            others = sample[rows, :gains]
            if not ((others >= one).all(1) & (others > one).any(1)).any():
                kept.add(row)
    found = promising(model, points, seed=5)
    if kept:
        torch.testing.assert_close(found, points[sorted(kept)], rtol=0, atol=0)
        assert len(kept) < len(points) // 2
    else:
        assert len(found) == 1
    assert bool(kept) == (zeros[0] < 9.0)


def test_a_baseline_is_never_empty() -> None:
    model, observed = torched(), torch.as_tensor(POINTS)
    some = promising(model, observed, seed=0)
    assert 1 <= len(some) < len(observed)
    model.zeros = torch.tensor([99.0, 99.0, -99.0])
    kept = promising(model, observed, seed=0)
    assert len(kept) == 1


def test_botorch_sees_independent_outputs() -> None:
    model = torched()
    points = torch.as_tensor(np.random.default_rng(5).random((3, 4, 2)))
    posterior = _Joint(model).posterior(points)
    means, covariances = model.joint(points)
    np.testing.assert_allclose(posterior.mean, means.mT)
    full = posterior.distribution.covariance_matrix
    assert full.shape == (3, 12, 12)
    # GPyTorch interleaves: point 0 output 0, point 0 output 1, …
    for one in range(3):
        for two in range(3):
            part = full[:, one::3, two::3]
            expected = covariances[:, one] if one == two else torch.zeros(3, 4, 4)
            np.testing.assert_allclose(part, expected, atol=1e-12)
