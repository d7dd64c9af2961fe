"""What Slurm's answers mean for single workers: gone, or to be given nothing more.

Knows: jobs as squeue and sacct tell them, the time that is left of each. Must not know:
how jobs are submitted, who is given what.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from moosnn.errors import ConfigError
from moosnn.runtime import files, slurm_ends
from moosnn.runtime.slurm_jobs import Resources, cancel
from moosnn.runtime.slurm_queue import PENDING, Answer, Job
from moosnn.runtime.slurm_worker import job_of
from moosnn.runtime.supervisor import Limits
from moosnn.runtime.workers import Worker
from moosnn.trial import Failure

_CANCELLED = "CANCELLED"
_FORGOTTEN_S = 15.0  # a new job may be so long unknown to squeue and sacct
_LATE_S = 3.0  # sacct may know so late of an end
_LOG_BYTES = 20_000  # of a job's log that are read for its last words
# Give nothing more to a worker whose job ends too soon for it: so much of a job's time
# at most may be lost that way.
_RETIRED_SHARE = 0.5


class Verdicts:
    """Judges workers by answers, each of which is newer than the one before.

    Args:
        folder: of the study.
        limits: of each worker.
        resources: of each job.
        queue_min: minutes a job may wait in the queue; ``None`` = any time.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        resources: Resources,
        queue_min: float | None,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._resources = resources
        self._queue_s = math.inf if queue_min is None else queue_min * 60
        self._seen: dict[str, str] = {}  # the last state of a job, but for its cancel
        self._missing: dict[str, float] = {}  # since which answer a job is

    def of(self, worker: Worker, answer: Answer) -> Failure | None:
        """Why a worker is gone, if Slurm says that it is."""
        job_id = job_of(worker.name)
        if job_id is None:  # another executor's
            return None if worker.is_alive() else slurm_ends.vanished(worker.name)
        job = answer.jobs.get(job_id)
        if job is None:
            return self._judge_missing(worker, job_id, answer.asked)
        self._missing.pop(job_id, None)
        before = self._seen.get(job_id)
        if job.state != _CANCELLED:
            self._seen[job_id] = before = job.state
        worker.begun = before not in (None, PENDING)
        if not job.active:
            return slurm_ends.failure_of(job, *self._log(job_id))
        if job.state == PENDING:
            if answer.asked - worker.since > self._queue_s:
                cancel([job_id])
                return slurm_ends.never_began(job_id, self._queue_s / 60)
        elif job.left_s is not None and job.left_s < self._retire_s:
            worker.left = 0
        return None

    def _judge_missing(
        self, worker: Worker, job_id: str, asked: float
    ) -> Failure | None:
        """Of a job that neither squeue nor sacct knows; sacct is some seconds late."""
        since = self._missing.setdefault(job_id, asked)
        last = self._seen.get(job_id)
        if last is None:
            if asked - worker.since < _FORGOTTEN_S:
                return None
        elif asked - since < _LATE_S:
            return None
        worker.begun = last not in (None, PENDING)
        if last == PENDING:  # an array's tasks that are cancelled in the queue vanish
            return slurm_ends.failure_of(Job(id=job_id, name="", state=_CANCELLED))
        return slurm_ends.vanished(job_id)

    def _log(self, job_id: str) -> tuple[str, str | None]:
        """The end of what a job printed, and where it is."""
        path = self._folder / files.JOBS / f"{job_id}_0_log.out"
        try:
            with path.open("rb") as file:
                file.seek(max(path.stat().st_size - _LOG_BYTES, 0))
                printed = file.read().decode(errors="replace")
        except OSError:
            return "", None
        return printed, str(path.relative_to(self._folder))

    @property
    def _retire_s(self) -> float:
        """A job with less time left is given nothing more."""
        if self._limits.trials == 1:
            return 0.0
        whole_s = 60.0 * self._resources.time_min
        needed_s = self._limits.timeout_s + self._resources.signal_s
        return min(needed_s, _RETIRED_SHARE * whole_s)


def require_hope(workers: Sequence[Worker], answer: Answer) -> None:
    """Refuse to wait with workers none of which will ever begin.

    Raises:
        ConfigError: all wait, and one of them for what will not come.
    """
    if any(worker.lived for worker in workers):
        return
    for worker in workers:
        job = answer.jobs.get(job_of(worker.name) or "")
        if job is not None and job.hopeless:
            raise ConfigError(
                f"executor=slurm: job {job.id} can never start ({job.reason}); mend "
                "executor.partition, account, qos, gpus, cpus, memory_gb, time_min or "
                "constraint, then give the same command again."
            )
