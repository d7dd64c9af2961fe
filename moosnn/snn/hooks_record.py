"""What the spiking modules of somebody's network did with a batch.

Knows: calls of modules, and how they become spikes over time. Must not know: data,
learning, operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor, nn

from moosnn.errors import ConfigError
from moosnn.snn.hooks import (
    is_spiking,
    makes_one_step,
    membrane_of,
    membranes_again,
    states_of,
    threshold_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a spiking module.

    Attributes:
        spikes: that it gave.
        membrane: after it, if the module shows it.
        given: what it was called with.
        states: variables of a neuron.
    """

    spikes: Tensor
    membrane: Tensor | None
    given: tuple[Any, ...]
    states: int


class Recorder:
    """Hears every call of the spiking modules of a network.

    Args:
        network: somebody's.
        taught: dotted names of further classes that spike.

    Attributes:
        modules: the spiking ones by name.
        calls: since the batch began, by the modules' names, in the order of the first
            calls.
        batch: T and N of it.
    """

    def __init__(self, network: nn.Module, taught: Sequence[str]) -> None:
        self.modules = {
            name or "network": module
            for name, module in network.named_modules()
            if is_spiking(module, taught)
        }
        self.calls: dict[str, list[Call]] = {}
        self.batch = (0, 0)
        self._hooks = [
            module.register_forward_hook(self._hearer(name))
            for name, module in self.modules.items()
        ]

    def close(self) -> None:
        """Hear no more."""
        for hook in self._hooks:
            hook.remove()

    def begin(self, steps: int, samples: int) -> None:
        """Forget the calls of the last batch."""
        self.calls = {}
        self.batch = (steps, samples)

    def _hearer(self, name: str) -> Any:  # noqa: ANN401 -- torch's hooks have no public type
        def hear(module: nn.Module, given: tuple[Any, ...], output: object) -> None:
            spikes = output[0] if isinstance(output, tuple | list) else output
            if not isinstance(spikes, Tensor):
                raise ConfigError(
                    f"task.factory: the spiking module {name} returned a "
                    f"{type(spikes).__name__}: expected spikes, or a tuple whose first "
                    "entry they are."
                )
            self._require_a_step(name, module, spikes)
            call = Call(
                spikes=spikes,
                membrane=membrane_of(module, output, spikes),
                given=given,
                states=states_of(module, output),
            )
            self.calls.setdefault(name, []).append(call)

        return hear

    def _require_a_step(self, name: str, module: nn.Module, spikes: Tensor) -> None:
        """Refuse all steps at once for a module that takes them for samples.

        Raises:
            ConfigError: it would forget between steps, and nobody would see it.
        """
        steps, samples = self.batch
        if steps > 1 and spikes.shape[:2] == self.batch and makes_one_step(module):
            raise ConfigError(
                f"task.factory: the spiking module {name} makes one step a call, and "
                f"was given T x N x … = {steps} x {samples} x … at once: let it be "
                "called once a step (task.step=true, or a loop over x), or use one "
                'that takes a sequence (step_mode="m" of spikingjelly).'
            )


def over_time(name: str, calls: Sequence[Call], steps: int, samples: int) -> Tensor:
    """The spikes of a module over all steps.

    Args:
        name: of the module, for the message.
        calls: of one batch.
        steps: T.
        samples: N.

    Returns:
        ``T x N x …``, differentiable.

    Raises:
        ConfigError: the calls are neither one of all steps nor one a step.
    """
    if is_sequence(calls, steps, samples):
        return calls[0].spikes
    shapes = {tuple(call.spikes.shape) for call in calls}
    if len(calls) != steps or len(shapes) != 1 or calls[0].spikes.shape[0] != samples:
        shape = " x ".join(map(str, calls[0].spikes.shape))
        raise ConfigError(
            f"task.factory: the spiking module {name} was called {len(calls)} times "
            f"and gave {shape}: expected one call with T x N x … = {steps} x {samples} "
            f"x … or {steps} calls with N x … (a module for each place in the network)."
        )
    return torch.stack([call.spikes for call in calls])


def is_sequence(calls: Sequence[Call], steps: int, samples: int) -> bool:
    """Whether a module was given all steps in one call."""
    shape = calls[0].spikes.shape
    return len(calls) == 1 and tuple(shape[:2]) == (steps, samples)


class Ratios(Sequence[Tensor]):
    """The membrane of each layer as a share of its threshold, ``T x N x …``.

    Each is found when it is asked for: some modules have to be run again for it. Where
    there was a spike it is at least 1; where the membrane is not known, 0 elsewhere.

    Args:
        modules: of each layer.
        calls: of each layer.
        spikes: of each layer, ``T x N x …``.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        calls: Sequence[Sequence[Call]],
        spikes: Sequence[Tensor],
    ) -> None:
        self._layers = list(zip(modules, calls, spikes, strict=True))
        self._found: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._layers)

    @overload
    def __getitem__(self, layer: int) -> Tensor: ...

    @overload
    def __getitem__(self, layer: slice) -> Sequence[Tensor]: ...

    def __getitem__(self, layer: int | slice) -> Tensor | Sequence[Tensor]:
        """Of one layer."""
        if isinstance(layer, slice):
            return [self[k] for k in range(*layer.indices(len(self)))]
        if layer not in self._found:
            module, _, spikes = self._layers[layer]
            membrane, threshold = self._membrane(layer), threshold_of(module)
            spikes = spikes.detach()
            if membrane is None or threshold is None:
                ratio = torch.zeros_like(spikes)
            else:
                ratio = membrane / threshold
            # Where there was a spike, the threshold was reached.
            self._found[layer] = ratio.where(spikes == 0, ratio.clamp(min=1.0))
        return self._found[layer]

    def known(self, layer: int) -> bool:
        """Whether a layer shows how near it is to a spike."""
        module = self._layers[layer][0]
        return threshold_of(module) is not None and self._membrane(layer) is not None

    def _membrane(self, layer: int) -> Tensor | None:
        module, calls, spikes = self._layers[layer]
        if is_sequence(calls, *spikes.shape[:2]):
            found = membranes_again(module, _detached(calls[0].given))
            if found is None and len(spikes) == 1:
                found = calls[0].membrane
            return found if found is not None and found.shape == spikes.shape else None
        steps = [call.membrane for call in calls]
        known = [step for step in steps if step is not None]
        return torch.stack(known) if len(known) == len(steps) else None


def _detached(given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one.detach() if isinstance(one, Tensor) else one for one in given)
