"""Trials of one point, trained with several seeds, as one trial. Knows numbers only.

A front of single measurements rewards lucky seeds. A point that was measured again is
judged by its mean, and how well that is known is told by its standard error.

.. [Smyth2004] G. K. Smyth. Linear Models and Empirical Bayes Methods for Assessing
   Differential Expression in Microarray Experiments. Statistical Applications in
   Genetics and Molecular Biology 3(1), 2004 (the moderated variance, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from moosnn.problem import Objective, Problem
from moosnn.trial import Evaluation, Trial

# How many degrees of freedom the variance of all points weighs against a point's own:
# two seeds alone say next to nothing about a variance.
PRIOR_DEGREES = 4

Key = tuple[tuple[str, object], ...]


def key_of(trial: Trial) -> Key:
    """The same for trials of one point, and hashable."""
    return tuple(trial.proposal.params.items())


def pooled(trials: Sequence[Trial], problem: Problem) -> list[Trial]:
    """Merge the evaluated trials that have the same point.

    A merged trial is that with the lowest number, in the place of the first one, with
    another evaluation:

    - A metric that a constraint names is the mean over all members; any other one the
      mean over the members whose objectives mean something, else over those that
      measured it. So a seed that falls silent counts against the constraint, and does
      not make the network look quiet.
    - ``stopped`` is that of the first stopped member if no member has objectives. If
      some have, the mean of the constraint decides what the point is.
    - A training that was pruned counts only if all were.
    - The standard error of a metric measured ``k >= 2`` times is ``s / sqrt(k)`` with
      [Smyth2004]_'s moderated variance
      ``s^2 = (d_0 s_0^2 + sum_i (x_i - mean)^2) / (d_0 + k - 1)``, where ``s_0^2`` is
      the variance within all points together and ``d_0`` = `PRIOR_DEGREES`. An
      objective on a log scale has its variances on that scale and its error brought
      back to first order, because networks of 10 and of 10,000 spikes share no
      variance in spikes. A metric measured once keeps the error that its task told.

    Args:
        trials: of any status; those without an evaluation stay as they are.
        problem: says what is a constraint, and which objectives mean something.

    Returns:
        A trial a point; the same list, trial by trial, if no point is there twice.
    """
    members: dict[Key, list[Trial]] = {}
    for trial in trials:
        if trial.evaluation is not None:
            members.setdefault(key_of(trial), []).append(trial)
    groups = {
        key: _Group(group, problem) for key, group in members.items() if len(group) > 1
    }
    if not groups:
        return list(trials)
    variances = _variances(list(groups.values()), problem)
    merged: list[Trial] = []
    for trial in trials:
        key = key_of(trial)
        if trial.evaluation is None or len(members[key]) == 1:
            merged.append(trial)
        elif key in groups:
            merged.append(groups.pop(key).merged(variances))
    return merged


@dataclass(frozen=True, slots=True)
class _Variances:
    """The variance of each metric within all points, on its objective's scale."""

    axes: Mapping[str, Objective]
    values: Mapping[str, float]

    def sem(self, metric: str, values: Sequence[float]) -> float:
        """The standard error of the mean of two or more values, natural unit."""
        axis, count = self.axes.get(metric), len(values)
        spread = PRIOR_DEGREES * self.values[metric] + _squares(values, axis)
        sem = math.sqrt(spread / (PRIOR_DEGREES + count - 1) / count)
        if axis is None:
            return sem
        return sem * math.log(10) * max(fmean(values), axis.floor)


def _variances(groups: Sequence[_Group], problem: Problem) -> _Variances:
    axes = {o.metric: o for o in problem.objectives if o.scale == "log"}
    squares: dict[str, float] = {}
    degrees: dict[str, int] = {}
    for group in groups:
        for metric, values in group.values.items():
            more = _squares(values, axes.get(metric))
            squares[metric] = squares.get(metric, 0.0) + more
            degrees[metric] = degrees.get(metric, 0) + len(values) - 1
    means = {m: squares[m] / degrees[m] if degrees[m] else 0.0 for m in squares}
    return _Variances(axes, means)


def _squares(values: Sequence[float], axis: Objective | None) -> float:
    """The sum of squared deviations from the mean, on the scale of an axis."""
    scaled = values if axis is None else [axis.loss(value) for value in values]
    mean = fmean(scaled)
    return math.fsum((value - mean) ** 2 for value in scaled)


class _Group:
    """The evaluated trials of one point, and the values of each metric that count."""

    def __init__(self, trials: Sequence[Trial], problem: Problem) -> None:
        self._first = min(trials, key=lambda trial: trial.number)
        self._all = [(t, t.evaluation) for t in trials if t.evaluation is not None]
        whole = [pair for pair in self._all if pair[1].stopped != "pruned"]
        self._members = whole or self._all
        observed = [e for t, e in self._members if problem.is_observed(t)]
        self._is_observed = bool(observed)
        named = {constraint.metric for constraint in problem.constraints}
        everyone = [e for _, e in self._members]
        self.values: dict[str, list[float]] = {}
        for metric in dict.fromkeys(m for e in everyone for m in e.metrics):
            counted = everyone if metric in named else observed or everyone
            values = [e.metrics[metric] for e in counted if metric in e.metrics]
            if values:
                self.values[metric] = values

    def merged(self, variances: _Variances) -> Trial:
        """The one trial that they are."""
        evaluations = [e for _, e in self._members]
        trained = [e.training_s for e in evaluations if e.training_s is not None]
        sems = {m: s for e in evaluations for m, s in e.sems.items()}
        for metric, values in self.values.items():
            if len(values) > 1:
                sems[metric] = variances.sem(metric, values)
        stops = [e.stopped for e in evaluations if e.stopped]
        evaluation = Evaluation(
            metrics={m: fmean(v) for m, v in self.values.items()},
            sems={m: s for m, s in sems.items() if m in self.values},
            stopped=None if self._is_observed or not stops else stops[0],
            seconds=fmean(e.seconds for e in evaluations),
            training_s=fmean(trained) if trained else None,
            device=evaluations[0].device,
        )
        return replace(self._first, evaluation=evaluation)
