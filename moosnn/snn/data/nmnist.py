"""N-MNIST: digits seen by an event camera that moves in front of a screen.

Knows: the format. Must not know: networks, torch.

Five bytes an event: x, y, then a bit of polarity and 23 bits of microseconds,
big-endian (Orchard, Jayawant, Cohen & Thakor, "Converting static image datasets to
spiking neuromorphic datasets using saccades", 2015). An event with y = 240 is none: it
says that the clock of all that follows is 2^13 us ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.events import POLARITIES, Events, check_framing, first_outside
from moosnn.snn.data.files import (
    bad_file,
    checked_root,
    class_files,
    find_root,
    fingerprint_of,
    read_bytes,
)
from moosnn.snn.data.recordings import Recordings, described, load_recordings
from moosnn.snn.data.splits import Indices, SplitOptions

SIDE = 34
CLASSES = 10
TREE = "Train/0 to Train/9 and Test/0 to Test/9, folders of .bin files"
RECORD = 5
OVERFLOW_Y = 240
OVERFLOW_US = 1 << 13
_DESCRIPTION = Description(
    name="nmnist", shape=(POLARITIES, SIDE, SIDE), classes=CLASSES, frames=True
)


class NMnist:
    """Events of 34 x 34 pixels in ten classes.

    Args:
        root: the folder that holds ``Train`` and ``Test`` (or ``train`` and ``test``).
        framing: ``time``: T equal times of a recording; ``count``: T equal numbers of
            events.
        split_seed: of train and validation, >= 0.
        validation_share: of the official training part, in (0, 1).
        train_samples: train on so many only; ``None`` = all.

    Raises:
        ConfigError: a bad value.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        framing: str = "time",
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        self._root = checked_root(root)
        self._framing = check_framing(framing)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """Frames of 2 x 34 x 34; every class has its files."""
        return described(self.recordings, self._options)

    def fingerprint(self) -> str:
        """Of names, sizes and the split."""
        return self._fingerprint

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Counts of events, ``n x T x 2 x 34 x 34``, kept in the cache."""
        return load_recordings(
            self.recordings,
            self._options,
            self._framing,
            fingerprint=self._fingerprint,
            time_steps=time_steps,
            cache=cache,
        )

    @cached_property
    def recordings(self) -> Recordings:
        """What there is.

        Raises:
            DataError: with what is missing.
        """
        train, test = (
            np.repeat(np.arange(CLASSES, dtype=np.int64), [len(c) for c in part])
            for part in self._files
        )
        return Recordings(
            description=_DESCRIPTION,
            train=train,
            validation=None,
            test=test,
            read=self._read,
        )

    def _read(self, wanted: Indices) -> Iterator[tuple[int, Events]]:
        paths = [path for part in self._files for files in part for path in files]
        for row, index in enumerate(wanted):
            yield row, read_bin(paths[index])

    @cached_property
    def _files(self) -> tuple[list[list[Path]], list[list[Path]]]:
        train = find_root(self._root, TREE, ("Train", "train"))
        test = find_root(self._root, TREE, (train.name.replace("rain", "est"),))
        classes = [str(digit) for digit in range(CLASSES)]
        return class_files(train, classes, ".bin"), class_files(test, classes, ".bin")

    @cached_property
    def _fingerprint(self) -> str:
        paths = [path for part in self._files for files in part for path in files]
        return fingerprint_of(paths[0].parents[2], paths, repr(self._options))


def read_bin(path: Path, side: int = SIDE) -> Events:
    """The events of a file.

    Args:
        path: the file.
        side: width and height of the camera, pixels.

    Raises:
        DataError: with the offset.
    """
    content = read_bytes(path)
    left_over = len(content) % RECORD
    if left_over:
        raise bad_file(
            path,
            f"events of {RECORD} bytes",
            f"{left_over} more bytes at the end",
            offset=len(content) - left_over,
        )
    raw = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    times = (raw[:, 2] & 0x7F).astype(np.int64)
    for column in (3, 4):
        times <<= 8
        times |= raw[:, column]
    x, y, p = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    marks = y == OVERFLOW_Y
    if marks.any():
        times += np.cumsum(marks, dtype=np.int64) * OVERFLOW_US
        numbers = np.flatnonzero(~marks)
        times, x, y, p = times[numbers], x[numbers], y[numbers], p[numbers]
        if not len(times):
            raise bad_file(path, "events", "overflow marks only", offset=0)
    for offset, name, values in ((0, "x", x), (1, "y", y)):
        wrong = first_outside(values, side)
        if wrong is not None:
            place = int(np.flatnonzero(~marks)[wrong]) * RECORD + offset
            raise bad_file(path, f"{name} < {side}", str(values[wrong]), offset=place)
    return Events(t_us=times, x=x, y=y, p=p)
