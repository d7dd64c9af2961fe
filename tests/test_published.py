"""The searches of published work run end to end on files of their data sets' formats.

The files are small and their contents random; sizes and budgets are cut so that a
search takes seconds. What is published is the space, which stays whole but for what
makes a trial long.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.events import Kind
from moosnn.runtime.journal import NAME, read
from moosnn.snn.weights import DESCRIPTION
from tests.snn.data.writers import write_cifar, write_dvs_gesture, write_mnist

BUDGET = 3


@dataclass(frozen=True, kw_only=True)
class Search:
    """A published search: who writes its data, and what makes it short."""

    write: Callable[[Path], Path]
    words: tuple[str, ...]
    training: str


SEARCHES = {
    "firmin_mnist": Search(
        write=write_mnist,
        training="slayer",
        words=(
            "optimizer.initial=2",
            "task.fixed.time_steps=5",
            "space.epochs.int=[1,2]",
            "space.batch_size.int=[10,50]",
            "space.filters_2.int=[1,16]",
        ),
    ),
    "firmin_dvs_gesture": Search(
        write=write_dvs_gesture,
        training="slayer",
        words=(
            "optimizer.initial=2",
            "data.downsample=8",
            "task.fixed.time_steps=5",
            "space.epochs.int=[1,2]",
            "space.filters_2.int=[1,8]",
        ),
    ),
    "parsa_dvs_gesture": Search(
        write=write_dvs_gesture,
        training="slayer",
        words=(
            "optimizer.initial=2",
            "data.downsample=8",
            "space.time_steps.int=[5,10]",
            "space.epochs.int=[1,2]",
        ),
    ),
    "firmin_mnist_stdp": Search(
        write=write_mnist,
        training="stdp",
        words=(
            "optimizer.initial=2",
            "task.fixed.time_steps=5",
            "space.map_size.int=[25,100]",
        ),
    ),
    "firmin_dvs_gesture_stdp": Search(
        write=write_dvs_gesture,
        training="stdp",
        words=(
            "optimizer.initial=2",
            "data.downsample=8",
            "task.fixed.time_steps=5",
            "space.map_size.int=[21,100]",
        ),
    ),
    "parsa_cifar10": Search(
        write=write_cifar,
        training="hybrid",
        words=(
            "optimizer.initial=2",
            "task.fixed.filters_1=8",
            "task.fixed.filters_2=8",
            "task.fixed.filters_3=8",
            "task.fixed.dense_width=16",
            "task.fixed.ann_epochs=1",
            "task.fixed.balance_steps=20",
            "space.depth.int=[2,3]",
            "space.time_steps.int=[4,6]",
            "space.epochs.int=[1,2]",
        ),
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_published_search_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = SEARCHES[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    root = search.write(tmp_path / "data")
    small = [f"study.budget={BUDGET}", "study.confirm=1", "executor=inline"]
    words = [f"+experiment={name}", f"data.root={root}", "study_dir=s", *search.words]
    assert main([*words, *small, "task.device=cpu", "task.stop=none"]) == 0
    history = read(tmp_path / "s" / NAME).history
    assert len(history.done) == BUDGET
    assert history.failed == []
    assert history[-1].kind is Kind.ENDED
    for trial in history.trials:
        assert trial.evaluation is not None
        assert 0.0 <= trial.evaluation.metrics["accuracy"] <= 1.0
        folder = tmp_path / "s" / "trials" / f"{trial.proposal.number:06d}" / "1"
        genes = json.loads((folder / DESCRIPTION).read_text())["genes"]
        assert genes["training"] == search.training
        assert {**genes, **trial.proposal.params} == genes
