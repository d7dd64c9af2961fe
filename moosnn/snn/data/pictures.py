"""Labelled pictures of bytes, and their way into splits.

Knows: labels, splits. Must not know: formats of files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosnn.snn.data import Dataset, Description, Split
from moosnn.snn.data.splits import (
    Indices,
    SplitOptions,
    check_classes,
    split_train,
)

PIXEL_MAX = 255.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One official part.

    Attributes:
        inputs: ``n x channels x height x width`` bytes.
        labels: ``n`` classes.
    """

    inputs: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A data set as its files have it.

    Attributes:
        description: name, shape, classes.
        train: the official training part.
        test: the official test part.
    """

    description: Description
    train: Part
    test: Part


def split_pictures(pictures: Pictures, options: SplitOptions) -> Dataset:
    """Cut the training part; the test part stays as it is.

    Raises:
        DataError: as `split_labels`.
    """
    train, validation = split_labels(
        pictures.train.labels,
        pictures.test.labels,
        pictures.description.classes,
        options,
    )
    everything = np.arange(len(pictures.test.labels))
    return Dataset(
        description=pictures.description,
        train=_chosen(pictures.train, train),
        validation=_chosen(pictures.train, validation),
        test=_chosen(pictures.test, everything),
        input_max=PIXEL_MAX,
    )


def split_labels(
    train: npt.NDArray[np.int64],
    test: npt.NDArray[np.int64],
    classes: int,
    options: SplitOptions,
) -> tuple[Indices, Indices]:
    """The samples of train and of validation among the official training part.

    Raises:
        DataError: fewer samples than the options ask for, or a part without a class.
    """
    check_classes("training", train, classes)
    check_classes("test", test, classes)
    return split_train(train, options)


def _chosen(part: Part, indices: Indices) -> Split:
    inputs, labels = part.inputs[indices], part.labels[indices]
    inputs.setflags(write=False)
    labels.setflags(write=False)
    return Split(inputs=inputs, labels=labels)
