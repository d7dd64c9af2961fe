"""Several seeds of a point as one trial: means, errors, silence."""

from __future__ import annotations

import math
from statistics import mean, variance

import pytest

from moosnn.pareto.pooling import PRIOR_DEGREES, pooled
from moosnn.problem import Constraint
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import Evaluation
from tests.helpers import Story, story_of, toy_problem

HERE, THERE, ELSEWHERE = ([x] * 9 for x in (0.2, 0.5, 0.8))


def told(*rows: tuple[list[float], dict]) -> Story:
    """A history with a trial a row: where, and its metrics."""
    story = Story(toy_problem())
    for point, row in rows:
        story.finish(story.propose_at(*point), **row)
    return story


def good(accuracy: float, spikes: float = 100.0, margin: float = -0.2) -> dict:
    return {
        "accuracy": accuracy,
        "spikes_per_sample": spikes,
        "silence_margin": margin,
    }


def silent(margin: float = 0.5) -> dict:
    return {"silence_margin": margin, "stopped": "silent"}


def pool(story: Story) -> list:
    return pooled(story.history.trials, toy_problem())


def test_without_repeats_the_list_is_the_same() -> None:
    points = [[x / 10] * 9 for x in range(1, 9)]
    story = story_of(toy_problem(), AnalyticTask("toy_snn"), points)
    story.propose_at(*[0.95] * 9)
    story.fail(story.propose_at(*[0.97] * 9))
    trials = story.history.trials
    found = pooled(trials, toy_problem())
    assert all(one is other for one, other in zip(found, trials, strict=True))


def test_a_point_has_the_means_of_its_trials_and_the_first_number() -> None:
    story = told(
        (HERE, good(0.9, 100.0, -0.2)),
        (THERE, good(0.5)),
        (HERE, good(0.8, 120.0, -0.4)),
        (HERE, good(0.7, 140.0, -0.6)),
    )
    first, second = pool(story)
    assert (first.number, second.number) == (0, 1)
    assert second is story.history.trials[1]
    assert dict(first.evaluation.metrics) == pytest.approx(
        {"accuracy": 0.8, "spikes_per_sample": 120.0, "silence_margin": -0.4}
    )
    assert first.evaluation.stopped is None


def test_a_point_stands_where_the_first_of_its_trials_stood() -> None:
    """Trials in the order in which they ended."""
    story = told((HERE, good(0.9)), (THERE, good(0.5)), (HERE, good(0.7)))
    found = pooled(story.history.trials[::-1], toy_problem())
    assert [trial.number for trial in found] == [0, 1]
    found = pooled([story.history.trials[i] for i in (1, 2, 0)], toy_problem())
    assert [trial.number for trial in found] == [1, 0]


def test_standard_errors_are_the_moderated_ones() -> None:
    here, there = [0.90, 0.80, 0.85], [0.5, 0.7]
    story = told(*((HERE, good(x)) for x in here), *((THERE, good(x)) for x in there))
    within = (2 * variance(here) + 1 * variance(there)) / 3
    d_0 = PRIOR_DEGREES
    expected = [
        math.sqrt((d_0 * within + 2 * variance(here)) / (d_0 + 2) / 3),
        math.sqrt((d_0 * within + 1 * variance(there)) / (d_0 + 1) / 2),
    ]
    sems = [trial.evaluation.sems["accuracy"] for trial in pool(story)]
    assert sems == pytest.approx(expected)


def test_of_one_repeated_point_the_error_is_the_usual_one() -> None:
    values = [0.90, 0.80, 0.85]
    (trial,) = pool(told(*((HERE, good(x)) for x in values)))
    usual = math.sqrt(variance(values) / 3)
    assert trial.evaluation.sems["accuracy"] == pytest.approx(usual)


def test_equal_measurements_have_no_error() -> None:
    (trial,) = pool(told((HERE, good(0.9)), (HERE, good(0.9))))
    assert set(trial.evaluation.sems.values()) == {0.0}


def test_on_a_log_scale_the_relative_error_is_shared() -> None:
    """A loud network's spread in spikes says nothing about a quiet one's."""
    quiet, loud = [10.0, 12.0], [10_000.0, 12_000.0]
    story = told(
        *((HERE, good(0.9, x)) for x in quiet),
        *((THERE, good(0.9, x)) for x in loud),
    )
    first, second = (t.evaluation.sems["spikes_per_sample"] for t in pool(story))
    assert first == pytest.approx(second / 1000)
    usual = math.sqrt(variance([math.log10(x) for x in quiet]) / 2)
    assert first == pytest.approx(usual * math.log(10) * mean(quiet))


def test_a_seed_that_falls_silent_counts_against_the_constraint_only() -> None:
    story = told(
        (HERE, good(0.9, 100.0, -0.8)),
        (HERE, good(0.7, 110.0, -0.7)),
        (HERE, silent(0.3)),
        (HERE, good(0.1, 2.0, 0.4)),  # trained to its end, silent all the same
    )
    (trial,) = pool(story)
    assert trial.evaluation.metrics["silence_margin"] == pytest.approx(-0.2)
    assert trial.evaluation.metrics["accuracy"] == pytest.approx(0.8)
    assert trial.evaluation.metrics["spikes_per_sample"] == pytest.approx(105.0)
    assert toy_problem().is_feasible(trial)


def test_a_point_is_silent_if_the_mean_margin_is() -> None:
    (trial,) = pool(told((HERE, good(0.9, margin=-0.1)), (HERE, silent(0.5))))
    assert not toy_problem().is_observed(trial)
    assert toy_problem().violations([trial])[0] == pytest.approx([0.2])


def test_a_point_of_which_every_seed_is_silent_is_stopped() -> None:
    (trial,) = pool(told((HERE, silent(0.2)), (HERE, silent(0.4))))
    assert trial.evaluation.stopped == "silent"
    assert dict(trial.evaluation.metrics) == pytest.approx({"silence_margin": 0.3})


def test_a_pruned_training_counts_only_if_all_were() -> None:
    pruned = {**good(0.2, 50.0, -0.5), "stopped": "pruned"}
    (trial,) = pool(told((HERE, good(0.9)), (HERE, pruned)))
    assert trial.evaluation.metrics["accuracy"] == 0.9
    assert trial.evaluation.stopped is None
    (trial,) = pool(told((HERE, pruned), (HERE, pruned)))
    assert trial.evaluation.stopped == "pruned"


def test_failures_and_pending_trials_stay() -> None:
    story = told((HERE, good(0.9)), (HERE, good(0.8)))
    story.fail(story.propose_at(*HERE))
    story.propose_at(*HERE)
    assert [trial.number for trial in pool(story)] == [0, 2, 3]


def test_what_a_task_knows_of_a_single_measurement_is_kept() -> None:
    story = Story(toy_problem())
    told_sem = Evaluation(metrics=good(0.9), sems={"accuracy": 0.01})
    story.finish_with(story.propose_at(*HERE), told_sem)
    story.finish(story.propose_at(*HERE), **silent(-0.1))
    (trial,) = pool(story)
    assert trial.evaluation.sems["accuracy"] == 0.01
    assert "silence_margin" in trial.evaluation.sems


def test_seconds_are_means() -> None:
    story = Story(toy_problem())
    for seconds, trained in ((2.0, 1.0), (4.0, None)):
        evaluation = Evaluation(
            metrics=good(0.9), seconds=seconds, training_s=trained, device="cuda"
        )
        story.finish_with(story.propose_at(*HERE), evaluation)
    (trial,) = pool(story)
    evaluation = trial.evaluation
    assert (evaluation.seconds, evaluation.training_s) == (3.0, 1.0)
    assert evaluation.device == "cuda"


def test_a_metric_that_is_constrained_and_an_objective_is_the_mean_of_all() -> None:
    problem = toy_problem(
        constraints=(
            Constraint(metric="silence_margin", voids=True),
            Constraint(metric="spikes_per_sample", upper=1e3),
        )
    )
    story = told((HERE, good(0.9, 100.0)), (HERE, good(0.9, 20.0, margin=0.1)))
    (trial,) = pooled(story.history.trials, problem)
    assert trial.evaluation.metrics["spikes_per_sample"] == 60.0
