"""The share of the training samples as a gene: a cheaper training, all else equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosnn.snn.data.digits import Digits
from moosnn.snn.learning import rules
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Evaluation, Proposal
from tests.helpers import QuietContext, load_space, timeless

QUICK = {"epochs": 1, "width_1": 16, "depth": 1, "batch_size": 64}


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Which training samples each training saw, by their indices."""
    seen: list[list[int]] = []
    bptt = rules.FITS["bptt"]

    def spied(network, samples, course):  # type: ignore[no-untyped-def]  # passes on
        rows = range(len(samples)) if samples.rows is None else samples.rows.tolist()
        seen.append(list(rows))
        return bptt(network, samples, course)

    monkeypatch.setattr(rules, "FITS", {**rules.FITS, "bptt": spied})
    return seen


def evaluate(folder: Path, seed: int = 0, **genes: object) -> Evaluation:
    class Context(QuietContext):
        workdir = cache = folder

    params = {**QUICK, **genes}
    proposal = Proposal(number=0, params=params, seed=seed, origin="test", seen=0)
    return SnnTask().evaluate(proposal, Context())


def test_a_share_is_chosen_by_the_seed(
    tmp_path: Path, trained_on: list[list[int]]
) -> None:
    for seed in (0, 0, 1):
        evaluate(tmp_path, seed, training_share=0.25)
    first, again, other = trained_on
    train = Digits().load(1, tmp_path).train
    assert first == again != other
    assert len(set(first)) == len(first)
    assert len(first) == pytest.approx(0.25 * len(train), abs=10)


def test_all_samples_is_the_default_bit_for_bit(
    tmp_path: Path, trained_on: list[list[int]]
) -> None:
    plain, whole = evaluate(tmp_path), evaluate(tmp_path, training_share=1.0)
    assert timeless(plain.to_json()) == timeless(whole.to_json())
    assert trained_on[0] == trained_on[1]


def test_a_task_takes_the_space_of_fidelities(tmp_path: Path) -> None:
    space, task = load_space("nas_fidelity"), SnnTask()
    params = space.decode([0.5] * len(space))
    task.check(params)
    assert task.refusal(params) is None
    assert {"epochs", "training_share", "time_steps"} <= set(params)


def test_the_largest_memory_is_told_in_whole(tmp_path: Path) -> None:
    done = evaluate(tmp_path)
    assert done.metrics["resident_mb"] > 100  # torch alone takes more
    assert done.metrics["resident_mb"] > done.metrics["training_memory_mb"]
