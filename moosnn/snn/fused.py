"""The fused neuron: IF, LIF and PLIF layers over a whole sequence at once.

Knows: integrate-and-fire neurons. Must not know:
connections, data, training, silence, other neurons.

One step, for each neuron, with V[-1] = 0::

    H[t] = a V[t-1] + X[t]         charge: membrane before reset
    S[t] = 1 if H[t] >= theta      fire
    V[t] = H[t] (1 - S[t])         hard reset to 0, or
    V[t] = H[t] - theta S[t]       soft reset

``X`` is the input current and ``theta`` the threshold. The decay ``a`` is 1 for IF,
``1 - 1 / tau`` for LIF, and for PLIF ``1 - sigmoid(w)`` with one learnable ``w`` a
layer (Fang et al. 2021, "Incorporating Learnable Membrane Time Constant", eq. 11). The
current is *not* scaled by ``1 / tau``: a threshold means the same for every neuron
type and time constant.

Backwards, with the surrogate derivative ``g`` at ``H[t] - theta`` in place of the
step's derivative, and the reset not differentiated (Zenke & Vogels 2021, "The
Remarkable Robustness of Surrogate Gradient Learning", found that this trains better)::

    dX[t] = dH[t] = g[t] dS[t] + a r[t] dH[t+1]
    da = sum over t of dH[t] V[t-1]

with ``r[t]`` = ``1 - S[t]`` after a hard reset and 1 after a soft one.

The function below is these lines for all neurons at once: ``g`` and ``a r`` are
computed for the whole sequence, and only the recursion is a loop. There is no state
between two calls, hence nothing to reset. It equals spikingjelly's multi-step nodes
(``decay_input=False, detach_reset=True``, ``v_reset=0`` or ``None``) and is faster. In
single precision the gradients of steep surrogates differ by rounding: here a charge is
rounded once, there up to three times.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from moosnn.snn.layer import Neurons
from moosnn.snn.surrogate import derivative_


class _Fire(torch.autograd.Function):
    """The equations of the module docstring; differentiable once."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        current: Tensor,
        decay: Tensor,
        genes: Neurons,
    ) -> tuple[Tensor, Tensor]:
        kept = float(decay)
        if genes.reset == "soft":
            own = current.clone(memory_format=torch.contiguous_format)
            spikes, membrane = fired_(own, kept, genes)
        else:
            membrane = charged(current, kept, genes)
            spikes = torch.ge(membrane, genes.threshold, out=torch.empty_like(membrane))
        ctx.save_for_backward(membrane, spikes, decay)
        ctx.genes = genes
        ctx.mark_non_differentiable(membrane)
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        *grads: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None, None]:
        if grads[0] is None:
            return None, None, None
        membrane, spikes, decay = ctx.saved_tensors
        genes: Neurons = ctx.genes
        kept = float(decay)
        distance = membrane - genes.threshold
        grad = derivative_(distance, genes, spikes).mul_(grads[0])
        steps = grad.unbind(0)
        if genes.reset == "soft":
            for step in range(len(steps) - 2, -1, -1):
                steps[step].add_(steps[step + 1], alpha=kept)
        else:
            carries = torch.rsub(spikes, kept, alpha=kept).unbind(0)
            for step in range(len(steps) - 2, -1, -1):
                steps[step].addcmul_(carries[step], steps[step + 1])
        grad_decay = None
        if ctx.needs_input_grad[1]:
            after = _after(membrane, spikes, genes)[:-1]
            grad_decay = (grad[1:] * after).sum()
        return grad, grad_decay, None


def charged(current: Tensor, decay: float, genes: Neurons) -> Tensor:
    """The membranes H before each reset, ``T x N x …``, of the current X.

    Args:
        current: ``T x N x …``.
        decay: the share a of the membrane kept from step to step.
        genes: threshold and reset.
    """
    if genes.reset == "soft":
        own = current.clone(memory_format=torch.contiguous_format)
        return fired_(own, decay, genes)[1]
    threshold = genes.threshold
    # The membrane with its sign changed, since then the hard reset (keep what is above
    # -threshold, else 0) is one vectorised operation: 8 times faster on a CPU.
    membrane = current.neg()
    after = torch.zeros_like(membrane[0])
    for before in membrane.unbind(0):
        before.add_(after, alpha=decay)
        after = torch.threshold(before, -threshold, 0.0)
    return membrane.neg_()


def fired_(current: Tensor, decay: float, genes: Neurons) -> tuple[Tensor, Tensor]:
    """Spikes and membranes with a soft reset, without gradient, in place.

    Args:
        current: ``T x N x …``, becomes the membranes; not a repeated view.
        decay: the share a of the membrane kept from step to step.
        genes: the threshold.

    Returns:
        Spikes S and membranes H, as `fire`.
    """
    spikes = torch.empty_like(current)
    after = torch.zeros_like(current[0])
    for before, spike in zip(current.unbind(0), spikes.unbind(0), strict=True):
        before.add_(after, alpha=decay)
        torch.ge(before, genes.threshold, out=spike)
        after = torch.sub(before, spike, alpha=genes.threshold)
    return spikes, current


def _after(membrane: Tensor, spikes: Tensor, genes: Neurons) -> Tensor:
    if genes.reset == "soft":
        return membrane - genes.threshold * spikes
    return torch.addcmul(membrane, membrane, spikes, value=-1.0)


def fire(current: Tensor, decay: Tensor, genes: Neurons) -> tuple[Tensor, Tensor]:
    """Run a layer of neurons over a whole sequence from the membrane 0.

    Args:
        current: ``T x N x …`` input current X.
        decay: no dimension; the share ``a`` of the membrane kept from step to step, in
            [0, 1]; may be learnable.
        genes: threshold theta > 0 in units of the current, reset and surrogate.

    Returns:
        ``T x N x …`` spikes, each 0 or 1, differentiable once; and the ``T x N x …``
        membrane before reset H, through which no gradient flows.
    """
    result = _Fire.apply(current, decay, genes)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    spikes, membrane = result
    return spikes, membrane
