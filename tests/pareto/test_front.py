"""The front: feasible, observed, non-dominated trials and no others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moosnn.pareto.front import front_of, hypervolume_history
from moosnn.pareto.hypervolume import hypervolume_trace
from moosnn.tasks.analytic import AnalyticTask
from tests.helpers import Story, story_of, toy_problem

POINTS = np.random.default_rng(0).random((9, 9)).tolist()


def told(*rows: dict) -> Story:
    """A history with one trial a row: its metrics, or the kind of its failure."""
    story = Story(toy_problem())
    for point, row in zip(POINTS, rows, strict=False):
        number = story.propose_at(*point)
        if "failure" in row:
            story.fail(number, row["failure"])
        elif row:
            story.finish(number, **row)
    return story


def good(accuracy: float, spikes: float, margin: float = -0.2) -> dict:
    return {
        "accuracy": accuracy,
        "spikes_per_sample": spikes,
        "silence_margin": margin,
    }


def test_members_are_feasible_and_non_dominated() -> None:
    story = told(
        good(0.8, 100.0),
        good(0.9, 1000.0),
        good(0.85, 1000.0),  # dominated
        {"silence_margin": 0.3, "stopped": "silent"},
        good(0.99, 1.0, margin=0.1),  # silent after training: its objectives are void
        {"silence_margin": -0.3, "accuracy": 0.99, "stopped": "pruned"},
        {"failure": "diverged"},
        {},  # pending
    )
    front = front_of(toy_problem(), story.history.trials)
    assert front.numbers == (1, 0)
    assert front.losses[0] == pytest.approx((-0.9, 3.0))
    assert front.losses[1] == pytest.approx((-0.8, 2.0))
    # reference (-0.3, 4): 0.6 x 1 + 0.5 x 1
    assert front.hypervolume == pytest.approx(1.1)
    assert 0 in front
    assert 2 not in front


def test_equal_trials_are_all_members_in_order_of_number() -> None:
    story = told(good(0.8, 100.0), good(0.8, 100.0))
    assert front_of(toy_problem(), story.history.trials[::-1]).numbers == (0, 1)


def test_members_beyond_the_reference_add_nothing() -> None:
    story = told(good(0.2, 10.0))
    front = front_of(toy_problem(), story.history.trials)
    assert front.numbers == (0,)
    assert front.hypervolume == 0.0
    assert len(front.within(toy_problem())) == 0


def test_within_are_the_members_that_beat_the_reference() -> None:
    story = told(
        good(0.9, 1e5),  # too loud
        good(0.8, 1000.0),
        good(0.5, 100.0),
        good(0.3, 10.0),  # on the reference
        good(0.4, 500.0),  # dominated
    )
    front = front_of(toy_problem(), story.history.trials)
    assert front.numbers == (0, 1, 2, 3)
    within = front.within(toy_problem())
    assert within.numbers == (1, 2)
    assert within.losses == front.losses[1:3]
    assert within.hypervolume == front.hypervolume > 0


@pytest.mark.parametrize(
    "rows", [[], [{"failure": "lost"}], [{"silence_margin": 1.0, "stopped": "silent"}]]
)
def test_nothing_feasible(rows) -> None:
    front = front_of(toy_problem(), told(*rows).history.trials)
    assert front.numbers == ()
    assert front.hypervolume == 0.0


def test_hypervolume_history_has_one_value_a_trial() -> None:
    story = told(
        {"silence_margin": 0.3, "stopped": "silent"},
        good(0.8, 100.0),
        {"failure": "crashed"},
        good(0.9, 1000.0),
        good(0.95, 50.0, margin=0.2),
    )
    trace = hypervolume_history(toy_problem(), story.history.trials)
    assert trace == pytest.approx([0.0, 1.0, 1.0, 1.1, 1.1])
    assert not math.isnan(trace.sum())


def again(story: Story, number: int, row: dict) -> None:
    """One more trial of a trial's point."""
    params = story.history.trial(number).proposal.params
    story.finish(story.propose(params), **row)


def test_a_lucky_seed_is_judged_by_its_mean() -> None:
    story = told(good(0.9, 100.0), good(0.8, 100.0))
    assert front_of(toy_problem(), story.history.trials).numbers == (0,)
    again(story, 0, good(0.6, 100.0))
    front = front_of(toy_problem(), story.history.trials)
    assert front.numbers == (1,)
    assert front.hypervolume == pytest.approx((0.8 - 0.3) * 2)
    again(story, 0, good(1.0, 100.0))
    front = front_of(toy_problem(), story.history.trials)
    assert front.numbers == (0,)
    assert front.losses[0] == pytest.approx((-2.5 / 3, 2.0))


def test_a_point_whose_mean_is_silent_leaves_the_front() -> None:
    story = told(good(0.9, 100.0, margin=-0.1), good(0.5, 500.0))
    again(story, 0, {"silence_margin": 0.9, "stopped": "silent"})
    assert front_of(toy_problem(), story.history.trials).numbers == (1,)


def test_the_hypervolume_falls_where_a_seed_takes_back_a_promise() -> None:
    story = told(good(0.9, 100.0), good(0.8, 100.0))
    again(story, 0, good(0.6, 100.0))
    trace = hypervolume_history(toy_problem(), story.history.trials)
    assert trace == pytest.approx([1.2, 1.2, 1.0])


@pytest.mark.parametrize("repeats", [False, True])
def test_the_history_of_the_hypervolume_is_that_of_the_fronts(repeats: bool) -> None:
    """Measured anew at each length, of noisy trials, many of them silent."""
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    story = Story(problem)
    rng = np.random.default_rng(4)
    for seed in range(120):
        old = repeats and seed > 20 and rng.random() < 0.5
        chosen = int(rng.integers(story.history.proposals)) if old else None
        params = (
            problem.space.decode(rng.random(9))
            if chosen is None
            else story.history.trial(chosen).proposal.params
        )
        story.evaluate(task, story.propose(params, seed=seed))
    trials = story.history.trials
    trace = hypervolume_history(problem, trials)
    volumes = [
        front_of(problem, trials[: i + 1]).hypervolume for i in range(len(trials))
    ]
    np.testing.assert_allclose(trace, volumes, rtol=1e-12)
    assert len(set(volumes)) > 5
    assert bool(np.any(np.diff(trace) < 0)) == repeats


def test_without_repeats_the_history_is_the_trace_bit_for_bit() -> None:
    problem = toy_problem()
    points = np.random.default_rng(5).random((150, 9)).tolist()
    trials = story_of(problem, AnalyticTask("toy_snn"), points).history.trials
    losses = np.full((len(trials), 2), np.nan)
    for index, trial in enumerate(trials):
        if problem.is_feasible(trial):
            losses[index] = problem.losses([trial])[0]
    trace = hypervolume_trace(losses, problem.reference)
    assert hypervolume_history(problem, trials).tolist() == trace.tolist()
    assert trace[-1] > 0
