"""Which operations an inference of somebody's network does.

Knows: linear layers and convolutions, and what goes into them. Must not know: what an
operation costs, data sets, learning.

The definitions are those of `moosnn.snn.operations`: an effective operation is a weight
that is not 0 meeting an activation that is not 0. There is no blueprint to read off
which connection hears spikes; a connection does accumulates if all that it heard, of
all samples, was 0 or 1 (NeuroBench looks at each call). A batch norm is not folded, so
that a weight counts although its norm multiplies it by 0. With direct coding, a
connection in front of all spiking modules works once for all the steps in which its
input is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.errors import ConfigError
from moosnn.snn.cost import Hardware
from moosnn.snn.hooks_network import HookedNetwork

Connection = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(slots=True)
class _Heard:
    """What one connection heard.

    Attributes:
        binary: whether all of it was 0 or 1.
        early: whether its first call of a pass came before all spiking modules'.
        reaches: synapses of each entry that are not 0, flat.
        dense: synapses that an input at a step reaches.
        steps: of the current pass that were counted, times places.
        last: input of the last step.
        active: how often each entry was not 0 in the current pass, ``N x entries``.
        operations: of the samples of earlier passes.
    """

    binary: bool = True
    early: bool = False
    reaches: Tensor | None = None
    dense: float = 0.0
    steps: int = 0
    last: Tensor | None = None
    active: Tensor | None = None
    operations: list[Tensor] = field(default_factory=list)


class ConnectionCounter:
    """Hears what goes into the connections of a network and counts operations.

    Args:
        network: whose weights do not change while it counts. `close` it.
    """

    def __init__(self, network: HookedNetwork) -> None:
        self._network = network
        self._steps = network.genes.time_steps
        self._constant = network.genes.coding == "direct"
        self._samples = 0
        self._spiked = False
        self._dense = 0.0
        self._heard: dict[str, _Heard] = {}
        self._connections: dict[str, Connection] = {}
        self._hooks: list[Any] = []
        for name, module in network.module.named_modules():
            if isinstance(module, KINDS):
                self._connections[name] = module
                hook = module.register_forward_pre_hook(self._hearer(name))
                self._hooks.append(hook)
        for module in network.spiking:
            self._hooks.append(module.register_forward_pre_hook(self._on_spiking))
        if not self._connections:
            raise ConfigError(
                "task.factory: the network has no nn.Linear and no convolution, whose "
                "operations could be counted."
            )

    def begin(self, samples: int) -> None:
        """A pass of so many samples begins."""
        self._samples = samples
        self._spiked = False

    def end(self) -> None:
        """The pass has ended: add up what each sample took."""
        for heard in self._heard.values():
            if heard.active is not None and heard.reaches is not None:
                heard.operations.append(heard.active.double() @ heard.reaches)
            heard.active, heard.last = None, None
        self._dense = sum(h.dense * h.steps for h in self._heard.values())
        for heard in self._heard.values():
            heard.steps = 0

    def close(self) -> None:
        """Hear no more."""
        for hook in self._hooks:
            hook.remove()

    def operations(self) -> tuple[Tensor, Tensor]:
        """ACs and MACs of each sample of all passes, float64 each."""
        totals: dict[bool, Tensor | float] = {True: 0.0, False: 0.0}
        whole = torch.zeros(0)
        for heard in self._heard.values():
            whole = torch.cat(heard.operations)
            totals[heard.binary] = totals[heard.binary] + whole
        nothing = torch.zeros_like(whole)
        return nothing + totals[True], nothing + totals[False]

    def hardware(self) -> Hardware:
        """What the network is and what it always does, after a pass."""
        outline = self._network.blueprint
        states = sum(layer.neurons * layer.states for layer in outline.layers)
        weights = [c.weight.detach() for c in self._connections.values()]
        held = self._network.module.state_dict().values()
        return Hardware(
            dense_ops=round(self._dense),
            membrane_updates=outline.neurons * self._steps,
            state_updates=states * self._steps,
            states=states,
            weights=sum(w.numel() for w in weights),
            zero_weights=sum(int((w == 0).sum()) for w in weights),
            footprint_bytes=sum(t.numel() * t.element_size() for t in held),
        )

    def _on_spiking(self, *_: object) -> None:
        self._spiked = True

    def _hearer(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hear(module: nn.Module, given: tuple[Any, ...]) -> None:
            source: Tensor = given[0].detach()
            connection = cast("Connection", module)
            heard = self._heard.get(name)
            if heard is None:
                heard = self._heard[name] = _Heard(early=not self._spiked)
            self._add(heard, connection, source)

        return hear

    def _add(self, heard: _Heard, connection: Connection, source: Tensor) -> None:
        """Count what one call of a connection hears."""
        if heard.reaches is None:
            heard.reaches, heard.dense = _reaches(connection, source)
        heard.binary = heard.binary and bool(((source == 0) | (source == 1)).all())
        for step in self._by_step(connection, source):
            again = heard.last is not None and torch.equal(step, heard.last)
            heard.last = step
            if again and heard.early and self._constant:
                continue
            # A linear layer may see more dimensions of a sample, each a place.
            active = (step != 0).float().reshape(len(step), -1, len(heard.reaches))
            heard.steps += active.shape[1]
            active = active.sum(1)
            heard.active = active if heard.active is None else heard.active + active

    def _by_step(self, connection: Connection, source: Tensor) -> Tensor:
        """What a call hears, as ``steps x N x …``.

        Raises:
            ConfigError: its first dimensions are neither T x N, T N nor N.
        """
        shape, own = tuple(source.shape), _dimensions(connection)
        steps, samples = self._steps, self._samples
        if len(shape) > own + 1 and shape[:2] == (steps, samples):
            return source
        if shape[0] == samples and len(shape) > own:
            return source[None]
        if shape[0] == steps * samples and len(shape) > own:
            return source.reshape(steps, samples, *shape[1:])
        raise ConfigError(
            "task.factory: a connection hears "
            f"{' x '.join(map(str, shape))}: expected T x N x … = {steps} x {samples} "
            f"x …, the same as {steps * samples} x …, or {samples} x … at each step."
        )


def _dimensions(connection: Connection) -> int:
    """Dimensions of what one sample gives a connection at one step, at least."""
    return 1 if isinstance(connection, nn.Linear) else connection.weight.dim() - 1


def _reaches(connection: Connection, source: Tensor) -> tuple[Tensor, float]:
    """How many weights that are not 0 each entry meets; and all, zeros included.

    The gradient of the sum of the outputs with respect to the inputs, all weights being
    1: so borders, strides, groups and dilations count as they are.

    Args:
        connection: linear or a convolution.
        source: any input of it.
    """
    weight = connection.weight.detach()
    own = _dimensions(connection)
    shape = source.shape[-own:]
    counts = []
    for ones in ((weight != 0).to(weight.dtype), torch.ones_like(weight)):
        probe = torch.zeros(1, *shape, device=weight.device, requires_grad=True)
        with torch.enable_grad():
            if isinstance(connection, nn.Linear):
                out = F.linear(probe, ones)
            else:
                # Pads as the layer does.
                out = connection._conv_forward(probe, ones, None)
            (entries,) = torch.autograd.grad(out.sum(), probe)
        counts.append(entries.flatten().round().double())
    reaches, dense = counts
    return reaches, float(dense.sum())
