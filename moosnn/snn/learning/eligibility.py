"""Eligibility traces: what a synapse has done to its neuron, computed as time goes on.

Knows: the equations of IF, LIF and ALIF neurons forwards in time. Must not know: the
network around a layer, losses, where errors come from.

Of neuron j and its input i, with the surrogate derivative g, the decay a of the
membrane, r[t] = 1 - S[t] after a hard reset and 1 after a soft one, and the decay kappa
of the read-out (Bellec et al. 2020, Methods, with a hard reset besides, which cuts the
trace where it sets the membrane to 0)::

    eps_ji[t]   = a r_j[t-1] eps_ji[t-1] + x_i[t]          of the membrane
    slow_ji[t]  = rho slow_ji[t-1] + e_ji[t-1]             of the threshold of ALIF
    e_ji[t]     = g_j[t] (eps_ji[t] - b theta slow_ji[t])  of the spike
    heard_ji[t] = kappa heard_ji[t-1] + e_ji[t]            of the read-out
    dL/dw_ji    = sum over t of L_j[t] heard_ji[t] + c_j e_ji[t]

``L_j[t]`` is the learning signal, what the loss of step t asks of what the read-out
hears of the neuron, and ``c_j`` the price of a spike. All sums run forwards, so what is
kept does not grow with time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moosnn.snn.layer import Neurons

ADAPTIVE = "alif"


class Eligibility:
    """The traces of a layer's synapses during one batch, and the gradient so far.

    With a soft reset all neurons of a layer share the traces of their inputs, ``N x
    inputs`` numbers; otherwise each synapse has its own, ``N x neurons x inputs``.

    Args:
        genes: type, reset and constants of the neurons.
        decay: the share a of the membrane kept from step to step.
        kappa: the share of the read-out's membrane kept from step to step.
        price: c, what a spike of the layer adds to the loss, >= 0.

    Attributes:
        gradient: ``neurons x inputs``, the sum over samples and steps so far.
    """

    def __init__(
        self, genes: Neurons, decay: float, kappa: float, price: float
    ) -> None:
        self._genes = genes
        self._decay = decay
        self._kappa = kappa
        self._price = price
        self._kept: float | Tensor = 0.0  # a r of the step before
        self._membrane: Tensor | None = None  # eps, N x neurons (or 1) x inputs
        self._slow: Tensor | None = None
        self._heard: Tensor | None = None
        self.gradient: Tensor | None = None

    def step(
        self, inputs: Tensor, spikes: Tensor, derivative: Tensor, signal: Tensor
    ) -> None:
        """One step.

        Args:
            inputs: x, ``N x inputs``.
            spikes: S, ``N x neurons``.
            derivative: g, ``N x neurons``.
            signal: L, ``N x neurons``.
        """
        if self.gradient is None:
            self.gradient = inputs.new_zeros(derivative.shape[1], inputs.shape[1])
        self._charge(inputs)
        assert self._membrane is not None
        shared = self._membrane.shape[1] == 1
        if shared and self._kappa == 0.0 and self._genes.kind != ADAPTIVE:
            asked = derivative * (signal + self._price)
            self.gradient.addmm_(asked.T, self._membrane[:, 0])
        else:
            self._each(derivative, signal)
        if self._genes.reset == "hard":
            self._kept = (self._decay * (1.0 - spikes)).unsqueeze(2)
        else:
            self._kept = self._decay

    def _charge(self, inputs: Tensor) -> None:
        """The traces of the membranes with what comes in at this step."""
        entering = inputs.unsqueeze(1)
        if self._membrane is None:
            self._membrane = entering.clone()
        elif isinstance(self._kept, float):
            self._membrane.mul_(self._kept).add_(entering)
        else:
            self._membrane = torch.addcmul(entering, self._membrane, self._kept)

    def _each(self, derivative: Tensor, signal: Tensor) -> None:
        """Add to the gradient where each synapse has a trace of its own."""
        assert self.gradient is not None
        eligible = self._eligible(derivative)
        if self._kappa == 0.0:
            self.gradient += _summed(signal + self._price, eligible)
            return
        if self._price:
            self.gradient.add_(eligible.sum(0), alpha=self._price)
        if self._heard is None:
            self._heard = eligible.clone()
        else:
            self._heard.mul_(self._kappa).add_(eligible)
        self.gradient += _summed(signal, self._heard)

    def _eligible(self, derivative: Tensor) -> Tensor:
        """What is eligible at this step, e, ``N x neurons x inputs``."""
        assert self._membrane is not None
        genes = self._genes
        if genes.kind != ADAPTIVE:
            return derivative.unsqueeze(2) * self._membrane
        moved = self._membrane
        if self._slow is not None:
            rise = genes.adaptation * genes.threshold
            moved = torch.sub(moved, self._slow, alpha=rise)
        eligible = derivative.unsqueeze(2) * moved
        if self._slow is None:
            self._slow = eligible.clone()
        else:
            self._slow.mul_(1.0 - 1.0 / genes.tau_adapt_steps).add_(eligible)
        return eligible


def _summed(signal: Tensor, traces: Tensor) -> Tensor:
    """Signals times traces, summed over samples: ``neurons x inputs``."""
    return torch.einsum("nj,nji->ji", signal, traces)
