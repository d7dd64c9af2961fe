"""Neurons and fixed connections of networks after Diehl & Cook.

Knows: leaky neurons with a refractory time, thresholds that rise with each spike, what
the fixed connections between the two populations compute. Must not know: plasticity,
genes by name, data.

Diehl & Cook, "Unsupervised learning of digit recognition using spike-timing-dependent
plasticity" (Frontiers in Computational Neuroscience 2015), with currents in place of
conductances, as Hazan et al. simplified it ("BindsNET", Frontiers in Neuroinformatics
2018) and Firmin et al. searched it (arXiv 2403.00450). With v the membrane above rest
in mV, X the input, r the steps that a neuron still waits, D = threshold - rest::

    H[t] = exp(-1 / tau) v[t-1] + X[t] [r[t-1] = 0]
    S[t] = 1 if H[t] - theta >= D
    v[t] = 0 after a spike, which begins r = refractory steps; else H[t]

``theta`` is of a neuron and outlives samples. While the module trains it decays by
``exp(-1 / tau_theta)`` each step and grows by ``theta_plus`` with each spike of each
sample of the batch; in evaluation mode it stands still. What is shown as the membrane
is H - theta, which reaches D exactly when the neuron spikes.

Where only the first may spike, that is at each step and of each sample the neuron
farthest above its threshold: it inhibits the others from the next step on, and the
steps of a simulation must not hide that it came first. The others are shown just below
their threshold. (Hazan et al. draw one of them at random.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from moosnn.snn import layer
from moosnn.snn.fixed import Lateral, OneToOne, Population
from moosnn.snn.neuron import State

_BELOW = 1.0 - 2.0**-20  # of the threshold: what neurons are shown at that came second


class DiehlCookNeurons(nn.Module):
    """A population; see `moosnn.snn.neuron.Neurons` for what it does.

    Args:
        genes: its threshold is D in mV, ``tau_mem_steps`` is tau, and its constants
            are a `moosnn.snn.fixed.Population`.
    """

    def __init__(self, genes: layer.Neurons) -> None:
        super().__init__()
        own = genes.constants
        assert isinstance(own, Population)
        self.genes = genes
        self._own = own
        self._kept = math.exp(-1.0 / genes.tau_mem_steps)
        if own.adapts:  # 1 - 1e-7 a step is not a number of 32 bits
            self.register_buffer("theta", torch.zeros(own.size, dtype=torch.float64))

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Run ``T x N x size`` currents from rest: spikes and membranes."""
        state: State = ()
        rows: list[tuple[Tensor, Tensor]] = []
        for step in current:
            spikes, membrane, state = self.step(step, state)
            rows.append((spikes, membrane))
        spikes, membrane = (torch.stack(column) for column in zip(*rows, strict=True))
        return spikes, membrane

    @torch.no_grad()
    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step of ``N x size`` currents in mV.

        Args:
            current: X.
            state: what the step before gave; ``()`` = at rest.

        Returns:
            Spikes, the membrane H - theta, and the new state.
        """
        own, rest = self._own, torch.zeros_like(current)
        before, waits = state or (rest, rest)
        charged = before * self._kept + current * (waits <= 0)
        seen = charged - self._risen().to(charged) if own.adapts else charged
        fired = seen >= self.genes.threshold
        if own.first_only:
            chosen = torch.zeros_like(fired).scatter_(1, seen.argmax(1, True), True)
            late = fired & ~chosen
            seen = seen.masked_fill(late, self.genes.threshold * _BELOW)
            fired = fired & chosen
        after = charged.masked_fill(fired, 0.0)
        waits = (waits - 1.0).clamp_(min=0.0).masked_fill_(fired, own.refractory)
        if own.adapts and self.training:
            self.get_buffer("theta").add_(fired.sum(0), alpha=own.theta_plus)
        return fired.to(current.dtype), seen, (after, waits)

    def _risen(self) -> Tensor:
        """How far the thresholds are above their own rest, now."""
        theta = self.get_buffer("theta")
        if self.training:
            theta.mul_(math.exp(-1.0 / self._own.tau_theta_steps))
        return theta


def fixed_current(spikes: Tensor, op: OneToOne | Lateral) -> Tensor:
    """What a connection of one strength makes of ``… x n`` spikes.

    Args:
        spikes: the last dimension are the neurons.
        op: the connection.

    Returns:
        Same shape; of `Lateral` <= 0.
    """
    if isinstance(op, OneToOne):
        return spikes * op.strength
    if op.inhibition == "all":
        return (spikes - spikes.sum(-1, keepdim=True)) * op.strength
    farthest = max(spikes.shape[-1] - 1, 1)
    # Sums over |i - j| of all pairs at the cost of four running sums.
    left = _distances(spikes)
    right = _distances(spikes.flip(-1)).flip(-1)
    return (left + right) * (-op.strength / farthest)


def _distances(spikes: Tensor) -> Tensor:
    """To each entry the sum of its distances from those before it that spiked."""
    once = spikes.cumsum(-1)
    return once.cumsum(-1) - once
