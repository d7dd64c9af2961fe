"""What is said before a sweep: mistakes in a line each, and notes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hydra_plugins.moosnn_sweeper._settings import check_keys
from hydra_plugins.moosnn_sweeper._wording import reworded
from hydra_plugins.moosnn_sweeper.sweeper import DEFAULTS
from moosnn.configs import config_folder
from moosnn.errors import ConfigError

from .apps.train import train

X = "x=interval(0,1)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hydra.sweeper.budgt=3", X], "unknown key 'budgt'. Did you mean 'budget'?"),
        (["hydra.sweeper.optimizer=qnehv", X], "optimizer: got 'qnehv'. Did you mean"),
        (["hydra.sweeper.executor=slrm", X], "executor: got 'slrm'. Did you mean 'slu"),
        (["hydra.sweeper.tracker=wnb", X], "tracker: got 'wnb'. Did you mean 'wandb'?"),
        (
            ["hydra.sweeper.budget=0", X],
            "hydra.sweeper.budget: expected a whole number",
        ),
        (["hydra.sweeper.confirm=2", X], "hydra.sweeper.trial_seed"),
        (["hydra.sweeper.trial_seed=sed", X], "no 'sed'. Did you mean"),
        (
            ["hydra.sweeper.trial_seed=x", X],
            "trial_seed: x is searched: expected a key",
        ),
        (["hydra.sweeper.trial_seed=+x", X], "trial_seed: x is searched: expected a"),
        (["hydra.sweeper.trial_seed=3", X], "expected the override that takes a job's"),
        (["hydra.sweep.dir=???", X], "Missing mandatory value: hydra.sweep.dir"),
        (["hydra.sweep.dir=${hydra.job.num}", X], "mandatory value: hydra.job.num"),
        (["hydra.sweep.subdir=${nmae}", X], "Interpolation key 'nmae' not found"),
        (["hydra.sweeper.hours=x", X], "hydra.sweeper.hours: expected a number > 0"),
        (["hydra.sweeper.optimizer={name: ehvi, initail: 3}", X], "'initail'. Did you"),
        (["hydra.sweeper.executor={nmae: slurm}", X], "expected a name, or a mapping"),
        (["hydra.sweeper.objectives=null", X], "expected at least one, e.g."),
        (
            ["hydra.sweeper.objectives=[{metric: loss, gaol: min}]", X],
            "hydra.sweeper.objectives[0]: unknown key 'gaol'. Did you mean 'goal'?",
        ),
        (
            ["hydra.sweeper.objectives=[{metric: loss, goal: min}]", X],
            "hydra.sweeper.objectives[0]: missing reference",
        ),
        (["hydra.sweeper.when={y: {x: 1}}", X], "'y' is not searched"),
        ([], "nothing is searched"),
        (["x=3"], "nothing is searched"),
        (["modle.lr=1,2"], "no 'modle.lr'. Did you mean 'model.lr'?"),
        (["db=mysql,postgre"], "db: got 'postgre'. Did you mean 'postgres'?"),
        (["x=tag(lgo,interval(0,1))"], "tag: got 'lgo'. Did you mean 'log'?"),
    ],
)
def test_a_mistake_is_said_in_one_line_before_anything_runs(
    sweep, capsys, tmp_path, words, message
):
    with pytest.raises(SystemExit) as exit:
        sweep(train.__wrapped__, *words)
    assert exit.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith("moosnn: ")
    assert said.err.count("\n") == 1
    assert message in said.err
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("key", "here"),
    [("n_jobs", "workers"), ("n_trials", "budget"), ("storage", "hydra.sweep.dir")],
)
def test_a_key_of_another_sweeper_is_told_in_ours(key, here):
    with pytest.raises(ConfigError) as error:
        check_keys({key: 2})
    assert str(error.value) == (
        f"hydra.sweeper: unknown key {key!r}. Here it is {here}."
    )


def test_an_app_that_no_worker_can_start_is_refused(sweep, capsys):
    """This one: its main module is pytest, which would run all tests."""
    with pytest.raises(SystemExit):
        sweep(train.__wrapped__, X, "hydra.sweeper.executor=local")
    assert "hydra.sweeper.executor=inline" in capsys.readouterr().err


def test_a_launcher_is_told_to_have_no_effect(sweep, capsys):
    words = ["hydra/launcher=submitit_local", "hydra.sweeper.budget=1", X]
    sweep(train.__wrapped__, *words)
    assert "note: hydra/launcher has no effect" in capsys.readouterr().out


def test_a_key_of_the_app_that_is_called_as_one_of_ours_stays_as_it_is(sweep, capsys):
    words = ["+optimizer.lr=interval(0,1)", "+optimizer.name=sgd,adam", X]
    sweep(train.__wrapped__, "hydra.sweeper.budget=2", *words)
    told = capsys.readouterr().out
    assert " +optimizer.lr=" in told
    assert "sweeper.optimizer.lr" not in told
    assert "extend with hydra.sweeper.budget=4" in told
    # Not a part of another key.
    text = reworded("optimizer.lrs: optimizer.lr=1", ["optimizer.lr"])
    assert text == "hydra.sweeper.optimizer.lrs: optimizer.lr=1"


def test_a_folder_with_a_time_in_it_is_told(sweep, capsys, tmp_path):
    where = Path(f"{tmp_path}/${{now:%Y}}")
    sweep(train.__wrapped__, X, "hydra.sweeper.budget=1", folder=where)
    said = capsys.readouterr().out
    (folder,) = tmp_path.glob("2*")
    assert f"to go on with this sweep later, add hydra.sweep.dir={folder}" in said


def test_the_defaults_are_those_of_studies():
    """They stand in two places, since Hydra reads the plugin at every app's start."""
    told = yaml.safe_load((config_folder() / "config.yaml").read_text())
    shared = set(told["study"]) & set(DEFAULTS)
    assert set(told["study"]) == shared
    different = {key for key in shared if told["study"][key] != DEFAULTS[key]}
    assert different == {"confirm"}  # which needs a seed
    named = [entry for entry in told["defaults"] if isinstance(entry, dict)]
    chosen = {group: name for entry in named for group, name in entry.items()}
    assert DEFAULTS["optimizer"] == chosen["optimizer"]
    assert DEFAULTS["executor"] == chosen["executor"]
    assert [DEFAULTS["tracker"]] == chosen["tracker"]
    assert DEFAULTS["seed"] == told["seed"]
