"""Synthetic: event streams of a bar that moves in one of eight directions.

Knows: the generator. Must not know: files, networks, torch.

A bright or dark bar crosses a small event camera. Each of its two edges makes a pixel
it passes emit an event, ON or OFF as the light changes. When the bar comes, how fast
and how wide it is differ from sample to sample; some events are lost, all come a little
early or late, and there is noise. Within the recording the bar comes from outside and
leaves altogether, so that in every direction each pixel is passed once by each edge:
how often a pixel fires has one distribution for all classes, and only the times of the
events tell the class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.events import POLARITIES, Events, check_framing
from moosnn.snn.data.recordings import Recordings, described, load_recordings
from moosnn.snn.data.splits import (
    Indices,
    SplitOptions,
    check_generated,
    check_whole,
    generated_test,
)

DIRECTIONS = 8
DURATION_US = 100_000
VERSION = 2
LARGEST_SIDE = 256
LOST_SHARE = 0.1
NOISE_SHARE = 0.1  # of as many events as there are pixels
JITTER_US = 1_000.0
_REACH = 2**-0.5  # of the corners from the middle, in camera widths
_MARGIN_US = 4 * JITTER_US  # nothing of the bar is in sight before and after
_JITTER_MOST_US = 3 * JITTER_US  # less than that, so that no event leaves the recording
_SHARES = (0.6, 1.0)  # of the recording, less its margins, that a crossing takes
_WIDTHS = (0.1, 0.4)  # of the bar, in camera widths


class MovingEdges:
    """Moving bars before an event camera, eight directions.

    Args:
        side: width and height of the camera, pixels, >= 4.
        samples_per_class: >= 10; a fifth of them is the test part.
        seed: of the samples, >= 0.
        framing: ``time``: T equal times of a recording; ``count``: T equal numbers of
            events.
        split_seed: of train and validation, >= 0.
        validation_share: of the rest, in (0, 1).
        train_samples: train on so many only; ``None`` = all.

    Raises:
        ConfigError: a bad value.
    """

    def __init__(
        self,
        *,
        side: int = 16,
        samples_per_class: int = 200,
        seed: int = 0,
        framing: str = "time",
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        self._side = check_whole("side", side, 4, LARGEST_SIDE)
        self._each = check_whole("samples_per_class", samples_per_class, 10)
        self._seed = check_whole("seed", seed, 0)
        self._framing = check_framing(framing)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """Frames of ON and OFF pixels.

        Raises:
            DataError: more samples than may be, or than there are to train on.
        """
        return described(self.recordings, self._options)

    def fingerprint(self) -> str:
        """Of the parameters."""
        parameters = (VERSION, self._side, self._each, self._seed, self._options)
        return hashlib.sha256(f"moving_edges {parameters!r}".encode()).hexdigest()

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Counts of events, ``n x T x 2 x side x side``, kept in the cache."""
        return load_recordings(
            self.recordings,
            self._options,
            self._framing,
            fingerprint=self.fingerprint(),
            time_steps=time_steps,
            cache=cache,
        )

    @cached_property
    def recordings(self) -> Recordings:
        """The samples, made when they are read; each depends on its number alone."""
        check_generated(DIRECTIONS, self._each)
        every = np.repeat(np.arange(DIRECTIONS, dtype=np.int64), self._each)
        is_test = generated_test(DIRECTIONS, self._each)
        return Recordings(
            description=Description(
                name="moving_edges",
                shape=(POLARITIES, self._side, self._side),
                classes=DIRECTIONS,
                frames=True,
            ),
            train=every[~is_test],
            validation=None,
            test=every[is_test],
            read=self._read,
        )

    def _read(self, wanted: Indices) -> Iterator[tuple[int, Events]]:
        labels = np.concatenate((self.recordings.train, self.recordings.test))
        for row, index in enumerate(wanted.tolist()):
            draw = np.random.default_rng([self._seed, index])
            yield row, moving_bar(int(labels[index]), self._side, draw)


def moving_bar(direction: int, side: int, draw: np.random.Generator) -> Events:
    """The events of one bar.

    Args:
        direction: 0 to 7, counter-clockwise from the right in steps of 45 degrees.
        side: of the camera, pixels.
        draw: everything random.

    Returns:
        Events within `DURATION_US`, in the order of time.
    """
    angle = 2 * np.pi * direction / DIRECTIONS
    y, x = np.divmod(np.arange(side * side), side)
    centre = (side - 1) / 2
    # How far a pixel lies along the way, in camera widths; rows are counted downwards.
    along = ((x - centre) * np.cos(angle) - (y - centre) * np.sin(angle)) / side
    width = draw.uniform(*_WIDTHS)
    there_us = DURATION_US - 2 * _MARGIN_US
    takes_us = there_us * draw.uniform(*_SHARES)
    begin_us = _MARGIN_US + draw.uniform(0, there_us - takes_us)
    speed = (2 * _REACH + width) / takes_us
    bright = int(draw.integers(2))
    times, cells, signs = [], [], []
    for behind, sign in ((0.0, bright), (width, 1 - bright)):
        passed_us = begin_us + (along + _REACH + behind) / speed
        jitter_us = draw.normal(0.0, JITTER_US, len(x))
        passed_us += jitter_us.clip(-_JITTER_MOST_US, _JITTER_MOST_US)
        seen = draw.random(len(x)) >= LOST_SHARE
        times.append(passed_us[seen])
        cells.append(np.flatnonzero(seen))
        signs.append(np.full(len(cells[-1]), sign))
    noise = int(draw.poisson(NOISE_SHARE * side * side))
    times.append(draw.uniform(0, DURATION_US, noise))
    cells.append(draw.integers(side * side, size=noise))
    signs.append(draw.integers(2, size=noise))
    return _in_time(np.concatenate(times), np.concatenate(cells), signs, side)


def _in_time(
    times: npt.NDArray[np.float64],
    cells: npt.NDArray[np.intp],
    signs: list[npt.NDArray[np.int64]],
    side: int,
) -> Events:
    """The events, sorted."""
    whole = np.floor(times).astype(np.int64)
    order = np.argsort(whole, kind="stable")
    y, x = np.divmod(cells[order], side)
    return Events(t_us=whole[order], x=x, y=y, p=np.concatenate(signs)[order])
