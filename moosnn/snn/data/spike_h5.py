"""Spikes in HDF5, as SHD and SSC have them.

Knows: the layout of a file. Must not know: which data sets there are.

``labels``, ``spikes/times`` (seconds, 16-bit floats) and ``spikes/units`` (from 0). A
file is opened for each reading: its handle does not survive a fork.
"""

from __future__ import annotations

import importlib
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError
from moosnn.snn.data.events import Events, first_outside
from moosnn.snn.data.files import bad_file, reading, size_of, told
from moosnn.snn.data.splits import Indices

UNITS = 700
TIMES, NUMBERS, LABELS = "spikes/times", "spikes/units", "labels"
MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\0\0\0"
_OBJECT = 16  # bytes of the header of a heap, and of an object in it
LONGEST_S = 3600.0
_BLOCK = 256  # rows that are read at once
_SECOND_US = 1e6
_NOTHING = np.empty(0, dtype=np.uint8)


class SpikeFiles:
    """Some files, one a part, whose samples are counted through."""

    def __init__(self, paths: Sequence[Path], classes: int, units: int) -> None:
        self.paths = list(paths)
        for path in paths:
            check_heaps(path)
        self.labels = [_labels(path, classes) for path in paths]
        self._units = units

    def read(self, wanted: Indices) -> Iterator[tuple[int, Events]]:
        """The rows and events of some samples, file after file.

        Raises:
            DataError: with the file and the sample.
        """
        starts = np.cumsum([0, *(len(part) for part in self.labels)])
        part_of = np.searchsorted(starts, wanted, side="right") - 1
        for part, path in enumerate(self.paths):
            rows = np.flatnonzero(part_of == part)
            if not len(rows):
                continue
            samples = wanted[rows] - starts[part]
            order = np.argsort(samples, kind="stable")
            for place, events in _read(path, samples[order].tolist(), self._units):
                yield int(rows[order[place]]), events


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open HDF5 file.

    Raises:
        DataError: h5py is missing, it is no such file, or whatever h5py refuses in it.
    """
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise DataError(
            f"{told(path)}: reading it needs h5py, which is not installed: "
            "pip install h5py."
        ) from error
    size = size_of(path)
    with reading(path), path.open("rb") as file:
        head = file.read(len(MAGIC))
    if head != MAGIC:
        got = repr(head) if size else "an empty file"
        raise bad_file(path, "an HDF5 file", got, offset=0)
    try:
        # No lock: a read-only file system refuses it.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except DataError:
        raise
    except Exception as error:  # of a damaged file h5py raises nearly anything
        cut = "truncated" in str(error)
        got = f"its end after {size} bytes" if cut else "one that HDF5 cannot read"
        raise bad_file(path, "a whole HDF5 file", got) from error


def check_heaps(path: Path) -> None:
    """Refuse a file on which the HDF5 library would never return.

    The spikes lie in global heaps ("HDF5 File Format Specification", section III.E):
    objects of a header of 16 bytes (index in 2, size in the last 8) one after the
    other. HDF5 2.0.0 follows them without end where index and size are both 0.

    Raises:
        DataError: with the offset.
    """
    total = size_of(path)
    if total == 0:
        raise bad_file(path, "an HDF5 file", "an empty file")
    with (
        reading(path),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw,
    ):
        start = raw.find(_HEAP)
        while start >= 0:
            length = int.from_bytes(raw[start + 8 : start + _OBJECT], "little")
            if start + length > total:
                got = f"{total - start} bytes up to the end of the file"
                raise bad_file(path, f"a heap of {length} bytes", got, offset=start)
            _follow(path, raw, start + _OBJECT, start + length)
            start = raw.find(_HEAP, start + len(_HEAP))


def _follow(path: Path, raw: mmap.mmap, place: int, end: int) -> None:
    """Follow the objects of a heap as the library does.

    Raises:
        DataError: an object that takes no room.
    """
    while place + _OBJECT <= end:
        index = int.from_bytes(raw[place : place + 2], "little")
        size = int.from_bytes(raw[place + 8 : place + _OBJECT], "little")
        if index:
            size = _OBJECT + -(-size // 8) * 8
        if size == 0:
            raise bad_file(path, "an object of a heap", "zeros", offset=place)
        place += size


def _labels(path: Path, classes: int) -> npt.NDArray[np.int64]:
    """The labels of a file, whose spikes are as many.

    Raises:
        DataError: it lacks something, or a label is out of range.
    """
    with _opened(path) as file:
        for key in (TIMES, NUMBERS, LABELS):
            if key not in file or not hasattr(file[key], "shape"):
                raise bad_file(path, f"data under {key!r}", "none")
        count = size_of(path)  # no sample takes less than a byte
        for key, kinds in ((TIMES, "f"), (NUMBERS, "ui"), (LABELS, "ui")):
            shape, kind = file[key].shape, _kind(file[key], ragged=key != LABELS)
            if len(shape) != 1 or kind not in kinds or not 0 < shape[0] <= count:
                what = "a list of floats" if kinds == "f" else "a list of integers"
                each = " for each sample" if key != LABELS else ""
                got = f"shape {shape} of kind {kind!r}"
                raise bad_file(path, f"{what}{each} under {key!r}", got)
        lengths = {key: file[key].shape[0] for key in (TIMES, NUMBERS, LABELS)}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{key} {length}" for key, length in lengths.items())
            raise bad_file(path, "as many of each", got)
        for key in (TIMES, NUMBERS):
            _check_lengths(path, key, file[key])
        labels = np.asarray(file[LABELS][()])
    wrong = first_outside(labels, classes)
    if wrong is not None:
        expected = f"a label from 0 to {classes - 1} for sample {wrong}"
        raise bad_file(path, expected, str(labels[wrong]))
    return labels.astype(np.int64)


def _check_lengths(path: Path, key: str, data: Any) -> None:  # noqa: ANN401 - of h5py
    """Refuse samples that claim more than the file holds: HDF5 would make room for it.

    A sample is 16 bytes on disk: its length in 4, and where it lies. Compressed ones
    are not looked at.

    Raises:
        DataError: with the offset.
    """
    if data.chunks is None:
        places = [(data.id.get_offset(), data.shape[0] * _OBJECT)]
    elif data.id.get_create_plist().get_nfilters() == 0:
        numbers = range(data.id.get_num_chunks())
        chunks = [data.id.get_chunk_info(number) for number in numbers]
        places = [(chunk.byte_offset, chunk.size) for chunk in chunks]
    else:
        places = []
    claimed = 0
    for offset, length in places:
        if offset is None:  # nothing was ever written there
            continue
        with reading(path), path.open("rb") as file:
            file.seek(offset)
            raw = file.read(length)
        words = np.frombuffer(raw[: len(raw) - len(raw) % _OBJECT], dtype="<u4")
        claimed += int(words[:: _OBJECT // words.itemsize].sum(dtype=np.uint64))
        if claimed > size_of(path):
            expected = f"no more of {key!r} than the file can hold"
            raise bad_file(path, expected, f"{claimed} numbers", offset=offset)


def _kind(data: Any, *, ragged: bool) -> str:  # noqa: ANN401 - an h5py.Dataset
    """The kind of the numbers: ``f``, ``u``, ``i``, or another one."""
    h5py = importlib.import_module("h5py")
    inner = h5py.check_vlen_dtype(data.dtype) if ragged else data.dtype
    return inner.kind if isinstance(inner, np.dtype) else "?"


def _read(
    path: Path, samples: Sequence[int], units: int
) -> Iterator[tuple[int, Events]]:
    """The places among the ascending samples, and the events of each."""
    places = enumerate(samples)
    for block, same in groupby(places, key=lambda pair: pair[1] // _BLOCK):
        start = block * _BLOCK
        with _opened(path) as file:
            times = file[TIMES][start : start + _BLOCK]
            numbers = file[NUMBERS][start : start + _BLOCK]
        for place, sample in same:
            row = sample - start
            yield place, _events(path, sample, times[row], numbers[row], units)


def _events(
    path: Path,
    sample: int,
    times: npt.ArrayLike,
    numbers: npt.ArrayLike,
    units: int,
) -> Events:
    """The spikes of a sample; it may have none.

    Raises:
        DataError: its arrays differ in length, or a spike is out of range.
    """
    times_s = np.asarray(times, dtype=np.float64)
    fired = np.asarray(numbers)
    if times_s.shape != fired.shape:
        expected = f"as many times as units in sample {sample}"
        raise bad_file(path, expected, f"{times_s.size} and {fired.size}")
    wrong = np.flatnonzero(~((times_s >= 0) & (times_s <= LONGEST_S)))
    if len(wrong):
        expected = f"a time from 0 to {LONGEST_S:g} s in sample {sample}"
        raise bad_file(path, expected, f"{times_s[wrong[0]]:g}")
    beyond = first_outside(fired, UNITS)
    if beyond is not None:
        expected = f"a unit < {UNITS} in sample {sample}"
        raise bad_file(path, expected, str(fired[beyond]))
    return Events(
        t_us=np.rint(times_s * _SECOND_US).astype(np.int64),
        x=fired.astype(np.int64) * units // UNITS,
        y=_NOTHING,
        p=_NOTHING,
    )
