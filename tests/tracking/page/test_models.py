"""Models, slices and maps, against the formulas that made the trials."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint
from moosnn.tracking.edge_model import EdgeModel
from moosnn.tracking.page import models
from moosnn.tracking.page.model_slices import models_json
from moosnn.tracking.page.models import LEAST_TRIALS, models_of, thinned
from tests.helpers import Story, toy_problem
from tests.tracking.edges import toy_history
from tests.tracking.page.stories import Told, problem_of

SPACE = {
    "depth": {"int": [1, 3]},
    "gain": {"float": [0.0, 1.0]},
    "rate": {"float": [1e-3, 1.0], "log": True},
    "width": {"int": [8, 256], "log": True, "when": {"depth": {"min": 2}}},
    "kind": {"choice": ["if", "lif"]},
}


def truth(params) -> dict[str, float]:
    kind = 0.2 * (params["kind"] == "lif")
    return {
        "accuracy": 0.5 + 0.3 * params["gain"] + kind,
        "spikes": 10.0 ** (1 + params["gain"] + kind),
        "silence_margin": float(np.log10(params["rate"])) + 0.5,  # silent above 0.32
        "energy": 2.0 * params["gain"],
    }


@cache
def made(count: int = 60, energy: float = 5.0):
    bounds = (
        Constraint(metric="silence_margin", voids=True),
        Constraint(metric="energy", upper=energy),
    )
    problem = problem_of(SPACE, constraints=bounds)
    story, rng = Told(problem), np.random.default_rng(0)
    for number in range(count):
        params = problem.space.decode(list(rng.uniform(size=5)))
        story.propose(number, params)
        story.submit(number, number, "w")
        story.finish(number, number, metrics=truth(params))
    return problem, story.history


@pytest.fixture(scope="module")
def shown():
    problem, history = made()
    return models_json(problem, history, front_of(problem, history.done).numbers)


def own_params(shown):
    problem, history = made()
    trial = history.trial(shown["around"])
    return problem.space.active(trial.proposal.params)


def test_the_targets_are_objectives_constraints_and_silence(shown):
    assert [(t["target"], t["kind"], t["log"]) for t in shown["targets"]] == [
        ("accuracy", "objective", False),
        ("spikes", "objective", True),
        ("energy", "constraint", False),
        ("P(silent)", "probability", False),
    ]


def test_it_looks_around_the_median_front_member(shown):
    problem, history = made()
    numbers = front_of(problem, history.done).numbers
    assert shown["around"] == numbers[len(numbers) // 2]


def test_slices_follow_the_formula_in_natural_units(shown):
    own, checked = own_params(shown), 0
    for one in shown["slices"]:
        for x, k in zip(one["x"], range(len(one["x"])), strict=True):
            true = truth({**own, one["parameter"]: x})
            said = {
                t["target"]: values["mean"][k]
                for t, values in zip(shown["targets"], one["values"], strict=True)
            }
            if one["parameter"] == "depth" or 10 ** true["silence_margin"] > 1:
                continue
            assert said["accuracy"] == pytest.approx(true["accuracy"], abs=0.03)
            assert np.log10(said["spikes"] / true["spikes"]) == pytest.approx(
                0, abs=0.1
            )
            assert said["energy"] == pytest.approx(true["energy"], abs=0.15)
            checked += 1
    assert checked > 40


def test_the_edge_lies_where_the_formula_has_it(shown):
    one = next(s for s in shown["slices"] if s["parameter"] == "rate")
    p = dict(zip(one["x"], one["values"][3]["mean"], strict=True))
    assert all(value > 0.9 for x, value in p.items() if x > 0.5)
    assert all(value < 0.1 for x, value in p.items() if x < 0.2)
    assert set(one["values"][3]) == {"mean"}


def test_intervals_hold_the_mean_and_mostly_the_truth(shown):
    own = own_params(shown)
    one = next(s for s in shown["slices"] if s["parameter"] == "gain")
    for values, target in zip(one["values"], ["accuracy", "spikes"], strict=False):
        assert np.all(np.array(values["low"]) <= values["mean"])
        assert np.all(np.array(values["high"]) >= values["mean"])
        true = np.array([truth({**own, "gain": x})[target] for x in one["x"]])
        inside = (values["low"] <= true) & (true <= np.array(values["high"]))
        assert inside.mean() > 0.7


def test_a_slice_of_a_choice_has_its_options_and_an_int_its_values(shown):
    x = {one["parameter"]: one["x"] for one in shown["slices"]}
    assert x["kind"] == ["if", "lif"]
    assert x["depth"] == [1, 2, 3]
    assert len(x["gain"]) == 25
    ratio = np.diff(np.log(x["rate"]))
    assert ratio == pytest.approx(ratio[0], rel=1e-3)
    assert ("width" in x) == (own_params(shown)["depth"] > 1)


def test_maps_cut_slices_and_have_numeric_axes(shown):
    assert len(shown["maps"]) in (3, 6)
    own = own_params(shown)
    for one in shown["maps"]:
        assert "kind" not in (one["x_parameter"], one["y_parameter"])
        for target in one["values"]:
            assert np.array(target).shape == (len(one["y"]), len(one["x"]))
        if {one["x_parameter"], one["y_parameter"]} == {"gain", "rate"}:
            accuracy = np.array(one["values"][0])
            for row, y in enumerate(one["y"]):
                for column, x in enumerate(one["x"]):
                    at = {one["x_parameter"]: x, one["y_parameter"]: y}
                    true = truth({**own, **at})
                    if true["silence_margin"] < 0:
                        expected = pytest.approx(true["accuracy"], abs=0.04)
                        assert accuracy[row, column] == expected


def test_p_silent_is_that_of_moosnn_edge():
    problem, history = toy_problem(), toy_history(40)
    front = front_of(problem, history.done).numbers
    shown = models_json(problem, history, front)
    edge = EdgeModel(problem, history, problem.constraints)
    one = next(s for s in shown["slices"] if s["parameter"] == "threshold")
    params = history.trial(shown["around"]).proposal.params
    points = [problem.space.encode({**params, "threshold": x}) for x in one["x"]]
    expected = edge.probability(np.array(points))
    assert one["values"][-1]["mean"] == pytest.approx(expected, abs=1e-4)


def test_the_models_of_a_long_study_are_those_of_some_of_its_trials(monkeypatch):
    monkeypatch.setattr(models, "MOST_TRIALS", 20)
    problem, history = made()
    seen = thinned(history)
    assert len(seen.done) == 20
    params = [t.proposal.params for t in history.done]
    assert [params.index(t.proposal.params) for t in seen.done][-1] == 59
    assert all(
        seen.trial(n).evaluation.metrics == truth(seen.trial(n).proposal.params)
        for n in range(20)
    )
    assert {m.trials for m in models_of(problem, seen) if m.kind == "constraint"} == {
        20
    }


def test_a_corrected_and_a_pruned_trial_survive_the_thinning(monkeypatch):
    monkeypatch.setattr(models, "MOST_TRIALS", 3)
    story = Told(problem_of())
    for number in range(5):
        story.propose(number, {"depth": 1, "rate": 0.1 * (number + 1), "kind": "if"})
        story.submit(number, number, "w")
        found = {"accuracy": 0.5, "spikes": 3.0, "silence_margin": -1.0}
        if number == 0:
            story.fail(9, number, "lost")
            story.finish(10, number, kind=Kind.CORRECTED, metrics=found)
        else:
            data = {"step": 2, "metrics": {}}
            story.say(Kind.REPORTED, 9.0, number, 1, data)
            story.finish(10, number, metrics=found, stopped="pruned")
    seen = thinned(story.history)
    assert [t.is_pruned for t in seen.done] == [False, True, True]
    assert not seen.failed


def test_a_short_history_is_not_thinned():
    _, history = made()
    assert thinned(history) is history


def test_without_a_front_or_with_few_trials_there_is_a_reason():
    problem = toy_problem()
    empty = models_json(problem, Story(problem).history, ())
    assert (empty["targets"], empty["slices"], empty["maps"]) == ([], [], [])
    assert "no front" in empty["note"]
    history: History = toy_history(LEAST_TRIALS - 1)
    front = front_of(problem, history.done).numbers
    assert front
    few = models_json(problem, history, front)
    assert f"fewer than {LEAST_TRIALS}" in few["note"]


def test_a_study_that_never_met_the_edge_has_no_probability():
    problem, history = made()
    quiet = problem_of(SPACE, constraints=(Constraint(metric="energy", upper=5.0),))
    assert [m.kind for m in models_of(quiet, history)] == ["objective"] * 2 + [
        "constraint"
    ]
    assert any(m.kind == "probability" for m in models_of(problem, history))
