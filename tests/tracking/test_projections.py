"""The matrix of projections shows what the journal holds, in every two objectives."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from moosnn.history import History
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Space
from moosnn.tracking.comparison import compared
from moosnn.tracking.comparison_fronts import fronts_comparison
from moosnn.tracking.front_plot import axis_label, front_figure
from moosnn.tracking.grouping import group
from moosnn.tracking.projections import cells
from moosnn.tracking.report import write_study
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import ACCURACY_SEM, SPIKES_SEM, lucky

ACCURACY = Objective(metric="accuracy", goal="max", reference=0.3)
SPIKES = Objective(metric="spikes", goal="min", reference=1e4, scale="log", floor=1.0)
SIZE = Objective(metric="size", goal="min", reference=100.0)
LOST = Objective(metric="lost", goal="min", reference=0.5)
EDGE = Constraint(metric="silence_margin", upper=0.0, voids=True)
BOUND = Constraint(metric="weights", upper=9.0)
RULES = ["bptt", "ssgd"]

# accuracy, spikes, size, lost, margin, weights
ROWS = (
    (0.9, 100.0, 50.0, 0.1, -1.0, 1.0),  # the most accurate
    (0.8, 10.0, 60.0, 0.2, -1.0, 1.0),  # the quietest; behind 2 in accuracy and size
    (0.85, 200.0, 20.0, 0.3, -1.0, 1.0),  # the smallest
    (0.7, 300.0, 70.0, 0.4, -1.0, 1.0),  # dominated by all
    (0.99, 0.5, 1.0, 0.0, -1.0, 10.0),  # weights: infeasible, its spikes below the axis
    (0.6, 1.0, 1.0, 0.0, 0.2, 1.0),  # silent
)


def problem(count: int = 3, constraints: tuple[Constraint, ...] = (EDGE, BOUND)):
    space = Space.from_config(
        {"lr": {"float": [0.0, 1.0]}, "training": {"choice": RULES}}
    )
    plain = Space.from_config({"lr": {"float": [0.0, 1.0]}})
    objectives = (ACCURACY, SPIKES, SIZE, LOST)[:count]
    return {
        "plain": Problem(space=plain, objectives=objectives, constraints=constraints),
        "kinds": Problem(space=space, objectives=objectives, constraints=constraints),
    }


def story(of: Problem) -> History:
    told = Story(of)
    names = ("accuracy", "spikes", "size", "lost", "silence_margin", "weights")
    for k, row in enumerate(ROWS):
        point = {"lr": k / 10, "training": RULES[k % 2]}
        number = told.propose({n: v for n, v in point.items() if n in of.space})
        told.finish(number, **dict(zip(names, row, strict=True)))
    stopped = {"lr": 1.0, "training": RULES[0]}
    number = told.propose({n: v for n, v in stopped.items() if n in of.space})
    told.finish(number, stopped="silent", silence_margin=2.0, weights=1.0)
    return told.history


def panels(figure: Figure) -> dict[tuple[str, str], Axes]:
    """The cells by what lies across and upwards; told by who shares labelled axes."""
    found = {}
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        assert spec is not None
        row, column = spec.rowspan.start, spec.colspan.start
        side = spec.get_gridspec().nrows
        if column <= row:
            across = next(a for a in figure.axes if at(a) == (side - 1, column))
            upwards = next(a for a in figure.axes if at(a) == (row, 0))
            names = (across.get_xlabel(), upwards.get_ylabel())
            found[tuple(name.split("\n")[0] for name in names)] = axes
    return found  # type: ignore[return-value]  # two names


def at(axes: Axes) -> tuple[int, int]:
    spec = axes.get_subplotspec()
    assert spec is not None
    return spec.rowspan.start, spec.colspan.start


def drawn(axes: Axes) -> dict[str, list[list[float]]]:
    return {str(line.get_label()): line.get_xydata().tolist() for line in axes.lines}


@pytest.mark.parametrize("count", [3, 4])
def test_each_two_objectives_have_one_panel_in_the_lower_triangle(count: int) -> None:
    of = problem(count)["plain"]
    found = panels(front_figure(of, story(of)))
    names = [o.metric for o in of.objectives]
    assert {frozenset(pair) for pair in found} == {
        frozenset(pair) for pair in combinations(names, 2)
    }
    assert all(across != "accuracy" for across, _ in found)
    places = {(row, column) for row, column, _ in cells(of.objectives)}
    assert {at(axes) for axes in found.values()} == places
    assert all(column <= row for row, column in places)
    assert [at(found[name, "accuracy"])[0] for name in names[1:]] == [count - 2] * (
        count - 1
    )


def test_every_panel_holds_every_observed_point() -> None:
    of = problem(4)["plain"]
    columns = {o.metric: k for k, o in enumerate((ACCURACY, SPIKES, SIZE, LOST))}
    values = np.array(ROWS)
    values[:, 1] = np.maximum(values[:, 1], 1.0)  # the floor of a log axis
    found = panels(front_figure(of, story(of)))
    assert len(found) == 6
    for (across, upwards), axes in found.items():
        lines = drawn(axes)
        x, y = values[:, columns[across]], values[:, columns[upwards]]
        pairs = np.stack([x, y], axis=1)
        assert sorted(lines["front (3)"]) == sorted(pairs[:3].tolist())
        assert lines["dominated (1)"] == pairs[3:4].tolist()
        assert lines["infeasible (1)"] == pairs[4:5].tolist()
        assert axes.get_xscale() == ("log" if across == "spikes" else "linear")
        assert axes.get_yscale() == ("log" if upwards == "spikes" else "linear")


def test_the_steps_of_a_panel_lead_along_what_is_best_in_its_two_alone() -> None:
    of = problem()["plain"]
    found = panels(front_figure(of, story(of)))
    steps = {
        pair: next(s for s in axes.lines if s.get_drawstyle() == "steps-post")
        for pair, axes in found.items()
    }
    assert {pair: line.get_xydata().tolist() for pair, line in steps.items()} == {
        ("spikes", "accuracy"): [[10.0, 0.8], [100.0, 0.9]],
        ("size", "accuracy"): [[20.0, 0.85], [50.0, 0.9]],
        ("size", "spikes"): [[20.0, 200.0], [50.0, 100.0], [60.0, 10.0]],
    }


def test_every_panel_marks_its_own_reference() -> None:
    of = problem()["plain"]
    found = panels(front_figure(of, story(of)))
    marks = {pair: drawn(axes)["reference"] for pair, axes in found.items()}
    assert marks == {
        ("spikes", "accuracy"): [[1e4, 0.3]],
        ("size", "accuracy"): [[100.0, 0.3]],
        ("size", "spikes"): [[100.0, 1e4]],
    }


def test_the_corner_holds_what_lies_beyond_the_edge() -> None:
    of = problem(4)["plain"]
    figure = front_figure(of, story(of))
    corner = next(axes for axes in figure.axes if at(axes) == (0, 2))
    lines = drawn(corner)
    assert lines["beyond, trained (1)"] == [[0.2, 0.6]]
    assert lines["beyond, stopped early (1)"] == [[2.0, 0.0]]
    assert corner.get_title(loc="left") == "beyond the edge: 2"
    lowest = panels(figure)["lost", "accuracy"]
    assert corner.get_ylim() == lowest.get_ylim()
    without = problem(3, constraints=())["plain"]
    told = Story(without)
    told.finish(told.propose({"lr": 0.1}), accuracy=0.5, spikes=2.0, size=5.0)
    assert len(front_figure(without, told.history).axes) == 3


def test_the_legend_and_the_title_are_of_all_panels() -> None:
    of = problem()["plain"]
    figure = front_figure(of, story(of))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "beyond, trained (1)",
        "beyond, stopped early (1)",
        "infeasible (1)",
        "dominated (1)",
        "front (3)",
        "reference",
    ]
    assert figure.get_suptitle().startswith("front (3), hypervolume ")


def test_kinds_have_their_colours_in_every_panel() -> None:
    of = problem()["kinds"]
    figure = front_figure(of, story(of))
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words[2:] == [
        "infeasible (1)",
        "bptt (2 of 2)",
        "ssgd (1 of 2)",
        "reference",
    ]
    for axes in panels(figure).values():
        lines = {str(line.get_label()): line for line in axes.lines}
        colours = {lines[w].get_color() for w in ("bptt (2 of 2)", "ssgd (1 of 2)")}
        assert len(colours) == 2
        assert len(lines["bptt (2 of 2)"].get_xydata()) == 2


def test_a_repeated_member_has_its_errors_in_every_panel() -> None:
    third = Objective(metric="silence_margin", goal="min", reference=1.0)
    of = toy_problem(objectives=(*toy_problem().objectives, third))
    found = panels(front_figure(of, lucky().history))
    (across,), (up,) = (
        bars.get_segments()
        for bars in found["spikes per sample", "accuracy"].collections
    )
    assert across[:, 0] == pytest.approx([20 - SPIKES_SEM, 20 + SPIKES_SEM])
    assert up[:, 1] == pytest.approx([0.6 - ACCURACY_SEM, 0.6 + ACCURACY_SEM])
    assert len(found["silence margin", "accuracy"].collections) == 2


def test_labels_say_a_unit_unless_the_name_does() -> None:
    def label(metric: str, unit: str) -> str:
        objective = Objective(metric=metric, goal="min", reference=1.0, unit=unit)
        return axis_label(objective).partition(",")[0]

    assert label("energy_nj", "nJ") == "energy (nJ)"
    assert label("stopping_time", "s") == "stopping time (s)"
    assert label("training_s", "s") == "training (s)"
    assert label("size", "") == "size"


def test_a_dotted_metric_is_told_in_words_and_its_axis_in_two_lines() -> None:
    name = "lost_worst.pcm_month"
    dotted = Objective(metric=name, goal="min", reference=0.5)
    assert axis_label(dotted) == "lost worst, pcm month, lower is better"
    objectives = (ACCURACY, SPIKES, dotted)
    of = Problem(space=problem()["plain"].space, objectives=objectives, constraints=())
    told = Story(of)
    told.finish(told.propose({"lr": 0.1}), accuracy=0.9, spikes=9.0, **{name: 0.1})
    labels = {axes.get_xlabel() for axes in front_figure(of, told.history).axes}
    assert "lost worst, pcm month\nlower is better" in labels


def shown(axis: Axis) -> list[Text]:
    """The numbers that stand at an axis."""
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if low <= tick.get_loc() <= high
        and tick.label1.get_visible()
        and tick.label1.get_text()
    ]


@pytest.mark.parametrize("low", [180.0, 410.0, 99000.0, 0.001])
def test_the_numbers_at_short_log_axes_do_not_overlap(low: float) -> None:
    objectives = [
        replace(SPIKES, reference=5.0 * low, floor=low / 2),
        replace(SIZE, reference=9.0 * low, scale="log", floor=low / 2),
        replace(LOST, reference=1.5 * low, scale="log", floor=low / 2),
    ]
    plain = problem()["plain"]
    of = Problem(space=plain.space, objectives=(ACCURACY, *objectives), constraints=())
    told = Story(of)
    number = told.propose({"lr": 0.1})
    told.finish(number, accuracy=0.9, spikes=low, size=low, lost=low)
    figures = [
        front_figure(of, told.history),
        fronts_comparison(group([compared("a", {}, of, told.history, 1)])),
    ]
    for figure in figures:
        figure.draw_without_rendering()
        boxes = [
            label.get_window_extent()
            for axes in figure.axes
            for axis in (axes.xaxis, axes.yaxis)
            for label in shown(axis)
        ]
        assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


def test_inner_panels_have_no_numbers() -> None:
    short = replace(SPIKES, reference=900.0)
    plain = problem(4)["plain"]
    objectives = (ACCURACY, LOST, short, replace(SIZE, scale="log", floor=1.0))
    of = Problem(space=plain.space, objectives=objectives, constraints=())
    told = Story(of)
    number = told.propose({"lr": 0.1})
    told.finish(number, accuracy=0.9, spikes=180.0, size=20.0, lost=0.1)
    figure = front_figure(of, told.history)
    figure.draw_without_rendering()
    for axes in figure.axes:
        row, column = at(axes)
        for axis, outer in ((axes.xaxis, row == 2), (axes.yaxis, column == 0)):
            count = len(shown(axis))
            assert count > 1 if outer else count == 0


@pytest.mark.parametrize("count", [3, 4, 5])
def test_no_words_of_a_matrix_overlap(count: int) -> None:
    extra = Objective(
        metric="a_rather_long_name", goal="min", reference=1.0, unit="units"
    )
    plain = problem(min(count, 4))["kinds"]
    objectives = (*plain.objectives, extra)[:count]
    of = Problem(space=plain.space, objectives=objectives, constraints=(EDGE, BOUND))
    told = Story(of)
    for k, row in enumerate(ROWS):
        number = told.propose({"lr": k / 10, "training": RULES[k % 2]})
        names = ("accuracy", "spikes", "size", "lost", "silence_margin", "weights")
        told.finish(number, **dict(zip(names, row, strict=True)), a_rather_long_name=k)
    figure = front_figure(of, told.history)
    figure.draw_without_rendering()
    labels = [
        label
        for axes in figure.axes
        for label in (axes.xaxis.label, axes.yaxis.label, axes.title)
        if label.get_text()
    ]
    boxes = [label.get_window_extent() for label in labels]
    boxes += [figure.legends[0].get_window_extent()]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    assert not [
        (box, axes)
        for box in boxes
        for axes in figure.axes
        if box.overlaps(axes.get_window_extent())
    ]


def test_a_study_without_trials_can_be_drawn_and_its_tables_have_all_objectives(
    tmp_path: Path,
) -> None:
    of = problem()["plain"]
    history = Story(of).history
    assert "front (0)" in drawn(front_figure(of, history).axes[0])
    shown = story(of)
    study = compared("study", {}, of, shown, 10)
    names = write_study(tmp_path, shown, group([study]))
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    header = (tmp_path / "front.csv").read_text().splitlines()[0].split(",")
    assert [o.metric for o in of.objectives] == header[1:4]
