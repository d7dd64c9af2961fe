"""Damaged files: a reader gives data in range, or one line; never anything else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moosnn.errors import DataError
from moosnn.snn.data import DataSource
from moosnn.snn.data.cifar10 import Cifar10
from moosnn.snn.data.dvs_gesture import DvsGesture
from moosnn.snn.data.event_npz import EventNpz
from moosnn.snn.data.mnist import Mnist
from moosnn.snn.data.nmnist import NMnist
from moosnn.snn.data.shd import Shd
from tests.snn.data import writers

CASES = 200
TIME_STEPS = 3


def flipped(raw: bytes, draw: random.Random) -> bytes:
    """One to eight bytes changed, half of the time near the beginning."""
    damaged = bytearray(raw)
    reach = len(raw) if draw.random() < 0.5 else min(len(raw), 400)
    for _ in range(draw.randint(1, 8)):
        damaged[draw.randrange(reach)] = draw.choice((0, 0xFF, draw.randrange(256)))
    return bytes(damaged)


def truncated(raw: bytes, draw: random.Random) -> bytes:
    return raw[: draw.randrange(len(raw))]


def extended(raw: bytes, draw: random.Random) -> bytes:
    return raw + draw.randbytes(draw.randint(1, 40))


def inserted(raw: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(raw))
    return raw[:place] + draw.randbytes(draw.randint(1, 9)) + raw[place:]


DAMAGES = (flipped, flipped, flipped, truncated, extended, inserted)

Writer = Callable[[Path], Path]
Maker = Callable[[str], DataSource]
READERS: dict[str, tuple[Writer, Maker, str]] = {
    "mnist": (lambda f: writers.write_mnist(f, each=2), Mnist, "*"),
    "mnist.gz": (lambda f: writers.write_mnist(f, each=2, zipped=True), Mnist, "*"),
    "cifar10": (lambda f: writers.write_cifar(f, each=1), Cifar10, "*"),
    "nmnist": (lambda f: writers.write_nmnist(f, each=2), NMnist, "*/*/*"),
    "dvs_gesture": (
        lambda f: writers.write_dvs_gesture(f, count=400),
        lambda root: DvsGesture(root, downsample=8),
        "*",
    ),
    "event_npz": (
        lambda f: writers.write_npz(f, classes=("a", "b"), each=2),
        lambda root: EventNpz(root, height=9, width=12),
        "*/*/*",
    ),
    "shd": (
        lambda f: writers.write_shd(f, each=2),
        lambda root: Shd(root, units=70),
        "*",
    ),
}


def check_sound(source: DataSource, cache: Path) -> None:
    """What a reader accepted has the shape and the ranges that it declares."""
    description = source.describe()
    assert len(source.fingerprint()) == 64
    data = source.load(TIME_STEPS, cache)
    assert data.description == description
    steps = (TIME_STEPS,) if description.frames else ()
    for part in (data.train, data.validation, data.test):
        assert part.inputs.dtype == np.uint8
        assert part.inputs.shape == (len(part), *steps, *description.shape)
        assert len(part) > 0
        assert 0 <= part.labels.min() <= part.labels.max() < description.classes


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_gives_data_in_range_or_one_line(
    name: str, tmp_path: Path
) -> None:
    write, make, pattern = READERS[name]
    root = write(tmp_path / "data")
    check_sound(make(str(root)), tmp_path / "cache")
    draw = random.Random(name)
    paths = sorted(path for path in root.glob(pattern) if path.is_file())
    said = []
    for case in range(CASES):
        path = draw.choice(paths)
        raw = path.read_bytes()
        path.write_bytes(draw.choice(DAMAGES)(raw, draw))
        try:
            check_sound(make(str(root)), tmp_path / f"cache-{case}")
        except DataError as error:
            said.append(str(error))
        path.write_bytes(raw)
    assert CASES / 10 < len(said) < CASES  # a flipped pixel is none the worse
    assert not any("\n" in line for line in said)
    # A class may have lost its samples; every other line names a file.
    assert all(str(root) in line or "class" in line for line in said)
