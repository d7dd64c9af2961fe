"""Which parameters matter, against outcomes that are made from known ones."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.problem import Constraint
from moosnn.tracking.page.importance import (
    LEAST_TRIALS,
    MOST_TRIALS,
    importance_json,
    targets_of,
)
from moosnn.tracking.points import points_of
from tests.tracking.page.stories import Told, problem_of

SPACE = {
    "depth": {"int": [1, 3]},
    "gain": {"float": [0.0, 1.0]},
    "rate": {"float": [1e-3, 1.0], "log": True},
    "width": {"int": [8, 256], "log": True, "when": {"depth": {"min": 2}}},
    "kind": {"choice": ["if", "lif", "plif"]},
    "idle": {"float": [0.0, 1.0]},
}


def trials_of(count: int, problem=None, bound: float = 0.3):
    """Accuracy by `gain` and `kind`, spikes by `width`, silence by `rate`."""
    problem = problem or problem_of(SPACE)
    story, rng = Told(problem), np.random.default_rng(1)
    for number in range(count):
        params = problem.space.decode(list(rng.uniform(size=6)))
        story.propose(number, params)
        story.submit(number, number, "w")
        there = params["depth"] >= 2
        found = {
            "accuracy": params["gain"] + 0.5 * (params["kind"] == "lif"),
            "spikes": 10.0 * (params["width"] / 8 if there else 1.0),
            "silence_margin": params["rate"] - bound,
            "energy": params["gain"] ** 2,
        }
        story.finish(number + 0.5, number, metrics=found)
    return problem, points_of(problem, story.history).trials


@pytest.fixture(scope="module")
def ranked():
    return importance_json(*trials_of(150))


def leading(found, target: str, count: int) -> list[str]:
    (one,) = [t for t in found["targets"] if t["target"] == target]
    return [row["name"] for row in one["parameters"][:count]]


def test_what_an_outcome_is_made_of_leads(ranked):
    assert leading(ranked, "accuracy", 2) == ["gain", "kind"]
    assert set(leading(ranked, "spikes", 2)) == {"width", "depth"}
    assert leading(ranked, "silent", 1) == ["rate"]


def test_what_does_nothing_has_next_to_no_importance(ranked):
    for target in ranked["targets"]:
        means = {row["name"]: row["mean"] for row in target["parameters"]}
        largest = max(means.values())
        assert abs(means["idle"]) < 0.05 * largest, target["target"]


def test_the_score_says_that_the_forest_is_good(ranked):
    scores = {t["target"]: (t["score"], t["score_name"]) for t in ranked["targets"]}
    assert scores["accuracy"][0] > 0.8
    assert scores["silent"][0] > 0.98
    assert scores["accuracy"][1].startswith("R²")
    assert scores["silent"][1].startswith("ROC AUC")


def test_noise_has_no_score():
    problem, trials = trials_of(80)
    rng = np.random.default_rng(0)
    (target, *_) = targets_of(problem, trials)
    assert len(target.values) == len(target.trials)
    story = Told(problem)
    for number, trial in enumerate(trials):
        story.propose(number, trial.proposal.params)
        noise = {"accuracy": rng.normal(), "spikes": 1.0, "silence_margin": -1.0}
        story.finish(number, number, metrics=noise)
    found = importance_json(problem, points_of(problem, story.history).trials)
    assert [t["target"] for t in found["targets"]] == ["accuracy"]
    assert found["targets"][0]["score"] < 0.1
    assert "Nothing of spikes: every trial has the same value." in found["note"]
    assert "Nothing of silent" in found["note"]


def test_a_width_that_is_not_there_is_credited_with_nothing():
    """Accuracy is the depth alone, and that a width is absent tells the depth."""
    problem = problem_of(SPACE)
    story, rng = Told(problem), np.random.default_rng(2)
    for number in range(120):
        params = problem.space.decode(list(rng.uniform(size=6)))
        story.propose(number, params)
        depth = float(params["depth"])
        found = {"accuracy": depth, "spikes": 1 + depth, "silence_margin": -1.0}
        story.finish(number, number, metrics=found)
    found = importance_json(problem, points_of(problem, story.history).trials)
    (accuracy, _) = found["targets"]
    means = {row["name"]: row["mean"] for row in accuracy["parameters"]}
    assert means["depth"] > 0.9
    assert abs(means["width"]) < 0.02


def test_the_same_trials_give_the_same_numbers(ranked):
    assert importance_json(*trials_of(150)) == ranked


def test_another_constraint_is_ranked_as_well():
    bounds = (
        Constraint(metric="silence_margin", voids=True),
        Constraint(metric="energy", upper=0.5),
    )
    found = importance_json(*trials_of(100, problem_of(SPACE, constraints=bounds)))
    kinds = {t["target"]: t["kind"] for t in found["targets"]}
    assert kinds == {
        **{"accuracy": "objective", "spikes": "objective"},
        **{"silent": "silence", "energy": "constraint"},
    }
    assert leading(found, "energy", 1) == ["gain"]


def test_of_too_few_trials_nothing_is_said():
    found = importance_json(*trials_of(LEAST_TRIALS - 1))
    assert found["targets"] == []
    assert f"{LEAST_TRIALS - 1} of {LEAST_TRIALS} trials" in found["note"]


def test_of_many_trials_some_are_taken_and_the_note_says_so():
    found = importance_json(*trials_of(MOST_TRIALS + 50, bound=2.0))
    (first, *_) = found["targets"]
    assert first["trials"] == MOST_TRIALS
    assert f"Of {MOST_TRIALS} trials" in found["note"]


def test_an_unvaried_parameter_has_no_row():
    space = {**SPACE, "fixed": {"choice": ["one"]}}
    problem = problem_of(space)
    story, rng = Told(problem), np.random.default_rng(1)
    for number in range(40):
        params = problem.space.decode([*rng.uniform(size=6), 0.5])
        story.propose(number, params)
        found = {"accuracy": params["gain"], "spikes": 3.0, "silence_margin": -1.0}
        story.finish(number, number, metrics=found)
    found = importance_json(problem, points_of(problem, story.history).trials)
    names = {row["name"] for row in found["targets"][0]["parameters"]}
    assert "fixed" not in names
    assert "gain" in names


def test_numbers_whose_squares_are_none_are_ranked_like_small_ones():
    """R² does not change with the scale."""
    ranked = [importance_json(*_gains(scale)) for scale in (1.0, 1e300)]
    (small, large) = [
        [t for t in found["targets"] if t["target"] == "accuracy"] for found in ranked
    ]
    assert small[0]["score"] == pytest.approx(large[0]["score"], abs=0.05)
    assert small[0]["parameters"][0]["name"] == "gain"
    assert large[0]["parameters"][0]["name"] == "gain"


def _gains(scale: float):
    """Trials whose accuracy is the gain, on another scale."""
    problem = problem_of(SPACE)
    told, rng = Told(problem), np.random.default_rng(2)
    for number in range(30):
        params = problem.space.decode(list(rng.uniform(size=6)))
        told.propose(number, params)
        told.submit(number, number, "w")
        found = {"accuracy": params["gain"] * scale, "spikes": 1.0}
        told.finish(number + 0.5, number, metrics={**found, "silence_margin": -1.0})
    return problem, points_of(problem, told.history).trials
