"""The probability of lying beyond the edge, from a study's trials.

Knows: the optimizers' Gaussian processes, which trials they learn from. Must not know:
what is drawn or printed. Imports scipy.

One process a constraint, fitted to the violations of every DONE trial, the silent and
stopped ones included, in the form (plain or bilogarithmic) that explains them better.
The probability is that of *a training*: the noise of its seed is part of it, so at the
edge of a noisy constraint it rises more slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moosnn.history import History
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.outcomes import Block, blocks_of
from moosnn.optimizers.posterior import Gp
from moosnn.optimizers.surrogate import NOISE_FLOOR, Hyper, default_hyper, fit
from moosnn.pareto.edge import LEVEL, violation_probability
from moosnn.problem import Constraint, Floats, Problem
from moosnn.tracking.edge import Trust

_NOISE_SHARE = 0.1  # of the variance, expected: trainings are noisy (see surrogate)
_CONDITIONED = 1500
_CHUNK = 4096  # points that are predicted at once


@dataclass(frozen=True, slots=True)
class _Violation:
    """The process of one constraint, with its data.

    Attributes:
        gp: conditioned on the values.
        zero: where the constraint's bound lies.
        values: ``n``.
        noise: the variance of a training around the process.
    """

    gp: Gp
    zero: float
    values: Floats
    noise: float


class EdgeModel:
    """Predicts how likely a training violates one of some constraints.

    Args:
        problem: says what is a violation.
        history: with at least one DONE trial.
        constraints: of the problem, one or more: those whose edge it is.

    It learns from 1,500 trials at most, spread evenly over the study.
    """

    def __init__(
        self, problem: Problem, history: History, constraints: Sequence[Constraint]
    ) -> None:
        self._cube = Cube(problem.space)
        block = _constraints_block(problem, history, constraints, self._cube)
        self._violations = _violations(block, self._cube)

    def probability(self, points: Floats) -> Floats:
        """How likely a training at each of some points lies beyond the edge.

        Args:
            points: ``n x d`` in the unit cube.

        Returns:
            ``n`` numbers in [0, 1].
        """
        chunks = range(0, len(points), _CHUNK)
        parts = [self._probability(points[i : i + _CHUNK]) for i in chunks]
        return np.concatenate([np.zeros(0), *parts])

    def _probability(self, points: Floats) -> Floats:
        snapped, active = self._cube.snapped(points)
        features = self._cube.features(snapped, active)
        excess, sds = [], []
        for one in self._violations:
            means, variances = one.gp.marginal(features)
            excess.append(means - one.zero)
            sds.append(np.sqrt(variances + one.noise))
        return violation_probability(np.stack(excess, 1), np.stack(sds, 1))

    def trust(self) -> Trust:
        """How many of its trials lie where it expects them, each left out.

        A trial's own outcome is left out when it is predicted (Rasmussen & Williams,
        Gaussian Processes for Machine Learning, 2006, eqs. 5.10-5.12); the kernel and
        the mean have seen it.
        """
        expected = self.left_out() >= LEVEL
        each = [one.values > one.zero for one in self._violations]
        beyond = np.any(each, axis=0)
        return Trust(
            beyond=int(beyond.sum()),
            beyond_found=int((beyond & expected).sum()),
            others=int((~beyond).sum()),
            others_found=int((~beyond & ~expected).sum()),
        )

    def left_out(self) -> Floats:
        """The probability of each trial, had its outcome not been measured, ``n``."""
        excess, sds = [], []
        for one in self._violations:
            variances = 1.0 / (one.gp.whiten**2).sum(axis=0)  # of K's inverse
            means = one.values - one.gp.weights[:, 0] * variances
            excess.append(means - one.zero)
            sds.append(np.sqrt(variances))
        return violation_probability(np.stack(excess, 1), np.stack(sds, 1))


def _constraints_block(
    problem: Problem, history: History, constraints: Sequence[Constraint], cube: Cube
) -> Block:
    """The violations of some constraints, standardised, 1,500 rows at most."""
    only = replace(problem, constraints=tuple(constraints))
    block = blocks_of(only, history, cube).constraints
    assert block is not None, "a constraint and a DONE trial"
    last = len(block.points) - 1
    rows = np.unique(np.linspace(0, last, _CONDITIONED).round().astype(int))
    return replace(
        block,
        points=block.points[rows],
        values=block.values[rows],
        variances=block.variances[rows],
        log_stretch=block.log_stretch[rows],
    )


def _violations(block: Block, cube: Cube) -> list[_Violation]:
    """The process of each constraint, in the form that explains it best."""
    default = [default_hyper(cube.dim, _NOISE_SHARE, far=False)]
    hypers: dict[int, Hyper] = {
        k: fit(block, k, cube.parameter_of, default, _NOISE_SHARE)
        for k in np.flatnonzero(~block.far).tolist()
    }
    found = []
    for constraint in np.unique(block.outcome):
        forms = [k for k in hypers if block.outcome[k] == constraint]
        best = max(forms, key=lambda k: hypers[k].evidence)
        found.append(
            _Violation(
                gp=Gp.of(block, best, hypers[best], cube.parameter_of),
                zero=float(block.zeros[best]),
                values=block.values[:, best],
                noise=float(np.exp(hypers[best].log_noise)) + NOISE_FLOOR,
            )
        )
    return found
