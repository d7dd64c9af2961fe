"""Studies that mind what a trial costs: the command, its replay, mistakes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.optimizers.cost import cost_of
from moosnn.replay import replay
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import read_record

SMALL = ["study.budget=9", "study.confirm=0", "study_dir=s", "executor=inline"]
DIGITS = ["+experiment=nas", "space=nas_fidelity", "tracker=none"]
FORMULA = [
    "task=analytic",
    "task.seconds=0.001",
    "space=branin_currin",
    "problem=branin_currin",
    "tracker=none",
]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


@pytest.mark.parametrize("metric", ["seconds", "currin"])
def test_its_proposals_are_computed_again_from_the_recorded_costs(
    metric: str, tmp_path: Path
) -> None:
    words = [*FORMULA, *SMALL, "optimizer.cost_aware=true"]
    assert main([*words, f"optimizer.cost_metric={metric}"]) == 0
    history = read(tmp_path / "s" / NAME).history
    assert history[0].data["config"]["optimizer"]["cost_aware"] is True
    costs = [t.evaluation and cost_of(t.evaluation, metric) for t in history.done]
    assert None not in costs  # so that they were modelled
    assert {t.proposal.origin for t in history.trials} & {"ehvi", "feasibility"}
    replayed = replay(read_record(tmp_path / "s"))
    assert replayed.checked == len(costs)
    assert replayed.exact
    assert replayed.differences == ()


def test_a_cost_that_is_not_told_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["optimizer.cost_aware=true", "optimizer.cost_metric=training"]
    assert main([*DIGITS, *SMALL, *words]) == 2
    _, err = capsys.readouterr()
    assert "optimizer.cost_metric: the task does not always tell 'training'." in err
    assert "Did you mean 'training_s'" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
