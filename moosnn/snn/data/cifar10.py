"""CIFAR-10 in its binary version.

Knows: the format. Must not know: networks, torch.

A record is a label byte and then 1,024 bytes each of red, green and blue, row by row
(Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.snn.data import Dataset, Description
from moosnn.snn.data.files import (
    bad_file,
    checked_root,
    find_root,
    fingerprint_of,
    read_bytes,
    size_of,
)
from moosnn.snn.data.pictures import Part, Pictures, split_labels, split_pictures
from moosnn.snn.data.splits import SplitOptions

CLASSES = 10
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
TREE = "data_batch_1.bin to data_batch_5.bin and test_batch.bin (the binary version)"
_DESCRIPTION = Description(name="cifar10", shape=SHAPE, classes=CLASSES, frames=False)


class Cifar10:
    """Coloured pictures of 32 x 32 pixels in ten classes.

    Args:
        root: the folder of the six files, or the one that holds
            ``cifar-10-batches-bin``.
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
        split_seed: int = 0,
        validation_share: float = 0.2,
        train_samples: int | None = None,
    ) -> None:
        self._root = checked_root(root)
        self._options = SplitOptions(
            split_seed=split_seed,
            validation_share=validation_share,
            train_samples=train_samples,
        )

    def describe(self) -> Description:
        """Pictures of 3 x 32 x 32; the labels are read."""
        return self._description

    def fingerprint(self) -> str:
        """Of names, sizes, the labels and the split."""
        return self._fingerprint

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Pixels from 0 to 255, ``n x 3 x 32 x 32``.

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
        parts = [_read(path) for path in self._files]
        train = Part(
            inputs=np.concatenate([part.inputs for part in parts[:-1]]),
            labels=np.concatenate([part.labels for part in parts[:-1]]),
        )
        return Pictures(description=_DESCRIPTION, train=train, test=parts[-1])

    @cached_property
    def _dataset(self) -> Dataset:
        return split_pictures(self.pictures(), self._options)

    @cached_property
    def _fingerprint(self) -> str:
        labels = [part.astype(np.uint8).tobytes() for part in self._labels]
        root = self._files[0].parent
        return fingerprint_of(root, self._files, *labels, repr(self._options))

    @cached_property
    def _description(self) -> Description:
        for path in self._files:
            _check_size(path, size_of(path))
        *train, test = self._labels
        split_labels(np.concatenate(train), test, CLASSES, self._options)
        return _DESCRIPTION

    @cached_property
    def _labels(self) -> list[npt.NDArray[np.int64]]:
        """Of each file; the pictures lie between them, so all of it is read once."""
        return [_read(path).labels for path in self._files]

    @cached_property
    def _files(self) -> list[Path]:
        places = [f"{b}{TRAIN_FILES[0]}" for b in ("", "cifar-10-batches-bin/")]
        folder = find_root(self._root, TREE, places).parent
        return [folder / name for name in (*TRAIN_FILES, TEST_FILE)]


def _check_size(path: Path, size: int) -> None:
    if size == 0 or size % RECORD:
        got = f"{size} bytes" if size else "an empty file"
        expected = f"records of {RECORD} bytes"
        raise bad_file(path, expected, got, offset=size - size % RECORD)


def _read(path: Path) -> Part:
    """A file's samples.

    Raises:
        DataError: with the offset.
    """
    content = read_bytes(path)
    _check_size(path, len(content))
    raw = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    labels = raw[:, 0].astype(np.int64)
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        first = int(wrong[0])
        expected = f"a label from 0 to {CLASSES - 1}"
        raise bad_file(path, expected, str(labels[first]), offset=first * RECORD)
    return Part(inputs=raw[:, 1:].reshape(-1, *SHAPE), labels=labels)
