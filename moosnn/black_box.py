"""A function is optimised: one call after the other, and no call is lost.

Knows: how a function is called, when to stop. Must not know: where the history lies,
which point is next.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moosnn.asktell import Search
from moosnn.errors import ConfigError
from moosnn.history import History
from moosnn.pareto.front import Front
from moosnn.plain_input import (
    PlainConstraints,
    PlainObjectives,
    PlainOptimizer,
    PlainSpace,
    require_whole,
)
from moosnn.problem import Problem
from moosnn.runtime.attempt import Result, run_attempt
from moosnn.settings import EXHAUSTED
from moosnn.space import Params
from moosnn.study import HOPELESS_CRASHES
from moosnn.tasks.base import Context
from moosnn.tasks.calls import Function, called
from moosnn.tracking.summary import front_json
from moosnn.trial import Evaluation, Failure, Proposal, Trial

_log = logging.getLogger(__name__)

_HOPELESS = {"crashed", "invalid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimised:
    """What `optimize` found.

    Attributes:
        problem: what was wanted.
        history: everything that happened.
        front: the trials that no other one dominates and that violate no constraint.
    """

    problem: Problem
    history: History
    front: Front

    @property
    def trials(self) -> list[Trial]:
        """Every trial, by number."""
        return self.history.trials

    @property
    def best(self) -> list[dict[str, Any]]:
        """The front for people, see `Search.best`."""
        return front_json(self.problem, self.history)


def optimize(
    function: Function,
    space: PlainSpace,
    objectives: PlainObjectives,
    constraints: PlainConstraints = (),
    *,
    budget: int,
    optimizer: PlainOptimizer = None,
    seed: int = 0,
    folder: Path | str | None = None,
) -> Optimised:
    """Find the front of a function, one call at a time.

    A call that raises, or returns what is no measurement, is a failed trial and the
    search goes on; unless the first five calls all do. For several calls at a time use
    `Search`: any number of its points may be pending.

    Args:
        function: from parameters (a dict with a value for every parameter; that of an
            inactive one counts for nothing) to metrics (a mapping). If it declares a
            parameter ``seed``, it is called with the trial's.
        space: see `Search`, as the next two and ``optimizer``.
        objectives: one or more.
        constraints: any number.
        budget: how many trials end, >= 1, those found in ``folder`` included.
        optimizer: says what to try next.
        seed: of everything random, >= 0.
        folder: where the journal is kept: the same call goes on where it was
            interrupted, or with a larger budget; ``None`` = in memory.

    Returns:
        The front and all trials.

    Raises:
        ConfigError: a mistake in what was given, or the first five calls all failed:
            the last one's exception is its cause.
        StudyBusyError, StudyFolderError, JournalError: as `Search`.
        KeyboardInterrupt: it was interrupted; with ``folder`` nothing is lost.
    """
    if not callable(function):
        raise ConfigError(f"function: expected a function, got {function!r}.")
    budget = require_whole("budget", budget, 1)
    task = _FunctionTask(function)
    with ExitStack() as stack:
        search = stack.enter_context(
            Search(
                space,
                objectives,
                constraints,
                optimizer=optimizer,
                seed=seed,
                folder=folder,
            )
        )
        # Somewhere the attempts need a folder; without one of the user's it is deleted.
        temporary = folder is None
        where = stack.enter_context(tempfile.TemporaryDirectory()) if temporary else ""
        place = Path(folder or where)
        while _ended(search.history) < budget:
            proposal = search.try_ask()
            if proposal is None:
                search.close(reason=EXHAUSTED)
                break
            result = _called(search, task, proposal, place)
            if temporary and isinstance(result, Failure):
                result = replace(result, log=None)
            _tell(search, proposal, result)
            _require_hope(search.history, task, None if temporary else place)
        search.close(reason="budget")
        return Optimised(
            problem=search.problem, history=search.history, front=search.front
        )


def _ended(history: History) -> int:
    return len(history.done) + len(history.failed)


def _called(
    search: Search, task: _FunctionTask, proposal: Proposal, place: Path
) -> Result:
    """What a call gave; a measurement lacks nothing."""
    attempt = search.history.attempts(proposal.number)
    result = run_attempt(task, proposal, place, attempt, lambda *_: False)
    if isinstance(result, Evaluation):
        lack = search.problem.check_evaluation(result)
        if lack:
            told = ", ".join(result.metrics) or "nothing"
            return Failure(kind="invalid", message=f"{lack}; it returned {told}")
    return result


def _tell(search: Search, proposal: Proposal, result: Result) -> None:
    if isinstance(result, Evaluation):
        search.tell(
            proposal,
            result.metrics,
            sems=result.sems,
            stopped=result.stopped,
            seconds=result.seconds,
        )
        return
    _log.warning("trial %d: %s: %s", proposal.number, result.kind, result.message)
    search.tell_failure(proposal, result.kind, result.message, log=result.log)


def _require_hope(history: History, task: _FunctionTask, folder: Path | None) -> None:
    """Refuse to go on with a function that fails always.

    Raises:
        ConfigError: the first trials all crashed.
    """
    kinds = [t.failure.kind for t in history.failed if t.failure]
    if history.done or len(kinds) < HOPELESS_CRASHES or not set(kinds) <= _HOPELESS:
        return
    last = history.failed[-1].failure
    assert last is not None
    message = last.message.rstrip(".")
    where = f"; see {folder / last.log}" if folder and last.log else ""
    anew = " with another folder" if folder else ""
    raise ConfigError(
        f"optimize: the first {len(kinds)} calls all failed, the last one with: "
        f"{message}{where}. Mend the function, then start anew{anew}."
    ) from task.error


class _FunctionTask:
    """A function as a task.

    Attributes:
        error: what the last call raised, or ``None``.
    """

    metrics: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    parameters: frozenset[str] | None = None

    def __init__(self, function: Function) -> None:
        self._function = function
        self.error: BaseException | None = None

    def check(self, params: Params) -> None:
        """Any point may be tried."""

    def refusal(self, params: Params) -> str | None:
        """Nothing is refused."""

    def fingerprint(self) -> Mapping[str, str]:
        """What a function depends on nobody knows."""
        return {}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Call it."""
        self.error = None
        try:
            return called(self._function, proposal.params, proposal, context)
        except BaseException as error:
            self.error = error
            raise

    confirm = evaluate
