"""Recordings of any event camera, one .npz file each, one folder a class.

Knows: the layout and numpy's file format. Must not know: networks, torch.

``train/<class>/*.npz`` and ``test/<class>/*.npz`` with the arrays t (microseconds), x,
y and p (0 or 1), as SpikingJelly writes below ``events_np``. Nothing is unpickled: only
plain lists of integers are read, and of no array more than `ARRAY_MOST` bytes.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from moosnn.errors import DataError
from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.events import (
    POLARITIES,
    Events,
    Integers,
    check_framing,
    first_outside,
    pooled,
)
from moosnn.snn.data.files import (
    bad_file,
    checked_root,
    class_files,
    find_root,
    fingerprint_of,
    is_folder,
    names_in,
    reading,
    size_of,
)
from moosnn.snn.data.recordings import Recordings, described, load_recordings
from moosnn.snn.data.splits import Indices, SplitOptions, check_whole

TREE = "train/CLASS/*.npz and test/CLASS/*.npz, each with the arrays t, x, y and p"
ARRAY_MOST = 1 << 30  # bytes: 134 million events
LARGEST_SIDE = 1 << 14
_LATEST_US = 1 << 62
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][iub][1248])', "
    rb"'fortran_order': (?:True|False), 'shape': \((\d{1,12}),\), *\} *\n",
    re.S,
)
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class EventNpz:
    """Events in files of numpy.

    Args:
        root: the folder that holds ``train`` and ``test``, or ``events_np``.
        height: of the camera, pixels.
        width: likewise; ``moosnn data check`` tells how far the events reach.
        downsample: blocks of so many pixels squared are summed into one.
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
        height: int | None = None,
        width: int | None = None,
        downsample: int = 1,
        framing: str = "time",
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        for key, side in (("height", height), ("width", width)):
            if side is not None:
                check_whole(key, side, 1, LARGEST_SIDE)
        self._root = checked_root(root)
        self._height, self._width = height, width
        self._factor = check_whole("downsample", downsample, 1, LARGEST_SIDE)
        self._framing = check_framing(framing)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """The size of frames; every class has its files."""
        return described(self.recordings, self._options)

    def fingerprint(self) -> str:
        """Of names, sizes, the camera and the split."""
        return self._fingerprint

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Counts of events, ``n x T x 2 x height x width``, kept in the cache."""
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
        paths = self._files  # first, for its complaints come first
        height, width = self._sides
        train, test = (
            np.repeat(np.arange(len(part), dtype=np.int64), [len(c) for c in part])
            for part in paths
        )
        shape = (POLARITIES, -(-height // self._factor), -(-width // self._factor))
        return Recordings(
            description=Description(
                name="event_npz", shape=shape, classes=len(paths[0]), frames=True
            ),
            train=train,
            validation=None,
            test=test,
            read=self._read,
        )

    @property
    def _sides(self) -> tuple[int, int]:
        if self._height is None or self._width is None:
            raise DataError(
                "data.height and data.width: expected the camera's size in pixels, got "
                "nothing; `moosnn data check FOLDER` tells how far the events reach."
            )
        return self._height, self._width

    def _read(self, wanted: Indices) -> Iterator[tuple[int, Events]]:
        height, width = self._sides
        paths = [path for part in self._files for files in part for path in files]
        for row, index in enumerate(wanted):
            yield row, pooled(read_npz(paths[index], width, height), self._factor)

    @cached_property
    def _files(self) -> tuple[list[list[Path]], list[list[Path]]]:
        train = find_root(self._root, TREE, ("train", "events_np/train"))
        folder = train.parent
        classes = [name for name in names_in(train) if is_folder(train / name)]
        if all(name.isascii() and name.isdigit() for name in classes):
            classes.sort(key=lambda name: (int(name), name))
        if len(classes) < 2:
            raise bad_file(train, "a folder for each of two or more classes", "fewer")
        return class_files(train, classes, ".npz"), class_files(
            folder / "test", classes, ".npz"
        )

    @cached_property
    def _fingerprint(self) -> str:
        paths = [path for part in self._files for files in part for path in files]
        more = repr((*self._sides, self._factor, self._options))
        return fingerprint_of(paths[0].parents[2], paths, more)


def read_npz(path: Path, width: int, height: int) -> Events:
    """The events of a file.

    Args:
        path: the file.
        width: of the camera, pixels.
        height: likewise.

    Raises:
        DataError: with the array and the offset in it.
    """
    size = size_of(path)
    if size == 0:
        raise bad_file(path, "an .npz file", "an empty file")
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            arrays = {
                name: _array(path, archive, name, limit)
                for name, limit in (
                    ("t", _LATEST_US),
                    ("x", width),
                    ("y", height),
                    ("p", POLARITIES),
                )
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        RuntimeError,  # and NotImplementedError
        EOFError,
        LookupError,
        ValueError,  # and UnicodeDecodeError
        OverflowError,
    ) as error:
        raise bad_file(path, "a whole .npz file", _worded(error, size)) from error
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise bad_file(path, "t, x, y and p of one length", got)
    if not lengths["t"]:
        raise bad_file(path, "events", "none")
    times = arrays["t"].astype(np.int64)
    return Events(t_us=times, x=arrays["x"], y=arrays["y"], p=arrays["p"])


def _worded(error: Exception, size: int) -> str:
    """What zipfile's error means to who made the file."""
    words = str(error)
    if "not a zip file" in words:
        return f"no directory of a zip file at its end, after {size} bytes"
    found = re.search(r"CRC-32 for file '([txyp])\.npy'", words)
    if found:
        return f"an array {found[1]} that fails its checksum"
    return "one that cannot be unpacked"


def _array(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> Integers:
    """An array of an archive, its values in ``0 .. limit - 1``.

    Raises:
        DataError: it is missing, or no list of integers, or out of range.
    """
    place = path / f"{name}.npy"
    member = f"{name}.npy"
    if member not in archive.namelist():
        known = ", ".join(archive.namelist()[:6])[:80]
        raise bad_file(path, "arrays t, x, y and p", repr(known))
    entry = archive.getinfo(member)
    if entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
        raise bad_file(place, "an array stored or deflated", "another method")
    if entry.file_size > ARRAY_MOST:
        expected = f"at most {ARRAY_MOST} bytes"
        raise bad_file(
            place, expected, str(entry.file_size), todo="split the recording"
        )
    raw = archive.read(entry)
    header = _NPY.match(raw)
    if header is None:
        expected = "numpy's header of a list of integers"
        raise bad_file(place, expected, repr(raw[:80]), offset=0)
    dtype = np.dtype(header[1].decode())
    needed, held = int(header[2]) * dtype.itemsize, len(raw) - header.end()
    if needed != held:
        raise bad_file(place, f"{needed} bytes", str(held), offset=header.end())
    values = np.frombuffer(raw, dtype=dtype, offset=header.end())
    if dtype.kind == "b":
        values = values.view(np.uint8)
    wrong = first_outside(values, limit)
    if wrong is not None:
        offset = header.end() + wrong * dtype.itemsize
        expected = f"{name} from 0 to {limit - 1}"
        raise bad_file(place, expected, str(values[wrong]), offset=offset)
    return values
