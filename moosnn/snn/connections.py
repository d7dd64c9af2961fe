"""What carries weights: linear connections, convolutions with their norm, neurons.

Knows: how a node of a blueprint becomes a module. Must not know: what flows when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn import layer
from moosnn.snn.adaptive_cuba import adaptive_cuba
from moosnn.snn.blueprint import Blueprint, Conv, Linear, Node
from moosnn.snn.decoding import Decoder
from moosnn.snn.diehl_cook import DiehlCookNeurons
from moosnn.snn.fixed import Decode
from moosnn.snn.neuron import Neurons
from moosnn.snn.srm import srm

# The modules of neuron types that only one learning rule has.
_MODULES: Mapping[str, Callable[[layer.Neurons], nn.Module]] = MappingProxyType(
    {"diehl_cook": DiehlCookNeurons, "srm": srm, "cuba_adaptive": adaptive_cuba}
)


class Norm(nn.Module):
    """Batch norm whose evaluation knows each step of a loop apart.

    Attributes:
        scale: of each channel, learnable, shared by all steps.
        shift: of each channel, learnable, shared by all steps.
    """

    MOMENTUM = 0.1
    EPSILON = 1e-5

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(steps, channels))
        self.register_buffer("variance", torch.ones(steps, channels))

    def forward(self, images: Tensor, step: int = 0) -> Tensor:
        """Normalise ``n x C x H x W``; a later step than trained is as the last one."""
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        known = min(step, len(mean) - 1)
        return F.batch_norm(
            images,
            mean[known],
            variance[known],
            self.scale,
            self.shift,
            self.training,
            self.MOMENTUM,
            self.EPSILON,
        )


class Convolution(nn.Module):
    """A convolution without bias, then a batch norm or nothing.

    On a loop through time a network trains step by step, and each step has mean and
    variance of its own; so has the evaluation (batch normalisation through time, Kim &
    Panda 2021, arXiv 2010.01729).

    Args:
        conv: the convolution.
        steps: time steps with statistics of their own; 1 where all share them.
        norm: whether there is a batch norm.
    """

    def __init__(self, conv: nn.Conv2d, steps: int, *, norm: bool = True) -> None:
        super().__init__()
        self.conv = conv
        self.norm = Norm(conv.out_channels, steps) if norm else None

    def forward(self, images: Tensor, step: int = 0) -> Tensor:
        """``n x C x H x W`` to the current; ``step`` of a loop, from 0."""
        current: Tensor = self.conv(images)
        if self.conv.kernel_size[0] % 2 == 0:  # padded by one more than it needs
            (stride, _), (height, width) = self.conv.stride, images.shape[-2:]
            current = current[..., : -(-height // stride), : -(-width // stride)]
        return current if self.norm is None else cast(Tensor, self.norm(current, step))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weights and biases with the norm in them, of evaluation mode.

        Returns:
            ``steps x out x in x k x k`` and ``steps x out``; without a norm the
            weights as they are, of one step, and 0.
        """
        norm = self.norm
        if norm is None:
            weight = self.conv.weight.detach()
            return weight[None], weight.new_zeros(1, len(weight))
        mean, variance = norm.get_buffer("mean"), norm.get_buffer("variance")
        gain = norm.scale * (variance + norm.EPSILON).rsqrt()
        weights = self.conv.weight * gain[:, :, None, None, None]
        return weights.detach(), (norm.shift - mean * gain).detach()


class Dropout:
    """Which neurons are not heard during one batch, the same at all its steps.

    Args:
        share: of the neurons, in (0, 1); the others count for more, so that the sum
            stays the same on average (Srivastava et al. 2014).
        generator: on the CPU.
    """

    def __init__(self, share: float, generator: torch.Generator) -> None:
        self._share = share
        self._generator = generator
        self._masks: dict[str, Tensor] = {}

    def __call__(self, name: str, spikes: Tensor) -> Tensor:
        """What is heard of a node.

        Args:
            name: of the node.
            spikes: of it, ``T x N x …``.
        """
        mask = self._masks.get(name)
        if mask is None:
            draws = torch.rand(spikes.shape[1:], generator=self._generator)
            kept = (draws >= self._share).to(spikes.dtype) / (1.0 - self._share)
            mask = self._masks[name] = kept.to(spikes.device)
        return spikes * mask


def built(
    node: Node, plan: Blueprint, steps: int, generator: torch.Generator
) -> nn.Module | None:
    """The module of a node; ``None`` if it has neither weights nor neurons.

    Args:
        node: of the blueprint.
        plan: the blueprint.
        steps: time steps of the loop that the node is on, else 1.
        generator: on the CPU.
    """
    match node.op:
        case Linear(outputs=outputs, bias=bias):
            inputs = math.prod(plan.shapes[node.sources[0]])
            linear = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)  # type: ignore[no-untyped-call]  # torch
            return _drawn(linear, inputs, generator)
        case Conv(channels=channels, kernel=kernel, stride=stride, norm=norm):
            inputs = plan.shapes[node.sources[0]][0]
            conv = nn.utils.skip_init(  # type: ignore[no-untyped-call]  # torch
                nn.Conv2d,
                inputs,
                channels,
                kernel,
                stride=stride,
                padding=kernel // 2,
                bias=False,
            )
            drawn = _drawn(conv, inputs * kernel**2, generator)
            assert isinstance(drawn, nn.Conv2d)
            return Convolution(drawn, steps, norm=norm)
        case Decode(classes=classes, decoder=decoder):
            return Decoder(decoder, math.prod(plan.shapes[node.sources[0]]), classes)
        case layer.Neurons():
            return _MODULES.get(node.op.kind, Neurons)(node.op)
        case _:
            return None


def _drawn(module: nn.Module, inputs: int, generator: torch.Generator) -> nn.Module:
    bound = 1.0 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return module
