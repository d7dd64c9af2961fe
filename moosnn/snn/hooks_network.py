"""Somebody's network as one that can be trained and measured here.

Knows: what a module of another library is given and what it returns. Must not know:
data sets, learning, silence, operations, how the module was made.

The module gets ``T x N x …`` coded samples at once and returns ``T x N x classes``,
or ``N x classes`` for the whole sequence. With ``step`` it is called T times with
``N x …`` and returns ``N x classes`` at each step. Of a tuple the first entry counts;
with ``step`` a second entry is the state that the next call is given, if ``forward``
has a parameter ``state`` (Norse).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from moosnn.errors import ConfigError
from moosnn.snn.activity import Activity
from moosnn.snn.genes import Genes
from moosnn.snn.hooks import forget, looked_for, reset
from moosnn.snn.hooks_outline import Layer, Outline, StageNames, stages_of
from moosnn.snn.hooks_products import Products
from moosnn.snn.hooks_record import Ratios, Recorder, over_time
from moosnn.snn.readout import read

_PROBES = 2  # samples: one more than a batch norm could not tell from none


class HookedNetwork(nn.Module):
    """A network of another library, with ears.

    Args:
        module: takes and returns what this module's docstring says.
        genes: coding, read-out and how it learns; nothing else of them counts.
        shape: of a sample at one step, before coding.
        classes: that it tells apart.
        step: whether it is called once a step.
        taught: dotted names of further classes that spike.
        stages: names of spiking modules, or lists of names; ``None`` = each is one.
        counted: whether its operations are wanted.

    Attributes:
        blueprint: what it is made of, found by running it once.

    Raises:
        ConfigError: no spiking module; an unknown stage; an answer of another shape;
            operations that are wanted and cannot be counted.
    """

    def __init__(
        self,
        module: nn.Module,
        genes: Genes,
        shape: tuple[int, ...],
        classes: int,
        *,
        step: bool = False,
        taught: Sequence[str] = (),
        stages: StageNames | None = None,
        counted: bool = True,
    ) -> None:
        super().__init__()
        self.counted = counted
        self.module = module
        self.genes = genes
        self.coded_shape = genes.coded_shape(shape)
        self._classes = classes
        self._step = step
        self._threads_state = "state" in inspect.signature(module.forward).parameters
        self._recorder = Recorder(module, taught)
        if not self._recorder.modules:
            raise ConfigError(
                "task.factory: the network has no spiking module that is known "
                f"({looked_for(taught)}); name the class of yours: "
                "task.spiking=[my_net.MyNeuron]."
            )
        self.blueprint = self._outline(stages)

    def require_rest(self) -> None:
        """Run some samples twice: no state may survive a call.

        Draws from torch's global generator if the network does.

        Raises:
            ConfigError: they were answered differently.
        """
        device = next(self.module.parameters(), torch.zeros(1)).device
        shape = (self.genes.time_steps, _PROBES, *self.coded_shape)
        coded = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)
        learning = self.training
        self.eval()
        found = []
        with torch.no_grad():
            for _ in range(2):
                torch.manual_seed(0)
                seen = self.observe(coded)
                found.append([seen.logits, *seen.spikes])
        self.train(learning)
        if not all(map(torch.equal, *found)):
            raise ConfigError(
                "task.factory: the network answers the same samples differently when "
                "it is called again: let forward begin at rest, or give the spiking "
                "module that keeps a state a method reset()."
            )

    def knows_membranes(self) -> bool:
        """Whether every layer of every stage shows how near it is to a spike."""
        device = next(self.module.parameters(), torch.zeros(1)).device
        shape = (self.genes.time_steps, _PROBES, *self.coded_shape)
        learning = self.training
        self.eval()
        with torch.no_grad():
            ratios = self.observe(torch.zeros(shape, device=device)).membranes
            assert isinstance(ratios, Ratios)
            known = [ratios.known(k) for stage in self.blueprint.stages for k in stage]
        self.train(learning)
        return all(known)

    @property
    def stage_names(self) -> list[list[str]]:
        """The names of the spiking modules of each stage."""
        layers = self.blueprint.layers
        return [[layers[k].name for k in stage] for stage in self.blueprint.stages]

    def state_dict(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- as torch's
        """Each tensor for itself: files hold no memory that two of them share."""
        shared = super().state_dict(*args, **options)
        return {name: tensor.clone() for name, tensor in shared.items()}

    def forget(self) -> None:
        """Hear no more, and let a library go of what it keeps of the network."""
        self._recorder.close()
        forget(self.module)

    @property
    def spiking(self) -> Mapping[str, nn.Module]:
        """The spiking modules by name."""
        return self._recorder.modules

    def _outline(self, stages: StageNames | None) -> Outline:
        """Run two samples of nothing, and see which modules are called."""
        learning = self.training
        self.eval()
        steps = self.genes.time_steps
        some = next(self.module.parameters(), torch.zeros(1))
        nothing = torch.zeros(steps, _PROBES, *self.coded_shape, device=some.device)
        with torch.no_grad(), Products(self.module) as products:
            returned = self._pass(nothing)
        self._answers(returned, steps, _PROBES)
        self.train(learning)
        if self.counted:
            products.require_none()
        layers = tuple(
            Layer(
                name=name,
                shape=tuple(over_time(name, calls, steps, _PROBES).shape[2:]),
                states=calls[0].states,
            )
            for name, calls in self._recorder.calls.items()
        )
        if not layers:
            raise ConfigError(
                "task.factory: the network calls none of its spiking modules "
                f"({', '.join(self._recorder.modules)})."
            )
        return Outline(
            layers=layers,
            stages=stages_of([layer.name for layer in layers], stages),
            parameters=sum(p.numel() for p in self.parameters() if p.requires_grad),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """``N x classes`` logits of ``T x N x …`` coded inputs, from rest."""
        return self.observe(inputs).logits

    def observe(self, inputs: Tensor) -> Activity:
        """Run ``T x N x …`` coded inputs from rest and keep what every layer did.

        Raises:
            ConfigError: another layer than before was called, or an answer of another
                shape.
        """
        logits, outputs = self._answers(self._pass(inputs), *inputs.shape[:2])
        calls = self._recorder.calls
        names = [layer.name for layer in self.blueprint.layers]
        if set(calls) != set(names):
            odd = ", ".join(sorted(set(calls) ^ set(names)))
            raise ConfigError(
                f"task.factory: the network calls {odd} for some samples only: "
                "expected the same modules each time."
            )
        spikes = tuple(over_time(n, calls[n], *inputs.shape[:2]) for n in names)
        modules = [self._recorder.modules[n] for n in names]
        return Activity(
            logits=logits,
            outputs=outputs,
            spikes=spikes,
            membranes=Ratios(modules, [calls[n] for n in names], spikes),
            thresholds=[1.0] * len(names),
            stages=self.blueprint.stages,
        )

    def _pass(self, inputs: Tensor) -> Tensor:
        """What the module returns for a batch."""
        reset(self.module, self._recorder.modules.values())
        self._recorder.begin(*inputs.shape[:2])
        # Somebody's code may look at it as one piece of memory.
        inputs = inputs.contiguous()
        if not self._step:
            return _first(self.module(inputs))
        steps, state = [], None
        for step in inputs:
            given = (step, state) if self._threads_state else (step,)
            returned = self.module(*given)
            if isinstance(returned, tuple) and len(returned) > 1:
                state = returned[1]
            steps.append(_first(returned))
        return torch.stack(steps)

    def _answers(
        self, returned: Tensor, steps: int, samples: int
    ) -> tuple[Tensor, Tensor | None]:
        """Logits, and outputs over time if there are any."""
        if tuple(returned.shape) == (steps, samples, self._classes):
            return read(returned, self.genes.readout), returned
        if tuple(returned.shape) == (samples, self._classes):
            return returned, None
        shape = " x ".join(map(str, returned.shape))
        raise ConfigError(
            "task.factory: expected the network to return T x N x classes = "
            f"{steps} x {samples} x {self._classes} or N x classes = {samples} x "
            f"{self._classes}{' at each step' if self._step else ''}, got {shape}."
        )


def _first(returned: Any) -> Tensor:  # noqa: ANN401 -- what somebody's module returns
    first = returned[0] if isinstance(returned, tuple | list) else returned
    if not isinstance(first, Tensor):
        raise ConfigError(
            "task.factory: expected the network to return a tensor, or a tuple whose "
            f"first entry is one, got {type(first).__name__}."
        )
    return first
