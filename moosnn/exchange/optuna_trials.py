"""A study's trials as Optuna's.

Knows: what Optuna calls the parts of a trial, which of them its front is made of. Must
not know: files, storages. Optuna is imported when a trial is made.

What Optuna has no word for is decided so that its front is ours:

- COMPLETE, with values, is what was observed. Of a point that was measured several
  times that is the first trial, with the means, as our front has it.
- Whatever else was evaluated (silent, pruned, a repeat) is PRUNED without values. Those
  of a silent network mean nothing, and it would dominate most others; its constraints
  are there, from which TPE learns. Were it COMPLETE, Optuna would leave it out of its
  front as infeasible, but its dashboard (0.21), which does not ask for constraints,
  would call it a best trial and hide members of the front behind it.
- For that reason another infeasible trial is COMPLETE only where some member of the
  front dominates it, and else PRUNED as well.
- A value below the floor of a logarithmic objective is that floor: the search makes no
  difference between the two.
- Constraints are violations, <= 0 where they hold, under the system attribute
  ``constraints``, in the problem's order. Optuna 5 has another form with names, which
  neither Optuna 4 nor its dashboard read; with both forms a constraint counts twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from moosnn.confirmation import Confirmed, confirmed
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.parameters import Choice, Float, Parameter
from moosnn.pareto.dominance import is_dominated
from moosnn.pareto.front import front_of
from moosnn.pareto.pooling import pooled
from moosnn.problem import Floats, Problem
from moosnn.trial import Evaluation, Status, Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

CONSTRAINTS = "constraints"
METRICS = "metrics"  # the user attribute with everything that was measured, as JSON
_TRAINING = "train_"  # what is reported of a training, before the metric's name


def frozen_trials(
    problem: Problem, history: History, standings: Mapping[int, str]
) -> list[FrozenTrial]:
    """Every proposed trial, by number.

    Args:
        problem: of the study.
        history: of the study.
        standings: what became of every trial.
    """
    points = {trial.number: trial for trial in pooled(history.done, problem)}
    losses = front_of(problem, history.done).losses
    front = np.array(losses).reshape(len(losses), len(problem.objectives))
    shown = {n for n, point in points.items() if _may_be_shown(problem, point, front)}
    tests = confirmed(history)
    distributions = {n: distribution(p) for n, p in problem.space.parameters.items()}
    reported = reported_metric(problem, history)
    return [
        _Frozen(
            problem,
            trial,
            points.get(trial.number),
            has_values=trial.number in shown,
        ).built(
            distributions=distributions,
            events=history.of_number(trial.number),
            reported=reported,
            attributes=_attributes(
                problem, trial, standings[trial.number], tests.get(trial.number)
            ),
        )
        for trial in history.trials
    ]


def _may_be_shown(problem: Problem, point: Trial, front: Floats) -> bool:
    """Whether its values put no point before the front, for who sees no constraints."""
    if not problem.is_observed(point):
        return False
    if problem.is_feasible(point):
        return True
    (losses,) = problem.losses([point])
    return is_dominated(losses, front)


def distribution(parameter: Parameter) -> BaseDistribution:
    """What Optuna calls the range of a parameter."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.options)
    if isinstance(parameter, Float):
        # Optuna has no steps on a log scale.
        step = None if parameter.log else parameter.step
        return FloatDistribution(
            parameter.low, parameter.high, log=parameter.log, step=step
        )
    # Nor of integers, where its range ends on a step.
    step = 1 if parameter.log else parameter.step
    return IntDistribution(parameter.low, parameter.high, log=parameter.log, step=step)


def reported_metric(problem: Problem, history: History) -> str | None:
    """The metric whose course during a training Optuna is told; ``None`` = none.

    The first objective that trainings report, or report of the samples they train on.
    """
    told = {
        name for event in history.of_kind(Kind.REPORTED) for name in _reported(event)
    }
    wanted = [
        name for o in problem.objectives for name in (o.metric, _TRAINING + o.metric)
    ]
    return next((name for name in wanted if name in told), None)


def _reported(event: Event) -> Mapping[str, float]:
    metrics: Mapping[str, float] = event.data.get("metrics") or {}
    return metrics


class _Frozen:
    """One trial, and the point that it stands for.

    Args:
        problem: of the study.
        trial: as it was.
        point: that of the study's points whose number is the trial's, if it is one.
        has_values: whether Optuna is told its values.
    """

    def __init__(
        self,
        problem: Problem,
        trial: Trial,
        point: Trial | None,
        *,
        has_values: bool,
    ) -> None:
        self._problem = problem
        self._trial = trial
        self._has_values = has_values
        self._judged = point or trial

    def built(
        self,
        *,
        distributions: Mapping[str, BaseDistribution],
        events: Sequence[Event],
        reported: str | None,
        attributes: dict[str, Any],
    ) -> FrozenTrial:
        """Optuna's trial."""
        from optuna.trial import FrozenTrial

        params = self._problem.space.active(self._trial.proposal.params)
        system: dict[str, Any] = {}
        evaluation = self._judged.evaluation
        if evaluation is not None:
            system[CONSTRAINTS] = self._violations(evaluation)
        state = self._state(events)
        if state.name == "WAITING":  # as Optuna's own enqueued ones
            system["fixed_params"], params = params, {}
        start, end = _times(events)
        return FrozenTrial(
            number=self._trial.number,
            trial_id=self._trial.number,
            state=state,
            value=None,
            values=self._values(),
            datetime_start=None if state.name == "WAITING" else start,
            datetime_complete=end if state.is_finished() else None,
            params=params,
            distributions={name: distributions[name] for name in params},
            user_attrs=attributes,
            system_attrs=system,
            intermediate_values=_course(events, self._trial.attempt, reported),
        )

    def _state(self, events: Sequence[Event]) -> Any:  # noqa: ANN401 -- Optuna's enum
        from optuna.trial import TrialState

        if self._trial.status is Status.FAILED:
            return TrialState.FAIL
        if self._trial.status is Status.PENDING:
            begun = any(event.kind is Kind.SUBMITTED for event in events)
            return TrialState.RUNNING if begun else TrialState.WAITING
        return TrialState.PRUNED if self._values() is None else TrialState.COMPLETE

    def _values(self) -> list[float] | None:
        """The objectives where they mean something, of a point once."""
        evaluation = self._judged.evaluation
        if evaluation is None or not self._has_values:
            return None
        return [
            max(value, o.floor) if o.scale == "log" else value
            for o in self._problem.objectives
            for value in [evaluation.metrics[o.metric]]
        ]

    def _violations(self, evaluation: Evaluation) -> list[float]:
        return [
            float(c.violation(evaluation.metrics[c.metric]))
            for c in self._problem.constraints
        ]


def _attributes(
    problem: Problem, trial: Trial, standing: str, test: Confirmed | None
) -> dict[str, Any]:
    """What people ask of a trial beside its values, by name."""
    found: dict[str, Any] = {
        "standing": str(standing),
        "origin": trial.proposal.origin,
        "attempts": trial.attempt,
        "seed": trial.proposal.seed,
    }
    if trial.proposal.repeats is not None:
        found["repeats"] = trial.proposal.repeats
    if trial.failure is not None:
        found["failure"] = trial.failure.kind
        found["message"] = trial.failure.message
    if trial.evaluation is not None:
        found |= _measured(problem, trial.evaluation)
    if test is not None:
        for metric in problem.metrics:
            values = test.values(metric)
            if values:
                found[f"test.{metric}"] = sum(values) / len(values)
    return found


def _measured(problem: Problem, evaluation: Evaluation) -> dict[str, Any]:
    found: dict[str, Any] = {"seconds": evaluation.seconds}
    for metric in problem.metrics:
        if metric in evaluation.metrics:
            found[metric] = evaluation.metrics[metric]
        if metric in evaluation.sems:
            found[f"sem.{metric}"] = evaluation.sems[metric]
    if evaluation.stopped:
        found["stopped"] = evaluation.stopped
    # One attribute: each costs an insertion, and the dashboard shows each as a column.
    found[METRICS] = json.dumps(dict(evaluation.metrics), allow_nan=False)
    return found


def _times(events: Sequence[Event]) -> tuple[datetime, datetime]:
    """When the last attempt began and when the trial ended, by the driver's clock.

    In local time without a zone, as Optuna's own are. A trial without such an event has
    the time of its first or last one.
    """
    begun = [e.time for e in events if e.kind is Kind.SUBMITTED] or [events[0].time]
    ends = (Kind.FINISHED, Kind.FAILED, Kind.CORRECTED)
    ended = [e.time for e in events if e.kind in ends] or [events[-1].time]
    start, end = (datetime.fromtimestamp(times[-1]) for times in (begun, ended))
    return min(start, end), end


def _course(
    events: Sequence[Event], attempt: int, reported: str | None
) -> dict[int, float]:
    """The values of a metric that the last attempt reported, by step."""
    return {
        int(event.data["step"]): float(_reported(event)[reported])
        for event in events
        if event.kind is Kind.REPORTED
        and event.attempt == attempt
        and reported is not None
        and reported in _reported(event)
    }
