"""Neurons of Loihi with an adaptive threshold and a refractory state.

Knows: their currents, voltages and thresholds. Must not know: connections, learning
rules' losses.

As lava-dl's neuron ``alif`` has them, in real numbers where lava-dl rounds to those of
the hardware. With the rise ``A`` of the threshold over its rest value theta and the
refractory state ``R``, both 0 at rest::

    U[t] = (1 - current_decay) U[t-1] + X[t]
    V[t] = (1 - voltage_decay) V[t-1] + U[t]
    A[t] = (1 - threshold_decay) A[t-1]
    R[t] = (1 - refractory_decay) R[t-1]
    S[t] = 1 if V[t] - R[t] >= theta + A[t]
    and after a spike R[t] += 2 (theta + A[t]), then A[t] += threshold_step

There is no reset. What is called *membrane* is V - R - A, which reaches theta with a
spike.
"""

from __future__ import annotations

from torch import Tensor

from moosnn.snn import layer
from moosnn.snn.neuron import State
from moosnn.snn.response import RespondingNeurons
from moosnn.snn.rules.slayer import AdaptiveCubaConstants

_THRESHOLDS_A_SPIKE = 2.0  # what a spike adds to the refractory state


class _AdaptiveCuba:
    """See `moosnn.snn.response.Dynamics`."""

    def __init__(self, constants: AdaptiveCubaConstants, threshold: float) -> None:
        self._current = 1.0 - constants.current_decay
        self._voltage = 1.0 - constants.voltage_decay
        self._refractory = 1.0 - constants.refractory_decay
        self._rise = 1.0 - constants.threshold_decay
        self._step = constants.threshold_step
        self._threshold = threshold

    def respond(self, current: Tensor, state: State) -> tuple[Tensor, State]:
        slow = state[0] * self._current + current
        voltage = state[1] * self._voltage + slow
        return voltage, (slow, voltage)

    def relax(self, past: State) -> State:
        refractory, rise = past
        return refractory * self._refractory, rise * self._rise

    def dip(self, past: State) -> Tensor:
        return past[0] + past[1]

    def remember(self, past: State, spikes: Tensor) -> State:
        refractory, rise = past
        threshold = (rise + self._threshold) * spikes
        return (
            refractory + threshold * _THRESHOLDS_A_SPIKE,
            rise + spikes * self._step,
        )


def adaptive_cuba(genes: layer.Neurons) -> RespondingNeurons:
    """A layer of such neurons.

    Args:
        genes: with `AdaptiveCubaConstants`.
    """
    constants = genes.constants
    assert isinstance(constants, AdaptiveCubaConstants)
    return RespondingNeurons(genes, _AdaptiveCuba(constants, genes.threshold))
