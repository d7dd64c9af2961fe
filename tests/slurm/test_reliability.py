"""What can befall a study on a cluster; afterwards its folder is right.

Whole studies, driven by the command as a user would. docs/reliability.md says which
test shows what; how each end of a job is typed is in `test_executor`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest

from tests.invariants import Survived, accepted, check, jobs, processes
from tests.slurm.conftest import Slurm
from tests.stepped import epochs_run, finish, said_in, start, words
from tests.test_kill import kind_of
from tests.test_reliability import (
    begun,
    ends,
    events,
    kill_drivers,
    no_work_was_thrown_away,
    told,
    until,
)

pytestmark = pytest.mark.slurm

SLURM = (
    *("executor=slurm", "executor.workers=4", "executor.time_min=30"),
    "executor.sbatch={mem: 300M}",
)
_AWAY_S = 30.0  # of the controller


@pytest.fixture
def folder(tmp_path: Path, slurm_box: Slurm) -> Iterator[Path]:
    """Of a study; neither a job nor a process of it outlives the test."""
    study = tmp_path / "study"
    yield study
    if left := jobs(study):
        subprocess.run(["scancel", *left], check=False)
    for pid in processes(study):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def running(folder: Path) -> list[str]:
    """The jobs of a study that run, by their workers' files."""
    names = [path.stem for path in (folder / "workers").glob("s*.json")]
    return sorted(name.removeprefix("s") for name in names)


def no_epoch_twice(folder: Path, epochs: int) -> int:
    """Each attempt begins where the one before ended; how many went on like that."""
    went_on = 0
    for number, attempts in epochs_run(folder).items():
        assert [*chain(*attempts)] == list(range(1, epochs + 1)), (number, attempts)
        went_on += len(attempts) - 1
    return went_on


# ---------------------------------------------------------------- drivers


def survives_kills(folder: Path, times: int, seed: int) -> Survived:
    task = (*SLURM, "task.epoch_s=0.2")
    budget = kill_drivers(folder, times, seed, *task) + 4
    finish(folder, words(folder, budget, *task))
    survived = check(folder, budget, slurm=True)
    told("Slurm: driver kill -9", times, survived)
    no_work_was_thrown_away(folder)  # its workers ran on, and were adopted
    return survived


def test_a_driver_is_killed(folder: Path) -> None:
    assert survives_kills(folder, 1, seed=0).drivers == 2


@pytest.mark.slow
def test_a_driver_is_killed_twenty_times(folder: Path) -> None:
    survived = survives_kills(folder, 20, seed=1)
    assert survived.drivers > 10  # the others died before they had the study


# ---------------------------------------------------------------- jobs


def befall(slurm: Slurm, folder: Path, what: str, rng: random.Random) -> bool:
    """Do something to one of the jobs; whether there was one."""
    found = running(folder)
    if not found:
        return False
    if what == "kill -9":
        parts = [pid for pid in processes(folder) if kind_of(pid)]
        if parts:
            os.kill(rng.choice(parts), signal.SIGKILL)
        return bool(parts)
    verb = {"scancel": ["scancel"], "requeue": ["scontrol", "requeue"]}[what]
    subprocess.run([*verb, rng.choice(found)], capture_output=True, check=False)
    return True


@pytest.mark.parametrize(
    ("rounds", "budget"), [(2, 60), pytest.param(20, 600, marks=pytest.mark.slow)]
)
def test_jobs_are_killed_cancelled_and_requeued(
    rounds: int, budget: int, slurm_box: Slurm, folder: Path
) -> None:
    rng = random.Random(rounds)
    driver = start(folder, words(folder, budget, *SLURM, "task.epoch_s=0.1"))
    begun(folder, driver, 1)
    done: Counter[str] = Counter()
    for _ in range(rounds):
        for what in rng.sample(["kill -9", "kill -9", "scancel", "requeue"], 4):
            time.sleep(rng.uniform(0.2, 1.0))
            while driver.poll() is None and not befall(slurm_box, folder, what, rng):
                time.sleep(0.1)
            done[what] += driver.poll() is None
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, budget, slurm=True)
    told(f"Slurm: {dict(done)}", done.total(), survived)
    assert done.total() == 4 * rounds
    assert set(survived.retried) <= {"lost", "preempted", "crashed"}


def test_preemption_by_a_higher_partition(slurm_box: Slurm, folder: Path) -> None:
    """Two of four workers make room; their trials go on where they were."""
    budget, epochs = 4, 30
    arguments = words(folder, budget, *SLURM, f"task.epochs={epochs}")
    driver = start(folder, [*arguments, "executor.gpus=1", "task.epoch_s=0.4"])
    until(lambda: len(list(folder.glob("trials/*/1/epochs.txt"))) == budget)
    high = ["-p", "high", "-w", "n1", "--exclusive"]
    other = slurm_box.submit("true", *high, cwd=folder.parent)
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, budget, slurm=True)
    slurm_box.reaches(other, "COMPLETED", 60)
    told("Slurm: preemption", 1, survived)
    assert survived.retried == {"preempted": 2}
    assert no_epoch_twice(folder, epochs) == 2


@pytest.mark.slow
def test_the_time_limit_of_jobs(folder: Path) -> None:
    """Trials that take longer than their jobs go on in the next ones."""
    epochs = 240
    limits = ("executor.time_min=3", "executor.signal_s=60", "executor.workers=2")
    task = (f"task.epochs={epochs}", "task.epoch_s=1.0")
    finish(folder, words(folder, 2, *SLURM, *limits, *task))
    survived = check(folder, 2, slurm=True)
    told("Slurm: time limit", 2, survived)
    assert set(survived.retried) == {"preempted"}
    assert no_epoch_twice(folder, epochs) >= 2


@pytest.mark.slow
def test_a_training_goes_on_from_its_checkpoint(slurm_box: Slurm, folder: Path) -> None:
    """A real one: the journal's reports show which epochs each attempt trained."""
    arguments = ["+experiment=nas", "optimizer=sobol", "study.confirm=0"]
    arguments += ["study.budget=1", "tracker=none", f"study_dir={folder}"]
    arguments += ["space.epochs.int=[40,41]", "executor=slurm", "executor.workers=1"]
    driver = start(folder, arguments)

    def steps() -> dict[tuple[int, int], list[int]]:
        path = folder / "journal.jsonl"
        found: dict[tuple[int, int], list[int]] = {}
        for event in accepted(path)[0] if path.exists() else []:
            if event["event"] == "reported":
                key = (event["number"], event["attempt"])
                found.setdefault(key, []).append(event["step"])
        return found

    until(lambda: len(steps().get((0, 1), [])) >= 5, 120)
    slurm_box.ask("scancel", *running(folder))
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, 1, slurm=True)
    told("Slurm: scancel of a digits training", 1, survived)
    assert survived.retried == {"preempted": 1}
    first, second = steps()[0, 1], steps()[0, 2]
    assert second[0] == first[-1] + 1
    assert [*first, *second] == list(range(1, len(first) + len(second) + 1))


# ---------------------------------------------------------------- nodes, controller


@pytest.mark.slow
def test_nodes_die_are_drained_and_come_back(slurm_box: Slurm, folder: Path) -> None:
    slurm_box.script("status")
    budget = 400
    command = words(folder, budget, *SLURM, "executor.gpus=1", "task.epoch_s=0.3")
    driver = start(folder, command)
    until(lambda: len(running(folder)) == 4)
    begun(folder, driver)
    change = ["scontrol", "update", "NodeName=n0"]
    try:
        assert slurm_box.script("node", "n1", "down").returncode == 0
        until(lambda: "retried" in events(folder), 60)  # the driver knows it
        before = ends(folder)
        until(lambda: ends(folder) > before + 10)  # n0 works on
        assert slurm_box.script("node", "n1", "up").returncode == 0
        until(lambda: len(running(folder)) == 4)
        slurm_box.ask(*change, "State=DRAIN", "Reason=test")
        before = ends(folder)
        until(lambda: ends(folder) > before + 10)  # what runs there runs on
        slurm_box.script("node", "n1", "down")  # no healthy node is left, and
        slurm_box.script("node", "n1", "up")  # back before Slurm missed it
    finally:
        slurm_box.script("node", "n1", "up")
        slurm_box.ask(*change, "State=RESUME")
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, budget, slurm=True)
    told("Slurm: node down twice, drained once", 3, survived)
    assert set(survived.retried) == {"lost"}


@pytest.mark.slow
def test_the_controller_is_away_for_half_a_minute(
    slurm_box: Slurm, folder: Path
) -> None:
    slurm_box.script("status")
    budget = 250
    driver = start(folder, words(folder, budget, *SLURM, "task.epoch_s=0.25"))
    begun(folder, driver)
    assert slurm_box.script("controller", "down").returncode == 0
    try:
        before = ends(folder)
        time.sleep(_AWAY_S)
        meanwhile = ends(folder) - before
    finally:
        assert slurm_box.script("controller", "up").returncode == 0
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, budget, slurm=True)
    told(f"Slurm: controller away, {meanwhile} trials ended meanwhile", 1, survived)
    assert meanwhile > 10
    assert survived.retried == {}
