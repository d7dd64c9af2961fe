"""What the outcomes of a study are like all over its space, as its trials tell.

Knows: the optimizers' Gaussian processes, which trials they learn from. Must not know:
what is drawn around which point. Imports scipy.

Objectives are learned from the observed trials, on their own scale (a log axis by the
logarithm) and without what the optimizer does to values that are of no interest to it,
so that they can be shown in natural units. The probability of silence is that of
`moosnn.tracking.edge_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.outcomes import Block, features_of, modelled
from moosnn.optimizers.posterior import Gp
from moosnn.optimizers.surrogate import default_hyper, fit
from moosnn.problem import Constraint, Floats, Objective, Problem
from moosnn.tracking.edge import beyond_word, edge_constraints, is_beyond
from moosnn.tracking.edge_model import EdgeModel
from moosnn.tracking.page.plain import evenly
from moosnn.trial import Trial

LEAST_TRIALS = 10  # as `moosnn edge`
MOST_TRIALS = 600  # a process of more is slow and looks alike
SDS = 1.96  # of a normal variable: 95 % lie within
_NOISE_SHARE = 0.1  # of the variance, expected: trainings are noisy (see surrogate)
_CHUNK = 4096  # points that are predicted at once
_LARGEST = 1e100  # a value that can be squared and summed
_MOST_DECADES = 300  # of a log scale: what a model expects beyond is no number


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is expected of one outcome, anywhere in the unit cube.

    Attributes:
        name: of the metric, or ``P(silent)``.
        kind: ``objective``, ``constraint`` or ``probability``.
        unit: of the values.
        log: whether it is shown on a log axis.
        trials: that it has learned from.
        predict: from points in the unit cube, ``n x d``, to ``3 x n``: the mean and the
            ends of its 95 % interval, natural units; of a probability ``1 x n``.
    """

    name: str
    kind: str
    unit: str
    log: bool
    trials: int
    predict: Callable[[Floats], Floats]

    def to_json(self) -> dict[str, Any]:
        """As the page has it."""
        return {
            "target": self.name,
            "kind": self.kind,
            "unit": self.unit,
            "log": self.log,
            "trials": self.trials,
        }


def models_of(problem: Problem, history: History) -> list[Model]:
    """The models of a study's objectives, constraints and silence.

    Only of what `LEAST_TRIALS` have measured; of silence only if a trial was silent.

    Args:
        problem: of the study.
        history: of the study, `thinned` if it is long.
    """
    whole, cube = modelled(problem, history), Cube(problem.space)
    observed = [t for t in whole if problem.is_observed(t)]
    found = []
    if len(observed) >= LEAST_TRIALS:
        losses = problem.losses(observed)
        for k, objective in enumerate(problem.objectives):
            errors = _errors(observed, objective)
            found.append(
                _axis_model(
                    _process(features_of(observed, cube), losses[:, k], errors, cube),
                    objective,
                    "objective",
                    len(observed),
                )
            )
    if len(whole) >= LEAST_TRIALS:
        found += _constraint_models(problem, whole, cube)
        found += _edge_models(problem, history)
    return found


def thinned(history: History) -> History:
    """`MOST_TRIALS` evaluated trials at most, spread evenly over a study.

    As if there had been no others: they are numbered anew.
    """
    done = history.done
    if len(done) <= MOST_TRIALS:
        return history
    events = [history[0]]
    for number, place in enumerate(evenly(len(done), MOST_TRIALS)):
        for event in history.of_number(done[place].number):
            if event.kind is Kind.PROPOSED:
                data = {**event.data, "repeats": None}
                events.append(replace(event, number=number, data=data))
            elif event.kind in (Kind.REPORTED, Kind.FINISHED):
                events.append(replace(event, number=number))
            elif event.kind is Kind.CORRECTED:  # its failure is left out
                events.append(replace(event, number=number, kind=Kind.FINISHED))
    return History.of(events)


def _errors(trials: Sequence[Trial], objective: Objective) -> Floats:
    """The known standard errors of losses, ``n``."""
    name = objective.metric
    return np.array(
        [
            objective.loss_error(
                t.evaluation.metrics[name], t.evaluation.sems.get(name, 0.0)
            )
            for t in trials
            if t.evaluation
        ]
    )


def _constraint_models(
    problem: Problem, trials: Sequence[Trial], cube: Cube
) -> list[Model]:
    """Of the metrics that are bounded without voiding anything."""
    features = features_of(trials, cube)
    found = []
    for column, constraint in enumerate(problem.constraints):
        if constraint.voids:
            continue
        violations = problem.violations(trials)[:, column]
        errors = np.array(
            [
                t.evaluation.sems.get(constraint.metric, 0.0)
                for t in trials
                if t.evaluation
            ]
        )
        process = _process(features, violations, errors, cube)
        found.append(_axis_model(process, constraint, "constraint", len(trials)))
    return found


def _edge_models(problem: Problem, history: History) -> list[Model]:
    constraints = edge_constraints(problem)
    if not constraints or not any(is_beyond(constraints, history)):
        return []
    edge = EdgeModel(problem, history, constraints)
    return [
        Model(
            name=f"P({beyond_word(constraints)})",
            kind="probability",
            unit="",
            log=False,
            trials=len(history.done),
            predict=lambda points: edge.probability(points)[None],
        )
    ]


def _axis_model(
    process: Callable[[Floats], tuple[Floats, Floats]],
    axis: Objective | Constraint,
    kind: str,
    trials: int,
) -> Model:
    """A process of losses or violations as a model in natural units."""
    if isinstance(axis, Objective):
        value, log = axis.value, axis.scale == "log"
    else:
        upper, log = axis.upper, False

        def value(loss: float) -> float:
            return loss + upper

    def predict(points: Floats) -> Floats:
        means, sds = process(points)
        losses = np.stack([means, means - SDS * sds, means + SDS * sds])
        if log:
            losses = losses.clip(-_MOST_DECADES, _MOST_DECADES)
        natural = np.vectorize(value, otypes=[float])(losses)
        return np.stack([natural[0], natural[1:].min(0), natural[1:].max(0)])

    return Model(
        name=axis.metric,
        kind=kind,
        unit=axis.unit,
        log=log,
        trials=trials,
        predict=predict,
    )


def _process(
    features: Floats, values: Floats, errors: Floats, cube: Cube
) -> Callable[[Floats], tuple[Floats, Floats]]:
    """A Gaussian process of some values; its means and standard deviations at points.

    The deviations are those of the expected value, without the noise of a training.
    """
    largest = float(np.abs(values).max())
    scale = largest if largest > _LARGEST else 1.0
    values, errors = values / scale, errors / scale
    mean, sd = float(values.mean()), float(values.std()) or 1.0
    block = Block(
        points=features,
        values=((values - mean) / sd)[:, None],
        zeros=np.zeros(1),
        variances=((errors / sd) ** 2)[:, None],
        log_stretch=np.zeros((len(values), 1)),
        outcome=np.zeros(1, dtype=np.intp),
        far=np.zeros(1, dtype=bool),
    )
    hyper = fit(
        block,
        0,
        cube.parameter_of,
        [default_hyper(cube.dim, _NOISE_SHARE)],
        _NOISE_SHARE,
    )
    gp = Gp.of(block, 0, hyper, cube.parameter_of)

    def predict(points: Floats) -> tuple[Floats, Floats]:
        means, variances = [], []
        for start in range(0, len(points), _CHUNK):
            snapped, active = cube.snapped(points[start : start + _CHUNK])
            seen = gp.marginal(cube.features(snapped, active))
            means.append(seen[0])
            variances.append(seen[1])
        return (
            scale * (mean + sd * np.concatenate(means)),
            scale * sd * np.sqrt(np.concatenate(variances)),
        )

    return predict
