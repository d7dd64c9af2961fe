"""Lines and maps around a front member: where they cross the edge.

Knows: spaces, front members; a function that gives the probability of lying beyond the
edge at points of the unit cube. Must not know: what that function is, what is shown.

From a member one parameter after the other is moved through its range while the others
stay (a *line*), and two of them together (a *map*). What a move makes exist, such as
the width of a second layer, has its middle value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from moosnn.history import History
from moosnn.pareto.edge import Crossing, Crossings, crossings, variation
from moosnn.problem import Floats, Problem
from moosnn.space import Choice, Float, Int, Params, Space, Value
from moosnn.tracking.summary import Member, members

_LINE_POINTS = 101
_MAP_POINTS = 81

# From ``n x d`` points in the unit cube to ``n`` probabilities.
Probability = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What happens when one parameter of a member is moved.

    Attributes:
        name: of the parameter.
        parameter: itself.
        value: the member's own.
        values: ``n``, natural units, ascending; the member's own is among them.
        probability: ``n``, of lying beyond the edge.
        crossings: where it crosses one half; positions are coordinates in [0, 1].
    """

    name: str
    parameter: Float | Int
    value: float
    values: tuple[float, ...]
    probability: Floats
    crossings: Crossings

    def edge(self, crossing: Crossing) -> float:
        """The parameter's value at a crossing.

        Of a continuum it is where the probability is one half, otherwise the first
        value on the other side.
        """
        if self.parameter.count is None:
            return float(self.parameter.decode(crossing.position))
        return self.values[crossing.index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A front member and what lies around it.

    Attributes:
        member: with its retrainings.
        probability: that a training of it lies beyond the edge.
        lines: one for each of its active numeric parameters, in the space's order.
    """

    member: Member
    probability: float
    lines: tuple[Line, ...]

    @property
    def number(self) -> int:
        """Of the trial."""
        return self.member.trial.number

    def nearest(self, count: int) -> list[tuple[Line, Crossing]]:
        """The nearest edges, one a parameter, nearest first in the unit cube.

        Those that are not sure come last.
        """
        found = [(line, line.crossings.nearest) for line in self.lines]
        edges = [(line, crossing) for line, crossing in found if crossing is not None]
        return sorted(edges, key=lambda pair: (not pair[1].sure, pair[1].distance))[
            :count
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The probability over two parameters, the others as at one member.

    Attributes:
        names: of the horizontal and the vertical parameter.
        values: of either, natural units, ascending: ``a`` and ``b`` of them.
        probability: ``b x a``.
    """

    names: tuple[str, str]
    values: tuple[tuple[float, ...], tuple[float, ...]]
    probability: Floats


def numeric_names(space: Space, params: Params) -> list[str]:
    """The active parameters that are numbers."""
    kinds = space.parameters
    return [n for n in space.active(params) if not isinstance(kinds[n], Choice)]


def surroundings(
    problem: Problem, history: History, probability: Probability
) -> list[Surroundings]:
    """What lies around each front member, by ascending first loss."""
    space, found = problem.space, []
    for member in members(problem, history):
        params = member.trial.proposal.params
        here = float(probability(np.array([space.encode(params)]))[0])
        names = numeric_names(space, params)
        lines = tuple(_line(space, params, name, probability) for name in names)
        found.append(Surroundings(member=member, probability=here, lines=lines))
    return found


def telling_pair(
    space: Space, around: Sequence[Surroundings], chosen: Surroundings
) -> tuple[str, str] | None:
    """The two parameters that the probability depends on most.

    Those along whose lines it varies most (largest minus smallest probability), on
    average over the front members; where a parameter is not active it varies by 0.
    One on which the existence of others depends, such as a depth, is left out: when it
    is moved, the others do not stay.

    Args:
        space: of the problem.
        around: of the front members.
        chosen: one of them; only parameters that are active there count.

    Returns:
        Two names, the more telling one first; of equals the first in the space.
        ``None`` if there are fewer than two.
    """
    names = [line.name for line in chosen.lines]
    total = {name: 0.0 for name in names if not _is_tested(space, name)}
    for one in around:
        for line in one.lines:
            if line.name in total:
                total[line.name] += variation(line.probability)
    ranked = sorted(total, key=lambda name: -total[name])
    return (ranked[0], ranked[1]) if len(ranked) > 1 else None


def map_around(
    space: Space, params: Params, names: tuple[str, str], probability: Probability
) -> Map:
    """The probability over two parameters, the others as at a point."""
    across, up = (_values(space.parameters[n], params[n], _MAP_POINTS) for n in names)
    points = _points(space, params, names, [(x, y) for y in up for x in across])
    found = probability(points).reshape(len(up), len(across))
    return Map(names=names, values=(across, up), probability=found)


def _line(space: Space, params: Params, name: str, probability: Probability) -> Line:
    parameter = space.parameters[name]
    assert not isinstance(parameter, Choice)
    value = _number(params[name])
    values = _values(parameter, value, _LINE_POINTS)
    grid = np.array([parameter.encode(each) for each in values])
    found = probability(_points(space, params, [name], [(value,) for value in values]))
    return Line(
        name=name,
        parameter=parameter,
        value=value,
        values=values,
        probability=found,
        crossings=crossings(grid, found, values.index(value)),
    )


def _points(
    space: Space,
    params: Params,
    names: Sequence[str],
    rows: Sequence[tuple[float, ...]],
) -> Floats:
    """The points, ``n x d``, where some parameters have ``n`` rows of values."""
    if any(_is_tested(space, name) for name in names):
        moved = [dict(zip(names, row, strict=True)) for row in rows]
        return np.array([space.encode({**params, **values}) for values in moved])
    # Nothing else changes, and encoding whole points costs a hundred times more.
    points = np.tile(space.encode(params), (len(rows), 1))
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        encode = space.parameters[name].encode
        points[:, list(space).index(name)] = [encode(value) for value in values]
    return points


def _is_tested(space: Space, name: str) -> bool:
    """Whether other parameters exist or not by this one's value."""
    return any(
        condition.parameter == name
        for parameter in space.parameters.values()
        for group in parameter.when
        for condition in group
    )


def _values(
    parameter: Float | Int | Choice, own: Value, most: int
) -> tuple[float, ...]:
    """About ``most`` values spread over a range, and one of its own, ascending."""
    assert not isinstance(parameter, Choice)
    if parameter.count is not None and parameter.count <= most:
        return tuple(parameter.values())
    spread = [parameter.decode(float(c)) for c in np.linspace(0.0, 1.0, most)]
    return tuple(sorted({*spread, _number(own)}))


def _number(value: Value) -> float:
    """The value itself: a whole number stays one."""
    assert isinstance(value, int | float)
    return value
