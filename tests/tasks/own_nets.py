"""Networks of three libraries, as a user would write them; for the tests."""

from __future__ import annotations

import os
import warnings
from typing import Any

os.environ.setdefault("LOGURU_LEVEL", "WARNING")  # or spikingjelly tells of itself

with warnings.catch_warnings():  # Norse is written for an older torch
    warnings.simplefilter("ignore", DeprecationWarning)
    import norse.torch as norse
import snntorch
import torch
from spikingjelly.activation_based import layer, neuron, surrogate
from torch import Tensor, nn

PIXELS = 64


def lif(
    threshold: float = 1.0, tau: float = 2.0, step_mode: str = "m"
) -> neuron.LIFNode:
    """The project's own lif neuron: the input is not scaled by 1 / tau."""
    return neuron.LIFNode(
        tau=tau,
        decay_input=False,
        v_threshold=float(threshold),
        surrogate_function=surrogate.ATan(),
        detach_reset=True,
        step_mode=step_mode,
    )


def jelly(hidden: int = 64, threshold: float = 1.0, dropout: float = 0.0) -> nn.Module:
    """Spikingjelly, all steps at once."""
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(PIXELS, hidden),
        lif(threshold),
        layer.Dropout(dropout, step_mode="m"),
        nn.Linear(hidden, 10),
    )


def jelly_stepwise(hidden: int = 64, threshold: float = 1.0) -> nn.Module:
    """The same, a step a call."""
    return nn.Sequential(
        nn.Flatten(1),
        nn.Linear(PIXELS, hidden),
        lif(threshold, step_mode="s"),
        nn.Linear(hidden, 10),
    )


class Torch(nn.Module):
    """snnTorch, in a loop of its own: as in its tutorials."""

    def __init__(self, hidden: int = 64, threshold: float = 1.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(PIXELS, hidden)
        self.lif1 = snntorch.Leaky(beta=0.5, threshold=threshold)
        self.fc2 = nn.Linear(hidden, 10)
        self.lif2 = snntorch.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Membranes and spikes of the output, each ``T x N x 10``."""
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes, membranes = [], []
        for step in x.flatten(2):
            spk1, mem1 = self.lif1(self.fc1(step), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(membranes), torch.stack(spikes)


def torch_stepwise(hidden: int = 64, threshold: float = 1.0) -> nn.Module:
    """snnTorch with hidden states, a step a call."""
    return nn.Sequential(
        nn.Flatten(1),
        nn.Linear(PIXELS, hidden),
        snntorch.Leaky(beta=0.5, threshold=threshold, init_hidden=True),
        nn.Linear(hidden, 10),
    )


def _norse(threshold: float) -> Any:
    return norse.LIFParameters(
        v_th=torch.tensor(threshold),
        tau_mem_inv=torch.tensor(500.0),
        tau_syn_inv=torch.tensor(500.0),
    )


def norse_sequence(hidden: int = 64, threshold: float = 0.5) -> nn.Module:
    """Norse, all steps at once."""
    return norse.SequentialState(
        nn.Flatten(2),
        nn.Linear(PIXELS, hidden),
        norse.LIF(_norse(threshold)),
        nn.Linear(hidden, 10),
        norse.LI(),
    )


def norse_cells(hidden: int = 64, threshold: float = 0.5) -> nn.Module:
    """Norse, a step a call, its state in the caller's hands."""
    return norse.SequentialState(
        nn.Flatten(1),
        nn.Linear(PIXELS, hidden),
        norse.LIFCell(_norse(threshold)),
        nn.Linear(hidden, 10),
        norse.LICell(),
    )


class Firing(nn.Module):
    """A neuron of nobody's library: it spikes where its input reaches a threshold."""

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of the same shape."""
        soft = torch.sigmoid(x - self.threshold)
        return (x >= self.threshold).to(x.dtype) + (soft - soft.detach())


def own(hidden: int = 8, threshold: float = 0.5) -> nn.Module:
    """A network of it."""
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(PIXELS, hidden),
        Firing(threshold),
        nn.Linear(hidden, 10),
    )


def told(shape: tuple[int, ...], classes: int, time_steps: int) -> nn.Module:
    """A network that is told what the data are."""
    features = int(torch.tensor(shape).prod())
    net = nn.Sequential(
        nn.Flatten(2), nn.Linear(features, 8), lif(), nn.Linear(8, classes)
    )
    net.register_buffer("steps", torch.tensor(time_steps))
    return net


def silent_one() -> nn.Module:
    """A network without a spiking module."""
    return nn.Sequential(nn.Flatten(2), nn.Linear(PIXELS, 10))


def wide_answer() -> nn.Module:
    """A network of eleven classes."""
    return nn.Sequential(nn.Flatten(2), nn.Linear(PIXELS, 11), lif())


def no_network() -> str:
    """Not a network."""
    return "net"


def shared_neuron() -> nn.Module:
    """One neuron at two places."""
    node = lif()
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(PIXELS, 8),
        node,
        nn.Linear(8, 8),
        node,
        nn.Linear(8, 10),
    )


def tied() -> nn.Module:
    """Two layers of one weight."""
    first, second = nn.Linear(PIXELS, PIXELS), nn.Linear(PIXELS, PIXELS)
    second.weight = first.weight
    last = nn.Linear(PIXELS, 10)
    return nn.Sequential(nn.Flatten(2), first, lif(), second, lif(), last)
