"""Each mistake in a file or folder is one line: where, what was expected, what came."""

from __future__ import annotations

import errno
import gzip
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moosnn.data_check import check
from moosnn.errors import ConfigError, DataError
from moosnn.snn.data import DataSource
from moosnn.snn.data.aedat import read_aedat
from moosnn.snn.data.cifar10 import Cifar10
from moosnn.snn.data.dvs_gesture import DvsGesture
from moosnn.snn.data.event_npz import ARRAY_MOST, EventNpz, read_npz
from moosnn.snn.data.mnist import Mnist
from moosnn.snn.data.moving_edges import MovingEdges
from moosnn.snn.data.nmnist import NMnist, read_bin
from moosnn.snn.data.random_manifolds import RandomManifolds
from moosnn.snn.data.shd import Shd, Ssc
from tests.snn.data import writers
from tests.snn.data.writers import random_events


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        work()
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
    return said


def loaded(source: DataSource, folder: Path) -> Callable[[], object]:
    return lambda: source.load(2, folder / "cache")


def npz(root: str | None) -> EventNpz:
    return EventNpz(root, height=9, width=12)


# ------------------------------------------------------------------------ folders

SOURCES = [Mnist, Cifar10, NMnist, Shd, Ssc, DvsGesture, npz]


@pytest.mark.parametrize("make", SOURCES)
def test_a_root_is_asked_for(make: Callable[..., DataSource]) -> None:
    for ask in (make(None).describe, make(None).fingerprint):
        said = refusal(ask)
        assert said.startswith("data.root: expected the folder of the data set, got ")
        assert "; set data.root=FOLDER, which holds " in said


@pytest.mark.parametrize("make", SOURCES)
def test_a_missing_or_empty_root_shows_the_tree(
    make: Callable[..., DataSource], tmp_path: Path
) -> None:
    said = refusal(make(str(tmp_path / "nowhere")).describe)
    assert said.startswith(f"{tmp_path}/nowhere: no such folder; expected one with ")
    (tmp_path / "file").touch()
    said = refusal(make(str(tmp_path / "file")).describe)
    assert said.startswith(f"{tmp_path}/file: a file, not a folder; expected one with ")
    (tmp_path / "empty").mkdir()
    said = refusal(make(str(tmp_path / "empty")).describe)
    assert said.startswith(f"{tmp_path}/empty: expected ")
    assert said.endswith(
        ", got an empty folder; set data.root to the folder that holds them."
    )


def test_a_home_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    writers.write_mnist(tmp_path / "data")
    assert Mnist("~/data").describe().shape == (1, 3, 4)


def test_a_name_that_is_no_text_stays_on_one_line(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\n\xff")
    (tmp_path / name).mkdir()
    said = refusal(Mnist(str(tmp_path)).describe)
    assert r", got 'a\n\udcff'; set data.root to" in said
    assert said.encode()
    said = refusal(Mnist(str(tmp_path / name)).describe)
    assert r"a\n\udcff': expected train-images" in said


def test_what_the_system_refuses_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may be root, whom nothing is forbidden."""
    root = writers.write_nmnist(tmp_path / "data", each=2)
    denied = root / "Train" / "3" / "00007.bin"
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == denied:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    said = refusal(loaded(NMnist(str(root)), tmp_path))
    assert said.startswith(f"{denied}: cannot be read (Permission denied); check that ")


def test_a_folder_or_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    root = writers.write_mnist(tmp_path / "data")
    labels = root / "train-labels-idx1-ubyte"
    labels.unlink()
    labels.mkdir()
    said = refusal(loaded(Mnist(str(root)), tmp_path))
    assert said == (
        f"{labels}: expected a file, got a folder or a device; copy or unpack the "
        "file again."
    )
    labels.rmdir()
    os.mkfifo(labels)  # reading it would never end
    assert refusal(loaded(Mnist(str(root)), tmp_path)) == said


def test_a_class_without_folder_or_files_and_one_too_many(tmp_path: Path) -> None:
    root = writers.write_nmnist(tmp_path / "data", each=2)
    (root / "Train" / "10").mkdir()
    said = refusal(NMnist(str(root)).describe)
    assert "Train: expected only the classes 0, 1, 2" in said
    assert "got a folder '10' as well; move it elsewhere." in said
    (root / "Train" / "10").rmdir()
    for path in (root / "Test" / "4").iterdir():
        path.unlink()
    assert "Test/4: expected *.bin files, got none" in refusal(
        NMnist(str(root)).describe
    )
    (root / "Test" / "4").rmdir()
    assert "Test: expected a folder '4', got none" in refusal(
        NMnist(str(root)).describe
    )


# ------------------------------------------------------------------------ pictures


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("train-images-idx3-ubyte", b"", "a header of 16 bytes, got an empty file"),
        ("train-images-idx3-ubyte", b"\0\0\x08", "a header of 16 bytes, got 3 bytes"),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 0x801, 50, 3, 4),
            "byte 0: expected magic 0x00000803, got 0x00000801",
        ),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1),
            "bytes after the header, which counts 4294967295 x 4294967295 x 4294967295",
        ),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 0x803, 50, 3, 4) + bytes(599),
            "byte 615: expected 600 bytes after the header, which counts 50 x 3 x 4, "
            "got 599",
        ),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 0x803, 50, 3, 4) + bytes(601),
            "byte 616: expected 600 bytes after the header, which counts 50 x 3 x 4, "
            "got 601",
        ),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 0x803, 0, 3, 4),
            "byte 4: expected at least one sample, got none",
        ),
        (
            "train-images-idx3-ubyte",
            struct.pack(">IIII", 0x803, 1, 1, 2000) + bytes(2000),
            "byte 12: expected a picture's side of 1 to 1024 pixels, got 2000",
        ),
        (
            "t10k-images-idx3-ubyte",
            struct.pack(">IIII", 0x803, 20, 4, 3) + bytes(240),
            "byte 8: expected pictures of 3 x 4 as in the training part, got 4 x 3",
        ),
        (
            "train-labels-idx1-ubyte",
            struct.pack(">II", 0x801, 50) + bytes(20) + b"\x0a" + bytes(29),
            "byte 28: expected a label from 0 to 9, got 10",
        ),
        (
            "train-labels-idx1-ubyte",
            struct.pack(">II", 0x801, 49) + bytes(49),
            "byte 4: expected 50 labels, one a picture of train-images-idx3-ubyte, "
            "got 49",
        ),
        (
            "train-labels-idx1-ubyte",
            struct.pack(">II", 0x801, 50) + bytes(50),
            "the training part has no sample of class 1",
        ),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files(
    tmp_path: Path, name: str, damage: bytes, said: str, zipped: bool
) -> None:
    root = writers.write_mnist(tmp_path / "data", zipped=zipped)
    if zipped:
        (root / f"{name}.gz").write_bytes(gzip.compress(damage, mtime=0))
    else:
        (root / name).write_bytes(damage)
    got = refusal(loaded(Mnist(str(root)), tmp_path))
    assert name in got or "class" in got
    if zipped and "one a picture" in said:
        said = said.replace("ubyte", "ubyte.gz")
    if zipped and "599" in said:
        said = "byte 615: expected 600 bytes after the header, got 599"
    if zipped and "601" in said:
        said = "byte 616: expected 600 bytes after the header, got more"
    assert said in got


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"not gzip at all", "expected a gzip file, got another one"),
        (
            gzip.compress(bytes(100), mtime=0)[:12],
            "whole gzip file, got its end after 12 bytes",
        ),
        (
            gzip.compress(bytes(100), mtime=0)[:10] + b"\xff" * 20,
            "expected a whole gzip file, got damaged contents",
        ),
        (b"", "expected a header of 16 bytes, got an empty file"),
    ],
)
def test_gzip_files(tmp_path: Path, raw: bytes, said: str) -> None:
    root = writers.write_mnist(tmp_path / "data", zipped=True)
    (root / "train-images-idx3-ubyte.gz").write_bytes(raw)
    assert said in refusal(Mnist(str(root)).describe)


def test_a_missing_file(tmp_path: Path) -> None:
    root = writers.write_mnist(tmp_path / "data")
    (root / "t10k-labels-idx1-ubyte").unlink()
    assert f"{root}: lacks t10k-labels-idx1-ubyte (or .gz); expected" in refusal(
        Mnist(str(root)).describe
    )
    root = writers.write_cifar(tmp_path / "cifar", each=1)
    (root / "data_batch_4.bin").unlink()
    assert "data_batch_4.bin: cannot be read (No such file" in refusal(
        Cifar10(str(root)).describe
    )


def test_cifar_files(tmp_path: Path) -> None:
    root = writers.write_cifar(tmp_path / "data", each=1)
    path = root / "data_batch_2.bin"
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    said = "byte 27657: expected records of 3073 bytes, got 30729 bytes"
    assert said in refusal(Cifar10(str(root)).describe)
    path.write_bytes(raw[:3073] + b"\x0b" + raw[3074:])
    assert f"{path}: byte 3073: expected a label from 0 to 9, got 11" in refusal(
        loaded(Cifar10(str(root)), tmp_path)
    )
    path.write_bytes(b"")
    assert "got an empty file" in refusal(Cifar10(str(root)).describe)


# ------------------------------------------------------------------------ events


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "expected data, got an empty file"),
        (bytes(13), "byte 10: expected events of 5 bytes, got 3 more bytes at the end"),
        (bytes(10) + b"\x22\0\0\0\0", "byte 10: expected x < 34, got 34"),
        (bytes(10) + b"\0\xef\0\0\0", "byte 11: expected y < 34, got 239"),
        (
            bytes(5) + writers.OVERFLOW + b"\0\x29\0\0\0",
            "byte 11: expected y < 34, got 41",
        ),
        (writers.OVERFLOW * 3, "byte 0: expected events, got overflow marks only"),
    ],
)
def test_nmnist_files(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "00001.bin"
    path.write_bytes(raw)
    assert refusal(lambda: read_bin(path)).startswith(f"{path}: {said}")


HEAD = len(writers.AEDAT_HEADER)
ROWS = random_events(1, 20, 128, 128)
PACKET = writers.aedat_packet(ROWS)


def packet_with(place: int, value: int) -> bytes:
    return PACKET[:place] + struct.pack("<i", value) + PACKET[place + 4 :]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            b"#!AER-DAT2.0\r\n" + PACKET,
            "byte 0: expected b'#!AER-DAT3.1', got b'#!AER-D",
        ),
        (
            b"#!AER-DAT3.1\r\n" + PACKET,
            "a line #!END-HEADER, got no such line in 202 b",
        ),
        (writers.AEDAT_HEADER, f"byte {HEAD}: expected polarity events, got none"),
        (
            writers.AEDAT_HEADER + PACKET + PACKET[:27],
            f"byte {HEAD + 188}: expected a packet's header of 28 bytes, got 27 bytes",
        ),
        (
            writers.AEDAT_HEADER + PACKET[:-1],
            f"byte {HEAD + 28}: expected 160 bytes of events, got 159",
        ),
        (
            writers.AEDAT_HEADER + packet_with(16, 2**31 - 1),
            f"byte {HEAD + 28}: expected {8 * (2**31 - 1)} bytes of events, got 160",
        ),
        (
            writers.AEDAT_HEADER + packet_with(4, 16),
            f"byte {HEAD}: expected a packet with event size 8",
        ),
        (writers.AEDAT_HEADER + packet_with(4, 0), f"byte {HEAD}: expected a packet"),
        (writers.AEDAT_HEADER + packet_with(20, -1), "got 8, 0, 20, -1, 20"),
        (writers.AEDAT_HEADER + packet_with(12, -1), "got 8, -1, 20, 20, 20"),
        (
            writers.AEDAT_HEADER + PACKET + packet_with(28 + 8, 200 << 17),
            f"byte {HEAD + 188 + 28 + 8}: expected x < 128, got 200",
        ),
        (
            writers.AEDAT_HEADER + PACKET + packet_with(28, 128 << 2),
            f"byte {HEAD + 188 + 28}: expected y < 128, got 128",
        ),
        (
            writers.AEDAT_HEADER + packet_with(28 + 4, -7),
            f"byte {HEAD + 28}: expected a time >= 0 and < 2147483648, got -7",
        ),
    ],
)
def test_aedat_files(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "user01_led.aedat"
    path.write_bytes(raw)
    assert said in refusal(lambda: read_aedat(path, 128, 128))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "trials_to_train.txt",
            b"user01_led.csv\n",
            "byte 0: expected a name NAME.aed",
        ),
        ("trials_to_train.txt", b"../user01_led.aedat\n", "got '../user01_led.aedat'"),
        ("trials_to_train.txt", b"a.aedat\r\n\na.aedat", "byte 10: expected a name"),
        (
            "trials_to_train.txt",
            b"user\xe9.aedat",
            "byte 4: expected UTF-8 text, got 0xe",
        ),
        ("trials_to_train.txt", b"\n\n", "expected names of recordings, got none"),
        ("trials_to_train.txt", b"", "expected data, got an empty file"),
        (
            "trials_to_train.txt",
            b"a.aedat\n",
            "a_labels.csv: cannot be read (No such f",
        ),
        (
            "trials_to_test.txt",
            b"user01_led.aedat\n",
            "expected recordings that are not in trials_to_train.txt, got user01_led",
        ),
        ("user01_led_labels.csv", b"a,b,c\n", "byte 0: expected class,startTime_usec,"),
        (
            "user01_led_labels.csv",
            b"class,startTime_usec,endTime_usec\n12,1,5\n",
            "byte 34: expected a class from 1 to 11, its start, a later end, got '12",
        ),
        (
            "user01_led_labels.csv",
            b"class,startTime_usec,endTime_usec\n1,5,5\n",
            "byte 34",
        ),
        (
            "user01_led_labels.csv",
            b"class,startTime_usec,endTime_usec\n1,-5,5",
            "byte 34",
        ),
        ("user01_led_labels.csv", b"class,startTime_usec,endTime_usec\n1,5", "byte 34"),
        (
            "user01_led_labels.csv",
            b"class,startTime_usec,endTime_usec\n1,5," + b"9" * 5000,
            "byte 34",
        ),
        (
            "user01_led_labels.csv",
            b"class,startTime_usec,endTime_usec\n",
            "byte 34: expected gestures, got none",
        ),
        (
            "user01_led_labels.csv",
            b"class,startTime_usec,endTime_usec\n1,900000,900009\n",
            "led.aedat: expected events from 900000 to 900009 us, as its table says",
        ),
        ("user02_led.aedat", b"#!AER-DAT3.0\r\n", "user02_led.aedat: byte 0: expected"),
    ],
)
def test_gesture_files(tmp_path: Path, name: str, text: bytes, said: str) -> None:
    root = writers.write_dvs_gesture(tmp_path / "data", recordings=(4, 1))
    (root / name).write_bytes(text)
    assert said in refusal(loaded(DvsGesture(str(root)), tmp_path))


def npz_of(path: Path, **arrays: object) -> Path:
    columns = {"t": [0, 5], "x": [1, 11], "y": [0, 8], "p": [0, 1], **arrays}
    kept = {
        key: np.asarray(value) for key, value in columns.items() if value is not None
    }
    np.savez(path, **kept)
    return path


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"p": None}, "expected arrays t, x, y and p, got 't.npy, x.npy, y.npy'"),
        ({"x": [1, 12]}, "x.npy: byte 136: expected x from 0 to 11, got 12"),
        ({"y": [9, 1]}, "y.npy: byte 128: expected y from 0 to 8, got 9"),
        ({"p": [0, -1]}, "p.npy: byte 136: expected p from 0 to 1, got -1"),
        ({"t": [-1, 5]}, "t.npy: byte 128: expected t from 0 to"),
        (
            {"t": [0, 1, 2]},
            "expected t, x, y and p of one length, got t 3, x 2, y 2, p 2",
        ),
        (
            {"t": [0.5, 1.5]},
            "t.npy: byte 0: expected numpy's header of a list of integ",
        ),
        (
            {"x": [[1, 2]]},
            "x.npy: byte 0: expected numpy's header of a list of integers",
        ),
        (
            {"x": [{}, {}]},
            "x.npy: byte 0: expected numpy's header of a list of integers",
        ),
        ({"t": 5}, "t.npy: byte 0: expected numpy's header of a list of integers"),
    ],
)
def test_npz_arrays(tmp_path: Path, arrays: dict[str, object], said: str) -> None:
    path = npz_of(tmp_path / "a.npz", **arrays)
    got = refusal(lambda: read_npz(path, 12, 9))
    assert got.startswith(str(path))
    assert said in got


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for raw, said in (
        (b"", "expected an .npz file, got an empty file"),
        (b"PK", "got no directory of a zip file at its end, after 2 bytes"),
        (
            writers.npz_bytes(ROWS)[:-30],
            f"at its end, after {len(writers.npz_bytes(ROWS)) - 30} bytes",
        ),
        (writers.npz_bytes([]), "expected events, got none"),
    ):
        path.write_bytes(raw)
        got = refusal(lambda: read_npz(path, 128, 128))
        assert got.startswith(f"{path}: expected ")
        assert said in got
    sound = writers.npz_bytes(ROWS)
    place = sound.index(b"\x93NUMPY", sound.index(b"x.npy")) + 130
    path.write_bytes(sound[:place] + b"\x55" + sound[place + 1 :])
    assert "got an array x that fails its checksum" in refusal(
        lambda: read_npz(path, 128, 128)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("t.npy", writers.npy_bytes("q", "<i8", [1]))
    said = "t.npy: expected an array stored or deflated, got another method"
    assert said in refusal(lambda: read_npz(path, 128, 128))


def test_a_bomb_of_an_npz_is_not_unpacked(tmp_path: Path) -> None:
    """The directory claims more than is allowed; what is packed is tiny."""
    raw = writers.npz_bytes(ROWS, deflated=True)
    size = struct.pack("<I", len(writers.npy_bytes("q", "<i8", [0] * 20)))
    assert raw.count(size) >= 2
    (tmp_path / "a.npz").write_bytes(raw.replace(size, struct.pack("<I", 2**31)))
    said = f"t.npy: expected at most {ARRAY_MOST} bytes, got {2**31}; split"
    assert said in refusal(lambda: read_npz(tmp_path / "a.npz", 128, 128))


def test_an_array_shorter_than_its_header_says(tmp_path: Path) -> None:
    whole = writers.npy_bytes("q", "<i8", [1, 2, 3])
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("t.npy", whole.replace(b"(3,)", b"(9,)"))
    said = "t.npy: byte 128: expected 72 bytes, got 24"
    assert said in refusal(lambda: read_npz(tmp_path / "a.npz", 128, 128))


def test_the_size_of_a_camera_is_asked_for(tmp_path: Path) -> None:
    root = writers.write_npz(tmp_path / "data")
    said = refusal(EventNpz(str(root), height=9).describe)
    assert said.startswith("data.height and data.width: expected the camera's size")
    assert "data check" in said


def test_spoken_files(tmp_path: Path) -> None:
    root = writers.write_shd(tmp_path / "data")
    path = root / "shd_test.h5"
    sound = path.read_bytes()
    samples = writers.spoken_samples(0, 2)

    def told(**kinds: str) -> str:
        return refusal(loaded(Shd(str(root)), tmp_path))

    for raw, said in (
        (b"", "expected an HDF5 file, got an empty file"),
        (b"\x89HDF", "byte 0: expected an HDF5 file, got b'\\x89HDF'"),
        (sound[:5000], "expected a whole HDF5 file, got its end after 5000 bytes"),
        (sound[:8] + b"\xff" * 40 + sound[48:], "got one that HDF5 cannot read; copy"),
    ):
        path.write_bytes(raw)
        assert said in told()
    for spikes, labels, kinds, said in (
        (samples, [0, 20], {}, "expected a label from 0 to 19 for sample 1, got 20"),
        (
            samples,
            [0],
            {},
            "expected as many of each, got spikes/times 2, spikes/units",
        ),
        (
            samples,
            [0, 1],
            {"times": "int32"},
            "expected a list of floats for each sample under 'spikes/times', got shape",
        ),
        (
            samples,
            [0, 1],
            {"units": "float32"},
            "a list of integers for each sample under 'spikes/units', got shape (20,",
        ),
        ([[(0.5, 700)], []], [0, 1], {}, "expected a unit < 700 in sample 0, got 700"),
        (
            [[], [(-0.5, 7)]],
            [0, 1],
            {},
            "a time from 0 to 3600 s in sample 1, got -0.5",
        ),
        (
            [[], [(np.nan, 7)]],
            [0, 1],
            {},
            "a time from 0 to 3600 s in sample 1, got nan",
        ),
        (
            [[], [(np.inf, 7)]],
            [0, 1],
            {},
            "a time from 0 to 3600 s in sample 1, got inf",
        ),
    ):
        more = 18 if labels == [0, 1] else 0  # one of every other class
        every = [*labels, *range(2, 2 + more)]
        path.unlink()
        writers.write_h5(path, [*spikes, *[[]] * more], every, **kinds)
        got = told()
        assert got.startswith(f"{path}: ")
        assert said in got


def test_a_spoken_file_without_its_keys(tmp_path: Path) -> None:
    import h5py

    root = writers.write_shd(tmp_path / "data")
    with h5py.File(root / "shd_train.h5", "w") as file:
        file["labels"] = [0]
        file.create_group("spikes/times")
    said = "expected data under 'spikes/times', got none"
    assert said in refusal(Shd(str(root)).describe)


def test_a_spoken_sample_of_unequal_arrays(tmp_path: Path) -> None:
    import h5py

    root = writers.write_shd(tmp_path / "data")
    with h5py.File(root / "shd_train.h5", "r+") as file:
        file["spikes/units"][3] = np.array([1, 2], dtype="uint16")
    said = "expected as many times as units in sample 3, got 30 and 2"
    assert said in refusal(loaded(Shd(str(root)), tmp_path))


def test_a_heap_that_hdf5_would_follow_for_ever(tmp_path: Path) -> None:
    root = writers.write_shd(tmp_path / "data")
    path = root / "shd_train.h5"
    raw = path.read_bytes()
    heap = raw.index(b"GCOL")
    path.write_bytes(raw[: heap + 16] + bytes(16) + raw[heap + 32 :])
    said = f"{path}: byte {heap + 16}: expected an object of a heap, got zeros"
    assert refusal(Shd(str(root)).describe).startswith(said)


def test_a_sample_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    root = writers.write_shd(tmp_path / "data")
    path = root / "shd_train.h5"
    raw = path.read_bytes()
    # References: length 30, the heap's address, numbers 1, 2, …
    address = struct.pack("<Q", raw.index(b"GCOL"))
    first = raw.index(struct.pack("<I", 30) + address)
    path.write_bytes(raw[:first] + b"\xff" * 4 + raw[first + 4 :])
    assert "than the file can hold, got 42949" in refusal(Shd(str(root)).describe)


def test_without_h5py_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = writers.write_shd(tmp_path / "data")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    said = refusal(Shd(str(root)).describe)
    assert "needs h5py, which is not installed: pip install h5py." in said


# ------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Mnist(5),
            "data.root: expected a folder, got the number 5; if a folder",
        ),
        (lambda: Mnist(""), "data.root: expected a folder, got ''; write data.root="),
        (lambda: Mnist("~nobody-of-this-name/x"), "data.root: got '~nobody-of-this-na"),
        (
            lambda: Mnist(name="kmnist"),
            "data.name: expected mnist or fashion_mnist, got",
        ),
        (lambda: NMnist(framing="number"), "data.framing: expected time or count, got"),
        (lambda: Shd(units=701), "data.units: expected at most 700, got 701."),
        (lambda: Ssc(units=0), "data.units: expected a whole number >= 1, got 0."),
        (
            lambda: DvsGesture(downsample=3),
            "data.downsample: expected 1, 2, 4 or 8, got",
        ),
        (lambda: DvsGesture(downsample=True), "data.downsample: expected 1, 2, 4 or 8"),
        (
            lambda: EventNpz(height=0),
            "data.height: expected a whole number >= 1, got 0.",
        ),
        (lambda: EventNpz(downsample=0), "data.downsample: expected a whole number >="),
        (
            lambda: RandomManifolds(classes=1),
            "data.classes: expected a whole number >=",
        ),
        (
            lambda: RandomManifolds(alpha=0.0),
            "data.alpha: expected a number > 0, got 0.0",
        ),
        (
            lambda: RandomManifolds(dimension=0),
            "data.dimension: expected a whole number",
        ),
        (
            lambda: MovingEdges(side=3),
            "data.side: expected a whole number >= 4, got 3.",
        ),
        (
            lambda: RandomManifolds(dimension=33),
            "data.dimension: expected at most 32, got 33.",
        ),
        (lambda: RandomManifolds(classes=10**9), "data.classes: expected at most 1000"),
        (lambda: MovingEdges(samples_per_class=9), "data.samples_per_class: expected"),
        (lambda: MovingEdges(train_samples=0), "data.train_samples: expected a whole"),
    ],
)
def test_a_bad_setting_is_refused_at_once(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value).startswith(said)


FILES: dict[str, tuple[Callable[[Path], Path], Callable[..., DataSource], int]] = {
    "mnist": (writers.write_mnist, Mnist, 40),
    "mnist.gz": (lambda f: writers.write_mnist(f, zipped=True), Mnist, 40),
    "cifar10": (writers.write_cifar, Cifar10, 80),
    "nmnist": (writers.write_nmnist, NMnist, 20),
    "shd": (writers.write_shd, Shd, 40),
    "ssc": (writers.write_ssc, Ssc, 70),
    "dvs_gesture": (writers.write_dvs_gesture, DvsGesture, 11),
    "event_npz": (
        writers.write_npz,
        lambda root, **more: EventNpz(root, height=9, width=12, **more),
        12,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_too_many_training_samples_are_found_before_a_study(
    name: str, tmp_path: Path
) -> None:
    """The most there are is counted by hand: all but one (or a fifth) of each class."""
    write, make, most = FILES[name]
    root = str(write(tmp_path / "data"))
    assert make(root, train_samples=most).describe() == make(root).describe()
    said = refusal(make(root, train_samples=most + 1).describe)
    assert f"data.train_samples: expected at most {most}, how many there" in said
    assert said.endswith(f"got {most + 1}; lower it, or set it to null for all.")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: MovingEdges(samples_per_class=10**12),
            "data.samples_per_class: expected at most 250000 of each of 8 classes, ",
        ),
        (
            lambda: RandomManifolds(samples_per_class=10**12),
            "data.samples_per_class: expected at most 200000 of each of 10 classes, ",
        ),
        (
            lambda: RandomManifolds(units=10**9),
            "data.units, data.dimension and data.samples_per_class: expected a class",
        ),
        (
            lambda: RandomManifolds(units=16_000, dimension=32),
            "data.units, data.dimension and data.samples_per_class: expected a class",
        ),
        (
            lambda: RandomManifolds(train_samples=6401),
            "data.train_samples: expected at most 6400, how many there are to train on",
        ),
        (
            lambda: MovingEdges(train_samples=1025),
            "data.train_samples: expected at most 1024, how many there are to train on",
        ),
    ],
)
def test_a_generator_that_cannot_be_is_found_before_a_study(
    make: Callable[[], DataSource], said: str, tmp_path: Path
) -> None:
    assert refusal(make().describe).startswith(said)
    assert refusal(loaded(make(), tmp_path)).startswith(said)


def test_a_class_that_cannot_be_split_is_found_before_a_study(tmp_path: Path) -> None:
    root = writers.write_nmnist(tmp_path / "data", each=1)
    said = refusal(NMnist(str(root)).describe)
    assert said.startswith("class 0 has one training sample; expected at least 2, ")
    root = writers.write_mnist(tmp_path / "pictures")
    labels = [number % 9 for number in range(20)]
    (root / "t10k-labels-idx1-ubyte").write_bytes(writers.idx_labels(labels))
    said = "the test part has no sample of class 9; expected some of each of 10 classes"
    assert said in refusal(Mnist(str(root)).describe)


def test_only_one_recording_of_the_gestures_is_opened_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = writers.write_dvs_gesture(tmp_path / "data", recordings=(4, 1))
    opened = []
    real = Path.open

    def counting(path: Path, *words: object, **more: object) -> object:
        opened.append(path.name)
        return real(path, *words, **more)

    monkeypatch.setattr(Path, "open", counting)
    source = DvsGesture(str(root))
    source.describe()
    assert source.describe().classes == 11
    assert [name for name in opened if name.endswith(".aedat")] == ["user01_led.aedat"]


# -------------------------------------------------------------------- permissions


NOBODY = 65534


def refused_to_nobody(work: Callable[[], object], folder: Path) -> str:
    """What `DataError` says to a user who is not root, for whom nothing is forbidden.

    In a process of its own, whose working directory is the folder: what lies above it
    need not be open to everyone.
    """
    if not hasattr(os, "fork"):
        pytest.skip("there is no other process to be")
    folder.chmod(0o755)
    end, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            said = "nothing"
        except DataError as error:
            said = f"DataError {error}"
        except BaseException as error:  # to be told to the parent
            said = repr(error)
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(end, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    assert said.startswith("DataError ")
    assert "\n" not in said
    return said.removeprefix("DataError ")


@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("event_npz", "train"),
        ("event_npz", "test"),
        ("event_npz", "train/1"),
        ("nmnist", "Train"),
        ("nmnist", "."),
        ("mnist", "."),
        ("shd", "."),
        ("dvs_gesture", "."),
    ],
)
def test_a_folder_without_permission_is_one_line(
    name: str, below: str, mode: int, tmp_path: Path
) -> None:
    write, make, _ = FILES[name]
    root = write(tmp_path / "data")
    source, forbidden = make("data"), root / below
    forbidden.chmod(mode)
    try:
        for work in (loaded(source, tmp_path), lambda: check("data")):
            said = refused_to_nobody(work, tmp_path)
            assert said.startswith(str(Path("data") / below))
            assert ": cannot be read (Permission denied); check that it is" in said
    finally:
        forbidden.chmod(0o755)


def test_a_file_without_permission_is_one_line(tmp_path: Path) -> None:
    root = writers.write_nmnist(tmp_path / "data", each=2)
    (root / "Train/3/00007.bin").chmod(0)
    source = NMnist("data")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    said = refused_to_nobody(loaded(source, Path()), tmp_path)
    assert said.startswith("data/Train/3/00007.bin: cannot be read (Permission denied)")
