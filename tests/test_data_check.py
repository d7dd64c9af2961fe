"""`moosnn data check`: what lies there, or one line with what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from moosnn.configs import choices
from moosnn.data_check import LAYOUTS, check
from moosnn.errors import DataError
from tests.snn.data import writers


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        check(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def gesture(folder: Path) -> Path:
    return writers.write_dvs_gesture(folder, recordings=(2, 1))


KNOWN: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "mnist": (
        writers.write_mnist,
        [
            "mnist: pictures of 1 x 3 x 4, 10 classes",
            "  train: 50 samples, 5 to 5 of a class",
            "  test: 20 samples, 2 to 2 of a class",
        ],
    ),
    "fashion_mnist": (
        lambda folder: writers.write_mnist(folder / "FashionMNIST/raw", zipped=True),
        [
            "fashion_mnist: pictures of 1 x 3 x 4, 10 classes",
            "  train: 50 samples, 5 to 5 of a class",
            "  test: 20 samples, 2 to 2 of a class",
        ],
    ),
    "cifar10": (
        writers.write_cifar,
        [
            "cifar10: pictures of 3 x 32 x 32, 10 classes",
            "  train: 100 samples, 10 to 10 of a class",
            "  test: 20 samples, 2 to 2 of a class",
        ],
    ),
    "nmnist": (
        writers.write_nmnist,
        [
            "nmnist: events of 2 x 34 x 34, 10 classes",
            "  train: 30 samples, 3 to 3 of a class",
            "    events a sample: 60 to 89, median 74; ",
            "  test: 30 samples, 3 to 3 of a class",
            "    events a sample: 90 to 119, median 104; ",
        ],
    ),
    "shd": (
        writers.write_shd,
        [
            "shd: events of 700, 20 classes",
            "  train: 60 samples, 3 to 3 of a class",
            "    events a sample: 30 to 30, median 30; 859.4 to 992.2 ms",
            "  test: 60 samples, 3 to 3 of a class",
            "    events a sample: 30 to 30, median 30; ",
        ],
    ),
    "ssc": (
        writers.write_ssc,
        [
            "ssc: events of 700, 35 classes",
            "  train: 70 samples, 2 to 2 of a class",
            "    events a sample: 30 to 30, median 30; ",
            "  validation: 35 samples, 1 to 1 of a class",
            "    events a sample: 30 to 30, median 30; ",
            "  test: 35 samples, 1 to 1 of a class",
            "    events a sample: 30 to 30, median 30; ",
        ],
    ),
    "dvs_gesture": (
        gesture,
        [
            "dvs_gesture: events of 2 x 128 x 128, 11 classes",
            "  train: 22 samples, 2 to 2 of a class",
            "    events a sample: ",
            "  test: 11 samples, 1 to 1 of a class",
            "    events a sample: ",
        ],
    ),
    "event_npz": (
        writers.write_npz,
        [
            "event_npz: events of 2 x 9 x 12, 4 classes",
            "  train: 16 samples, 4 to 4 of a class",
            "    events a sample: 80 to 80, median 80; ",
            "  test: 16 samples, 4 to 4 of a class",
            "    events a sample: 80 to 80, median 80; ",
            "events reach data.height=9 data.width=12; set them to the camera's, if",
        ],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_data_set_is_recognised_and_told_of(name: str, tmp_path: Path) -> None:
    write, expected = KNOWN[name]
    root = tmp_path / "my data"
    write(root)
    told = check(root)
    use = f"use it: data={name} data.root='{root}'"
    for line, begin in zip(told, [*expected, use], strict=True):
        assert line.startswith(begin)


def test_every_layout_is_tested_and_has_its_config() -> None:
    assert {layout.name for layout in LAYOUTS} == set(KNOWN)
    generated = {"digits", "random_manifolds", "moving_edges"}
    assert set(choices("data")) == set(KNOWN) | generated


def test_several_data_sets_in_one_folder(tmp_path: Path) -> None:
    writers.write_mnist(tmp_path / "MNIST/raw")
    writers.write_shd(tmp_path / "SHD")
    told = check(tmp_path)
    assert [line for line in told if line.startswith("use it: data=")] == [
        f"use it: data=mnist data.root={tmp_path}",
        f"use it: data=shd data.root={tmp_path}",
    ]


def test_the_first_bad_file_is_named(tmp_path: Path) -> None:
    root = writers.write_nmnist(tmp_path / "data", each=2)
    for place in ("Test/7/00035.bin", "Test/8/00036.bin"):
        path = root / place
        path.write_bytes(path.read_bytes()[:-2])
    said = refusal(root)
    assert said.startswith(f"{root}/Test/7/00035.bin: byte ")
    assert "expected events of 5 bytes, got 3 more bytes at the end" in said


def test_a_lacking_part_shows_the_tree(tmp_path: Path) -> None:
    root = writers.write_cifar(tmp_path / "data", each=1)
    (root / "data_batch_1.bin").unlink()
    assert refusal(root).startswith(
        f"{root}: expected data_batch_1.bin to data_batch_5"
    )


def test_an_unknown_folder_shows_all_trees(tmp_path: Path) -> None:
    for folder, said in (
        (tmp_path, "holds no known data set; expected one of mnist: "),
        (tmp_path / "nowhere", "no such folder; expected one of mnist: "),
    ):
        told = refusal(folder)
        assert told.startswith(f"{folder}: {said}")
        assert all(f"{layout.name}: {layout.tree}" in told for layout in LAYOUTS)


def test_nothing_is_written(tmp_path: Path) -> None:
    root = writers.write_shd(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    check(root)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
