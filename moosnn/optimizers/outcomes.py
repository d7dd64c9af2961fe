"""What of a history is modelled, as standardised numbers.

Knows: losses, violations, failures. Must not know: models, acquisition functions.

A model predicts either a *gain* (an objective: larger is better) or a *violation* (a
constraint: feasible at or below ``Block.zero``). This is the one place where losses
become gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moosnn.history import History
from moosnn.optimizers.base import encoded
from moosnn.problem import Floats, Problem
from moosnn.trial import Trial

VIABILITY_KINDS = frozenset({"diverged", "out_of_memory", "timeout", "crashed"})
VIABILITY_MINIMUM = 3  # so many failures before their region is modelled


@dataclass(frozen=True, slots=True)
class Block:
    """Outcomes that were measured at the same points, standardised.

    Attributes:
        points: ``n x d`` in the unit cube.
        values: ``n x k`` of mean 0 and standard deviation 1 (0 if constant).
        zero: ``k``, where the reference (objectives) or the bound (constraints) lies
            on the standardised axis.
    """

    points: Floats
    values: Floats
    zero: Floats


@dataclass(frozen=True, slots=True)
class Blocks:
    """Everything that is modelled; ``None`` = nothing of it was measured.

    Objectives have the observed trials as rows, constraints every DONE trial, and
    viability also those that failed through themselves. Axes are in the order of their
    metrics' names, so that the order in a config changes nothing.
    """

    objectives: Block | None
    constraints: Block | None
    viability: Block | None


def blocks_of(problem: Problem, history: History) -> Blocks:
    """The modelled outcomes of a history."""
    done = history.done
    observed = [t for t in done if problem.is_observed(t)]
    failed = [
        t for t in history.failed if t.failure and t.failure.kind in VIABILITY_KINDS
    ]
    order = np.argsort([o.metric for o in problem.objectives], kind="stable")
    names = np.argsort([c.metric for c in problem.constraints], kind="stable")
    constraints = viability = None
    if done and problem.constraints:
        constraints = _block(problem, done, problem.violations(done)[:, names])
    if done and len(failed) >= VIABILITY_MINIMUM:
        broke = np.array([[-0.5]] * len(done) + [[0.5]] * len(failed))
        viability = _block(problem, [*done, *failed], broke)
    objectives = None
    if observed:
        reference = -problem.reference[order]
        gains = _compressed(-problem.losses(observed)[:, order], reference)
        objectives = _block(problem, observed, gains, reference)
    return Blocks(objectives, constraints, viability)


def _compressed(gains: Floats, reference: Floats) -> Floats:
    """Gains with the logarithm of what lies below the reference.

    Nothing below the reference adds hypervolume, so the models need not follow it; the
    gains above it are left as they are.
    """
    short = np.maximum(reference - gains, 0.0)
    spread = np.quantile(gains, 0.9, axis=0) - reference
    positive = np.where(short > 0, short, np.nan)
    for k in np.flatnonzero(spread <= 0):  # nearly everything lies below: its median
        spread[k] = np.nanmedian(positive[:, k])
    scale = np.maximum(spread, 1e-12)
    return np.where(short > 0, reference - scale * np.log1p(short / scale), gains)


def _block(
    problem: Problem,
    trials: Sequence[Trial],
    values: Floats,
    zero: Floats | float = 0.0,
) -> Block:
    """Standardise, and move the zero with it."""
    mean, sd = values.mean(axis=0), values.std(axis=0)
    sd = np.where(sd > 1e-12 * np.maximum(1.0, np.abs(mean)), sd, 1.0)
    points = encoded(problem, [dict(t.proposal.params) for t in trials])
    return Block(points, (values - mean) / sd, (zero - mean) / sd)
