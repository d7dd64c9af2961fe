"""How many workers a machine has room for, and which GPU each one gets.

Knows: cores, memory, GPUs as the operating system tells them. Must not import torch.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from moosnn.errors import ConfigError

# A warm child with torch and scikit-learn has 0.4 GB; twice that leaves room to train.
CHILD_GB = 0.8
# What a worker needs at the very least: with more of them the machine stands still.
LEAST_GB = 0.2


def usable_cores() -> int:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory_gb() -> float | None:
    """Memory that can be had without swapping; ``None`` where that is not known."""
    return _memory_gb("MemAvailable:")


def _memory_gb(what: str) -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / 1024**2
    except (OSError, ValueError, IndexError):
        pass
    return None


def visible_gpus() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [gpu.strip() for gpu in told.split(",") if gpu.strip() not in ("", "-1")]
    folder = Path("/proc/driver/nvidia/gpus")
    count = len(list(folder.iterdir())) if folder.is_dir() else 0
    return [str(index) for index in range(count)]


def worker_count(
    workers: int | str,
    *,
    threads_per_trial: int,
    trials_per_gpu: int,
    memory_gb: float | None,
    on_gpus: bool = True,
) -> int:
    """How many workers to start.

    Args:
        workers: a number, or ``"auto"`` = visible GPUs times ``trials_per_gpu``, or
            without one the usable cores over ``threads_per_trial``; both limited by
            the free memory; at least one.
        threads_per_trial: CPU threads of a trial, >= 1.
        trials_per_gpu: trials that share a GPU, >= 1.
        memory_gb: what a trial may use, or ``None``.
        on_gpus: whether the trials use GPUs at all.

    Raises:
        ConfigError: neither ``"auto"`` nor a whole number >= 1, or more than this
            machine's memory could ever hold.
    """
    if workers != "auto":
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise ConfigError(
                f"executor.workers: expected auto or a whole number >= 1, got "
                f"{workers!r}."
            )
        total = _memory_gb("MemTotal:")
        most = math.inf if total is None else max(1, int(total / LEAST_GB))
        if workers > most:
            raise ConfigError(
                f"executor.workers: expected at most {most}, since each needs "
                f"{LEAST_GB:g} GB of the {total:.0f} GB of this machine; got {workers}."
            )
        return workers
    gpus = len(visible_gpus()) if on_gpus else 0
    slots = gpus * trials_per_gpu if gpus else usable_cores() // threads_per_trial
    free = free_memory_gb()
    if free is not None:
        slots = min(slots, int(free / (memory_gb or CHILD_GB)))
    return max(slots, 1)


def gpu_of(slot: int) -> str | None:
    """CUDA_VISIBLE_DEVICES of a slot, or ``None`` without a GPU."""
    gpus = visible_gpus()
    return gpus[slot % len(gpus)] if gpus else None
