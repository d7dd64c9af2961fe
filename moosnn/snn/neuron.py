"""Spiking neurons: how a layer's input current becomes spikes, and its gradient.

Knows: all neuron types, over a whole sequence and step by step. Must not know:
connections, data, training, silence.

X is the input current, theta the threshold, S the spikes, H the membrane before reset
and V after it; everything starts at 0. After a spike V is 0 (reset ``hard``) or H less
the threshold (``soft``), which is not differentiated. A neuron spikes when H reaches
theta.

=========== ========================================================================
if          H[t] = V[t-1] + X[t]
lif         H[t] = (1 - 1/tau) V[t-1] + X[t]
plif        as lif with 1/tau = sigmoid(w), w learned (Fang et al. 2021, eq. 11)
klif        H[t] = relu(k ((1 - 1/tau) V[t-1] + X[t])), k learned (Jiang & Zhang 2023)
cuba        lif of the current I[t] = (1 - 1/tau_syn) I[t-1] + X[t]
alif        lif whose threshold is theta (1 + b A[t]), A[t+1] = (1 - 1/tau_adapt) A[t]
            + S[t] (Bellec et al. 2020, eqs. 8 and 9, with a hard reset)
izhikevich  H[t] = V + (V (V - 0.8 theta) / theta - W) / tau + X[t] with V and W of the
            step before, a parabola instead of a leak (Izhikevich 2003, in units of
            theta); W[t] = W + (0.2 V[t] - W) / tau_adapt + b theta S[t]; V[t] is never
            below -theta
=========== ========================================================================

``b`` is the gene ``adaptation``. The current is nowhere scaled by 1/tau: a threshold
means the same for every neuron type and time constant. What is called *membrane* below
is H, for alif less the rise of its threshold, so that a neuron spikes exactly when its
membrane reaches theta.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from moosnn.snn import layer
from moosnn.snn.fused import fire
from moosnn.snn.surrogate import surrogate_derivative

FUSED = ("if", "lif", "plif")
PARABOLA_ZERO = 0.8  # of the threshold: above it a membrane rises by itself
COUPLING = 0.2  # of the recovery variable to the membrane

State = tuple[Tensor, ...]


class _Spike(torch.autograd.Function):
    """1 where the membrane reached the threshold; backwards the surrogate."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        distance: Tensor,
        genes: layer.Neurons,
    ) -> Tensor:
        ctx.save_for_backward(distance)
        ctx.genes = genes
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        *grads: Tensor,
    ) -> tuple[Tensor, None]:
        (distance,) = ctx.saved_tensors
        return grads[0] * surrogate_derivative(distance, ctx.genes), None


def spike(distance: Tensor, genes: layer.Neurons) -> Tensor:
    """1 where the distance from the threshold is >= 0; backwards the surrogate."""
    spikes: Tensor = _Spike.apply(distance, genes)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return spikes


class NeuronLayer(Protocol):
    """What every module of a layer of neurons does; without state between calls."""

    def __call__(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Run a whole sequence from rest, see `Neurons.forward`."""
        ...

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step, see `Neurons.step`."""
        ...


class Neurons(nn.Module):
    """One layer of equal neurons, without state between calls.

    Attributes:
        genes: type and constants.
    """

    def __init__(self, genes: layer.Neurons) -> None:
        super().__init__()
        self.genes = genes
        if genes.kind == "plif":  # 1 / tau = sigmoid(w)
            w = torch.tensor(-math.log(genes.tau_mem_steps - 1.0))
            self.w = nn.Parameter(w)
            return
        if genes.kind == "klif":
            self.k = nn.Parameter(torch.tensor(1.0))
        leak = 0.0 if genes.kind == "if" else 1.0 / genes.tau_mem_steps
        self.register_buffer("constant", torch.tensor(1.0 - leak), persistent=False)

    @property
    def decay(self) -> Tensor:
        """The share of the membrane kept from step to step, without dimension."""
        if self.genes.kind == "plif":
            return 1.0 - torch.sigmoid(self.w)
        constant: Tensor = self.get_buffer("constant")
        return constant

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Run a whole sequence from rest.

        Args:
            current: ``T x N x …`` input current.

        Returns:
            Spikes, each 0 or 1 and differentiable once; and the membrane, through
            which no gradient flows. Both of the shape of ``current``.
        """
        genes = self.genes
        if genes.kind in FUSED:
            return fire(current, self.decay, genes)
        state: State = ()
        steps: list[tuple[Tensor, Tensor]] = []
        for step in current:
            spikes, membrane, state = self.step(step, state)
            steps.append((spikes, membrane))
        spikes, membrane = (torch.stack(c) for c in zip(*steps, strict=True))
        return spikes, membrane

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step.

        Args:
            current: ``N x …``.
            state: what the step before gave; ``()`` = at rest.

        Returns:
            Spikes, membrane (no gradient) and the new state.
        """
        rest = torch.zeros_like(current)
        membrane, slow = self._charge(current, state or (rest, rest))
        rise = self._rise(slow) if self.genes.kind == "alif" else rest
        seen = membrane - rise
        # A difference of floats is < 0 exactly when the first is smaller.
        distance = seen - self.genes.threshold
        spikes = spike(distance, self.genes)
        after = self._reset(membrane, rise, spikes.detach())
        if self.genes.kind == "izhikevich":
            # Far below, the parabola would turn inhibition into a spike.
            after = after.clamp(min=-self.genes.threshold)
        return spikes, seen.detach(), (after, self._adapted(slow, after, spikes))

    def _reset(self, membrane: Tensor, rise: Tensor, spikes: Tensor) -> Tensor:
        """The membrane after the step; the reset is not differentiated."""
        if self.genes.reset == "soft":
            return membrane - (self.genes.threshold + rise.detach()) * spikes
        return membrane * (1.0 - spikes)

    def _charge(self, current: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """The membrane before reset, and the second variable the spike depends on."""
        before, slow = state
        match self.genes.kind:
            case "klif":
                return torch.relu(self.k * (self.decay * before + current)), slow
            case "cuba":
                slow = (1.0 - 1.0 / self.genes.tau_syn_steps) * slow + current
                return self.decay * before + slow, slow
            case "izhikevich":
                theta = self.genes.threshold
                drift = before * (before - PARABOLA_ZERO * theta) / theta - slow
                return before + drift / self.genes.tau_mem_steps + current, slow
            case _:  # one rounding fewer than a product and a sum: as in `fire`
                return torch.addcmul(current, before, self.decay), slow

    def _rise(self, adapted: Tensor) -> Tensor:
        return self.genes.adaptation * self.genes.threshold * adapted

    def _adapted(self, slow: Tensor, after: Tensor, spikes: Tensor) -> Tensor:
        """The second variable after the step."""
        leak = 1.0 / self.genes.tau_adapt_steps
        match self.genes.kind:
            case "alif":
                return (1.0 - leak) * slow + spikes
            case "izhikevich":
                return slow + leak * (COUPLING * after - slow) + self._rise(spikes)
            case _:
                return slow
