"""Modules of other libraries that have weights: what they hear and whom they reach.

Knows: linear layers, convolutions, transposed ones, snnTorch's one-to-one recurrence,
and the weights inside of Norse's recurrent neurons; none of the libraries is imported.
Must not know: whole networks, what an operation costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.snn.hooks import library_of, lineage

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.ConvTranspose1d: F.conv_transpose1d,
    nn.ConvTranspose2d: F.conv_transpose2d,
    nn.ConvTranspose3d: F.conv_transpose3d,
}
_ONE_TO_ONE = ("snntorch", "RecurrentOneToOne")
# Norse's neurons that hold the weights of their input and of their own spikes,
_RECURRENT = (("norse", "SNNRecurrent"), ("norse", "SNNRecurrentCell"))
# but for those of compartments, whose membranes meet weights as well.
_COMPARTMENTS = "g_coupling"
_OUTPUT_SIZE = "output_size"  # of a transposed convolution's call


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Weights, and how activations meet them.

    Attributes:
        weight: of any shape.
        dimensions: of what one sample gives it at one step, at least.
        places: whether it takes more dimensions, each entry of them being a place that
            meets the same weights.
        spread: what comes out of an input and weights in place of ``weight``; linear
            in both.
    """

    weight: Tensor
    dimensions: int
    places: bool
    spread: Callable[[Tensor, Tensor], Tensor]

    def reaches(self, step: Tensor) -> tuple[Tensor, float]:
        """How many weights that are not 0 each entry meets; and all, zeros included.

        The gradient of the sum of the outputs with respect to the inputs, all weights
        being 1: so borders, strides, groups and dilations count as they are.

        Args:
            step: any input, ``N x …``.
        """
        weight = self.weight.detach()
        shape = step.shape[-1:] if self.places else step.shape[1:]
        counts = []
        for ones in ((weight != 0).to(weight.dtype), torch.ones_like(weight)):
            probe = torch.zeros(1, *shape, device=weight.device, requires_grad=True)
            with torch.enable_grad():
                out = self.spread(probe, ones)
                (entries,) = torch.autograd.grad(out.sum(), probe)
            counts.append(entries.flatten().round().double())
        reached, dense = counts
        return reached, float(dense.sum())


def connects(module: nn.Module) -> bool:
    """Whether a module's calls are those of a connection."""
    known = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)
    return isinstance(module, known) or _ONE_TO_ONE in lineage(module)


def connection_of(
    module: Any,  # noqa: ANN401 -- of a library, with attributes of its own
    given: tuple[Any, ...],
    named: Mapping[str, Any],
) -> Connection:
    """The connection that a module which `connects` is in a call.

    Args:
        module: it.
        given: what it is called with.
        named: the same, by name.
    """
    if isinstance(module, nn.Linear):
        return _linear(module.weight)
    if _ONE_TO_ONE in lineage(module):
        return Connection(weight=module.V, dimensions=1, places=False, spread=torch.mul)
    if isinstance(module, _CONVOLUTIONS):
        return Connection(
            weight=module.weight,
            dimensions=module.weight.dim() - 1,
            places=False,
            # Pads as the layer does.
            spread=lambda x, w: module._conv_forward(x, w, None),
        )
    size = named.get(_OUTPUT_SIZE, given[1] if len(given) > 1 else None)
    return Connection(
        weight=module.weight,
        dimensions=module.weight.dim() - 1,
        places=False,
        spread=lambda x, w: _transposed(module, x, w, size),
    )


def recurrent(module: nn.Module) -> bool:
    """Whether spiking neurons hold the weights of their input and of their spikes."""
    held = any(name in lineage(module) for name in _RECURRENT)
    return held and not hasattr(module, _COMPARTMENTS)


def held_by(
    module: Any,  # noqa: ANN401 -- of a library, with attributes of its own
) -> tuple[Connection, Connection]:
    """What a module that is `recurrent` hears: its input, and itself a step before."""
    return _linear(module.input_weights), _linear(module.recurrent_weights)


def accounted_for(module: nn.Module) -> bool:
    """Whether all products in a module's call are counted, or a neuron's own affair."""
    return connects(module) or recurrent(module) or library_of(module) == "spikingjelly"


def _linear(weight: Tensor) -> Connection:
    return Connection(weight=weight, dimensions=1, places=True, spread=F.linear)


def _transposed(
    module: Any,  # noqa: ANN401 -- any of three classes
    inputs: Tensor,
    weight: Tensor,
    size: list[int] | None,
) -> Tensor:
    """As the layer does, without its bias."""
    kind = next(kind for kind in _TRANSPOSED if isinstance(module, kind))
    padding = module._output_padding(
        inputs,
        size,
        module.stride,
        module.padding,
        module.kernel_size,
        weight.dim() - 2,
        module.dilation,
    )
    return _TRANSPOSED[kind](
        inputs,
        weight,
        None,
        module.stride,
        module.padding,
        padding,
        module.groups,
        module.dilation,
    )
