"""Data sets: real samples, split once and for all, with a fingerprint.

Knows: what every data set is, and their names. Must not know: networks, torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosnn.errors import ConfigError, nearest

DATASETS = ("digits",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One part of a data set; the arrays are read-only.

    Attributes:
        inputs: ``n x features`` float32 intensities in [0, 1].
        labels: ``n`` int64 classes from 0.
    """

    inputs: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set and its three disjoint splits.

    Attributes:
        name: under which `load_dataset` finds it.
        train: what networks learn from.
        validation: what the search measures them on.
        test: what nothing but the final confirmation reads.
        classes: number of classes.
        input_max: the raw input value that becomes the intensity 1.
        fingerprint: sha256 of all arrays and of how they were split.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    input_max: float
    fingerprint: str

    @property
    def features(self) -> int:
        """Inputs of one sample."""
        return int(self.train.inputs.shape[1])


def check_dataset(name: str) -> None:
    """Refuse an unknown name without loading anything.

    Raises:
        ConfigError: the name is not one of `DATASETS`.
    """
    if name not in DATASETS:
        raise ConfigError(f"data: got {name!r}.{nearest(name, DATASETS)}")


def load_dataset(name: str, split_seed: int) -> Dataset:
    """Load a data set, once a process.

    Args:
        name: one of `DATASETS`.
        split_seed: fixes the splits, >= 0.

    Raises:
        ConfigError: an unknown name.
    """
    check_dataset(name)
    from moosnn.snn.data.digits import load_digits

    return load_digits(split_seed)
