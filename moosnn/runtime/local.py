"""Workers on this machine: processes, started by submitit, with a GPU each.

Knows: processes, slots, GPUs. Must not know: trials' results, who is given what.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import submitit

from moosnn.runtime import files
from moosnn.runtime.checked import require_at_least, require_path, require_positive
from moosnn.runtime.executors import Expected
from moosnn.runtime.lease import HEARTBEAT_S
from moosnn.runtime.pilots import Pilots
from moosnn.runtime.slots import gpu_of, worker_count
from moosnn.runtime.supervisor import Limits, run_worker
from moosnn.runtime.workers import Worker, end_all, left_behind, wait_for
from moosnn.tasks.base import Task, abilities_of
from moosnn.trial import Failure

# A driver's sign of life may be so much late before its workers leave it.
LEAST_ORPHAN_S = 5 * HEARTBEAT_S
_LOOK_S = 0.2  # between two looks at the workers' processes
# How long workers without work may take to end before they are killed.
_CLOSE_S = 10.0
_CLOSE_POLL_S = 0.02
_LOST = Failure(kind="lost", message="its worker is gone and left no result")
_YEARS_MIN = 10 * 365 * 24 * 60  # submitit's own limit: the workers know when to end


def local(
    *,
    folder: Path,
    task: Task,
    workers: int | str = "auto",
    threads_per_trial: int = 1,
    trials_per_gpu: int = 1,
    trials_per_job: int | None = None,
    timeout_min: float = 60.0,
    memory_gb: float | None = None,
    log_mb: float = 64.0,
    orphan_s: float = 60.0,
) -> Pilots:
    """An executor with warm workers on this machine.

    Nothing is written or started before its first `attach` or `free`.

    Args:
        folder: the study folder; ``config.yaml`` in it builds the task anew.
        task: says whether it needs GPUs; each worker builds its own.
        workers: see `slots.worker_count`.
        threads_per_trial: CPU threads of a trial, >= 1.
        trials_per_gpu: trials that share a GPU, >= 1.
        trials_per_job: a worker ends after so many; ``None`` = with the study.
        timeout_min: minutes of a trial, > 0.
        memory_gb: resident memory of a trial, > 0; ``None`` = no limit.
        log_mb: what a trial may print, > 0.
        orphan_s: seconds without a sign of life of the driver after which a worker
            finishes its trial, publishes it and ends, >= 5.

    Raises:
        ConfigError: a number out of its range.
    """
    require_positive("threads_per_trial", threads_per_trial, whole=True)
    require_positive("trials_per_gpu", trials_per_gpu, whole=True)
    require_positive("trials_per_job", trials_per_job, whole=True, optional=True)
    require_positive("timeout_min", timeout_min)
    require_positive("memory_gb", memory_gb, optional=True)
    require_positive("log_mb", log_mb)
    require_at_least("orphan_s", orphan_s, LEAST_ORPHAN_S)
    count = worker_count(
        workers,
        threads_per_trial=threads_per_trial,
        trials_per_gpu=trials_per_gpu,
        memory_gb=memory_gb,
        on_gpus=abilities_of(task).on_gpus,
    )
    limits = Limits(
        timeout_s=timeout_min * 60,
        memory_mb=None if memory_gb is None else memory_gb * 1024,
        log_mb=log_mb,
        orphan_s=orphan_s,
        trials=trials_per_job,
    )
    resolved = require_path(folder)
    site = ThisMachine(resolved, limits, threads_per_trial)
    return Pilots(resolved, site, count=count, trials=trials_per_job)


class ThisMachine:
    """A `Site` whose workers are processes beside the driver."""

    look_s = 0.0
    patient = False

    def __init__(self, folder: Path, limits: Limits, threads: int) -> None:
        self._folder = folder
        self._limits = limits
        self._threads = threads
        self._slots: dict[str, int] = {}  # of the workers that live
        self._jobs: dict[str, Any] = {}  # of those that may not have ended
        self._looked = 0.0

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a worker of an earlier driver must have in common with ours."""
        return {**asdict(self._limits), "threads": self._threads}

    def start(self, count: int, expected: Expected | None = None) -> list[Worker]:
        """Start processes; they are there at once."""
        return [self._start() for _ in range(count)]

    def _start(self) -> Worker:
        taken = set(self._slots.values())
        slot = next(s for s in range(len(taken) + 1) if s not in taken)
        name = self._new_name()
        executor = submitit.LocalExecutor(folder=files.jobs_folder(self._folder))
        executor.update_parameters(timeout_min=_YEARS_MIN)
        gpu = gpu_of(slot)
        variables = {"OMP_NUM_THREADS": str(self._threads)}
        variables |= {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        limits = asdict(self._limits)
        facts = {"slot": slot, "gpu": gpu, "settings": self.settings}
        with _without_interrupt():
            job = executor.submit(
                run_worker, str(self._folder), name, limits, variables, facts
            )
        self._slots[name] = slot
        self._jobs[name] = job
        return Worker(self._folder, name, slot, job)

    def _new_name(self) -> str:
        """The folder is made here, so that no later driver takes the name."""
        inbox = self._folder / files.INBOX
        inbox.mkdir(exist_ok=True)
        number = len(os.listdir(inbox)) + 1
        while True:
            try:
                (inbox / f"w{number}").mkdir()
            except FileExistsError:
                number += 1
            else:
                return f"w{number}"

    def left_behind(self) -> list[Worker]:
        """Those of earlier drivers that live."""
        living = []
        for worker in left_behind(self._folder):
            facts = worker.facts()
            if facts is None or not worker.is_alive():
                worker.bury()
                continue
            worker.slot = int(facts["slot"])
            ours = (
                facts["settings"] == self.settings
                and facts["gpu"] == gpu_of(worker.slot)
                and self._limits.trials is None
                and worker.slot not in self._slots.values()
            )
            if ours:
                self._slots[worker.name] = worker.slot
            else:
                worker.left = 0
            living.append(worker)
        return living

    def look(self, workers: Sequence[Worker]) -> Mapping[str, Failure]:
        """Look at the processes a few times a second."""
        self._reap()
        known = {worker.name for worker in workers}
        self._slots = {name: s for name, s in self._slots.items() if name in known}
        if time.monotonic() - self._looked < _LOOK_S:
            return {}
        self._looked = time.monotonic()
        gone = [worker for worker in workers if not worker.is_alive()]
        for worker in gone:
            worker.bury()
            # It may have lived and ended between two looks.
            worker.lived = worker.lived or worker.has_published()
        return {worker.name: _LOST for worker in gone}

    def end(self, workers: Sequence[Worker]) -> None:
        """End processes at once."""
        end_all(workers)

    def close(self, workers: Sequence[Worker], staying: Sequence[Worker]) -> None:
        """Wait for processes that were told to end; kill those that do not."""
        deadline = time.monotonic() + _CLOSE_S
        wait_for(workers, _CLOSE_S)
        for worker in workers:
            worker.bury()
        names = {worker.name for worker in staying}
        while self._jobs.keys() - names and time.monotonic() < deadline:
            self._reap()
            time.sleep(_CLOSE_POLL_S)

    def _reap(self) -> None:
        self._jobs = {name: job for name, job in self._jobs.items() if not job.done()}


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: their driver decides what it means.

    A signal that comes meanwhile reaches this process afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
