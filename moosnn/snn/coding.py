"""How a sample becomes a sequence: raw values in, T steps of input out.

Knows: direct, rate, latency and population coding, and frames of events. Must not
know: networks, data sets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.gene_names import CODINGS
from moosnn.snn.genes import Genes

# Receptive fields overlap at this multiple of their distance (Bohte et al. 2002 use
# 1 / 1.5 of it).
_FIELD_WIDTH = 1.0 / 1.5


def encode(samples: Tensor, genes: Genes, generator: torch.Generator) -> Tensor:
    """Code samples over time.

    ``direct``: the intensity itself, as a constant current, at each step. ``rate``: a
    spike at each step with the intensity as its probability. ``latency``: exactly one
    spike, at step ``round((T - 1) (1 - x))``, so bright is early; an intensity of
    exactly 0 never spikes. ``population``: ``population`` inputs a pixel with Gaussian
    receptive fields spread evenly over [0, 1] (Bohte, Kok & La Poutré 2002), each
    spiking at each step with its response as its probability. ``frames``: the sample
    is a sequence of event counts, each an input current.

    Args:
        samples: ``N x shape`` intensities in [0, 1]; ``N x T x shape`` frames.
        genes: coding, its constants and T.
        generator: of the rate and population code, on the CPU; others do not touch it.

    Returns:
        ``T x N x coded shape`` (`Genes.coded_shape`) on the device of ``samples``. For
        ``direct`` it is a view that repeats one step, which the network uses to
        compute its first layer once.

    Raises:
        ConfigError: an unknown coding.
    """
    time_steps = genes.time_steps
    match genes.coding:
        case "direct":
            return samples.expand(time_steps, *samples.shape)
        case "rate":
            return _spikes(samples, time_steps, generator)
        case "latency":
            first = torch.round((time_steps - 1) * (1.0 - samples))
            steps = torch.arange(time_steps, device=samples.device)
            steps = steps.reshape(-1, *([1] * samples.ndim))
            return ((steps == first) & (samples > 0)).to(samples.dtype)
        case "population":
            responses = _responses(samples, genes.population)
            return _spikes(responses, time_steps, generator)
        case "frames":
            return samples.transpose(0, 1)
        case _:
            hint = nearest(genes.coding, CODINGS)
            raise ConfigError(f"coding: got {genes.coding!r}.{hint}")


def _spikes(rates: Tensor, time_steps: int, generator: torch.Generator) -> Tensor:
    shape = (time_steps, *rates.shape)
    draws = torch.rand(shape, generator=generator, dtype=rates.dtype)
    return (draws.to(rates.device) < rates).to(rates.dtype)


def _responses(samples: Tensor, population: int) -> Tensor:
    """``N x (C population) x …`` responses of Gaussian receptive fields, in (0, 1]."""
    centres = torch.linspace(0.0, 1.0, population, device=samples.device)
    centres = centres.reshape(-1, *([1] * (samples.ndim - 2)))
    width = _FIELD_WIDTH / (population - 1)
    distance = (samples.unsqueeze(2) - centres) / width
    return distance.square().mul(-0.5).exp().flatten(1, 2)
