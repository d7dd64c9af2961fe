"""How jobs are submitted: sbatch by submitit, and scancel.

Knows: sbatch's options, submitit. Must not know: workers' files, trials.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from moosnn.errors import ConfigError
from moosnn.runtime.executors import Expected
from moosnn.runtime.slurm_queue import SlurmError, command, seconds_of
from moosnn.runtime.slurm_worker import run_slurm_worker

# What a worker's supervisor and a warm child need beside the trial's own memory.
OVERHEAD_MB = 512
_START_S = 120.0  # from a job's start to its trial's
_MARGIN = 1.25  # of a forecast
_MB = 1024
# Lines of sbatch that a user cannot set: the workers' life depends on them.
_OURS = (
    "array",
    "job-name",
    "requeue",
    "no-requeue",
    "signal",
    "output",
    "error",
    "nodes",
    "ntasks",
    "ntasks-per-node",
    "time",
    "wait",
    "wrap",
)
# What sbatch takes from the environment goes before the batch file's lines.
_ENVIRONMENT = (
    "SBATCH_JOB_NAME",
    "SBATCH_SIGNAL",
    "SBATCH_REQUEUE",
    "SBATCH_NO_REQUEUE",
    "SBATCH_ARRAY_INX",
    "SBATCH_OUTPUT",
    "SBATCH_ERROR",
    "SBATCH_TIMELIMIT",
    "SBATCH_WAIT",
)
_CHOSEN = ("partition", "account", "qos", "constraint")
# What sbatch says when it may be glad to take the job a little later.
_BUSY = (
    "unable to contact slurm controller",
    "socket timed out",
    "temporarily unable to accept",
    "connection refused",
    "zero bytes were transmitted",
    "unexpected message received",
    "slurm backup controller in standby",
    "maxsubmitjob",  # QOSMaxSubmitJobPerUserLimit and the like: of the user's jobs
    "maxsubmitpu",
    "job violates accounting/qos policy",
    "slurmdbd",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What each job asks for.

    Attributes:
        partition: and the others by the names of sbatch; ``None`` = the cluster's.
        account: see there.
        qos: see there.
        constraint: see there.
        gpus: of a job, as ``--gpus-per-node`` takes them: ``1`` or ``"a100:1"``.
        cpus: cores of a worker, >= 1.
        memory_mb: of a worker; ``None`` = what the cluster gives.
        time_min: of a job, minutes.
        tasks: workers of a job, >= 1.
        signal_s: how long before its end a job is told.
        sbatch: further lines of the batch file, ``{"mail-type": "FAIL"}``.
        setup: lines of shell before the worker starts.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus: int | str | None = None
    cpus: int = 1
    memory_mb: int | None = None
    time_min: int = 240
    tasks: int = 1
    signal_s: int = 90
    sbatch: Mapping[str, Any] = field(default_factory=dict)
    setup: Sequence[str] = ()

    def __post_init__(self) -> None:
        for key in self.sbatch:
            if str(key).replace("_", "-") in _OURS:
                raise ConfigError(
                    f"executor.sbatch: {key!r} is set by moosnn, whose workers depend "
                    "on it; leave it out."
                )

    def fitted(self, expected: Expected | None) -> tuple[int, int | None]:
        """Minutes and megabytes of a job for one attempt: the forecast's, if less."""
        minutes, memory_mb = self.time_min, self.memory_mb
        if expected is not None and expected.seconds is not None:
            needed_s = _MARGIN * expected.seconds + _START_S + self.signal_s
            minutes = min(minutes, math.ceil(needed_s / 60))
        if expected is not None and expected.memory_mb is not None:
            needed_mb = math.ceil(_MARGIN * expected.memory_mb) + OVERHEAD_MB
            memory_mb = needed_mb if memory_mb is None else min(memory_mb, needed_mb)
        return minutes, memory_mb


class BusyError(Exception):
    """Slurm takes no job just now."""


def require_slurm() -> None:
    """Refuse a machine that is no part of a cluster.

    Raises:
        ConfigError: a command is missing.
    """
    missing = [c for c in ("sbatch", "srun", "squeue", "scancel") if not _there(c)]
    if missing:
        raise ConfigError(
            f"executor=slurm: {', '.join(missing)} not found on this machine; start "
            "the study on a login node of the cluster, or use executor=local."
        )


def _there(word: str) -> bool:
    return shutil.which(word) is not None


def submit(
    folder: Path,
    *,
    name: str,
    count: int,
    resources: Resources,
    arguments: Sequence[object],
    expected: Expected | None = None,
) -> list[str]:
    """Submit jobs with workers; more than one as an array.

    Args:
        folder: of submitit's files.
        name: of the jobs.
        count: of jobs, >= 1, at most the cluster's MaxArraySize.
        resources: what each asks for.
        arguments: of `slurm_worker.run_slurm_worker`.
        expected: what the attempt of the one job will need.

    Returns:
        Their ids.

    Raises:
        BusyError: Slurm takes no job just now.
        ConfigError: it never will; its own words.
    """
    executor = submitit.SlurmExecutor(folder=folder)
    executor.update_parameters(**_options(name, count, resources, expected))
    try:
        with _plain_environment(resources), executor.batch():
            jobs = [executor.submit(run_slurm_worker, *arguments) for _ in range(count)]
    except (FailedJobError, FailedSubmissionError, OSError) as error:
        said = " ".join(str(error).split())
        if any(word in said.lower() for word in _BUSY):
            raise BusyError(_reason(said)) from error
        raise ConfigError(
            f"executor=slurm: sbatch refused the job: {_reason(said)}; mend "
            "executor.partition, account, qos, gpus, memory_gb, time_min, constraint "
            "or sbatch."
        ) from error
    return [str(job.job_id) for job in jobs]


@contextmanager
def _plain_environment(resources: Resources) -> Iterator[None]:
    """Without variables that would change a job behind the config's back.

    Those of the job that this driver may run in (jobs inherit the environment, and srun
    takes its options from it), and a user's own for what the config says.
    """
    own = {k: v for k, v in os.environ.items() if k.startswith("SLURM_")}
    own.pop("SLURM_CONF", None)
    said = [name for name in _CHOSEN if getattr(resources, name) is not None]
    for name in (*_ENVIRONMENT, *(f"SBATCH_{name.upper()}" for name in said)):
        if name in os.environ:
            own[name] = os.environ[name]
    for name in own:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(own)


def _reason(said: str) -> str:
    """The last of sbatch's own words in submitit's message."""
    _, found, reason = said.rpartition("sbatch: error: ")
    return reason.removesuffix(".") if found else said


def _options(
    name: str, count: int, resources: Resources, expected: Expected | None
) -> Mapping[str, Any]:
    minutes, memory_mb = resources.fitted(expected)
    options: dict[str, Any] = {
        "job_name": name,
        "time": minutes,
        "nodes": 1,
        "ntasks_per_node": resources.tasks,
        "cpus_per_task": resources.cpus,
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
        "gpus_per_node": resources.gpus or None,
        "mem": None if memory_mb is None else f"{memory_mb * resources.tasks}MB",
        "signal_delay_s": resources.signal_s,
        "array_parallelism": count,
        "setup": list(resources.setup) or None,
        "wckey": None,  # submitit's own would be refused where keys are checked
        "stderr_to_stdout": True,
        # There is one authority that runs a trial again, and it is not Slurm.
        "additional_parameters": {**resources.sbatch, "no-requeue": True},
    }
    return options


def cancel(ids: Sequence[str]) -> None:
    """End jobs; harmless for those that have ended, or if Slurm does not answer."""
    if ids:
        with suppress(SlurmError):
            command(["scancel", *ids])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What a cluster's configuration means for us.

    Attributes:
        most_in_array: jobs of an array.
        kill_wait_s: between TERM and KILL.
    """

    most_in_array: int = 1000
    kill_wait_s: float = 30.0

    @classmethod
    def asked(cls) -> Cluster:
        """Of this machine's cluster.

        Raises:
            SlurmError: it does not answer.
        """
        found: dict[str, str] = {}
        for line in command(["scontrol", "show", "config"]).splitlines():
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip()
        most = int(found.get("MaxArraySize", "1001")) - 1
        wait_s = seconds_of(found.get("KillWait", "30 sec").split()[0])
        return cls(most_in_array=max(most, 1), kill_wait_s=wait_s or 30.0)
