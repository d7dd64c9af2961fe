"""Neurons of the spike response model.

Knows: their response to a current and to their own spikes. Must not know: connections,
learning rules' losses.

After Shrestha & Orchard (NeurIPS 2018) the membrane is the sum of responses
``eps(k) = k/tau_s e^(1 - k/tau_s)`` to the currents of k steps ago, and of
``nu(k) = -scale_ref theta k/tau_ref e^(1 - k/tau_ref)`` to the neuron's own spikes. The
weights come before: they commute with the response, which is linear.

Time is in steps, and the kernels are sampled at whole steps as in the paper:
``eps(0) = 0``, so a spike is felt from the next step on. A chain of n layers needs
n + 1 steps to spike at its end. The response to a constant current X tends to about
``e tau_s X``.

With ``r = e^(-1/tau)``, ``eps(k) = (e / tau) k r^k`` is the recursion (exact, two
states) ``b[t] = r (b[t-1] + a[t-1])``, ``a[t] = r a[t-1] + X[t]``, times e / tau.
"""

from __future__ import annotations

import math

from torch import Tensor

from moosnn.snn import layer
from moosnn.snn.neuron import State
from moosnn.snn.response import RespondingNeurons
from moosnn.snn.rules.slayer import SrmConstants


class Alpha:
    """The response ``eps`` of one time constant.

    Args:
        tau_steps: > 0.
    """

    def __init__(self, tau_steps: float) -> None:
        self.kept = math.exp(-1.0 / tau_steps)
        self.height = math.e / tau_steps

    def respond(self, current: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: what is felt of the currents before it, and the new state."""
        first, second = state
        second = (second + first) * self.kept
        return second * self.height, (first * self.kept + current, second)


class _Srm:
    """See `moosnn.snn.response.Dynamics`."""

    def __init__(self, constants: SrmConstants, threshold: float) -> None:
        self.respond = Alpha(constants.tau_s_steps).respond
        refractory = Alpha(constants.tau_ref_steps)
        self._kept = refractory.kept
        self._depth = constants.scale_ref * threshold * refractory.height

    def relax(self, past: State) -> State:
        first, second = past
        return first * self._kept, (second + first) * self._kept

    def dip(self, past: State) -> Tensor:
        return past[1] * self._depth

    def remember(self, past: State, spikes: Tensor) -> State:
        return past[0] + spikes, past[1]


def srm(genes: layer.Neurons) -> RespondingNeurons:
    """A layer of spike response neurons.

    Args:
        genes: with `SrmConstants`.
    """
    constants = genes.constants
    assert isinstance(constants, SrmConstants)
    return RespondingNeurons(genes, _Srm(constants, genes.threshold))
