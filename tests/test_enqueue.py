"""Enqueued points and repeats of a config: in the journal, continued, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.history import History
from moosnn.optimizers.enqueued import Enqueued
from moosnn.optimizers.replicated import Replicated
from moosnn.origins import optimizer_of
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import read_record

SMOKE = [
    "+experiment=smoke",
    "executor=inline",
    "tracker=none",
    "study.confirm=0",
    "study_dir=a",
]
POINT = (
    "{depth: 2, width: 32, threshold: 0.5, penalty: 0.001, lr: 0.01, steps: 8, "
    "neuron: if, skip: true}"
)
OTHER = POINT.replace("width: 32", "width: 64")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def history_of(folder: str = "a") -> History:
    return read(Path(folder) / NAME).history


def replayed(folder: str = "a") -> None:
    """Every proposal is what the header's optimizer proposes again."""
    record = read_record(Path(folder))
    for trial in record.history.trials:
        expected = trial.proposal
        prefix = record.history.prefix(expected.seen)
        optimizer = optimizer_of(record.config)
        seed = record.config["seed"]
        assert optimizer.propose(record.problem, prefix, 1, seed) == [expected]


def test_enqueued_points_come_first_and_are_continued(tmp_path: Path) -> None:
    enqueue = f"study.enqueue=[{POINT},{OTHER}]"
    assert main([*SMOKE, enqueue, "study.budget=4"]) == 0
    trials = history_of().trials
    origins = [t.proposal.origin for t in trials]
    assert origins == ["enqueued", "enqueued", "sobol", "sobol"]
    assert [t.proposal.params["width"] for t in trials[:2]] == [32, 64]
    assert all(t.evaluation is not None for t in trials[:2])
    # It died after the first trial.
    path = tmp_path / "a" / NAME
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5]))
    assert main([*SMOKE, enqueue, "study.budget=4"]) == 0
    again = history_of().trials
    assert [t.proposal.params for t in again] == [t.proposal.params for t in trials]
    replayed()


def test_the_header_has_the_points_in_one_spelling() -> None:
    loose = POINT.replace("depth: 2", "depth: 2.0")
    assert main([*SMOKE, f"study.enqueue=[{POINT}]", "study.budget=1"]) == 0
    assert main([*SMOKE, f"study.enqueue=[{loose}]", "study.budget=2"]) == 0
    (point,) = history_of()[0].data["config"]["study"]["enqueue"]
    assert point["depth"] == 2
    assert "tau_steps" in point


def test_a_study_with_nothing_of_it_has_the_header_that_it_always_had() -> None:
    assert main([*SMOKE, "study.budget=1"]) == 0
    assert set(history_of()[0].data["config"]) == {
        "task",
        "space",
        "problem",
        "optimizer",
        "seed",
    }


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ([f"study.enqueue=[{POINT}]"], [], "(study.enqueue: only then)"),
        ([], [f"study.enqueue=[{POINT}]"], "(study.enqueue: only now)"),
        (
            ["study.replicates.share=0.2"],
            ["study.replicates.share=0.3"],
            "(study.replicates.share: then 0.2, now 0.3)",
        ),
    ],
)
def test_other_points_or_repeats_make_another_study(
    first: list[str],
    then: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*SMOKE, *first, "study.budget=1"]) == 0
    size = (Path("a") / NAME).stat().st_size
    assert main([*SMOKE, *then, "study.budget=2"]) == 2
    error = capsys.readouterr().err
    assert "a: was made by another config" in error
    assert message in error
    assert (Path("a") / NAME).stat().st_size == size


def test_repeats_are_journaled_counted_and_replayed() -> None:
    words = [*SMOKE, "study.replicates.share=0.5", "study.replicates.after=4"]
    assert main([*words, "study.budget=20"]) == 0
    trials = history_of().trials
    assert len(trials) == 20  # the repeats are among them
    repeats = [t for t in trials if t.proposal.origin == "replicate"]
    assert len(repeats) > 3
    for trial in repeats:
        first = trials[trial.proposal.repeats or 0]
        assert first.proposal.params == trial.proposal.params
        assert first.proposal.seed != trial.proposal.seed
        assert first.evaluation != trial.evaluation
    settled = history_of()[0].data["config"]["study"]["replicates"]
    assert settled == {"share": 0.5, "most": 3, "after": 4}
    replayed()


def test_enqueued_points_come_before_repeats() -> None:
    words = [f"study.enqueue=[{POINT}]", "study.replicates={share: 0.2}"]
    assert main([*SMOKE, *words, "study.budget=1"]) == 0
    optimizer = optimizer_of(read_record(Path("a")).config)
    assert isinstance(optimizer, Enqueued)
    assert isinstance(optimizer.optimizer, Replicated)


def test_a_sweep_over_repeats_has_a_folder_for_each() -> None:
    words = [word for word in SMOKE if not word.startswith("study_dir")]
    shares = "study.replicates.share=0.2,0.5"
    assert main(["-m", *words, "study.budget=1", shares]) == 0
    studies = {path.parent.name for path in Path("runs").rglob(NAME)}
    assert studies == {
        "smoke-sobol-s0,study.replicates.share=0.2",
        "smoke-sobol-s0,study.replicates.share=0.5",
    }


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("study.enqueue=5", "study.enqueue: expected a list of points"),
        ("study.enqueue=[{depth: 2}]", "study.enqueue[0]: no value for width, thresh"),
        ("study.enqueue=[{depth: 9}]", "study.enqueue[0]: parameter 'depth': expected"),
        (
            f"study.enqueue=[{POINT},{POINT}]",
            "study.enqueue[1]: the same point as study.enqueue[0]",
        ),
        (
            f"study.enqueue=[{POINT},{OTHER.replace('width: 64', 'width: 999')}]",
            "study.enqueue[1]: parameter 'width': expected a whole number in [8, 256]",
        ),
        (
            f"study.enqueue=[{POINT.replace('depth', 'dept')}]",
            "study.enqueue[0]: no parameter 'dept'. Did you mean 'depth'?",
        ),
        ("study.replicates=0.2", "study.replicates: expected e.g. {share: 0.2}"),
        ("study.replicates.shar=0.2", "study.replicates: unknown key 'shar'. Did you"),
        ("study.replicates.share=2", "study.replicates.share: expected a number in"),
        ("study.replicates.most=1", "study.replicates.most: expected a whole number"),
        ("study.enque=[]", "unknown key 'study.enque'. Did you mean 'study.enqueue'?"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMOKE, word]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_a_point_that_may_not_be_tried_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    deep = POINT.replace("depth: 2", "depth: 3")
    words = ["problem.admissible=tests.helpers.refuses_deep", f"study.enqueue=[{deep}]"]
    assert main([*SMOKE, *words]) == 2
    error = capsys.readouterr().err
    assert "study.enqueue[0]: this point may not be tried: too deep" in error
    assert list(Path().iterdir()) == []
