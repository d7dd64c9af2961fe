"""What a body takes, against bodies that are known to take it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from moosnn.snn.learning import spent
from moosnn.snn.learning.spent import spending

CPU = torch.device("cpu")
MB = 64
ROUGH_MB = 1  # Linux counts pages per core and adds them up now and then
NEEDS_LINUX = pytest.mark.skipif(
    not spent._RESET.exists(), reason="this system does not tell a peak of memory"
)


def allocate() -> None:
    """Touch every page of 64 MB that nothing held before, and give them back."""
    np.ones(MB << 20, dtype=np.uint8)


@NEEDS_LINUX
def test_the_memory_is_that_of_the_body_although_it_gave_it_back() -> None:
    with spending(CPU) as one:
        allocate()
    assert one.memory_mb is not None
    assert MB - ROUGH_MB <= one.memory_mb < 2 * MB


@NEEDS_LINUX
def test_an_earlier_peak_does_not_count() -> None:
    allocate()
    with spending(CPU) as one:
        pass
    assert one.memory_mb is not None
    assert 0 <= one.memory_mb < MB / 2


@NEEDS_LINUX
def test_a_body_that_frees_what_was_there_before_takes_nothing_negative() -> None:
    held = [np.ones(MB << 20, dtype=np.uint8)]
    with spending(CPU) as one:
        held.clear()
    assert one.memory_mb is not None
    assert 0 <= one.memory_mb < MB / 2


def test_the_seconds_are_those_of_the_body() -> None:
    before = time.perf_counter()
    with spending(CPU) as one:
        time.sleep(0.05)
    assert 0.05 <= one.seconds <= time.perf_counter() - before


def fail() -> None:
    time.sleep(0.01)
    raise ValueError("a test")


def test_a_body_that_fails_is_measured_as_well() -> None:
    with suppress(ValueError), spending(CPU) as one:
        fail()
    assert one.seconds >= 0.01


@pytest.mark.parametrize("gone", ["_RESET", "_STATUS"])
def test_a_system_that_does_not_tell_gives_no_memory(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spent, gone, tmp_path / "absent" / "file")
    with spending(CPU) as one:
        allocate()
    assert one.memory_mb is None
    assert one.seconds > 0


@pytest.mark.gpu
def test_on_a_gpu_the_memory_is_that_of_its_tensors() -> None:
    device = torch.device("cuda")
    held = torch.ones(MB << 20, dtype=torch.uint8, device=device)
    with spending(device) as one:
        torch.ones(MB << 20, dtype=torch.uint8, device=device)
    assert one.memory_mb == MB
    assert held.is_cuda
