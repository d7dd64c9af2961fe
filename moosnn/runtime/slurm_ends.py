"""What the end of a Slurm job means for the trial that its worker held.

Knows: Slurm's states. Must not know: workers, how jobs are submitted.
"""

from __future__ import annotations

from moosnn.runtime.slurm_queue import Job
from moosnn.trial import Failure

# state -> (kind of failure, what happened). How often each kind is tried again is the
# study's affair (`study.RETRIES`): only a crash and a lack of memory count against the
# trial.
_MEANINGS = {
    "NODE_FAIL": ("lost", "its node failed"),
    "BOOT_FAIL": ("lost", "its node did not start"),
    "PREEMPTED": ("preempted", "its job was preempted"),
    "CANCELLED": ("lost", "its job was cancelled from outside"),
    "REVOKED": ("lost", "its job was revoked"),
    "TIMEOUT": ("preempted", "its job reached its time limit"),
    "DEADLINE": ("preempted", "its job reached its deadline"),
    "OUT_OF_MEMORY": ("out_of_memory", "its job used more memory than it asked for"),
    "FAILED": ("lost", "its job failed"),
    "COMPLETED": ("lost", "its job ended and left no result"),
}


# What slurmstepd writes into a job's log when it, or the kernel, kills for memory; the
# job may be called FAILED all the same.
_OVER_MEMORY = ("exceeded memory limit", "oom_kill event", "oom-kill event")


def failure_of(job: Job, printed: str = "", log: str | None = None) -> Failure:
    """Why the trial of an ended job has no result.

    Args:
        job: not active.
        printed: the end of its log.
        log: path of that, relative to the study folder.
    """
    state = job.state
    if any(words in printed.lower() for words in _OVER_MEMORY):
        state = "OUT_OF_MEMORY"
    kind, what = _MEANINGS.get(state, ("lost", f"its job ended ({state})"))
    return Failure(kind=kind, message=f"{what} (Slurm job {job.id})", log=log)


def vanished(job_id: str) -> Failure:
    """Of a job that Slurm knows nothing of."""
    return Failure(
        kind="lost", message=f"its job has vanished from Slurm (Slurm job {job_id})"
    )


def hung(job_id: str, seconds: float) -> Failure:
    """Of a worker that gives no sign of life although its job runs."""
    text = f"no sign of life for {seconds:.0f} s although it runs (Slurm job {job_id})"
    return Failure(kind="lost", message=text)


def never_began(job_id: str, minutes: float) -> Failure:
    """Of a job that waited for its place too long."""
    text = f"waited longer than {minutes:g} min (queue_min) (Slurm job {job_id})"
    return Failure(kind="lost", message=text)
