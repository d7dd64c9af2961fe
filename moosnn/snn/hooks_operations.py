"""Which operations an inference of somebody's network does.

Knows: what goes into connections, and products that go on beside them. Must not know:
what an operation costs, data sets, learning.

The definitions are those of `moosnn.snn.operations`: an effective operation is a weight
that is not 0 meeting an activation that is not 0. There is no blueprint to read off
which connection hears spikes; a connection does accumulates if all that it heard, of
all samples, was 0 or 1 (NeuroBench looks at each call). A batch norm is not folded, so
that a weight counts although its norm multiplies it by 0. With direct coding, a
connection in front of all spiking modules works once for all the steps in which its
input is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from moosnn.errors import ConfigError, DivergedError
from moosnn.snn.activity import Activity
from moosnn.snn.cost import Hardware
from moosnn.snn.hooks_connections import (
    Connection,
    connection_of,
    connects,
    held_by,
    recurrent,
)
from moosnn.snn.hooks_network import HookedNetwork


@dataclass(slots=True)
class _Heard:
    """What one connection heard, inputs of one shape.

    Attributes:
        early: whether its first call of a pass came before all spiking modules'.
        reaches: synapses of each entry that are not 0, flat.
        dense: synapses that an input at a step reaches.
        binary: whether all of it was 0 or 1.
        steps: of the current pass that were counted, times places.
        last: input of the last step.
        active: how often each entry was not 0 in the current pass, ``N x entries``.
        operations: of the samples of earlier passes.
    """

    early: bool
    reaches: Tensor
    dense: float
    binary: bool = True
    steps: int = 0
    last: Tensor | None = None
    active: Tensor | None = None
    operations: list[Tensor] = field(default_factory=list)

    def add(self, steps: Tensor, *, once: bool) -> None:
        """Count what some steps bring.

        Args:
            steps: ``steps x N x …``.
            once: whether a step that is the same as the last one costs nothing.
        """
        self.binary = self.binary and bool(((steps == 0) | (steps == 1)).all())
        for step in steps:
            again = self.last is not None and torch.equal(step, self.last)
            self.last = step
            if again and once:
                continue
            # A linear layer may see more dimensions of a sample, each a place.
            active = (step != 0).float().reshape(len(step), -1, len(self.reaches))
            self.steps += active.shape[1]
            active = active.sum(1)
            self.active = active if self.active is None else self.active + active

    def end(self, samples: int) -> None:
        """A pass of so many samples has ended."""
        some = self.active
        if some is None:  # was not called
            some = self.reaches.new_zeros(samples, len(self.reaches))
        self.operations.append(some.double() @ self.reaches)
        self.active, self.last = None, None


class ConnectionCounter:
    """Hears what goes into the connections of a network and counts operations.

    A `moosnn.snn.measure.Counter`.

    Args:
        network: whose weights do not change while it counts. `close` it.
    """

    def __init__(self, network: HookedNetwork) -> None:
        self._network = network
        self._steps = network.genes.time_steps
        self._constant = network.genes.coding == "direct"
        self._samples = 0
        self._earlier = 0
        self._spiked = False
        self._dense = 0.0
        self._heard: dict[tuple[str, torch.Size], _Heard] = {}
        self._weights: dict[str, Tensor] = {}
        self._hooks: list[Any] = []
        # What spikes hears its input before it says that it spikes.
        for name, module in network.module.named_modules():
            if connects(module):
                self._weights[name] = _weight_of(module)
                self._hear(module, self._hearer(name))
            elif recurrent(module):
                self._weights[name], self._weights[f"{name}."] = (
                    held.weight for held in held_by(module)
                )
                self._hear(module, self._input_hearer(name))
        for module in network.spiking.values():
            self._hooks.append(module.register_forward_pre_hook(self._on_spiking))
        if not self._weights and network.counted:
            raise ConfigError(
                "task.factory: the network has no nn.Linear and no convolution, whose "
                "operations could be counted; to go without: task.operations=false."
            )

    def _hear(self, module: nn.Module, hook: Callable[..., None]) -> None:
        self._hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def observe(self, coded: Tensor) -> Activity:
        """Run a batch, and add up what each sample took.

        Raises:
            DivergedError: what a spiking module gave is not finite.
            ConfigError: a spiking module gave something else than 0 and 1; or a
                connection heard something that is no step of the samples.
        """
        self._samples, self._spiked = coded.shape[1], False
        seen = self._network.observe(coded)
        layers = self._network.blueprint.layers
        for layer, spikes in zip(layers, seen.spikes, strict=True):
            _require_spikes(layer.name, spikes)
            module = self._network.spiking[layer.name]
            if recurrent(module):
                # At rest, nothing was said before the first step.
                before = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])
                self._add(f"{layer.name}.", held_by(module)[1], before)
        self._dense = sum(h.dense * h.steps for h in self._heard.values())
        for heard in self._heard.values():
            heard.steps = 0
            heard.end(self._samples)
        self._earlier += self._samples
        return seen

    def close(self) -> None:
        """Hear no more."""
        for hook in self._hooks:
            hook.remove()

    def operations(self) -> tuple[Tensor, Tensor]:
        """ACs and MACs of each sample of all passes, float64 each."""
        nothing = torch.zeros(self._earlier, dtype=torch.float64)
        totals = {True: nothing, False: nothing}
        for heard in self._heard.values():
            whole = torch.cat(heard.operations).cpu()
            totals[heard.binary] = totals[heard.binary] + whole
        return totals[True], totals[False]

    def hardware(self) -> Hardware:
        """What the network is and what it always does, after a pass."""
        outline = self._network.blueprint
        states = sum(layer.neurons * layer.states for layer in outline.layers)
        weights = [weight.detach() for weight in self._weights.values()]
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

    def _hearer(self, name: str) -> Callable[..., None]:
        def hear(
            module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]
        ) -> None:
            connection = connection_of(module, given, named)
            self._add(name, connection, _source(given, named))

        return hear

    def _input_hearer(self, name: str) -> Callable[..., None]:
        def hear(
            module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]
        ) -> None:
            self._add(name, held_by(module)[0], _source(given, named))

        return hear

    def _add(self, name: str, connection: Connection, source: Tensor) -> None:
        """Count what one call of a connection hears."""
        steps = self._by_step(connection, source.detach())
        key = name, steps.shape[2:]
        heard = self._heard.get(key)
        if heard is None:
            reaches, dense = connection.reaches(steps[0])
            heard = self._heard[key] = _Heard(
                early=not self._spiked, reaches=reaches, dense=dense
            )
            if self._earlier:  # earlier passes did not hear this
                heard.operations.append(reaches.new_zeros(self._earlier))
        heard.add(steps, once=heard.early and self._constant)

    def _by_step(self, connection: Connection, source: Tensor) -> Tensor:
        """What a call hears, as ``steps x N x …``.

        Raises:
            ConfigError: its first dimensions are neither T x N, T N nor N.
        """
        shape, own = tuple(source.shape), connection.dimensions
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


def _source(given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor:
    """What a module is called with first."""
    found: Tensor = given[0] if given else next(iter(named.values()))
    return found


def _weight_of(module: nn.Module) -> Tensor:
    return connection_of(module, (), {}).weight


def _require_spikes(name: str, spikes: Tensor) -> None:
    odd = spikes.detach()[(spikes != 0) & (spikes != 1)]
    if not len(odd):
        return
    if not spikes.isfinite().all():
        raise DivergedError(f"the spikes of {name} are not finite.")
    raise ConfigError(
        f"task.factory: the spiking module {name} gave {odd[0]:.9g}: expected spikes, "
        "each exactly 0 or 1, as hard + (soft - soft.detach()) is; graded spikes are "
        "not counted."
    )
