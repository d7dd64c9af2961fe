"""Events, and how a stream of them becomes frames.

Knows: arrays of events, frames. Must not know: files, formats, torch.

A frame counts the events of every cell (a pixel and polarity, or a unit) in one time
step. Counts are kept as bytes: more than 255 events of a cell in a step count as 255.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moosnn.errors import ConfigError, nearest

BY_TIME = "time"
BY_COUNT = "count"
FRAMINGS = (BY_TIME, BY_COUNT)
COUNT_MAX = 255  # of a byte
POLARITIES = 2

Integers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """A sample: ``n`` events in the order of their file, mostly that of time.

    Attributes:
        t_us: when, in microseconds, int64.
        x: column from 0, or the unit of a sample that has no space.
        y: row from 0; empty if the sample has no space.
        p: polarity, 0 (darker) or 1 (brighter); empty if the sample has no space.
    """

    t_us: npt.NDArray[np.int64]
    x: Integers
    y: Integers
    p: Integers

    def __len__(self) -> int:
        return len(self.t_us)


def check_framing(framing: object) -> str:
    """The word of ``data.framing``.

    Raises:
        ConfigError: it is none.
    """
    if framing not in FRAMINGS:
        raise ConfigError(
            f"data.framing: expected time or count, got {framing!r}."
            f"{nearest(str(framing), FRAMINGS)}"
        )
    return str(framing)


def framed(
    events: Events, time_steps: int, shape: tuple[int, ...], framing: str
) -> npt.NDArray[np.uint8]:
    """Count the events of a sample in every cell and time step.

    Args:
        events: any order; coordinates inside of ``shape``.
        time_steps: T, >= 1.
        shape: ``(units,)``, or ``(2, height, width)``.
        framing: ``time``: T equal bins from the first event to the last. ``count``: T
            successive runs of as many events each (to within one).

    Returns:
        ``T x shape``, saturated at 255.
    """
    cells = _cells(events, shape)
    times = events.t_us
    if np.any(times[1:] < times[:-1]):
        order = np.argsort(times, kind="stable")
        cells, times = cells[order], times[order]
    cuts = _cuts(times, time_steps, framing)
    size = int(np.prod(shape))
    offsets = np.arange(time_steps, dtype=np.intp) * size
    flat = np.repeat(offsets, np.diff(cuts)) + cells
    counts = np.bincount(flat, minlength=time_steps * size)
    kept = np.minimum(counts, COUNT_MAX).astype(np.uint8)
    return kept.reshape(time_steps, *shape)


def _cells(events: Events, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """The position of each event in a flat frame."""
    if len(shape) == 1:
        return events.x.astype(np.intp)
    _, height, width = shape
    cells = events.p.astype(np.intp)
    cells *= height
    cells += events.y
    cells *= width
    cells += events.x
    return cells


def _cuts(
    times: npt.NDArray[np.int64], time_steps: int, framing: str
) -> npt.NDArray[np.intp]:
    """Where each time step begins among ascending times, and where the last ends."""
    count = len(times)
    if framing == BY_COUNT or not count:
        return np.arange(time_steps + 1, dtype=np.intp) * count // time_steps
    # Python's integers: the product may leave 64 bits. An event lies in step k if
    # floor((t - first) * T / duration) = k, so step k begins at ceil(k duration / T).
    first = int(times[0])
    duration = int(times[-1]) - first + 1
    starts = [first - -k * duration // time_steps for k in range(1, time_steps)]
    inner = np.searchsorted(times, np.asarray(starts, dtype=np.int64))
    return np.concatenate(([0], inner, [count])).astype(np.intp)


def pooled(events: Events, factor: int) -> Events:
    """Sum blocks of ``factor x factor`` pixels into one."""
    if factor == 1:
        return events
    return Events(
        t_us=events.t_us, x=events.x // factor, y=events.y // factor, p=events.p
    )


def first_outside(values: Integers, limit: int) -> int | None:
    """The position of the first value that is not in ``0 .. limit - 1``."""
    if not len(values) or (values.max() < limit and values.min() >= 0):
        return None
    return int(np.flatnonzero((values < 0) | (values >= limit))[0])
