"""The handwritten digits that scikit-learn ships: 1,797 real images of 8 x 8 pixels.

Knows: where they are and how they are split. Must not know: networks, torch.

They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin &
Kaynak, UCI Machine Learning Repository, 1998), pixels 0 to 16. Nothing is downloaded.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.errors import ConfigError
from moosnn.snn.data import Dataset, Description, Split

CLASSES = 10
PIXEL_MAX = 16.0
TRAIN_SHARE = 0.6
VALIDATION_SHARE = 0.2
_DESCRIPTION = Description(
    name="digits", shape=(1, 8, 8), classes=CLASSES, frames=False
)


class Digits:
    """The digits in a stratified 60/20/20 split.

    Args:
        split_seed: of the split alone, >= 0; a study's seed does not change it.

    Raises:
        ConfigError: the seed is not a whole number >= 0.
    """

    def __init__(self, split_seed: int = 0) -> None:
        if not isinstance(split_seed, int) or isinstance(split_seed, bool):
            raise ConfigError(
                f"data.split_seed: expected a whole number >= 0, got {split_seed!r}."
            )
        if split_seed < 0:
            raise ConfigError(f"data.split_seed: expected >= 0, got {split_seed}.")
        self._split_seed = split_seed

    def describe(self) -> Description:
        """Images of 1 x 8 x 8 pixels, ten classes."""
        return _DESCRIPTION

    def fingerprint(self) -> str:
        """The sha256 of all arrays and of how they were split."""
        digest = hashlib.sha256()
        data = _load(self._split_seed)
        for part in (data.train, data.validation, data.test):
            for array in (part.inputs, part.labels):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(array.tobytes())
        return digest.hexdigest()

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """Pixels from 0 to 16, ``n x 1 x 8 x 8``; the same arrays at every call.

        Args:
            time_steps: changes nothing.
            cache: not used.
        """
        return _load(self._split_seed)


@functools.cache
def _load(split_seed: int) -> Dataset:
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    inputs = pixels.astype(np.uint8).reshape(-1, *_DESCRIPTION.shape)
    labels = np.asarray(labels, dtype=np.int64)
    train, validation, test = (
        _split(inputs, labels, chosen) for chosen in stratified(labels, split_seed)
    )
    return Dataset(
        description=_DESCRIPTION,
        train=train,
        validation=validation,
        test=test,
        input_max=PIXEL_MAX,
    )


def stratified(
    labels: npt.NDArray[np.int64], split_seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Indices of train, validation and test: every class is cut 60/20/20.

    Args:
        labels: ``n`` classes.
        split_seed: of numpy's default generator.

    Returns:
        Three ascending, disjoint arrays that together hold ``0 .. n - 1``.
    """
    generator = np.random.default_rng(split_seed)
    parts: list[list[npt.NDArray[np.intp]]] = [[], [], []]
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        first = round(TRAIN_SHARE * len(members))
        second = first + round(VALIDATION_SHARE * len(members))
        cuts = np.split(members, [first, second])
        for part, cut in zip(parts, cuts, strict=True):
            part.append(cut)
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    return train, validation, test


def _split(
    inputs: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.intp],
) -> Split:
    part = Split(inputs=inputs[chosen], labels=labels[chosen])
    part.inputs.setflags(write=False)
    part.labels.setflags(write=False)
    return part
