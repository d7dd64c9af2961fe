"""What the spiking modules of somebody's network did with a batch.

Knows: calls of modules, and how they become spikes over time. Must not know: data,
learning, operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from moosnn.errors import ConfigError
from moosnn.snn.activity import Stages, stage_counts, stage_nearness
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
        for name, module in self.modules.items():
            module.register_forward_hook(self._hearer(name))

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


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a batch made somebody's network do; a `moosnn.snn.silence.Seen`.

    Attributes:
        logits: ``N x classes``.
        outputs: at each step, ``T x N x classes``; ``None`` if the network gave logits.
        spikes: of each layer, ``T x N x …``, each 0 or 1.
        calls: of each layer.
        modules: of each layer.
        stages: the layers of each stage, as positions in the tuples above.
    """

    logits: Tensor
    outputs: Tensor | None
    spikes: tuple[Tensor, ...]
    calls: tuple[Sequence[Call], ...]
    modules: tuple[nn.Module, ...]
    stages: Stages
    _ratios: dict[int, Tensor] = field(default_factory=dict)

    def layer_counts(self) -> Tensor:
        """Spikes of each sample in each layer, ``N x layers``, differentiable."""
        return self._layer_counts

    @cached_property
    def _layer_counts(self) -> Tensor:
        return torch.stack(
            [s.transpose(0, 1).flatten(1).sum(1) for s in self.spikes], 1
        )

    def stage_counts(self) -> Tensor:
        """Spikes of each sample in each stage, ``N x stages``, no gradient."""
        return stage_counts(self.layer_counts().detach(), self.stages)

    def stage_nearness(self, alpha: int) -> Tensor:
        """How near each sample came to its alpha-th spike in each stage.

        Returns:
            ``N x stages``, see `moosnn.snn.silence.nearness`; at least 1 where it had
            one, 0 where the membrane of a layer without one is not known.
        """
        ratios = [self._ratio(k) for k in range(len(self.spikes))]
        return stage_nearness(ratios, [1.0] * len(ratios), self.stages, alpha)

    def knows_membranes(self) -> bool:
        """Whether every layer of every stage shows how near it is to a spike."""
        return all(
            self._membrane(k) is not None and threshold_of(self.modules[k]) is not None
            for stage in self.stages
            for k in stage
        )

    def _ratio(self, layer: int) -> Tensor:
        """The membrane of a layer as a share of its threshold, ``T x N x …``."""
        if layer not in self._ratios:
            spikes = self.spikes[layer].detach()
            membrane = self._membrane(layer)
            threshold = threshold_of(self.modules[layer])
            known = membrane is not None and threshold is not None
            ratio = membrane / threshold if known else torch.zeros_like(spikes)
            # Where there was a spike, the threshold was reached.
            self._ratios[layer] = ratio.where(spikes == 0, ratio.clamp(min=1.0))
        return self._ratios[layer]

    def _membrane(self, layer: int) -> Any:  # noqa: ANN401 -- Tensor or None: `_ratio` asks
        calls, spikes = self.calls[layer], self.spikes[layer]
        if is_sequence(calls, *spikes.shape[:2]):
            found = membranes_again(self.modules[layer], _detached(calls[0].given))
            if found is None and len(spikes) == 1 and calls[0].membrane is not None:
                found = calls[0].membrane
            return found if found is not None and found.shape == spikes.shape else None
        steps = [call.membrane for call in calls]
        known = [step for step in steps if step is not None]
        return torch.stack(known) if len(known) == len(steps) else None


def _detached(given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one.detach() if isinstance(one, Tensor) else one for one in given)
