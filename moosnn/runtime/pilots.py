"""Runs trials in workers that are fed through their inboxes, wherever they live.

Knows: workers, messages, which worker holds what. Must not know: objectives,
optimizers, the journal, what a task is, how workers are started (`sites.Site`).

The driver assigns, nobody claims: a message in a worker's inbox belongs to that worker
until its result was handled, so the driver knows at once what a dead worker held. How
a trial ended is told by the outbox; the site is asked only about a worker that is gone
without a word.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from moosnn.errors import StudyFolderError
from moosnn.runtime import files
from moosnn.runtime.attempt import Result
from moosnn.runtime.executors import Ended, Expected, Report
from moosnn.runtime.outbox import Attempt, Outbox
from moosnn.runtime.sites import Site
from moosnn.runtime.workers import Worker
from moosnn.trial import Failure, Proposal, Trial

_START_S = 600.0  # how long a cluster may refuse an attempt's own job
_START_POLL_S = 0.25
_STILLBORN = 5  # so many and none that lived: the installation is broken
_LOST = Failure(kind="lost", message="its worker is gone and left no result")


class Pilots:
    """An `Executor` whose workers take trial after trial."""

    def __init__(
        self,
        folder: Path,
        site: Site,
        *,
        count: int,
        trials: int | None = None,
        sized: bool = False,
    ) -> None:
        """Prepare; nothing is written or started before `attach` or `free`.

        Args:
            folder: the study folder; ``config.yaml`` in it builds the task anew.
            site: where workers run.
            count: of workers, >= 1.
            trials: a worker ends after so many; ``None`` = with the study.
            sized: a worker is started for each attempt, and made to its measure.
        """
        self._folder = folder
        self._site = site
        self._count = count
        self._most = math.inf if trials is None else trials
        self.sized = sized
        self._workers: dict[str, Worker] = {}
        self._outbox = Outbox(folder, site.look_s)
        # Reports and ends of attempts that no worker holds.
        self._adopted: list[Report | Ended] = []
        self._soon = self._later = math.inf
        self._stillborn = 0
        self._any_lived = False  # of the workers that this driver started or adopted

    @property
    def ahead(self) -> int:
        """How many proposals should wait for a worker, so that none waits for one."""
        return max(1, self._count // 4)

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that may be given something, or hold something."""
        return list(self._workers.values())

    # ------------------------------------------------------------ slots

    def expect(self, count: int, later: int = 0) -> None:
        """Start no more workers than that, and end those that nobody will need."""
        self._soon, self._later = count, later

    def free(self) -> int:
        """The workers that can take an attempt; those that are missing are started."""
        if self._on_demand:
            missing = self._count - len(self._workers)
            return missing + len(self._idle())
        self._keep_up()
        return len(self._idle())

    @property
    def _on_demand(self) -> bool:
        """Whether a worker is started only once there is an attempt for it."""
        return self.sized or (self._most == 1 and not self._site.patient)

    def _idle(self) -> list[Worker]:
        """The workers that hold nothing, and live if others may have to wait."""
        return [
            worker
            for worker in self._workers.values()
            if worker.holds is None and (worker.lived or not self._site.patient)
        ]

    def _keep_up(self) -> None:
        """As many workers as are wanted, and no more."""
        holding = sum(worker.holds is not None for worker in self._workers.values())
        wanted = min(self._count, holding + self._soon) - len(self._workers)
        if wanted > 0:
            self._start(int(wanted))
        surplus = len(self._workers) - holding - self._soon - self._later
        if surplus > 0:
            idle = [w for w in self._workers.values() if w.holds is None]
            idle.sort(key=lambda w: w.lived)  # first those that still wait
            self._dismiss(idle[: int(surplus)])

    def _start(self, count: int, expected: Expected | None = None) -> list[Worker]:
        started = self._site.start(count, expected)
        for worker in started:
            worker.left = self._most
            self._workers[worker.name] = worker
        return started

    def _dismiss(self, workers: Sequence[Worker]) -> None:
        """Workers without work end; those that have not begun never will."""
        for worker in workers:
            worker.dismiss()
            del self._workers[worker.name]
        self._site.end([worker for worker in workers if not worker.lived])

    def reserve(self, expected: Expected | None = None) -> str:
        """The name of a worker that holds nothing; of a new one if there is none."""
        waiting = [w for w in self._workers.values() if w.holds is None]
        for worker in (*self._idle(), *waiting):
            return worker.name
        deadline = time.monotonic() + _START_S
        while not (started := self._start(1, expected)):
            if time.monotonic() > deadline:
                raise StudyFolderError(
                    f"{self._folder}: no worker could be started for {_START_S:g} s; "
                    "nothing is lost: give the same command again later."
                )
            time.sleep(_START_POLL_S)
        return started[0].name

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        """Put an attempt into a reserved worker's inbox."""
        name = files.message_name(proposal.number, attempt)
        message = {"proposal": proposal.to_json(), files.TOKEN: uuid.uuid4().hex}
        inbox = self._folder / files.INBOX / job_id
        files.write_json(inbox / name, message, durable=False)
        worker = self._workers[job_id]
        worker.holds = (proposal.number, attempt)
        worker.left -= 1

    # ------------------------------------------------------------ what happens

    def poll(self) -> list[Report | Ended]:
        """Read the outbox; look after the workers."""
        happened, self._adopted = self._adopted, []
        if not happened:  # else what was read is told only now
            self._outbox.delete_read()
        gone = self._site.look(self.workers)
        self._count_stillborn(gone)
        # After: a worker publishes before it dies.
        published = self._outbox.published(at_once=bool(gone))
        for worker in self.workers:
            if worker.holds is not None:
                happened += self._of(worker, published, gone.get(worker.name))
            if worker.name in gone:
                del self._workers[worker.name]
            elif worker.holds is None and worker.left <= 0:
                self._dismiss([worker])
        return happened

    def _of(
        self,
        worker: Worker,
        published: Mapping[Attempt, list[str]],
        gone: Failure | None,
    ) -> list[Report | Ended]:
        """What became of the attempt that a worker holds."""
        assert worker.holds is not None
        number, attempt = worker.holds
        names = published.get(worker.holds, [])
        happened: list[Report | Ended] = [*self._outbox.reports(names)]
        name = files.message_name(number, attempt)
        message = worker.inbox / name
        has_ended = name in names and self._outbox.answers(name, message)
        if has_ended or gone is not None:
            worker.holds = None
            result: Result = gone or _LOST
            if has_ended:
                worker.lived = True
                result = self._outbox.result(name, message)
                if isinstance(result, Failure) and result.kind == "preempted":
                    worker.left = 0  # it makes room
            happened.append(Ended(number=number, attempt=attempt, result=result))
        return happened

    def _count_stillborn(self, gone: Mapping[str, Failure]) -> None:
        """Notice an installation in which no worker ever lives.

        Raises:
            StudyFolderError: worker after worker dies, none ever gave a sign of life.
        """
        self._any_lived = self._any_lived or any(w.lived for w in self.workers)
        ended = [self._workers[name] for name in gone]
        self._stillborn += sum(w.begun and not w.lived for w in ended)
        if gone and self._stillborn >= _STILLBORN and not self._any_lived:
            told = next(iter(gone.values())).message
            raise StudyFolderError(
                f"{self._stillborn} workers ended before they began ({told}); their "
                f"logs are in {self._folder / files.JOBS}."
            )

    def stop(self, number: int) -> None:
        """Ask the trial's attempt to end at its next report."""
        for worker in self._workers.values():
            if worker.holds is not None and worker.holds[0] == number:
                own = files.attempt_folder(self._folder, *worker.holds)
                own.mkdir(parents=True, exist_ok=True)
                (own / files.STOP_TRIAL).touch()

    # ------------------------------------------------------------ drivers

    def attach(self, trials: Sequence[Trial]) -> None:
        """Take over the attempts that an earlier driver gave out.

        One that an adopted worker holds goes on; one that was published meanwhile has
        ended; one that nobody has is lost. What these reported first is told first.
        """
        self._adopt()
        held = {w.holds for w in self.workers}
        files.clear_served(self._folder, {(t.number, t.attempt) for t in trials})
        published = self._outbox.published(at_once=True)
        for trial in trials:
            number, attempt = trial.number, trial.attempt
            if (number, attempt) in held:
                continue
            names = published.get((number, attempt), [])
            name = files.message_name(number, attempt)
            result: Result = _LOST
            if name in names:
                messages = (self._folder / files.INBOX).glob(f"*/{name}")
                result = self._outbox.result(name, *messages)
            # All that is read here is told by the next poll, which deletes nothing.
            self._adopted += self._outbox.reports(names)
            self._adopted.append(Ended(number=number, attempt=attempt, result=result))

    def _adopt(self) -> None:
        """Take over the living workers of an earlier driver, and what they hold.

        One that this driver would not have started serves its trial and ends.
        """
        unwanted = []
        for worker in self._site.left_behind():
            worker.holds = worker.unserved()
            stop = worker.inbox / files.STOP_WORKER
            fits = worker.left > 0 and len(self._workers) < self._count
            if not fits or (stop.exists() and worker.holds is None):
                worker.left = 0
            if worker.left or worker.holds:
                self._workers[worker.name] = worker
            if not worker.left:
                worker.dismiss()
                if worker.holds is None:
                    unwanted.append(worker)
            else:
                worker.left = self._most - (worker.holds is not None)
                # Its driver was interrupted; this one has work for it.
                stop.unlink(missing_ok=True)
        self._site.end([worker for worker in unwanted if not worker.lived])

    def close(self, *, cancel: bool) -> None:
        """End the workers: at once those without work, the others after their trial.

        ``cancel``: those too at once.
        """
        # What the last poll told may not have been journaled: it stays in the outbox,
        # where the next driver finds it.
        workers = self.workers
        for worker in workers:
            worker.dismiss()
        ending = [w for w in workers if cancel or w.holds is None]
        self._site.end([w for w in ending if cancel or not w.lived])
        for worker in ending:
            del self._workers[worker.name]
        self._site.close(ending, staying=self.workers)
