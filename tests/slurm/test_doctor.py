"""The doctor beside a real Slurm."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from moosnn.runtime.doctor_slurm import slurm_checks

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm_box")]


def test_a_cluster_that_works_stops_nothing(tmp_path: Path) -> None:
    checks = {check.name: check for check in slurm_checks(tmp_path, asked=True)}
    assert not [check for check in checks.values() if check.stops]
    for name in ("slurm", "squeue", "sacct", "partition", "JobRequeue"):
        assert checks[name].ok, checks[name]
    assert list(tmp_path.iterdir()) == []


def test_a_controller_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("scontrol") is None:
        pytest.skip("no Slurm")
    own = tmp_path / "slurm.conf"
    own.write_text(
        "ClusterName=dead\nSlurmctldHost=localhost\nSlurmctldPort=9\n"
        "SlurmUser=root\nNodeName=n0\nPartitionName=main Nodes=n0\n"
    )
    monkeypatch.setenv("SLURM_CONF", str(own))
    (check,) = slurm_checks(tmp_path, asked=True)
    assert check.stops
    assert "does not answer" in check.text
