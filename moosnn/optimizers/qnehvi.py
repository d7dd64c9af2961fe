"""Qnehvi: Bayesian optimisation of the constrained hypervolume, feasibility first.

Knows: in which order the pieces are used. Must not know: how a model is fitted, an
acquisition function computed, a candidate found.

1. The first proposals are the centre of the space and Sobol points.
2. As long as no feasible trial dominates the reference: the point whose total violation
   is expected to improve most (`Feasibility`).
3. From then on: the point that is expected to add most hypervolume, noise, constraints
   and pending trials included (`improvement_score`).

Whatever goes wrong numerically is logged and answered with a Sobol point.
"""

from __future__ import annotations

import torch

from moosnn.errors import ConfigError, nearest
from moosnn.history import History
from moosnn.optimizers.acquisition import (
    TORCH_ERRORS,
    improvement_score,
    promising,
    quiet,
    set_kernel,
)
from moosnn.optimizers.base import require_power_of_two, require_share, require_whole
from moosnn.optimizers.cost import TRAINING_S, cost_model, per_cost
from moosnn.optimizers.feasibility import feasibility_score
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.hurry import drawn_answer, is_hurried
from moosnn.optimizers.models import Answer, Question, proposals_of, surrogates_of
from moosnn.optimizers.outcomes import features_of
from moosnn.optimizers.posterior import Surrogates
from moosnn.optimizers.search import Effort, Score, best_point
from moosnn.optimizers.torch_posterior import TorchSurrogates
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.trial import Proposal, Trial

KERNELS = ("eager", "fused")

_SMALLEST_DESIGN = 10
_ROUGHER = 4  # times fewer samples tell which candidates deserve all of them


class Qnehvi:
    """Proposes by noisy expected hypervolume improvement; for up to some 300 trials.

    It is a function of the history: what it remembers between calls are fits that it
    would compute again, to the last bit.

    Args:
        initial: how many Sobol points come first, >= 1; ``None`` = half the number of
            parameters, 10 at least.
        mc_samples: posterior samples of the expected improvement, a power of two >= 2.
        raw_candidates: points that are scored with a quarter of the samples, a power
            of two >= 2; the best 64 are scored with all, and the best of them improved.
        restarts: how many are improved, >= 1.
        iterations: steps of that improvement, >= 1.
        noise_share: what share of an outcome's variance is expected to be noise, in
            (0, 1]: trainings are noisy; a formula is not (0.0003).
        kernel: ``"eager"`` = BoTorch's Python code; ``"fused"`` = its C++ kernel, which
            is compiled on first use (half a minute, needs a compiler). The same for a
            whole study: they differ in the last bits.
        cost_aware: whether what is expected of a point is divided by what it is
            expected to cost, see `moosnn.optimizers.cost`.
        cost_metric: what stands for the cost: a metric of the task, ``"training_s"``
            or ``"seconds"``.

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
        restarts: int = 3,
        iterations: int = 25,
        noise_share: float = 0.1,
        kernel: str = "eager",
        cost_aware: bool = False,
        cost_metric: str = TRAINING_S,
    ) -> None:
        if kernel not in KERNELS:
            raise ConfigError(
                f"optimizer.kernel: got {kernel!r}.{nearest(kernel, KERNELS)}"
            )
        require_power_of_two("mc_samples", mc_samples)
        require_power_of_two("raw_candidates", raw_candidates)
        require_whole("initial", 1 if initial is None else initial, 1)
        require_whole("restarts", restarts, 1)
        require_whole("iterations", iterations, 1)
        require_share("noise_share", noise_share)
        self.initial = initial
        self.mc_samples = mc_samples
        self.effort = Effort(raw_candidates, restarts, iterations)
        self.kernel = kernel
        self.noise_share = noise_share
        self._chain = FitChain(noise_share)
        self.cost = cost_model(cost_metric, noise_share, aware=cost_aware)

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`.

        Origins: those of `proposals_of`, ``feasibility``, ``qnehvi`` and ``drawn``.
        """
        initial = self.initial or max(_SMALLEST_DESIGN, len(problem.space) // 2)
        set_kernel(self.kernel)
        return proposals_of(
            problem, history, count, seed, initial=initial, answer=self._answer
        )

    def _answer(self, question: Question) -> Answer:
        surrogates = surrogates_of(question, self._chain)
        if surrogates is None:
            return None, "sobol"
        if is_hurried(question.history):
            return drawn_answer(question, surrogates)
        good = _good(question)
        try:
            with quiet():
                score: Score
                rough: Score | None = None
                if good:
                    score, rough = self._improvements(question, surrogates)
                    bases = question.cube.encoded([t.proposal.params for t in good])
                    origin = "qnehvi"
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
                    rough=rough,
                )
        except TORCH_ERRORS as error:
            raise ArithmeticError(str(error)) from error
        return params, origin

    def _improvements(
        self, question: Question, surrogates: Surrogates
    ) -> tuple[Score, Score]:
        """The score, and the same from fewer samples."""
        problem, awaited = question.problem, question.awaited
        seed = int(question.rng.integers(2**31))
        joint = TorchSurrogates(surrogates)
        observed = [t for t in question.history.done if problem.is_observed(t)]
        points = torch.as_tensor(features_of(observed, question.cube))
        baseline = promising(joint, points, seed + 1)
        pending = torch.as_tensor(awaited) if len(awaited) else None

        priced = per_cost(self.cost, question)

        def score(samples: int) -> Score:
            return priced(improvement_score(joint, baseline, pending, samples, seed))

        return score(self.mc_samples), score(max(2, self.mc_samples // _ROUGHER))


def _good(question: Question) -> list[Trial]:
    """The front of the feasible trials that dominate the reference."""
    done = question.history.done
    front = front_of(question.problem, done).within(question.problem)
    return [t for t in done if t.number in front]
