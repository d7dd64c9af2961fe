"""What a study's first results say about its config, told once.

Knows: problems and histories. Must not know: terminals, how a study is run.

A reference that nothing reaches, or a constraint that forbids what works, costs a whole
study unless somebody says so early.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.points import points_of
from moosnn.tracking.summary import number_text
from moosnn.trial import Trial

# So many ended trials are a first look: an initial design, and a little more.
FIRST_LOOK = 20
TOO_FEW = 10  # to judge, however short the study
SILENT_FRACTION = "silent_fraction"  # as tasks with spikes call it
_OFTEN = 100  # looks while the number of trials grows by a factor e
# A larger share of infeasible trials is suspicious, if it holds the best one.
MOSTLY = 0.9

Judgement = Callable[[Problem, History], str | None]


def unreached_reference(problem: Problem, history: History) -> str | None:
    """Says so if nothing feasible is better than the reference in every objective.

    Then the hypervolume is 0, and says nothing about which trial is better.
    """
    front = front_of(problem, history.done)
    if not len(front) or front.hypervolume > 0:
        return None
    losses = list(zip(*front.losses, strict=True))
    parts = [
        f"{o.metric} {number_text(o.reference)} (best: "
        f"{number_text(o.value(min(losses[i])))})"
        for i, o in enumerate(problem.objectives)
    ]
    return (
        "none of the first trials is better than the reference in every objective: "
        f"{', '.join(parts)}; the hypervolume stays 0 until one is. If it asks too "
        "much, mend problem.objectives: reference."
    )


def suspicious_constraint(problem: Problem, history: History) -> str | None:
    """Says so if nearly all trials are infeasible and one of them is the best.

    By the first objective, wherever it was measured; the best feasible trial may be
    none at all.
    """
    objective = problem.objectives[0]
    done = history.done
    infeasible = [t for t in done if _violated(problem, t)]
    if len(infeasible) <= MOSTLY * len(done):
        return None

    theirs = _best(objective, infeasible)
    ours = _best(objective, [t for t in done if problem.is_feasible(t)])
    if theirs is None:
        return None
    value = _value(theirs, objective.metric)
    assert value is not None
    other = "there is no feasible one"
    if ours is not None:
        reached = _value(ours, objective.metric)
        assert reached is not None
        if objective.loss(reached) <= objective.loss(value):
            return None
        other = f"the best feasible one has {number_text(reached)}"
    constraint = _most_violated(problem, infeasible)
    index = problem.constraints.index(constraint)
    return (
        f"{len(infeasible)} of {len(done)} trials violate a constraint, yet trial "
        f"{theirs.number} among them has {objective.metric} {number_text(value)} "
        f"({other}): the constraint may be mis-set. Look at problem.constraints"
        f"[{index}]: {{metric: {constraint.metric}, upper: {constraint.upper:g}}}."
    )


def rewarded_silence(problem: Problem, history: History) -> str | None:
    """Says so if a silent network is on the front, for want of a constraint."""
    # The mean of a point's trials is no larger than the largest of them.
    if not any((_value(t, SILENT_FRACTION) or 0.0) > MOSTLY for t in history.done):
        return None
    for number, trial in _front(problem, history).items():
        silent = _value(trial, SILENT_FRACTION)
        if silent is not None and silent > MOSTLY:
            return (
                f"trial {number} is on the front and silent for {silent:.0%} of the "
                "samples: no constraint forbids it. Add {metric: silence_margin, "
                "upper: 0, voids: true} to problem.constraints."
            )
    return None


def _front(problem: Problem, history: History) -> dict[int, Trial]:
    """Its members by number."""
    points = {trial.number: trial for trial in points_of(problem, history).trials}
    front = front_of(problem, list(points.values()))
    return {number: points[number] for number in front.numbers}


def _best(objective: Objective, trials: list[Trial]) -> Trial | None:
    """By one objective, of the trials that were trained to the end."""
    measured = {
        trial.number: objective.loss(value)
        for trial in trials
        if (value := _value(trial, objective.metric)) is not None
        and trial.evaluation is not None
        and trial.evaluation.stopped is None
    }
    return min(
        (t for t in trials if t.number in measured),
        key=lambda t: measured[t.number],
        default=None,
    )


def _violated(problem: Problem, trial: Trial) -> list[Constraint]:
    evaluation = trial.evaluation
    if evaluation is None:
        return []
    return [
        c for c in problem.constraints if c.violation(evaluation.metrics[c.metric]) > 0
    ]


def _most_violated(problem: Problem, trials: list[Trial]) -> Constraint:
    violated = [c for t in trials for c in _violated(problem, t)]
    return max(problem.constraints, key=violated.count)


def _value(trial: Trial, metric: str) -> float | None:
    return None if trial.evaluation is None else trial.evaluation.metrics.get(metric)


class Advice:
    """Prints each judgement that holds, once a study."""

    def __init__(self, *, problem: Problem, budget: int) -> None:
        """Prepare.

        Args:
            problem: says what is wanted.
            budget: of the study; a shorter one than `FIRST_LOOK` is judged at its end.
        """
        self._problem = problem
        self._least = min(FIRST_LOOK, max(TOO_FEW, budget))
        self._silent: list[Judgement] = [
            unreached_reference,
            suspicious_constraint,
            rewarded_silence,
        ]

    def on_event(self, event: Event, history: History) -> None:
        """Judge, once enough trials have ended."""
        if event.kind is Kind.OPENED:
            self._told(history)  # by an earlier driver
        elif event.kind in (Kind.FINISHED, Kind.FAILED, Kind.CORRECTED):
            for text in self._told(history):
                print(f"moosnn: note: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left to say."""

    def _told(self, history: History) -> list[str]:
        ended = len(history.done) + len(history.failed)
        if ended < self._least:
            return []
        # Each look is at all trials: of many not after every one of them.
        self._least = ended + 1 + ended // _OFTEN
        found = {j: j(self._problem, history) for j in self._silent}
        # The reference is judged by the first look alone: the rest is up to the search.
        self._silent = [
            j
            for j, text in found.items()
            if text is None and j is not unreached_reference
        ]
        return [text for text in found.values() if text is not None]
