"""Qnehvi: Bayesian optimisation of the constrained hypervolume, feasibility first.

Knows: in which order the pieces are used. Must not know: how a model is fitted, an
acquisition function computed, a candidate found.

1. The first proposals are Sobol points.
2. As long as no feasible trial dominates the reference: the point whose total violation
   is expected to improve most (`feasibility_score`).
3. From then on: the point that is expected to add most hypervolume, noise, constraints
   and pending trials included (`improvement_score`).

Whatever goes wrong numerically is logged and answered with a Sobol point.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, nearest, number_hint
from moosnn.history import History
from moosnn.optimizers.acquisition import (
    NUMERICAL_ERRORS,
    improvement_score,
    quiet,
    set_kernel,
)
from moosnn.optimizers.base import (
    Fresh,
    choices_of,
    encoded,
    generator,
    proposal,
    require_whole,
)
from moosnn.optimizers.feasibility import feasibility_score
from moosnn.optimizers.fit_chain import FitChain, started
from moosnn.optimizers.outcomes import blocks_of
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.search import Effort, Score, best_point
from moosnn.optimizers.sobol import sobol_point
from moosnn.pareto.front import front_of
from moosnn.problem import Floats, Problem
from moosnn.space import Value
from moosnn.trial import Proposal, Trial

_log = logging.getLogger(__name__)

KERNELS = ("eager", "fused")

_SMALLEST_DESIGN = 10
_LEAST_VIOLATING = 5  # points that are varied while nothing is feasible


class Qnehvi:
    """Proposes by noisy expected hypervolume improvement; for up to some 300 trials.

    It is a function of the history: what it remembers between calls are fits that it
    would compute again, to the last bit.

    Args:
        initial: how many Sobol points come first, >= 1; ``None`` = half the number of
            parameters, 10 at least.
        mc_samples: posterior samples of the expected improvement, a power of two >= 2.
        raw_candidates: points that are scored before the best are improved, a power
            of two >= 2.
        restarts: how many are improved, >= 1.
        iterations: steps of that improvement, >= 1.
        noise_share: what share of an outcome's variance is expected to be noise, in
            (0, 1]: trainings are noisy; a formula is not (0.0003).
        kernel: ``"eager"`` = BoTorch's Python code; ``"fused"`` = its C++ kernel, which
            is compiled on first use (half a minute, needs a compiler). The same for a
            whole study: they differ in the last bits.

    Raises:
        ConfigError: a number that is too small, not whole or not a power of two; an
            unknown kernel.
    """

    def __init__(
        self,
        initial: int | None = None,
        *,
        mc_samples: int = 64,
        raw_candidates: int = 256,
        restarts: int = 4,
        iterations: int = 40,
        noise_share: float = 0.1,
        kernel: str = "eager",
    ) -> None:
        if kernel not in KERNELS:
            raise ConfigError(
                f"optimizer.kernel: got {kernel!r}.{nearest(kernel, KERNELS)}"
            )
        _require_power_of_two("mc_samples", mc_samples)
        _require_power_of_two("raw_candidates", raw_candidates)
        require_whole("initial", 1 if initial is None else initial, 1)
        require_whole("restarts", restarts, 1)
        require_whole("iterations", iterations, 1)
        if not (is_number(noise_share) and 0 < noise_share <= 1):
            raise ConfigError(
                "optimizer.noise_share: expected a number in (0, 1], got "
                f"{noise_share!r}.{number_hint(noise_share)}"
            )
        self.initial = initial
        self.mc_samples = mc_samples
        self.effort = Effort(raw_candidates, restarts, iterations)
        self.kernel = kernel
        self.noise_share = noise_share
        self._chain = FitChain(noise_share)

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`.

        Origins: ``sobol`` (initial design, or nothing that a model could learn from:
        nothing finished, or neither an objective nor a constraint measured and fewer
        than 3 failures), ``feasibility``, ``qnehvi``, and ``fallback`` = a Sobol point
        after numerical trouble, or because every candidate was known or inadmissible.
        """
        fresh = Fresh(problem, history)
        proposals: list[Proposal] = []
        for offset in range(count):
            number = history.proposals + offset
            params, origin = None, "sobol"
            if number >= self._initial(problem) and history.done:
                waiting = [dict(p.params) for p in proposals]
                params, origin = self._modelled(
                    problem, history, waiting, fresh, generator(seed, number)
                )
            if params is None:
                params = sobol_point(problem.space, fresh, seed, number)
            if params is None:
                break
            fresh.take(params)
            proposals.append(proposal(history, offset, seed, params, origin))
        return proposals

    def _initial(self, problem: Problem) -> int:
        if self.initial is not None:
            return self.initial
        return max(_SMALLEST_DESIGN, len(problem.space) // 2)

    def _modelled(
        self,
        problem: Problem,
        history: History,
        waiting: list[dict[str, Value]],
        fresh: Fresh,
        rng: np.random.Generator,
    ) -> tuple[dict[str, Value] | None, str]:
        """A point from the models and its origin; no point = a Sobol point's origin."""
        set_kernel(self.kernel)
        pending = [dict(t.proposal.params) for t in history.pending] + waiting
        awaited = torch.as_tensor(encoded(problem, pending)) if pending else None
        try:
            with quiet():
                surrogates = self._surrogates(problem, history)
                if surrogates is None:
                    return None, "sobol"
                good = _good(problem, history.done)
                if good:
                    origin, bases = "qnehvi", encoded(problem, _points(good))
                    score = self._improvement(
                        problem, history, surrogates, awaited, rng
                    )
                else:
                    origin = "feasibility"
                    score, bases = _feasibility(problem, history, surrogates, awaited)
                params = best_point(
                    score, problem.space, bases, fresh, rng=rng, effort=self.effort
                )
        except NUMERICAL_ERRORS as error:
            _log.warning("proposal %d: %s; a Sobol point", history.proposals, error)
            params = None
        return params, origin if params is not None else "fallback"

    def _surrogates(self, problem: Problem, history: History) -> Surrogates | None:
        """The models of whatever was measured; ``None`` = nothing was."""
        fits = self._chain.fits(problem, history)
        blocks, choices = blocks_of(problem, history), choices_of(problem.space)
        pairs = [
            (blocks.objectives, fits.objectives),
            (blocks.constraints, fits.constraints),
            (blocks.viability, fits.viability),
        ]
        known = [(block, fit) for block, fit in pairs if block is not None]
        if not known:
            return None
        return Surrogates(
            gps=tuple(
                Gp(b, started(f, b, self.noise_share), choices) for b, f in known
            ),
            gains=0 if blocks.objectives is None else len(problem.objectives),
            zeros=torch.as_tensor(np.concatenate([b.zero for b, _ in known])),
        )

    def _improvement(
        self,
        problem: Problem,
        history: History,
        surrogates: Surrogates,
        pending: Tensor | None,
        rng: np.random.Generator,
    ) -> Score:
        observed = [t for t in history.done if problem.is_observed(t)]
        points = torch.as_tensor(encoded(problem, _points(observed)))
        seed = int(rng.integers(2**31))
        return improvement_score(surrogates, points, pending, self.mc_samples, seed)


def _require_power_of_two(name: str, number: int) -> None:
    require_whole(name, number, 2)
    if number & (number - 1):
        raise ConfigError(f"optimizer.{name}: expected a power of two, got {number}.")


def _feasibility(
    problem: Problem, history: History, surrogates: Surrogates, pending: Tensor | None
) -> tuple[Score, Floats]:
    """The score of the second stage, and the points that violate least."""
    measured = encoded(problem, _points(history.done))
    means, _ = surrogates.marginal(torch.as_tensor(measured))
    totals = surrogates.excess(means).clamp_min(0.0).sum(-1).numpy()
    nearest_rows = np.argsort(totals, kind="stable")[:_LEAST_VIOLATING]
    score = feasibility_score(surrogates, torch.as_tensor(measured), pending)
    return score, measured[nearest_rows]


def _good(problem: Problem, done: list[Trial]) -> list[Trial]:
    """The front of the feasible trials that dominate the reference."""
    front = front_of(problem, done).within(problem)
    return [t for t in done if t.number in front]


def _points(trials: list[Trial]) -> list[dict[str, Value]]:
    return [dict(t.proposal.params) for t in trials]
