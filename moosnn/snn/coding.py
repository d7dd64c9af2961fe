"""How an image becomes a sequence: intensities in, T steps of input out.

Knows: direct, rate and latency coding. Must not know: networks, data sets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.genes import CODINGS


def encode(
    intensities: Tensor, coding: str, time_steps: int, generator: torch.Generator
) -> Tensor:
    """Code intensities over time.

    ``direct``: the intensity itself, as a constant current, at each step. ``rate``: a
    spike at each step with the intensity as its probability. ``latency``: exactly one
    spike, at step ``round((T - 1) (1 - x))``, so bright is early; an intensity of
    exactly 0 never spikes.

    Args:
        intensities: ``N x F`` in [0, 1].
        coding: one of `CODINGS`.
        time_steps: T >= 1.
        generator: of the rate code, on the CPU; the others do not touch it.

    Returns:
        ``T x N x F`` on the device of ``intensities``. For ``direct`` it is a view
        that repeats one step, which the network uses to compute its first layer once.

    Raises:
        ConfigError: an unknown coding.
    """
    shape = (time_steps, *intensities.shape)
    match coding:
        case "direct":
            return intensities.expand(shape)
        case "rate":
            draws = torch.rand(shape, generator=generator, dtype=intensities.dtype)
            return (draws.to(intensities.device) < intensities).to(intensities.dtype)
        case "latency":
            first = torch.round((time_steps - 1) * (1.0 - intensities))
            steps = torch.arange(time_steps, device=intensities.device)
            spikes = (steps[:, None, None] == first) & (intensities > 0)
            return spikes.to(intensities.dtype)
        case _:
            raise ConfigError(f"coding: got {coding!r}.{nearest(coding, CODINGS)}")
