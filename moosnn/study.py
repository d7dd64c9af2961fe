"""The asynchronous loop of a study, and nothing else.

Knows: who is asked next (optimizer, executor), what is journaled when, who is told.
Must not know: spikes, networks, acquisition functions, processes, hydra.

Every decision is journaled before it has an effect, so a driver may die between any
two lines: the next one reads the journal and goes on.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moosnn.confirmation import (
    Retraining,
    confirm_proposal,
    most_retrainings,
    unconfirmed,
    unfinished,
)
from moosnn.errors import ConfigError, DataError, StudyBusyError, StudyFolderError
from moosnn.events import Kind
from moosnn.history import CORRECTABLE, History
from moosnn.interruption import Interruption
from moosnn.optimizers.base import Optimizer
from moosnn.pareto.front import Front, front_of
from moosnn.problem import Problem
from moosnn.proposer import Asked, Proposer
from moosnn.pruners.base import Pruner
from moosnn.runtime.attempt import Result, result_to_json
from moosnn.runtime.executors import Ended, Executor, Expected, Report
from moosnn.runtime.journal import Journal
from moosnn.settings import BUDGET, EXHAUSTED, Settings
from moosnn.stop_rules import StopRules
from moosnn.tracking.feed import Feeds
from moosnn.tracking.tracker import Tracker
from moosnn.trial import Evaluation, Failure, Proposal, Status, Trial

# How often a trial is given out again, by what befell it; everything else is final.
RETRIES: Mapping[str, float] = {
    "crashed": 1,
    "out_of_memory": 1,
    "lost": math.inf,
    "preempted": math.inf,
    "data": math.inf,  # once they can be read: the study stops, it is no trial's fault
}
# A study whose first trials all crash is broken, not unlucky.
HOPELESS_CRASHES = 5
_POLL_S = 0.005

Forecast = Callable[[History, Proposal], Expected | None]


def _unknown(_: History, __: Proposal) -> None:
    """A forecast that says nothing."""


class Study:
    """Runs one study to its end, or on from wherever it was left."""

    def __init__(
        self,
        *,
        problem: Problem,
        optimizer: Optimizer,
        executor: Executor,
        journal: Journal,
        trackers: Sequence[Tracker] = (),
        settings: Settings,
        pruner: Pruner | None = None,
        proposer: Asked | None = None,
        forecast: Forecast | None = None,
        interruption: Interruption | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put the parts together; nothing happens before `run`.

        Args:
            problem: what is wanted.
            optimizer: says what to try next.
            executor: runs the trials.
            journal: opened by this driver; its header is already written.
            trackers: are told of every event, each in a thread of its own.
            settings: how far to go.
            pruner: says which running trial ends early; none by default.
            proposer: asks the optimizer; by default in a thread of its own if the
                executor keeps proposals ahead.
            forecast: what an attempt may need, for executors that ask for as much;
                by default they are told nothing.
            interruption: says when to stop early; never by default.
            clock: seconds since 1970, as the journal's.
        """
        self._problem = problem
        self._executor = executor
        self._journal = journal
        self._feeds = Feeds(trackers)
        self._settings = settings
        self._pruner = pruner
        self._forecast: Forecast = forecast or _unknown
        self._interruption = interruption or Interruption()
        self._proposer: Asked = proposer or Proposer(
            problem,
            optimizer,
            settings.seed,
            threaded=executor.ahead > 0,
            limit_s=settings.suggestion_s,
        )
        self._waiting: deque[int] = deque()
        self._given_out: set[tuple[int, int]] = set()  # attempts, by this driver
        # Attempts (number, attempt) that are retrainings; those not yet submitted.
        self._confirming: dict[tuple[int, int], Retraining] = {}
        self._unconfirmed: deque[Retraining] = deque()
        self._retrainings = most_retrainings(settings.confirm, settings.budget)
        self._rules = StopRules(problem, settings, clock)
        self._exhausted = False
        self._enough: str | None = None  # by which rule
        self._ended = 0
        self.late_results = 0

    @property
    def history(self) -> History:
        """Everything so far."""
        return self._journal.history

    def run(self, *, cancel: bool = False) -> Front:
        """Search until the budget is spent, then confirm the front.

        Args:
            cancel: when interrupted, stop what runs instead of leaving it to the next
                driver.

        Returns:
            The front.

        Raises:
            MoosnnError: the disk is full, another driver took over, every trial
                crashes. The journal is right; the same command continues.
            KeyboardInterrupt: it was interrupted; the same.
        """
        self._feeds.open()
        mine = True
        try:
            self._resume()
            self._search()
            self._confirm()
            return self._end()
        except StudyBusyError:
            mine = False  # the workers and their results belong to another driver
            raise
        except OSError as error:
            raise StudyFolderError(
                f"the study folder cannot be written ({error.strerror}: "
                f"{error.filename}); nothing that was journaled is lost: make room or "
                "mend the rights, then give the same command again."
            ) from error
        finally:
            if mine:
                self._executor.close(cancel=cancel)
            self._feeds.close()

    # ---------------------------------------------------------------- resume

    def _resume(self) -> None:
        self._feeds.tell(self.history[-1], self.history)
        pending = self.history.pending
        self._waiting.extend(t.number for t in pending if t.job_id is None)
        submitted = [t for t in pending if t.job_id is not None]
        retrainings = unfinished(self.history, self._settings.seed)
        for retraining, trial in retrainings.items():
            self._confirming[trial.number, trial.attempt] = retraining
        self._executor.attach([*submitted, *retrainings.values()])
        self._ended = len(self.history.done) + len(self.history.failed)

    # ---------------------------------------------------------------- search

    def _search(self) -> None:
        while self._ended < self._settings.budget:
            self._interruption.check()
            self._enough = self._rules.reason(self.history)
            self._executor.expect(self._expected(), later=self._retrainings)
            self._fill()
            if self._is_over():
                return
            self._collect()

    def _is_over(self) -> bool:
        """Whether nothing more is proposed and nothing runs, no suggestion either."""
        if not (self._exhausted or self._enough) or self.history.pending:
            return False
        return self._proposer.ready or not self._proposer.asked

    def _expected(self) -> int:
        """How many more attempts the search gives out, at most, if none is retried."""
        more = 0
        if not (self._exhausted or self._enough):
            more = max(self._settings.budget - self.history.proposals, 0)
        return more + len(self._waiting)

    def _fill(self) -> None:
        """Give every free slot an attempt, and have a proposal made for the next."""
        while True:
            if self._proposer.ready and not self._enough:
                self._take_proposal()
            while self._waiting and self._executor.free() > 0:
                trial = self.history.trial(self._waiting.popleft())
                if trial.status is Status.PENDING:  # else a late result has come
                    self._submit(trial)
            if not self._wants_proposal():
                return
            self._proposer.ask(self.history)
            if not self._proposer.ready:
                return

    def _wants_proposal(self) -> bool:
        wanted = self._executor.free() + self._executor.ahead
        return (
            not self._proposer.asked
            and not self._exhausted
            and not self._enough
            and self.history.proposals < self._settings.budget
            and len(self._waiting) < wanted
        )

    def _take_proposal(self) -> None:
        """Journal a proposal the moment it exists."""
        answer = self._proposer.take()
        if answer.proposal is None:
            self._exhausted = True
            return
        data = {**answer.proposal.to_json(), "seconds": answer.seconds}
        if answer.late:
            data["late"] = True
        number = data.pop("number")
        self._record(Kind.PROPOSED, number, data=data)
        self._waiting.append(number)

    def _submit(self, trial: Trial) -> None:
        """Journaled before it is given out: no attempt is ever given out twice."""
        attempt = self.history.attempts(trial.number) + 1
        job_id = self._executor.reserve(self._forecast(self.history, trial.proposal))
        self._record(Kind.SUBMITTED, trial.number, attempt, {"job_id": job_id})
        self._given_out.add((trial.number, attempt))
        self._executor.submit(trial.proposal, attempt, job_id)

    # ---------------------------------------------------------------- results

    def _collect(self) -> None:
        """Journal what the executor has to tell."""
        happened = self._poll()
        for item in happened:
            if (item.number, item.attempt) in self._confirming:
                if isinstance(item, Ended):
                    self._on_confirmed(item)
            elif isinstance(item, Report):
                self._on_report(item)
            else:
                self._on_ended(item.number, item.attempt, self._checked(item.result))
        if not happened and (self._enough or not self._proposer.ready):
            self._proposer.pause(_POLL_S)

    def _poll(self) -> list[Report | Ended]:
        """An executor that keeps nothing ahead runs its trial here, for as long."""
        if self._executor.ahead:
            return self._executor.poll()
        with self._interruption.at_once():
            return self._executor.poll()

    def _checked(self, result: Result) -> Result:
        """A result that lacks what the problem needs is none."""
        if isinstance(result, Evaluation):
            lack = self._problem.check_evaluation(result)
            if lack:
                return Failure(kind="invalid", message=lack)
        return result

    def _on_report(self, report: Report) -> None:
        trial = self.history.trial(report.number)
        if trial.status is Status.PENDING and trial.attempt == report.attempt:
            data = {"step": report.step, "metrics": dict(report.metrics)}
            self._record(Kind.REPORTED, report.number, report.attempt, data)
            if self._pruner is not None and self._pruner.stops(
                self._problem, self.history, report.number
            ):
                self._executor.stop(report.number)

    def _on_ended(self, number: int, attempt: int, result: Result) -> None:
        """The first valid result of a number wins; a late one may correct a failure."""
        trial = self.history.trial(number)
        data = result_to_json(result)
        if isinstance(result, Evaluation):
            if trial.status is Status.PENDING:
                self._ended += 1
                self._record(Kind.FINISHED, number, attempt, data)
            elif trial.failure is not None and trial.failure.kind in CORRECTABLE:
                self._record(Kind.CORRECTED, number, attempt, data)
            else:
                self.late_results += 1
        elif trial.status is not Status.PENDING or attempt != trial.attempt:
            self.late_results += 1
        else:
            self._on_failure(number, attempt, result)

    def _on_failure(self, number: int, attempt: int, failure: Failure) -> None:
        data = {"failure": failure.to_json()}
        retried = sum(
            event.kind is Kind.RETRIED and event.data["failure"]["kind"] == failure.kind
            for event in self.history.of_number(number)
        )
        if retried < RETRIES.get(failure.kind, 0):
            self._record(Kind.RETRIED, number, attempt, data)
            self._waiting.append(number)
            self._require_data(number, attempt, failure)
        else:
            self._ended += 1
            self._record(Kind.FAILED, number, attempt, data)
            self._require_hope()

    def _require_hope(self) -> None:
        failed = self.history.failed
        if not self.history.done and len(failed) >= HOPELESS_CRASHES:
            kinds = {t.failure.kind for t in failed if t.failure}
            if kinds <= {"crashed", "invalid"}:
                last = failed[-1].failure
                assert last is not None
                where = self._journal.path.parent
                log = f"; see {where / last.log}" if last.log else ""
                raise ConfigError(
                    f"the first {len(failed)} trials all failed, the last one with: "
                    f"{last.message}{log}. Mend the task, then start anew with "
                    "another study_dir=…."
                )

    def _require_data(self, number: int, attempt: int, failure: Failure) -> None:
        """Stop where data cannot be read or kept; the study goes on once they can."""
        # What an earlier driver gave out may have met data that were repaired since.
        if failure.kind == "data" and (number, attempt) in self._given_out:
            raise DataError(failure.message)

    # ---------------------------------------------------------------- confirmation

    def _confirm(self) -> None:
        """Retrain members of the front with new seeds; read the test split once."""
        running = set(self._confirming.values())
        missing = unconfirmed(self._problem, self.history, self._settings.confirm)
        self._unconfirmed = deque(pair for pair in missing if pair not in running)
        while self._unconfirmed or self._confirming:
            self._interruption.check()
            self._executor.expect(len(self._unconfirmed))
            while self._unconfirmed and self._executor.free() > 0:
                self._submit_retraining(self._unconfirmed.popleft())
            self._collect()

    def _submit_retraining(self, retraining: Retraining) -> None:
        number, replicate = retraining
        attempt = self.history.attempts(number) + 1
        proposal = confirm_proposal(self.history, self._settings.seed, retraining)
        job_id = self._executor.reserve(self._forecast(self.history, proposal))
        data = {"replicate": replicate, "seed": proposal.seed, "job_id": job_id}
        self._record(Kind.CONFIRMING, number, attempt, data)
        self._confirming[number, attempt] = retraining
        self._given_out.add((number, attempt))
        self._executor.submit(proposal, attempt, job_id)

    def _on_confirmed(self, ended: Ended) -> None:
        retraining = self._confirming.pop((ended.number, ended.attempt))
        result = self._checked(ended.result)
        if isinstance(result, Failure) and RETRIES.get(result.kind) == math.inf:
            self._unconfirmed.append(retraining)
            self._require_data(ended.number, ended.attempt, result)
            return
        data = {"replicate": retraining[1], **result_to_json(result)}
        self._record(Kind.CONFIRMED, ended.number, ended.attempt, data)

    # ---------------------------------------------------------------- end

    def _end(self) -> Front:
        front = front_of(self._problem, self.history.done)
        if self.history[-1].kind is not Kind.ENDED:
            self._record(
                Kind.ENDED,
                data={
                    "reason": self._reason(),
                    "hypervolume": front.hypervolume,
                    "front": list(front.numbers),
                },
            )
        return front

    def _reason(self) -> str:
        """Why the search ended."""
        if self._ended >= self._settings.budget:
            return BUDGET
        return EXHAUSTED if self._exhausted else self._enough or BUDGET

    def _record(
        self,
        kind: Kind,
        number: int | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        event = self._journal.append(kind, number, attempt, data)
        self._feeds.tell(event, self.history)
