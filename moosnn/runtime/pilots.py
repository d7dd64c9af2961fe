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
from moosnn.runtime.attempt import Result, read_result
from moosnn.runtime.executors import Ended, Expected, Report
from moosnn.runtime.sites import Site
from moosnn.runtime.workers import Worker
from moosnn.trial import Failure, Proposal, Trial

_START_S = 600.0  # how long a cluster may refuse an attempt's own job
_START_POLL_S = 0.25
# An outbox that stays empty is looked into less and less often: so much of the time it
# was empty may pass, and so many times the site's shortest pause at most.
_QUIET_SHARE = 0.02
_LOOKS = 25
_STILLBORN = 5  # so many and none that lived: the installation is broken
_LOST = Failure(kind="lost", message="its worker is gone and left no result")

Attempt = tuple[int, int]  # number, attempt


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
        self._handled: list[Path] = []
        # Reports and ends of attempts that no worker holds.
        self._adopted: list[Report | Ended] = []
        self._adopted_files: list[Path] = []  # that tell of them
        self._soon = self._later = math.inf
        self._looked = -math.inf
        self._found = time.monotonic()  # something in the outbox
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
        self._delete_handled()
        happened: list[Report | Ended] = [*self._adopted]
        self._handled += self._adopted_files  # told now, deleted by the next poll
        self._adopted.clear()
        self._adopted_files = []
        gone = self._site.look(self.workers)
        self._count_stillborn(gone)
        # After: a worker publishes before it dies.
        published = _by_attempt(self._published(at_once=bool(gone)))
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
        happened = self._reports(names)
        name = files.message_name(number, attempt)
        has_ended = name in names and self._is_ours(name, worker.inbox / name)
        if has_ended or gone is not None:
            worker.holds = None
            result: Result = gone or _LOST
            if has_ended:
                worker.lived = True
                result = self._read(name, worker.inbox / name)
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
        published = self._published(at_once=True)
        reported = _by_attempt(published)
        for trial in trials:
            number, attempt = trial.number, trial.attempt
            name = files.message_name(number, attempt)
            if (number, attempt) in held:
                continue
            result: Result = _LOST
            if name in published:
                messages = (self._folder / files.INBOX).glob(f"*/{name}")
                result = self._read(name, *messages)
            self._adopted += self._reports(reported.get((number, attempt), []))
            self._adopted.append(Ended(number=number, attempt=attempt, result=result))
        self._adopted_files, self._handled = self._handled, []

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

    # ------------------------------------------------------------ messages

    def _delete_handled(self) -> None:
        """What the last poll told was journaled by now."""
        for path in self._handled:
            path.unlink(missing_ok=True)
        self._handled.clear()

    def _published(self, *, at_once: bool) -> list[str]:
        """The names in the outbox; none if it is too early to look again."""
        now = time.monotonic()
        quiet_s = _QUIET_SHARE * (now - self._found)
        pause_s = min(max(self._site.look_s, quiet_s), _LOOKS * self._site.look_s)
        if not at_once and now - self._looked < pause_s:
            return []
        self._looked = now
        names = files.listing(self._folder / files.OUTBOX)
        if names:
            self._found = now
        return names

    def _is_ours(self, name: str, message: Path) -> bool:
        """Whether a result answers our message; one of another study is deleted."""
        path = self._folder / files.OUTBOX / name
        foreign = files.is_foreign(path, message)
        if foreign:
            path.unlink(missing_ok=True)
        return not foreign

    def _read(self, name: str, *messages: Path) -> Result:
        """A published result; it and its message are deleted once it is journaled."""
        path = self._folder / files.OUTBOX / name
        self._handled += [*messages, path]  # a message is never left without a result
        return read_result(path)

    def _reports(self, names: Sequence[str]) -> list[Report | Ended]:
        """The reports among the names of one attempt, in the order of their steps."""
        read = [self._report(name) for name in sorted(names) if files.report_of(name)]
        return [report for report in read if report is not None]

    def _report(self, name: str) -> Report | None:
        """A report, deleted once it is journaled."""
        path = self._folder / files.OUTBOX / name
        key = files.report_of(name)
        assert key is not None, name
        self._handled.append(path)
        try:
            raw = files.read_json(path) or {}
            metrics = {str(k): float(v) for k, v in raw["metrics"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # a trial wrote there itself
        number, attempt, step = key
        return Report(number=number, attempt=attempt, step=step, metrics=metrics)


def _by_attempt(names: Sequence[str]) -> Mapping[Attempt, list[str]]:
    """The results and reports in the outbox, by the attempt they are of."""
    found: dict[Attempt, list[str]] = {}
    for name in names:
        report = files.report_of(name)
        key = files.attempt_of(name) if report is None else report[:2]
        if key is not None:
            found.setdefault(key, []).append(name)
    return found
