"""The interactive figure shows what the journal holds, wherever it belongs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moosnn.history import History
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.interactive import front_figure
from tests.helpers import Story, toy_problem
from tests.tracking.compared_kinds import RULES, compared
from tests.tracking.repeats import ACCURACY_SEM, SPIKES_SEM, lucky
from tests.tracking.test_summary import POINT, evaluation

CONSTRAINT = Constraint(metric="silence_margin", upper=0.0, voids=True)


def figure(problem: Problem, history: History) -> dict[str, Any]:
    """The figure as the JSON that a browser draws; plotly has checked every name."""
    made = front_figure(problem, history)
    assert made is not None
    return json.loads(made.to_json())


def traces(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {t["name"]: t for t in made["data"] if "name" in t}


def story(problem: Problem) -> History:
    """Front 0 and 3; 1 dominated, 2 and 4 beyond the edge, 5 failed."""
    told = Story(problem)
    for width, measured in (
        (16, evaluation(0.9, 100.0)),
        (17, evaluation(0.5, 200.0)),
        (18, evaluation(0.95, 1.0, margin=0.2)),
        (19, evaluation(0.7, 10.0)),
    ):
        told.finish_with(told.propose({**POINT, "width": width}), measured)
    stopped = told.propose({**POINT, "width": 20})
    told.finish(stopped, stopped="silent", silence_margin=2.0)
    told.fail(told.propose({**POINT, "width": 21}))
    return told.history


def test_every_evaluated_trial_is_drawn_where_it_belongs() -> None:
    made = figure(toy_problem(), story(toy_problem()))
    found = traces(made)
    assert list(found) == [
        "beyond, trained (1)",
        "beyond, stopped early (1)",
        "dominated (1)",
        "front (2)",
        "reference",
    ]
    front = found["front (2)"]
    assert (front["x"], front["y"]) == ([10.0, 100.0], [0.7, 0.9])
    steps = next(t for t in made["data"] if t["mode"] == "lines")
    assert (steps["x"], steps["line"]["shape"]) == (front["x"], "hv")
    assert found["dominated (1)"]["x"] == [200.0]
    beyond = found["beyond, trained (1)"]
    assert (beyond["x"], beyond["y"], beyond["xaxis"]) == ([0.2], [0.95], "x2")
    ticks = found["beyond, stopped early (1)"]
    assert (ticks["x"], ticks["xaxis"], ticks["yaxis"]) == ([2.0], "x2", "y2")
    assert (found["reference"]["x"], found["reference"]["y"]) == ([1e4], [0.3])
    assert made["layout"]["title"]["text"] == "front, hypervolume 1.600"
    assert len({t["marker"]["symbol"] for t in found.values()}) == len(found)


def test_the_edge_is_the_border_between_the_panels() -> None:
    layout = figure(toy_problem(), story(toy_problem()))["layout"]
    assert layout["xaxis"]["type"] == "log"
    assert layout["yaxis"]["type"] == "linear"
    assert layout["xaxis2"]["range"] == [pytest.approx(2.1), 0.0]
    assert layout["xaxis2"]["domain"][1] < layout["xaxis"]["domain"][0]
    edge = next(s for s in layout["shapes"] if s["type"] == "line")
    assert (edge["xref"], edge["x0"], edge["x1"]) == ("x2 domain", 1, 1)
    assert layout["annotations"][0]["text"] == "beyond the edge: 2"


def test_a_trial_tells_its_numbers() -> None:
    told = traces(figure(toy_problem(), story(toy_problem())))
    text = told["front (2)"]["text"][1]
    lines = text.split("<br>")
    assert lines[:3] == ["<b>trial 0</b>", "accuracy 0.900", "spikes_per_sample 100"]
    assert {"width=16", "neuron=if"} < set(lines)
    assert "tau_steps" not in text  # inactive
    assert "stopped: silent" in told["beyond, stopped early (1)"]["text"][0]


def test_names_are_no_markup() -> None:
    objective = Objective(metric="a<b>c", goal="max", reference=0.0)
    other = Objective(metric="d", goal="min", reference=1.0)
    problem = toy_problem(objectives=(objective, other), constraints=())
    told = Story(problem)
    told.finish(told.propose(POINT), **{"a<b>c": 1.0, "d": 0.5})
    made = traces(figure(problem, told.history))
    assert "a&lt;b&gt;c 1" in made["front (1)"]["text"][0]


def test_without_a_front_or_a_voiding_constraint() -> None:
    empty = figure(toy_problem(), Story(toy_problem()).history)
    assert "front (0)" in traces(empty)
    assert empty["layout"]["title"]["text"] == "front, hypervolume 0.000"
    hard = toy_problem(constraints=(Constraint(metric="silence_margin", upper=0.0),))
    made = figure(hard, story(toy_problem()).prefix(13))
    assert made["layout"]["xaxis"]["domain"] == [0.0, 1.0]
    assert "xaxis2" not in made["layout"]
    assert {"front (2)", "infeasible (1)"} < set(traces(made))


def test_what_lies_below_a_log_axis_lies_on_its_floor() -> None:
    spikes = Objective(
        metric="spikes_per_sample", goal="min", reference=1e4, scale="log", floor=0.5
    )
    accuracy = Objective(metric="accuracy", goal="max", reference=0.3)
    problem = toy_problem(objectives=(accuracy, spikes))
    told = Story(problem)
    told.finish_with(told.propose(POINT), evaluation(0.9, 0.0))
    assert traces(figure(problem, told.history))["front (1)"]["x"] == [0.5]


def test_one_objective_has_no_front_to_draw() -> None:
    problem = toy_problem(objectives=toy_problem().objectives[:1])
    assert front_figure(problem, story(problem)) is None


def three() -> tuple[Problem, History]:
    """Three objectives: front 0 and 1, 2 dominated, 3 beyond the edge."""
    third = Objective(metric="size", goal="min", reference=1e6, scale="log")
    problem = toy_problem(objectives=(*toy_problem().objectives, third))
    told = Story(problem)
    for width, accuracy, size in ((16, 0.9, 1000.0), (17, 0.8, 10.0), (18, 0.7, 1e4)):
        metrics = {**evaluation(accuracy, float(width)).metrics, "size": size}
        told.finish(told.propose({**POINT, "width": width}), **metrics)
    silent = evaluation(0.6, 1.0, margin=0.2).metrics
    told.finish(told.propose({**POINT, "width": 19}), **silent, size=1.0)
    return problem, told.history


def test_three_objectives_are_a_matrix_of_panels() -> None:
    """Rows: spikes, accuracy; columns: size, spikes."""
    made = figure(*three())
    places = {
        (t["xaxis"], t["yaxis"]): (t["x"], t["y"])
        for t in made["data"]
        if t.get("name") == "front (2)"
    }
    size, spikes, accuracy = [1000.0, 10.0], [16.0, 17.0], [0.9, 0.8]
    assert {k: sorted(zip(*v, strict=True)) for k, v in places.items()} == {
        ("x", "y2"): sorted(zip(size, accuracy, strict=True)),
        ("x2", "y2"): sorted(zip(spikes, accuracy, strict=True)),
        ("x", "y"): sorted(zip(size, spikes, strict=True)),
    }
    layout = made["layout"]
    titles = [
        layout[a]["title"]["text"] for a in ("xaxis", "xaxis2", "yaxis", "yaxis2")
    ]
    assert [title.split("<br>")[0] for title in titles] == [
        "size", "spikes per sample", "spikes per sample", "accuracy",
    ]  # fmt: skip
    kinds = [layout[a]["type"] for a in ("xaxis", "xaxis2", "yaxis", "yaxis2")]
    assert kinds == ["log", "log", "log", "linear"]
    assert layout["yaxis"]["domain"][0] > layout["yaxis2"]["domain"][1]
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]


def test_a_panel_has_the_steps_of_its_two_objectives() -> None:
    """Trial 0 is more accurate with fewer spikes; 1 is the smallest."""
    steps = [t for t in figure(*three())["data"] if t["mode"] == "lines"]
    found = {(t["xaxis"], t["yaxis"]): (t["x"], t["y"]) for t in steps}
    assert found == {
        ("x", "y2"): ([10.0, 1000.0], [0.8, 0.9]),
        ("x2", "y2"): ([16.0], [0.9]),
        ("x", "y"): ([10.0, 1000.0], [17.0, 16.0]),
    }


def test_the_legend_names_everything_once_and_is_of_all_panels() -> None:
    made = figure(*three())
    shown = [t["name"] for t in made["data"] if t.get("showlegend", True)]
    assert sorted(shown) == [
        "beyond, stopped early (0)",
        "beyond, trained (1)",
        "dominated (1)",
        "front (2)",
        "reference",
    ]
    fronts = [t for t in made["data"] if t.get("name") == "front (2)"]
    assert [t["legendgroup"] for t in fronts] == ["front (2)"] * 3
    assert all(t["text"][0].startswith("<b>trial ") for t in fronts)


def test_the_corner_of_the_matrix_lies_beyond_the_edge() -> None:
    made = figure(*three())
    beyond = traces(made)["beyond, trained (1)"]
    assert (beyond["xaxis"], beyond["yaxis"]) == ("x3", "y3")
    assert (beyond["x"], beyond["y"]) == ([0.2], [0.6])
    layout = made["layout"]
    assert layout["yaxis3"]["domain"] == layout["yaxis"]["domain"]
    assert layout["xaxis3"]["domain"] == layout["xaxis2"]["domain"]
    assert layout["yaxis3"]["matches"] == "y2"  # of the accuracy
    bare = toy_problem(objectives=three()[0].objectives, constraints=())
    assert "xaxis3" not in figure(bare, Story(bare).history)["layout"]


def test_a_repeated_member_is_one_marker_with_its_errors() -> None:
    found = traces(figure(toy_problem(), lucky().history))
    front = found["front (2)"]
    assert front["x"] == pytest.approx([20.0, 200.0])
    assert front["y"] == pytest.approx([0.6, 0.8])
    assert front["error_x"]["array"] == pytest.approx([SPIKES_SEM, 0.0])
    assert front["error_y"]["array"] == pytest.approx([ACCURACY_SEM, 0.0])
    twice, once = front["text"]
    assert "means of trials 2, 4" in twice
    assert "accuracy 0.600 ± 0.148" in twice
    assert "±" not in once
    assert "means" not in once
    single = traces(figure(toy_problem(), story(toy_problem())))
    assert "error_x" not in single["front (2)"]


def test_each_kind_has_its_colour_and_its_members_a_shape() -> None:
    made = figure(*compared())
    shown = {n: t for n, t in traces(made).items() if t.get("showlegend") is not False}
    assert list(shown)[2:] == [
        "bptt (2 of 3)",
        "ssgd (0 of 2)",
        "stdp (0 of 0)",
        "reference",
    ]
    best = shown["bptt (2 of 3)"]
    assert (best["x"], best["y"]) == ([1.0, 5.0], [0.5, 0.9])
    groups: dict[str, list[dict[str, Any]]] = {rule: [] for rule in RULES}
    for trace in made["data"]:
        if "legendgroup" in trace:
            groups[trace["legendgroup"]].append(trace)
    drawn = {rule: sum(len(t["text"]) for t in groups[rule]) for rule in RULES}
    assert drawn == {"bptt": 3, "ssgd": 2, "stdp": 0}
    markers = {rule: [t["marker"] for t in groups[rule]] for rule in RULES}
    colours = [{marker["color"] for marker in markers[rule]} for rule in RULES]
    assert [len(own) for own in colours] == [1, 1, 1]
    assert len(set.union(*colours)) == len(RULES)
    symbols = [markers[rule][1]["symbol"] for rule in RULES]
    assert len({*symbols, "circle", "triangle-up", "x"}) == len(RULES) + 3


def test_a_trial_tells_its_kind_first() -> None:
    made = traces(figure(*compared()))
    assert made["bptt (2 of 3)"]["text"][0].startswith("<b>bptt: trial 1</b><br>")


def test_every_kind_that_a_picture_can_draw_has_a_symbol() -> None:
    many = [f"rule_{k}" for k in range(8)]
    problem, history = compared(many)
    assert (
        len([t for t in figure(problem, history)["data"] if "legendgroup" in t]) == 16
    )
