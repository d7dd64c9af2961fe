"""``kill -9`` of anything at any moment: the study ends, and its journal is right."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from moosnn.confirmation import SEEDS, confirmed
from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import problem_of
from tests.runtime.test_executors import processes, until

BUDGET = 60  # enough work for ten kills before the study ends
# Workers without a driver end after orphan_s, at the latest with their trial.
ORPHAN_S = 5


def command(folder: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "moosnn",
        "+experiment=nas",
        "optimizer=sobol",
        "executor.workers=2",
        f"executor.orphan_s={ORPHAN_S}",
        "space.epochs.int=[8,15]",
        f"study.budget={BUDGET}",
        "study.confirm=1",
        f"study_dir={folder}",
    ]


def start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder.parent / "output.log").open("ab") as log:
        return subprocess.Popen(command(folder), stdout=log, stderr=log)


def kind_of(pid: int) -> str | None:
    """Which part of a study a process is."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return None
    if b"moosnn.runtime.worker" in line:
        return "child"
    if b"submitit.core._submit" in line:
        return "supervisor"
    return None


def kill_something(folder: Path, driver: subprocess.Popen[bytes], what: str) -> bool:
    """Kill the driver, or a supervisor or child that is there; whether one was."""
    if what == "driver":
        driver.kill()
        driver.wait()
        return True
    found = [pid for pid in processes(folder) if kind_of(pid) == what]
    if not found:
        return False
    os.kill(random.choice(found), signal.SIGKILL)
    return True


def survive(folder: Path, rounds: int, seed: int) -> Counter[str]:
    """Run a study to its end while parts of it are killed; what was killed.

    Each round kills the driver three times, supervisors three times and children four
    times, in random order at random moments.
    """
    rng = random.Random(seed)
    killed: Counter[str] = Counter()
    driver = start(folder)
    for _ in range(rounds):
        parts = ["driver"] * 3 + ["supervisor"] * 3 + ["child"] * 4
        for what in rng.sample(parts, len(parts)):
            time.sleep(rng.uniform(0.1, 2.0))
            while driver.poll() is None and not kill_something(folder, driver, what):
                time.sleep(0.05)
            if driver.poll() == 0:
                return killed
            killed[what] += 1
            if what == "driver":
                driver = start(folder)
    assert driver.wait() == 0, (folder.parent / "output.log").read_text()
    return killed


def check(folder: Path) -> History:
    """Every number ended once, nothing finished was run again, the front is right."""
    contents = read(folder / NAME)
    history = contents.history
    ends = Counter(e.number for e in history if e.kind in (Kind.FINISHED, Kind.FAILED))
    assert ends == dict.fromkeys(range(BUDGET), 1)
    # No attempt was given out twice, none after its number had ended.
    given = [(e.number, e.attempt) for e in history.of_kind(Kind.SUBMITTED)]
    given += [(e.number, e.attempt) for e in history.of_kind(Kind.CONFIRMING)]
    assert len(set(given)) == len(given)
    ended: set[int | None] = set()
    for event in history:
        assert event.kind is not Kind.SUBMITTED or event.number not in ended
        if event.kind in (Kind.FINISHED, Kind.FAILED):
            ended.add(event.number)
    # A child that is killed is a crash, tried once more; what is killed twice failed.
    assert {t.failure.kind for t in history.failed if t.failure} <= {"crashed"}
    config = yaml.safe_load((folder / "config.yaml").read_text())
    problem = problem_of(config)
    front = front_of(problem, history.done)
    said = history.of_kind(Kind.ENDED)[-1].data
    assert list(front.numbers) == said["front"]
    rows = (folder / "front.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == list(front.numbers)
    for found in confirmed(history).values():
        assert len(found.evaluations) + len(found.failures) == SEEDS
    return history


def run(tmp_path: Path, rounds: int, seed: int) -> None:
    folder = tmp_path / "study"
    killed = survive(folder, rounds, seed)
    history = check(folder)
    until(lambda: not processes(folder), seconds=90)
    drivers = 1 + len(history.of_kind(Kind.OPENED))
    retried = Counter(e.data["failure"]["kind"] for e in history.of_kind(Kind.RETRIED))
    print(f"{dict(killed)}, {drivers} drivers, retried {dict(retried)}")
    assert killed == {
        "driver": 3 * rounds,
        "supervisor": 3 * rounds,
        "child": 4 * rounds,
    }


def test_ten_kills(tmp_path: Path) -> None:
    run(tmp_path, rounds=1, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_kills(tmp_path: Path, seed: int) -> None:
    run(tmp_path, rounds=1, seed=100 + seed)
