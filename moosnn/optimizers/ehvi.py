"""Ehvi: Bayesian optimisation of the constrained hypervolume, in closed form.

Knows: in which order the pieces are used. Must not know: how a model is fitted, an
acquisition function computed, a candidate found.

1. The first proposals are the centre of the space and Sobol points.
2. As long as no feasible trial is expected to exceed the reference: the point whose
   total violation is expected to improve most (`Feasibility`).
3. From then on: the point that is expected to add most feasible hypervolume, noise and
   pending trials included (`Improvement`).
4. Where the raw candidates promise next to nothing, the search has used up what it
   knows to be feasible: then the probability of feasibility counts half, in
   logarithms. On C2DTLZ2 with 4 variables, whose feasible region is in three pieces,
   two of ten searches of 80 trials never left the first one without this.
5. While workers would wait for any of that: the best point of a draw (`hurry`).
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from moosnn.history import History
from moosnn.optimizers.base import (
    Optimizer,
    require_power_of_two,
    require_share,
    require_whole,
)
from moosnn.optimizers.cost import TRAINING_S, cost_model, per_cost
from moosnn.optimizers.feasibility import feasibility_score
from moosnn.optimizers.fit_chain import FitChain
from moosnn.optimizers.hurry import drawn_answer, is_hurried
from moosnn.optimizers.imagined import imagined_fronts
from moosnn.optimizers.improvement import Improvement
from moosnn.optimizers.models import (
    Answer,
    Question,
    feasible_trials,
    proposals_of,
    surrogates_of,
)
from moosnn.optimizers.outcomes import features_of
from moosnn.optimizers.posterior import Surrogates
from moosnn.optimizers.search import Effort, Instead, Score, best_point
from moosnn.pareto.dominance import non_dominated
from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Floats, Mask, Problem
from moosnn.space import Value
from moosnn.trial import Proposal

_log = logging.getLogger(__name__)

_SMALLEST_DESIGN = 5
_MANY_TRIALS = 300  # from here on a candidate's score is what a suggestion takes
_MOST_OBJECTIVES = 3
_LITTLE = 0.003  # of the hypervolume: less of the best raw candidate is next to nothing
_BOLD = 0.5  # caution where nothing more can be expected


class Ehvi:
    """Proposes by expected feasible hypervolume improvement, for up to three axes.

    It is a function of the history: what it remembers between calls are fits that it
    would compute again, to the last bit.

    Args:
        initial: how many points come first, the centre and Sobol points, >= 1;
            ``None`` = half the number of parameters, 5 at least.
        noise_share: what share of an outcome's variance is expected to be noise, in
            (0, 1]: trainings are noisy; a formula is not (0.0003).
        draws: of an uncertain front, a power of two >= 2.
        raw_candidates: points that are scored before the best are improved, a power
            of two >= 2; as many again vary good points. Half of both after 300 trials.
        restarts: how many are improved, >= 1.
        iterations: steps of that improvement, >= 1.
        cost_aware: whether what is expected of a point is divided by what it is
            expected to cost, see `moosnn.optimizers.cost`.
        cost_metric: what stands for the cost: a metric of the task, ``"training_s"``
            or ``"seconds"``.

    Raises:
        ConfigError: a number that is too small, not whole or not a power of two.
    """

    def __init__(
        self,
        initial: int | None = None,
        *,
        noise_share: float = 0.1,
        draws: int = 16,
        raw_candidates: int = 1024,
        restarts: int = 6,
        iterations: int = 60,
        cost_aware: bool = False,
        cost_metric: str = TRAINING_S,
    ) -> None:
        require_whole("initial", 1 if initial is None else initial, 1)
        require_share("noise_share", noise_share)
        require_power_of_two("draws", draws)
        require_power_of_two("raw_candidates", raw_candidates)
        require_whole("restarts", restarts, 1)
        require_whole("iterations", iterations, 1)
        self.initial = initial
        self.noise_share = noise_share
        self.draws = draws
        self.effort = Effort(raw_candidates, restarts, iterations)
        fewer = max(2, raw_candidates // 2)
        self.less_effort = replace(self.effort, raw_candidates=fewer)
        self._chain = FitChain(noise_share)
        self.cost = cost_model(cost_metric, noise_share, aware=cost_aware)
        self._for_many: Optimizer | None = None

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`.

        Origins: those of `proposals_of`, ``feasibility``, ``ehvi`` and ``drawn``. From
        four objectives on the boxes are too many, and `Qnehvi` is asked instead.
        """
        if len(problem.objectives) > _MOST_OBJECTIVES:
            return self._substitute().propose(problem, history, count, seed)
        initial = self.initial or max(_SMALLEST_DESIGN, len(problem.space) // 2)
        return proposals_of(
            problem, history, count, seed, initial=initial, answer=self._answer
        )

    def _substitute(self) -> Optimizer:
        """The optimizer for many objectives, with this one's settings."""
        if self._for_many is None:
            from moosnn.optimizers.qnehvi import Qnehvi  # imports BoTorch

            _log.warning(
                "more than %d objectives: qnehvi proposes in place of ehvi; a front of "
                "so many axes needs hundreds of trials, and a constraint is often what "
                "the fourth axis should be",
                _MOST_OBJECTIVES,
            )
            self._for_many = Qnehvi(
                self.initial,
                noise_share=self.noise_share,
                cost_aware=self.cost is not None,
                cost_metric=TRAINING_S if self.cost is None else self.cost.metric,
            )
        return self._for_many

    def _answer(self, question: Question) -> Answer:
        surrogates = surrogates_of(question, self._chain)
        if surrogates is None:
            return None, "sobol"
        if is_hurried(question.history):
            return drawn_answer(question, surrogates)
        found = self._improvement(question, surrogates)
        if found is None:
            score, bases = feasibility_score(question, surrogates)
            return self._best(question, score, bases), "feasibility"
        careful, bold, bases = found
        priced = per_cost(self.cost, question)
        if bold is not None:
            bold = replace(bold, score=priced(bold.score))
        return self._best(question, priced(careful), bases, bold), "ehvi"

    def _best(
        self,
        question: Question,
        score: Score,
        bases: Floats,
        instead: Instead | None = None,
    ) -> dict[str, Value] | None:
        many = len(question.history.done) > _MANY_TRIALS
        return best_point(
            score,
            question.cube,
            bases,
            question.fresh,
            rng=question.rng,
            effort=self.less_effort if many else self.effort,
            instead=instead,
        )

    def _improvement(
        self, question: Question, surrogates: Surrogates
    ) -> tuple[Score, Instead | None, Floats] | None:
        """The scores and the front's points; ``None`` = nothing good yet."""
        good = feasible_trials(question.problem, question.history)
        if not good:
            return None
        features, gains = features_of(good, question.cube), surrogates.gains
        means = surrogates.predict(features).means[:, 0, :gains]
        exceeds: Mask = np.all(means > surrogates.zeros[:gains], axis=1)
        if not exceeds.any():
            return None
        after, fronts = imagined_fronts(
            surrogates, features, question.awaited, self.draws, question.rng
        )
        front = exceeds.copy()
        front[exceeds] = non_dominated(-means[exceeds])
        bases = [t.proposal.params for t, kept in zip(good, front, strict=True) if kept]
        bold = None
        if len(surrogates.zeros) > gains:  # else there is nothing to be careful of
            volume = hypervolume(-means[front], -surrogates.zeros[:gains])
            score = Improvement(after, fronts, caution=_BOLD)
            bold = Instead(score, float(np.log(_LITTLE * volume)))
        return Improvement(after, fronts), bold, question.cube.encoded(bases)
