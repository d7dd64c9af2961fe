"""What a body takes on a GPU: when the clock is read, and which memory counts."""

from __future__ import annotations

import pytest
import torch

from moosnn.snn.learning import spent
from moosnn.snn.learning.spent import spending

MB = 1 << 20


def test_the_clock_is_read_when_the_gpu_has_done_its_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A GPU takes orders and answers before it has carried them out."""
    asked: list[str] = []

    def told(name: str, answer: float = 0.0):
        def tell(*_: object) -> float:
            asked.append(name)
            return answer

        return tell

    monkeypatch.setattr(spent, "_load", told("load"))
    monkeypatch.setattr(spent.time, "perf_counter", told("clock"))
    monkeypatch.setattr(spent.gc, "collect", told("collect"))
    for name, answer in (
        ("synchronize", 0.0),
        ("empty_cache", 0.0),
        ("reset_peak_memory_stats", 0.0),
        ("memory_allocated", 30.0 * MB),
        ("max_memory_allocated", 42.0 * MB),
    ):
        monkeypatch.setattr(torch.cuda, name, told(name, answer))
    with spending(torch.device("cuda")) as one:
        asked.append("body")
    assert asked == [
        "load",
        "collect",  # or an earlier training's memory would go while the body runs
        "empty_cache",
        "reset_peak_memory_stats",
        "memory_allocated",
        "synchronize",
        "clock",
        "body",
        "synchronize",
        "clock",
        "max_memory_allocated",
    ]
    assert one.memory_mb == 12
