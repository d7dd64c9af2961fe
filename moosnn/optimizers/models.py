"""The surrogates of a history, and the steps that every modelling optimizer takes.

Knows: in which order a history becomes surrogates and a proposal. Must not know: any
acquisition function.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from moosnn.history import History
from moosnn.optimizers.base import FALLBACK, Fresh, generator, proposal
from moosnn.optimizers.carried import carried_on
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.outcomes import Block, blocks_of, modelled
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.sobol import sobol_point
from moosnn.optimizers.surrogate import Hyper
from moosnn.problem import Floats, Problem
from moosnn.space import Params, Value
from moosnn.trial import Proposal, Trial

_log = logging.getLogger(__name__)

_TEMPER = 0.25  # of the evidence: a misfit of both forms must not make one certain
_LIGHTEST = -6.0  # log weight below which a form of a constraint is left out

NUMERICAL_ERRORS = (ArithmeticError, np.linalg.LinAlgError)


@dataclass(frozen=True, slots=True)
class Question:
    """What an optimizer is asked for one proposal.

    Attributes:
        problem: what is wanted.
        history: what happened.
        number: the proposal's; several may be asked for of the same history.
        cube: of the problem's space.
        waiting: the points of trials that are being evaluated, or will be.
        fresh: which points may be proposed.
        rng: the proposal's own generator.
    """

    problem: Problem
    history: History
    number: int
    cube: Cube
    waiting: Sequence[Params]
    fresh: Fresh
    rng: np.random.Generator

    @property
    def awaited(self) -> Floats:
        """Where the models see the waiting points, ``p x e``."""
        return self.cube.features_of(self.waiting)


# A point and where it comes from; no point if there is nothing to model yet.
Answer = tuple[dict[str, Value] | None, str]


def proposals_of(
    problem: Problem,
    history: History,
    count: int,
    seed: int,
    *,
    initial: int,
    answer: Callable[[Question], Answer],
) -> list[Proposal]:
    """The next points of an optimizer that models what was measured.

    The first ones are the centre of the space and Sobol points. Whatever goes wrong
    numerically is logged and answered with a Sobol point.

    Args:
        problem: what is wanted.
        history: what happened.
        count: how many points, >= 1.
        seed: of the study.
        initial: how many points come first, without a model.
        answer: gives the others.

    Returns:
        As `Optimizer.propose`. Origins: ``sobol`` (initial design, nothing to model),
        what ``answer`` says, and ``fallback`` = a Sobol point after numerical trouble,
        or because every candidate was known or inadmissible.
    """
    fresh, cube = Fresh(problem, history), Cube(problem.space)
    pending = [t.proposal.params for t in history.pending]
    proposals: list[Proposal] = []
    for offset in range(count):
        number = history.proposals + offset
        params, origin = None, "sobol"
        if number == 0 and initial > 0:
            centre = problem.space.decode([0.5] * cube.dim)
            params = centre if fresh(centre) else None
        elif number >= initial and history.done:
            waiting = [*pending, *(p.params for p in proposals)]
            rng = generator(seed, number)
            try:
                params, origin = answer(
                    Question(problem, history, number, cube, waiting, fresh, rng)
                )
            except NUMERICAL_ERRORS as error:
                _log.warning("proposal %d: %s; a Sobol point", number, error)
                origin = FALLBACK
        if params is None:
            origin = origin if origin == "sobol" else FALLBACK
            params = sobol_point(problem.space, fresh, seed, number)
        if params is None:
            break
        fresh.take(params)
        proposals.append(proposal(history, offset, seed, params, origin))
    return proposals


def surrogates_of(question: Question, chain: FitChain) -> Surrogates | None:
    """The models of whatever was measured; ``None`` = nothing was.

    Raises:
        ArithmeticError: a covariance has no Cholesky factor.
    """
    problem, cube = question.problem, question.cube
    fits = chain.fits(problem, question.history, cube)
    carried = carried_on(problem, question.history)
    blocks = blocks_of(problem, question.history, cube, carried)
    gps: list[Gp] = []
    zeros: list[float] = []
    constraint: list[int] = []
    log_weights: list[float] = []
    far: list[bool] = []
    if blocks.objectives is not None:
        hypers = chain.completed(fits.objectives, blocks.objectives, cube.dim)
        for k, hyper in enumerate(hypers):
            gps.append(Gp.of(blocks.objectives, k, hyper, cube.parameter_of))
            zeros.append(float(blocks.objectives.zeros[k]))
    gains = len(gps)
    named = (blocks.constraints, fits.constraints), (blocks.viability, fits.viability)
    for block, fit in named:
        if block is None:
            continue
        hypers = chain.completed(fit, block, cube.dim)
        first = max(constraint, default=-1) + 1
        weights = _form_weights(hypers, block)
        for k in np.flatnonzero(weights > _LIGHTEST).tolist():
            gps.append(Gp.of(block, k, hypers[k], cube.parameter_of))
            zeros.append(float(block.zeros[k]))
            constraint.append(first + int(block.outcome[k]))
            log_weights.append(float(weights[k]))
            far.append(bool(block.far[k]))
    if not gps:
        return None
    return Surrogates(
        gps=tuple(gps),
        gains=gains,
        zeros=np.array(zeros),
        constraint=np.array(constraint, dtype=np.intp),
        log_weights=np.array(log_weights),
        far=np.array(far, dtype=bool),
    )


def _form_weights(hypers: Sequence[Hyper], block: Block) -> Floats:
    """How much each form of each outcome counts, as logarithms.

    Near and far ones count one half each, whatever the evidence; among them it decides.
    """
    evidence = _TEMPER * np.array([hyper.evidence for hyper in hypers])
    weights = np.empty_like(evidence)
    for outcome in np.unique(block.outcome).tolist():
        for far in (False, True):
            forms = (block.outcome == outcome) & (block.far == far)
            if forms.any():
                weights[forms] = evidence[forms] - logsumexp(evidence[forms])
                weights[forms] -= np.log(2.0)
    return weights


def feasible_trials(problem: Problem, history: History) -> list[Trial]:
    """The feasible trials, in the order in which they ended."""
    return [t for t in history.done if problem.is_feasible(t)]


def measured(question: Question) -> list[Trial]:
    """The evaluated trials that the models learned from, as they see them."""
    return modelled(question.problem, question.history)
