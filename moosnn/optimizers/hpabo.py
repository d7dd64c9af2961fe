"""Hpabo: one agent an objective, and a pseudo agent for all of them together.

Knows: whose turn it is, and what each agent wants. Must not know: how a model is
fitted, an acquisition function computed, a candidate found.

This is a RECONSTRUCTION of the hierarchical pseudo-agent multi-objective Bayesian
optimisation (H-PABO) of [Parsa2020]_, which [Parsa2021]_ applied to SLAYER and HYBRID:
the text of the algorithm was not at hand. What is known of it: Gaussian processes with
a Matern kernel; on the first level one agent an objective, each of which proposes what
its own acquisition function wants; on the second level a pseudo agent, which is fitted
to what all agents know together and proposes points that should be on the front; a few
tens of evaluations. What is ours:

- An agent wants expected improvement times the probability that all constraints hold,
  and that the other objectives beat their references: without that it goes to the end
  of its axis, where the front counts nothing.
- The pseudo agent models an augmented Chebyshev scalarisation of all gains, with new
  random weights at each of its turns [Knowles2006]_, and wants the same of it.
- Nobody waits for a round to end: the agents take turns, the pseudo agent last, and
  what is pending is believed to turn out as expected.
- As long as nothing good is known, all of them want less violation (`Feasibility`).

.. [Parsa2020] M. Parsa, J. P. Mitchell, C. D. Schuman, R. M. Patton, T. E. Potok,
   K. Roy. Bayesian Multi-objective Hyperparameter Optimization for Accurate, Fast, and
   Efficient Neural Network Accelerator Design. Frontiers in Neuroscience 14:667, 2020.
.. [Parsa2021] M. Parsa, C. Schuman, N. Rathi, A. Ziabari, D. Rose, J. P. Mitchell,
   J. T. Johnston, B. Kay, S. Young, K. Roy. Accurate and Accelerated Neuromorphic
   Network Design Leveraging A Bayesian Hyperparameter Pareto Optimization Approach.
   ICONS 2021, doi 10.1145/3477145.3477160.
.. [Knowles2006] J. Knowles. ParEGO: A Hybrid Algorithm with On-Line Landscape
   Approximation for Expensive Multiobjective Optimization Problems. IEEE TEVC 10(1),
   2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from moosnn.history import History
from moosnn.optimizers.base import require_share, require_whole
from moosnn.optimizers.carried import carried_on
from moosnn.optimizers.feasibility import feasibility_score
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.imagined import believing
from moosnn.optimizers.improvement import Improvement
from moosnn.optimizers.models import (
    Answer,
    Question,
    feasible_trials,
    proposals_of,
    surrogates_of,
)
from moosnn.optimizers.outcomes import Block, blocks_of, features_of, modelled
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.search import Effort, Score, best_point
from moosnn.optimizers.surrogate import default_hyper, fit
from moosnn.pareto.cells import cells_of
from moosnn.problem import Floats, Mask, Problem
from moosnn.trial import Proposal, Trial

_SMALLEST_DESIGN = 5
_AUGMENTATION = 0.05  # how much the sum of the shortfalls counts; [Knowles2006]
_BASES = 5  # good points that are varied
_PSEUDO = "pseudo-agent"


class Hpabo:
    """Proposes by turns for each objective alone and for all together.

    Proposal number n is made by agent n mod (K + 1), K objectives in the order of
    their metrics' names, then the pseudo agent. It is a function of the history: what
    it remembers between calls are fits that it would compute again, to the last bit.
    There may be any number of objectives.

    Args:
        initial: how many points come first, the centre and Sobol points, >= 1;
            ``None`` = half the number of parameters, 5 at least.
        noise_share: what share of an outcome's variance is expected to be noise, in
            (0, 1]: trainings are noisy; a formula is not (0.0003).
        raw_candidates: points that are scored before the best are improved, a power
            of two >= 2; as many again vary good points.
        restarts: how many are improved, >= 1.
        iterations: steps of that improvement, >= 1.

    Raises:
        ConfigError: a number that is too small, not whole or not a number.
    """

    def __init__(
        self,
        initial: int | None = None,
        *,
        noise_share: float = 0.1,
        raw_candidates: int = 1024,
        restarts: int = 6,
        iterations: int = 60,
    ) -> None:
        require_whole("initial", 1 if initial is None else initial, 1)
        require_share("noise_share", noise_share)
        require_whole("raw_candidates", raw_candidates, 2)
        require_whole("restarts", restarts, 1)
        require_whole("iterations", iterations, 1)
        self.initial = initial
        self.noise_share = noise_share
        self.effort = Effort(raw_candidates, restarts, iterations)
        self._chain = FitChain(noise_share)

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`.

        Origins: those of `proposals_of`, ``feasibility``, ``agent-<metric>`` and
        ``pseudo-agent``.
        """
        initial = self.initial or max(_SMALLEST_DESIGN, len(problem.space) // 2)
        return proposals_of(
            problem, history, count, seed, initial=initial, answer=self._answer
        )

    def _answer(self, question: Question) -> Answer:
        surrogates = surrogates_of(question, self._chain)
        if surrogates is None:
            return None, "sobol"
        good = _good(question, surrogates)
        if good:
            alone, origin = self._on_turn(question, surrogates, good)
            score, bases = _wanted(question, alone, good)
        else:
            score, bases = feasibility_score(question, surrogates)
            origin = "feasibility"
        params = best_point(
            score,
            question.cube,
            bases,
            question.fresh,
            rng=question.rng,
            effort=self.effort,
        )
        return params, origin

    def _on_turn(
        self, question: Question, surrogates: Surrogates, good: Sequence[Trial]
    ) -> tuple[Surrogates, str]:
        """What the agent on turn models, and the origin of what it proposes."""
        metrics = sorted(o.metric for o in question.problem.objectives)
        turn = question.number % (len(metrics) + 1)
        if turn == len(metrics):
            combined = self._combined(question, good)
            return with_one_gain(surrogates, combined, range(len(metrics))), _PSEUDO
        others = [k for k in range(len(metrics)) if k != turn]
        alone = with_one_gain(surrogates, surrogates.gps[turn], others)
        return alone, f"agent-{metrics[turn]}"

    def _combined(self, question: Question, good: Sequence[Trial]) -> Gp:
        """The process of a random scalarisation of all gains."""
        problem, cube = question.problem, question.cube
        carried = carried_on(problem, question.history)
        block = blocks_of(problem, question.history, cube, carried).objectives
        assert block is not None, "good trials were observed"
        numbers = {trial.proposal.number for trial in good}
        told = modelled(problem, question.history)
        observed = [t for t in told if problem.is_observed(t)]
        rows = np.zeros(len(block.points), dtype=bool)  # what is expected is not good
        rows[: len(observed)] = [t.proposal.number in numbers for t in observed]
        weights = question.rng.dirichlet(np.ones(block.values.shape[1]))
        column = scalarised(block, rows, weights)
        start = default_hyper(cube.dim, self.noise_share)
        hyper = fit(column, 0, cube.parameter_of, [start], self.noise_share)
        return Gp.of(column, 0, hyper, cube.parameter_of)


def scalarised(block: Block, good: Mask, weights: Floats) -> Block:
    """All gains in one: minus the augmented Chebyshev distance to the ideal point.

    A gain's shortfall s is 0 at the best good value and 1 at its reference; the
    distance is ``max_k w_k s_k + 0.05 sum_k w_k s_k`` ([Knowles2006]_, eq. 2).

    Args:
        block: of the gains, ``n x m``.
        good: which rows are, ``n``, at least one.
        weights: ``m``, >= 0.

    Returns:
        A block of one standardised column; its known noise is that of the gain that
        decides, its zero is the largest good value.
    """
    ideal = block.values[good].max(axis=0)
    span = ideal - block.zeros
    scale = weights / np.where(span > 0, span, 1.0)
    short = scale * (ideal - block.values)
    gains = -(short.max(axis=1) + _AUGMENTATION * short.sum(axis=1))
    rows = np.arange(len(gains))
    decides = short.argmax(axis=1)
    variances = scale[decides] ** 2 * block.variances[rows, decides]
    mean, sd = gains.mean(), gains.std() or 1.0
    return Block(
        points=block.points,
        values=((gains - mean) / sd)[:, None],
        zeros=np.array([(gains[good].max() - mean) / sd]),
        variances=(variances / sd**2)[:, None],
        log_stretch=np.zeros((len(gains), 1)),
        outcome=np.zeros(1, dtype=np.intp),
        far=np.zeros(1, dtype=bool),
    )


def with_one_gain(surrogates: Surrogates, own: Gp, others: Sequence[int]) -> Surrogates:
    """What an agent sees: one gain, and everything else as constraints.

    Args:
        surrogates: of all outcomes, not imagined.
        own: the process of the agent's gain.
        others: which gains have to beat their references.

    Returns:
        ``own``, then the other gains as violations, then the constraints; the zero of
        ``own`` is minus infinity, since an agent asks for the most there is.
    """
    gains, zeros = surrogates.gains, surrogates.zeros
    first = len(others)
    negated = [
        replace(gp, mean=-gp.mean, weights=-gp.weights)
        for gp in (surrogates.gps[k] for k in others)
    ]
    return Surrogates(
        gps=(own, *negated, *surrogates.gps[gains:]),
        gains=1,
        zeros=np.array([-np.inf, *(-zeros[k] for k in others), *zeros[gains:]]),
        constraint=np.array([*range(first), *(first + surrogates.constraint)], int),
        log_weights=np.array([*[0.0] * first, *surrogates.log_weights]),
        far=np.array([*[False] * first, *surrogates.far], dtype=bool),
    )


def _good(question: Question, surrogates: Surrogates) -> list[Trial]:
    """The feasible trials that are expected to beat every reference."""
    feasible = feasible_trials(question.problem, question.history)
    if not feasible:
        return []
    features, gains = features_of(feasible, question.cube), surrogates.gains
    means = surrogates.predict(features).means[:, 0, :gains]
    beats: Mask = np.all(means > surrogates.zeros[:gains], axis=1)
    return [trial for trial, kept in zip(feasible, beats, strict=True) if kept]


def _wanted(
    question: Question, alone: Surrogates, good: Sequence[Trial]
) -> tuple[Score, Floats]:
    """The score of the agent on turn, and the good points that it varies.

    It wants to improve on the best expected gain of a good trial, or of a pending one
    that is expected to be good.
    """
    features, awaited = features_of(good, question.cube), question.awaited
    if len(awaited):
        alone = believing(alone, awaited)
    means = alone.predict(np.vstack([features, awaited])).means[:, 0]
    asked = alone.leading[1:]
    counts: Mask = np.all(means[:, asked] <= alone.zeros[asked], axis=1)
    counts[: len(good)] = True
    incumbent = means[counts, 0].max()
    score = Improvement(alone, [cells_of(np.empty((0, 1)), np.array([incumbent]))])
    best = np.argsort(-means[: len(good), 0], kind="stable")[:_BASES]
    bases = [good[int(row)].proposal.params for row in best]
    return score, question.cube.encoded(bases)
