"""Phase-change memory against its formulas.

Means and deviations of n draws are compared within 5 standard errors: of a mean
sd / sqrt(n), of a deviation sd / sqrt(2 n). The draws are fixed, so a test passes
always or never.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from moosnn.snn import pcm

DRAWS = 100_000
ERRORS = 5.0


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def full(value: float, count: int = DRAWS) -> Tensor:
    return torch.full((count,), value, dtype=torch.float64)


def assert_moments(draws: Tensor, mean: float, sd: float) -> None:
    count = len(draws)
    assert abs(float(draws.mean()) - mean) < ERRORS * sd / math.sqrt(count)
    assert abs(float(draws.std()) - sd) < ERRORS * sd / math.sqrt(2 * count)


@pytest.mark.parametrize("conductance", [0.1, 1.0, 5.0, 9.0])
@pytest.mark.parametrize("pulses", [1, 2, 6])
def test_a_pulse_raises_as_the_model_says(
    conductance: float, pulses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcm, "LEAST_US", -1e9)  # limits would bend the moments
    monkeypatch.setattr(pcm, "MOST_US", 1e9)
    memory = torch.ones(DRAWS, dtype=torch.float64)
    for _ in range(pulses):
        memory = pcm.faded(memory)
    recent = math.exp(-pulses / 2.6)
    mean = -0.084 * conductance + 0.880 + 1.40 * recent
    sd = 0.091 * conductance + 0.260 + 2.15 * recent
    after = pcm.pulsed(full(conductance), memory, dice())
    assert_moments(after - conductance, mean, sd)


def test_a_pulse_stays_within_the_limits() -> None:
    memory = full(math.exp(-1 / 2.6))
    assert float(pcm.pulsed(full(0.1), memory, dice()).min()) == 0.1
    assert float(pcm.pulsed(full(11.5), memory, dice()).max()) == 12.0


def test_reset_is_low_and_narrow() -> None:
    assert_moments(pcm.reset(full(0.0), dice()), 0.1, 0.01)


@pytest.mark.parametrize("conductance", [1.0, 4.0, 8.0])
def test_a_reading_has_the_noise_of_the_model(conductance: float) -> None:
    read = pcm.read(full(conductance), dice())
    assert_moments(read, conductance, 0.03 * conductance + 0.13)


def test_a_reading_is_never_negative_nor_above_the_largest_conductance() -> None:
    low, high = pcm.read(full(0.1), dice()), pcm.read(full(12.0), dice())
    assert float(low.min()) == 0.0
    assert float(high.max()) == 12.0


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        (38.6, 1.0),
        (386.0, 10**-0.04),
        (pcm.HOUR_S, (3600 / 38.6) ** -0.04),
        (pcm.DAY_S, (86400 / 38.6) ** -0.04),
        (pcm.MONTH_S, (2592000 / 38.6) ** -0.04),
    ],
)
def test_conductances_drift_by_the_power_law(seconds: float, left: float) -> None:
    before = torch.linspace(0.1, 12.0, 50, dtype=torch.float64)
    after = pcm.drifted(before, seconds)
    assert torch.allclose(after, before * left, rtol=1e-14, atol=0)


def test_after_a_month_less_than_two_thirds_are_left() -> None:
    assert float(pcm.drifted(full(1.0, 1), pcm.HOUR_S)) == pytest.approx(
        0.834, abs=1e-3
    )
    assert float(pcm.drifted(full(1.0, 1), pcm.DAY_S)) == pytest.approx(0.735, abs=1e-3)
    assert float(pcm.drifted(full(1.0, 1), pcm.MONTH_S)) == pytest.approx(
        0.641, abs=1e-3
    )


def test_ideal_pairs_give_the_weights_to_the_bit() -> None:
    weights = torch.randn(7, 40, generator=dice())
    pairs = pcm.Pairs.ideal(weights.double())
    assert float(torch.maximum(pairs.plus_us, pairs.minus_us).max()) == pytest.approx(
        10.1
    )
    found = pairs.aged(pcm.DRIFT_FROM_S).weights()
    assert torch.equal(found.float(), weights)
    aged = pairs.aged(pcm.DAY_S).weights()
    left = (pcm.DAY_S / 38.6) ** -0.04
    assert torch.allclose(aged, weights.double() * left, rtol=1e-6)


def by_hand(targets: list[float], normal: list[list[float]]) -> list[float]:
    """The written differences of some pairs, pair by pair, pulse by pulse.

    ``normal``: of each round the draws of the pairs that get a pulse in it, in order.
    """
    plus = [0.1 + 0.01 * z for z in normal[0]]
    minus = [0.1 + 0.01 * z for z in normal[1]]
    memory = [[1.0, 1.0] for _ in targets]
    waiting = set(range(len(targets)))
    for draws in normal[2:]:
        left = iter(draws)
        for k in sorted(waiting):
            lacking = targets[k] - plus[k] + minus[k]
            which = 0 if lacking >= 0 else 1
            before = plus[k] if which == 0 else minus[k]
            recent = memory[k][which] * math.exp(-1 / 2.6)
            mean = -0.084 * before + 0.88 + 1.4 * recent
            if abs(lacking) <= mean / 2:
                waiting.remove(k)
                continue
            memory[k][which] = recent
            sd = 0.091 * before + 0.26 + 2.15 * recent
            after = min(max(before + mean + sd * next(left), 0.1), 12.0)
            if which == 0:
                plus[k] = after
            else:
                minus[k] = after
    return [p - m for p, m in zip(plus, minus, strict=True)]


def test_writing_is_what_the_module_says(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[float]] = []

    def noted(like: Tensor, generator: torch.Generator) -> Tensor:
        z = torch.randn(like.shape, generator=generator, dtype=like.dtype)
        drawn.append(z.tolist())
        return z

    monkeypatch.setattr(pcm, "_normal", noted)
    weights = torch.tensor([2.0, -1.7, 0.3, -0.05, 0.0, 1.1, -0.6], dtype=torch.float64)
    pairs = pcm.Pairs.written(weights, dice(3))
    assert pairs.scale_us == 5.0
    assert 2 < len(drawn) <= 2 + pcm.MOST_PULSES
    expected = by_hand((weights * 5.0).tolist(), drawn)
    written = pairs.plus_us - pairs.minus_us
    assert torch.allclose(written, torch.tensor(expected, dtype=torch.float64))


def test_what_writing_leaves_is_small_and_hardly_biased() -> None:
    weights = torch.randn(20_000, generator=dice(), dtype=torch.float64).clamp(-3, 3)
    error = (pcm.Pairs.written(weights, dice(1)).weights() - weights) / 3.0
    assert 0.05 < float(error.square().mean().sqrt()) < 0.08
    assert abs(float((error * weights.sign()).mean())) < 0.015


def test_weights_that_are_all_zero_or_none_are_written_as_well() -> None:
    zeros = pcm.Pairs.written(torch.zeros(50, dtype=torch.float64), dice())
    assert float(zeros.weights().abs().max()) < 0.1  # two devices at RESET
    none = pcm.Pairs.written(torch.zeros(0, 3, dtype=torch.float64), dice())
    assert none.weights().shape == (0, 3)


def test_equal_generators_give_equal_chips() -> None:
    weights = torch.randn(30, generator=dice(), dtype=torch.float64)
    one, same, other = (
        pcm.Pairs.written(weights, dice(seed)).weights() for seed in (5, 5, 6)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
