"""Fixed-pattern mismatch: neurons that were meant to be equal and are not.

Knows: what thresholds and time constants of single neurons become, and how a layer of
such neurons runs. Must not know: weights, accuracy, other hardware.

Analog neurons differ as their transistors do, each always in the same way (BrainScaleS:
Petrovici et al., PLoS ONE 9(10), e108590, 2014). Every threshold and every time
constant of every neuron is multiplied with a factor of its own, log-normal so that it
stays positive, of mean 1 and standard deviation ``sd``::

    factor = exp(s z - s^2 / 2),    s^2 = ln(1 + sd^2),    z ~ N(0, 1)

Wherever the equations of a neuron type say *threshold*, they mean the neuron's own: a
soft reset takes it off, an adaptation is counted in it. (Of all types of
`moosnn.snn.neuron` and of ``srm`` it is therefore the same as dividing their current by
the factor. Not of ``cuba_adaptive`` and ``diehl_cook``, whose thresholds rise by steps
of their own, which stay as they are.) A time constant tau means the decay: where a step
keeps ``1 - 1 / tau`` a neuron keeps ``1 - 1 / (factor tau)``, at least 0; where it
keeps ``exp(-1 / tau)`` it keeps that to the power of 1 / factor. ``if`` has none. One
type's equations stand in the module that is named there; here they run step by step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor, nn

from moosnn.snn import layer
from moosnn.snn.blueprint import Shape
from moosnn.snn.fixed import Population
from moosnn.snn.neuron import COUPLING, PARABOLA_ZERO, Neurons, State
from moosnn.snn.rules.slayer import AdaptiveCubaConstants, SrmConstants

_THRESHOLDS_A_SPIKE = 2.0  # as in `moosnn.snn.adaptive_cuba`


def factors(shape: Shape, sd: float, generator: torch.Generator) -> Tensor:
    """What the constants of single neurons are multiplied with.

    Args:
        shape: of the layer.
        sd: standard deviation, >= 0; at 0 every factor is exactly 1.
        generator: on the CPU.

    Returns:
        ``shape``, float64 > 0, of mean 1.
    """
    variance = math.log1p(sd**2)
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    return torch.exp(normal * math.sqrt(variance) - variance / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Draws the constants of the neurons of one layer.

    Attributes:
        shape: of the layer.
        threshold_sd: relative, of thresholds, >= 0.
        tau_sd: relative, of time constants, >= 0.
        generator: on the CPU; each constant takes draws of its own, in order.
        like: has the device and the precision that are wanted.
    """

    shape: Shape
    threshold_sd: float
    tau_sd: float
    generator: torch.Generator
    like: Tensor

    def thresholds(self, threshold: float) -> Tensor:
        """The neurons' own thresholds, float64."""
        return threshold * factors(self.shape, self.threshold_sd, self.generator)

    def taus(self, tau_steps: float) -> Tensor:
        """Their time constants, >= 1, where a step keeps 1 - 1 / tau; float64."""
        return (tau_steps * self._factors()).clamp(min=1.0)

    def kept(self, decay: float) -> Tensor:
        """What a step keeps where 1 - 1 / tau is meant, in [0, 1]; float64."""
        return (1.0 - (1.0 - decay) / self._factors()).clamp(min=0.0)

    def alpha(self, tau_steps: float) -> tuple[Tensor, Tensor]:
        """What a step keeps where exp(-1 / tau) is meant, and e / tau; float64."""
        taus = tau_steps * self._factors()
        return torch.exp(-1.0 / taus), math.e / taus

    def placed(self, *constants: Tensor) -> tuple[Tensor, ...]:
        """Constants where and as precise as they are wanted."""
        return tuple(constant.to(self.like) for constant in constants)

    def _factors(self) -> Tensor:
        return factors(self.shape, self.tau_sd, self.generator)


class _Dynamics(Protocol):
    """One step of one type; a state is of tensors of the shape of the current."""

    states: int

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """The spikes, the membrane before reset, and the state after it."""
        ...


class _Resetting:
    """`moosnn.snn.neuron`."""

    states = 2

    def __init__(self, part: nn.Module, genes: layer.Neurons, spread: Spread) -> None:
        assert isinstance(part, Neurons)
        self._genes = genes
        self._k = part.k.detach() if genes.kind == "klif" else torch.ones(())
        decay = float(part.decay.detach())
        theta = spread.thresholds(genes.threshold)
        kept = torch.ones(()) if genes.kind == "if" else spread.kept(decay)
        self._theta, self._kept = spread.placed(theta, kept)
        (self._rise,) = spread.placed(genes.adaptation * theta)
        if genes.kind == "cuba":
            synaptic = spread.kept(1.0 - 1.0 / genes.tau_syn_steps)
            (self._synaptic,) = spread.placed(synaptic)
        if genes.kind == "izhikevich":
            taus = spread.taus(genes.tau_mem_steps)
            self._tau, self._zero = spread.placed(taus, PARABOLA_ZERO * theta)
        if genes.kind in {"alif", "izhikevich"}:
            slow = spread.kept(1.0 - 1.0 / genes.tau_adapt_steps)
            self._adapted, self._leak = spread.placed(slow, 1.0 - slow)

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        genes = self._genes
        membrane, slow = self._charge(current, *state)
        rise = self._rise * slow if genes.kind == "alif" else torch.zeros_like(slow)
        seen = membrane - rise
        spikes = (seen >= self._theta).to(seen.dtype)
        if genes.reset == "soft":
            after = membrane - (self._theta + rise) * spikes
        else:
            after = membrane * (1.0 - spikes)
        if genes.kind == "alif":
            slow = self._adapted * slow + spikes
        elif genes.kind == "izhikevich":
            after = torch.maximum(after, -self._theta)
            slow = slow + self._leak * (COUPLING * after - slow) + self._rise * spikes
        return spikes, seen, (after, slow)

    def _charge(
        self, current: Tensor, before: Tensor, slow: Tensor
    ) -> tuple[Tensor, Tensor]:
        match self._genes.kind:
            case "klif":
                return torch.relu(self._k * (self._kept * before + current)), slow
            case "cuba":
                slow = self._synaptic * slow + current
                return self._kept * before + slow, slow
            case "izhikevich":
                drift = before * (before - self._zero) / self._theta - slow
                return before + drift / self._tau + current, slow
            case _:
                return torch.addcmul(current, before, self._kept), slow


class _Srm:
    """`moosnn.snn.srm`."""

    states = 4

    def __init__(self, part: nn.Module, genes: layer.Neurons, spread: Spread) -> None:
        own = genes.constants
        assert isinstance(own, SrmConstants)
        theta = spread.thresholds(genes.threshold)
        kept, height = spread.alpha(own.tau_s_steps)
        relaxed, depth = spread.alpha(own.tau_ref_steps)
        self._theta, self._kept, self._height = spread.placed(theta, kept, height)
        depth = own.scale_ref * theta * depth
        self._relaxed, self._depth = spread.placed(relaxed, depth)

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        first, second, own, owed = state
        second = (second + first) * self._kept
        owed = (owed + own) * self._relaxed
        membrane = second * self._height - owed * self._depth
        spikes = (membrane >= self._theta).to(membrane.dtype)
        first = first * self._kept + current
        return spikes, membrane, (first, second, own * self._relaxed + spikes, owed)


class _AdaptiveCuba:
    """`moosnn.snn.adaptive_cuba`."""

    states = 4

    def __init__(self, part: nn.Module, genes: layer.Neurons, spread: Spread) -> None:
        own = genes.constants
        assert isinstance(own, AdaptiveCubaConstants)
        (self._theta,) = spread.placed(spread.thresholds(genes.threshold))
        self._slow, self._voltage, self._refractory, self._risen = spread.placed(
            spread.kept(1.0 - own.current_decay),
            spread.kept(1.0 - own.voltage_decay),
            spread.kept(1.0 - own.refractory_decay),
            spread.kept(1.0 - own.threshold_decay),
        )
        self._step = own.threshold_step

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        slow, voltage, refractory, rise = state
        slow = slow * self._slow + current
        voltage = voltage * self._voltage + slow
        refractory, rise = refractory * self._refractory, rise * self._risen
        membrane = voltage - (refractory + rise)
        spikes = (membrane >= self._theta).to(membrane.dtype)
        threshold = (rise + self._theta) * spikes
        refractory = refractory + threshold * _THRESHOLDS_A_SPIKE
        rise = rise + spikes * self._step
        return spikes, membrane, (slow, voltage, refractory, rise)


class _DiehlCook:
    """`moosnn.snn.diehl_cook`, whose learned thresholds stand still."""

    states = 2

    def __init__(self, part: nn.Module, genes: layer.Neurons, spread: Spread) -> None:
        own = genes.constants
        assert isinstance(own, Population)
        self._own = own
        theta = spread.thresholds(genes.threshold)
        kept, _ = spread.alpha(genes.tau_mem_steps)
        self._theta, self._kept = spread.placed(theta, kept)
        self._learned = part.get_buffer("theta").to(spread.like) if own.adapts else None

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        own, (before, waits) = self._own, state
        charged = before * self._kept + current * (waits <= 0)
        seen = charged if self._learned is None else charged - self._learned
        fired = seen >= self._theta
        if own.first_only:
            farthest = (seen - self._theta).argmax(1, True)
            fired &= torch.zeros_like(fired).scatter_(1, farthest, True)
        after = charged.masked_fill(fired, 0.0)
        waits = (waits - 1.0).clamp_(min=0.0).masked_fill_(fired, own.refractory)
        return fired.to(current.dtype), seen, (after, waits)


_Type = Callable[[nn.Module, layer.Neurons, Spread], _Dynamics]
_TYPES: Mapping[str, _Type] = MappingProxyType(
    {
        **dict.fromkeys(layer.NEURONS, _Resetting),
        "srm": _Srm,
        "cuba_adaptive": _AdaptiveCuba,
        "diehl_cook": _DiehlCook,
    }
)


class UnequalNeurons(nn.Module):
    """A layer of neurons with constants of their own, without gradient.

    It stands where a module of equal neurons stood; see
    `moosnn.snn.neuron.NeuronLayer`. The membrane that it shows is to be compared with
    each neuron's own threshold.

    Args:
        part: the module of the equal neurons; what it learned is taken over.
        genes: of that layer.
        spread: draws the constants.

    Raises:
        TypeError: nobody said how neurons of this type differ.
    """

    def __init__(self, part: nn.Module, genes: layer.Neurons, spread: Spread) -> None:
        super().__init__()
        if genes.kind not in _TYPES:
            raise TypeError(f"{genes.kind}: how such neurons differ is not known here")
        self._dynamics = _TYPES[genes.kind](part, genes, spread)

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Run ``T x N x …`` from rest: spikes and membranes."""
        state: State = ()
        rows: list[tuple[Tensor, Tensor]] = []
        for now in current:
            spikes, membrane, state = self.step(now, state)
            rows.append((spikes, membrane))
        spikes, membrane = (torch.stack(column) for column in zip(*rows, strict=True))
        return spikes, membrane

    @torch.no_grad()
    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step of ``N x …``; ``()`` = at rest."""
        rest = torch.zeros_like(current)
        return self._dynamics.step(current, state or (rest,) * self._dynamics.states)
