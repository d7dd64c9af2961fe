"""What a trial costs, as far as finished ones tell; a score for each unit of it.

Knows: the recorded costs of trials, Gaussian processes. Must not know: what a score
means, how candidates are found, clocks.

The logarithm of the cost is modelled over the same features as every outcome, and a
score that is itself a logarithm is reduced by it: the expected improvement for each
unit of cost [Snoek2012]_. Only recorded numbers count, so a replay computes the same.

Only trials that ran to their end teach it. One that was stopped says how early it was
stopped and not what it costs: were it counted, silent networks would be cheap and,
divided by their cost, worth more. Trials that failed have no cost.

As long as nothing good is known nothing is divided: the least violation for each unit
of cost is found by the cheapest trainings, which never reach the reference. (Seen on
the digits with one seed: nothing above the reference until trial 20.)

The predicted cost is relative to the mean one (of the logarithms), so that a point of
average cost has the score that it would have had without.

.. [Snoek2012] J. Snoek, H. Larochelle, R. P. Adams. Practical Bayesian Optimization of
   Machine Learning Algorithms. NeurIPS 2012 (section 3.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from moosnn.errors import ConfigError
from moosnn.history import History
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.fit_chain import grid_points
from moosnn.optimizers.models import Question
from moosnn.optimizers.outcomes import Block, features_of
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.search import Score
from moosnn.optimizers.surrogate import Hyper, default_hyper, fit
from moosnn.problem import Floats, Problem
from moosnn.trial import Evaluation, Trial

TRAINING_S = "training_s"  # without start-up and measuring
SECONDS = "seconds"
CLOCKS = (TRAINING_S, SECONDS)  # what an evaluation tells beside its metrics

_FEWEST = 5  # trials with a cost before it is modelled
_REMEMBERED = 256  # links of the chain of fits


def cost_of(evaluation: Evaluation, metric: str) -> float | None:
    """What an evaluation cost; ``None`` = it does not tell, or nothing at all.

    Args:
        evaluation: of a trial.
        metric: any of its metrics, ``"training_s"`` (the seconds of the whole
            evaluation if the task does not tell) or ``"seconds"``.
    """
    cost = evaluation.metrics.get(metric)
    if cost is None and metric == TRAINING_S:
        cost = evaluation.training_s
    if cost is None and metric in CLOCKS:
        cost = evaluation.seconds
    return cost if cost is not None and cost > 0 else None


def costed(trials: Sequence[Trial], metric: str) -> tuple[list[Trial], Floats]:
    """The trials that ran to their end and tell a cost, and its logarithms, ``n``."""
    found, costs = [], []
    for trial in trials:
        if trial.evaluation is None or trial.evaluation.stopped is not None:
            continue
        cost = cost_of(trial.evaluation, metric)
        if cost is not None:
            found.append(trial)
            costs.append(math.log(cost))
    return found, np.array(costs)


@dataclass(frozen=True, slots=True)
class LogCost:
    """The expected log cost of a point, less the mean of those measured; a `Score`.

    Attributes:
        model: one process, of the standardised log cost.
        sd: the standard deviation of the measured log costs.
    """

    model: Surrogates
    sd: float

    def values(self, points: Floats) -> Floats:
        """At ``b x e`` features, ``b``."""
        return self.sd * self.model.predict(points).means[:, 0, 0]

    def slopes(self, points: Floats) -> tuple[Floats, Floats]:
        """At ``b x e`` features, ``b``, and the slopes there, ``b x e``."""
        prediction, back = self.model.predict_and_slopes(points)
        ones = np.ones_like(prediction.means)
        slopes = back(ones, np.zeros_like(prediction.sds))
        return self.sd * prediction.means[:, 0, 0], self.sd * slopes


@dataclass(frozen=True, slots=True)
class PerCost:
    """A score that is a logarithm, for each unit of cost: itself less the log cost.

    Attributes:
        score: a logarithm.
        cost: of a point.
        power: of the cost, in [0, 1].
    """

    score: Score
    cost: Score
    power: float = 1.0

    def values(self, points: Floats) -> Floats:
        """At ``b x e`` features, ``b``."""
        return self.score.values(points) - self.power * self.cost.values(points)

    def slopes(self, points: Floats) -> tuple[Floats, Floats]:
        """At ``b x e`` features, ``b``, and the slopes there, ``b x e``."""
        values, slopes = self.score.slopes(points)
        costs, rises = self.cost.slopes(points)
        return values - self.power * costs, slopes - self.power * rises


class CostModel:
    """Fits the log cost at the grid points of a history, as the other models.

    What it remembers are fits that it would compute again, to the last bit.

    Args:
        metric: see `cost_of`.
        noise_share: what share of the log cost's variance is expected to be noise.
    """

    def __init__(self, metric: str, noise_share: float) -> None:
        self.metric = metric
        self._noise_share = noise_share
        self._links: dict[str, Hyper | None] = {}

    def of(self, problem: Problem, history: History, cube: Cube) -> LogCost | None:
        """The model of a history; ``None`` = fewer than 5 trials tell a cost.

        Raises:
            ArithmeticError: the covariance has no Cholesky factor.
        """
        block, sd = self._block(history, cube)
        if block is None:
            return None
        hyper = self._hyper(problem, history, cube)
        hyper = hyper or default_hyper(cube.dim, self._noise_share)
        gp = Gp.of(block, 0, hyper, cube.parameter_of)
        return LogCost(_alone(gp), sd)

    def _hyper(self, problem: Problem, history: History, cube: Cube) -> Hyper | None:
        """The hyperparameters at the last grid point of a history."""
        hyper: Hyper | None = None
        for length, key in grid_points(problem, history):
            if key not in self._links:
                self._remember(key, self._fitted(history.prefix(length), cube, hyper))
            hyper = self._links[key]
        return hyper

    def _fitted(
        self, history: History, cube: Cube, before: Hyper | None
    ) -> Hyper | None:
        block, _ = self._block(history, cube)
        if block is None:
            return before
        starts = [default_hyper(cube.dim, self._noise_share)]
        starts += [before] if before is not None else []
        return fit(block, 0, cube.parameter_of, starts, self._noise_share)

    def _block(self, history: History, cube: Cube) -> tuple[Block | None, float]:
        """The standardised log costs, and the standard deviation that they had."""
        trials, logs = costed(history.done, self.metric)
        if len(trials) < _FEWEST:
            return None, 1.0
        return log_block(features_of(trials, cube), logs)

    def _remember(self, key: str, hyper: Hyper | None) -> None:
        self._links[key] = hyper
        while len(self._links) > _REMEMBERED:
            del self._links[next(iter(self._links))]


def cost_model(metric: str, noise_share: float, *, aware: bool) -> CostModel | None:
    """The model of the cost that an optimizer was told to take account of, if any.

    Raises:
        ConfigError: ``aware`` is neither true nor false, or the metric is no name.
    """
    if not isinstance(aware, bool):
        raise ConfigError(
            f"optimizer.cost_aware: expected true or false, got {aware!r}."
        )
    if not isinstance(metric, str) or not metric:
        raise ConfigError(
            f"optimizer.cost_metric: expected a metric, e.g. {TRAINING_S}, got "
            f"{metric!r}."
        )
    return CostModel(metric, noise_share) if aware else None


def per_cost(model: CostModel | None, question: Question) -> Callable[[Score], Score]:
    """Makes of a score one for each unit of cost; while no cost is known, the same.

    Raises:
        ArithmeticError: the covariance has no Cholesky factor.
    """
    cost = None
    if model is not None:
        cost = model.of(question.problem, question.history, question.cube)
    return lambda score: score if cost is None else PerCost(score, cost)


def log_block(points: Floats, logs: Floats) -> tuple[Block, float]:
    """One column of standardised logarithms, and the standard deviation they had."""
    sd = float(logs.std())
    sd = sd if sd > 0 else 1.0
    column = ((logs - logs.mean()) / sd)[:, None]
    block = Block(
        points=points,
        values=column,
        zeros=np.zeros(1),
        variances=np.zeros_like(column),
        log_stretch=np.zeros_like(column),
        outcome=np.zeros(1, dtype=np.intp),
        far=np.zeros(1, dtype=bool),
    )
    return block, sd


def _alone(gp: Gp) -> Surrogates:
    """One process as if it were all outcomes."""
    return Surrogates(
        gps=(gp,),
        gains=1,
        zeros=np.zeros(1),
        constraint=np.zeros(0, dtype=np.intp),
        log_weights=np.zeros(0),
        far=np.zeros(0, dtype=bool),
    )
