"""Weights of a few bits: levels, errors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from moosnn.snn.quantisation import largest_level, quantised, step_of


def weights(count: int = 200_000) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, generator=generator, dtype=torch.float64) * 2.0 - 1.0


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_there_are_as_many_levels_as_the_bits_say(bits: int) -> None:
    found = quantised(weights(), bits).unique()
    assert len(found) == 2**bits - 1
    assert torch.allclose(found, -found.flip(0), atol=0)
    step = 2.0 * float(weights().abs().max()) / (len(found) - 1)
    assert torch.allclose(found.diff(), torch.full_like(found[1:], step))


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
def test_no_error_is_larger_than_half_a_step(bits: int) -> None:
    error = quantised(weights(), bits) - weights()
    half = step_of(weights(), bits) / 2
    assert float(error.abs().max()) == pytest.approx(half, rel=1e-3)
    assert float(error.abs().max()) <= half * (1 + 1e-12)


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_errors_have_the_variance_of_uniform_ones(bits: int) -> None:
    """Of n uniform errors the variance's own relative error is sqrt(0.8 / n)."""
    error = quantised(weights(), bits) - weights()
    expected = step_of(weights(), bits) ** 2 / 12
    assert float(error.square().mean()) == pytest.approx(expected, rel=0.01)
    assert abs(float(error.mean())) < 5 * (expected / len(error)) ** 0.5


def test_by_hand() -> None:
    given = torch.tensor([0.7, -0.7, 0.24, 0.26, -0.1, 0.0, 0.05])
    assert largest_level(4) == 7  # a step of 0.1
    expected = torch.tensor([0.7, -0.7, 0.2, 0.3, -0.1, 0.0, 0.0])
    assert torch.allclose(quantised(given, 4), expected, atol=1e-7)


def test_levels_stay_where_they_are() -> None:
    once = quantised(weights(1000), 4)
    assert torch.allclose(quantised(once, 4), once, rtol=1e-15)


def test_zeros_stay_and_nothing_is_nothing() -> None:
    assert torch.equal(quantised(torch.zeros(3), 4), torch.zeros(3))
    assert quantised(torch.zeros(0, 2), 4).shape == (0, 2)
    least = torch.tensor([1e-45])  # a seventh of it is 0
    assert torch.equal(quantised(least, 4), least)


def test_a_sign_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="expected >= 2, got 1"):
        quantised(weights(3), 1)
