"""What was known of each point after every ended trial, where points are repeated.

Knows: histories, how trials of one point are merged. Must not know: how a hypervolume
is computed or drawn.

A study's front judges a point by its mean, and the mean moves with every seed that
ends. The path of the hypervolume is made of the means of the time, not of the last.
"""

from __future__ import annotations

from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.pooling import Key, key_of, pooled
from moosnn.problem import Problem
from moosnn.tracking.page.plain import plain
from moosnn.trial import Trial

# Ended trials so far, the number of a point's first trial, the values of its objectives
# or None while it is not feasible.
Step = tuple[int, int, list[float | int | None] | None]


def steps_json(problem: Problem, history: History) -> list[Step] | None:
    """What the points were known to be, step by step.

    Args:
        problem: of the study.
        history: of it.

    Returns:
        A step for each ended trial that was evaluated, in their order; ``None`` if no
        point was measured twice, since then the trials themselves tell it.
    """
    done = history.done
    first: dict[Key, int] = {}
    for trial in done:
        key = key_of(trial)
        first[key] = min(first.get(key, trial.number), trial.number)
    if len(first) == len(done):
        return None
    members: dict[Key, list[Trial]] = {}
    found: list[Step] = []
    ended = 0
    for event in history:
        if event.kind in (Kind.FINISHED, Kind.FAILED):
            ended += 1
        if event.kind not in (Kind.FINISHED, Kind.CORRECTED):
            continue
        assert event.number is not None, "it is of a trial"
        trial = history.trial(event.number)
        if trial.evaluation is None:
            continue
        key = key_of(trial)
        members.setdefault(key, []).append(trial)
        found.append((ended, first[key], _values(problem, members[key])))
    return found


def _values(problem: Problem, members: list[Trial]) -> list[float | int | None] | None:
    (point,) = pooled(members, problem)
    evaluation = point.evaluation
    if evaluation is None or not problem.is_feasible(point):
        return None
    return [plain(evaluation.metrics[o.metric]) for o in problem.objectives]
