"""The command line: what a person types, and what happens."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from moosnn.__main__ import main
from moosnn.cli import SUBCOMMANDS
from moosnn.configs import choices, config_folder
from moosnn.events import Kind
from moosnn.mistakes import reworded
from moosnn.runtime.journal import NAME, read
from tests.runtime.test_executors import processes, until

SMOKE = "+experiment=smoke"


def run_moosnn(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "moosnn", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


def test_a_study_runs_and_the_same_line_shows_its_front(tmp_path: Path) -> None:
    first = run_moosnn(SMOKE, cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    folder = tmp_path / "runs" / "smoke-sobol-s0"
    assert {p.name for p in folder.iterdir()} >= {
        "config.yaml",
        "journal.jsonl",
        "front.csv",
        "front.png",
        "hypervolume.png",
    }
    assert "front of" in first.stdout
    assert {p.name for p in tmp_path.iterdir()} == {"runs"}  # Hydra wrote nothing
    size = (folder / NAME).stat().st_size
    second = run_moosnn(SMOKE, cwd=tmp_path)
    assert second.returncode == 0
    assert "this study is finished. Extend it with study.budget=24" in second.stdout
    assert (folder / NAME).stat().st_size == size
    third = run_moosnn(SMOKE, "study.budget=15", cwd=tmp_path)
    assert third.returncode == 0
    assert "continues with 12 of 15 trials ended" in third.stdout
    assert len(read(folder / NAME).history.trials) == 15


def test_the_front_file_has_a_column_a_metric(tmp_path: Path) -> None:
    assert main([SMOKE, "study_dir=s"]) == 0
    with (tmp_path / "s/front.csv").open() as file:
        rows = list(csv.DictReader(file))
    history = read(tmp_path / "s" / NAME).history
    front = history.of_kind(Kind.ENDED)[-1].data["front"]
    assert [int(row["number"]) for row in rows] == front
    for row in rows:
        evaluation = history.trial(int(row["number"])).evaluation
        assert evaluation is not None
        for metric, value in evaluation.metrics.items():
            assert float(row[metric]) == value
    tested = [row for row in rows if int(row["test.count"])]
    assert tested
    for row in tested:
        low, mean, high = (
            float(row[f"test.accuracy.{k}"]) for k in ("min", "mean", "max")
        )
        assert low <= mean <= high


def test_killed_in_the_middle_it_continues(tmp_path: Path) -> None:
    words = [SMOKE, "study.budget=400", "study.confirm=1", "study_dir=s"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "moosnn", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    journal = tmp_path / "s" / NAME
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 60):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    done = len(read(journal).history.done)
    assert 0 < done < 400
    again = run_moosnn(*words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    history = read(journal).history
    assert len(history.done) + len(history.failed) == 400
    ends = [e.number for e in history if e.kind in (Kind.FINISHED, Kind.FAILED)]
    assert sorted(ends) == list(range(400))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_interrupted_it_says_how_to_continue(
    tmp_path: Path, number: signal.Signals, executor: str
) -> None:
    words = [SMOKE, "study.budget=2000", "study_dir=s", f"executor={executor}"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "moosnn", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = tmp_path / "s" / NAME
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 60):
        assert driver.poll() is None
        time.sleep(0.01)
    driver.send_signal(number)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 128 + number
    assert re.search(r"stopped: \d+ of 2000 trials ended\n", out)
    assert err == "moosnn: interrupted; the same command continues\n"


def wait_for_trial(folder: Path, driver: subprocess.Popen[bytes]) -> None:
    until(lambda: (folder / "trials/000000/1").exists() or driver.poll() is not None)
    assert driver.poll() is None


@pytest.mark.parametrize("cancel", [True, False])
def test_interrupted_twice_or_told_to_cancel_it_ends_at_once(
    tmp_path: Path, cancel: bool
) -> None:
    words = [SMOKE, "study_dir=s", "task.seconds=20", "executor.workers=1"]
    words += ["--cancel"] * cancel
    driver = subprocess.Popen(
        [sys.executable, "-m", "moosnn", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_trial(tmp_path / "s", driver)
    driver.send_signal(signal.SIGINT)
    if not cancel:
        time.sleep(0.6)
        driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=10) == 130
    # Cancelled: at once. Else the worker finishes its trial, publishes it and ends.
    until(lambda: not processes(tmp_path / "s"), seconds=5 if cancel else 120)
    published = (tmp_path / "s/outbox/000000-1.json").exists()
    assert published != cancel


def test_a_second_driver_is_refused(tmp_path: Path) -> None:
    words = [SMOKE, "study.budget=2000", "study_dir=s"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "moosnn", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not (tmp_path / "s" / NAME).exists():
            assert driver.poll() is None
            time.sleep(0.01)
        second = run_moosnn(*words, cwd=tmp_path)
    finally:
        driver.kill()
        driver.wait()
    assert second.returncode == 2
    assert f"pid {driver.pid}" in second.stderr
    assert second.stderr.count("\n") == 1


TWICE = "{metric:accuracy,goal:max,reference:0}"
MISTAKES = {
    "+experiment=nsa": "experiment: got 'nsa'. Did you mean 'nas'? Known: ",
    f"{SMOKE} optimizer=sobl": "optimizer: got 'sobl'. Did you mean 'sobol'?",
    f"{SMOKE} task=snnn": "task: got 'snnn'. Did you mean 'snn'?",
    f"{SMOKE} executor=inlin": "executor: got 'inlin'. Did you mean 'inline'?",
    f"{SMOKE} study.budgt=3": "unknown key 'study.budgt'. Did you mean 'study.budget'?",
    f"{SMOKE} sed=3": "unknown key 'sed'. Did you mean 'seed'?",
    f"{SMOKE} +foo=1": "unknown key 'foo'. Known: ",
    f"{SMOKE} study.foo=1": "unknown key 'study.foo'. Did you mean 'study.",
    f"{SMOKE} study.hours=0": "study.hours: expected a number > 0 or null, got 0.",
    f"{SMOKE} study.stagnation=0": "study.stagnation: expected a whole number >= 1 or",
    f"{SMOKE} study.replicates.share=0.9": "study.replicates.share: expected a number",
    f"{SMOKE} task.functin=a": "task: unknown key 'functin'. Did you mean 'function'?",
    f"{SMOKE} executor.worker=2": "executor: unknown key 'worker'. Did you mean 'wor",
    f"{SMOKE} executor.workers=0": "executor.workers: expected auto or a whole number",
    f"{SMOKE} tracker.foo=1": "tracker.foo: no tracker of that name is chosen",
    f"{SMOKE} space.depth.itn=[1,2]": "space.depth: int: unknown key 'itn'.",
    "experiment=smoke": "write +experiment=… with a plus sign",
    "+experiment=nas optimizer.initial=abc": "optimizer.initial: expected a whole",
    f"{SMOKE} task.seconds=x": "task.seconds: expected 0 or more, got 'x'.",
    f"{SMOKE} executor.orphan_s=2": "executor.orphan_s: expected at least 5 s",
    "+experiment=nas space.depth.int=[1,9]": "space: ",
    "+experiment=nas space.coding.choice=[direct,foo]": "space: ",
    f"{SMOKE} study=5": "study: expected a mapping, got 5.",
    f"{SMOKE} ~study.budget": "the config lacks the key 'study.budget'.",
    f"{SMOKE} ~seed": "the config lacks the key 'seed'.",
    f"{SMOKE} task=null": "task: got 'null'. Known: analytic, callable, module, snn.",
    f"{SMOKE} optimizer=[sobol,nsga2]": "optimizer: expected one of them. Known: ",
    f"{SMOKE} ~optimizer": (
        f"optimizer: expected one of them. Known: {', '.join(choices('optimizer'))}."
    ),
    f"{SMOKE} +experiment=nas": "experiment: is chosen twice.",
    f"{SMOKE} --optimizer=sobol": "write optimizer=sobol, without dashes.",
    "+experiment smoke": "cannot read '+experiment': expected key=value",
    f"{SMOKE} --cancle": "unknown option '--cancle'. Did you mean '--cancel'?",
    f"{SMOKE} space.tau_steps.when=a>1": "cannot read 'space.tau_steps.when=a>1': ",
    f"{SMOKE} space.depth.int=[]": "space.depth: int: expected [low, high], got [].",
    f"{SMOKE} space.neuron.choice=[]": "space.neuron: choice: expected one or more opt",
    f"{SMOKE} space.depth.int=[a,b]": "space.depth: int: expected two finite numbers",
    f"{SMOKE} space.lr.float=[-1,1]": "space.lr: float: a log scale needs low > 0",
    f"{SMOKE} space.lr.float=[.5,.1]": "space.lr: float: expected low < high",
    f"{SMOKE} ++space.width.when={{dpth:2}}": (
        "space.width.when: no parameter 'dpth'. Did you mean 'depth'?"
    ),
    f"{SMOKE} ++space.depth.when={{width:{{min:9}}}} ++space.width.when={{depth:1}}": (
        "cycle"
    ),
    "+experiment=nas task.fixed.depht=2": "depht",
    "+experiment=nas problem.objectives=[{metric:acuracy,goal:max,reference:0}]": (
        "problem: the task does not measure 'acuracy'. Did you mean 'accuracy'?"
    ),
    f"{SMOKE} problem.objectives=[{TWICE},{TWICE}]": "'accuracy' is there twice.",
    f"{SMOKE} problem.objectives=[{{metric:accuracy,goal:mx,reference:0}}]": (
        "objective accuracy: goal: got 'mx'. Did you mean 'max'?"
    ),
    f"{SMOKE} executor.workers=two": "executor.workers: expected auto or a whole num",
    f"{SMOKE} executor.workers=-1": "executor.workers: expected auto or a whole number",
    f"{SMOKE} executor.workers=100000": "executor.workers: expected at most ",
    f"{SMOKE} executor.timeout_min=0": "executor.timeout_min: expected a number > 0",
    f"{SMOKE} study.budget=-5": "study.budget: expected a whole number >= 1, got -5.",
    f"{SMOKE} study.budget=nan": "study.budget: expected a finite number, got nan.",
    f"{SMOKE} task.seconds=inf": "task.seconds: expected a finite number, got inf.",
    f"{SMOKE} seed=abc": "seed: expected a whole number >= 0, got 'abc'.",
    f"{SMOKE} seed=null": "seed: expected a whole number >= 0, got None.",
    f"{SMOKE} tracker=consol": "tracker: got 'consol'. Did you mean 'console'?",
    f"{SMOKE} tracker=[console,wand]": "tracker: got 'wand'. Did you mean 'wandb'?",
    f"{SMOKE} study_dir=/etc/passwd/x": "expected a folder, but /etc/passwd is a file",
    f"{SMOKE} study_dir=a%b": "expected a path without %",
    f"{SMOKE} space={{}}": "space: an empty mapping changes nothing",
    f"{SMOKE} seed=0,1": "seed=0,1: are several values; -m makes a study of each.",
    f"{SMOKE} tracker=null": "tracker: got 'null'. Known: console, none, wandb.",
    f"{SMOKE} tracker.consol.live=true": "tracker.consol: no tracker of that name is",
    f"{SMOKE} tracker=wandb tracker.wandb.tags=5": "tracker.wandb.tags: expected a li",
    f"{SMOKE} tracker=wandb tracker.wandb.project=a/b": "tracker.wandb.project: expec",
    f"{SMOKE} task._target_=moosnn.tasks.analytic.Foo": "task._target_: moosnn.tasks",
    f"{SMOKE} task.seconds=abc": "task.seconds: expected 0 or more, got 'abc'.",
    f"{SMOKE} study.budget=99999999999": "study.budget: expected at most 10000000,",
    f"{SMOKE} study_dir={'x' * 300}": "cannot be made (File name too long)",
    f"{SMOKE} --cfg foo": "--cfg",
    f"++{SMOKE[1:]}": "an experiment by +experiment=name",
    "report .": "holds no study",
    "status nowhere": "nowhere: no such folder",
    "front": "front: ",
    f"{SMOKE} study_dir=5": "study_dir: expected a folder's name, got 5.",
    f"{SMOKE} seed=1.5": "seed: expected a whole number >= 0, got 1.5.",
    "+experiment=nas task.fixed.depth=1": "task.fixed.depth: the space searches it",
    f"{SMOKE} +task.functin=a": "task: unknown key 'functin'. Did you mean 'function'?",
    f"{SMOKE} +optimizer.foo=1": "optimizer: unknown key 'foo'.",
    f"{SMOKE} study.budget=0": "study.budget: expected a whole number >= 1, got 0.",
    f"{SMOKE} study.budget=ten": "study.budget: expected a whole number >= 1, got 't",
    f"{SMOKE} seed=-1": "seed: expected a whole number >= 0, got -1.",
    f"{SMOKE} study.confirm=some": "study.confirm: expected a whole number >= 0 or all",
    f"{SMOKE} task.function=toy": "task.function: got 'toy'.",
    f"{SMOKE} space.depth.int=[4,1]": "space.depth: int: expected low < high",
    f"{SMOKE} space.lr.float=[0,1]": "space.lr: float: a log scale needs low > 0",
    f"{SMOKE} +space.depht={{int:[1,2]}}": (
        "space.depht: the task has no such parameter. Did you mean 'depth'?"
    ),
    f"{SMOKE} problem.objectives=[]": "problem.objectives: expected at least one",
    f"{SMOKE} problem.objectives=[{{metric:acuracy,goal:max,reference:0}}]": (
        "problem: the task does not measure 'acuracy'. Did you mean 'accuracy'?"
    ),
    f"{SMOKE} problem.constraints=[{{metric:foo}}]": (
        "problem: the task does not measure 'foo'."
    ),
    f"{SMOKE} study_dir=/proc/nowhere": "study_dir=/proc/nowhere: cannot be made",
    f"{SMOKE} study.budget=[": "cannot read 'study.budget=['",
    "+experiment=nas data=mnst": "data: got 'mnst'. Did you mean 'mnist'? Known: cifar",
    "+experiment=nas data=mnist": "data.root: expected the folder of the data set",
    "+experiment=nas data.rot=3": "unknown key 'data.rot'. Known: data.split_seed.",
    "+experiment=nas data.split_seed=-1": "data.split_seed: expected",
    "+experiment=nas data=moving_edges": (
        "coding: samples of moving_edges are frames of events, which take coding=frames"
    ),
    "+experiment=nas task.stop=drve": "stop: got 'drve'. Did you mean 'drive'?",
    "+experiment=nas task.max_parameters=0": "max_parameters: expected a whole number",
    "+experiment=nas problem.constraints=[{metric:loss,upper:1}]": (
        "problem.constraints: not every network has 'loss'"
    ),
    "+experiment=nas problem.constraints=[{metric:spikes_per_sample.3,upper:1}]": (
        "not every network has 'spikes_per_sample.3'"
    ),
    "+experiment=nas_mlp task.fixed.edge_12=zero": (
        "edge_12: architecture=mlp has no such gene"
    ),
    "+experiment=nas task.max_parameters=10": (
        "space: no point of it may be tried, e.g.: "
    ),
    "+experiment=nas task.fixed.architecture=cel": (
        "architecture: got 'cel'. Did you mean 'cell'?"
    ),
    "+experiment=nas task.fixed.loss=tet task.fixed.readout=rate": (
        "loss: tet needs an output at each step"
    ),
    "budget": "unknown sub-command 'budget'. Did you mean",
    "stauts": "Did you mean 'status'?",
}


def test_an_experiment_with_dashes_is_not_taken_for_an_option_of_hydra() -> None:
    # argparse takes it for --experimental-rerun.
    said = reworded("File nas does not exist!", ["--experiment=nas"])
    assert said.endswith("write +experiment=nas, without dashes.")


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("moosnn: ")
    assert err.count("\n") == 1
    assert MISTAKES[line] in err
    assert list(tmp_path.iterdir()) == []


NOTES = {
    "problem.objectives=[{metric:accuracy,goal:max,reference:0.9999}]": (
        "moosnn: note: none of the first trials is better than the reference in every "
        "objective: accuracy 1.000 (best: "
    ),
    "problem.constraints=[{metric:weights,upper:1}]": (
        "trials violate a constraint, yet trial "
    ),
}


@pytest.mark.parametrize("word", NOTES)
def test_what_cannot_be_right_is_said_once(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [SMOKE, "study_dir=s", "study.budget=25", "executor=inline", word]
    assert main(words) == 0
    err = capsys.readouterr().err
    assert NOTES[word] in err
    assert err.count("\n") == 1
    assert main([*words, "study.budget=30"]) == 0
    assert capsys.readouterr().err == ""


def test_a_study_of_another_config_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([SMOKE, "study_dir=s"]) == 0
    assert main([SMOKE, "study_dir=s", "space.depth.int=[1,3]"]) == 2
    assert "space.depth.int: then [1, 4], now [1, 3]" in capsys.readouterr().err
    assert main([SMOKE, "study_dir=s", "seed=1"]) == 2
    assert "seed: then 0, now 1" in capsys.readouterr().err
    # How it is run may change: the executor, the budget.
    assert main([SMOKE, "study_dir=s", "study.budget=13", "tracker=none"]) == 0


def test_a_damaged_journal_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([SMOKE, "study_dir=s"]) == 0
    path = tmp_path / "s" / NAME
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], "{", *lines[6:]]) + "\n")
    assert main([SMOKE, "study_dir=s", "study.budget=20"]) == 2
    assert "line 6 is damaged" in capsys.readouterr().err


def test_without_words_it_says_how_it_is_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for name in SUBCOMMANDS:
        assert f"\n  {name} " in out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == out
    assert max(map(len, out.splitlines())) <= 88


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "moosnn 0.1.0\n"


def test_the_resolved_config_is_kept(tmp_path: Path) -> None:
    assert main([SMOKE, "study_dir=s", "seed=7"]) == 0
    kept = yaml.safe_load((tmp_path / "s/config.yaml").read_text())
    assert kept["seed"] == 7
    assert kept["task"]["function"] == "toy_snn"
    header = read(tmp_path / "s" / NAME).history[0].data
    assert header["config"]["space"] == kept["space"]
    assert set(header) >= {"digest", "versions", "threads", "kernel", "machine"}
    assert header["versions"]["moosnn"] == "0.1.0"


def test_help_imports_neither_torch_nor_wandb(tmp_path: Path) -> None:
    script = (
        "import sys; from moosnn.__main__ import main; main(['--help']);"
        "bad = {'torch', 'wandb', 'botorch', 'hydra'} & set(sys.modules);"
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_conf_is_the_checkout_s_own() -> None:
    assert (config_folder() / "experiment" / "nas.yaml").is_file()
    assert config_folder() == Path(__file__).parents[1] / "conf"
    assert os.access(config_folder(), os.R_OK)
