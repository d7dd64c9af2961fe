"""What the picture of the edge shows, read back from its artists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from moosnn.tracking.edge import Survey, is_beyond
from moosnn.tracking.edge_plot import edge_figure
from moosnn.tracking.front_plot import front_figure
from tests.tracking.edges import margin, retrained, true_survey

FELL = "fell silent when trained again"


@pytest.fixture(scope="module")
def tested() -> Survey:
    history = retrained({1: [-0.1, 0.1, 0.2], 7: [-0.1, -0.2, 0.0]})
    return true_survey(history, names=["threshold", "steps"])


@pytest.fixture(scope="module")
def axes(tested: Survey) -> Axes:
    return edge_figure(tested).axes[0]


def points(axes: Axes, begin: str) -> set[tuple[float, float]]:
    """The points of the marks whose legend begins so."""
    (line,) = (one for one in axes.lines if str(one.get_label()).startswith(begin))
    return set(zip(*map(list, line.get_data()), strict=True))


def test_axes_are_in_natural_units_and_as_the_parameters(axes: Axes) -> None:
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.get_xlim() == pytest.approx((0.2, 5))
    assert axes.get_ylim() == pytest.approx((4, 32))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("threshold", "steps")


def test_the_title_says_that_it_is_a_slice(tested: Survey, axes: Axes) -> None:
    number = tested.chosen.number
    assert axes.get_title(loc="left") == (
        f"P(silent) with everything else as in trial {number}"
    )


def test_the_bold_line_is_where_the_formula_has_its_edge(
    tested: Survey, axes: Axes
) -> None:
    bold = [c for c in axes.collections if c.get_linewidth()[0] == 3.0]
    (edge,) = bold
    params = tested.chosen.member.trial.proposal.params
    vertices = np.concatenate([p.vertices for p in edge.get_paths()])
    checked = 0
    for threshold, steps in vertices:
        if steps in range(4, 33, 4):  # elsewhere it is drawn between whole values
            point = {**params, "threshold": threshold, "steps": int(steps)}
            # Within a cell of the map: the margin is 2 log10(threshold) + constant.
            cell = 2 * math.log10(5 / 0.2) / 80
            assert margin(point) == pytest.approx(0.0, abs=cell)
            checked += 1
    assert checked >= 4


def test_trials_are_told_apart_by_shape(tested: Survey, axes: Axes) -> None:
    beyond = is_beyond(tested.constraints, tested.history)
    places = [
        (float(t.proposal.params["threshold"]), float(t.proposal.params["steps"]))
        for t in tested.history.done
    ]
    silent = {place for place, is_so in zip(places, beyond, strict=True) if is_so}
    assert points(axes, "silent (36)") == silent
    assert points(axes, "working (27)") == set(places) - silent
    marks = {str(line.get_label()).split()[0]: line.get_marker() for line in axes.lines}
    assert marks["silent"] != marks["working"]


def test_members_are_stars_with_numbers_and_the_fallen_are_ringed(
    tested: Survey, axes: Axes
) -> None:
    places = {
        one.number: tuple(
            float(one.member.trial.proposal.params[name])
            for name in ("threshold", "steps")
        )
        for one in tested.members
    }
    chosen = tested.chosen.number
    assert points(axes, f"trial {chosen}") == {places[chosen]}
    assert points(axes, "front") == {p for n, p in places.items() if n != chosen}
    assert points(axes, FELL) == {places[1]}
    numbers = [n for t in axes.texts for n in t.get_text().split(", ")]
    assert sorted(map(int, numbers)) == sorted(places)


def test_without_a_fallen_member_there_is_no_ring() -> None:
    axes = edge_figure(true_survey(names=["threshold", "steps"])).axes[0]
    assert not [line for line in axes.lines if line.get_label() == FELL]


def test_trials_that_lack_a_parameter_are_not_drawn(tested: Survey) -> None:
    leaky = next(
        one.number
        for one in tested.members
        if one.member.trial.proposal.params["neuron"] != "if"
    )
    survey = true_survey(names=["tau_steps", "steps"], number=leaky)
    axes = edge_figure(survey).axes[0]
    drawn = len(points(axes, "silent")) + len(points(axes, "working"))
    having = [t for t in survey.history.done if t.proposal.params["neuron"] != "if"]
    assert drawn == len(having) < len(survey.history.done)


def test_the_picture_of_the_front_rings_them_too(tested: Survey) -> None:
    figure = front_figure(tested.problem, tested.history)
    axes = figure.axes[-1]
    (fallen,) = points(axes, FELL)
    metrics = next(one for one in tested.members if one.number == 1).member.metrics
    assert fallen == (metrics["spikes_per_sample"], metrics["accuracy"])
    bare = front_figure(tested.problem, tested.history.prefix(60)).axes[-1]
    assert not [x for x in bare.lines if str(x.get_label()).startswith(FELL)]
