"""Slices and maps of a study's models around one point.

Knows: models as functions on the unit cube, spaces. Must not know: what models are.

A slice moves one parameter of a front member through its range while the others stay, a
map two of them. What a move makes exist, such as the width of a second layer, has its
middle value.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from moosnn.history import History
from moosnn.parameters import Parameter
from moosnn.problem import Floats, Problem
from moosnn.space import Choice, Params, Value
from moosnn.tracking.page.models import (
    LEAST_TRIALS,
    MOST_TRIALS,
    Model,
    models_of,
    thinned,
)
from moosnn.tracking.page.plain import plain_values, plains

_SLICE_POINTS = 25
_MAP_POINTS = 21
_MAP_PARAMETERS = 4  # the most telling ones; each two of them make a map
_TINY = 1e-12  # a model whose mean varies less is flat
_NOTE = (
    "Gaussian processes, fitted to the trials of the study; all other parameters are "
    "those of trial {around}. The band holds the expected value with 95 %; single "
    "trainings scatter around it. Far from any trial a model knows little, and says "
    "its mean."
)


def models_json(
    problem: Problem, history: History, front: Sequence[int]
) -> dict[str, Any]:
    """The slices and maps as the page has them.

    Args:
        problem: of the study.
        history: of the study.
        front: its trial numbers, by ascending first loss.
    """
    if not front:
        return no_models(
            "Nothing to show: no front; there is no point to look around from."
        )
    around = front[len(front) // 2]
    seen = thinned(history)
    models = models_of(problem, seen)
    if not models:
        return no_models(
            f"Nothing to show: fewer than {LEAST_TRIALS} trials have measured anything."
        )
    params = history.trial(around).proposal.params
    slices = [
        _slice(problem, params, name, models)
        for name in problem.space.active(params)
        if len(_values(problem, name)) > 1
    ]
    pairs = combinations(_telling(problem, slices, models), 2)
    notes = [_NOTE.format(around=around)]
    if len(history.done) > MOST_TRIALS:
        notes.append(f"Of {MOST_TRIALS} trials, spread evenly over the study.")
    return {
        "around": around,
        "trials": len(seen.done),
        "note": " ".join(notes),
        "targets": [model.to_json() for model in models],
        "slices": [
            _slice_json(problem.space.parameters[name], name, found)
            for name, found in slices
        ],
        "maps": [_map(problem, params, pair, models) for pair in pairs],
    }


def no_models(note: str) -> dict[str, Any]:
    """No slices and no maps, and why."""
    empty: dict[str, Any] = {"targets": [], "slices": [], "maps": []}
    return {"around": None, "trials": 0, "note": note, **empty}


Slice = tuple[str, tuple[Sequence[Value], list[Floats]]]


def _slice(
    problem: Problem, params: Params, name: str, models: Sequence[Model]
) -> Slice:
    """What every model says along one parameter."""
    values = _values(problem, name)
    points = _points(problem, params, [name], [(value,) for value in values])
    return name, (values, [model.predict(points) for model in models])


def _slice_json(
    parameter: Parameter, name: str, found: tuple[Sequence[Value], list[Floats]]
) -> dict[str, Any]:
    values, said = found
    keys = ("mean", "low", "high")
    return {
        "parameter": name,
        "x": plain_values(parameter, values),
        "values": [
            {key: plains(row) for key, row in zip(keys, rows, strict=False)}
            for rows in said
        ],
    }


def _map(
    problem: Problem, params: Params, names: tuple[str, str], models: Sequence[Model]
) -> dict[str, Any]:
    across, up = (_values(problem, name, _MAP_POINTS) for name in names)
    points = _points(problem, params, names, [(x, y) for y in up for x in across])
    shape = len(up), len(across)
    parameters = problem.space.parameters
    return {
        "x_parameter": names[0],
        "y_parameter": names[1],
        "x": plain_values(parameters[names[0]], across),
        "y": plain_values(parameters[names[1]], up),
        "values": [
            [plains(row) for row in model.predict(points)[0].reshape(shape)]
            for model in models
        ],
    }


def _telling(
    problem: Problem, slices: Sequence[Slice], models: Sequence[Model]
) -> list[str]:
    """The numeric parameters along which the models vary most, in the space's order.

    Each model has the same say: how far its mean varies along a parameter (on a log
    axis by the logarithm) as a share of how far it varies along the most telling one.
    """
    parameters = problem.space.parameters
    numeric = [one for one in slices if not isinstance(parameters[one[0]], Choice)]
    spans = np.array(
        [
            [
                np.ptp(np.log10(rows[0]) if model.log else rows[0])
                for rows, model in zip(said, models, strict=True)
            ]
            for _, (_, said) in numeric
        ]
    ).reshape(len(numeric), len(models))
    shares = spans / np.maximum(spans.max(axis=0, initial=0.0), _TINY)
    best = np.argsort(-shares.sum(axis=1), kind="stable")[:_MAP_PARAMETERS]
    return [numeric[row][0] for row in sorted(best)]


def _values(problem: Problem, name: str, most: int = _SLICE_POINTS) -> Sequence[Value]:
    """Up to ``most`` values spread over a range; of a choice every option."""
    parameter = problem.space.parameters[name]
    count = parameter.count
    if isinstance(parameter, Choice) or (count is not None and count <= most):
        return list(parameter.values())
    spread = (parameter.decode(float(c)) for c in np.linspace(0.0, 1.0, most))
    return sorted({value for value in spread})


def _points(
    problem: Problem,
    params: Params,
    names: Sequence[str],
    rows: Sequence[tuple[Value, ...]],
) -> Floats:
    """Points where some parameters have rows of values, ``n x d`` in the unit cube.

    A model makes them canonical itself.
    """
    space = problem.space
    points = np.tile(space.encode(params), (len(rows), 1))
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        encode = space.parameters[name].encode
        points[:, list(space).index(name)] = [encode(value) for value in values]
    return points
