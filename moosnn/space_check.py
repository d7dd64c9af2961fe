"""Whether a task can try what a space holds; asked before a study begins.

Knows: a problem's space, what a task says of points, where a value came from. Must not
know: hydra, which tasks or genes there are, how a study is run.
"""

from __future__ import annotations

import difflib
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from moosnn.conditions import Value, same
from moosnn.errors import ConfigError, MisfitError, nearest, one_of
from moosnn.narrowing import Absent
from moosnn.parameters import Choice
from moosnn.problem import Problem
from moosnn.space import Params, Space
from moosnn.tasks.base import Task

_CHANCES = 1000
# Whether an option may be tried is asked only where so large a share of points may:
# else chance points do not tell.
_TELLING_SHARE = 0.05
_TELLING_POINTS = 50
_TRIES = 400  # of an option, beside points that may be tried with another one
_ALIKE = 0.8  # of names; 1 = the same
_NO_VALUE = ""  # that no task has
_RULE = "training"  # the parameter that is a config group as well


def check_space(
    problem: Problem, task: Task, fixed: Mapping[str, Any], absent: Iterable[Absent]
) -> None:
    """Refuse a space that the task cannot search, or only in part.

    Args:
        problem: its space, and what may be tried beside the task.
        task: says of points whether it takes them.
        fixed: the values in ``task.fixed``.
        absent: what conditions name beside the options that there are.

    Raises:
        ConfigError: with the parameter and what was expected.
    """
    space = problem.space
    for name in space:
        _check_name(name, task, fixed)
    for params in _extremes(space):
        try:
            task.check(params)
        except ConfigError as error:
            raise placed(error, fixed, "space: ") from error
    for one in absent:
        _check_absent(space, task, one)
    guarded = problem.guarded(task.refusal)
    _require_a_point(guarded, fixed)
    _require_each_option(guarded)


def placed(error: ConfigError, fixed: Mapping[str, Any], otherwise: str) -> ConfigError:
    """The same error, saying where the value stands that it is about.

    Args:
        error: of a task, beginning with a parameter's name.
        fixed: the values in ``task.fixed``.
        otherwise: what precedes an error about anything else.
    """
    text = str(error)
    if text.partition(":")[0] in fixed:
        return ConfigError(f"task.fixed.{text}")
    unknown = any(f"no parameter {name!r}" in text for name in fixed)
    return ConfigError(f"{'task.fixed: ' if unknown else otherwise}{text}")


def _check_name(name: str, task: Task, fixed: Mapping[str, Any]) -> None:
    if name in fixed and name == _RULE:
        raise ConfigError(
            f"task.fixed.{name}: the space searches {name}, so that {name}="
            f"{fixed[name]} beside it has no meaning; leave it out, or narrow "
            f"space.{name}.choice."
        )
    if name in fixed:
        raise ConfigError(
            f"task.fixed.{name}: the space searches it; take it out of one of them "
            f"(~space.{name})."
        )
    if task.parameters is not None and name not in task.parameters:
        hint = nearest(name, task.parameters)
        raise ConfigError(f"space.{name}: the task has no such parameter.{hint}")


def _check_absent(space: Space, task: Task, one: Absent) -> None:
    """Tell an option that was left out of the space from one that is mistyped.

    Raises:
        ConfigError: the task takes no such value; or it takes any, and the value looks
            like an option.
    """
    where = f"space.{one.of}.when: {one.choice}"
    refused = _said_of(one.choice, one.value, space, task)
    if refused is not None:
        raise ConfigError(f"space.{one.of}.when: {refused}")
    if _said_of(one.choice, _NO_VALUE, space, task) is not None:
        return  # the task knows the values, and this is one
    tested = space.parameters[one.choice]
    assert isinstance(tested, Choice)
    like = next((o for o in tested.options if _look_alike(o, one.value)), None)
    if like is not None:
        raise ConfigError(
            f"{where}: expected one of {list(tested.options)}, got {one.value!r}, "
            f"which looks like {like!r}; correct one of them."
        )


def _said_of(name: str, value: Value, space: Space, task: Task) -> str | None:
    """What a task says against a value of a parameter that it does not know."""
    middle = space.active(space.decode([0.5] * len(space)))
    try:
        task.check({**middle, name: value})
    except MisfitError:
        return None
    except ConfigError as error:
        return str(error) if str(error).startswith(f"{name}:") else None
    return None


def _look_alike(one: Value, other: Value) -> bool:
    """Whether two names differ by a slip, but not in their first letter (lif, plif)."""
    if not (isinstance(one, str) and isinstance(other, str)) or one[:1] != other[:1]:
        return False
    swapped = sorted(one) == sorted(other)
    return swapped or difflib.SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _require_a_point(problem: Problem, fixed: Mapping[str, Any]) -> None:
    """Refuse a space of which nothing may be tried, as far as a thousand points tell.

    Raises:
        ConfigError: with the reason of one of them; of a fixed value if all name it.
    """
    space = problem.space
    named, reason = set(), ""
    for params in itertools.chain(_extremes(space), _chance(space)):
        refused = problem.refusal(params)
        if refused is None:
            return
        reason = refused
        named.add(reason.partition(":")[0])
    blamed = fixed if len(named) == 1 else {}
    nothing = "space: no point of it may be tried, e.g.: "
    raise placed(ConfigError(reason), blamed, nothing)


def _require_each_option(problem: Problem) -> None:
    """Refuse a choice of which an option may never be tried, as far as points tell.

    Raises:
        ConfigError: with such options and the reason of one.
    """
    space = problem.space
    some = list(itertools.islice(_chance(space), _TELLING_POINTS))
    taken = [params for params in some if problem.refusal(params) is None]
    if len(taken) < _TELLING_SHARE * len(some):
        return
    for name in space.dependency_order:
        choice = space.parameters[name]
        if not isinstance(choice, Choice):
            continue
        known = [params for params in taken if name in space.active(params)]
        if not known:  # too rare to tell
            continue
        reasons = {o: _why_never(problem, name, o, known) for o in choice.options}
        never = [o for o, reason in reasons.items() if reason is not None]
        if never:
            reason = str(reasons[never[0]]).rstrip(".")
            raise ConfigError(
                f"space.{name}.choice: no point with {name}={one_of(never)} may be "
                f"tried, e.g.: {reason}; or leave that out: "
                f"space.{name}.choice=[{','.join(_rest(choice, never))}]."
            )


def _rest(choice: Choice, never: Sequence[Value]) -> list[str]:
    return [str(option) for option in choice.options if option not in never]


def _why_never(
    problem: Problem, name: str, option: Value, known: Sequence[Params]
) -> str | None:
    """Why no point with an option may be tried, or ``None`` if one may.

    Args:
        problem: says what may be tried.
        name: of the choice.
        option: of it.
        known: points with some option that may be tried.
    """
    space, reason = problem.space, None
    if any(same(params[name], option) for params in known):
        return None
    chance = itertools.islice(_chance(space), _TRIES)
    for params in itertools.chain(known, chance):
        point = space.active({**params, name: option})
        if name in point:
            reason = problem.refusal(point)
            if reason is None:
                return None
    return reason


def _chance(space: Space) -> Iterator[Params]:
    """A thousand chance points, the same every time."""
    generator = random.Random(0)
    for _ in range(_CHANCES):
        yield space.decode([generator.random() for _ in space])


def _extremes(space: Space) -> Iterator[Params]:
    """Points that have each parameter's ends, or each option, once."""
    middle = space.decode([0.5] * len(space))
    for name, parameter in space.parameters.items():
        options: Sequence[Value] = getattr(parameter, "options", ())
        for value in options or (parameter.decode(0.0), parameter.decode(1.0)):
            yield space.active({**middle, name: value})
