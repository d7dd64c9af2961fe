"""Stopping early: rules that say when a silent training will stay silent.

Knows: how the drive of silent stages goes on, and all rules by name. Must not know:
networks, data, learning.

Silence at one moment proves little: learning wakes many networks. Measured on the
digits, what tells the two apart is the *peak drive* of the first silent stage, the
nearest that any sample of a batch came to its alpha-th spike there, as a share of the
threshold. In a network that wakes it rises, in one that stays silent it falls, and
mostly for good. A later stage says nothing as long as an earlier one is silent: it
lacks its input, and stands still until that comes. Where some samples of a stage spike,
the drive is above the threshold, and the *share* of silent samples tells: it falls to
what beta allows, or wavers above it to the end. docs/silence.md has the measured curves
of all rules, and `tests/bench/silence_curves.py` makes them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np

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
SHARE_WINDOW = 2  # windows of the drive, uncapped, for the share: it is noisier
WAIT_SHARE = 0.05  # of the planned updates: long trainings wake late
ERRORS = 2.0  # standard errors by which the trend may be steeper than fitted
SPEED_UP = 10.0  # a way out that has begun may become so many times faster
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
    """Stops once the first silent stage will not wake in time.

    The first silent stage has more silent samples than beta allows. Its peak drive,
    extrapolated from a window of updates (`window_of`) to the end of training
    (`highest_drive`), must be and stay below 1, and more than half of the samples must
    have been silent in it throughout the window. With ``stages="last"`` all that must
    hold of the last stage as well. Or, where in every batch of a longer window
    (`share_window_of`) some samples spiked and too many did not: the share of silent
    ones must stay above beta, extrapolated in the same way (`lowest_share`). With
    ``stages="last"`` it is that of the last stage.

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
        self._wavering: int | None = None
        self._shares: deque[float] = deque(maxlen=share_window_of(planned_updates))

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        self._updates += 1
        below, above = self._stays_below(batch), self._stays_above(batch)
        return (below or above) and self._updates >= self._min_updates

    def _stays_below(self, batch: BatchSilence) -> bool:
        """Whether a silent stage's drive will not come to its threshold."""
        suspects = self._suspects_of(batch)
        if suspects != self._suspects:
            self._suspects = suspects
            self._peaks.clear()
        if not suspects:
            return False
        self._peaks.append(tuple(batch.peaks[k] for k in suspects))
        if len(self._peaks) < self._window:
            return False
        left = self._planned - self._updates
        return all(
            highest_drive(peaks, left) < 1 for peaks in zip(*self._peaks, strict=True)
        )

    def _stays_above(self, batch: BatchSilence) -> bool:
        """Whether a half-silent stage's share will not come down to beta."""
        stage = self._first_silent(batch)
        if stage is not None and self._edge.stages == "last":
            stage = len(batch.silent) - 1
        partly = stage is not None and (
            allowed_silent(batch.samples, self._edge.beta)
            < batch.silent[stage]
            < batch.samples
        )
        if not partly or stage != self._wavering:
            self._wavering = stage
            self._shares.clear()
        if not partly or stage is None:
            return False
        self._shares.append(batch.silent[stage] / batch.samples)
        if len(self._shares) < (self._shares.maxlen or 0):
            return False
        left = self._planned - self._updates
        return lowest_share(self._shares, left) > self._edge.beta

    def _first_silent(self, batch: BatchSilence) -> int | None:
        """The first stage with more silent samples than beta allows."""
        allowed = allowed_silent(batch.samples, self._edge.beta)
        return next((k for k, s in enumerate(batch.silent) if s > allowed), None)

    def _suspects_of(self, batch: BatchSilence) -> tuple[int, ...]:
        """The stages whose drive is watched; none if all that count may yet work."""
        first = self._first_silent(batch)
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


def share_window_of(planned_updates: int) -> int:
    """Updates over which the share's trend is fitted: a fifth of the training, or 20.

    A share wavers by the luck of the batch, and falls slowly: no shorter window could
    be found that did not stop what would have woken.
    """
    share = int(SHARE_WINDOW * WINDOW_SHARE * planned_updates)
    return max(share, SHARE_WINDOW * WINDOW_LEAST)


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
    end, slope, error = _line(peaks)
    rise = max(slope + ERRORS * error, 0.0)
    return max(peaks[-1], end) + rise * SPEED_UP * updates_left


def lowest_share(shares: Sequence[float], updates_left: int) -> float:
    """How low the share of silent samples could come until the end of training.

    As in `highest_drive`, the other way round; a share wavers with the batch, so it is
    taken where the line ends, not where the last batch was.

    Args:
        shares: of successive updates, at least 3, in [0, 1].
        updates_left: until the end, >= 0.
    """
    end, slope, error = _line(shares)
    fall = min(slope - ERRORS * error, 0.0)
    return end + fall * SPEED_UP * updates_left


def _line(values: Sequence[float]) -> tuple[float, float, float]:
    """A line by least squares: its last value, its slope and the slope's error."""
    found = np.fromiter(values, dtype=np.float64)
    count = len(found)
    times = np.arange(count) - (count - 1) / 2
    with np.errstate(invalid="ignore"):  # of a membrane that overflowed, no number
        mean, spread = found.mean(), times @ times
        slope = times @ found / spread
        residuals = found - mean - slope * times
        error = np.sqrt(residuals @ residuals / (count - 2) / spread)
    return float(mean + slope * times[-1]), float(slope), float(error)


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
            a twentieth of the planned ones of ``drive``, 200 of ``sequential``, 0 of
            ``firmin``.
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
            own = round(WAIT_SHARE * planned_updates)
            made = Drive(edge, min_updates=wait(own), planned_updates=planned_updates)
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
