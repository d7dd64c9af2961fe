"""What may be told about a trial, and what it means.

Knows: which trials there are, what the problem needs of them. Must not know: where the
history lies, who tells.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from moosnn.errors import ConfigError, DivergedError, nearest
from moosnn.events import Kind
from moosnn.history import CORRECTABLE, History
from moosnn.plain_input import whole
from moosnn.problem import Problem
from moosnn.runtime.attempt import Result
from moosnn.tasks.calls import plain_numbers
from moosnn.trial import FAILURE_KINDS, Evaluation, Failure, Proposal, Status


def number_of(where: str, history: History, proposal: Proposal | int) -> int:
    """The number of the trial that is meant.

    Args:
        where: what was called, for messages.
        history: everything so far.
        proposal: of this history, or its number.

    Raises:
        ConfigError: there is no such trial, or it is another point.
    """
    given = proposal.number if isinstance(proposal, Proposal) else whole(proposal)
    if given is None:
        raise ConfigError(
            f"{where}: expected a proposal or its number, got {proposal!r}."
        )
    asked = history.proposals
    if not 0 <= given < asked:
        known = f"0 to {asked - 1} were" if asked else "none was"
        raise ConfigError(
            f"{where}: trial {given} was never asked for; {known} so far."
        )
    if isinstance(proposal, Proposal) and proposal != history.trial(given).proposal:
        raise ConfigError(
            f"{where}: trial {given} is another point in this search; was it asked for "
            "in another one?"
        )
    return given


def result_from(
    where: str,
    metrics: Mapping[str, Any],
    *,
    sems: Mapping[str, Any],
    stopped: str | None,
    seconds: float,
) -> Result:
    """What plain metrics say: an evaluation, or a failure if one is not finite.

    Args:
        where: whose they are, for messages.
        metrics: natural units.
        sems: standard errors of some of them.
        stopped: why the trial ended early, or ``None``.
        seconds: how long it took.

    Raises:
        ConfigError: something is no number, or a standard error of nothing.
    """
    for name, numbers in (("metrics", metrics), ("sems", sems)):
        if not isinstance(numbers, Mapping):
            raise ConfigError(
                f"{where}: {name}: expected a mapping, e.g. {{'loss': 0.5}}, got "
                f"{reprlib.repr(numbers)}."
            )
    try:
        return Evaluation(
            metrics=plain_numbers(metrics),
            sems=plain_numbers(sems),
            stopped=stopped,
            seconds=seconds,
        )
    except DivergedError as error:
        return Failure(kind="diverged", message=str(error))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def failure_from(where: str, kind: str, message: str, log: str | None) -> Failure:
    """A failure of a kind that exists.

    Raises:
        ConfigError: with the nearest kind; or the message or the log is no text.
    """
    if kind not in FAILURE_KINDS:
        hint = nearest(str(kind), FAILURE_KINDS)
        raise ConfigError(f"{where}: got the kind {kind!r}.{hint}")
    if not isinstance(message, str):
        raise ConfigError(f"{where}: message: expected text, got {message!r}.")
    if log is not None and not isinstance(log, str):
        raise ConfigError(f"{where}: log: expected text or None, got {log!r}.")
    return Failure(kind=kind, message=message, log=log)


def kind_of_end(
    where: str, problem: Problem, history: History, number: int, result: Result
) -> Kind:
    """Which event a result of a trial is.

    Args:
        where: what was called, for messages.
        problem: what has to be measured.
        history: everything so far.
        number: of the trial.
        result: what is told.

    Returns:
        ``finished`` or ``failed``; ``corrected`` for a measurement that comes after a
        failure that was not the trial's fault.

    Raises:
        ConfigError: the trial had ended before, or a metric is missing.
    """
    trial = history.trial(number)
    late = trial.failure is not None and trial.failure.kind in CORRECTABLE
    measured = isinstance(result, Evaluation)
    if trial.status is not Status.PENDING and not (late and measured):
        raise ConfigError(
            f"{where}: trial {number} was told about before: it is {trial.status}."
        )
    if not isinstance(result, Evaluation):
        return Kind.FAILED
    lack = problem.check_evaluation(result)
    if lack:
        told = ", ".join(result.metrics) or "nothing"
        raise ConfigError(f"{where}: trial {number}: {lack}; got {told}.")
    return Kind.CORRECTED if late else Kind.FINISHED
