"""What a study asks for, as its page has it: objectives, constraints, parameters.

Knows: problems and spaces. Must not know: what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moosnn.conditions import Condition, Value
from moosnn.parameters import Choice, Parameter
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.front_marks import metric_words
from moosnn.tracking.page.plain import plain, plain_values


def objective_json(objective: Objective) -> dict[str, Any]:
    """One axis of the front."""
    log = objective.scale == "log"
    return {
        "metric": objective.metric,
        "goal": objective.goal,
        "reference": plain(objective.reference),
        "scale": objective.scale,
        "floor": plain(objective.floor) if log else None,
        "unit": objective.unit,
        "label": metric_words(objective.metric),
    }


def constraint_json(constraint: Constraint) -> dict[str, Any]:
    """One bound."""
    return {
        "metric": constraint.metric,
        "upper": plain(constraint.upper),
        "unit": constraint.unit,
        "voids": constraint.voids,
        "label": metric_words(constraint.metric),
    }


def parameters_json(problem: Problem) -> list[dict[str, Any]]:
    """The parameters in the space's order."""
    return [_parameter_json(n, p) for n, p in problem.space.parameters.items()]


def _parameter_json(name: str, parameter: Parameter) -> dict[str, Any]:
    when = when_text(parameter) if parameter.when else None
    found = {"name": name, "kind": parameter.kind, "when": when}
    if isinstance(parameter, Choice):
        options = list(parameter.options)
        return {**found, "log": False, "low": None, "high": None, "options": options}
    low, high = plain_values(parameter, (parameter.low, parameter.high))
    return {**found, "log": parameter.log, "low": low, "high": high, "options": None}


def when_text(parameter: Parameter) -> str:
    """When a parameter exists, in words: ``depth >= 2 or neuron_1 is lif or plif``."""
    alternatives = [
        " and ".join(_condition_text(condition) for condition in group)
        for group in parameter.when
    ]
    return "; or ".join(alternatives)


def _condition_text(condition: Condition) -> str:
    name = condition.parameter
    if condition.values is not None:
        return f"{name} is {_either(condition.values)}"
    if condition.min is not None and condition.max is not None:
        return f"{condition.min:g} <= {name} <= {condition.max:g}"
    if condition.min is not None:
        return f"{name} >= {condition.min:g}"
    assert condition.max is not None, "a condition tests something"
    return f"{name} <= {condition.max:g}"


def _either(values: Sequence[Value]) -> str:
    return " or ".join(str(value) for value in values)
