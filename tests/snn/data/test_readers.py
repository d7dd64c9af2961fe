"""Each reader gives back what an independent writer wrote, and changes nothing."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moosnn.snn.data import Dataset, DataSource
from moosnn.snn.data.aedat import read_aedat
from moosnn.snn.data.cifar10 import Cifar10
from moosnn.snn.data.dvs_gesture import DvsGesture
from moosnn.snn.data.event_npz import EventNpz, read_npz
from moosnn.snn.data.events import Events
from moosnn.snn.data.mnist import Mnist
from moosnn.snn.data.moving_edges import MovingEdges
from moosnn.snn.data.nmnist import NMnist, read_bin
from moosnn.snn.data.random_manifolds import RandomManifolds
from moosnn.snn.data.shd import Shd, Ssc
from tests.snn.data import writers
from tests.snn.data.writers import OVERFLOW, Event, random_events

Make = Callable[..., DataSource]
WRITERS: dict[str, tuple[Callable[[Path], Path], Make]] = {
    "mnist": (writers.write_mnist, Mnist),
    "cifar10": (writers.write_cifar, Cifar10),
    "nmnist": (writers.write_nmnist, NMnist),
    "shd": (writers.write_shd, Shd),
    "ssc": (writers.write_ssc, Ssc),
    "dvs_gesture": (
        lambda folder: writers.write_dvs_gesture(folder, recordings=(3, 1)),
        lambda root, **more: DvsGesture(root, downsample=8, **more),
    ),
    "event_npz": (
        writers.write_npz,
        lambda root, **more: EventNpz(root, height=9, width=12, **more),
    ),
    "random_manifolds": (
        lambda folder: folder,
        lambda root, **more: RandomManifolds(samples_per_class=10, units=4, **more),
    ),
    "moving_edges": (
        lambda folder: folder,
        lambda root, **more: MovingEdges(samples_per_class=10, side=8, **more),
    ),
}


def rows_of(events: Events) -> list[Event]:
    columns = (events.t_us, events.x, events.y, events.p)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def everything(data: Dataset) -> list[np.ndarray]:
    parts = (data.train, data.validation, data.test)
    return [array for part in parts for array in (part.inputs, part.labels)]


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder: when it was changed, and its content."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        told = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (told.st_mtime_ns, told.st_mode, content)
    return found


# --------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", WRITERS)
def test_a_data_set_is_split_the_same_in_every_process_and_not_touched(
    name: str, tmp_path: Path
) -> None:
    write, make = WRITERS[name]
    (tmp_path / "data").mkdir()
    root = str(write(tmp_path / "data"))
    before = state(tmp_path / "data")
    source = make(root)
    data = source.load(4, tmp_path / "cache")
    assert data.description == source.describe()
    for array in everything(data):
        assert not array.flags.writeable
    again = pickle.loads(pickle.dumps(make(root)))
    other = again.load(4, tmp_path / "another")
    assert again.fingerprint() == source.fingerprint()
    for one, two in zip(everything(data), everything(other), strict=True):
        assert np.array_equal(one, two)
    assert state(tmp_path / "data") == before
    assert make(root, split_seed=1).fingerprint() != source.fingerprint()


@pytest.mark.parametrize("name", WRITERS)
def test_fewer_training_samples_leave_the_other_parts_alone(
    name: str, tmp_path: Path
) -> None:
    write, make = WRITERS[name]
    (tmp_path / "data").mkdir()
    root = str(write(tmp_path / "data"))
    whole = make(root).load(2, tmp_path / "cache")
    few = make(root, train_samples=9).load(2, tmp_path / "cache")
    assert len(few.train) == 9 < len(whole.train)
    for one, two in zip(everything(few)[2:], everything(whole)[2:], strict=True):
        assert np.array_equal(one, two)
    rows = {sample.tobytes() for sample in whole.train.inputs}
    assert {sample.tobytes() for sample in few.train.inputs} <= rows


@pytest.mark.parametrize("name", ["nmnist", "shd", "event_npz"])
def test_a_changed_size_changes_the_fingerprint(name: str, tmp_path: Path) -> None:
    write, make = WRITERS[name]
    root = write(tmp_path / "data")
    before = make(str(root)).fingerprint()
    path = max(path for path in root.rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes() + bytes(5))
    assert make(str(root)).fingerprint() != before


# ------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
def test_idx_files(tmp_path: Path, zipped: bool, below: str) -> None:
    writers.write_mnist(tmp_path / below, each=5, rows=3, zipped=zipped)
    source = Mnist(str(tmp_path))
    data = source.load(1, tmp_path / "cache")
    assert source.describe().shape == (1, 3, 4)
    assert data.input_max == 255
    expected = writers.some_pictures(5, 50, 12)
    got = sorted(
        (sample.tobytes(), int(label))
        for part in (data.train, data.validation)
        for sample, label in zip(part.inputs, part.labels, strict=True)
    )
    assert got == sorted((picture, n % 10) for n, picture in enumerate(expected))
    assert [sample.tobytes() for sample in data.test.inputs] == writers.some_pictures(
        2, 20, 12
    )
    assert data.test.labels.tolist() == [n % 10 for n in range(20)]


def test_the_two_mnists_may_lie_side_by_side(tmp_path: Path) -> None:
    writers.write_mnist(tmp_path / "MNIST/raw", rows=3)
    writers.write_mnist(tmp_path / "FashionMNIST/raw", rows=5)
    assert Mnist(str(tmp_path)).describe().shape == (1, 3, 4)
    fashion = Mnist(str(tmp_path), name="fashion_mnist").describe()
    assert (fashion.name, fashion.shape) == ("fashion_mnist", (1, 5, 4))


def test_cifar_records_are_planes_of_colour(tmp_path: Path) -> None:
    writers.write_cifar(tmp_path / "cifar-10-batches-bin", each=1)
    data = Cifar10(str(tmp_path)).load(1, tmp_path / "cache")
    picture = writers.some_pictures(5, 10, 3072)[7]  # of the sixth file
    assert data.test.labels.tolist() == list(range(10))
    for channel, row, column in ((0, 0, 0), (0, 0, 1), (1, 2, 3), (2, 31, 31)):
        place = channel * 1024 + row * 32 + column
        assert data.test.inputs[7, channel, row, column] == picture[place]
    assert len(data.train) + len(data.validation) == 50


# ------------------------------------------------------------------------ events


def test_nmnist_events(tmp_path: Path) -> None:
    rows = [*random_events(1, 500, 34, 34), (2**23 - 1, 33, 0, 1)]
    (tmp_path / "a.bin").write_bytes(writers.nmnist_bytes(rows))
    assert rows_of(read_bin(tmp_path / "a.bin")) == rows


def test_an_nmnist_overflow_mark_is_no_event_and_sets_the_clock(tmp_path: Path) -> None:
    early, between, late = ([(t, t % 34, 3, 1)] for t in (5, 6, 7))
    raw = writers.nmnist_bytes
    (tmp_path / "a.bin").write_bytes(
        raw(early) + OVERFLOW + raw(between) + OVERFLOW + OVERFLOW + raw(late)
    )
    assert rows_of(read_bin(tmp_path / "a.bin")) == [
        (5, 5, 3, 1),
        (6 + 8192, 6, 3, 1),
        (7 + 3 * 8192, 7, 3, 1),
    ]


def test_nmnist_frames(tmp_path: Path) -> None:
    root = writers.write_nmnist(tmp_path / "data", each=2, names=("train", "test"))
    data = NMnist(str(root), framing="count").load(5, tmp_path / "cache")
    assert data.test.labels.tolist() == [n // 2 for n in range(20)]
    for row in range(20):  # the writer's seed of a test sample is its number + 20
        rows = random_events(20 + row, 80 + row, 34, 34)
        expected = np.zeros((2, 34, 34), dtype=int)
        for _, x, y, p in rows:
            expected[p, y, x] += 1
        frames = data.test.inputs[row].astype(int)
        assert np.array_equal(frames.sum(axis=0), expected)
        assert len(set(frames.sum(axis=(1, 2, 3)) - len(rows) // 5)) <= 2


def test_aedat_packets(tmp_path: Path) -> None:
    rows = random_events(2, 300, 128, 128)
    special = writers.aedat_packet([(0, 9999, 9999, 0)] * 3, kind=0)
    later = [(t + 2**31, x, y, p) for t, x, y, p in rows[:7]]
    raw = writers.aedat_bytes(rows, size=64) + special
    raw += writers.aedat_packet([]) + writers.aedat_packet(rows[:7], overflows=1)
    (tmp_path / "a.aedat").write_bytes(raw)
    assert rows_of(read_aedat(tmp_path / "a.aedat", 128, 128)) == [*rows, *later]


def test_invalid_aedat_events_are_left_out(tmp_path: Path) -> None:
    rows = random_events(2, 30, 128, 128)
    raw = writers.AEDAT_HEADER + writers.aedat_packet(rows[:20], invalid=5)
    raw += writers.aedat_packet(rows[20:])
    (tmp_path / "a.aedat").write_bytes(raw)
    events = read_aedat(tmp_path / "a.aedat", 128, 128)
    assert rows_of(events) == rows[:15] + rows[20:]


def test_aedat_events_come_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [(t, t, t, 0) for t in range(60)]
    raw = writers.AEDAT_HEADER
    for part in (rows[40:], rows[:20], rows[20:40]):
        raw += writers.aedat_packet(part)
    (tmp_path / "a.aedat").write_bytes(raw)
    assert rows_of(read_aedat(tmp_path / "a.aedat", 128, 128)) == rows


def test_a_gesture_is_what_lies_in_its_window(tmp_path: Path) -> None:
    root = writers.write_dvs_gesture(tmp_path / "DvsGesture", recordings=(2, 1))
    data = DvsGesture(str(tmp_path), downsample=4).load(1, tmp_path / "cache")
    assert data.test.labels.tolist() == list(range(11))
    rows = random_events(3, 1100, 128, 128, start_us=1000)
    for label in range(11):
        expected = np.zeros((2, 32, 32), dtype=int)
        for t, x, y, p in rows:
            if 1000 + 4000 * label <= t < 1000 + 4000 * (label + 1):
                expected[p, y // 4, x // 4] += 1
        assert np.array_equal(data.test.inputs[label, 0], expected)
    assert (root / "trials_to_train.txt").exists()


def test_gestures_may_overlap_and_come_again(tmp_path: Path) -> None:
    root = writers.write_dvs_gesture(tmp_path / "data", recordings=(2, 1))
    table = root / "user01_led_labels.csv"
    table.write_text(table.read_text() + "4,1000,40000\r\n\r\n4,1000,40000\n")
    data = DvsGesture(str(root)).load(1, tmp_path / "cache")
    labels = np.concatenate((data.train.labels, data.validation.labels))
    assert np.bincount(labels).tolist() == [2, 2, 2, 4, *[2] * 7]


@pytest.mark.parametrize("deflated", [False, True])
def test_npz_events(tmp_path: Path, deflated: bool) -> None:
    rows = random_events(4, 300, 40, 30)
    path = tmp_path / "a.npz"
    path.write_bytes(writers.npz_bytes(rows, deflated=deflated))
    assert rows_of(read_npz(path, 40, 30)) == rows


@pytest.mark.parametrize("kinds", ["i8 i8 i8 i8", "u8 u1 u1 b1", "i4 >i2 >u4 i1"])
def test_npz_files_of_numpy_itself(tmp_path: Path, kinds: str) -> None:
    rows = random_events(4, 300, 40, 30)
    for name, save in (("a", np.savez), ("b", np.savez_compressed)):
        columns = {
            key: np.array([row[place] for row in rows], dtype=kind)
            for place, (key, kind) in enumerate(zip("txyp", kinds.split(), strict=True))
        }
        save(tmp_path / f"{name}.npz", **columns, more=np.array([1.5]))
        assert rows_of(read_npz(tmp_path / f"{name}.npz", 40, 30)) == rows


def test_classes_of_numbers_are_in_their_order(tmp_path: Path) -> None:
    root = writers.write_npz(tmp_path / "events_np", classes=("0", "1", "10", "2"))
    data = EventNpz(str(tmp_path), height=9, width=12).load(1, tmp_path / "cache")
    expected = np.zeros((2, 9, 12), dtype=int)
    for _, x, y, p in random_events(1200, 80, 12, 9):  # the first of folder 10
        expected[p, y, x] += 1
    assert data.test.labels.tolist() == [n // 4 for n in range(16)]
    assert np.array_equal(data.test.inputs[12, 0], expected)
    assert (root / "test" / "10").is_dir()


@pytest.mark.parametrize("units", [700, 70, 3])
def test_spoken_digits(tmp_path: Path, units: int) -> None:
    root = writers.write_shd(tmp_path / "data", each=15)  # more than a block of rows
    data = Shd(str(root), units=units).load(1, tmp_path / "cache")
    assert data.test.labels.tolist() == [n % 20 for n in range(300)]
    for row, sample in enumerate(writers.spoken_samples(1, 300)):
        expected = np.zeros(units, dtype=int)
        for _, unit in sample:
            expected[unit * units // 700] += 1
        assert np.array_equal(data.test.inputs[row, 0], expected)
    assert len(data.train) == 240
    assert len(data.validation) == 60


def test_the_times_of_spoken_digits_are_seconds(tmp_path: Path) -> None:
    root = writers.write_shd(tmp_path / "data")
    data = Shd(str(root)).load(8, tmp_path / "cache")
    sample = writers.spoken_samples(1, 60)[5]
    first, last = (round(sample[end][0] * 1e6) for end in (0, -1))
    expected = np.zeros((8, 700), dtype=int)
    for seconds, unit in sample:
        step = (round(seconds * 1e6) - first) * 8 // (last - first + 1)
        expected[step, unit] += 1
    assert np.array_equal(data.test.inputs[5], expected)


def test_spoken_commands_have_an_official_validation_part(tmp_path: Path) -> None:
    root = writers.write_ssc(tmp_path / "data")
    data = Ssc(str(root)).load(1, tmp_path / "cache")
    for part, seed in ((data.validation, 1), (data.test, 2)):
        assert part.labels.tolist() == list(range(35))
        sample = writers.spoken_samples(seed, 35)[34]
        where = sorted(np.flatnonzero(part.inputs[34, 0]).tolist())
        assert where == sorted({unit for _, unit in sample})
    assert len(data.train) == 70


def test_a_spoken_sample_may_have_no_spikes(tmp_path: Path) -> None:
    root = writers.write_shd(tmp_path / "data")
    samples = writers.spoken_samples(1, 40)
    samples[3] = []
    writers.write_h5(root / "shd_test.h5", samples, [n % 20 for n in range(40)])
    data = Shd(str(root)).load(3, tmp_path / "cache")
    assert not data.test.inputs[3].any()
    assert data.test.inputs[4].sum() == 30


@pytest.mark.parametrize("more", [{"chunks": True}, {"compression": "gzip"}])
def test_spoken_digits_in_chunks(tmp_path: Path, more: dict[str, object]) -> None:
    import h5py

    root = writers.write_shd(tmp_path / "data")
    with h5py.File(root / "shd_test.h5", "r") as old:
        kept = {key: old[key][()] for key in ("labels", "spikes/times", "spikes/units")}
        kinds = {key: old[key].dtype for key in kept}
    with h5py.File(root / "shd_test.h5", "w") as new:
        for key, values in kept.items():
            new.create_dataset(key, data=values, dtype=kinds[key], **more)
    data = Shd(str(root)).load(1, tmp_path / "cache")
    sample = writers.spoken_samples(1, 60)[59]
    where = np.flatnonzero(data.test.inputs[59, 0]).tolist()
    assert where == sorted({unit for _, unit in sample})
