"""What a point is worth as long as nothing good is known: less violation.

Knows: the surrogates' means and deviations. Must not know: how a model is
fitted, how candidates are found.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import log_ndtr, ndtr

from moosnn.optimizers.imagined import believing
from moosnn.optimizers.improvement import log_improvement
from moosnn.optimizers.models import Question, measured
from moosnn.optimizers.outcomes import features_of
from moosnn.optimizers.posterior import Surrogates
from moosnn.problem import Floats

_SHORTFALL_WEIGHT = 0.3  # of missing the reference against violating a constraint
_MARGIN = 0.2  # how far inside of a constraint to aim, in standard deviations
_SMALLEST_VARIANCE = 1e-12
_LEAST_VIOLATING = 5  # points that are varied while nothing is feasible


class Feasibility:
    """Log expected improvement of the total violation, a `Score`.

    The total violation adds up how far a point is from lying a little inside of each
    constraint (0.2 standard deviations) and, with weight 0.3, how far each objective
    falls short of the reference. It is treated as a normal variable with the mean and
    variance that the sum has. Without the margin the search dwells where a constraint
    is violated by next to nothing: on 12-dimensional C2DTLZ2 with its optimum off the
    centre the first feasible trial came at 14 (median of eight seeds), with it at 12.

    Args:
        surrogates: of all outcomes, imagined at most once.
        known: ``n x e``, the measured and the pending points, n >= 1.
    """

    def __init__(self, surrogates: Surrogates, known: Floats) -> None:
        surrogates = surrogates.only(surrogates.leading)
        zeros = surrogates.zeros.copy()
        zeros[surrogates.gains :] -= _MARGIN
        self._surrogates = surrogates = replace(surrogates, zeros=zeros)
        self._weights = np.ones(len(surrogates.zeros))
        self._weights[: surrogates.gains] = _SHORTFALL_WEIGHT
        self._signs = np.ones(len(surrogates.zeros))
        self._signs[: surrogates.gains] = -1.0
        self.totals = self._total(surrogates.predict(known).means[:, 0])
        self._incumbent = float(self.totals.min())

    def _total(self, means: Floats) -> Floats:
        """The total violation of expected outcomes, ``n x k`` -> ``n``."""
        excess = np.maximum(self._surrogates.excess(means), 0.0)
        return np.asarray((self._weights * excess).sum(axis=1))

    def values(self, points: Floats) -> Floats:
        """The score at ``b x e`` points, ``b``."""
        prediction = self._surrogates.predict(points)
        excess = self._surrogates.excess(prediction.means[:, 0])
        first, second = _rectified(excess, prediction.sds)
        total, sd = self._moments(first, second)
        return np.asarray(np.log(sd) + log_improvement((self._incumbent - total) / sd))

    def _moments(self, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        """Mean and sd of the weighted total."""
        total = (self._weights * first).sum(axis=1)
        variance = (self._weights**2 * (second - first**2)).sum(axis=1)
        return total, np.sqrt(np.maximum(variance, _SMALLEST_VARIANCE))

    def slopes(self, points: Floats) -> tuple[Floats, Floats]:
        """The score at ``b x e`` points, and its slopes, ``b x e``."""
        prediction, back = self._surrogates.predict_and_slopes(points)
        sds = prediction.sds
        excess = self._surrogates.excess(prediction.means[:, 0])
        first, second = _rectified(excess, sds)
        total, sd = self._moments(first, second)
        z = (self._incumbent - total) / sd
        log_h = log_improvement(z)
        # log(sd h(z)): d / d total = -Phi / (sd h), d / d sd = phi / (sd h).
        by_total = -np.exp(log_ndtr(z) - log_h) / sd
        by_sd = np.exp(-0.5 * z * z - log_h) / np.sqrt(2 * np.pi) / sd
        by_variance = (by_sd / (2 * sd))[:, None]
        # d first / d mean = Phi, / d sd = phi; d second / d mean = 2 first,
        # d second / d sd = 2 sd Phi.
        ratio = excess / sds
        below, density = ndtr(ratio), np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
        w, own = self._weights, by_total[:, None]
        spread = by_variance * w**2
        in_excess = own * w * below + spread * 2 * first * (1 - below)
        in_sds = own * w * density + spread * 2 * (sds * below - first * density)
        in_means = (self._signs * in_excess)[:, None, :]
        return np.log(sd) + log_h, back(in_means, in_sds)


def _rectified(means: Floats, sds: Floats) -> tuple[Floats, Floats]:
    """The first two moments of max(0, normal variable)."""
    z = means / sds
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    below = ndtr(z)
    first = sds * np.exp(log_improvement(z))
    second = sds**2 * ((1 + z * z) * below + z * density)
    return first, second


def feasibility_score(
    question: Question, surrogates: Surrogates
) -> tuple[Feasibility, Floats]:
    """The score while nothing is good, and the measured points that violate least.

    Pending points are believed to have the outcomes that the surrogates expect.

    Returns:
        The score, and up to 5 points in the unit cube, ``n x d``.
    """
    # Where all were pruned, what they violate is not known; where they lie is.
    told, awaited = measured(question) or question.history.done, question.awaited
    features = features_of(told, question.cube)
    if len(awaited):
        surrogates = believing(surrogates, awaited)
    score = Feasibility(surrogates, np.vstack([features, awaited]))
    rows = np.argsort(score.totals[: len(told)], kind="stable")
    bases = [told[int(row)].proposal.params for row in rows[:_LEAST_VIOLATING]]
    return score, question.cube.encoded(bases)
