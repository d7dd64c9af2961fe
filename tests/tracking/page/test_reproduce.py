"""The words that are found for a config compose that very config."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from moosnn.compose import Job, compose
from moosnn.tracking.page.reproduce import commands, words_of


def composed(*words: str) -> dict[str, Any]:
    def nothing(_: Job) -> None:
        pass

    (job,) = compose(list(words), nothing, nothing)
    return job.config


SOME = ("chip", "firmin_mnist", "nas_sew", "rules", "smoke")


@pytest.mark.parametrize("name", SOME)
def test_an_experiment_is_composed_again(name):
    config = composed(f"+experiment={name}")
    again = composed(*words_of(config))
    for key in ("task", "space", "problem", "optimizer", "pruner", "seed"):
        assert again[key] == config[key], key
    assert list(again["space"]) == list(config["space"])
    assert again["study"]["budget"] == config["study"]["budget"]


CHANGED = [
    ["+experiment=nas", "optimizer=qnehvi", "seed=7", "study.budget=33"],
    ["+experiment=nas", "space.threshold.float=[0.2,3]", "~space.slope"],
    ["+experiment=nas", "space.neuron_1.choice=[if,lif]", "task.fixed.slope=2.5"],
    ["+experiment=smoke", "study.replicates.share=0.2", "optimizer=nsga2"],
    ["+experiment=nas", "task.stages=last", "problem.objectives.0.reference=0.7"],
]


@pytest.mark.parametrize("words", CHANGED)
def test_changed_values_are_words(words):
    config = composed(*words)
    again = composed(*words_of(config))
    for key in ("task", "space", "problem", "optimizer", "seed"):
        assert again[key] == config[key], key
    assert again["study"]["replicates"] == config["study"]["replicates"]


def test_the_lines_go_through_a_shell(tmp_path):
    folder = tmp_path / "a study"
    folder.mkdir()
    config = composed("+experiment=nas", "seed=7")
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    again, replay = commands(folder, {})
    assert shlex.split(replay) == ["python", "-m", "moosnn", "replay", str(folder)]
    words = shlex.split(again)
    assert words[:3] == ["python", "-m", "moosnn"]
    assert composed(*words[3:])["space"] == config["space"]
    assert words[-1] == f"study_dir={folder}-again"


def test_parameters_in_another_order_are_another_study():
    config = composed("+experiment=smoke")
    space = dict(reversed(config["space"].items()))
    with pytest.raises(ValueError, match="order"):
        words_of({**config, "space": space})


def test_a_config_that_is_not_ours_has_no_line_but_the_replay():
    assert len(commands(Path("nowhere"), {"seed": 3})) == 1


def test_a_task_that_no_command_line_names_has_no_line_but_the_replay(tmp_path):
    task = {"_target_": "hydra_plugins.moosnn_sweeper._task.HydraJob", "app": "app.py"}
    config = {"task": task, "data": None, "space": {"x": {"float": [0, 1]}}, "seed": 3}
    assert len(commands(tmp_path, config)) == 1
