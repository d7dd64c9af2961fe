"""Frames against a count by hand, event by event."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.snn.data.events import (
    Events,
    check_framing,
    first_outside,
    framed,
    pooled,
)
from tests.snn.data.writers import Event, random_events


def events_of(rows: list[Event]) -> Events:
    t, x, y, p = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Events(t_us=t, x=x, y=y, p=p)


def counted(rows: list[Event], steps: list[int]) -> Counter[tuple[int, int, int, int]]:
    return Counter(
        (step, p, y, x) for (_, x, y, p), step in zip(rows, steps, strict=True)
    )


def as_counter(frames: np.ndarray) -> Counter[tuple[int, ...]]:
    return Counter({tuple(map(int, i)): int(frames[*i]) for i in np.argwhere(frames)})


@pytest.mark.parametrize("time_steps", [1, 2, 3, 7, 16, 200])
@pytest.mark.parametrize("seed", range(5))
def test_equal_times_from_the_first_event_to_the_last(
    seed: int, time_steps: int
) -> None:
    rows = random_events(seed, 90 + seed, 5, 4, start_us=1234)
    first, duration = rows[0][0], rows[-1][0] - rows[0][0] + 1
    steps = [int(Fraction((t - first) * time_steps, duration)) for t, *_ in rows]
    frames = framed(events_of(rows), time_steps, (2, 4, 5), "time")
    assert frames.dtype == np.uint8
    assert frames.shape == (time_steps, 2, 4, 5)
    assert as_counter(frames) == counted(rows, steps)


@pytest.mark.parametrize("time_steps", [1, 2, 3, 7, 16, 200])
def test_equal_numbers_of_events(time_steps: int) -> None:
    rows = random_events(3, 101, 5, 4)
    frames = framed(events_of(rows), time_steps, (2, 4, 5), "count")
    sizes = frames.sum(axis=(1, 2, 3), dtype=int)
    assert sizes.sum() == 101
    assert sizes.max() - sizes.min() <= 1
    steps = [step for step, size in enumerate(sizes) for _ in range(size)]
    assert as_counter(frames) == counted(rows, steps)


@pytest.mark.parametrize("framing", ["time", "count"])
def test_the_order_in_the_file_does_not_count(framing: str) -> None:
    times = [3 * number for number in range(60)]
    rows = [(t, t % 5, t % 4, t % 2) for t in times]
    shuffled = [rows[(7 * number) % 60] for number in range(60)]
    there = framed(events_of(shuffled), 6, (2, 4, 5), framing)
    assert np.array_equal(there, framed(events_of(rows), 6, (2, 4, 5), framing))


def test_units_have_no_space() -> None:
    nothing = np.empty(0, dtype=np.uint8)
    sample = Events(
        t_us=np.array([0, 5, 5, 9]), x=np.array([6, 0, 0, 3]), y=nothing, p=nothing
    )
    frames = framed(sample, 2, (7,), "time")
    assert frames.tolist() == [[0, 0, 0, 0, 0, 0, 1], [2, 0, 0, 1, 0, 0, 0]]


def test_a_count_saturates_at_255() -> None:
    frames = framed(
        events_of([(0, 0, 0, 1)] * 300 + [(0, 1, 0, 0)] * 255), 1, (2, 1, 2), "time"
    )
    assert frames.reshape(-1).tolist() == [0, 255, 255, 0]


def test_a_sample_without_events_is_black() -> None:
    for framing in ("time", "count"):
        assert not framed(events_of([]), 4, (2, 3, 3), framing).any()


def test_times_far_apart_do_not_overflow() -> None:
    rows = [(0, 0, 0, 0), (2**61, 1, 0, 0), (2**62, 2, 0, 0)]
    frames = framed(events_of(rows), 1000, (2, 1, 3), "time")
    assert [tuple(map(int, i)) for i in np.argwhere(frames)] == [
        (0, 0, 0, 0),
        (499, 0, 0, 1),
        (999, 0, 0, 2),
    ]


def test_pixels_are_summed_in_blocks() -> None:
    rows = random_events(8, 200, 9, 7)
    fine = framed(events_of(rows), 2, (2, 7, 9), "time").astype(int)
    padded = np.pad(fine, ((0, 0), (0, 0), (0, 1), (0, 1)))
    blocks = padded.reshape(2, 2, 4, 2, 5, 2).sum(axis=(3, 5))
    assert np.array_equal(
        framed(pooled(events_of(rows), 2), 2, (2, 4, 5), "time"), blocks
    )


def test_the_first_value_out_of_range() -> None:
    assert first_outside(np.array([0, 4, 3]), 5) is None
    assert first_outside(np.array([0, 4, 5, 9]), 5) == 2
    assert first_outside(np.array([0, -1]), 5) == 1
    assert first_outside(np.array([2**64 - 1], dtype=np.uint64), 2**62) == 0
    assert first_outside(np.array([], dtype=np.uint8), 5) is None


def test_a_framing_that_is_none() -> None:
    with pytest.raises(
        ConfigError, match=r"expected time or count, got 'tme'\. Did you"
    ):
        check_framing("tme")
