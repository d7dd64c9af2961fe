"""Workers in the jobs of a Slurm cluster.

Knows: which worker is which job, what Slurm says of it. Must not know: trials' results,
who is given what.

A worker's name is its job's: ``s1234_5``. So whoever reads the journal knows the job of
each attempt, and a new driver finds its workers by asking Slurm for the jobs of this
study, whose name is in theirs, with those that wait in the queue.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moosnn.errors import StudyFolderError
from moosnn.runtime import files, slurm_ends
from moosnn.runtime.executors import Expected
from moosnn.runtime.slurm_jobs import BusyError, Cluster, Resources, cancel, submit
from moosnn.runtime.slurm_queue import Answer, Job, Queue, SlurmError, ask
from moosnn.runtime.slurm_verdicts import Verdicts, require_hope
from moosnn.runtime.slurm_waits import Waits
from moosnn.runtime.slurm_worker import job_of, worker_name
from moosnn.runtime.supervisor import Limits
from moosnn.runtime.workers import Worker, left_behind
from moosnn.trial import Failure

_LOOK_S = 0.25  # between two looks at the workers' files
_BEATS_S = 5.0  # between two looks at their signs of life
_CLOSE_S = 10.0
# A file server may show a file as it was a minute ago.
HUNG_S = 300.0
_PAUSES_S = (1.0, 60.0)  # between two tries to submit: the first, and the longest
_ID = "id"
_DIGEST = 8  # characters


class Slurm:
    """A `Site` whose workers are jobs."""

    look_s = 0.02
    patient = True

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        resources: Resources,
        queue_min: float | None = None,
    ) -> None:
        """Prepare; Slurm is not asked anything yet.

        Args:
            folder: the study folder, visible from every node.
            limits: of each worker.
            resources: what each job asks for.
            queue_min: minutes a job may wait in the queue; ``None`` = any time.
        """
        self._folder = folder
        self._limits = limits
        self._resources = resources
        self._verdicts = Verdicts(folder, limits, resources, queue_min)
        self._queue = Queue()
        self._waits = Waits()
        self._cluster: Cluster | None = None
        self._judged = self._looked = self._beats = -math.inf
        # By job: its workers, and those that nobody wants any more.
        self._members: dict[str, set[str]] = {}
        self._unwanted: dict[str, set[str]] = {}
        self._pause_s, self._not_before = _PAUSES_S[0], -math.inf
        self._refused: float | None = None  # when Slurm took no job

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a worker of an earlier driver must have in common with ours."""
        asked = asdict(self._resources)
        return json.loads(json.dumps({**asdict(self._limits), **asked}))  # type: ignore[no-any-return] # a mapping goes in, one comes out

    # ------------------------------------------------------------ start

    def start(self, count: int, expected: Expected | None = None) -> list[Worker]:
        """Submit jobs: as one array, as far as the cluster allows.

        While Slurm takes none it is asked again after longer and longer pauses.
        """
        if time.monotonic() < self._not_before or not self._has_recovered():
            return []
        try:
            return self._submit(count, expected)
        except (BusyError, SlurmError) as error:
            self._waits.refused(str(error))
            self._refused = time.monotonic()
            self._not_before = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _PAUSES_S[1])
            return []

    def _submit(self, count: int, expected: Expected | None) -> list[Worker]:
        self._cluster = self._cluster or Cluster.asked()
        tasks = self._resources.tasks
        jobs = min(math.ceil(count / tasks), self._cluster.most_in_array)
        arguments = (
            str(self._folder),
            asdict(self._limits),
            {"OMP_NUM_THREADS": str(self._resources.cpus)},
            {"settings": self.settings},
            (float(self._resources.signal_s), self._cluster.kill_wait_s),
        )
        ids = submit(
            files.jobs_folder(self._folder),
            name=self._name,
            count=jobs,
            resources=self._resources,
            arguments=arguments,
            expected=expected,
        )
        self._pause_s = _PAUSES_S[0]
        self._waits.taken()
        (self._folder / files.INBOX).mkdir(exist_ok=True)
        return [worker for job in ids for worker in self._workers_of(job)]

    def _has_recovered(self) -> bool:
        """Whether Slurm answers again after it took no job.

        It may have taken one all the same, and only its answer was lost. Such a job
        lacks submitit's files and can do nothing: it is cancelled.
        """
        if self._refused is None:
            return True
        self._queue.watch(self._members)  # nobody may have looked yet
        answer = self._queue.newest
        if answer is None or answer.asked < self._refused:
            return False
        ours = [j for j in answer.jobs.values() if j.active and j.name == self._name]
        cancel([job.id for job in ours if job.id not in self._members])
        self._refused = None
        return True

    def _workers_of(self, job: str) -> list[Worker]:
        tasks = self._resources.tasks
        names = [worker_name(job, task, tasks) for task in range(tasks)]
        self._members[job] = set(names)
        return [Worker(self._folder, name) for name in names]

    @property
    def _name(self) -> str:
        """Of the jobs: it tells the study, and with what they were submitted."""
        return f"{self._prefix}{_digest(json.dumps(self.settings, sort_keys=True))}"

    @property
    def _prefix(self) -> str:
        """Of the names of this study's jobs; a copy of the folder has another."""
        path = files.jobs_folder(self._folder) / _ID
        if not path.exists():
            files.write_json(path, {_ID: uuid.uuid4().hex})
        return f"moosnn-{_digest(f'{files.read_json(path)} {self._folder}')}-"

    # ------------------------------------------------------------ an earlier driver's

    def left_behind(self) -> list[Worker]:
        """Workers whose jobs run or wait; those that wait with other settings end.

        Raises:
            StudyFolderError: Slurm does not answer.
        """
        filed = {worker.name: worker for worker in left_behind(self._folder)}
        jobs = [job for name in filed if (job := job_of(name)) is not None]
        answer = self._first_answer(jobs)
        living: list[Worker] = []
        for one in answer.jobs.values():
            if one.active and one.name.startswith(self._prefix):
                living += self._adopted(one, filed)
        named = {worker.name for worker in living}
        for name, worker in filed.items():
            if name in named:
                continue
            if job_of(name) is None and worker.is_alive():
                worker.left = 0  # another executor's: it serves its trial and ends
                living.append(worker)
            else:
                worker.bury()
        return living

    def _first_answer(self, jobs: Sequence[str]) -> Answer:
        try:
            return ask(jobs)
        except SlurmError as error:
            raise StudyFolderError(
                f"Slurm does not answer ({error}); nothing is lost: give the same "
                "command again later."
            ) from error

    def _adopted(self, job: Job, filed: Mapping[str, Worker]) -> list[Worker]:
        """The workers of a job of an earlier driver."""
        ours = job.name == self._name
        workers = []
        there = [worker for worker in filed.values() if job_of(worker.name) == job.id]
        if there:  # with other settings a job had another number of workers
            self._members[job.id] = {worker.name for worker in there}
        for worker in there or self._workers_of(job.id):
            worker.lived = worker.name in filed
            worker.since = time.monotonic()
            if not ours:
                worker.left = 0
            workers.append(worker)
        return workers

    # ------------------------------------------------------------ look

    def look(self, workers: Sequence[Worker]) -> Mapping[str, Failure]:
        """Look at the workers' files, and at what Slurm said last."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return {}
        self._looked = now
        self._queue.watch({job for w in workers if (job := job_of(w.name)) is not None})
        self._look_at_files(workers)
        gone = self._hung(workers, now)
        answer = self._queue.newest
        if answer is not None and answer.asked > self._judged:
            self._judged = answer.asked
            require_hope(workers, answer)
            self._waits.look(workers, answer)
            for worker in workers:
                failure = self._verdicts.of(worker, answer)
                if failure is not None:
                    gone[worker.name] = failure
        for worker in workers:
            if worker.name in gone:
                worker.lived = worker.lived or worker.has_published()
                worker.file.unlink(missing_ok=True)
        return gone

    def _look_at_files(self, workers: Sequence[Worker]) -> None:
        """Who lives; who has left gets nothing more, though Slurm may not know yet."""
        there = set(files.listing(self._folder / files.WORKERS))
        for worker in workers:
            if worker.file.name in there:
                worker.lived = True
            elif worker.lived:
                worker.left = 0

    def _hung(self, workers: Sequence[Worker], now: float) -> dict[str, Failure]:
        """Workers that run and give no sign of life; their jobs are cancelled."""
        if now - self._beats < _BEATS_S:
            return {}
        self._beats = now
        gone = {}
        for worker in workers:
            if (
                worker.lived
                and (worker.left or worker.holds)
                and not _beats(worker, now)
            ):
                job = job_of(worker.name) or worker.name
                cancel([job])
                gone[worker.name] = slurm_ends.hung(job, HUNG_S)
        return gone

    # ------------------------------------------------------------ end

    def end(self, workers: Sequence[Worker]) -> None:
        """Cancel jobs; one with several workers only if all of them are to end."""
        ending = set()
        for worker in workers:
            job = job_of(worker.name)
            if job is not None:
                self._unwanted.setdefault(job, set()).add(worker.name)
                if self._unwanted[job] >= self._members.get(job, set()):
                    ending.add(job)
        cancel(sorted(ending))

    def close(self, workers: Sequence[Worker], staying: Sequence[Worker]) -> None:
        """Wait a little until workers have taken down their files.

        Whatever else runs or waits under this study's name is cancelled.
        """
        self._queue.close()
        deadline = time.monotonic() + _CLOSE_S
        while time.monotonic() < deadline:
            there = set(files.listing(self._folder / files.WORKERS))
            if not any(worker.file.name in there for worker in workers):
                break
            time.sleep(_LOOK_S)
        kept = {job_of(worker.name) for worker in staying}
        with suppress(SlurmError):  # then they end by themselves, once they begin
            jobs = ask().jobs.values() if self._members else ()
            ours = [j for j in jobs if j.active and j.name.startswith(self._prefix)]
            cancel([job.id for job in ours if job.id not in kept])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def _beats(worker: Worker, now: float) -> bool:
    """Whether its file was touched lately, by this driver's own clock."""
    try:
        beat = os.stat(worker.file).st_mtime
    except OSError:
        return True  # it has left: Slurm will say how
    if beat != worker.beat:
        worker.beat, worker.since = beat, now
    return now - worker.since < HUNG_S
