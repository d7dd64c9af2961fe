"""Hydra's own tests of plugins, as far as they are about what this one does.

Those of Hydra's launchers (`LauncherTestSuite`) and of sweepers in batches
(`BatchedSweeperTestSuite`) ask for a grid: every point once, in the order of the words,
each job's return to be handed back. A search has no such order; like the sweepers of
Optuna, Ax and Nevergrad this one hands nothing back. What is left of the former is that
nothing of Hydra's own config is swept, and of the latter that ``multirun.yaml`` is
there and no job steps into another one's folder: test_sweeps.py.
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils import test_utils
from hydra.test_utils.launcher_common_tests import (
    IntegrationTestSuite,
    LauncherTestSuite,
)

ONE_JOB = [
    "-m",
    "hydra/sweeper=moosnn",
    "hydra/launcher=basic",
    "hydra.sweeper.executor=inline",
    "hydra.sweeper.optimizer=sobol",
    "hydra.sweeper.budget=1",
    "hydra.sweeper.objectives={metric: loss, goal: min, reference: 1}",
    # Something is searched, and no folder is named after it.
    "+probe=choice(1)",
    "hydra.job.config.override_dirname.exclude_keys=[probe,seed]",
]


def test_hydra_discovers_the_plugin():
    names = [plugin.__name__ for plugin in Plugins.instance().discover(Sweeper)]
    assert "MoosnnSweeper" in names


def test_jobs_are_launched(hydra_restore_singletons, hydra_sweep_runner, tmp_path):
    seen = []
    runner = hydra_sweep_runner(
        calling_file=None,
        calling_module="hydra.test_utils.a_module",
        config_path="configs",
        config_name="compose.yaml",
        task_function=lambda cfg: seen.append(cfg.foo) or cfg.foo,
        overrides=[
            *ONE_JOB[1:-2],
            "hydra.sweeper.budget=3",
            "foo=interval(0,9)",
            "hydra.job.chdir=false",
        ],
        temp_dir=tmp_path / "sweep",
    )
    with runner as sweep:
        assert sweep.returns is None
        assert len(seen) == 3
        assert {"0", "1", "2"} <= {p.name for p in Path(sweep.temp_dir).iterdir()}


@pytest.mark.parametrize(
    ("launcher_name", "overrides"), [("basic", ["hydra/sweeper=moosnn"])]
)
@pytest.mark.usefixtures("hydra_restore_singletons")
class TestLauncher:
    test_not_sweeping_hydra_overrides = (
        LauncherTestSuite.test_not_sweeping_hydra_overrides
    )


@pytest.fixture
def _in_this_process(own_logging):
    """The suite starts a process a test; here the app runs in this one."""

    def check_call(command, env=None):
        _, file, *words = command
        # A second command with one folder goes on with the first one's sweep.
        shutil.rmtree("cli_dir", ignore_errors=True)
        argv = mock.patch.object(sys, "argv", [file, *words])
        main = mock.patch.dict(sys.modules)
        variables = mock.patch.dict(os.environ, env or {}, clear=True)
        with argv, main, variables:
            runpy.run_path(file, run_name="__main__")

    with mock.patch.object(test_utils.subprocess, "check_call", check_call):
        yield


@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ONE_JOB)])
@pytest.mark.usefixtures("_in_this_process")
class TestIntegration(IntegrationTestSuite):
    pass
