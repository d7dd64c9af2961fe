"""What a training takes: seconds and memory.

Knows: the clock and the operating system's or the GPU's count of memory. Must not know:
what is trained.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # what Linux takes for: begin anew with the peak of resident memory
_KB_A_MB = 1024.0


@dataclass(slots=True)
class Spent:
    """Of what ran inside of `spending`.

    Attributes:
        seconds: by the clock.
        memory_mb: the peak above what there was before: of resident memory on a CPU,
            of allocated memory on a GPU. ``None`` where the system does not tell.
    """

    seconds: float = 0.0
    memory_mb: float | None = None


@contextmanager
def spending(device: torch.device) -> Iterator[Spent]:
    """Measure what the body takes; on leaving, the result is filled in.

    Args:
        device: where the body computes.
    """
    spent = Spent()
    _load(device)
    before = _reset_peak_mb(device)
    _finish(device)  # what was asked of it before is not the body's
    start = time.perf_counter()
    try:
        yield spent
    finally:
        _finish(device)
        spent.seconds = time.perf_counter() - start
        peak = _peak_mb(device)
        if before is not None and peak is not None:
            spent.memory_mb = max(peak - before, 0.0)


def _finish(device: torch.device) -> None:
    """Wait until a device has done what it was asked: a GPU answers before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _load(device: torch.device) -> None:
    """Have torch load what the first training of a process would, for seconds."""
    weight = torch.zeros(1, device=device, requires_grad=True)
    weight.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    torch.optim.Adam([weight]).step()


def _reset_peak_mb(device: torch.device) -> float | None:
    """Begin anew with the peak, and say how much memory is used now."""
    gc.collect()  # what an earlier training left must not go while the body runs
    if device.type == "cuda":
        torch.cuda.empty_cache()  # others may be waiting for it
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / _KB_A_MB**2
    with suppress(OSError, AttributeError):  # glibc's: give back what is free
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        _RESET.write_text(_RESET_PEAK, encoding="ascii")
        return _resident_mb("VmRSS:")
    return None


def resident_mb() -> float | None:
    """The largest resident memory of the process since a training began, data included.

    Where the peak cannot begin anew, since the process began; ``None`` where the system
    does not tell.
    """
    return _resident_mb("VmHWM:")


def _peak_mb(device: torch.device) -> float | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _KB_A_MB**2
    return resident_mb()


def _resident_mb(field: str) -> float | None:
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / _KB_A_MB
    return None
