"""A toy study whose edge is known: the oracle of the tests of the edge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Floats, Problem
from moosnn.space import Value
from moosnn.tasks.analytic import AnalyticTask, toy_snn
from moosnn.tracking.edge import Survey, Trust, survey
from moosnn.trial import Evaluation
from tests.helpers import Story, run_loop, toy_problem

TRIALS = 80
# The toy's noise, in the margin: a hundredth of a decade of drive, twice.
NOISE_SD = 0.02
TRUST = Trust(beyond=30, beyond_found=29, others=50, others_found=48)


@cache
def toy_history(count: int = TRIALS) -> History:
    """Sobol trials of the toy network."""
    return run_loop(toy_problem(), Sobol(), AnalyticTask("toy_snn"), count, 0)


def margin(params: Mapping[str, Value]) -> float:
    """The toy's silence margin without its noise (the mean over many seeds)."""
    stable = {**params, "lr": 1e-3}  # on which the margin does not depend
    return toy_snn(stable, 0).metrics["silence_margin"] - noise_of_seed_0()


@cache
def noise_of_seed_0() -> float:
    """What the noise of seed 0 adds to the margin (see the formula of the toy)."""
    return -2.0 * 0.01 * float(np.random.default_rng([0, 97]).standard_normal())


def threshold_edge(params: Mapping[str, Value]) -> float:
    """The threshold at which the margin is 0: it is 2 log10(threshold) + constant."""
    return float(params["threshold"]) * 10 ** (-margin(params) / 2)  # type: ignore[arg-type]


def true_probability(problem: Problem, sd: float = NOISE_SD):
    """P(silent) of a toy training, from the formula."""

    def probability(points: Floats) -> Floats:
        margins = [margin(problem.space.decode(list(point))) for point in points]
        return np.array([0.5 * math.erfc(-m / sd / math.sqrt(2)) for m in margins])

    return probability


def true_survey(
    history: History | None = None, problem: Problem | None = None, **asked: object
) -> Survey:
    """The survey of a toy study, seen through the formula instead of a model."""
    problem = problem or toy_problem()
    return survey(
        problem,
        toy_history() if history is None else history,
        true_probability(problem),
        TRUST,
        **asked,  # type: ignore[arg-type]
    )


def retrained(margins: Mapping[int, list[float]]) -> History:
    """The toy study, and then retrainings of members with these margins."""
    problem, done = toy_problem(), toy_history()
    story = Story(problem)
    for event in list(done)[1:]:
        story._builder.append(event)
    for number, values in margins.items():
        for replicate, value in enumerate(values):
            metrics = {"accuracy": 0.5, "spikes_per_sample": 9.0}
            found = Evaluation(metrics={**metrics, "silence_margin": value})
            story._add(
                Kind.CONFIRMED, number, replicate=replicate, evaluation=found.to_json()
            )
    return story.history
