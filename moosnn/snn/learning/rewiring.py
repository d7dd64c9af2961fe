"""Rewiring: connections are pruned and grow while an optimizer changes their weights.

Knows: weights, what an optimizer makes of them, priors, noise. Must not know: networks,
gradients, epochs.

A connection has a sign s and a hidden strength theta; its weight is ``s max(theta, 0)``
(Bellec, Kappel, Maass & Legenstein, "Deep rewiring", ICLR 2018). The optimizer changes
the hidden weight ``s theta``, by the gradient of the weight that is seen; then a prior
pulls.

*Grad R* (Chen, Yu, Fang, Huang & Tian, "Pruning of deep spiking neural networks through
gradient rewiring", IJCAI 2021) gives pruned connections the gradient as well, so that
they can grow again, and keeps the signs. *Deep R* in its hard form keeps the number of
connections: each that is lost is replaced by one that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# A connection that Deep R draws starts with this: not 0, which would be none.
NEWBORN = 1e-12
_THETA, _SIGN = "theta", "sign"  # beside the moments of an optimizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """The connections behind a weight.

    Attributes:
        sign: -1 or 1; of Deep R 0 where there is none.
        theta: their strength; pruned where it is not above 0.
    """

    sign: Tensor
    theta: Tensor


class Rewiring(Protocol):
    """What happens to the connections around a step of an optimizer."""

    def hidden(self, weight: Tensor, slot: dict[str, Tensor]) -> Hidden:
        """What is behind a weight.

        Args:
            weight: any shape.
            slot: what the optimizer keeps of it, empty before the first step.
        """
        ...

    def settle(
        self,
        weight: Tensor,
        before: Hidden,
        slot: dict[str, Tensor],
        rate: float,
        pruned: float,
    ) -> None:
        """Make what the optimizer left a weight again.

        Args:
            weight: the hidden one, after the step; changed in place.
            before: the step.
            slot: as in `hidden`; what has to be remembered is put there.
            rate: the learning rate.
            pruned: the share of all connections, of all weights, that were pruned
                before the step.
        """
        ...


def rewire(
    optimizer: torch.optim.Optimizer, weights: Iterable[Tensor], rewiring: Rewiring
) -> None:
    """Let some of an optimizer's weights be rewired at each of its steps.

    What has to be remembered is in the optimizer's state, and so in its checkpoint.

    Args:
        optimizer: of these weights and others; its ``lr`` is the pull's as well.
        weights: that are rewired.
        rewiring: how.
    """
    chosen = {id(weight) for weight in weights}
    underway: list[tuple[Tensor, Hidden, float]] = []

    @torch.no_grad()
    def reveal(*_: object) -> None:
        underway.clear()
        for group in optimizer.param_groups:
            for weight in group["params"]:
                if id(weight) not in chosen or weight.grad is None:
                    continue
                before = rewiring.hidden(weight, optimizer.state.get(weight, {}))
                weight.copy_(before.sign * before.theta)
                underway.append((weight, before, group["lr"]))

    @torch.no_grad()
    def settle(*_: object) -> None:
        pruned = pruned_share([before for _, before, _ in underway])
        for weight, before, rate in underway:
            slot = optimizer.state[weight]
            rewiring.settle(weight, before, slot, rate, pruned)

    optimizer.register_step_pre_hook(reveal)
    optimizer.register_step_post_hook(settle)


def pruned_share(hidden: Sequence[Hidden]) -> float:
    """How many of all connections are pruned, in [0, 1]."""
    count = sum(one.theta.numel() for one in hidden)
    pruned = [(one.theta <= 0).sum() for one in hidden]
    return float(torch.stack(pruned).sum()) / count if count else 0.0


def prior_centre(alpha: float, sparsity: float) -> float:
    """The centre of the Laplace prior with ``P(theta <= 0) = sparsity``.

    ``mu = ln(2 (1 - p)) / alpha`` (Chen et al. 2021).

    Args:
        alpha: one over the prior's scale, > 0.
        sparsity: p in [0.5, 1).

    Returns:
        <= 0.
    """
    return math.log(2.0 * (1.0 - sparsity)) / alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class GradR:
    """Gradient rewiring, with D the step of the optimizer.

    ``theta <- theta + s D - lr alpha sign(theta - mu)``,  ``w = s max(theta, 0)``

    Attributes:
        alpha: the pull of the prior, > 0.
        sparsity: see `prior_centre`.
        rests: whether the prior does not pull while so many connections are pruned; not
            in the publication, where ``sparsity`` is in the centre only.
    """

    alpha: float
    sparsity: float
    rests: bool

    def hidden(self, weight: Tensor, slot: dict[str, Tensor]) -> Hidden:
        """See `Rewiring`; a weight that starts at 0 has the sign 1."""
        if _THETA in slot:
            return Hidden(sign=slot[_SIGN], theta=slot[_THETA])
        one = torch.ones_like(weight)
        return Hidden(sign=one.where(weight >= 0, -one), theta=weight.abs())

    def settle(
        self,
        weight: Tensor,
        before: Hidden,
        slot: dict[str, Tensor],
        rate: float,
        pruned: float,
    ) -> None:
        """See `Rewiring`."""
        centre = prior_centre(self.alpha, self.sparsity)
        alpha = 0.0 if self.rests and pruned >= self.sparsity else self.alpha
        pull = rate * alpha * (before.theta - centre).sign()
        theta = before.sign * weight - pull
        slot[_THETA], slot[_SIGN] = theta, before.sign
        weight.copy_((before.sign * theta).masked_fill(theta <= 0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepR:
    """Deep rewiring with a constant number of connections in each weight tensor.

    ``theta <- theta + s D - lr alpha + sqrt(2 lr T) N(0, 1)`` of those that are there.
    One whose theta is not above 0 any more is lost, and as many as were lost are drawn
    from all that are not there, with a drawn sign. What is not there has no step.

    Attributes:
        alpha: the pull of the prior, > 0.
        temperature: T >= 0; 0 = no noise.
        generator: on the CPU.
    """

    alpha: float
    temperature: float
    generator: torch.Generator

    def hidden(self, weight: Tensor, slot: dict[str, Tensor]) -> Hidden:
        """See `Rewiring`; nothing is behind the weight."""
        return Hidden(sign=weight.sign(), theta=weight.abs())

    def settle(
        self,
        weight: Tensor,
        before: Hidden,
        slot: dict[str, Tensor],
        rate: float,
        pruned: float,
    ) -> None:
        """See `Rewiring`."""
        sign = before.sign.flatten()
        there = sign.nonzero().flatten()
        signs = sign[there]
        theta = signs * weight.flatten()[there] - rate * self.alpha
        if self.temperature > 0:
            noise = torch.randn(len(there), generator=self.generator)
            spread = math.sqrt(2.0 * rate * self.temperature)
            theta = theta + spread * noise.to(theta)
        flat = torch.zeros_like(sign)
        # What is not a number is not pruned: it has to be found.
        flat[there] = (signs * theta).masked_fill(theta <= 0, 0.0)
        lost = int((theta <= 0).sum())
        if lost:
            self._replace(flat, lost)
        weight.copy_(flat.view_as(weight))

    def _replace(self, flat: Tensor, count: int) -> None:
        """Draw so many connections from those that are not there."""
        absent = (flat == 0).nonzero().flatten()
        order = torch.randperm(len(absent), generator=self.generator)[:count]
        heads = torch.randint(2, (count,), generator=self.generator)
        flat[absent[order.to(flat.device)]] = NEWBORN * (2.0 * heads - 1.0).to(flat)


def thin(
    weights: Iterable[Tensor], sparsity: float, generator: torch.Generator
) -> None:
    """Keep a drawn share of the connections of each weight tensor, at least one.

    Args:
        weights: changed in place.
        sparsity: the share that is lost, in [0, 1).
        generator: on the CPU.
    """
    with torch.no_grad():
        for weight in weights:
            count = weight.numel()
            kept = max(round((1.0 - sparsity) * count), 1)
            mask = torch.zeros(count)
            mask[torch.randperm(count, generator=generator)[:kept]] = 1.0
            mask *= math.sqrt(count / kept)
            weight.mul_(mask.view(weight.shape).to(weight.device))
