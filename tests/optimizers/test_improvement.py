"""Expected improvements against BoTorch's, quadrature, products and differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from scipy.stats import t as student

from moosnn.optimizers import (
    acquisition,  # imports BoTorch without its warnings
    improvement,
)
from moosnn.optimizers.improvement import (
    Improvement,
    _log_tail,
    _log_tail_density,
    feasibility_slopes,
    log_feasibility,
    log_improvement,
)
from moosnn.optimizers.posterior import Prediction, Surrogates
from moosnn.pareto.cells import Cells, cells_of
from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Floats
from tests.optimizers.oracles import PARAMETER_OF, differences, toy_surrogates

SAMPLES = 4


def points_of(count: int = 8, seed: int = 9) -> Floats:
    return np.random.default_rng(seed).random((count, len(PARAMETER_OF)))


def front_above(surrogates: Surrogates, count: int = 6, seed: int = 0) -> Floats:
    """Random points around and above the reference."""
    gains = surrogates.gains
    spread = np.random.default_rng(seed).normal(0.4, 0.6, (count, gains))
    return surrogates.zeros[:gains] + spread


def cells_above(surrogates: Surrogates, seed: int = 0) -> Cells:
    front = front_above(surrogates, seed=seed)
    return cells_of(front, surrogates.zeros[: surrogates.gains])


class Fake(acquisition.Model):  # type: ignore[misc]  # BoTorch is not typed
    """The gains of some surrogates, as BoTorch sees a model."""

    def __init__(self, surrogates: Surrogates) -> None:
        super().__init__()
        self._surrogates = surrogates

    def posterior(self, X: torch.Tensor, *_: object, **__: object) -> Fake:  # noqa: N803  # BoTorch's name
        found = self._surrogates.predict(X[:, 0].numpy())
        gains = self._surrogates.gains
        self.mean = torch.as_tensor(found.means[:, :, :gains].copy())
        self.variance = torch.as_tensor(found.sds[:, None, :gains] ** 2)
        return self


def botorchs(surrogates: Surrogates, front: Floats, points: Floats) -> Floats:
    from botorch.acquisition.multi_objective.analytic import (
        ExpectedHypervolumeImprovement,
    )
    from botorch.utils.multi_objective.box_decompositions.non_dominated import (
        FastNondominatedPartitioning,
    )

    reference = torch.as_tensor(surrogates.zeros[: surrogates.gains].copy())
    expected = ExpectedHypervolumeImprovement(
        Fake(surrogates),
        ref_point=reference.tolist(),
        partitioning=FastNondominatedPartitioning(reference, torch.as_tensor(front)),
    )
    found: Floats = expected(torch.as_tensor(points)[:, None]).numpy()
    return found


@pytest.mark.parametrize("gains", [2, 3])
def test_the_improvement_is_botorchs(gains) -> None:
    surrogates, points = toy_surrogates(gains, (), ()), points_of(40)
    front = front_above(surrogates)
    cells = cells_of(front, surrogates.zeros)
    found = np.exp(Improvement(surrogates, [cells]).values(points))
    expected = botorchs(surrogates, front, points)
    assert expected.max() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_of_one_gain_it_is_the_expected_improvement() -> None:
    """E[max(0, Y - best)] by quadrature."""
    surrogates, points = toy_surrogates(1, (), ()), points_of()
    best = surrogates.zeros[0] + 0.5
    cells = cells_of(np.array([[best], [best - 0.3]]), surrogates.zeros)
    found = np.exp(Improvement(surrogates, [cells]).values(points))
    means, variances = surrogates.gps[0].marginal(points)
    for value, mean, sd in zip(found, means, np.sqrt(variances), strict=True):
        outcome = norm(mean, sd)
        expected = outcome.expect(lambda y: y - best, lb=best)
        assert value == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_of_four_gains_it_is_what_samples_add_to_the_hypervolume() -> None:
    surrogates, points = toy_surrogates(4, (), ()), points_of(60)
    front, reference = front_above(surrogates), surrogates.zeros
    score = Improvement(surrogates, [cells_of(front, reference)])
    points = points[np.argsort(-score.values(points))[:2]]
    prediction = surrogates.predict(points)
    before = hypervolume(-front, -reference)
    rng = np.random.default_rng(0)
    for row, value in enumerate(np.exp(score.values(points))):
        drawn = rng.normal(prediction.means[row, 0], prediction.sds[row], (4000, 4))
        volumes = [hypervolume(-np.vstack([front, y]), -reference) for y in drawn]
        added = np.array(volumes) - before
        error = added.std() / np.sqrt(len(added))
        assert error < 0.1 * value
        assert value == pytest.approx(added.mean(), abs=4 * error)


@pytest.mark.parametrize("away", [0.0, 10.0, 1e4, 1e8])
def test_constraints_multiply_it_by_the_probability_that_they_hold(away) -> None:
    """Each constraint's is the mean over its forms, of Student's distributions."""
    surrogates, points = toy_surrogates(far=(False, False, True)), points_of()
    assert surrogates.constraint.tolist() == [0, 1, 1]
    surrogates.zeros[2:] -= away
    cells = cells_above(surrogates)
    alone = replace(
        surrogates,
        gps=surrogates.gps[:2],
        zeros=surrogates.zeros[:2],
        constraint=np.zeros(0, dtype=int),
        log_weights=np.zeros(0),
        far=np.zeros(0, dtype=bool),
    )
    free = Improvement(alone, [cells]).values(points)
    holds = []
    for gp, zero in zip(surrogates.gps[2:], surrogates.zeros[2:], strict=True):
        means, variances = gp.marginal(points)
        holds.append(student(4).cdf((zero - means) / np.sqrt(variances)))
    expected = np.log(holds[0]) + np.log(0.3 * holds[1] + 0.7 * holds[2])
    for caution in (1.0, 0.5):
        found = Improvement(surrogates, [cells], caution=caution).values(points)
        np.testing.assert_allclose(found, free + caution * expected, rtol=1e-9)
    total, shares = log_feasibility(surrogates, surrogates.predict(points))
    np.testing.assert_allclose(total[:, 0], expected, rtol=1e-9)
    np.testing.assert_allclose(shares[..., 0], 1.0, rtol=1e-12)
    np.testing.assert_allclose(shares[..., 1:].sum(-1), 1.0, rtol=1e-12)
    ratio = 0.3 * holds[1] / (0.3 * holds[1] + 0.7 * holds[2])
    np.testing.assert_allclose(shares[:, 0, 1], ratio, rtol=1e-9)


TAILS = np.concatenate([-np.logspace(8, -3, 600), [0.0], np.logspace(-3, 3, 300)])


def test_a_constraint_holds_as_a_student_variable_of_four_degrees_does() -> None:
    """SciPy's, and the closed form (1 + s)^2 (2 - s) / 4 with s = z / sqrt(4 + z^2)."""
    found = _log_tail(TAILS)
    root = np.sqrt(4.0 + TAILS**2)
    near_one = 4.0 / (root * (root + np.abs(TAILS)))  # 1 - |s|
    plus = np.where(TAILS < 0, near_one, 2.0 - near_one)
    closed = 2 * np.log(plus) + np.log(3.0 - plus) - np.log(4.0)
    np.testing.assert_allclose(found, student(4).logcdf(TAILS), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found, closed, rtol=1e-12, atol=1e-14)
    density = student(4).logpdf(TAILS)
    np.testing.assert_allclose(_log_tail_density(TAILS), density, rtol=1e-12)


def test_its_far_tails_are_finite_and_fall_as_the_fourth_power() -> None:
    """P(T < z) -> 3 / z^4: heavier than a normal variable's, never nothing."""
    found = _log_tail(TAILS)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()
    far = TAILS < -1e3
    expected = np.log(3.0) - 4.0 * np.log(-TAILS[far])
    np.testing.assert_allclose(found[far], expected, atol=1e-5)
    tail = TAILS < -4
    assert (found[tail] > norm.logcdf(TAILS[tail])).all()


def test_its_density_is_the_slope() -> None:
    z = np.linspace(-40.0, 8.0, 97)
    step = 1e-5
    numeric = (_log_tail(z + step) - _log_tail(z - step)) / (2 * step)
    hazard = np.exp(_log_tail_density(z) - _log_tail(z))
    np.testing.assert_allclose(hazard, numeric, rtol=1e-6, atol=1e-9)


def drawn(surrogates: Surrogates, imagined: int) -> Surrogates:
    """Some of the processes imagined at three points, in several draws."""
    points, rng = points_of(3, seed=2), np.random.default_rng(1)
    gps = [
        gp.imagining(points, rng.standard_normal((3, SAMPLES)))[0]
        if k < imagined
        else gp
        for k, gp in enumerate(surrogates.gps)
    ]
    return replace(surrogates, gps=tuple(gps))


def one_of(surrogates: Surrogates, draw: int) -> Surrogates:
    gps = [
        replace(gp, weights=gp.weights[:, [draw]]) if gp.weights.shape[1] > 1 else gp
        for gp in surrogates.gps
    ]
    return replace(surrogates, gps=tuple(gps))


@pytest.mark.parametrize("imagined", [2, 5])
def test_over_draws_it_is_the_mean(imagined) -> None:
    surrogates, points = drawn(toy_surrogates(), imagined), points_of()
    cells = [cells_above(surrogates, seed) for seed in range(SAMPLES)]
    assert len({len(c.lower) for c in cells}) > 1
    found = np.exp(Improvement(surrogates, cells).values(points))
    each = [
        np.exp(Improvement(one_of(surrogates, s), [cells[s]]).values(points))
        for s in range(SAMPLES)
    ]
    assert np.ptp(each, axis=0).max() > 0.01 * found.max()
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-10)


@pytest.mark.parametrize("gains", [1, 2, 3])
@pytest.mark.parametrize("imagined", ["nothing", "gains", "all"])
@pytest.mark.parametrize("caution", [1.0, 0.5])
def test_slopes_are_differences(gains, imagined, caution) -> None:
    surrogates, points = toy_surrogates(gains), points_of()
    cells = [cells_above(surrogates)]
    if imagined != "nothing":
        count = gains if imagined == "gains" else len(surrogates.gps)
        surrogates = drawn(surrogates, count)
        cells = [cells_above(surrogates, seed) for seed in range(SAMPLES)]
    score = Improvement(surrogates, cells, caution=caution)
    values, slopes = score.slopes(points)
    np.testing.assert_allclose(values, score.values(points), rtol=1e-12)
    expected = differences(score.values, points)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("numbers", [1, 1000, 2**19])
@pytest.mark.parametrize("imagined", [0, 3])
def test_it_is_computed_a_few_points_at_a_time(monkeypatch, imagined, numbers) -> None:
    """As many as there is room for; all together, if there is room for all."""
    surrogates, points = drawn(toy_surrogates(3), imagined), points_of(50)
    count = SAMPLES if imagined else 1
    cells = [
        cells_of(front_above(surrogates, 20, seed), surrogates.zeros[:3])
        for seed in range(count)
    ]
    boxes = sum(len(c.lower) for c in cells)
    assert boxes > 20
    score, sizes = Improvement(surrogates, cells), []
    prediction = surrogates.predict(points)
    whole = score._summed(prediction, log_feasibility(surrogates, prediction)[0])
    summed = Improvement._summed

    def spy(self: Improvement, prediction: Prediction, feasible: Floats) -> Floats:
        sizes.append(len(prediction.means))
        return summed(self, prediction, feasible)

    monkeypatch.setattr(improvement, "_NUMBERS", numbers)
    monkeypatch.setattr(Improvement, "_summed", spy)
    np.testing.assert_allclose(score.values(points), whole, rtol=1e-12)
    assert sum(sizes) == 50
    assert max(sizes) == min(50, max(1, numbers // boxes))
    if numbers > 50 * boxes:
        assert score.values(points).tolist() == whole.tolist()
    assert score.values(points[:0]).shape == (0,)


@pytest.mark.parametrize("away", [0.0, 5.0, 1e4])
def test_slopes_of_feasibility_are_differences(away) -> None:
    surrogates, points = toy_surrogates(far=(False, True, False)), points_of()
    surrogates.zeros[2:] -= away
    prediction, back = surrogates.predict_and_slopes(points)
    total, shares = log_feasibility(surrogates, prediction)
    in_means = np.zeros_like(prediction.means)
    in_sds = np.zeros_like(prediction.sds)
    in_means[:, :, 2:], in_sds[:, 2:] = feasibility_slopes(
        surrogates, prediction, shares
    )
    assert np.isfinite(total).all()

    def value(at: Floats) -> Floats:
        return log_feasibility(surrogates, surrogates.predict(at))[0][:, 0]

    expected = differences(value, points)
    np.testing.assert_allclose(back(in_means, in_sds), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("away", [10.0, 100.0, 1e3, 1e4])
def test_far_away_it_has_values_and_slopes(away) -> None:
    """Far above what can be reached, or violating for certain."""
    surrogates, points = toy_surrogates(), points_of()
    ahead = np.array([[away, 0.1], [0.1, away], [away / 2, away / 2]])
    front = surrogates.zeros[:2] + ahead
    beaten = Improvement(surrogates, [cells_of(front, surrogates.zeros[:2])])
    impossible = replace(surrogates, zeros=np.array([-0.4, -0.4, -away, -away, -away]))
    violating = Improvement(impossible, [cells_above(surrogates)])
    unreachable = replace(surrogates, zeros=np.array([away, away, 0.2, 0.2, 0.2]))
    out_of_reach = Improvement(
        unreachable, [cells_of(np.empty((0, 2)), unreachable.zeros[:2])]
    )
    for score in (beaten, violating, out_of_reach):
        values, slopes = score.slopes(points)
        assert np.isfinite(values).all()
        assert np.isfinite(slopes).all()
        assert (np.abs(slopes).max(axis=1) > 0).all()
    # The tails of two constraints fall as the fourth power of how far they are.
    assert violating.values(points).max() < -7 * np.log(away)


def test_far_slopes_still_point_uphill() -> None:
    surrogates, points = toy_surrogates(), points_of()
    far = replace(surrogates, zeros=np.array([30.0, 30.0, 0.2, 0.2, 0.2]))
    score = Improvement(far, [cells_of(np.empty((0, 2)), far.zeros[:2])])
    values, slopes = score.slopes(points)
    uphill = points + 1e-6 * slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    assert (score.values(uphill) > values).all()


def log_h_by_quadrature(z: float) -> float:
    """log of the integral of t phi(t - z) over t > 0, scaled to its own width."""
    width = 1.0 / max(1.0, -z)

    def part(u: float) -> float:
        return u * np.exp(-0.5 * (u * width) ** 2 + z * width * u)

    end = max(60.0, 2 * z + 40.0)
    integral, _ = quad(part, 0.0, end, epsabs=0, epsrel=1e-12, limit=500)
    return float(norm.logpdf(z) + np.log(integral) + 2 * np.log(width))


@pytest.mark.parametrize(
    "z",
    [8.0, 3.0, 0.0, -0.5, -0.999, -1.001, -5.0, -30.0, -200.0, -999.0, -1001.0, -1e4],
)
def test_log_improvement_is_exact_everywhere(z) -> None:
    found = float(log_improvement(np.array([z]))[0])
    assert found == pytest.approx(log_h_by_quadrature(z), rel=1e-10, abs=1e-10)


def test_log_improvement_is_smooth_where_its_branches_meet() -> None:
    for edge in (-1.0, -1e3):
        z = edge + np.array([-2e-3, -1e-3, 1e-3, 2e-3])
        steps = np.diff(log_improvement(z))
        assert steps[1] == pytest.approx(steps[[0, 2]].sum(), rel=1e-2)
        assert (steps > 0).all()


def test_log_improvement_grows() -> None:
    z = np.concatenate([-np.logspace(6, -3, 2000), np.logspace(-3, 2, 500)])
    assert (np.diff(log_improvement(z)) > 0).all()
    assert np.isfinite(log_improvement(z)).all()
    np.testing.assert_allclose(np.exp(log_improvement(z[-1:])), 100.0, rtol=1e-12)
