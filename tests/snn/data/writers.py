"""Small valid files of every format, written with `struct` after their specifications.

Each writer is told the samples and returns nothing of what a reader should compute.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

Event = tuple[int, int, int, int]  # t_us, x, y, p
AEDAT_HEADER = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
    b"#Start-Time: 2015-11-02 15:16:17 (TZ+0000)\r\n#!END-HEADER\r\n"
)


def random_events(
    seed: int, count: int, width: int, height: int, start_us: int = 0
) -> list[Event]:
    """Events in the order of time, with equal times among them."""
    draw = random.Random(seed)
    times = sorted(
        draw.randrange(start_us, start_us + 40 * count) for _ in range(count)
    )
    return [
        (t, draw.randrange(width), draw.randrange(height), draw.randrange(2))
        for t in times
    ]


# ------------------------------------------------------------------------ pictures


def idx_images(pictures: Sequence[bytes], rows: int, columns: int) -> bytes:
    return struct.pack(">IIII", 0x803, len(pictures), rows, columns) + b"".join(
        pictures
    )


def idx_labels(labels: Sequence[int]) -> bytes:
    return struct.pack(">II", 0x801, len(labels)) + bytes(labels)


def some_pictures(seed: int, count: int, size: int) -> list[bytes]:
    draw = random.Random(seed)
    return [draw.randbytes(size) for _ in range(count)]


def write_mnist(folder: Path, *, each: int = 5, rows: int = 3, zipped: bool = False):
    """Ten classes, ``each`` training and 2 test pictures of ``rows`` x 4 of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", each), ("t10k", 2)):
        labels = [number % 10 for number in range(10 * count)]
        pictures = some_pictures(count, len(labels), rows * 4)
        for kind, raw in (
            ("images-idx3", idx_images(pictures, rows, 4)),
            ("labels-idx1", idx_labels(labels)),
        ):
            name = f"{part}-{kind}-ubyte"
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(raw, mtime=0))
            else:
                (folder / name).write_bytes(raw)
    return folder


def write_cifar(folder: Path, *, each: int = 2):
    """Five training files and one to test, ``each`` pictures of each class in each."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    for seed, name in enumerate(names):
        pictures = some_pictures(seed, 10 * each, 3072)
        raw = b"".join(
            bytes([number % 10]) + picture for number, picture in enumerate(pictures)
        )
        (folder / name).write_bytes(raw)
    return folder


# ------------------------------------------------------------------------ events


def nmnist_bytes(events: Sequence[Event]) -> bytes:
    """Events after each other; a clock beyond 2^13 us per mark before it is marked."""
    return b"".join(
        bytes([x, y, (p << 7) | (t >> 16), (t >> 8) & 0xFF, t & 0xFF])
        for t, x, y, p in events
    )


OVERFLOW = bytes([0, 240, 0, 0, 0])


def write_nmnist(folder: Path, *, each: int = 3, names=("Train", "Test")):
    for part, name in enumerate(names):
        for digit in range(10):
            place = folder / name / str(digit)
            place.mkdir(parents=True)
            for number in range(each):
                seed = (part * 10 + digit) * each + number
                events = random_events(seed, 60 + seed, 34, 34)
                (place / f"{seed:05d}.bin").write_bytes(nmnist_bytes(events))
    return folder


def aedat_packet(
    events: Sequence[Event], *, kind: int = 1, overflows: int = 0, invalid: int = 0
) -> bytes:
    """A packet; the last ``invalid`` of its events are not marked as valid."""
    count = len(events)
    body = b""
    for number, (t, x, y, p) in enumerate(events):
        valid = number < count - invalid
        body += struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t)
    header = (kind, 1, 8, 4, overflows, count, count, count - invalid)
    return struct.pack("<hhiiiiii", *header) + body


def aedat_bytes(events: Sequence[Event], size: int = 50) -> bytes:
    packets = [
        aedat_packet(events[start : start + size])
        for start in range(0, len(events), size)
    ]
    return AEDAT_HEADER + b"".join(packets)


def write_dvs_gesture(folder: Path, *, recordings=(2, 1), count: int = 1100):
    """Recordings of all 11 classes each; 100 events a gesture."""
    folder.mkdir(parents=True, exist_ok=True)
    user = 0
    for name, users in zip(
        ("trials_to_train.txt", "trials_to_test.txt"), recordings, strict=True
    ):
        listed = []
        for _ in range(users):
            user += 1
            stem = f"user{user:02d}_led"
            listed.append(f"{stem}.aedat\n")
            events = random_events(user, count, 128, 128, start_us=1000)
            (folder / f"{stem}.aedat").write_bytes(aedat_bytes(events))
            rows = ["class,startTime_usec,endTime_usec"]
            step = 40 * count // 11
            for label in range(11):
                begin = 1000 + label * step
                rows.append(f"{label + 1},{begin},{begin + step}")
            (folder / f"{stem}_labels.csv").write_text("\n".join(rows) + "\n")
        (folder / name).write_text("".join(listed))
    return folder


def npy_bytes(code: str, descr: str, values: Sequence[int]) -> bytes:
    """A list of integers in numpy's format 1.0."""
    text = (
        f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({len(values)},), }}"
    )
    padding = -(10 + len(text) + 1) % 64
    header = (text + " " * padding + "\n").encode()
    begin = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    return begin + header + struct.pack(f"<{len(values)}{code}", *values)


def npz_bytes(
    events: Sequence[Event], *, deflated: bool = False, names="txyp"
) -> bytes:
    stream = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    kinds = {"t": ("q", "<i8"), "x": ("h", "<i2"), "y": ("H", "<u2"), "p": ("?", "|b1")}
    with zipfile.ZipFile(stream, "w", method) as archive:
        for place, name in enumerate("txyp"):
            if name in names:
                values = [event[place] for event in events]
                info = zipfile.ZipInfo(f"{name}.npy")
                info.compress_type = method
                archive.writestr(info, npy_bytes(*kinds[name], values))
    return stream.getvalue()


def write_npz(folder: Path, *, classes=("0", "1", "10", "2"), each: int = 4):
    for part in ("train", "test"):
        for place, label in enumerate(classes):
            (folder / part / label).mkdir(parents=True)
            for number in range(each):
                seed = 100 * place + number + 1000 * (part == "test")
                raw = npz_bytes(
                    random_events(seed, 80, 12, 9), deflated=bool(number % 2)
                )
                (folder / part / label / f"{number}.npz").write_bytes(raw)
    return folder


def write_h5(path: Path, samples, labels, *, units="uint16", times="float16"):
    """Samples are lists of (seconds, unit)."""
    import h5py
    import numpy as np

    with h5py.File(path, "w") as file:
        file["labels"] = np.asarray(labels, dtype="uint16")
        spikes = file.create_group("spikes")
        for key, kind, place in (("times", times, 0), ("units", units, 1)):
            dtype = h5py.vlen_dtype(np.dtype(kind))
            data = spikes.create_dataset(key, (len(samples),), dtype=dtype)
            for number, sample in enumerate(samples):
                data[number] = np.asarray([s[place] for s in sample], dtype=kind)


def spoken_samples(seed: int, count: int):
    """Samples of 30 spikes; the times are whole 1/128 s, which 16 bits hold."""
    draw = random.Random(seed)
    return [
        sorted((draw.randrange(128) / 128, draw.randrange(700)) for _ in range(30))
        for _ in range(count)
    ]


def write_shd(folder: Path, *, each: int = 3):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("shd_train.h5", "shd_test.h5")):
        labels = [number % 20 for number in range(20 * each)]
        write_h5(folder / name, spoken_samples(seed, len(labels)), labels)
    return folder


def write_ssc(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5")):
        labels = [number % 35 for number in range(35 * (2 if seed == 0 else 1))]
        write_h5(folder / name, spoken_samples(seed, len(labels)), labels)
    return folder
