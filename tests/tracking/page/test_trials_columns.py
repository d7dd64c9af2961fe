"""The columns of trials: what each trial counts for, when, and with which values."""

from __future__ import annotations

from moosnn.events import Kind
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint
from moosnn.tracking.page import trials_columns
from moosnn.tracking.page.timeline import work_clock
from moosnn.tracking.page.trials_columns import STATUSES, Trials, trials_json
from moosnn.tracking.progress import Follower
from tests.helpers import toy_problem
from tests.tracking.edges import toy_history
from tests.tracking.page.stories import Told, metrics, problem_of

POINT = {"depth": 1, "rate": 0.1, "kind": "if"}


def told(problem=None) -> Told:
    story = Told(problem or problem_of())
    for number in range(8):
        story.propose(number, {**POINT, "rate": 0.1 + number / 10})
        story.submit(number, number, f"w{number % 2}")
    story.finish(10, 0, metrics=metrics(0.9, 100), sems={"accuracy": 0.01}, seconds=2.5)
    story.finish(11, 1, metrics=metrics(0.8, 10))
    story.finish(12, 2, metrics=metrics(0.7, 200))
    story.finish(13, 3, metrics=metrics(0.1, 0, margin=0.5))
    story.finish(14, 4, metrics={"silence_margin": 0.1}, stopped="silent")
    story.finish(15, 5, metrics=metrics(0.95, 5), stopped="pruned")
    story.fail(16, 6, "timeout")
    return story


def test_every_status_is_told_apart():
    trials = Trials.of(problem_of(), told().history)
    assert trials.status == (
        *("front", "front", "dominated", "silent", "silent", "pruned"),
        *("failed", "pending"),
    )
    assert trials.counts() == {
        **{"ended": 7, "feasible": 3, "front": 2, "dominated": 1, "infeasible": 0},
        **{"silent": 2, "pruned": 1, "repeat": 0, "failed": 1, "pending": 1},
    }
    assert set(trials.status) < set(STATUSES)


def test_the_counts_are_those_of_every_other_view():
    problem, history = toy_problem(), toy_history()
    counts, now = (
        Trials.of(problem, history).counts(),
        Follower.of(problem, history).now,
    )
    for what in ("ended", "feasible", "silent", "pruned", "failed", "pending"):
        assert counts[what] == getattr(now, what)
    assert counts["front"] == len(now.front)


def test_a_bound_that_voids_nothing_makes_a_trial_infeasible():
    bound = (Constraint(metric="silence_margin", upper=-2.0),)
    trials = Trials.of(problem_of(constraints=bound), told().history)
    assert trials.status[:3] == ("infeasible",) * 3


def test_columns_have_a_value_or_none_for_every_trial():
    story = told()
    found = trials_json(
        Trials.of(story.problem, story.history), work_clock(story.history)
    )
    assert found["number"] == list(range(8))
    assert found["ended"] == [1, 2, 3, 4, 5, 6, 7, None]
    assert found["submitted_s"] == list(range(8))
    assert found["ended_s"] == [10, 11, 12, 13, 14, 15, 16, None]
    assert found["worker"][:3] == ["w0", "w1", "w0"]
    assert found["metrics"]["accuracy"] == [0.9, 0.8, 0.7, 0.1, None, 0.95, None, None]
    assert list(found["metrics"])[:3] == ["accuracy", "spikes", "silence_margin"]
    assert found["sems"] == {"accuracy": [0.01] + [None] * 7}
    assert found["failure"] == [None] * 6 + ["timeout", None]
    assert found["stopped"][4:6] == ["silent", "pruned"]
    assert found["seconds"][0] == 2.5
    lengths = {len(column) for key, column in found.items() if isinstance(column, list)}
    assert lengths == {8}


def test_a_parameter_that_does_not_exist_has_no_value():
    story = Told(problem_of())
    story.propose(0, {**POINT, "width": 100})
    story.propose(1, {**POINT, "depth": 2, "width": 100, "kind": True})
    found = trials_json(
        Trials.of(story.problem, story.history), work_clock(story.history)
    )
    assert found["params"]["width"] == [None, 100]
    assert found["params"]["kind"] == ["if", True]
    assert found["params"]["rate"] == [0.1, 0.1]


def test_a_late_result_corrects_a_failure():
    story = told()
    story.finish(20, 6, kind=Kind.CORRECTED, metrics=metrics(0.99, 1))
    trials = Trials.of(story.problem, story.history)
    found = trials_json(trials, work_clock(story.history))
    assert found["status"][6] == "front"
    assert (found["ended"][6], found["ended_s"][6]) == (7, 20)
    assert found["failure"][6] is None
    assert trials.counts()["ended"] == 7


def test_the_first_trial_of_a_repeated_point_stands_for_all():
    story = told()
    story.propose(8, {**POINT, "rate": 0.1}, repeats=0)
    story.submit(20, 8, "w0")
    story.finish(21, 8, metrics=metrics(0.8, 300))
    trials = Trials.of(story.problem, story.history)
    found = trials_json(trials, work_clock(story.history))
    assert found["repeats"] == [None] * 8 + [0]
    assert found["status"][8] == "repeat"
    assert abs(found["metrics"]["accuracy"][0] - 0.85) < 1e-9
    assert found["metrics"]["accuracy"][8] == 0.8
    assert found["sems"]["accuracy"][0] > 0.01
    assert trials.counts()["repeat"] == 1
    front = front_of(story.problem, story.history.done)
    drawn = [n for n, status in enumerate(found["status"]) if status == "front"]
    assert sorted(front.numbers) == drawn


def test_of_many_trials_the_metrics_of_layers_are_left_out(monkeypatch):
    story = told()
    story.propose(8, {**POINT, "rate": 0.95})
    story.finish(21, 8, metrics={**metrics(0.8, 300), "rate.1": 0.2, "energy": 1.0})
    trials = Trials.of(story.problem, story.history)
    few = trials_json(trials, work_clock(story.history))["metrics"]
    monkeypatch.setattr(trials_columns, "_MANY_TRIALS", 8)
    many = trials_json(trials, work_clock(story.history))["metrics"]
    assert set(few) - set(many) == {"rate.1"}
    assert many["energy"][8] == 1
