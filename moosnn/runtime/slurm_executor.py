"""The executor of a Slurm cluster, from its config.

Knows: the config's keys and their ranges. Must not know: what Slurm says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moosnn.errors import ConfigError
from moosnn.runtime.checked import require_at_least, require_path, require_positive
from moosnn.runtime.local import LEAST_ORPHAN_S
from moosnn.runtime.pilots import Pilots
from moosnn.runtime.slurm import Slurm
from moosnn.runtime.slurm_jobs import OVERHEAD_MB, Resources, require_slurm
from moosnn.runtime.supervisor import Limits
from moosnn.tasks.base import Task

_POLL_S = 0.5  # of an inbox that stays empty
_LEAST_SIGNAL_S = 10
_MOST_WORKERS = 100_000


def slurm(
    *,
    folder: Path,
    task: Task,
    workers: int = 8,
    partition: str | None = None,
    account: str | None = None,
    qos: str | None = None,
    constraint: str | None = None,
    gpus: int | str | None = None,
    cpus: int = 1,
    memory_gb: float | None = None,
    time_min: int = 240,
    timeout_min: float = 60.0,
    trials_per_gpu: int = 1,
    trials_per_job: int | None = None,
    size_jobs: bool = False,
    signal_s: int = 90,
    queue_min: float | None = None,
    orphan_s: float = 3600.0,
    log_mb: float = 64.0,
    sbatch: Mapping[str, Any] | None = None,
    setup: Sequence[str] = (),
) -> Pilots:
    """An executor whose workers are Slurm jobs.

    Nothing is submitted before its first `attach` or `free`.

    Args:
        folder: the study folder; every node has to see it under this path.
        task: unused: each worker builds its own.
        workers: how many are kept at work or in the queue, >= 1.
        partition: and `account`, `qos`, `constraint` as sbatch takes them; ``None`` =
            the cluster's default.
        account: see `partition`.
        qos: see `partition`.
        constraint: see `partition`.
        gpus: of a job: ``1`` or ``"a100:1"``; ``None`` = none.
        cpus: cores and threads of a trial, >= 1.
        memory_gb: resident memory of a trial, > 0, of which the job asks for a little
            more; ``None`` = no limit but the cluster's.
        time_min: of a job, whole minutes, >= 2.
        timeout_min: of a trial, > 0.
        trials_per_gpu: workers of a job, which share what it has of GPUs, >= 1.
        trials_per_job: a worker ends after so many; ``None`` = with the study or its
            job's time.
        size_jobs: a job for each trial, with the time and memory that its forecast
            says, as soon as there is one.
        signal_s: seconds before its end that a job is told to write a checkpoint.
        queue_min: minutes a job may wait in the queue; ``None`` = any time.
        orphan_s: seconds without a sign of life of the driver after which a worker
            finishes its trial, publishes it and ends, >= 5.
        log_mb: what a trial may print, > 0.
        sbatch: further lines of the batch file: ``{mail-type: FAIL}``.
        setup: lines of shell before the worker starts: ``[module load cuda]``.

    Raises:
        ConfigError: a value out of its range, or no Slurm on this machine.
    """
    for name, value in (
        ("workers", workers),
        ("cpus", cpus),
        ("time_min", time_min),
        ("trials_per_gpu", trials_per_gpu),
        ("signal_s", signal_s),
    ):
        require_positive(name, value, whole=True)
    require_positive("trials_per_job", trials_per_job, whole=True, optional=True)
    require_positive("timeout_min", timeout_min)
    for name, limit in (("memory_gb", memory_gb), ("queue_min", queue_min)):
        require_positive(name, limit, optional=True)
    require_positive("log_mb", log_mb)
    require_at_least("orphan_s", orphan_s, LEAST_ORPHAN_S)
    _require_gpus(gpus, trials_per_gpu)
    _require_words(partition=partition, account=account, qos=qos, constraint=constraint)
    _require_lines(setup)
    if not isinstance(size_jobs, bool):
        raise ConfigError(
            f"executor.size_jobs: expected true or false, got {size_jobs!r}."
        )
    if workers > _MOST_WORKERS:
        raise ConfigError(
            f"executor.workers: expected at most {_MOST_WORKERS}, got {workers}."
        )
    _require_times(time_min, signal_s)
    if size_jobs and (trials_per_job not in (None, 1) or trials_per_gpu != 1):
        raise ConfigError(
            "executor.size_jobs: a job is made to the measure of one trial: expected "
            "trials_per_job=1 and trials_per_gpu=1."
        )
    require_slurm()
    trials = 1 if size_jobs else trials_per_job
    memory_mb = None if memory_gb is None else memory_gb * 1024
    limits = Limits(
        timeout_s=timeout_min * 60,
        memory_mb=memory_mb,
        log_mb=log_mb,
        orphan_s=orphan_s,
        trials=trials,
        poll_s=_POLL_S,
    )
    resources = Resources(
        partition=partition,
        account=account,
        qos=qos,
        constraint=constraint,
        gpus=gpus,
        cpus=cpus,
        memory_mb=None if memory_mb is None else int(memory_mb) + OVERHEAD_MB,
        time_min=time_min,
        tasks=trials_per_gpu,
        signal_s=signal_s,
        sbatch=dict(sbatch or {}),
        setup=tuple(setup),
    )
    resolved = require_path(folder)
    site = Slurm(resolved, limits, resources, queue_min)
    return Pilots(resolved, site, count=workers, trials=trials, sized=size_jobs)


def _require_gpus(gpus: object, trials_per_gpu: int) -> None:
    whole = isinstance(gpus, int) and not isinstance(gpus, bool) and gpus >= 0
    number = gpus.rpartition(":")[2] if isinstance(gpus, str) else ""
    named = number.isdigit() and int(number) > 0
    if not (gpus is None or whole or named):
        raise ConfigError(
            f"executor.gpus: expected a whole number, or a kind and a number as "
            f"a100:1, got {gpus!r}."
        )
    if trials_per_gpu > 1 and not gpus:
        raise ConfigError(
            f"executor.trials_per_gpu={trials_per_gpu}: expected executor.gpus=1: "
            "without a GPU, ask for more workers."
        )


def _require_words(**given: object) -> None:
    """Refuse what sbatch could not take as one word."""
    for name, value in given.items():
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise ConfigError(f"executor.{name}: expected a name, got {value!r}.")


def _require_lines(setup: object) -> None:
    """Refuse what is no list of lines; one line would be taken letter by letter."""
    lines = list(setup) if isinstance(setup, list | tuple) else [None]
    if not all(isinstance(line, str) for line in lines):
        raise ConfigError(
            "executor.setup: expected a list of lines of shell, e.g. "
            f"'executor.setup=[module load cuda]', got {setup!r}."
        )


def _require_times(time_min: int, signal_s: int) -> None:
    """Slurm may send the signal a minute early: a job needs more than that."""
    if signal_s < _LEAST_SIGNAL_S:
        raise ConfigError(
            f"executor.signal_s: expected at least {_LEAST_SIGNAL_S} s, the time of a "
            f"checkpoint, got {signal_s}."
        )
    if time_min * 60 < signal_s + 120:
        raise ConfigError(
            f"executor.time_min: expected at least {-(-(signal_s + 120) // 60)}: a job "
            f"is told {signal_s} s before its end (signal_s), and Slurm may say so a "
            f"minute early; got {time_min}."
        )
