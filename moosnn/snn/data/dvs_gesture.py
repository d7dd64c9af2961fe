"""DVS Gesture: eleven gestures of arms and hands before an event camera.

Knows: its files. Must not know: networks, torch.

Recordings in AEDAT 3.1, each with a table of gestures (class from 1, first and last
microsecond), and two lists of recordings, to train and to test (Amir et al., "A low
power, fully event-based gesture recognition system", CVPR 2017). A sample is what lies
in ``[start, end)``; windows may overlap, as some of the real ones do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np

from moosnn.errors import ConfigError
from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.aedat import check_header, read_aedat
from moosnn.snn.data.events import POLARITIES, Events, check_framing, pooled
from moosnn.snn.data.files import (
    bad_file,
    checked_root,
    find_root,
    fingerprint_of,
    read_text,
    reading,
    size_of,
)
from moosnn.snn.data.recordings import Recordings, described, load_recordings
from moosnn.snn.data.splits import Indices, SplitOptions

SIDE = 128
CLASSES = 11
FACTORS = (1, 2, 4, 8)
LISTS = ("trials_to_train.txt", "trials_to_test.txt")
COLUMNS = "class,startTime_usec,endTime_usec"
TREE = (
    "trials_to_train.txt, trials_to_test.txt, and for each recording in them "
    "userNN_light.aedat and userNN_light_labels.csv"
)
_HEAD_BYTES = 1 << 16
_LATEST_US = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A sample: a part of a recording.

    Attributes:
        path: of the recording.
        label: from 0.
        start_us: first microsecond.
        end_us: that after the last.
    """

    path: Path
    label: int
    start_us: int
    end_us: int


class DvsGesture:
    """Events of 128 x 128 pixels, or fewer, in eleven classes.

    Args:
        root: the folder of the files, or the one that holds ``DvsGesture``.
        downsample: 1, 2, 4 or 8: blocks of so many pixels squared are summed into one.
        framing: ``time``: T equal times of a gesture; ``count``: T equal numbers of
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
        downsample: int = 1,
        framing: str = "time",
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        if isinstance(downsample, bool) or downsample not in FACTORS:
            raise ConfigError(
                f"data.downsample: expected 1, 2, 4 or 8, got {downsample!r}."
            )
        self._root = checked_root(root)
        self._factor = downsample
        self._framing = check_framing(framing)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """The size of frames; the tables are read, and how one recording begins."""
        return self._description

    def fingerprint(self) -> str:
        """Of names, sizes, the tables and the split."""
        return self._fingerprint

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Counts of events, ``n x T x 2 x side x side``, kept in the cache."""
        return load_recordings(
            self.recordings,
            self._options,
            self._framing,
            fingerprint=self._fingerprint,
            time_steps=time_steps,
            cache=cache,
        )

    @cached_property
    def _description(self) -> Description:
        for path in self._paths:
            size_of(path)
        first = self._paths[0]
        with reading(first), first.open("rb") as file:
            check_header(first, file.read(_HEAD_BYTES))
        return described(self.recordings, self._options)

    @cached_property
    def recordings(self) -> Recordings:
        """What there is.

        Raises:
            DataError: with what is missing or wrong in the lists and tables.
        """
        side = SIDE // self._factor
        train, test = (
            np.asarray([window.label for window in part], dtype=np.int64)
            for part in self._windows
        )
        return Recordings(
            description=Description(
                name="dvs_gesture",
                shape=(POLARITIES, side, side),
                classes=CLASSES,
                frames=True,
            ),
            train=train,
            validation=None,
            test=test,
            read=self._read,
        )

    def _read(self, wanted: Indices) -> Iterator[tuple[int, Events]]:
        windows = [window for part in self._windows for window in part]
        rows = sorted(range(len(wanted)), key=lambda row: windows[wanted[row]].path)
        for path, same in groupby(rows, key=lambda row: windows[wanted[row]].path):
            events = read_aedat(path, SIDE, SIDE)
            for row in same:
                part = _within(events, windows[wanted[row]])
                yield row, pooled(part, self._factor)

    @cached_property
    def _windows(self) -> tuple[list[Window], list[Window]]:
        folder = self._folder
        names = [_listed(folder / name) for name in LISTS]
        twice = sorted(set(names[0]) & set(names[1]))
        if twice:
            expected = f"recordings that are not in {LISTS[0]}"
            raise bad_file(folder / LISTS[1], expected, twice[0])
        train, test = ([w for n in part for w in _table(folder / n)] for part in names)
        return train, test

    @cached_property
    def _folder(self) -> Path:
        places = (LISTS[0], f"DvsGesture/{LISTS[0]}")
        return find_root(self._root, TREE, places).parent

    @cached_property
    def _paths(self) -> list[Path]:
        windows = [window for part in self._windows for window in part]
        return sorted({window.path for window in windows})

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_of(
            self._folder,
            self._paths,
            repr(
                [(w.path.name, w.label, w.start_us, w.end_us) for w in self._windows[0]]
            ),
            repr(
                [(w.path.name, w.label, w.start_us, w.end_us) for w in self._windows[1]]
            ),
            repr((self._factor, self._options)),
        )


def _listed(path: Path) -> list[str]:
    """The recordings in a list.

    Raises:
        DataError: a line is no name of one, or it comes twice.
    """
    names: list[str] = []
    offset = 0
    for line in read_text(path).splitlines(keepends=True):
        name = line.strip()
        if name:
            plain = name.endswith(".aedat") and "/" not in name and name.isprintable()
            if not plain or name in names:
                got = f"{name!r} again" if name in names else repr(name)
                raise bad_file(path, "a name NAME.aedat a line", got, offset=offset)
            names.append(name)
        offset += len(line.encode())
    if not names:
        raise bad_file(path, "names of recordings", "none")
    return names


def _table(recording: Path) -> list[Window]:
    """The gestures of a recording.

    Raises:
        DataError: a line is none.
    """
    path = recording.with_name(f"{recording.stem}_labels.csv")
    windows = []
    offset = 0
    for number, line in enumerate(read_text(path).splitlines(keepends=True)):
        words = [word.strip() for word in line.split(",")]
        if number == 0:
            if ",".join(words) != COLUMNS:
                raise bad_file(path, COLUMNS, repr(line.strip()), offset=offset)
        elif line.strip():
            window = _window(recording, words)
            if window is None:
                expected = f"a class from 1 to {CLASSES}, its start, a later end"
                raise bad_file(path, expected, repr(line.strip()), offset=offset)
            windows.append(window)
        offset += len(line.encode())
    if not windows:
        raise bad_file(path, "gestures", "none", offset=offset)
    return windows


def _window(recording: Path, words: list[str]) -> Window | None:
    """The gesture of a line, or ``None`` if it is none."""
    if len(words) != 3 or not all(w.isascii() and w.isdigit() for w in words):
        return None
    if max(map(len, words)) > len(str(_LATEST_US)):
        return None
    label, start_us, end_us = map(int, words)
    if not 1 <= label <= CLASSES or not start_us < end_us <= _LATEST_US:
        return None
    return Window(path=recording, label=label - 1, start_us=start_us, end_us=end_us)


def _within(events: Events, window: Window) -> Events:
    """The events of a window.

    Raises:
        DataError: there are none.
    """
    limits = np.asarray([window.start_us, window.end_us], dtype=np.int64)
    first, last = np.searchsorted(events.t_us, limits)
    if first == last:
        expected = f"events from {window.start_us} to {window.end_us} us"
        raise bad_file(
            window.path, f"{expected}, as its table says", "none in this window"
        )
    part = slice(first, last)
    return Events(
        t_us=events.t_us[part], x=events.x[part], y=events.y[part], p=events.p[part]
    )
