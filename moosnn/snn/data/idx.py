"""Reading idx files, also .gz: the format of MNIST.

Knows: the format. Must not know: data sets.

Big-endian: a magic number whose last byte counts the dimensions, their sizes, then a
byte a value (LeCun, Cortes & Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError
from moosnn.snn.data.files import bad_file, reading, size_of

_GZIP_MOST = 1032  # no deflated byte becomes more bytes than that


class Idx:
    """An idx file that is read from its start, never further than its header says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = size_of(path)
        self._zipped = path.suffix == ".gz"

    def __enter__(self) -> Idx:
        with reading(self._path):
            self._file = cast(
                BinaryIO,
                gzip.open(self._path) if self._zipped else self._path.open("rb"),
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def header(self, magic: int, length: int) -> tuple[int, ...]:
        """The counts after the magic number.

        Raises:
            DataError: it is no idx file of that kind, or too short or long for them.
        """
        raw = self._read(length)
        if len(raw) < length:
            got = f"{len(raw)} bytes" if raw else "an empty file"
            raise bad_file(self._path, f"a header of {length} bytes", got)
        found, *counts = struct.unpack(f">{length // 4}I", raw)
        if found != magic:
            got = f"0x{found:08x}"
            raise bad_file(self._path, f"magic 0x{magic:08x}", got, offset=0)
        needed = int(np.prod(counts, dtype=object))
        if needed == 0:
            raise bad_file(self._path, "at least one sample", "none", offset=4)
        held = self._size * _GZIP_MOST if self._zipped else self._size - length
        if needed > held or (not self._zipped and needed < held):
            most = "at most " if self._zipped else ""
            raise bad_file(
                self._path,
                f"{needed} bytes after the header, which counts "
                f"{' x '.join(map(str, counts))}",
                f"{most}{held}",
                offset=length + min(needed, held),
            )
        return tuple(counts)

    def body(self, needed: int, start: int) -> npt.NDArray[np.uint8]:
        """Exactly so many bytes, and then the end.

        Raises:
            DataError: there are fewer or more.
        """
        raw = self._read(needed + 1)
        if len(raw) != needed:
            got = str(len(raw)) if len(raw) < needed else "more"
            raise bad_file(
                self._path,
                f"{needed} bytes after the header",
                got,
                offset=start + min(needed, len(raw)),
            )
        return np.frombuffer(raw, dtype=np.uint8)

    def _read(self, count: int) -> bytes:
        try:
            with reading(self._path):
                return self._file.read(count)
        except (EOFError, zlib.error) as error:
            cut = isinstance(error, EOFError)
            got = f"its end after {self._size} bytes" if cut else "damaged contents"
            raise bad_file(self._path, "a whole gzip file", got) from error
        except DataError as error:
            if isinstance(error.__cause__, gzip.BadGzipFile):
                raise bad_file(self._path, "a gzip file", "another one") from error
            raise
