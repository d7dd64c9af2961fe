"""A study's trials as JSON, nothing left out.

Knows: problems, histories. Must not know: files, study folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moosnn.confirmation import Confirmed, confirmed
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.trial import Trial


def study_json(
    problem: Problem, history: History, standings: Mapping[int, str]
) -> dict[str, Any]:
    """The front and every trial.

    Args:
        problem: of the study.
        history: of the study.
        standings: what became of every trial.

    Returns:
        ``front``: ``numbers``, ``hypervolume``. ``trials``, each with ``number``,
        ``status``, ``standing``, ``origin``, ``seed``, ``seen``, ``repeats``,
        ``attempts``; ``params``, with ``None`` where inactive; ``evaluation``
        (``metrics``, ``sems``, ``stopped``, ``seconds``, ``training_s``, ``device``) or
        ``None``; ``failure`` (``kind``, ``message``, ``log``) or ``None``; ``test``,
        the retrainings, or ``None``; ``events``, what happened when: ``event``,
        ``attempt``, ``time`` in seconds since 1970, and what a training reported or
        why an attempt was repeated.
    """
    front, tests = front_of(problem, history.done), confirmed(history)
    return {
        "front": {
            "numbers": list(front.numbers),
            "hypervolume": float(front.hypervolume),
        },
        "trials": [
            {
                **_trial_json(problem, trial, tests.get(trial.number)),
                "standing": str(standings[trial.number]),
                "events": [_event(e) for e in history.of_number(trial.number)],
            }
            for trial in history.trials
        ],
    }


def _trial_json(
    problem: Problem, trial: Trial, test: Confirmed | None
) -> dict[str, Any]:
    active = problem.space.active(trial.proposal.params)
    return {
        **trial.proposal.to_json(),
        "params": {name: active.get(name) for name in problem.space},
        "status": str(trial.status),
        "attempts": trial.attempt,
        "evaluation": trial.evaluation.to_json() if trial.evaluation else None,
        "failure": trial.failure.to_json() if trial.failure else None,
        "test": _test_json(test) if test else None,
    }


def _test_json(test: Confirmed) -> dict[str, Any]:
    return {
        "evaluations": [one.to_json() for one in test.evaluations],
        "failures": [one.to_json() for one in test.failures],
    }


def _event(event: Event) -> dict[str, Any]:
    """What an event says that the trial itself does not."""
    brief = {"event": str(event.kind), "attempt": event.attempt, "time": event.time}
    if event.kind in (Kind.REPORTED, Kind.RETRIED):
        return brief | dict(event.data)
    if event.kind in (Kind.CONFIRMING, Kind.CONFIRMED):
        return brief | {"replicate": event.data.get("replicate")}
    return brief
