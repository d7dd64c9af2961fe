"""Replicated: now and then another seed for a point where that is worth most.

Knows: fronts, violations, how often a point was measured. Must not know: models, how
the wrapped optimizer proposes.

Trainings are noisy, so some points are on the front by luck and others are silent by
bad luck. Another measurement is worth most where few were made and where the answer
matters: on the front, just behind it, and at the edge of a constraint.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, number_hint
from moosnn.history import History
from moosnn.optimizers.base import Optimizer, trial_seed
from moosnn.optimizers.enqueued import extended
from moosnn.optimizers.pooling import PooledHistory, pooled
from moosnn.pareto.front import front_of
from moosnn.pareto.pooling import key_of
from moosnn.problem import Floats, Problem
from moosnn.trial import Proposal, Trial

REPLICATE = "replicate"

_MOST_SHARE = 0.5  # after a repeat comes something new
# In standard deviations of a loss or violation over all points: how far behind the
# front, or from the edge, a point is half as interesting or so; and how many of these
# are too far.
_NEAR = 0.1
_FAR = 3.0
# A point at the edge teaches the model of the constraint; one on the front is an answer
# as well.
_EDGE_WEIGHT = 0.5


class Replicated:
    """Lets an optimizer propose, and in its place repeats a point now and then.

    A point measured ``k`` times is worth ``c / (k (k + 1))``: proportional to how much
    the variance of its mean falls by another measurement, times how close it is,
    ``c = exp(-d^2 / 2)`` with ``d`` its distance from the front, or from the edge, in
    tenths of a standard deviation (the edge at half the weight). Of the points within
    three tenths the one worth most is repeated, of equals the first.

    Args:
        optimizer: proposes everything else. It sees a repeated point as one trial,
            with means and standard errors (`PooledHistory`).
        share: how many of the proposals may be repeats, in (0, 0.5]: of ``1 / share``
            proposals in a row (rounded up) at most one is.
        most: how often a point is measured, its first trial included, >= 2.
        after: how many trials are evaluated, and proposed, before any is repeated,
            >= 1.

    Raises:
        ConfigError: a number out of its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        share: float = 0.2,
        most: int = 3,
        after: int = 10,
    ) -> None:
        if not (is_number(share) and 0 < share <= _MOST_SHARE):
            raise ConfigError(
                f"study.replicates.share: expected a number in (0, {_MOST_SHARE}], got "
                f"{share!r}.{number_hint(share)}"
            )
        for name, value, least in (("most", most, 2), ("after", after, 1)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(
                    f"study.replicates.{name}: expected a whole number >= {least}, got "
                    f"{value!r}.{number_hint(value)}"
                )
        self.optimizer = optimizer
        self.share = share
        self.most = most
        self.after = after

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points, new ones or repeats; see `Optimizer.propose`.

        A repeat has the origin ``replicate``, and ``repeats`` = the number of the first
        trial of its point.
        """
        found: list[Proposal] = []
        while len(found) < count:
            now = extended(history, found)
            first = self._worth_most(problem, now) if self._is_due(now) else None
            if first is not None:
                number = now.proposals
                again = Proposal(
                    number=number,
                    params=first.proposal.params,
                    seed=trial_seed(seed, number),
                    origin=REPLICATE,
                    seen=len(history),
                    repeats=first.number,
                )
                found.append(again)
                continue
            merged = PooledHistory(now, problem)
            new = self.optimizer.propose(problem, merged, 1, seed)
            if not new:
                break
            found.append(replace(new[0], seen=len(history)))
        return found

    def _is_due(self, history: History) -> bool:
        number = history.proposals
        if number < self.after or len(history.done) < self.after:
            return False
        apart = math.ceil(1 / self.share)
        last = range(max(0, number + 1 - apart), number)
        return all(history.trial(n).proposal.repeats is None for n in last)

    def _worth_most(self, problem: Problem, history: History) -> Trial | None:
        """The first trial of the point to measure again, if any is close enough."""
        counts = Counter(map(key_of, history.trials))  # those that run count as well
        firsts: dict[object, Trial] = {}
        for trial in history.trials:
            firsts.setdefault(key_of(trial), trial)
        every = [t for t in pooled(history.done, problem) if not t.is_pruned]
        points = [t for t in every if counts[key_of(t)] < self.most]
        if not points:
            return None
        times = np.array([counts[key_of(t)] for t in points], dtype=float)
        worth = _closeness(problem, every, points) / (times * (times + 1))
        best = min(
            range(len(points)),
            key=lambda i: (-worth[i], firsts[key_of(points[i])].number),
        )
        return firsts[key_of(points[best])] if worth[best] > 0 else None


def _closeness(problem: Problem, every: list[Trial], points: list[Trial]) -> Floats:
    """How close points are to the front or edge of all of them, in [0, 1], ``n``."""
    close = np.zeros(len(points))
    if problem.constraints:
        spread = _scale(problem.violations(every))
        worst = (problem.violations(points) / spread).max(axis=1)
        close = _EDGE_WEIGHT * _decayed(np.abs(worst))
    feasible = problem.feasible(points)
    front = front_of(problem, every)
    members = np.array((front.within(problem) or front).losses)
    if feasible.any() and len(members):
        spread = _scale(problem.losses([t for t in every if problem.is_feasible(t)]))
        losses = problem.losses([t for t in points if problem.is_feasible(t)])
        behind = (losses[:, None] - members[None]) / spread
        gaps = behind.max(axis=2).min(axis=1)
        close[feasible] = np.maximum(close[feasible], _decayed(gaps))
    return close


def _scale(values: Floats) -> Floats:
    """The standard deviation of each column, 1 where it is constant."""
    spread = values.std(axis=0)
    scale: Floats = np.where(spread > 0, spread, 1.0)
    return scale


def _decayed(distance: Floats) -> Floats:
    """From 1 at no distance to 0 where it is too far, ``n``."""
    steps = np.maximum(distance, 0.0) / _NEAR
    decayed: Floats = np.where(steps <= _FAR, np.exp(-(steps**2) / 2), 0.0)
    return decayed
