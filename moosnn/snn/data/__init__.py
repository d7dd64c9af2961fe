"""Data sets: samples, split once and for all, with a fingerprint.

Knows: what every source of data gives. Must not know: networks, torch.

A source is a class whose constructor takes what a user sets (``root``, ``split_seed``,
…) and reads nothing. Nothing is ever downloaded, and nothing is written, moved or
deleted below a user's ``root``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One part of a data set; the arrays are read-only and may be memory-mapped.

    Attributes:
        inputs: raw values >= 0, uint8 or float32: ``n x shape`` images, or
            ``n x T x shape`` counts of events.
        labels: ``n`` int64 classes from 0.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a source holds, known without reading the samples.

    Attributes:
        name: of the data set, for people.
        shape: of one step of a sample: ``(features,)`` or ``(channels, height,
            width)``.
        classes: number of classes, >= 2.
        frames: whether a sample is a sequence of event counts, one array a time step
            (its coding is ``frames``), and not one image (coded over time).
    """

    name: str
    shape: tuple[int, ...]
    classes: int
    frames: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set and its three disjoint splits.

    Attributes:
        description: shape, classes and whether samples are frames.
        train: what networks learn from.
        validation: what the search measures them on.
        test: what nothing but the final confirmation reads.
        input_max: the raw value that becomes an input of 1.
    """

    description: Description
    train: Split
    validation: Split
    test: Split
    input_max: float


class DataSource(Protocol):
    """Where samples come from. The constructor reads nothing."""

    def describe(self) -> Description:
        """Look at headers, not at samples.

        Raises:
            DataError: the files are not there or not what they should be.
        """
        ...

    def fingerprint(self) -> str:
        """A sha256 of what results depend on: contents (or names and sizes), splits."""
        ...

    def load(self, time_steps: int, cache: Path) -> Dataset:
        """The samples.

        Args:
            time_steps: T of frames; images do not depend on it.
            cache: a folder of the study where frames may be kept between trials; made
                on first use. Several processes may fill it at once.

        Raises:
            DataError: with the file, what was expected and what to do.
        """
        ...
