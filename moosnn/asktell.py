"""Ask for a point, tell what became of it: a search for people with their own loop.

Knows: which question is journaled when, what may be told. Must not know: how a point
is evaluated, where the history lies.

It is the study's own machinery turned inside out: the same proposals, the same journal,
the same rules for what is data and what is a failure.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moosnn.errors import ConfigError, SpaceError
from moosnn.events import Kind
from moosnn.history import History
from moosnn.logbook import open_logbook
from moosnn.pareto.front import Front, front_of
from moosnn.plain_input import (
    PlainConstraints,
    PlainObjectives,
    PlainOptimizer,
    PlainSpace,
    optimizer_from,
    problem_from,
    require_whole,
)
from moosnn.proposer import THREADS
from moosnn.runtime.attempt import Result, result_to_json
from moosnn.runtime.header import header
from moosnn.telling import failure_from, kind_of_end, number_of, result_from
from moosnn.threads import single_threaded
from moosnn.tracking.summary import front_json
from moosnn.trial import Proposal, Status, Trial

_JOB = "ask"  # whoever asked has the trial


class Search:
    """Proposes points and learns from what it is told about them.

    Any number of points may be pending at once: those that have not been told about
    are conditioned upon. It may be used from several threads.

    Args:
        space: a `Space`, or the mapping of a YAML space, e.g.
            ``{"lr": {"float": [1e-4, 1e-1], "log": True}}``.
        objectives: one or more, each an `Objective` or a mapping of its fields.
        constraints: any number, each a `Constraint` or a mapping of its fields.
        optimizer: ``None`` = the default of the command line; the name of another one,
            e.g. ``"nsga2"``; a mapping with its ``_target_`` and settings; or an
            optimizer itself, of which a folder records the class alone.
        seed: of everything random, >= 0.
        folder: where the journal is kept, so that a search that was killed goes on;
            ``None`` = in memory.

    Raises:
        ConfigError: a mistake in what was given.
        StudyBusyError: somebody else holds the folder.
        StudyFolderError: the folder cannot be read or written.
        JournalError: the folder's journal is damaged, or that of another search.
    """

    def __init__(
        self,
        space: PlainSpace,
        objectives: PlainObjectives,
        constraints: PlainConstraints = (),
        *,
        optimizer: PlainOptimizer = None,
        seed: int = 0,
        folder: Path | str | None = None,
    ) -> None:
        seed = require_whole("seed", seed, 0)
        self.problem = problem_from(space, objectives, constraints)
        self._optimizer, spelled = optimizer_from(optimizer)
        self._seed = seed
        config = {
            "task": {},  # whoever asks is the task
            "space": self.problem.space.to_config(),
            "problem": self.problem.to_config(),
            "optimizer": spelled,
            "seed": seed,
        }
        self._book = open_logbook(folder, header(config, {}, THREADS))
        # An abandoned search, and a program that ends, give the folder back as well.
        self._release = weakref.finalize(self, self._book.close)
        self._waiting = deque(trial.number for trial in self.history.pending)
        self._asked_s: dict[int, float] = {}
        self._lock = threading.RLock()

    # ---------------------------------------------------------------- what is known

    @property
    def history(self) -> History:
        """Everything so far: ``history.done``, ``.failed``, ``.pending``."""
        return self._book.history

    @property
    def front(self) -> Front:
        """The trials that no other one dominates and that violate no constraint."""
        return front_of(self.problem, self.history.done)

    @property
    def best(self) -> list[dict[str, Any]]:
        """The front for people, by ascending first loss.

        A mapping a member: ``number``, ``params`` (the active ones), ``metrics``,
        ``test`` (always ``None`` here), ``trials`` (the numbers of all trials of the
        point, of which the metrics are the means) and ``sems`` (standard errors of
        metrics where they are known), as `front_json` has them.
        """
        return front_json(self.problem, self.history)

    @property
    def pending(self) -> list[Proposal]:
        """What was asked for and not told about yet, by number."""
        return [trial.proposal for trial in self.history.pending]

    # ---------------------------------------------------------------- ask

    def ask(self) -> Proposal:
        """The next point to try.

        After a folder was opened again, first what was pending when it was left.

        Returns:
            Its ``number``, ``params`` (a value for every parameter; that of an inactive
            one counts for nothing) and a ``seed`` for whatever is random in the trial.

        Raises:
            SpaceError: the space holds no further point that may be tried.
            ConfigError: the search was closed.
            StudyBusyError, StudyFolderError: the folder was taken over, or is full.
        """
        found = self.try_ask()
        if found is None:
            raise SpaceError("ask: the space holds no further point to try.")
        return found

    def try_ask(self) -> Proposal | None:
        """As `ask`; ``None`` once the space holds no further point."""
        with self._lock:
            self._require_open("ask")
            if not self._waits() and not self._propose():
                return None
            number = self._waiting[0]
            attempt = self.history.attempts(number) + 1
            self._book.append(Kind.SUBMITTED, number, attempt, {"job_id": _JOB})
            self._waiting.popleft()
            self._asked_s[number] = time.perf_counter()
            return self.history.trial(number).proposal

    def _waits(self) -> bool:
        """Whether a pending trial waits to be asked for, by whoever left it behind."""
        while self._waiting:
            if self.history.trial(self._waiting[0]).status is Status.PENDING:
                return True
            self._waiting.popleft()  # somebody told about it all the same
        return False

    def _propose(self) -> bool:
        """Journal a new proposal; whether there is any further."""
        start = time.perf_counter()
        with single_threaded():
            found = self._optimizer.propose(self.problem, self.history, 1, self._seed)
        if not found:
            return False
        data = found[0].to_json()
        number = data.pop("number")
        seconds = time.perf_counter() - start
        self._book.append(Kind.PROPOSED, number, data={**data, "seconds": seconds})
        self._waiting.append(number)
        return True

    # ---------------------------------------------------------------- tell

    def tell(
        self,
        proposal: Proposal | int,
        metrics: Mapping[str, float],
        *,
        sems: Mapping[str, float] | None = None,
        stopped: str | None = None,
        seconds: float | None = None,
    ) -> Trial:
        """Say what was measured.

        Args:
            proposal: what `ask` gave, or its number.
            metrics: natural units; those of the problem, and any others to be kept.
            sems: standard errors of those metrics whose error is known, >= 0.
            stopped: ``"silent"`` or ``"pruned"`` if the trial was ended early: then the
                objectives may be missing, the constraints' metrics never.
            seconds: how long it took; ``None`` = since it was asked for.

        Returns:
            What became of the trial: done, or failed as ``diverged`` if a metric or a
            standard error is not finite, so that a NaN never enters a model.

        Raises:
            ConfigError: the number was never asked for or was told about before, a
                metric is missing or no number. Nothing is recorded then.
            StudyBusyError, StudyFolderError: the folder was taken over, or is full.
        """
        with self._lock:
            number = self._number("tell", proposal)
            if seconds is None:
                now = time.perf_counter()
                seconds = now - self._asked_s.get(number, now)
            result = result_from(
                f"tell: trial {number}",
                metrics,
                sems=sems or {},
                stopped=stopped,
                seconds=seconds,
            )
            return self._end("tell", number, result)

    def tell_failure(
        self,
        proposal: Proposal | int,
        kind: str,
        message: str,
        *,
        log: str | None = None,
    ) -> Trial:
        """Say why nothing was measured; final.

        Args:
            proposal: what `ask` gave, or its number.
            kind: ``diverged``, ``out_of_memory``, ``timeout``, ``invalid`` and
                ``crashed`` keep the search away from such points; ``lost``,
                ``preempted`` and ``data`` teach it nothing.
            message: one line for a person.
            log: where more is told, or ``None``.

        Returns:
            The failed trial.

        Raises:
            ConfigError: as `tell`, or an unknown kind.
        """
        with self._lock:
            number = self._number("tell_failure", proposal)
            failure = failure_from("tell_failure", kind, message, log)
            return self._end("tell_failure", number, failure)

    def _number(self, where: str, proposal: Proposal | int) -> int:
        self._require_open(where)
        return number_of(where, self.history, proposal)

    def _end(self, where: str, number: int, result: Result) -> Trial:
        kind = kind_of_end(where, self.problem, self.history, number, result)
        attempt = max(self.history.attempts(number), 1)
        self._book.append(kind, number, attempt, result_to_json(result))
        self._asked_s.pop(number, None)
        return self.history.trial(number)

    # ---------------------------------------------------------------- end

    def close(self, *, reason: str | None = None) -> None:
        """Give the folder back; harmless if it was before. What was found stays.

        Args:
            reason: journaled as the end of the search, e.g. ``"budget"``; ``None`` =
                it will go on some time.
        """
        with self._lock:
            if not self._release.alive:
                return
            if reason is not None and self.history[-1].kind is not Kind.ENDED:
                front = self.front
                data = {
                    "reason": reason,
                    "hypervolume": front.hypervolume,
                    "front": list(front.numbers),
                }
                self._book.append(Kind.ENDED, data=data)
            self._release()

    def _require_open(self, where: str) -> None:
        if not self._release.alive:
            raise ConfigError(f"{where}: this search was closed; open it again.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
