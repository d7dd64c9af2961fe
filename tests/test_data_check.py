"""`moosnn data check`: what lies there, or one line with what is wrong."""

from __future__ import annotations

import importlib
import shlex
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moosnn.compose import Job, compose
from moosnn.configs import choices
from moosnn.data_check import LAYOUTS, check, command
from moosnn.errors import DataError
from moosnn.snn.data import DataSource
from moosnn.snn.data.mnist import Mnist
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
            "dvs_gesture: events of 2 x 32 x 32, 11 classes",
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


PUBLISHED = ("mnist", "fashion_mnist", "cifar10", "nmnist")


@pytest.mark.parametrize("name", KNOWN)
def test_a_data_set_is_recognised_and_told_of(name: str, tmp_path: Path) -> None:
    write, expected = KNOWN[name]
    root = tmp_path / "my data"
    write(root)
    told = check(root)
    note = ["  the published set has "] if name in PUBLISHED else []
    use = "use it: python -m moosnn +experiment="
    for line, begin in zip(told, [*expected, *note, use], strict=True):
        assert line.startswith(begin)


def source_of(line: str) -> DataSource:
    """The source that the study of a printed line would have."""
    words = shlex.split(line.removeprefix("use it: "))
    assert words[:3] == ["python", "-m", "moosnn"]
    jobs: list[Job] = []
    compose(words[3:], jobs.append, jobs.append)
    config = dict(jobs[0].config["data"])
    module, _, made = config.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), made)(**config)


@pytest.mark.parametrize("name", KNOWN)
def test_the_printed_command_makes_a_study_of_the_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    root = tmp_path / "it's, (my) data"
    KNOWN[name][0](root)
    told = check(root)
    description = source_of(told[-1]).describe()
    assert description.name == name
    shape = " x ".join(map(str, description.shape))
    assert f" of {shape}, {description.classes} classes" in told[0]
    # The space searches no coding, which frames of events would refuse.
    suits = "+experiment=nas_mlp " if description.frames else "+experiment=nas "
    assert suits in told[-1]


NASTY = (
    "plain-1.2_x",
    "a b",
    " both ",
    "it's",
    'say "x"',
    "comma, (round) [square] {curly}",
    "a=b",
    "#1",
    "ünï",
    "データ",
    "$HOME",
    "${HOME}",
    "\\${x}",
    "\\\\${x}",
    "${oc.env:HOME}",
    "${",
    "back\\slash",
    "end\\",
    "end\\\\",
    'mixed\\"quote',
    "two\\\\\"quotes'",
    "~user",
    "!bang",
    "%d",
    "*?",
    "a:b",
    "null",
    "`date`",
    "a;b&c|d>e<f",
    "-dash",
    "@at",
)


@pytest.mark.parametrize("name", NASTY)
def test_the_printed_root_is_the_folder_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / name / "below"
    words = shlex.split(command(LAYOUTS[0], root))
    jobs: list[Job] = []
    compose(words[3:], jobs.append, jobs.append)
    assert jobs[0].config["data"]["root"] == str(root)


def test_the_printed_line_survives_the_shell(tmp_path: Path) -> None:
    for name in NASTY:
        line = command(LAYOUTS[0], tmp_path / name)
        shell = ["sh", "-c", f"printf '%s\\0' {line}"]
        said = subprocess.run(shell, capture_output=True, check=True, text=True).stdout
        assert said.split("\0")[:-1] == shlex.split(line)


def test_a_name_that_no_line_can_hold_is_to_be_changed(tmp_path: Path) -> None:
    root = writers.write_mnist(tmp_path / "two\nlines")
    assert check(root)[-1].startswith("use it: rename '")
    assert "\n" not in check(root)[-1]


def test_every_layout_is_tested_and_has_its_config() -> None:
    assert {layout.name for layout in LAYOUTS} == set(KNOWN)
    generated = {"digits", "random_manifolds", "moving_edges"}
    assert set(choices("data")) == set(KNOWN) | generated


def test_several_data_sets_in_one_folder(tmp_path: Path) -> None:
    writers.write_mnist(tmp_path / "MNIST/raw")
    writers.write_shd(tmp_path / "SHD")
    told = check(tmp_path)
    assert [line for line in told if line.startswith("use it: ")] == [
        f"use it: python -m moosnn +experiment=nas data=mnist data.root={tmp_path}",
        f"use it: python -m moosnn +experiment=nas_mlp data=shd data.root={tmp_path}",
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


def test_a_set_of_the_published_size_is_not_called_a_part(tmp_path: Path) -> None:
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = struct.pack(">IIII", 0x803, count, 1, 1) + bytes(count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(images)
        raw = struct.pack(">II", 0x801, count) + labels.tobytes()
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(raw)
    told = check(tmp_path)
    assert told[1] == "  train: 60,000 samples, 6,000 to 6,000 of a class"
    assert not any("published set" in line for line in told)


def test_what_a_study_would_refuse_is_refused(tmp_path: Path) -> None:
    one = writers.write_nmnist(tmp_path / "one", each=1)
    assert refusal(one).startswith("class 0 has one training sample; expected at least")
    pictures = writers.write_mnist(tmp_path / "pictures", each=1)
    assert refusal(pictures).startswith("class 0 has one training sample; expected at")
    for labels, said in (
        ([3], "the test part has no sample of class 0; expected some of each of 10"),
        ([*range(9)] * 2, "the test part has no sample of class 9; expected some of"),
    ):
        root = writers.write_mnist(tmp_path / f"pictures-{len(labels)}")
        raw = writers.idx_images([bytes(12)] * len(labels), 3, 4)
        (root / "t10k-images-idx3-ubyte").write_bytes(raw)
        (root / "t10k-labels-idx1-ubyte").write_bytes(writers.idx_labels(labels))
        assert refusal(root).startswith(said)
        # … in the words of a study.
        with pytest.raises(DataError) as caught:
            Mnist(str(root)).load(1, tmp_path)
        assert str(caught.value) == refusal(root)
    spoken = writers.write_shd(tmp_path / "spoken")
    samples = writers.spoken_samples(0, 19)
    (spoken / "shd_test.h5").unlink()
    writers.write_h5(spoken / "shd_test.h5", samples, list(range(19)))
    assert refusal(spoken).startswith("the test part has no sample of class 19; ")


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("~nosuchuserofthisname/x", "~nosuchuserofthisname/x: that user has no home"),
        ("x" * 300, f"{'x' * 300}: cannot be read (File name too long); check that "),
        ("", "data check: expected a folder, got an empty name; name one."),
        ("a/\0b", r"'a/\x00b': no such folder; expected one of mnist"),
    ],
)
def test_a_name_that_cannot_be_a_folder(folder: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        check(folder)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_plain_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "data.zip").touch()
    said = refusal(tmp_path / "data.zip")
    assert said.startswith(
        f"{tmp_path}/data.zip: a file, not a folder; expected one of "
    )
