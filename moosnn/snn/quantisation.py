"""Weights of a few bits.

Knows: uniform quantisation. Must not know: networks, accuracy, other hardware.

Symmetric, of a whole tensor, the sign being one of the b bits (as e.g. Krishnamoorthi,
"Quantizing deep convolutional networks for efficient inference", arXiv 1806.08342, has
it), with as many levels below 0 as above::

    step D = max |w| / (2^(b-1) - 1)        w <- D round(w / D)

No error is larger than D / 2; where D is small beside the spread of the weights, errors
are uniform with the variance D^2 / 12.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_BITS = 2


def step_of(weights: Tensor, bits: int) -> float:
    """The distance of two levels; 0 if all weights are (nearly) 0, or there are none.

    Args:
        weights: any shape, finite.
        bits: with the sign, >= 2.
    """
    largest = float(weights.abs().max()) if weights.numel() else 0.0
    return largest / largest_level(bits)


def largest_level(bits: int) -> int:
    """The number of levels above 0; there are as many below, and 0 itself."""
    if bits < LEAST_BITS:
        raise ValueError(f"bits: expected >= {LEAST_BITS}, got {bits}")
    return int(2 ** (bits - 1)) - 1


def quantised(weights: Tensor, bits: int) -> Tensor:
    """The nearest of ``2^bits - 1`` levels for each weight, ties to the even one.

    Args:
        weights: any shape, finite.
        bits: with the sign, >= 2.
    """
    step = weights.new_tensor(step_of(weights, bits))
    # Of numbers at the end of their range the step is 0, in their own precision.
    return torch.round(weights / step) * step if step > 0.0 else weights
