"""The launchers bring studies about, and what ends them does not end the study."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from moosnn.events import Kind
from moosnn.runtime.journal import NAME, read
from tests.slurm.conftest import Slurm, run_launcher, until

pytestmark = pytest.mark.slurm

SMOKE = ["+experiment=smoke", "study.confirm=0", "executor=inline", "tracker=none"]
PYTHON = {"PYTHON": sys.executable}


def ended(folder: Path) -> Counter[int | None]:
    """How often each number ended, by the journal."""
    if not (folder / NAME).exists():
        return Counter()
    events = read(folder / NAME).history
    ends = (Kind.FINISHED, Kind.FAILED)
    return Counter(event.number for event in events if event.kind in ends)


def test_a_local_study(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    words = [*SMOKE, "study.budget=3", f"study_dir={folder}"]
    done = run_launcher("local.sh", *words, cwd=tmp_path, **PYTHON)
    assert (done.returncode, done.stderr) == (0, "")
    assert ended(folder) == {0: 1, 1: 1, 2: 1}


def test_a_driver_that_is_preempted_goes_on_by_itself(
    slurm_box: Slurm, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    budget = 30
    words = [*SMOKE, "task.seconds=0.4", f"study.budget={budget}"]
    options = ["--chdir", str(tmp_path), "-w", "n1", "--"]
    submitted = run_launcher(
        "slurm_driver.sh", *options, *words, "study_dir=study", cwd=tmp_path, **PYTHON
    )
    assert submitted.returncode == 0, submitted.stderr
    job = submitted.stdout.strip()
    until(lambda: len(ended(folder)) >= 3, 40, "the study begins")
    high = ["-p", "high", "-w", "n1", "--exclusive"]
    other = slurm_box.submit("true", *high, cwd=tmp_path)
    slurm_box.reaches(other, "COMPLETED", 60)
    assert 3 <= len(ended(folder)) < budget
    slurm_box.reaches(job, "COMPLETED", 120)
    said = slurm_box.ask("sacct", "-nPXD", "-j", job, "-o", "State")
    assert said.split() == ["REQUEUED", "COMPLETED"]
    assert ended(folder) == dict.fromkeys(range(budget), 1)
    output = (tmp_path / f"moosnn-{job}.out").read_text()
    assert "moosnn: interrupted; the same command continues" in output


def test_a_driver_that_is_cancelled_stays_so(slurm_box: Slurm, tmp_path: Path) -> None:
    words = [*SMOKE, "task.seconds=0.4", f"study_dir={tmp_path}/study"]
    submitted = run_launcher("slurm_driver.sh", *words, cwd=tmp_path, **PYTHON)
    job = submitted.stdout.strip()
    until(lambda: ended(tmp_path / "study"), 40, "the study begins")
    slurm_box.ask("scancel", job)
    slurm_box.reaches(job, "CANCELLED")
    until(lambda: job not in slurm_box.ask("squeue", "-h", "-o", "%i"), 20, "it ends")
    assert slurm_box.state(job) == "CANCELLED"


def test_a_mistake_of_a_driver_ends_its_job(slurm_box: Slurm, tmp_path: Path) -> None:
    assert run_launcher("slurm_driver.sh", "--time=5", "--").returncode == 2
    submitted = run_launcher(
        "slurm_driver.sh", "+experiment=smok", cwd=tmp_path, **PYTHON
    )
    job = submitted.stdout.strip()
    slurm_box.reaches(job, "FAILED")
    output = (tmp_path / f"moosnn-{job}.out").read_text()
    assert "Did you mean 'smoke'?" in output


def test_seeds_run_side_by_side(slurm_box: Slurm, tmp_path: Path) -> None:
    words = [*SMOKE, "seed=3,4", "study.budget=3", "hydra.launcher.mem_gb=1"]
    done = run_launcher("seed_sweep.sh", *words, cwd=tmp_path, **PYTHON)
    assert (done.returncode, done.stderr) == (0, "")
    sweep = tmp_path / "runs/sweep-smoke"
    for seed in (3, 4):
        assert ended(sweep / f"smoke-sobol-s{seed}") == {0: 1, 1: 1, 2: 1}

    def tasks() -> int:
        accounted = slurm_box.ask("sacct", "-nPX", "--name=moosnn", "-o", "JobID")
        return sum("_" in line for line in accounted.splitlines())

    # The accounting hears of a task some seconds after it ended.
    until(lambda: tasks() >= 2, 30, "both tasks of the array are accounted for")
    assert os.listdir(sweep / ".submitit")
