"""A sweep of somebody's Hydra app on a real Slurm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from moosnn.runtime.journal import NAME, read
from moosnn.trial import Status

pytestmark = pytest.mark.slurm

APPS = Path(__file__).parents[1] / "hydra_plugins/apps"


def test_jobs_of_an_app_run_in_jobs_of_the_cluster(slurm_box, tmp_path):
    project = Path(shutil.copytree(APPS, tmp_path / "project"))
    done = subprocess.run(
        [
            sys.executable,
            "train.py",
            "-m",
            "x=interval(0,1)",
            "db=mysql,postgres",
            "hydra.sweep.dir=out",
            "hydra.sweeper.budget=6",
            "hydra.sweeper.optimizer=sobol",
            "hydra.sweeper.executor=slurm",
            "hydra.sweeper.workers=2",
        ],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    told = read(project / "out" / NAME).history
    assert [trial.status for trial in told.trials] == [Status.DONE] * 6
    for trial in told.trials:
        job = project / f"out/{trial.number}"
        hydra = yaml.safe_load((job / ".hydra/hydra.yaml").read_text())["hydra"]
        # A worker is named after its job: s17 or s17_2.
        assert trial.job_id.removeprefix("s").startswith(hydra["job"]["id"])
        assert hydra["job"]["num"] == trial.number
        assert "x is" in (job / "train.log").read_text()
