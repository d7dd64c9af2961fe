"""How fast event files are read and framed, on one core.

    python -m tests.bench.data_readers FOLDER

Writes synthetic files of about the real ones' sizes below FOLDER (some 500 MB, deleted
at the end), reads each format `ROUNDS` times from a warm disk cache and takes the best.
Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from moosnn.snn.data.aedat import read_aedat
from moosnn.snn.data.event_npz import read_npz
from moosnn.snn.data.events import BY_COUNT, BY_TIME, Events, framed
from moosnn.snn.data.nmnist import read_bin
from tests.bench.default_study import machine
from tests.snn.data.writers import AEDAT_HEADER, write_h5

ROUNDS = 5
TIME_STEPS = 16
NMNIST_FILES, NMNIST_EVENTS = 1000, 4200
GESTURE_FILES, GESTURE_EVENTS, PACKET = 40, 400_000, 1000
SPOKEN_SAMPLES, SPOKEN_SPIKES = 500, 8000


def drawn(seed: int, count: int, side: int) -> np.ndarray:
    """Events in the order of time: ``4 x count``, t, x, y, p."""
    draw = np.random.default_rng(seed)
    times = np.sort(draw.integers(0, 25 * count, count))
    return np.stack(
        (times, draw.integers(0, side, count), draw.integers(0, side, count),
         draw.integers(0, 2, count))
    )  # fmt: skip


def nmnist_file(path: Path, seed: int) -> None:
    t, x, y, p = drawn(seed, NMNIST_EVENTS, 34)
    raw = np.stack((x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255), axis=1)
    path.write_bytes(raw.astype(np.uint8).tobytes())


def aedat_file(path: Path, seed: int) -> None:
    t, x, y, p = drawn(seed, GESTURE_EVENTS, 128)
    words = np.stack((x << 17 | y << 2 | p << 1 | 1, t), axis=1).astype("<i4")
    header = np.array([1 | 1 << 16, 8, 4, 0, PACKET, PACKET, PACKET], dtype="<i4")
    parts = [AEDAT_HEADER]
    for start in range(0, GESTURE_EVENTS, PACKET):
        parts += [header.tobytes(), words[start : start + PACKET].tobytes()]
    path.write_bytes(b"".join(parts))


def npz_file(path: Path, seed: int, *, deflated: bool) -> None:
    t, x, y, p = drawn(seed, GESTURE_EVENTS, 128)
    stream = io.BytesIO()
    save = np.savez_compressed if deflated else np.savez
    save(stream, t=t, x=x.astype("u2"), y=y.astype("u2"), p=p.astype("u1"))
    path.write_bytes(stream.getvalue())


def best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(
    name: str, read: Callable[[], list[Events]], shape: tuple[int, ...]
) -> None:
    samples = read()
    count = sum(len(events) for events in samples)
    reading = best(read)
    framing = [
        best(lambda by=by: [framed(e, TIME_STEPS, shape, by) for e in samples])
        for by in (BY_TIME, BY_COUNT)
    ]
    rates = [count / seconds / 1e6 for seconds in (reading, *framing)]
    both = count / (reading + framing[0]) / 1e6
    cells = " | ".join(f"{rate:.1f}" for rate in (*rates, both))
    print(f"| {name} | {len(samples):,} x {count // len(samples):,} | {cells} |")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "events"
    place.mkdir()
    try:
        for number in range(NMNIST_FILES):
            nmnist_file(place / f"{number}.bin", number)
        for number in range(GESTURE_FILES):
            aedat_file(place / f"{number}.aedat", number)
            npz_file(place / f"stored-{number}.npz", number, deflated=False)
            npz_file(place / f"deflated-{number}.npz", number, deflated=True)
        print(f"{machine()}; million events a second, T = {TIME_STEPS}:\n")
        print(
            "| format | samples x events | reading | framing by time | by count | "
            "reading and framing by time |"
        )
        print("|---|---|---|---|---|---|")
        bins, aedats, stored, deflated = (
            sorted(place.glob(p))
            for p in ("*.bin", "*.aedat", "stored-*.npz", "deflated-*.npz")
        )
        gesture = (2, 128, 128)
        measure("N-MNIST .bin", lambda: [read_bin(p) for p in bins], (2, 34, 34))
        measure("AEDAT 3.1", lambda: [read_aedat(p, 128, 128) for p in aedats], gesture)
        measure(".npz", lambda: [read_npz(p, 128, 128) for p in stored], gesture)
        measure(
            ".npz, deflated", lambda: [read_npz(p, 128, 128) for p in deflated], gesture
        )
        measure("SHD .h5", spoken(place / "shd.h5"), (700,))
    finally:
        shutil.rmtree(place)


def spoken(path: Path) -> Callable[[], list[Events]]:
    """A reader of an SHD file that it writes."""
    from moosnn.snn.data.spike_h5 import SpikeFiles

    draw = np.random.default_rng(0)
    times = np.sort(draw.random((SPOKEN_SAMPLES, SPOKEN_SPIKES)))
    units = draw.integers(0, 700, times.shape)
    samples = [
        list(zip(t.tolist(), u.tolist(), strict=True))
        for t, u in zip(times, units, strict=True)
    ]
    write_h5(path, samples, [0] * SPOKEN_SAMPLES)
    every = np.arange(SPOKEN_SAMPLES)
    return lambda: [e for _, e in SpikeFiles([path], 20, 700).read(every)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
