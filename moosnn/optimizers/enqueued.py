"""Enqueued: some given points come first, then another optimizer's.

Knows: which points were proposed. Must not know: where the points come from, models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from moosnn.errors import ConfigError, SpaceError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.base import Fresh, Optimizer, point_key, proposal
from moosnn.problem import Problem
from moosnn.space import Params, Space, Value
from moosnn.trial import Proposal

ENQUEUED = "enqueued"


class Enqueued:
    """Proposes the points that were not proposed yet, in their order.

    They count among the optimizer's initial design, and its models learn from them. A
    point that is refused (see `Problem.refusal`) is passed over: whoever takes points
    from a user refuses them before, with `checked_points`.

    Args:
        optimizer: proposes once all of them were proposed.
        points: values for each active parameter.
        origin: of their proposals.
    """

    def __init__(
        self, optimizer: Optimizer, points: Iterable[Params], origin: str = ENQUEUED
    ) -> None:
        self.optimizer = optimizer
        self.points = tuple(dict(point) for point in points)
        self.origin = origin

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`.

        Raises:
            SpaceError: a point that does not lie in the space.
        """
        fresh = Fresh(problem, history)
        found: list[Proposal] = []
        for point in self.points:
            params = problem.space.canonical(point)
            if len(found) < count and fresh(params):
                fresh.take(params)
                found.append(proposal(history, len(found), seed, params, self.origin))
        if len(found) == count:
            return found
        # The optimizer sees them as pending.
        now = extended(history, found)
        rest = self.optimizer.propose(problem, now, count - len(found), seed)
        return [*found, *(replace(one, seen=len(history)) for one in rest)]


def extended(history: History, proposals: Sequence[Proposal]) -> History:
    """The history as if some proposals had been journaled."""
    if not proposals:
        return history
    events = []
    for one in proposals:
        data = one.to_json()
        number = data.pop("number")
        events.append(Event(kind=Kind.PROPOSED, number=number, data=data))
    return History.of([*history, *events])


def checked_points(where: str, problem: Problem, raw: object) -> list[dict[str, Value]]:
    """The points of a config, each complete and admissible.

    Args:
        where: the config's key, for messages.
        problem: its space, and what may be tried.
        raw: a list of mappings from parameter to value; ``None`` = none.

    Returns:
        Canonical points.

    Raises:
        ConfigError: no list of mappings; an unknown parameter, a value out of range,
            an active parameter without one, a point that must not be tried or is there
            twice; with the place in the list.
    """
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise ConfigError(
            f"{where}: expected a list of points, e.g. [{{{next(iter(problem.space))}: "
            f"…}}], got {raw!r}."
        )
    points: list[dict[str, Value]] = []
    places: dict[tuple[object, ...], int] = {}
    for index, body in enumerate(raw):
        point = _checked_point(f"{where}[{index}]", problem, body)
        first = places.setdefault(point_key(point), index)
        if first != index:
            raise ConfigError(
                f"{where}[{index}]: the same point as {where}[{first}]; take one out."
            )
        points.append(point)
    return points


def _checked_point(where: str, problem: Problem, raw: object) -> dict[str, Value]:
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: expected a value for each parameter, got {raw!r}.")
    _check_values(where, problem.space, raw)
    missing = missing_parameters(problem.space, raw)
    if missing and raw.keys() <= problem.space.parameters.keys():
        raise ConfigError(
            f"{where}: no value for {', '.join(missing)}; a point has one for each "
            "active parameter."
        )
    try:
        point = problem.space.canonical(raw)
    except SpaceError as error:
        raise ConfigError(f"{where}: {error}") from None
    reason = problem.refusal(point)
    if reason:
        raise ConfigError(
            f"{where}: this point may not be tried: {reason.rstrip('.')}."
        )
    return point


def _check_values(where: str, space: Space, params: Params) -> None:
    """Refuse a wrong value of a partial point, before anything that it lacks."""
    for name in _surely_active(space, params):
        try:
            if name in params:
                space.parameters[name].spell(params[name])
        except SpaceError as error:
            raise ConfigError(f"{where}: parameter {name!r}: {error}") from None


def missing_parameters(space: Space, params: Params) -> list[str]:
    """The parameters that are active at a partial point and have no value there.

    What depends on one of them is not named: whether it is active is not known.
    """
    return [name for name in _surely_active(space, params) if name not in params]


def _surely_active(space: Space, params: Params) -> list[str]:
    """What is active whatever the values are that a partial point lacks."""
    # No condition holds for a value that is no number.
    return list(space.active({name: params.get(name, math.nan) for name in space}))
