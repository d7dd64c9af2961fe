"""The points of a study: trials of one point are one, as the front judges them.

Knows: histories, which trials are one point. Must not know: how a point is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moosnn.history import History
from moosnn.pareto.pooling import Key, key_of, pooled
from moosnn.problem import Problem
from moosnn.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What a study has measured, a trial a point.

    Attributes:
        trials: in the order in which the first trial of each point ended; of one that
            was measured several times the first trial, with means and standard errors
            (`pooled`).
        numbers: those of all evaluated trials of a point, ascending, by the number
            that the point has in `trials`.
    """

    trials: tuple[Trial, ...]
    numbers: Mapping[int, tuple[int, ...]]

    def is_repeated(self, trial: Trial) -> bool:
        """Whether one of `trials` was measured several times."""
        return len(self.numbers[trial.number]) > 1

    def sem(self, trial: Trial, metric: str) -> float:
        """The standard error over the seeds; 0 for what was measured with one."""
        if trial.evaluation is None or not self.is_repeated(trial):
            return 0.0
        return trial.evaluation.sems.get(metric, 0.0)


def points_of(problem: Problem, history: History) -> Points:
    """What of a history the front is made of.

    Args:
        problem: says how trials of one point are merged.
        history: what happened.
    """
    done = history.done
    points = tuple(pooled(done, problem))
    if len(points) == len(done):  # no point is there twice
        return Points(trials=points, numbers={t.number: (t.number,) for t in points})
    groups: dict[Key, list[int]] = {}
    for trial in done:
        groups.setdefault(key_of(trial), []).append(trial.number)
    return Points(
        trials=points,
        numbers={min(group): tuple(sorted(group)) for group in groups.values()},
    )
