"""A study that compares learning rules."""

from __future__ import annotations

from collections.abc import Sequence

from moosnn.history import History
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Space
from tests.helpers import Story

RULES = ("bptt", "ssgd", "stdp")


def compared(rules: Sequence[str] = RULES) -> tuple[Problem, History]:
    """Of the first rule two points are on the front and one is not, of the second two.

    Then one trial of the second that is silent, one that failed, and a pending one.
    """
    training = {"choice": list(rules)}
    problem = Problem(
        space=Space.from_config({"lr": {"float": [0.0, 1.0]}, "training": training}),
        objectives=(
            Objective(metric="accuracy", goal="max", reference=0.0),
            Objective(metric="spikes", goal="min", reference=10.0),
        ),
        constraints=(Constraint(metric="margin", upper=0.0, voids=True),),
    )
    first, second = rules[:2]
    rows: Sequence[tuple[str, float, float, float]] = [
        (first, 0.9, 5.0, -1.0),
        (first, 0.5, 1.0, -1.0),
        (first, 0.4, 2.0, -1.0),
        (second, 0.8, 6.0, -1.0),
        (second, 0.3, 3.0, -1.0),
        (second, 0.95, 0.5, 1.0),
    ]
    told = Story(problem)
    for k, (rule, accuracy, spikes, margin) in enumerate(rows):
        number = told.propose({"lr": k / 10, "training": rule})
        told.finish(number, accuracy=accuracy, spikes=spikes, margin=margin)
    told.fail(told.propose({"lr": 0.8, "training": second}))
    told.propose({"lr": 0.9, "training": first})
    return problem, told.history
