"""Problems with robustness as an axis: one word, and what is said without it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from moosnn.compose import Job, compose
from moosnn.errors import ConfigError
from moosnn.parts import Parts, parts_of
from moosnn.snn.robustness import CONDITIONS, Robustness, names_of

ACTIVITY = "problem=accuracy_activity_robustness"
CONNECTIVITY = "problem=accuracy_connectivity_robustness"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])


def never(job: Job) -> None:
    raise AssertionError(f"{job.folder}: nothing is run here")


def parts(line: str) -> Parts:
    (job,) = compose(shlex.split(line), lambda _: None, never)
    return parts_of(job.config, job.folder)


@pytest.mark.parametrize(
    ("word", "axis"), [(ACTIVITY, "spikes_per_sample"), (CONNECTIVITY, "connectivity")]
)
@pytest.mark.parametrize("before", ["", "+experiment=nas", "training=ssgd", "task=snn"])
def test_one_word_asks_the_task_and_the_problem(
    word: str, axis: str, before: str
) -> None:
    found = parts(f"{before} {word}")
    axes = found.problem.objectives
    assert [o.metric for o in axes] == ["accuracy", axis, "accuracy_lost"]
    assert [o.goal for o in axes] == ["max", "min", "min"]
    assert [c.metric for c in found.problem.constraints] == ["silence_margin"]
    assert found.problem.constraints[0].voids
    assert set(names_of(CONDITIONS)) <= set(found.task.metrics)


def test_the_words_of_a_command_line_change_what_is_tried() -> None:
    words = [
        ACTIVITY,
        "task.robustness.samples=4",
        "task.robustness.conditions=[pcm_day,bits_4]",
        "task.robustness.tau_sd=0.2",
    ]
    (job,) = compose(words, lambda _: None, never)
    assert Robustness.of(job.config["task"]["robustness"]) == Robustness(
        samples=4, conditions=("pcm_day", "bits_4"), tau_sd=0.2
    )


def test_a_sweep_may_try_other_hardware() -> None:
    jobs = compose(
        ["-m", ACTIVITY, "task.robustness.samples=2,4"], lambda _: None, never
    )
    assert [job.config["task"]["robustness"]["samples"] for job in jobs] == [2, 4]


def test_any_problem_may_ask_the_task() -> None:
    found = parts("+experiment=nas 'task.robustness={conditions: [mismatch]}'")
    assert "accuracy_lost.mismatch" in found.task.metrics
    assert "accuracy_lost" not in found.problem.metrics
    every = parts("+experiment=nas task.robustness.samples=8")
    assert set(names_of(CONDITIONS)) <= set(every.task.metrics)
    assert "accuracy_lost" not in parts("+experiment=nas").task.metrics


MISTAKES = {
    f"{ACTIVITY} task.robustness=null": (
        "problem: 'accuracy_lost' is measured only if the task is asked for it: set "
        "task.robustness.samples=8, or problem=accuracy_activity_robustness."
    ),
    f"{ACTIVITY} task.robustness.conditions=[bits_4] "
    "problem.objectives.2.metric=accuracy_lost.mismatch": (
        "problem: 'accuracy_lost.mismatch' is measured only if the task is asked for "
        "it: set task.robustness.conditions=[bits_4,mismatch]."
    ),
    f"{ACTIVITY} task.robustness=null "
    "problem.objectives.2.metric=accuracy_lost.bits_4": (
        "problem: 'accuracy_lost.bits_4' is measured only if the task is asked for it: "
        "set task.robustness.samples=8."
    ),
    f"{ACTIVITY} problem.objectives.2.metric=accuracy_lost.pcm_hor": (
        "problem: the task does not measure 'accuracy_lost.pcm_hor'. Did you mean "
        "'accuracy_lost.pcm_hour'?"
    ),
    "+experiment=nas problem.objectives.1.metric=accuracy_lots.pcm_hour": (
        "problem: the task does not measure 'accuracy_lots.pcm_hour'. Did you mean "
        "'accuracy_lost.pcm_hour'?"
    ),
    "+experiment=nas problem.objectives.1.metric=spikes_per_sampel.2": (
        "problem: the task does not measure 'spikes_per_sampel.2'. Did you mean "
        "'spikes_per_sample.2'?"
    ),
    f"{ACTIVITY} task=analytic": (
        "task: unknown key 'robustness'. Known: dim, function, seconds, shift. It is "
        "asked by a problem of networks: use task=snn, or another problem."
    ),
    f"{ACTIVITY} problem.objectives.2.metric=accuracy_lots": (
        "problem: the task does not measure 'accuracy_lots'. Did you mean "
        "'accuracy_lost'?"
    ),
    f"{ACTIVITY} task.robustness.sample=3": (
        "task.robustness: unknown key 'sample'. Did you mean 'samples'?"
    ),
    f"{ACTIVITY} problem.constraints.0.metric=accuracy_lost": (
        "problem.constraints: not every network has 'accuracy_lost'"
    ),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_says_what_to_set(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parts(line)
    assert str(caught.value).startswith(MISTAKES[line])
