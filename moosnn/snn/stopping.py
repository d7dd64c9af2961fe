"""Stopping early: rules that say when a silent training will stay silent.

Knows: how the drive of silent stages goes on, and all rules by name. Must not know:
networks, data, learning.

Silence at one moment proves little: learning wakes many networks. Measured on the
digits, what tells the two apart is the *peak drive* of the first silent stage, the
nearest that any sample of a batch came to its alpha-th spike there, as a share of the
threshold. In a network that wakes it rises, in one that stays silent it falls, and
mostly for good. A later stage says nothing as long as an earlier one is silent: it
lacks its input, and stands still until that comes. docs/silence.md has the measured
curves of all rules, and `tests/bench/silence_curves.py` makes them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from moosnn.errors import ConfigError, nearest
from moosnn.snn.counting import Firmin, Sequential
from moosnn.snn.silence import (
    BatchSilence,
    Edge,
    Seen,
    Watch,
    allowed_silent,
    batch_silence,
    silence_of,
)

RULES = ("drive", "sequential", "firmin", "none")

WINDOW_SHARE = 0.1  # of the planned updates: the drive's trend is fitted over so many,
WINDOW_LEAST = 10  # but over no fewer,
WINDOW_MOST = 50  # and no more: by then most stages that turn have turned
ERRORS = 2.0  # standard errors by which the trend may be steeper than fitted
SPEED_UP = 10.0  # a rise that has begun may become so many times faster
SEQUENTIAL_MIN_UPDATES = 200  # fewer, and more than 2 % of its stops are false


class Rule(Protocol):
    """A rule that says when a training will stay silent."""

    def update(self, batch: BatchSilence) -> bool:
        """Hear of one more update of the weights.

        Returns:
            True: stop, the network is silent.
        """
        ...


class Drive:
    """Stops once the first silent stage will not reach its threshold in time.

    The first silent stage has more silent samples than beta allows. Its peak drive,
    extrapolated from a window of updates (`window_of`) to the end of training
    (`highest_drive`), must be and stay below 1, and more than half of the samples must
    have been silent in it throughout the window. With ``stages="last"`` all that must
    hold of the last stage as well.

    Args:
        edge: alpha, beta and the stages that count.
        min_updates: no stop before so many updates, >= 0, nor before a whole window.
        planned_updates: of the whole training, >= 1.
    """

    def __init__(self, edge: Edge, *, min_updates: int, planned_updates: int) -> None:
        self._edge = edge
        self._min_updates = min_updates
        self._planned = planned_updates
        self._updates = 0
        self._suspects: tuple[int, ...] = ()
        self._window = window_of(planned_updates)
        self._peaks: deque[tuple[float, ...]] = deque(maxlen=self._window)

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        self._updates += 1
        suspects = self._suspects_of(batch)
        if suspects != self._suspects:
            self._suspects = suspects
            self._peaks.clear()
        if not suspects:
            return False
        self._peaks.append(tuple(batch.peaks[k] for k in suspects))
        if len(self._peaks) < self._window or self._updates < self._min_updates:
            return False
        left = self._planned - self._updates
        return all(
            highest_drive(peaks, left) < 1 for peaks in zip(*self._peaks, strict=True)
        )

    def _suspects_of(self, batch: BatchSilence) -> tuple[int, ...]:
        """The stages whose drive is watched; none if all that count may yet work."""
        allowed = allowed_silent(batch.samples, self._edge.beta)
        first = next((k for k, s in enumerate(batch.silent) if s > allowed), None)
        if first is None:
            return ()
        last = len(batch.silent) - 1
        suspects = (first,) if self._edge.stages == "all" else (first, last)
        return suspects if all(map(batch.mostly_silent, suspects)) else ()


def window_of(planned_updates: int) -> int:
    """Updates over which a trend is fitted: a tenth of the training, 10 to 50.

    A trend is followed about ten times as far as it was seen. Over a long training the
    trend of ten updates says little: there is time for it to turn.
    """
    share = int(WINDOW_SHARE * planned_updates)
    return min(max(share, WINDOW_LEAST), WINDOW_MOST)


def highest_drive(peaks: Sequence[float], updates_left: int) -> float:
    """How high the peak drive could come until the end of training.

    A straight line is fitted by least squares. Its slope is taken two standard errors
    steeper than fitted, and if that is a rise, ten times as steep: a waking stage gets
    stronger gradients the nearer it comes (seen on the digits: about as much). If it
    falls, the drive is as high as it will be.

    Args:
        peaks: of successive updates, at least 3.
        updates_left: until the end, >= 0.

    Returns:
        A share of the threshold; from 1 on there is a spike.
    """
    count = len(peaks)
    middle = (count - 1) / 2
    mean = sum(peaks) / count
    spread = sum((t - middle) ** 2 for t in range(count))
    slope = sum((t - middle) * p for t, p in enumerate(peaks)) / spread
    residuals = (p - mean - slope * (t - middle) for t, p in enumerate(peaks))
    variance = sum(r * r for r in residuals) / (count - 2)
    steepest = slope + ERRORS * math.sqrt(variance / spread)
    level = max(peaks[-1], mean + slope * middle)
    return level + max(steepest, 0.0) * SPEED_UP * updates_left


class Never:
    """Stops nothing."""

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        return False


class _Listener:
    """Hears a network and tells a rule."""

    def __init__(self, rule: Rule, edge: Edge, *, peaks: bool) -> None:
        self._rule = rule
        self._edge = edge
        self._peaks = peaks
        self._heard: list[BatchSilence] = []

    @property
    def alpha(self) -> int:
        """See `Watch`."""
        return self._edge.alpha

    def update(self, seen: Seen) -> bool:
        """See `Watch`."""
        self._heard.append(batch_silence(seen, self._edge.alpha, peaks=self._peaks))
        return self._rule.update(self._heard[-1])

    def agrees(self, seen: Seen) -> bool:
        """See `Watch`."""
        near = seen.stage_nearness(self._edge.alpha)
        return silence_of(seen.stage_counts(), near, self._edge).margin > 0

    def heard(self) -> list[BatchSilence]:
        """See `Watch`."""
        return list(self._heard)

    def hear_again(self, batches: Sequence[BatchSilence]) -> None:
        """See `Watch`."""
        for batch in batches:
            self._heard.append(batch)
            self._rule.update(batch)


def watch_named(
    rule: str,
    edge: Edge,
    *,
    min_updates: int | None,
    planned_updates: int,
    samples_per_epoch: int,
) -> Watch:
    """The rule of that name, for one training.

    Args:
        rule: one of `RULES`.
        edge: alpha, beta and the stages that count.
        min_updates: no stop before so many updates, >= 0; ``None`` = the rule's own:
            0 of ``drive``, 200 of ``sequential``, 0 of ``firmin``.
        planned_updates: of the whole training, >= 1.
        samples_per_epoch: size of the training split, >= 1.

    Raises:
        ConfigError: an unknown name.
    """

    def wait(own: int) -> int:
        return own if min_updates is None else min_updates

    made: Rule
    match rule:
        case "drive":
            made = Drive(edge, min_updates=wait(0), planned_updates=planned_updates)
        case "sequential":
            made = Sequential(edge, min_updates=wait(SEQUENTIAL_MIN_UPDATES))
        case "firmin":
            made = Firmin(
                edge, min_updates=wait(0), samples_per_epoch=samples_per_epoch
            )
        case "none":
            made = Never()
        case _:
            raise ConfigError(f"stop: got {rule!r}.{nearest(rule, RULES)}")
    return _Listener(made, edge, peaks=rule == "drive")
