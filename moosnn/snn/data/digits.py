"""The handwritten digits that scikit-learn ships: 1,797 real images of 8 x 8 pixels.

Knows: where they are and how they are split. Must not know: networks, torch.

They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin &
Kaynak, UCI Machine Learning Repository, 1998), pixels 0 to 16. Nothing is downloaded.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import numpy.typing as npt

from moosnn.snn.data import Dataset, Split

CLASSES = 10
PIXEL_MAX = 16.0
TRAIN_SHARE = 0.6
VALIDATION_SHARE = 0.2


@functools.cache
def load_digits(split_seed: int) -> Dataset:
    """The digits in a stratified 60/20/20 split, the same arrays at every call.

    Args:
        split_seed: of the split alone, >= 0; a study's seed does not change it.

    Returns:
        Intensities = pixels / 16, ``n x 64``, row by row.
    """
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    inputs = np.asarray(pixels, dtype=np.float32) / np.float32(PIXEL_MAX)
    labels = np.asarray(labels, dtype=np.int64)
    parts = [
        _split(inputs, labels, chosen) for chosen in stratified(labels, split_seed)
    ]
    train, validation, test = parts
    digest = hashlib.sha256()
    for part in parts:
        for array in (part.inputs, part.labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())
    return Dataset(
        name="digits",
        train=train,
        validation=validation,
        test=test,
        classes=CLASSES,
        input_max=PIXEL_MAX,
        fingerprint=digest.hexdigest(),
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
    inputs: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.intp],
) -> Split:
    part = Split(inputs=inputs[chosen], labels=labels[chosen])
    part.inputs.setflags(write=False)
    part.labels.setflags(write=False)
    return part
