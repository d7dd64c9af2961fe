"""What pruned trials would have become, as far as their reports tell.

Knows: reports at rungs, and how trials that were not pruned went on from there. Must
not know: models, pruners, why a trial was pruned.

A trial that was pruned has no objectives. Were it left out of the models altogether,
they would never learn that its surroundings are no good, and an acquisition function
would ask for them again and again. But what it reported at its last rung, others
reported too, and of those that went on the end is known. So each loss and violation at
the end is regressed on what was reported at that rung,

    end = a + b report + noise,

and a pruned trial is given what is expected of it, with the variance of that prediction
(ordinary least squares with the usual prior; [Gelman2013]_, section 14.3):

    s^2 (1 + 1 / n + (report - mean)^2 / sum of squares) (n - 2) / (n - 4).

What is expected is never better than the best end that was seen: accuracies saturate,
and a line through them does not. (Without this bound 19 trials in a row were proposed
where a line promised accuracies of 1.01, and pruned.)

This is the autoregressive relation of a cheap and a dear version of one experiment
[Kennedy2000]_ with the rung as the cheap one, and without a process of its own for what
is left. Where early reports tell little the variance is large, and the models learn
little. With four trials or fewer it is infinite, and they learn nothing.

It is for models only: nobody has seen these values, so they are no part of a front, of
a hypervolume or of what others are compared with.

.. [Gelman2013] A. Gelman, J. B. Carlin, H. S. Stern, D. B. Dunson, A. Vehtari,
   D. B. Rubin. Bayesian Data Analysis. 3rd edition, CRC Press, 2013.
.. [Kennedy2000] M. C. Kennedy, A. O'Hagan. Predicting the Output from a Complex
   Computer Code when Fast Approximations Are Available. Biometrika 87(1), 2000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.problem import Floats, Problem
from moosnn.trial import Evaluation, Trial

_FEWEST = 5  # trials of which the end is known: fewer leave no finite variance
_SAME = 1e-9  # standard deviation of reports, relative, below which they are one value

Reports = Mapping[int, Mapping[str, float]]  # by step


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of one pruned trial, axes in the problem's order.

    Attributes:
        trial: that was pruned.
        values: losses or violations at the end, ``m``.
        errors: their standard deviations, ``m``.
    """

    trial: Trial
    values: Floats
    errors: Floats


@dataclass(frozen=True, slots=True)
class Carried:
    """What is expected of the pruned trials of a history, in the order they ended.

    Attributes:
        losses: of those that were not void when they were told to end.
        violations: of all.
    """

    losses: tuple[Expected, ...] = ()
    violations: tuple[Expected, ...] = ()


NOTHING = Carried()


def carried_on(problem: Problem, history: History) -> Carried:
    """What is expected of the pruned trials.

    Nothing of those whose rung fewer than five others have told of, and nothing at all
    where `Problem.fidelity` lets models see pruned trials as what they are.
    """
    done = history.done
    if problem.fidelity is not None or not any(trial.is_pruned for trial in done):
        return NOTHING
    told = [(trial, reports_of(problem, history, trial.number)) for trial in done]
    return Carried(
        losses=tuple(_expected(told, problem.losses)),
        violations=tuple(_expected(told, problem.violations)),
    )


def reports_of(problem: Problem, history: History, number: int) -> Reports:
    """What a trial reported of everything that a problem asks for, by step.

    Of several attempts that came to one step, the last one's.
    """
    return {
        event.data["step"]: {m: event.data["metrics"][m] for m in problem.metrics}
        for event in history.of_number(number)
        if event.kind is Kind.REPORTED
        and all(m in event.data["metrics"] for m in problem.metrics)
    }


def _expected(
    told: Iterable[tuple[Trial, Reports]], measured: Callable[[list[Trial]], Floats]
) -> Iterable[Expected]:
    """What is expected of each pruned trial, by the others at its last rung.

    Args:
        told: every evaluated trial and its reports.
        measured: the values of trials, one row or none each.
    """
    told = list(told)
    relations: dict[int, Relation | None] = {}
    for trial, reports in told:
        if not trial.is_pruned or not reports:
            continue
        step = max(reports)
        report = measured([_ended_at(trial, reports[step])])
        if step not in relations:
            relations[step] = _relation_at(step, told, measured)
        relation = relations[step]
        found = relation and len(report) and relation.predict(report[0])
        if found:
            yield Expected(trial, *found)


def _relation_at(
    step: int,
    told: Iterable[tuple[Trial, Reports]],
    measured: Callable[[list[Trial]], Floats],
) -> Relation | None:
    """How those that went on from a rung ended; ``None`` = too few did."""
    reports, ends = [], []
    for trial, by_step in told:
        if trial.is_pruned or step not in by_step:
            continue
        report, end = measured([_ended_at(trial, by_step[step])]), measured([trial])
        if len(report) and len(end):
            reports.append(report[0])
            ends.append(end[0])
    if len(reports) < _FEWEST:
        return None
    return Relation.of(np.array(reports), np.array(ends))


def _ended_at(trial: Trial, metrics: Mapping[str, float]) -> Trial:
    """A DONE trial, had it ended with a report."""
    return replace(trial, evaluation=Evaluation(metrics=metrics))


@dataclass(frozen=True, slots=True)
class Relation:
    """How values at the end depend on what was reported, each axis on its own.

    Attributes:
        count: of the trials it was learned from, ``n``.
        reports: their mean reports, ``m``.
        ends: their mean values at the end, ``m``.
        best: their smallest values at the end, ``m``.
        slopes: ``m``; 0 where all reports are one value.
        squares: the sums of squared deviations of the reports, ``m``; 0 as before.
        variances: of the noise, ``m``.
    """

    count: int
    reports: Floats
    ends: Floats
    best: Floats
    slopes: Floats
    squares: Floats
    variances: Floats

    @classmethod
    def of(cls, reports: Floats, ends: Floats) -> Relation:
        """The relation of ``n x m`` values at the end to as many reports, n >= 5."""
        count, centre, mean = len(reports), reports.mean(axis=0), ends.mean(axis=0)
        away, beyond = reports - centre, ends - mean
        squares = (away**2).sum(axis=0)
        same = squares <= count * (_SAME * np.maximum(1.0, np.abs(centre))) ** 2
        squares = np.where(same, 0.0, squares)
        slopes = np.where(
            same, 0.0, (away * beyond).sum(axis=0) / np.where(same, 1.0, squares)
        )
        left = ((beyond - slopes * away) ** 2).sum(axis=0)
        best = ends.min(axis=0)
        return cls(count, centre, mean, best, slopes, squares, left / (count - 2))

    def predict(self, report: Floats) -> tuple[Floats, Floats] | None:
        """What is expected at the end, ``m``, and its standard deviations, ``m``.

        ``None`` = the report differs from all others where those are one value.
        """
        away = report - self.reports
        same = self.squares == 0
        if (np.abs(away[same]) > _SAME * np.maximum(1.0, np.abs(report[same]))).any():
            return None
        lever = np.where(same, 0.0, away**2 / np.where(same, 1.0, self.squares))
        heavy = (self.count - 2) / (self.count - 4)  # of Student's distribution
        errors = np.sqrt(self.variances * (1 + 1 / self.count + lever) * heavy)
        return np.maximum(self.ends + self.slopes * away, self.best), errors
