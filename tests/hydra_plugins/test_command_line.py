"""Apps as people start them: real processes, workers, ``kill -9``."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from moosnn.runtime.journal import NAME, read
from moosnn.trial import Status

from .apps.train import OPEN
from .conftest import APPS

ROOT = Path(__file__).parents[2]
SOBOL = "hydra.sweeper.optimizer=sobol"
WAIT_S = 120
JOBS = OPEN + 3


@pytest.fixture
def project(tmp_path):
    """A user's folder with the apps in it."""
    return Path(shutil.copytree(APPS, tmp_path / "project"))


@pytest.fixture
def start(project):
    """Starts Python in that folder."""
    with ExitStack() as stack:

        def run(*words):
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=project,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield run


def finish(process):
    """Exit code, what it printed, what it complained about."""
    out, err = process.communicate(timeout=WAIT_S)
    return process.returncode, out, err


def trials(folder):
    return read(folder / NAME).history.trials


def until(holds):
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_sweep_goes_on_and_never_runs_twice_at_once(project, start):
    folder = project / "out"
    words = ["train.py", "-m", "x=interval(0,1)", "db=mysql,postgres", SOBOL]
    words += ["gate=gate", "starts=starts.txt", "hydra.sweep.dir=out"]
    words += ["hydra.sweeper.workers=1", f"hydra.sweeper.budget={JOBS}"]
    (project / "gate").touch()
    first = start(*words)
    until(lambda: (folder / NAME).exists() and len(_done(folder)) == OPEN)
    code, _, err = finish(start(*words))
    assert code == 2
    assert re.fullmatch(r"moosnn: .*pid \d+.*another hydra\.sweep\.dir=…\.\n", err)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = start(*words)
    until(lambda: "continues" in second.stdout.readline())
    (project / "gate").unlink()
    code, _, err = finish(second)
    assert (code, err) == (0, "")
    assert [trial.number for trial in trials(folder)] == [*range(JOBS)]
    assert _done(folder) == {*range(JOBS)}
    # Each job ran once, whoever its driver was: workers outlive a driver.
    ran = Counter((project / "starts.txt").read_text().split())
    assert ran == Counter(str(number) for number in range(JOBS))
    for number in range(JOBS):
        assert (folder / f"{number}/train.log").read_text().count("x is") == 1
        assert (folder / f"{number}/.hydra/overrides.yaml").exists()


def _done(folder):
    return {t.number for t in trials(folder) if t.status is Status.DONE}


@pytest.mark.parametrize("program", [["-m", "shifted"], ["folder"]])
def test_a_program_is_started_again_with_all_that_its_guard_does(
    project, start, program
):
    """``python -m``, a resolver made below the guard, and no ``-m`` of Hydra's."""
    (project / "folder").mkdir()
    shutil.copy(project / "shifted.py", project / "folder/__main__.py")
    shutil.copytree(project / "conf", project / "folder/conf")
    words = [*program, "hydra.mode=MULTIRUN", "hydra.sweep.dir=out"]
    words += ["hydra.sweeper.workers=1", "hydra.sweeper.budget=2"]
    code, _, err = finish(start(*words))
    assert (code, err) == (0, "")
    for trial in trials(project / "out"):
        params = trial.proposal.params
        w, x, y, d = (params[name] for name in ("+w", "x", "y", "distance"))
        expected = w**2 + x**2 + y**2 + (x + d) ** 2
        assert trial.evaluation.metrics == {"value": pytest.approx(expected)}
        log = project / f"out/{trial.number}/.hydra/overrides.yaml"
        assert yaml.safe_load(log.read_text())[0] == f"x={x}"


def test_a_job_that_fails_in_a_worker_is_logged_there(project, start):
    words = ["sphere.py", "-m", "error=true,false", "y=0", "hydra.sweep.dir=out"]
    words += ["hydra.sweeper.workers=1", "hydra.sweeper.budget=4", "~z"]
    code, out, err = finish(start(*words))
    assert (code, err) == (0, "")
    for trial in trials(project / "out"):
        if trial.proposal.params["error"]:
            assert trial.failure.message == "RuntimeError: cfg.error is true"
            log = (project / "out" / trial.failure.log).read_text()
            assert "sphere.py" in log
        else:
            assert trial.status is Status.DONE
    assert out.count("RuntimeError: cfg.error is true") >= 2
    assert (project / "out/0/sphere.log").exists()


def test_an_interrupted_sweep_says_how_it_goes_on(project, start):
    folder = project / "out"
    words = ["train.py", "-m", "x=interval(0,1)", SOBOL, "seconds=0.3"]
    words += ["hydra.sweep.dir=out", "hydra.sweeper.workers=1"]
    process = start(*words)
    until(lambda: (folder / NAME).exists() and _done(folder))
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 128 + signal.SIGINT
    again = "the same command with hydra.sweep.dir=out continues"
    assert err == f"moosnn: interrupted; {again}\n"
