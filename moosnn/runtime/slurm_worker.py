"""What a Slurm job of a study runs: one worker, which makes room when it is asked to.

Knows: the environment and the signals of a job. Must not know: tasks, torch, the
journal.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moosnn.runtime import files
from moosnn.runtime.supervisor import Limits, Supervisor

_USED = 0.7  # of the time that Slurm gives; the rest is for the last words


def worker_name(job: str, task: int, tasks: int) -> str:
    """The name of a job's worker; a job may have several, which share its GPU.

    Args:
        job: as ``1234`` or, of an array, ``1234_5``.
        task: which of them, from 0.
        tasks: how many.
    """
    return f"s{job}" if tasks == 1 else f"s{job}-t{task}"


def job_of(worker: str) -> str | None:
    """The job of a worker's name, or ``None`` if it is no Slurm job's."""
    job = worker.removeprefix("s").partition("-")[0]
    whole = worker.startswith("s") and job.replace("_", "", 1).isdigit()
    return job if whole else None


def run_slurm_worker(
    folder: str,
    limits: Mapping[str, Any],
    variables: Mapping[str, str],
    facts: Mapping[str, Any],
    warning_s: tuple[float, float],
) -> None:
    """The body of a job's task.

    Args:
        folder: the study folder.
        limits: the fields of `Limits`.
        variables: environment of the child.
        facts: what its file shall say to a later driver, JSON values.
        warning_s: how long before a job's end Slurm sends USR2, and how long before its
            KILL it sends TERM.
    """
    os.environ.update(variables)
    job, tasks = _job(), int(os.environ.get("SLURM_NTASKS", "1"))
    name = worker_name(job, int(os.environ.get("SLURM_PROCID", "0")), tasks)
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
    about = {**facts, "job": job, "slot": 0, "gpu": gpu}
    supervisor = Supervisor(Path(folder), name, Limits(**limits), about)
    inbox = Path(folder) / files.INBOX / name

    usr2_s, term_s = warning_s

    def on_usr2(*_: object) -> None:
        supervisor.release(_USED * usr2_s)

    def on_term(*_: object) -> None:
        if (inbox / files.STOP_WORKER).exists():
            raise SystemExit  # nobody wants what it does
        supervisor.release(_USED * term_s)

    # In place of submitit's own, which would have Slurm start the job again.
    signal.signal(signal.SIGUSR2, on_usr2)
    signal.signal(signal.SIGTERM, on_term)
    supervisor.serve()


def _job() -> str:
    """As squeue names it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is None:
        return os.environ["SLURM_JOB_ID"]
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
