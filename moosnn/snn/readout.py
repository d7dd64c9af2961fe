"""From what a network's output did over time to one number a class.

Knows: membranes and spikes of the output. Must not know: what comes before it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.gene_names import READOUTS


def integrate(current: Tensor, tau_readout_steps: float) -> Tensor:
    """The membrane of a read-out that leaks and never spikes.

    Args:
        current: ``T x N x classes``.
        tau_readout_steps: >= 1; at 1 the membrane is the current itself.

    Returns:
        ``T x N x classes``: V[t] = (1 - 1/tau) V[t-1] + X[t].
    """
    decay = 1.0 - 1.0 / tau_readout_steps
    if decay == 0.0:
        return current
    membrane = [current[0]]
    for step in current[1:]:
        membrane.append(decay * membrane[-1] + step)
    return torch.stack(membrane)


def read(output: Tensor, readout: str) -> Tensor:
    """One number a class.

    ``mean``, ``max``, ``sum``: of the membrane over time. ``rate``: the output
    neurons' spikes a step. ``first_spike``: (T - t) / T where t is the step of the
    first spike counted from 0, and 0 without one; only steps up to the first spike
    have a gradient.

    Args:
        output: ``T x N x classes`` membranes, or spikes for the last two.
        readout: one of `READOUTS`.

    Returns:
        ``N x classes``.

    Raises:
        ConfigError: an unknown read-out.
    """
    match readout:
        case "mean" | "rate":
            return output.mean(0)
        case "sum":
            return output.sum(0)
        case "max":
            return output.amax(0)
        case "first_spike":
            earlier = output.detach().cumsum(0) - output.detach()
            left = torch.arange(len(output), 0, -1, device=output.device)
            weight = (earlier == 0) * left.reshape(-1, 1, 1) / len(output)
            return (weight * output).sum(0)
        case _:
            raise ConfigError(f"readout: got {readout!r}.{nearest(readout, READOUTS)}")
