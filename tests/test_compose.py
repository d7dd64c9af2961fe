"""From words to studies: folders, sweeps, launchers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.compose import Job, compose, sweep_folder
from moosnn.configs import choices
from moosnn.errors import ConfigError
from moosnn.runtime.journal import NAME, read
from moosnn.snn.gene_names import RULES
from tests.helpers import load_yaml
from tests.test_main import run_moosnn

SWEEP = ["-m", "+experiment=smoke", "executor=inline", "tracker=none"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


def any_will_do(job: Job) -> None: ...


def never(job: Job) -> None:
    raise AssertionError(f"{job.folder}: Hydra's own launcher runs nothing elsewhere")


def folders(*words: str) -> list[str]:
    return [str(job.folder) for job in compose(words, any_will_do, never)]


def ended(folder: str) -> int:
    history = read(Path(folder) / NAME).history
    return len(history.done) + len(history.failed)


def test_one_study_lies_where_its_words_say() -> None:
    smoke = "+experiment=smoke"
    assert folders(smoke) == ["runs/smoke-sobol-s0"]
    assert folders(smoke, "seed=3", "optimizer=nsga2") == ["runs/smoke-nsga2-s3"]
    assert folders(smoke, "task.seconds=0.1") == ["runs/smoke-sobol-s0"]
    assert folders("task=analytic", "space=toy_snn") == ["runs/study-ehvi-s0"]
    assert folders(smoke, "study_dir=a/b") == ["a/b"]


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"bptt"}))
def test_a_learning_rule_brings_its_space(rule: str) -> None:
    (job,) = compose([f"training={rule}"], any_will_do, never)
    assert str(job.folder) == f"runs/study-{rule}-ehvi-s0"
    assert job.config["task"]["fixed"]["training"] == rule
    assert job.config["space"] == load_yaml(f"space/{rule}")
    (job,) = compose([f"training={rule}", "space=hpo"], any_will_do, never)
    assert job.config["space"] == load_yaml("space/hpo")
    (job,) = compose(["+experiment=nas", f"training={rule}"], any_will_do, never)
    assert str(job.folder) == f"runs/nas-{rule}-ehvi-s0"
    assert job.config["space"] == load_yaml("space/nas")


def test_every_learning_rule_can_be_chosen() -> None:
    assert set(choices("training")) == set(RULES)
    (job,) = compose(["training=bptt"], any_will_do, never)
    assert str(job.folder) == "runs/study-ehvi-s0"
    assert job.config["task"]["fixed"] == {}


def test_a_sweep_has_a_study_for_each_combination() -> None:
    found = folders(*SWEEP, "optimizer=ehvi,nsga2,sobol", "seed=0,1")
    assert found == [
        f"runs/sweep-smoke/smoke-{optimizer}-s{seed}"
        for optimizer in ("ehvi", "nsga2", "sobol")
        for seed in (0, 1)
    ]
    found = folders("-m", "+experiment=smoke,nas", "hydra.sweep.dir=here/there")
    assert found == ["here/there/smoke-sobol-s0", "here/there/nas-ehvi-s0"]


def test_what_makes_a_study_another_one_is_in_its_folders_name() -> None:
    words = ["space.depth.int=[1,3],[1,4]", "task.seconds=0.1", "study.budget=5"]
    assert folders(*SWEEP, *words) == [
        f"runs/sweep-smoke/smoke-sobol-s0,space.depth.int=[1,{high}],task.seconds=0.1"
        for high in (3, 4)
    ]
    long = [f"space.{name}.float=[0.1234567,0.7654321]" for name in "abcdefgh"]
    (only,) = folders(*SWEEP, *(f"+{word}" for word in long))
    (other,) = folders(*SWEEP, *(f"+{word}" for word in long[:-1]))
    assert only.startswith("runs/sweep-smoke/smoke-sobol-s0,")
    assert len(Path(only).name) < 40
    assert only != other


def test_where_a_sweep_lies() -> None:
    assert sweep_folder(["+experiment=nas"]) is None
    assert sweep_folder(["-m", "+experiment=nas,hpo"]) == Path("runs/sweep-nas+hpo")
    assert sweep_folder(["--multirun"]) == Path("runs/sweep-study")
    assert sweep_folder(["-m", "hydra.sweep.dir='a b'"]) == Path("a b")


def test_studies_that_would_share_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="differ only in how they are run"):
        compose([*SWEEP, "study.budget=3,5"], any_will_do, never)
    with pytest.raises(ConfigError, match=r"instead: hydra\.sweep\.dir=x\."):
        compose([*SWEEP, "seed=0,1", "study_dir=x"], any_will_do, never)
    assert folders(*SWEEP, "seed=0,1", "study_dir=x/${seed}") == ["x/0", "x/1"]
    assert {p.name for p in tmp_path.iterdir()} == {"runs"}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("optimizer=sobol,sobl", "optimizer: got 'sobl'. Did you mean 'sobol'?"),
        ("seed=0,x", "seed: expected a whole number >= 0, got 'x'."),
        ("study.budget=0", "study.budget: expected a whole number >= 1, got 0."),
        ("space.depth.int=[1,4],[4,1]", "space.depth: int: expected low < high"),
        ("hydra/launcher=foo", "hydra/launcher: got 'foo'; submitit_local and"),
    ],
)
def test_a_mistake_in_a_sweep_costs_no_study_and_leaves_nothing_behind(
    word: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, word]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"moosnn: {message}" in err
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_runs_and_the_same_line_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SWEEP, "optimizer=sobol,nsga2", "seed=0,1"]
    studies = folders(*words)
    assert main([*words, "study.budget=4"]) == 0
    assert "compare them: python -m moosnn report runs/sweep-smoke" in (
        capsys.readouterr().out
    )
    assert [ended(folder) for folder in studies] == [4] * 4
    first = [(tmp_path / folder / NAME).read_bytes() for folder in studies]
    assert main([*words, "study.budget=6"]) == 0
    assert [ended(folder) for folder in studies] == [6] * 4
    for folder, before in zip(studies, first, strict=True):
        assert (tmp_path / folder / NAME).read_bytes().startswith(before)


def test_a_study_that_cannot_run_does_not_stop_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*SWEEP, "seed=0,1,2", "study.budget=3"]
    studies = folders(*words)
    taken = Path(studies[1])
    taken.parent.mkdir(parents=True, exist_ok=True)
    taken.write_text("a file where the folder should be")
    assert main(words) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2
    assert f"study_dir={taken}: expected a folder, but {taken} is a file" in err[0]
    assert err[1] == "moosnn: 1 of 3 studies did not reach their end."
    assert [ended(folder) for folder in (studies[0], studies[2])] == [3, 3]


def test_a_launcher_runs_the_studies_side_by_side(tmp_path: Path) -> None:
    words = ["-m", "+experiment=smoke", "seed=0,1", "study.budget=3"]
    words += ["executor=inline", "hydra/launcher=submitit_local"]
    both = run_moosnn(*words, cwd=tmp_path)
    assert (both.returncode, both.stderr) == (0, "")
    assert both.stdout == "compare them: python -m moosnn report runs/sweep-smoke\n"
    sweep = tmp_path / "runs/sweep-smoke"
    assert [ended(str(sweep / f"smoke-sobol-s{seed}")) for seed in (0, 1)] == [3, 3]
    wrong = run_moosnn(*words, "task.function=toy", cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("moosnn: task.function: got 'toy'.")
    assert wrong.stderr.count("\n") == 1
