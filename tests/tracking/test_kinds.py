"""Kinds of points: which choice tells them apart, how they are shown."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console as Terminal

from moosnn.history import History
from moosnn.problem import Objective, Problem
from moosnn.space import Space
from moosnn.tracking.front_plot import front_figure
from moosnn.tracking.front_table import print_front
from moosnn.tracking.kinds import kinds_of, telling
from tests.helpers import Story

RULES = ["bptt", "ssgd", "stdp"]


def space(**parameters: object) -> Space:
    return Space.from_config({"lr": {"float": [0.0, 1.0]}, **parameters})


def test_a_searched_rule_tells_kinds_apart_before_a_searched_architecture() -> None:
    rule, family = {"choice": RULES}, {"choice": ["mlp", "cnn"]}
    assert telling(space()) is None
    assert telling(space(neuron={"choice": ["if", "lif"]})) is None
    assert telling(space(architecture=family)) == "architecture"
    assert telling(space(architecture=family, training=rule)) == "training"
    assert kinds_of(space()) == ()


def test_kinds_differ_in_colour_and_shape() -> None:
    kinds = kinds_of(space(training={"choice": RULES}))
    assert [kind.option for kind in kinds] == RULES
    assert len({kind.colour for kind in kinds}) == len(RULES)
    assert len({kind.marker for kind in kinds}) == len(RULES)


def compared() -> tuple[Problem, History]:
    """Five trials; of bptt two are on the front and one is not, of ssgd two are not."""
    problem = Problem(
        space=space(training={"choice": RULES}),
        objectives=(
            Objective(metric="accuracy", goal="max", reference=0.0),
            Objective(metric="spikes", goal="min", reference=10.0),
        ),
    )
    rows: Sequence[tuple[str, float, float]] = [
        ("bptt", 0.9, 5.0),
        ("bptt", 0.5, 1.0),
        ("bptt", 0.4, 2.0),
        ("ssgd", 0.8, 6.0),
        ("ssgd", 0.3, 3.0),
    ]
    told = Story(problem)
    for k, (rule, accuracy, spikes) in enumerate(rows):
        number = told.propose({"lr": k / 10, "training": rule})
        told.finish(number, accuracy=accuracy, spikes=spikes)
    return problem, told.history


def test_the_picture_says_which_kind_wins_where() -> None:
    problem, history = compared()
    (legend,) = front_figure(problem, history).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["bptt (2 of 3)", "ssgd (0 of 2)", "stdp (0 of 0)", "reference"]


def test_the_table_says_which_kind_a_member_is() -> None:
    problem, history = compared()
    written = io.StringIO()
    print_front(Terminal(file=written, width=100), problem, history)
    rows = [line.split() for line in written.getvalue().splitlines()]
    assert ["trial", "training", "accuracy", "spikes"] in rows
    assert ["0", "bptt", "0.900", "5"] in rows
