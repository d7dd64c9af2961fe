"""A study with a pruner: composed, run, continued; and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.compose import Job, compose
from moosnn.events import Kind
from moosnn.optimizers.judged import Judged
from moosnn.optimizers.replicated import Replicated
from moosnn.optimizers.sobol import Sobol
from moosnn.origins import with_pruner
from moosnn.pareto.front import front_of
from moosnn.parts import KEYS
from moosnn.pruners.halving import Halving
from moosnn.runtime.header import header
from moosnn.runtime.record import read_record
from tests.helpers import Story, toy_problem

WORDS = (
    "+experiment=hpo",
    "pruner=halving",
    "optimizer=sobol",
    "executor.workers=1",
    "space.time_steps.int=[1,3]",
    "space.epochs.int=[12,16]",  # long enough to be stopped on a busy machine
    "study.budget=12",
    "study.confirm=1",
    "study_dir=s",
    "problem.fidelity=epochs",
)
NO_PRUNER = [w for w in WORDS if w != "pruner=halving"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_a_study_prunes_as_its_history_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = (*WORDS, "pruner.min_whole=0")
    assert main([*words, "pruner.eta=2"]) == 0
    record = read_record(Path("s"))
    history, problem = record.history, record.problem
    pruner = Halving(eta=2, min_whole=0)
    pruned = {t.number for t in history.done if t.is_pruned}
    told = {
        event.number
        for length, event in enumerate(history, start=1)
        if event.kind is Kind.REPORTED
        and event.attempt == 1
        and pruner.stops(problem, history.prefix(length), event.number or 0)
    }
    assert pruned
    assert pruned <= told
    assert not pruned & set(front_of(problem, history.done).numbers)
    assert problem.observed(history.done).sum() <= len(history.done) - len(pruned)
    retrained = history.of_kind(Kind.CONFIRMED)
    assert retrained
    assert all(e.data["evaluation"]["stopped"] != "pruned" for e in retrained)
    assert "stopped: pruned" in capsys.readouterr().out
    # The same line shows it; another pruner, or none, is another study.
    assert main([*words, "pruner.eta=2"]) == 0
    assert "this study is finished" in capsys.readouterr().out
    assert "(pruner.eta: then 2, now 3)" in refused(capsys, *words)
    assert "(pruner: only then)" in refused(capsys, *NO_PRUNER)


def composed(*words: str) -> list[Job]:
    return compose(words, lambda job: None, lambda job: None)


def test_a_pruner_sets_the_task_s_rungs_and_the_study_s_name() -> None:
    (job,) = composed("+experiment=nas", "pruner=halving", "pruner.eta=2")
    assert job.folder == Path("runs/nas-ehvi-halving-s0")
    assert job.config["task"]["rungs"] == {"first": 1, "eta": 2}
    words = "-m", "+experiment=nas", "pruner=none,halving", "pruner.min_updates=0,9"
    sweep = [job.folder.name for job in composed(*words[:3])]
    assert sweep == ["nas-ehvi-s0", "nas-ehvi-halving-s0"]
    halving = composed("-m", "+experiment=nas", "pruner=halving", words[3])
    assert len({job.folder for job in halving}) == 2


def test_a_study_without_a_pruner_is_what_it_was() -> None:
    (job,) = composed("+experiment=nas")
    assert job.config["pruner"] is None
    old = {key: value for key, value in job.config.items() if key != "pruner"}
    assert set(old) == set(KEYS)
    assert with_pruner({}, old) == with_pruner({}, job.config) == {}
    halving = composed("+experiment=nas", "pruner=halving")[0].config
    assert with_pruner({}, halving) == {"pruner": halving["pruner"]}
    # Rungs follow from it, and change nothing that is measured.
    assert header(halving, {}, 1)["digest"] == header(old, {}, 1)["digest"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+experiment=smoke"], "pruner: the task tells nothing before its end"),
        (["executor=inline"], "pruner: this executor runs trials in the driver"),
        (
            ["problem=accuracy_activity_robustness"],
            "pruner: 'accuracy_lost' is known at the end",
        ),
        (["pruner.eta=1"], "rungs.eta: expected a whole number >= 2, got 1."),
        (["pruner.min_update=1"], "Did you mean 'min_updates'?"),
        (["problem.fidelity=epoch"], "Did you mean 'epochs'?"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = [] if "+experiment=smoke" in words else ["+experiment=nas"]
    assert message in refused(capsys, *experiment, "pruner=halving", *words)
    assert not Path("runs").exists()


# -- what optimizers make of it -------------------------------------------------------


def story() -> Story:
    """Four trials of which two were pruned: one quiet and good, one hardly silent."""
    told = Story(toy_problem())
    good = {"accuracy": 0.5, "spikes_per_sample": 500.0, "silence_margin": -1.0}
    better = {"accuracy": 0.9, "spikes_per_sample": 5.0, "silence_margin": -1.0}
    rows = [
        (None, good),
        ("pruned", better),
        ("pruned", {**better, "silence_margin": 0.01}),
        (None, {**good, "silence_margin": 2.0}),
    ]
    for index, (stopped, metrics) in enumerate(rows):
        number = told.propose_at(*[0.2 * (index + 1)] * 9)
        told.finish(number, stopped=stopped, **metrics)
    return told


def test_a_pruned_trial_is_no_parent() -> None:
    judged = Judged(toy_problem(), 20)
    judged.read(story().history.done)
    assert [trial.number for trial in judged.feasible] == [0]
    assert [trial.number for trial in judged.infeasible] == [3]


def test_a_pruned_trial_is_not_repeated() -> None:
    problem, told = toy_problem(), story()
    replicated = Replicated(Sobol(), share=0.5, after=1, most=9)
    repeated = set()
    for _ in range(8):
        (one,) = replicated.propose(problem, told.history, 1, 0)
        number = told.propose(one.params, seed=one.seed)
        if one.repeats is None:
            told.finish(number, stopped="pruned", silence_margin=0.001)
        else:
            repeated.add(one.repeats)
            told.finish(number, accuracy=0.5, spikes_per_sample=9.0, silence_margin=-1)
    assert repeated
    assert repeated <= {0, 3}


def test_a_pruned_trial_is_no_centre_of_a_trust_region() -> None:
    from moosnn.optimizers.centres import _ranks

    ranks = _ranks(toy_problem(), story().history.done)
    assert ranks.tolist()[0] == 0
    assert ranks.tolist()[3] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["problem.fidelity=time_steps"], "problem.fidelity: expected epochs, which"),
        (
            ["problem.fidelity=epochs", "training=hybrid", "space=hybrid"],
            "training=hybrid plans",
        ),
        (
            ["optimizer.cost_aware=true", "optimizer.cost_metric=silence_margin"],
            "is a constraint's",
        ),
    ],
)
def test_what_would_teach_nonsense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    folder = tmp_path / "study"
    assert main(["+experiment=nas", *words, f"study_dir={folder}"]) == 2
    assert told in capsys.readouterr().err
    assert not folder.exists()
