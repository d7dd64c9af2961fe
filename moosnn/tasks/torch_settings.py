"""Where torch works, with how many threads, from which seeds.

Knows: torch's global settings and generators. Must not know: networks, data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moosnn.errors import ConfigError

if TYPE_CHECKING:
    import torch


def device_named(name: str) -> torch.device:
    """The device that ``task.device`` names; ``"auto"`` is CUDA where there is one.

    Raises:
        ConfigError: a CUDA device where torch sees none, or not so many.
    """
    import torch

    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name.startswith("cuda") and not available:
        raise ConfigError(
            f"task.device: expected a CUDA device for {name!r}, torch sees none; use "
            "device=auto or device=cpu."
        )
    device = torch.device(name)
    seen = torch.cuda.device_count() if available else 0
    if device.type == "cuda" and (device.index or 0) >= seen:
        raise ConfigError(
            f"task.device: expected cuda:0 to cuda:{seen - 1}, got {name!r}; a worker "
            "sees no other GPU than its own: use device=cuda."
        )
    return device


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """So many threads inside; a driver that runs trials itself keeps its own number."""
    import torch

    if count is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def forked(device: torch.device | None) -> Iterator[None]:
    """Torch's global random numbers are the trial's inside, and as before after it.

    Args:
        device: that draws as well as the CPU; ``None`` = none.
    """
    import torch

    indices = []
    if device is not None and device.type == "cuda":
        own = device.index
        indices = [torch.cuda.current_device() if own is None else own]
    with torch.random.fork_rng(devices=indices):
        yield


def left_the_numbers(error: Exception) -> bool:
    """Whether it says that a number is too large for a float; torch has no own type."""
    return isinstance(error, ArithmeticError) or "without overflow" in str(error)


def generator(seed: int, purpose: int) -> torch.Generator:
    """An independent stream of a trial's random numbers.

    Args:
        seed: of the trial, >= 0.
        purpose: tells the streams of a trial apart.
    """
    import numpy as np
    import torch

    state = np.random.SeedSequence((seed, purpose)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
