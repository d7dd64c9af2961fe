"""Phase-change memory: a weight as the difference of two conductances.

Knows: what pulses, time and reading do to a device, and how weights are written. Must
not know: networks, accuracy, other hardware.

The device is that of Nandakumar et al., "A phase-change memory model for neuromorphic
computing" (Journal of Applied Physics 124, 152135, 2018), with the constants that
Demirag et al. use for crossbars ("Online training of spiking recurrent neural networks
with phase-change memory synapses", arXiv 2108.01804, 2021). G is a conductance in
microsiemens (uS), z is standard normal, and everything is drawn for each device alone::

    RESET        G ~ N(0.1, 0.01^2),  P = 1
    SET pulse    P <- P exp(-1 / 2.6), then
                 G <- G + m + s z       within 0.1 and 12
                 m = -0.084 G + 0.880 + 1.40 P
                 s =  0.091 G + 0.260 + 2.15 P
    drift        G(t) = G (t / 38.6 s)^-0.04        t since the last pulse
    read noise   G + (0.03 G + 0.13) z              within 0 and 12

**Writing.** The largest weight of a tensor is given 10 uS: above about 10.5 uS a pulse
lowers the conductance on average. Both devices of a weight begin at RESET. Then the
pair is read, and the device that would bring the difference nearer to its target gets
one SET pulse, if what is lacking is more than half of the mean of that pulse; else the
pair is left as it is. At most 20 pulses a pair. These readings in between are averages
of many and have no noise. What is left is the write noise: 6 to 7 % of the largest
weight, of Gaussian weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

LEAST_US = 0.1  # what no pulse goes below
MOST_US = 12.0
TOP_US = 10.0  # the target of the largest weight
RESET_MEAN_US, RESET_SD_US = 0.1, 0.01
MOST_PULSES = 20
DRIFT_FROM_S = 38.6  # after a pulse, when the model's conductance is read
DRIFT_EXPONENT = 0.04
HOUR_S, DAY_S = 3_600.0, 86_400.0
MONTH_S = 30 * DAY_S
_FADING = math.exp(-1.0 / 2.6)  # of the memory of earlier pulses, by each pulse
# Mean and deviation of a pulse and deviation of a reading: of G, constant, of P.
_PULSE_MEAN = (-0.084, 0.880, 1.40)
_PULSE_SD = (0.091, 0.260, 2.15)
_READ_SD = (0.03, 0.13)


def faded(memory: Tensor) -> Tensor:
    """The memory P after one more pulse, which that pulse feels; 1 after RESET."""
    return memory * _FADING


def pulse_mean_us(conductance_us: Tensor, memory: Tensor) -> Tensor:
    """By how many uS a SET pulse raises a conductance on average.

    Args:
        conductance_us: before the pulse.
        memory: P, which the pulse has faded already.
    """
    slope, constant, recent = _PULSE_MEAN
    return slope * conductance_us + constant + recent * memory


def pulse_sd_us(conductance_us: Tensor, memory: Tensor) -> Tensor:
    """The standard deviation of that rise in uS, > 0."""
    slope, constant, recent = _PULSE_SD
    return slope * conductance_us + constant + recent * memory


def pulsed(
    conductance_us: Tensor, memory: Tensor, generator: torch.Generator
) -> Tensor:
    """Conductances after a SET pulse.

    Args:
        conductance_us: before it, any shape, on the CPU.
        memory: P, which the pulse has faded already.
        generator: on the CPU.

    Returns:
        uS within `LEAST_US` and `MOST_US`.
    """
    rise = pulse_mean_us(conductance_us, memory)
    noise = _normal(conductance_us, generator) * pulse_sd_us(conductance_us, memory)
    return (conductance_us + rise + noise).clamp(LEAST_US, MOST_US)


def reset(like: Tensor, generator: torch.Generator) -> Tensor:
    """Conductances in uS after RESET, of a tensor's shape."""
    return RESET_MEAN_US + RESET_SD_US * _normal(like, generator)


def drifted(conductance_us: Tensor, seconds: float) -> Tensor:
    """Conductances so many seconds after programming, >= `DRIFT_FROM_S`."""
    return conductance_us * math.pow(seconds / DRIFT_FROM_S, -DRIFT_EXPONENT)


def read(conductance_us: Tensor, generator: torch.Generator) -> Tensor:
    """What one reading of devices shows, uS within 0 and `MOST_US`."""
    slope, constant = _READ_SD
    noise = _normal(conductance_us, generator) * (slope * conductance_us + constant)
    return (conductance_us + noise).clamp(0.0, MOST_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Weights on a crossbar, as they were when they had just been written.

    Attributes:
        plus_us: of each weight the device that adds.
        minus_us: the one that takes off.
        scale_us: uS of a weight of 1.
    """

    plus_us: Tensor
    minus_us: Tensor
    scale_us: float

    @classmethod
    def ideal(cls, weights: Tensor) -> Self:
        """Written without any error: one of the devices is at `LEAST_US`."""
        scale = scale_of(weights)
        targets = weights * scale
        return cls(
            plus_us=LEAST_US + targets.clamp(min=0.0),
            minus_us=LEAST_US + (-targets).clamp(min=0.0),
            scale_us=scale,
        )

    @classmethod
    def written(cls, weights: Tensor, generator: torch.Generator) -> Self:
        """Written by SET pulses, see the module.

        Args:
            weights: any shape, float64 on the CPU, finite.
            generator: on the CPU.
        """
        scale = scale_of(weights)
        plus, minus = _written((weights * scale).flatten(), generator)
        shape = weights.shape
        return cls(
            plus_us=plus.reshape(shape), minus_us=minus.reshape(shape), scale_us=scale
        )

    def aged(self, seconds: float) -> Self:
        """The same so many seconds later, >= `DRIFT_FROM_S`."""
        return type(self)(
            plus_us=drifted(self.plus_us, seconds),
            minus_us=drifted(self.minus_us, seconds),
            scale_us=self.scale_us,
        )

    def noisy(self, generator: torch.Generator) -> Self:
        """As one reading shows them."""
        return type(self)(
            plus_us=read(self.plus_us, generator),
            minus_us=read(self.minus_us, generator),
            scale_us=self.scale_us,
        )

    def weights(self) -> Tensor:
        """The weights that they stand for."""
        return (self.plus_us - self.minus_us) / self.scale_us


def scale_of(weights: Tensor) -> float:
    """The uS of a weight of 1; 1 if all weights are 0, or there are none."""
    largest = float(weights.abs().max()) if weights.numel() else 0.0
    return TOP_US / largest if largest > 0.0 else 1.0


def _written(targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The conductances of both devices after writing ``n`` differences in uS."""
    devices = torch.stack([reset(targets, generator), reset(targets, generator)])
    memories = torch.ones_like(devices)
    open_pairs = torch.arange(len(targets))
    for _ in range(MOST_PULSES):
        lacking = targets[open_pairs] - devices[0, open_pairs] + devices[1, open_pairs]
        which = (lacking < 0).long()  # 0: more of plus; 1: more of minus
        before, memory = devices[which, open_pairs], faded(memories[which, open_pairs])
        worth = lacking.abs() > pulse_mean_us(before, memory) / 2
        open_pairs, which = open_pairs[worth], which[worth]
        if len(open_pairs) == 0:
            break
        memories[which, open_pairs] = memory[worth]
        after = pulsed(before[worth], memory[worth], generator)
        devices[which, open_pairs] = after
    return devices[0], devices[1]


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype)
