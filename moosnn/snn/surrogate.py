"""Surrogate gradients: what stands for the derivative of a spike in the backward pass.

Knows: the shapes by name. Must not know: how membranes come about, learning rules.

Of the distance ``x`` of a membrane from its threshold ``theta``, with the slope ``k``:

============  ===========================================  ==========================
atan          (k / 2) / (1 + (pi k x / 2)^2)               Fang et al. 2021
sigmoid       k s (1 - s), s = 1 / (1 + exp(-k x))         Neftci et al. 2019
fast_sigmoid  1 / (1 + k |x|)^2                            Zenke & Ganguli 2018
triangle      k max(0, 1 - k |x|)                          Esser et al. 2016
exponential   (k / 2) exp(-k |x|)                          Shrestha & Orchard 2018
gaussian      k / sqrt(2 pi) exp(-(k x)^2 / 2)             Wu et al. 2018
boxcar        k / 2 where |x| < 1 / k                      Wu et al. 2018
linear        max(0, 1 - |x| / theta) / theta              Bellec et al. 2018
stdb          exp(-k dt) / theta                           Rathi et al. 2020
============  ===========================================  ==========================

The slope narrows each of the first seven. (spikingjelly's ``SuperSpike(alpha)`` is
``alpha / (1 + |x|)^2``: its ``alpha`` scales the height, and the two agree at 1.) Of
*stdb*, spike-time dependent backpropagation, ``dt`` is the number of steps since the
neuron's last spike; before its first, as if that had been 1000 steps before the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.layer import Neurons

_NEVER = -1000  # the step of a spike that has not been (published program)


def surrogate_derivative(
    distance: Tensor, genes: Neurons, spikes: Tensor | None = None
) -> Tensor:
    """What stands for the derivative of the step in the backward pass.

    Args:
        distance: membrane before reset minus threshold, any shape; for ``stdb`` the
            time steps come first.
        genes: surrogate, slope, height, band and threshold.
        spikes: of the shape of ``distance``; only ``stdb`` asks for them.

    Returns:
        Same shape, >= 0.

    Raises:
        ConfigError: an unknown surrogate.
    """
    return derivative_(distance.clone(), genes, spikes)


def derivative_(distance: Tensor, genes: Neurons, spikes: Tensor | None) -> Tensor:
    """`surrogate_derivative`, written over its input: a new tensor costs more."""
    outside = None if genes.band is None else distance.abs() >= genes.band
    if genes.surrogate == "stdb":
        assert spikes is not None
        derivative = _stdb(spikes, genes)
    elif genes.surrogate in _SHAPES:
        derivative = _SHAPES[genes.surrogate](distance, genes)
    else:
        known = nearest(genes.surrogate, _SHAPES)
        raise ConfigError(f"surrogate: got {genes.surrogate!r}.{known}")
    if genes.height != 1.0:
        derivative.mul_(genes.height)
    return derivative if outside is None else derivative.masked_fill_(outside, 0.0)


def _atan_(distance: Tensor, genes: Neurons) -> Tensor:
    k = genes.slope
    distance.mul_(math.pi * k / 2).square_().add_(1.0).reciprocal_()
    return distance.mul_(k / 2)


def _sigmoid_(distance: Tensor, genes: Neurons) -> Tensor:
    s = distance.mul_(genes.slope).sigmoid_()
    return s.addcmul_(s, s, value=-1.0).mul_(genes.slope)


def _fast_sigmoid_(distance: Tensor, genes: Neurons) -> Tensor:
    return distance.abs_().mul_(genes.slope).add_(1.0).square_().reciprocal_()


def _triangle_(distance: Tensor, genes: Neurons) -> Tensor:
    k = genes.slope
    return distance.abs_().mul_(-k * k).add_(k).clamp_(min=0.0)


def _exponential_(distance: Tensor, genes: Neurons) -> Tensor:
    return distance.abs_().mul_(-genes.slope).exp_().mul_(genes.slope / 2)


def _gaussian_(distance: Tensor, genes: Neurons) -> Tensor:
    k = genes.slope
    distance.mul_(k).square_().mul_(-0.5).exp_()
    return distance.mul_(k / math.sqrt(2 * math.pi))


def _boxcar_(distance: Tensor, genes: Neurons) -> Tensor:
    k = genes.slope
    return (distance.abs_() < 1.0 / k).to(distance.dtype).mul_(k / 2)


def _linear_(distance: Tensor, genes: Neurons) -> Tensor:
    theta = genes.threshold
    return distance.abs_().mul_(-1.0 / theta**2).add_(1.0 / theta).clamp_(min=0.0)


_SHAPES: Mapping[str, Callable[[Tensor, Neurons], Tensor]] = MappingProxyType(
    {
        "atan": _atan_,
        "sigmoid": _sigmoid_,
        "fast_sigmoid": _fast_sigmoid_,
        "triangle": _triangle_,
        "exponential": _exponential_,
        "gaussian": _gaussian_,
        "boxcar": _boxcar_,
        "linear": _linear_,
    }
)


def _stdb(spikes: Tensor, genes: Neurons) -> Tensor:
    since = _since_spike(spikes).to(spikes.dtype)
    return since.mul_(-genes.slope).exp_().mul_(1.0 / genes.threshold)


def _since_spike(spikes: Tensor) -> Tensor:
    """Steps since the last spike before each step, >= 1, ``T x …``."""
    steps = torch.arange(len(spikes), device=spikes.device)
    steps = steps.reshape(-1, *([1] * (spikes.ndim - 1)))
    last = torch.where(spikes > 0, steps, _NEVER).cummax(0).values
    before = torch.cat([torch.full_like(last[:1], _NEVER), last[:-1]])
    return steps - before
