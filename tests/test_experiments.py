"""Every experiment file runs, from the command to the front."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.configs import config_folder
from moosnn.events import Kind
from moosnn.pareto.front import front_of
from moosnn.replay import replay
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import read_record
from tests.helpers import load_yaml, timeless

FILES = {p.stem: p for p in sorted((config_folder() / "experiment").glob("*.yaml"))}
EXPERIMENTS = list(FILES)
NEED_DATA = [name for name in FILES if "override /data:" in FILES[name].read_text()]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


@pytest.mark.parametrize("experiment", sorted({*EXPERIMENTS} - {*NEED_DATA}))
def test_every_experiment_runs(experiment: str, tmp_path: Path) -> None:
    small = ["study.budget=5", "study.confirm=1", "study_dir=s"]
    assert main([f"+experiment={experiment}", *small]) == 0
    history = read(tmp_path / "s" / NAME).history
    assert len(history.done) + len(history.failed) == 5
    assert history[-1].kind is Kind.ENDED


@pytest.mark.parametrize("experiment", NEED_DATA)
def test_an_experiment_without_its_data_says_so_in_one_line(
    experiment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"+experiment={experiment}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("moosnn: data.root: expected the folder of the data set")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_search_of_parsa_has_their_four_objectives(tmp_path: Path) -> None:
    words = [
        "+experiment=parsa_digits",
        "optimizer.initial=3",
        "space.epochs.int=[2,4]",
    ]
    small = ["study.budget=9", "study.confirm=0", "study_dir=s"]
    assert main([*words, *small]) == 0
    record = read_record(tmp_path / "s")
    metrics = [objective.metric for objective in record.problem.objectives]
    assert metrics == ["accuracy", "time_steps", "energy_nj", "training_s"]
    for trial in record.history.done:
        assert trial.evaluation is not None
        assert trial.evaluation.metrics["training_s"] == trial.evaluation.training_s
        assert 0 < trial.evaluation.metrics["training_s"] < trial.evaluation.seconds
    origins = {trial.proposal.origin for trial in record.history.trials}
    agents = {*(f"agent-{metric}" for metric in metrics), "pseudo-agent"}
    assert origins - {"sobol", "centre", "feasibility"} <= agents
    assert origins & {*agents, "feasibility"}  # the models take four objectives
    head, *rows = (tmp_path / "s" / "front.csv").read_text().splitlines()
    assert set(metrics) <= set(head.split(","))
    front = front_of(record.problem, record.history.done)
    assert [int(row.split(",")[0]) for row in rows] == list(front.numbers)


@pytest.mark.parametrize("experiment", [n for n in EXPERIMENTS if "parsa" in n])
def test_every_search_of_parsa_differs_in_its_references_only(experiment: str) -> None:
    shipped = load_yaml("problem/parsa")["objectives"]
    own = load_yaml(f"experiment/{experiment}").get("problem", {})
    for ours, theirs in zip(own.get("objectives", shipped), shipped, strict=True):
        assert {**ours, "reference": 0} == {**theirs, "reference": 0}


def test_the_first_line_of_an_experiment_is_its_command() -> None:
    for name in EXPERIMENTS:
        lines = (
            (config_folder() / "experiment" / f"{name}.yaml").read_text().splitlines()
        )
        assert lines[0] == "# @package _global_"
        assert lines[1] == f"# python -m moosnn +experiment={name}"


def test_every_executor_measures_the_same(tmp_path: Path) -> None:
    measured = []
    for executor in ("inline", "local", "submitit_job"):
        words = ["+experiment=hpo", f"executor={executor}", "optimizer=sobol"]
        small = ["study.budget=2", "study.confirm=0", f"study_dir={executor}"]
        assert main([*words, *small]) == 0
        trials = read(tmp_path / executor / NAME).history.trials
        measured.append(
            [timeless(t.evaluation.metrics) for t in trials if t.evaluation]
        )
    assert measured[0] == measured[1] == measured[2]
    assert len(measured[0]) == 2


def test_the_same_seed_gives_the_same_journal_on_real_networks(tmp_path: Path) -> None:
    journals = []
    for name in ("a", "b"):
        small = ["study.budget=4", "study.confirm=1", f"study_dir={name}"]
        assert main(["+experiment=nas", "executor=inline", *small]) == 0
        lines = (tmp_path / name / NAME).read_text().splitlines()
        journals.append([timeless(json.loads(line)) for line in lines])
    assert journals[0] == journals[1]


@pytest.mark.parametrize("optimizer", ["ehvi", "nsga2"])
def test_replay_of_a_study_with_four_workers_is_exact(
    optimizer: str, tmp_path: Path
) -> None:
    """Each proposal follows from the events it had seen, whatever the workers did."""
    words = ["+experiment=smoke", f"optimizer={optimizer}", "executor.workers=4"]
    small = ["study.budget=18", "study.confirm=0", "study_dir=s", "task.seconds=1.5"]
    assert main([*words, *small, "optimizer.initial=6"]) == 0
    record = read_record(tmp_path / "s")
    assert replay(record).differences == ()
    modelled = [
        event
        for event in record.history.of_kind(Kind.PROPOSED)
        if event.data["origin"] != "sobol"
        and len(record.history.prefix(event.data["seen"]).pending) > 1
    ]
    assert len(modelled) >= 6
