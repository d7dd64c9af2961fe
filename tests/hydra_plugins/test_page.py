"""docs/hydra_sweeper.md is true: its app, its YAML, its keys and its command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hydra_plugins.moosnn_sweeper._overrides import read_overrides, with_conditions
from hydra_plugins.moosnn_sweeper._settings import study_of
from hydra_plugins.moosnn_sweeper.sweeper import DEFAULTS
from moosnn.__main__ import main
from moosnn.parts import parts_of
from moosnn.runtime.journal import NAME, read
from moosnn.space import Space

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/hydra_sweeper.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_app_of_the_page_is_swept_by_its_command(tmp_path):
    for _, text in BLOCKS[:2]:
        path = tmp_path / text.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (transcript,) = [text for language, text in BLOCKS if language == "console"]
    command, first, *_, last = transcript.strip().splitlines()
    words = shlex.split(command.removeprefix("$ python "))
    # Fewer jobs of a faster optimizer: the one of the page is in test_sweeps.
    small = ["hydra.sweeper.budget=3", "hydra.sweeper.optimizer=sobol"]
    done = subprocess.run(
        [sys.executable, *words, *small, "hydra.sweeper.workers=1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == first.replace("20", "3")
    assert lines[1].startswith("[1/3] trial ")
    # Three points may have no front to draw.
    assert lines[-1].partition(": front.csv")[0] == last.partition(": front.csv")[0]
    folder = tmp_path / "runs/my_train"
    for name in (
        "0/.hydra",
        "multirun.yaml",
        "optimization_results.yaml",
        "config.yaml",
    ):
        assert (folder / name).exists()
    (params,) = {tuple(t.proposal.params) for t in read(folder / NAME).history.trials}
    assert sorted(params) == ["layers", "optimizer.lr", "x"]
    # As its last line recommends.
    for command in ("status", "front", "report"):
        assert main([command, str(folder)]) == 0
    assert (folder / "report/report.html").exists()


def test_the_conditions_of_the_page_are_some():
    _, text = BLOCKS[3]
    told = yaml.safe_load(text)["hydra"]["sweeper"]
    overrides = read_overrides(told["params"], [], None)
    space = Space.from_config(with_conditions(overrides.space, told["when"]))
    point = {"optimizer": "adam", "optimizer.momentum": 0.5}
    assert space.active(point) == {"optimizer": "adam"}


def test_each_key_of_the_plugin_is_on_the_page():
    table = PAGE.partition("## What can be set")[2].partition("## Where")[0]
    told = set(re.findall(r"`(\w+)`", table))
    keys = {key for key in DEFAULTS if not key.startswith("_")}
    assert keys - told == {"suggestion_s", "warm_start_points", "warm_start_fill"}


FORMS = re.findall(r"`(\{name: (?!slurm)[^`]+\})`", PAGE)


@pytest.mark.parametrize("form", FORMS)
def test_a_part_with_settings_is_built(form, tmp_path):
    part = yaml.safe_load(form)
    group = "optimizer" if part["name"] == "nsga2" else "executor"
    config = study_of(
        {
            **DEFAULTS,
            "objectives": {"metric": "loss", "goal": "min", "reference": 1},
            group: part,
        },
        task={
            "_target_": "hydra_plugins.moosnn_sweeper._task.HydraJob",
            "app": "app",
            "metrics": ["loss"],
            "settings": {},
        },
        space={"x": {"float": [0, 1]}},
        folder=tmp_path,
    )
    name, value = next((k, v) for k, v in part.items() if k != "name")
    assert config[group][name] == value
    assert parts_of(config, tmp_path).problem.metrics == ("loss",)


def test_the_page_shows_parts_with_settings():
    assert len(FORMS) >= 2
