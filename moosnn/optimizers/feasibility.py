"""What a point is worth as long as nothing good is known: less violation.

Knows: the surrogates' means and variances. Must not know: trials, spaces, BoTorch, how
candidates are found.

.. [Ament2023] S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy. Unexpected
   Improvements to Expected Improvement for Bayesian Optimization. NeurIPS 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from moosnn.optimizers.posterior import Surrogates
from moosnn.optimizers.search import Score

_SHORTFALL_WEIGHT = 0.3  # of missing the reference against violating a constraint


def feasibility_score(
    surrogates: Surrogates, measured: Tensor, pending: Tensor | None
) -> Score:
    """Log expected improvement of the total violation; for as long as nothing is good.

    The total violation adds up how far each constraint is violated and, with weight
    0.3, how far each objective falls short of the reference, in standard deviations.
    It is treated as a normal variable with the mean and variance that the sum has.
    Improvement over the smallest expected total among the measured points finds
    feasible points sooner than the probability of feasibility does, which prefers
    points of which nothing is known.

    Args:
        surrogates: of all outputs.
        measured: ``n x d``, n >= 1.
        pending: ``p x d``, the points that are being evaluated, or ``None``; they are
            believed to have the outcomes that the surrogates expect.

    Returns:
        The score.
    """
    if pending is not None:
        surrogates = surrogates.believing(pending)
        measured = torch.cat([measured, pending])
    weights = torch.ones_like(surrogates.zeros)
    weights[: surrogates.gains] = _SHORTFALL_WEIGHT
    means, _ = surrogates.marginal(measured)
    totals = (weights * surrogates.excess(means).clamp_min(0.0)).sum(-1)
    incumbent = totals.min()

    def score(points: Tensor) -> Tensor:
        means, variances = surrogates.marginal(points)
        first, second = _rectified(surrogates.excess(means), variances.sqrt())
        total = (weights * first).sum(-1)
        variance = (weights**2 * (second - first**2)).sum(-1)
        sd = variance.clamp_min(1e-12).sqrt()
        return sd.log() + _log_improvement((incumbent - total) / sd)

    return score


def _rectified(means: Tensor, sds: Tensor) -> tuple[Tensor, Tensor]:
    """The first two moments of max(0, normal variable)."""
    z = means / sds
    density = (-0.5 * z * z).exp() / math.sqrt(2 * math.pi)
    below = torch.special.ndtr(z)
    first = sds * (density + z * below)
    second = sds**2 * ((1 + z * z) * below + z * density)
    return first, second


def _log_improvement(z: Tensor) -> Tensor:
    """log(phi(z) + z Phi(z)), without cancellation for very negative z [Ament2023]_."""
    near, far = z.clamp_min(-1.0), z.clamp(-50.0, -1.0)
    density = (-0.5 * near * near).exp() / math.sqrt(2 * math.pi)
    direct = (density + near * torch.special.ndtr(near)).log()
    log_density = -0.5 * z * z - 0.5 * math.log(2 * math.pi)
    ratio = math.sqrt(math.pi / 2) * torch.special.erfcx(-far / math.sqrt(2))
    tail = log_density + torch.log1p(far * ratio)
    asymptote = log_density - 2 * z.clamp_max(-50.0).abs().log()
    return torch.where(z > -1.0, direct, torch.where(z > -50.0, tail, asymptote))
