"""MNIST, Fashion-MNIST and others in the same files (idx, also .gz).

Knows: the files and their headers. Must not know: networks, torch.

Pictures: magic 0x00000803, count, rows, columns, then a byte a pixel; labels: magic
0x00000801, count, then a byte each.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.errors import ConfigError, DataError
from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.files import (
    bad_file,
    checked_root,
    find_root,
    fingerprint_of,
    reading,
    told,
)
from moosnn.snn.data.idx import Idx
from moosnn.snn.data.pictures import Part, Pictures, split_labels, split_pictures
from moosnn.snn.data.splits import SplitOptions

CLASSES = 10
TREE = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte, each as it is or as .gz"
)
IMAGES_MAGIC = 0x0803
LABELS_MAGIC = 0x0801
LARGEST_SIDE = 1024
_PARTS = ("train", "t10k")
_LABELS_HEADER = 8
_IMAGES_HEADER = 16
_SPELLINGS = tuple(
    f"{dash}{ending}"
    for dash in ("-idx{}-ubyte", ".idx{}-ubyte")
    for ending in ("", ".gz")
)
_FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


class Mnist:
    """Grey pictures in ten classes.

    Args:
        root: the folder of the four files, or one in which they lie below ``raw`` or
            ``MNIST/raw`` (``FashionMNIST/raw``).
        name: ``mnist`` or ``fashion_mnist``; the files do not tell.
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
        name: str = "mnist",
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        if name not in _FOLDERS:
            raise ConfigError(
                f"data.name: expected mnist or fashion_mnist, got {name!r}."
            )
        self._root = checked_root(root)
        self._name = name
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """The size of the pictures, from a header; the labels are read as well."""
        return self._description

    def fingerprint(self) -> str:
        """Of names, sizes, the labels and the split."""
        return self._fingerprint

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Pixels from 0 to 255, ``n x 1 x rows x columns``.

        Args:
            time_steps: changes nothing.
            cache: not used.
        """
        return self._dataset

    def pictures(self) -> Pictures:
        """Both official parts.

        Raises:
            DataError: with the file and the offset.
        """
        description = self._sizes
        train, test = (_part(files, description.shape) for files in self._files)
        return Pictures(description=description, train=train, test=test)

    @cached_property
    def _dataset(self) -> Dataset:
        return split_pictures(self.pictures(), self._options)

    @cached_property
    def _fingerprint(self) -> str:
        files = [path for pair in self._files for path in (pair.images, pair.labels)]
        labels = [part.tobytes() for part in self._labels]
        return fingerprint_of(files[0].parent, files, *labels, repr(self._options))

    @cached_property
    def _sizes(self) -> Description:
        _, rows, columns = self._files[0].images_header()
        return Description(
            name=self._name, shape=(1, rows, columns), classes=CLASSES, frames=False
        )

    @cached_property
    def _description(self) -> Description:
        found = self._sizes
        train, test = (part.astype(np.int64) for part in self._labels)
        split_labels(train, test, CLASSES, self._options)
        return found

    @cached_property
    def _labels(self) -> list[npt.NDArray[np.uint8]]:
        return [pair.read_labels() for pair in self._files]

    @cached_property
    def _files(self) -> tuple[_Pair, _Pair]:
        below = ("", "raw/", f"{_FOLDERS[self._name]}/raw/")
        first = f"{_PARTS[0]}-images"
        places = [f"{b}{first}{s.format(3)}" for b in below for s in _SPELLINGS]
        folder = find_root(self._root, TREE, places).parent
        train, test = (_Pair(folder, part) for part in _PARTS)
        return train, test


class _Pair:
    """The pictures and the labels of one part."""

    def __init__(self, folder: Path, part: str) -> None:
        self.images = _spelled(folder, f"{part}-images", 3)
        self.labels = _spelled(folder, f"{part}-labels", 1)

    def images_header(self) -> tuple[int, int, int]:
        """Count, rows, columns.

        Raises:
            DataError: they are none, or more than the file can hold.
        """
        with Idx(self.images) as file:
            count, rows, columns = file.header(IMAGES_MAGIC, _IMAGES_HEADER)
        for offset, side in ((8, rows), (12, columns)):
            if not 1 <= side <= LARGEST_SIDE:
                expected = f"a picture's side of 1 to {LARGEST_SIDE} pixels"
                raise bad_file(self.images, expected, str(side), offset=offset)
        return count, rows, columns

    def read_labels(self) -> npt.NDArray[np.uint8]:
        """A byte a sample, in range.

        Raises:
            DataError: with the offset.
        """
        with Idx(self.labels) as file:
            (count,) = file.header(LABELS_MAGIC, _LABELS_HEADER)
            labels = file.body(count, _LABELS_HEADER)
        wrong = np.flatnonzero(labels >= CLASSES)
        if len(wrong):
            first = int(wrong[0])
            raise bad_file(
                self.labels,
                f"a label from 0 to {CLASSES - 1}",
                str(labels[first]),
                offset=_LABELS_HEADER + first,
            )
        return labels


def _part(files: _Pair, shape: tuple[int, ...]) -> Part:
    """One part, read and checked.

    Raises:
        DataError: with the file and the offset.
    """
    count, rows, columns = files.images_header()
    if (1, rows, columns) != shape:
        expected = f"pictures of {shape[1]} x {shape[2]} as in the training part"
        raise bad_file(files.images, expected, f"{rows} x {columns}", offset=8)
    labels = files.read_labels()
    if len(labels) != count:
        expected = f"{count} labels, one a picture of {files.images.name}"
        raise bad_file(files.labels, expected, str(len(labels)), offset=4)
    with Idx(files.images) as file:
        file.header(IMAGES_MAGIC, _IMAGES_HEADER)
        pixels = file.body(count * rows * columns, _IMAGES_HEADER)
    return Part(
        inputs=pixels.reshape(count, 1, rows, columns), labels=labels.astype(np.int64)
    )


def _spelled(folder: Path, stem: str, dimensions: int) -> Path:
    """The file under whichever of its names it has.

    Raises:
        DataError: under none.
    """
    names = [f"{stem}{spelling.format(dimensions)}" for spelling in _SPELLINGS]
    for name in names:
        with reading(folder):
            if (folder / name).exists():
                return folder / name
    raise DataError(
        f"{told(folder)}: lacks {names[0]} (or .gz); expected {TREE}; put it there."
    )
