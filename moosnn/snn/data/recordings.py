"""Labelled recordings of events, read one by one, and their way into frames.

Knows: labels, splits, the cache. Must not know: formats of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.snn.data import Dataset, Description, Split
from moosnn.snn.data.events import Events, framed
from moosnn.snn.data.frames_cache import Blocks, cached_frames, frames_key
from moosnn.snn.data.splits import (
    Indices,
    SplitOptions,
    check_classes,
    keep,
    split_train,
)

ONE_EVENT = 1.0  # the count that becomes an input of 1
PART_NAMES = {"train": "training", "validation": "validation", "test": "test"}
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """Samples of a data set, listed and not yet read.

    Attributes:
        description: name, shape, classes.
        train: labels of the official training part: samples ``0 .. n_train - 1``.
        validation: labels of the official validation part, the samples that follow;
            ``None`` if it has none.
        test: labels of the official test part, the samples after those.
        read: of some samples, their row in the argument and their events, in any order.
    """

    description: Description
    train: Labels
    validation: Labels | None
    test: Labels
    read: Callable[[Indices], Iterator[tuple[int, Events]]]

    @property
    def parts(self) -> dict[str, tuple[Indices, Labels]]:
        """The indices and the labels of each official part."""
        found: dict[str, tuple[Indices, Labels]] = {}
        start = 0
        for name in ("train", "validation", "test"):
            labels = getattr(self, name)
            if labels is not None:
                indices = np.arange(start, start + len(labels), dtype=np.intp)
                found[name] = indices, labels
                start += len(labels)
        return found


def split_rows(
    recordings: Recordings, options: SplitOptions
) -> tuple[Indices, Indices, Indices]:
    """The samples of train, validation and test.

    Raises:
        DataError: fewer samples than the options ask for, or a part without a class.
    """
    parts = recordings.parts
    for name, (_, labels) in parts.items():
        check_classes(PART_NAMES[name], labels, recordings.description.classes)
    test = parts["test"][0]
    if "validation" not in parts:
        train, validation = split_train(recordings.train, options)
        return train, validation, test
    generator = np.random.default_rng(options.split_seed)
    shuffled = generator.permutation(len(recordings.train))
    grouped = shuffled[np.argsort(recordings.train[shuffled], kind="stable")]
    return keep(grouped, options), parts["validation"][0], test


def described(recordings: Recordings, options: SplitOptions) -> Description:
    """The description, once it is known that the samples can be split so.

    Raises:
        DataError: as `split_rows`.
    """
    split_rows(recordings, options)
    return recordings.description


def load_recordings(
    recordings: Recordings,
    options: SplitOptions,
    framing: str,
    *,
    fingerprint: str,
    time_steps: int,
    cache: Path,
) -> Dataset:
    """Frames of the samples that are asked for, memory-mapped.

    Args:
        recordings: what there is.
        options: how it is split.
        framing: by time or by count.
        fingerprint: of the source with all of its settings.
        time_steps: T, >= 1.
        cache: of the study.

    Raises:
        DataError: a bad file, or a cache that cannot be written.
    """
    parts = split_rows(recordings, options)
    wanted = np.concatenate(parts)
    shape = recordings.description.shape

    def build() -> Blocks:
        for row, events in recordings.read(wanted):
            yield row, framed(events, time_steps, shape, framing)[np.newaxis]

    frames = cached_frames(
        cache,
        frames_key(fingerprint, time_steps, framing),
        (len(wanted), time_steps, *shape),
        build,
    )
    every = [recordings.train, recordings.validation, recordings.test]
    labels = np.concatenate([part for part in every if part is not None])
    return frames_dataset(recordings.description, frames, labels, parts)


def frames_dataset(
    description: Description,
    frames: npt.NDArray[np.uint8],
    labels: Labels,
    parts: tuple[Indices, Indices, Indices],
) -> Dataset:
    """Cut frames, which lie one part after the other, into splits.

    Args:
        description: of the data set.
        frames: ``n x T x shape``.
        labels: of all samples.
        parts: samples of train, validation and test; the rows of ``frames``.
    """
    splits, start = [], 0
    for part in parts:
        chosen = labels[part]
        chosen.setflags(write=False)
        splits.append(Split(inputs=frames[start : start + len(part)], labels=chosen))
        start += len(part)
    train, validation, test = splits
    return Dataset(
        description=description,
        train=train,
        validation=validation,
        test=test,
        input_max=ONE_EVENT,
    )
