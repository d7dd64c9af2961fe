"""What of a history is modelled, as standardised numbers.

Knows: losses, violations, failures. Must not know: models, acquisition functions.

A model predicts either a *gain* (an objective: larger is better) or a *violation* (a
constraint: feasible at or below its zero). This is the one place where losses become
gains. A violation is modelled in several forms: as it is and as its bilogarithm
``sign(v) log(1 + |v| / median)``, which resolves the surroundings of zero when some
violations are a hundred times larger than others; and each with the prior of a function
that varies within the unit cube and with that of one that may reach across it. All have
their zero where the violation has it, and all have a say in its probability.

What a pruned trial measured is that of a shorter training. Models see it as such only
if they see the length of a training (`Problem.fidelity`), as what the same point gives
with so many epochs. Otherwise they see what is expected of its end (`carried`), with
the variance of that as known noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moosnn.errors import SpaceError
from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.carried import NOTHING, Carried, Expected
from moosnn.optimizers.cube import Cube, Indexes
from moosnn.problem import Floats, Mask, Problem
from moosnn.trial import Trial

VIABILITY_KINDS = frozenset({"diverged", "out_of_memory", "timeout", "crashed"})
VIABILITY_MINIMUM = 3  # so many failures before their region is modelled


@dataclass(frozen=True, slots=True)
class Block:
    """Outcomes that were measured at the same points, a column each, standardised.

    Attributes:
        points: ``n x e``, features of the points.
        values: ``n x k`` of mean 0 and standard deviation 1 (0 if constant).
        zeros: ``k``, where the reference (objectives) or the bound (constraints) lies
            on the standardised axis.
        variances: ``n x k``, the known part of the values' noise.
        log_stretch: ``n x k``, the logarithm of d value / d outcome.
        outcome: ``k``, which outcome a column is a form of.
        far: ``k``, whether a column may reach across the unit cube (see `surrogate`).
    """

    points: Floats
    values: Floats
    zeros: Floats
    variances: Floats
    log_stretch: Floats
    outcome: Indexes
    far: Mask


@dataclass(frozen=True, slots=True)
class Blocks:
    """Everything that is modelled; ``None`` = nothing of it was measured.

    Objectives have the observed trials as rows, constraints all of `modelled`, then
    both what is expected of pruned ones; viability has every DONE trial and those that
    failed through themselves. Outcomes are in the order of their metrics' names, so
    that the order in a config changes nothing.
    """

    objectives: Block | None
    constraints: Block | None
    viability: Block | None


def blocks_of(
    problem: Problem, history: History, cube: Cube, carried: Carried = NOTHING
) -> Blocks:
    """The modelled outcomes of a history.

    Args:
        problem: what is wanted.
        history: what happened.
        cube: of the problem's space.
        carried: what is expected of pruned trials, as far as it is to be modelled.
    """
    done, told = history.done, modelled(problem, history)
    observed = [t for t in told if problem.is_observed(t)]
    failed = [
        t for t in history.failed if t.failure and t.failure.kind in VIABILITY_KINDS
    ]
    return Blocks(
        _objectives(problem, observed, cube, carried.losses) if observed else None,
        _constraints(problem, told, cube, carried.violations)
        if told and problem.constraints
        else None,
        _viability(done, failed, cube)
        if done and len(failed) >= VIABILITY_MINIMUM
        else None,
    )


def modelled(problem: Problem, history: History) -> list[Trial]:
    """The evaluated trials that models learn from, as they see them, in order."""
    seen = (as_modelled(problem, history, trial) for trial in history.done)
    return [trial for trial in seen if trial is not None]


def as_modelled(problem: Problem, history: History, trial: Trial) -> Trial | None:
    """A DONE trial as models see it.

    Returns:
        A pruned one as if it had been proposed with as many epochs as it reached;
        ``None`` if models cannot see that: there is no `Problem.fidelity`, or the space
        has no training of so few epochs.
    """
    if not trial.is_pruned:
        return trial
    reports = [e for e in history.of_number(trial.number) if e.kind is Kind.REPORTED]
    name = problem.fidelity
    if name is None or not reports or name not in trial.proposal.params:
        return None
    shorter = {**trial.proposal.params, name: reports[-1].data["step"]}
    assert trial.evaluation is not None, "pruned"
    try:
        params = problem.space.canonical(shorter)
    except SpaceError:  # fewer than the least
        return None
    return replace(
        trial,
        proposal=replace(trial.proposal, params=params),
        evaluation=replace(trial.evaluation, stopped=None),
    )


def features_of(trials: Sequence[Trial], cube: Cube) -> Floats:
    """Where the models see some trials, ``n x e``."""
    return cube.features_of([t.proposal.params for t in trials])


def _objectives(
    problem: Problem,
    observed: Sequence[Trial],
    cube: Cube,
    expected: Sequence[Expected],
) -> Block:
    axes = sorted(problem.objectives, key=lambda o: o.metric)
    order = [problem.objectives.index(o) for o in axes]
    reference = -problem.reference[order]
    losses = problem.losses(observed)[:, order]
    errors = np.zeros_like(losses)
    for row, trial in enumerate(observed):
        assert trial.evaluation is not None, "observed"
        for column, axis in enumerate(axes):
            sem = trial.evaluation.sems.get(axis.metric, 0.0)
            errors[row, column] = axis.loss_error(
                trial.evaluation.metrics[axis.metric], sem
            )
    losses, errors = _with_expected(losses, errors, expected, order)
    gains, stretch = _compressed(-losses, reference)
    return _block(
        features_of([*observed, *(one.trial for one in expected)], cube),
        gains,
        zeros=reference,
        errors=errors,
        stretch=stretch,
        outcome=range(len(axes)),
        far=[False] * len(axes),
    )


def _constraints(
    problem: Problem, done: Sequence[Trial], cube: Cube, expected: Sequence[Expected]
) -> Block:
    axes = sorted(problem.constraints, key=lambda c: c.metric)
    order = [problem.constraints.index(c) for c in axes]
    plain = problem.violations(done)[:, order]
    errors = np.array(
        [
            [t.evaluation.sems.get(c.metric, 0.0) for c in axes]
            for t in done
            if t.evaluation
        ]
    )
    plain, errors = _with_expected(plain, errors, expected, order)
    scale = np.median(np.abs(plain), axis=0)
    scale = np.where(scale > 0, scale, np.maximum(np.abs(plain).max(axis=0), 1e-12))
    warped = np.sign(plain) * np.log1p(np.abs(plain) / scale)
    stretch = 1.0 / (np.abs(plain) + scale)
    return _block(
        features_of([*done, *(one.trial for one in expected)], cube),
        np.hstack([plain, warped] * 2),
        zeros=np.zeros(4 * len(axes)),
        errors=np.hstack([errors] * 4),
        stretch=np.hstack([np.ones_like(plain), stretch] * 2),
        outcome=[*range(len(axes))] * 4,
        far=[False] * (2 * len(axes)) + [True] * (2 * len(axes)),
    )


def _with_expected(
    values: Floats, errors: Floats, expected: Sequence[Expected], order: Sequence[int]
) -> tuple[Floats, Floats]:
    """Values and their errors, with rows for what is expected."""
    if not expected:
        return values, errors
    return (
        np.vstack([values, [one.values[order] for one in expected]]),
        np.vstack([errors, [one.errors[order] for one in expected]]),
    )


def _viability(done: Sequence[Trial], failed: Sequence[Trial], cube: Cube) -> Block:
    broke = np.array([[-0.5]] * len(done) + [[0.5]] * len(failed))
    return _block(
        features_of([*done, *failed], cube),
        np.hstack([broke, broke]),
        zeros=np.zeros(2),
        errors=np.zeros((len(broke), 2)),
        stretch=np.ones((len(broke), 2)),
        outcome=[0, 0],
        far=[False, True],
    )


def _compressed(gains: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Gains with the logarithm of what lies below the reference, and the slope of it.

    Nothing below the reference adds hypervolume, so the models need not follow it; the
    gains above it are left as they are.
    """
    short = np.maximum(reference - gains, 0.0)
    spread = np.quantile(gains, 0.9, axis=0) - reference
    positive = np.where(short > 0, short, np.nan)
    for k in np.flatnonzero(spread <= 0):  # nearly everything lies below: its median
        spread[k] = np.nanmedian(positive[:, k]) if (short[:, k] > 0).any() else 1.0
    scale = np.maximum(spread, 1e-12)
    compressed = np.where(short > 0, reference - scale * np.log1p(short / scale), gains)
    return compressed, scale / (scale + short)


def _block(
    points: Floats,
    values: Floats,
    *,
    zeros: Floats,
    errors: Floats,
    stretch: Floats,
    outcome: Sequence[int],
    far: Sequence[bool],
) -> Block:
    """Standardise, and move zeros, errors and stretches with it."""
    mean, sd = values.mean(axis=0), values.std(axis=0)
    sd = np.where(sd > 1e-12 * np.maximum(1.0, np.abs(mean)), sd, 1.0)
    return Block(
        points=points,
        values=(values - mean) / sd,
        zeros=(zeros - mean) / sd,
        variances=(errors * stretch / sd) ** 2,
        log_stretch=np.log(stretch / sd),
        outcome=np.array(outcome, dtype=np.intp),
        far=np.array(far, dtype=bool),
    )
