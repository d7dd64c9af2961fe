"""``moosnn data check``: which data set lies in a folder, and whether it is whole.

Knows: the layouts, what to tell of each. Must not know: hydra, tasks, studies.

Every file is read once, as a study would; nothing is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError
from moosnn.snn.data import Description, cifar10, dvs_gesture, event_npz, mnist, nmnist
from moosnn.snn.data import shd as spoken
from moosnn.snn.data.files import names_in, told
from moosnn.snn.data.pictures import Pictures
from moosnn.snn.data.recordings import Recordings
from moosnn.snn.data.splits import check_classes

_US_PER_MS = 1e3
_IDX = ("train-images*", "train-labels*", "t10k-images*", "t10k-labels*")


class _PictureSource(Protocol):
    def pictures(self) -> Pictures: ...


class _EventSource(Protocol):
    def describe(self) -> Description: ...

    @property
    def recordings(self) -> Recordings: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A tree of files that moosnn can read.

    Attributes:
        name: of its file in ``conf/data``.
        tree: the files, for people.
        marks: patterns; one match is enough to take a folder for this layout.
        look: reads all of it; yields lines.
    """

    name: str
    tree: str
    marks: tuple[str, ...]
    look: Callable[[str], Iterator[str]]


def check(folder: Path) -> list[str]:
    """Read every data set in a folder.

    Args:
        folder: as ``data.root`` would be.

    Returns:
        Lines for people: of each data set its parts, classes, events, and how it is
        used.

    Raises:
        DataError: there is none, or the first that is wrong in one; one line.
    """
    root = folder.expanduser()
    if not root.is_dir():
        raise DataError(f"{told(root)}: no such folder; {_trees()}.")
    names_in(root)
    found = [each for each in LAYOUTS if _is_there(root, each)]
    if not found:
        raise DataError(f"{told(root)}: holds no known data set; {_trees()}.")
    lines: list[str] = []
    for layout in found:
        lines += layout.look(str(root))
        where = shlex.quote(told(root.resolve()))
        lines.append(f"use it: data={layout.name} data.root={where}")
    return lines


def _is_there(root: Path, layout: Layout) -> bool:
    return any(next(root.glob(mark), None) is not None for mark in layout.marks)


def _trees() -> str:
    known = "; ".join(f"{layout.name}: {layout.tree}" for layout in LAYOUTS)
    return f"expected one of {known}"


def _look_at_pictures(source: _PictureSource) -> Iterator[str]:
    pictures = source.pictures()
    description = pictures.description
    check_classes("training", pictures.train.labels, description.classes)
    yield _title(description, "pictures")
    for name, part in (("train", pictures.train), ("test", pictures.test)):
        yield _balance(name, part.labels, description.classes)


def _look_at_events(source: _EventSource) -> Iterator[str]:
    description = source.describe()
    recordings = source.recordings
    check_classes("training", recordings.train, description.classes)
    yield _title(description, "events")
    for name, (indices, labels) in recordings.parts.items():
        counts, durations_us = [], []
        for _, events in recordings.read(indices):
            counts.append(len(events))
            span = int(np.ptp(events.t_us)) if len(events) else 0
            durations_us.append(span)
        yield _balance(name, labels, description.classes)
        yield _amounts(counts, durations_us)


def _look_at_npz(root: str) -> Iterator[str]:
    """As for other events; how large the camera is, is found out."""
    largest = event_npz.LARGEST_SIDE
    source = event_npz.EventNpz(root, height=largest, width=largest)
    parts = source.recordings.parts
    sides = [0, 0]
    for indices, _ in parts.values():
        for _, events in source.recordings.read(indices):
            sides[0] = max(sides[0], int(events.y.max()) + 1)
            sides[1] = max(sides[1], int(events.x.max()) + 1)
    height, width = sides
    seen = event_npz.EventNpz(root, height=height, width=width)
    yield from _look_at_events(seen)
    yield (
        f"events reach data.height={height} data.width={width}; set them to the "
        "camera's, if that is larger"
    )


def _title(description: Description, what: str) -> str:
    shape = " x ".join(map(str, description.shape))
    return f"{description.name}: {what} of {shape}, {description.classes} classes"


def _balance(name: str, labels: npt.NDArray[np.int64], classes: int) -> str:
    each = np.bincount(labels, minlength=classes)
    spread = f"{each.min():,} to {each.max():,} of a class"
    return f"  {name}: {len(labels):,} samples, {spread}"


def _amounts(counts: list[int], durations_us: list[int]) -> str:
    middle = int(np.median(counts))
    low, high = (edge / _US_PER_MS for edge in (min(durations_us), max(durations_us)))
    empty = counts.count(0)
    more = f"; {empty:,} have none" if empty else ""
    return (
        f"    events a sample: {min(counts):,} to {max(counts):,}, median {middle:,}; "
        f"{low:,.1f} to {high:,.1f} ms{more}"
    )


def _below(folders: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{folder}{name}" for folder in folders for name in names)


LAYOUTS = (
    Layout(
        name="mnist",
        tree=mnist.TREE,
        marks=_below(("", "raw/", "MNIST/raw/"), _IDX),
        look=lambda root: _look_at_pictures(mnist.Mnist(root)),
    ),
    Layout(
        name="fashion_mnist",
        tree="the same files in FashionMNIST/raw",
        marks=_below(("FashionMNIST/raw/",), _IDX),
        look=lambda root: _look_at_pictures(mnist.Mnist(root, name="fashion_mnist")),
    ),
    Layout(
        name="cifar10",
        tree=cifar10.TREE,
        marks=_below(
            ("", "cifar-10-batches-bin/"), ("data_batch_*.bin", "test_batch.bin")
        ),
        look=lambda root: _look_at_pictures(cifar10.Cifar10(root)),
    ),
    Layout(
        name="nmnist",
        tree=nmnist.TREE,
        marks=("[Tt]rain/*/*.bin", "[Tt]est/*/*.bin"),
        look=lambda root: _look_at_events(nmnist.NMnist(root)),
    ),
    Layout(
        name="shd",
        tree=spoken.SHD_TREE,
        marks=_below(("", "SHD/"), ("shd_train.h5", "shd_test.h5")),
        look=lambda root: _look_at_events(spoken.Shd(root)),
    ),
    Layout(
        name="ssc",
        tree=spoken.SSC_TREE,
        marks=_below(("", "SSC/"), ("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5")),
        look=lambda root: _look_at_events(spoken.Ssc(root)),
    ),
    Layout(
        name="dvs_gesture",
        tree=dvs_gesture.TREE,
        marks=_below(("", "DvsGesture/"), ("trials_to_*.txt", "*_labels.csv")),
        look=lambda root: _look_at_events(dvs_gesture.DvsGesture(root)),
    ),
    Layout(
        name="event_npz",
        tree=event_npz.TREE,
        marks=_below(("", "events_np/"), ("train/*/*.npz", "test/*/*.npz")),
        look=_look_at_npz,
    ),
)
