"""The fused neuron: IF, LIF and PLIF layers over a whole sequence at once.

Knows: integrate-and-fire neurons and surrogate derivatives. Must not know:
connections, data, training, silence, other neurons.

One step, for each neuron, with V[-1] = 0::

    H[t] = a V[t-1] + X[t]         charge: membrane before reset
    S[t] = 1 if H[t] >= theta      fire
    V[t] = H[t] (1 - S[t])         hard reset to 0

``X`` is the input current and ``theta`` the threshold. The decay ``a`` is 1 for IF,
``1 - 1 / tau`` for LIF, and for PLIF ``1 - sigmoid(w)`` with one learnable ``w`` a
layer (Fang et al. 2021, "Incorporating Learnable Membrane Time Constant", eq. 11). The
current is *not* scaled by ``1 / tau``: a threshold means the same for every neuron
type and time constant.

Backwards, with the surrogate derivative ``g`` at ``H[t] - theta`` in place of the
step's derivative, and the reset not differentiated (Zenke & Vogels 2021, "The
Remarkable Robustness of Surrogate Gradient Learning", found that this trains better)::

    dX[t] = dH[t] = g[t] dS[t] + a (1 - S[t]) dH[t+1]
    da = sum over t of dH[t] V[t-1]

The function below is these lines for all neurons at once: ``g`` and ``a (1 - S)`` are
computed for the whole sequence, and only the recursion is a loop. There is no state
between two calls, hence nothing to reset. It equals spikingjelly's multi-step nodes
(``decay_input=False, detach_reset=True, v_reset=0``) and is faster.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from moosnn.errors import ConfigError, nearest
from moosnn.snn.genes import SURROGATES


def surrogate_derivative(distance: Tensor, surrogate: str, slope: float) -> Tensor:
    """What stands for the derivative of the step in the backward pass.

    ============  ===========================================  =====================
    atan          (k / 2) / (1 + (pi k x / 2)^2)               Fang et al. 2021
    sigmoid       k s (1 - s), s = 1 / (1 + exp(-k x))         Neftci et al. 2019
    fast_sigmoid  1 / (1 + k |x|)^2                            Zenke & Ganguli 2018
    ============  ===========================================  =====================

    The slope ``k`` narrows all three. (spikingjelly's ``SuperSpike(alpha)`` is
    ``alpha / (1 + |x|)^2``: its ``alpha`` scales the height, and the two agree at 1.)

    Args:
        distance: membrane before reset minus threshold, any shape.
        surrogate: one of `SURROGATES`.
        slope: ``k > 0``.

    Returns:
        Same shape, > 0.

    Raises:
        ConfigError: an unknown surrogate.
    """
    return _surrogate_(distance.clone(), surrogate, slope)


def _surrogate_(distance: Tensor, surrogate: str, slope: float) -> Tensor:
    """`surrogate_derivative`, written over its input: a new tensor costs more."""
    match surrogate:
        case "atan":
            distance.mul_(math.pi * slope / 2).square_().add_(1.0).reciprocal_()
            return distance.mul_(slope / 2)
        case "sigmoid":
            s = distance.mul_(slope).sigmoid_()
            return s.addcmul_(s, s, value=-1.0).mul_(slope)
        case "fast_sigmoid":
            return distance.abs_().mul_(slope).add_(1.0).square_().reciprocal_()
        case _:
            known = nearest(surrogate, SURROGATES)
            raise ConfigError(f"surrogate: got {surrogate!r}.{known}")


class _Fire(torch.autograd.Function):
    """The equations of the module docstring; differentiable once."""

    @staticmethod
    def forward(  # noqa: PLR0917 -- torch passes by position
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        current: Tensor,
        decay: Tensor,
        threshold: float,
        surrogate: str,
        slope: float,
    ) -> tuple[Tensor, Tensor]:
        # The membrane with its sign changed, since then the reset (keep what is above
        # -threshold, else 0) is one vectorised operation: 8 times faster on a CPU.
        membrane = current.neg()
        after = torch.zeros_like(membrane[0])
        kept = float(decay)
        for before in membrane.unbind(0):
            before.add_(after, alpha=kept)
            after = torch.threshold(before, -threshold, 0.0)
        membrane.neg_()
        spikes = torch.ge(membrane, threshold, out=torch.empty_like(membrane))
        ctx.save_for_backward(membrane, spikes, decay)
        ctx.shape_of_step = (threshold, surrogate, slope)
        ctx.mark_non_differentiable(membrane)
        ctx.set_materialize_grads(False)
        return spikes, membrane

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 -- torch gives its context no public type
        *grads: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        if grads[0] is None:
            return None, None, None, None, None
        membrane, spikes, decay = ctx.saved_tensors
        threshold, surrogate, slope = ctx.shape_of_step
        kept = float(decay)
        carry = (spikes * -kept).add_(kept)
        grad = _surrogate_(membrane - threshold, surrogate, slope).mul_(grads[0])
        steps, carries = grad.unbind(0), carry.unbind(0)
        for step in range(len(steps) - 2, -1, -1):
            steps[step].addcmul_(carries[step], steps[step + 1])
        grad_decay = None
        if ctx.needs_input_grad[1]:
            after = (membrane * (1.0 - spikes))[:-1]
            grad_decay = (grad[1:] * after).sum()
        return grad, grad_decay, None, None, None


def fire(
    current: Tensor, decay: Tensor, threshold: float, surrogate: str, slope: float
) -> tuple[Tensor, Tensor]:
    """Run a layer of neurons over a whole sequence from the membrane 0.

    Args:
        current: ``T x N x …`` input current X.
        decay: no dimension; the share ``a`` of the membrane kept from step to step, in
            [0, 1]; may be learnable.
        threshold: theta > 0, in units of the current.
        surrogate: one of `SURROGATES`.
        slope: of the surrogate, > 0.

    Returns:
        ``T x N x …`` spikes, each 0 or 1, differentiable once; and the ``T x N x …``
        membrane before reset H, through which no gradient flows.
    """
    result = _Fire.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
        current, decay, threshold, surrogate, slope
    )
    spikes, membrane = result
    return spikes, membrane
