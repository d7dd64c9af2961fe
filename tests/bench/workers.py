"""Workers on this machine: start-up, overhead, idleness, memory.

    python -m tests.bench.workers FOLDER

Runs the README's first command, and then Sobol studies of equal trials (where the
optimizer keeps up) with warm workers and with one process a trial. FOLDER must not
hold results of an earlier run. Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.runtime.journal import NAME, read
from tests.bench.default_study import machine
from tests.test_kill import kind_of

SAMPLE_S = 0.1
# Short trials of equal length: what is measured is everything but the training.
SHORT = ("optimizer=sobol", "study.confirm=0", "space.epochs.int=[2,3]")


def resident_mb(folder: Path, driver: int) -> dict[str, list[float]]:
    """The resident memory of a study's processes by what they are."""
    found: dict[str, list[float]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            line = Path(f"/proc/{entry}/cmdline").read_bytes()
            pages = int(Path(f"/proc/{entry}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        if str(folder).encode() not in line and int(entry) != driver:
            continue
        kind = "driver" if int(entry) == driver else kind_of(int(entry))
        size = pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
        found[kind or "submitit's controller"].append(size)
    return found


def run(folder: Path, *words: str) -> tuple[History, float, float, dict[str, float]]:
    """A study; its seconds, the seconds to its first trial, peak memory by part."""
    command = [sys.executable, "-m", "moosnn", "+experiment=nas", "tracker=none"]
    begun, clock = time.monotonic(), time.time()
    driver = subprocess.Popen([*command, f"study_dir={folder}", *words])
    peaks: dict[str, float] = defaultdict(float)
    while driver.poll() is None:
        sizes = resident_mb(folder, driver.pid)
        for kind, each in sizes.items():
            peaks[kind] = max(peaks[kind], *each)
        total = sum(sum(each) for each in sizes.values())
        peaks["all together"] = max(peaks["all together"], total)
        time.sleep(SAMPLE_S)
    assert driver.returncode == 0
    seconds = time.monotonic() - begun
    started = (folder / "trials" / "000000" / "1").stat()
    first = min(started.st_mtime, started.st_ctime) if started else clock
    history = read(folder / NAME).history
    reports = [e.time for e in history if e.kind is Kind.REPORTED]
    return history, seconds, min([first, *reports]) - clock, dict(peaks)


def between(history: History) -> tuple[list[float], list[float]]:
    """Overheads of trials, and idle times of workers, in milliseconds."""
    submitted: dict[int | None, tuple[float, str]] = {}
    ended: dict[str, float] = {}
    overheads, idle = [], []
    for event in history:
        if event.kind is Kind.SUBMITTED:
            worker = event.data["job_id"]
            submitted[event.number] = (event.time, worker)
            if worker in ended:
                idle.append(1000 * (event.time - ended[worker]))
        elif event.kind is Kind.FINISHED:
            given, worker = submitted[event.number]
            ended[worker] = event.time
            trained = event.data["evaluation"]["seconds"]
            overheads.append(1000 * (event.time - given - trained))
    return overheads, idle


def quantiles(values: list[float]) -> str:
    return f"{median(values):.0f}, {np.quantile(values, 0.9):.0f}"


def main(target: Path) -> None:
    print(machine())
    history, seconds, first, peaks = run(target / "default")
    print("\n| README's first command, 100 trials, 2 workers | |\n|---|---|")
    print(f"| whole, s | {seconds:.0f} |")
    print(f"| until the first trial trains, s | {first:.1f} |")
    for kind, size in sorted(peaks.items()):
        print(f"| peak resident memory, {kind}, MB | {size:.0f} |")
    print(
        "\n| 100 short trials, Sobol, 2 at a time | warm workers | a process a trial |"
    )
    print("|---|---|---|")
    rows = []
    for executor in ("local", "submitit_job"):
        folder = target / executor
        words = (f"executor={executor}", "executor.workers=2", "study.budget=100")
        history, seconds, _, _ = run(folder, *SHORT, *words)
        overheads, idle = between(history)
        ends = [e.time for e in history if e.kind in (Kind.FINISHED, Kind.FAILED)]
        hourly = 3600 * len(ends) / (ends[-1] - history[0].time)
        waits = quantiles(idle) if idle else "-"
        rows.append((f"{hourly:.0f}", quantiles(overheads), waits))
    names = ("trials an hour", "overhead a trial, ms: median, 90 %")
    for name, *cells in zip(
        (*names, "worker idle before the driver gives the next, ms: median, 90 %"),
        *rows,
        strict=True,
    ):
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
