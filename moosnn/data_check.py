"""``moosnn data check``: which data set lies in a folder, and whether it is whole.

Knows: the layouts, what to tell of each, how a command line quotes a path. Must not
know: how configs are composed, tasks, studies.

Every file is read once, as a study would; nothing is written.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError
from moosnn.snn.data import Description, cifar10, dvs_gesture, event_npz, mnist, nmnist
from moosnn.snn.data import shd as spoken
from moosnn.snn.data.files import check_folder, holds, told
from moosnn.snn.data.pictures import Pictures, split_labels
from moosnn.snn.data.recordings import Recordings
from moosnn.snn.data.splits import SplitOptions

_US_PER_MS = 1e3
# Of the YAML, so that the shape that is told is that of the printed command.
DVS_DOWNSAMPLE = 4
_OFFICIAL = (60_000, 10_000)
_OFFICIAL_CIFAR = (50_000, 10_000)
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_IDX = ("train-images*", "train-labels*", "t10k-images*", "t10k-labels*")


class _PictureSource(Protocol):
    def pictures(self) -> Pictures: ...


class _EventSource(Protocol):
    def describe(self) -> Description: ...

    @property
    def recordings(self) -> Recordings: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What lies in a folder.

    Attributes:
        lines: for people.
        samples: of the official parts, in their order.
        words: of the command line that are needed besides ``data`` and ``data.root``.
    """

    lines: list[str]
    samples: tuple[int, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A tree of files that moosnn can read.

    Attributes:
        name: of its file in ``conf/data``.
        tree: the files, for people.
        marks: patterns; one match is enough to take a folder for this layout.
        look: reads all of it.
        experiment: that suits it.
        official: samples of the published parts; empty if there are none.
    """

    name: str
    tree: str
    marks: tuple[str, ...]
    look: Callable[[str], Seen]
    experiment: str
    official: tuple[int, ...] = ()


def check(folder: str | Path) -> list[str]:
    """Read every data set in a folder.

    Args:
        folder: as ``data.root`` would be.

    Returns:
        Lines for people: of each data set its parts, classes, events, and the command
        of a study of it.

    Raises:
        DataError: there is none, or the first that is wrong in one, or that a study
            would refuse; one line.
    """
    root = _root_of(folder)
    check_folder(root, _trees())
    found = [each for each in LAYOUTS if _is_there(root, each)]
    if not found:
        raise DataError(f"{told(root)}: holds no known data set; {_trees()}.")
    lines: list[str] = []
    for layout in found:
        seen = layout.look(str(root))
        lines += seen.lines
        if layout.official and seen.samples != layout.official:
            expected = " and ".join(f"{count:,}" for count in layout.official)
            lines.append(f"  the published set has {expected} samples: is this a part?")
        lines.append(f"use it: {command(layout, root.resolve(), seen.words)}")
    return lines


def command(layout: Layout, root: Path, words: tuple[str, ...] = ()) -> str:
    """The command of a study, quoted for the shell and within for Hydra."""
    if not str(root).isprintable():
        return f"rename {told(root)} first: a command line cannot hold its name"
    given = (f"+experiment={layout.experiment}", f"data={layout.name}", *words)
    root_word = shlex.quote(f"data.root={hydra_text(str(root))}")
    return " ".join(("python -m moosnn", *given, root_word))


def hydra_text(text: str) -> str:
    """A value of an override that is read as this text, whatever it holds.

    Hydra (1.3, "Override grammar", quoted values) takes a backslash away before a quote
    and halves those before it; OmegaConf (2.3, "Escaped interpolations") does so before
    what would be an interpolation.
    """
    if _PLAIN.fullmatch(text):
        return text
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    quoted = re.sub(r'(\\*)"', r'\1\1\\"', literal)
    ending = re.search(r"\\*$", quoted)
    return f'"{quoted}{ending[0] if ending else ""}"'


def _root_of(folder: str | Path) -> Path:
    """The folder with ``~`` expanded.

    Raises:
        DataError: an empty name, or the home of nobody.
    """
    if str(folder) == "":
        raise DataError("data check: expected a folder, got an empty name; name one.")
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{told(Path(folder))}: that user has no home here; write the whole path."
        ) from error


def _is_there(root: Path, layout: Layout) -> bool:
    return any(holds(root, mark) for mark in layout.marks)


def _trees() -> str:
    known = "; ".join(f"{layout.name}: {layout.tree}" for layout in LAYOUTS)
    return f"expected one of {known}"


def _look_at_pictures(source: _PictureSource) -> Seen:
    pictures = source.pictures()
    description = pictures.description
    parts = (("train", pictures.train.labels), ("test", pictures.test.labels))
    # As a study would: what it refuses is refused here.
    split_labels(parts[0][1], parts[1][1], description.classes, SplitOptions())
    lines = [_title(description, "pictures")]
    lines += [_balance(name, labels, description.classes) for name, labels in parts]
    return Seen(lines=lines, samples=tuple(len(labels) for _, labels in parts))


def _look_at_events(source: _EventSource) -> Seen:
    description = source.describe()  # which refuses what a study would
    recordings = source.recordings
    lines = [_title(description, "events")]
    for name, (indices, labels) in recordings.parts.items():
        counts, durations_us = [], []
        for _, events in recordings.read(indices):
            counts.append(len(events))
            span = int(np.ptp(events.t_us)) if len(events) else 0
            durations_us.append(span)
        lines.append(_balance(name, labels, description.classes))
        lines.append(_amounts(counts, durations_us))
    samples = tuple(len(labels) for _, labels in recordings.parts.values())
    return Seen(lines=lines, samples=samples)


def _look_at_npz(root: str) -> Seen:
    """As for other events; how large the camera is, is found out."""
    largest = event_npz.LARGEST_SIDE
    source = event_npz.EventNpz(root, height=largest, width=largest)
    sides = [0, 0]
    for indices, _ in source.recordings.parts.values():
        for _, events in source.recordings.read(indices):
            sides[0] = max(sides[0], int(events.y.max()) + 1)
            sides[1] = max(sides[1], int(events.x.max()) + 1)
    height, width = sides
    seen = _look_at_events(event_npz.EventNpz(root, height=height, width=width))
    words = (f"data.height={height}", f"data.width={width}")
    more = (
        f"events reach {' '.join(words)}; set them to the camera's, if that is larger"
    )
    return Seen(lines=[*seen.lines, more], samples=seen.samples, words=words)


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
        experiment="nas",
        official=_OFFICIAL,
    ),
    Layout(
        name="fashion_mnist",
        tree="the same files in FashionMNIST/raw",
        marks=_below(("FashionMNIST/raw/",), _IDX),
        look=lambda root: _look_at_pictures(mnist.Mnist(root, name="fashion_mnist")),
        experiment="nas",
        official=_OFFICIAL,
    ),
    Layout(
        name="cifar10",
        tree=cifar10.TREE,
        marks=_below(
            ("", "cifar-10-batches-bin/"), ("data_batch_*.bin", "test_batch.bin")
        ),
        look=lambda root: _look_at_pictures(cifar10.Cifar10(root)),
        experiment="nas",
        official=_OFFICIAL_CIFAR,
    ),
    Layout(
        name="nmnist",
        tree=nmnist.TREE,
        marks=("[Tt]rain/*/*.bin", "[Tt]est/*/*.bin"),
        look=lambda root: _look_at_events(nmnist.NMnist(root)),
        experiment="nas_mlp",
        official=_OFFICIAL,
    ),
    Layout(
        name="shd",
        tree=spoken.SHD_TREE,
        marks=_below(("", "SHD/"), ("shd_train.h5", "shd_test.h5")),
        look=lambda root: _look_at_events(spoken.Shd(root)),
        experiment="nas_mlp",
    ),
    Layout(
        name="ssc",
        tree=spoken.SSC_TREE,
        marks=_below(("", "SSC/"), ("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5")),
        look=lambda root: _look_at_events(spoken.Ssc(root)),
        experiment="nas_mlp",
    ),
    Layout(
        name="dvs_gesture",
        tree=dvs_gesture.TREE,
        marks=_below(("", "DvsGesture/"), ("trials_to_*.txt", "*_labels.csv")),
        look=lambda root: _look_at_events(
            dvs_gesture.DvsGesture(root, downsample=DVS_DOWNSAMPLE)
        ),
        experiment="nas_mlp",
    ),
    Layout(
        name="event_npz",
        tree=event_npz.TREE,
        marks=_below(("", "events_np/"), ("train/*/*.npz", "test/*/*.npz")),
        look=_look_at_npz,
        experiment="nas_mlp",
    ),
)
