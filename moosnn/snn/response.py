"""Neurons that are not reset: a linear response to the current, less their own past.

Knows: how such neurons run over a sequence, and their gradient. Must not know: what
their response is, connections, learning rules.

Of a layer's current ``X``, with ``h`` its response and ``p`` what spikes leave behind::

    H[t] = sum over k of h[k] X[t-k]  -  p(S[0], ..., S[t-1])
    S[t] = 1 if H[t] >= theta

Backwards, after SLAYER (Shrestha & Orchard, NeurIPS 2018): the past of the neuron
itself has no gradient, the surrogate ``g`` at ``H[t] - theta`` stands for the
derivative of the spike, and the response runs backwards in time::

    dX[t] = sum over k of h[k] g[t+k] dS[t+k]

A response is a recursion with two states, exact however long it is. Of a whole sequence
it is linear, hence a product with the ``T x T`` matrix of ``h[t-k]``, which the
recursion gives once and which is cut nowhere; backwards with its transpose. That is one
operation instead of T small ones: a training of the digits took half as long.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from moosnn.snn import layer
from moosnn.snn.neuron import State, spike
from moosnn.snn.surrogate import derivative_


class Dynamics(Protocol):
    """What makes one type of such neurons; every method is of one step.

    States are two tensors of the shape of the current, at rest 0.
    """

    def respond(self, current: Tensor, state: State) -> tuple[Tensor, State]:
        """The response to the currents so far, linear; and the new state."""
        ...

    def relax(self, past: State) -> State:
        """What spikes left behind, a step later."""
        ...

    def dip(self, past: State) -> Tensor:
        """What the membrane lacks."""
        ...

    def remember(self, past: State, spikes: Tensor) -> State:
        """What is left behind after the spikes of this step."""
        ...


class _Run(torch.autograd.Function):
    """The equations of the module docstring; differentiable once."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        current: Tensor,
        matrix: Tensor,
        genes: layer.Neurons,
        dynamics: Dynamics,
    ) -> tuple[Tensor, Tensor]:
        membrane = (matrix @ current.flatten(1)).reshape(current.shape)
        spikes = torch.empty_like(membrane)
        past: State = (torch.zeros_like(membrane[0]),) * 2
        for seen, fired in zip(membrane.unbind(0), spikes.unbind(0), strict=True):
            past = dynamics.relax(past)
            seen.sub_(dynamics.dip(past))
            torch.ge(seen, genes.threshold, out=fired)
            past = dynamics.remember(past, fired)
        ctx.save_for_backward(membrane, matrix)
        ctx.genes = genes
        ctx.mark_non_differentiable(membrane)
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        *grads: Tensor | None,
    ) -> tuple[Tensor | None, None, None, None]:
        if grads[0] is None:
            return None, None, None, None
        membrane, matrix = ctx.saved_tensors
        genes: layer.Neurons = ctx.genes
        error = derivative_(membrane - genes.threshold, genes, None).mul_(grads[0])
        correlated = (matrix.T @ error.flatten(1)).reshape(error.shape)
        return correlated, None, None, None


def responses(current: Tensor, dynamics: Dynamics) -> Tensor:
    """The recursion of the response over ``T x …`` currents, from rest."""
    state: State = (torch.zeros_like(current[0]),) * 2
    steps = []
    for step in current.unbind(0):
        response, state = dynamics.respond(step, state)
        steps.append(response)
    return torch.stack(steps)


class RespondingNeurons(nn.Module):
    """A layer of such neurons; see `moosnn.snn.neuron.NeuronLayer`.

    Args:
        genes: threshold and surrogate.
        dynamics: of the type.
    """

    def __init__(self, genes: layer.Neurons, dynamics: Dynamics) -> None:
        super().__init__()
        self.genes = genes
        self._dynamics = dynamics
        self._matrix = torch.empty(0, 0)

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """Run a whole sequence ``T x N x …`` from rest: spikes and membranes."""
        matrix = self._response_to(current)
        result = _Run.apply(current, matrix, self.genes, self._dynamics)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        spikes, membrane = result
        return spikes, membrane

    def _response_to(self, current: Tensor) -> Tensor:
        """The matrix ``h[t-k]``, computed anew only for other lengths and devices."""
        steps, kind = len(current), (current.device, current.dtype)
        known = self._matrix
        if len(known) != steps or (known.device, known.dtype) != kind:
            self._matrix = responses(torch.eye(steps).to(current), self._dynamics)
        return self._matrix

    def step(self, current: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step of ``N x …``; a state is that of the response, then of the past."""
        state = state or (torch.zeros_like(current),) * 4
        response, moving = self._dynamics.respond(current, state[:2])
        past = self._dynamics.relax(state[2:])
        membrane = response - self._dynamics.dip(past)
        spikes = spike(membrane - self.genes.threshold, self.genes)
        past = self._dynamics.remember(past, spikes.detach())
        return spikes, membrane.detach(), (*moving, *past)
