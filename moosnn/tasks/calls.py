"""A function of a user's is called, and what it returns is a measurement.

Knows: how a function is called, which returned values are numbers. Must not know: where
the function came from, objectives, files.
"""

from __future__ import annotations

import inspect
import math
import reprlib
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moosnn.errors import ConfigError
from moosnn.space import Params
from moosnn.tasks.base import Context
from moosnn.trial import Evaluation, Proposal

Function = Callable[..., Any]
EXTRAS = ("seed", "report", "workdir")
PRUNED = "pruned"


@dataclass(slots=True)
class _Reporter:
    """What a function is given as ``report``."""

    context: Context
    told_to_stop: bool = False

    def __call__(self, step: int, **metrics: float) -> bool:
        """See `moosnn.tasks.base.Context.report`."""
        stop = self.context.report(step, plain_numbers(metrics))
        self.told_to_stop = self.told_to_stop or stop
        return stop


def extras_of(function: Function) -> tuple[str, ...]:
    """Which of `EXTRAS` a function declares beside its first parameter."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of a builtin it is not known
        return ()
    # The first one takes the point, whatever it is called.
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = [p.name for p in parameters[1:] if p.kind in by_name]
    return tuple(name for name in EXTRAS if name in named)


def first_of(function: Function) -> str | None:
    """What a function calls the parameter that gets the point, if that is known."""
    try:
        return next(iter(inspect.signature(function).parameters), None)
    except (TypeError, ValueError):  # of a builtin it is not known
        return None


def require_callable_with_a_point(function: Function, where: str) -> None:
    """Refuse a function that cannot be called as this module does.

    Args:
        function: of the user's.
        where: what names it, for the message.

    Raises:
        ConfigError: with what it takes; or it returns before it has run.
    """
    later = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    if any(is_so(function) for is_so in later):
        raise ConfigError(
            f"{where}: expected a function that returns a mapping of metrics, got one "
            "that is async or yields."
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind({}, **dict.fromkeys(extras_of(function)))
    except TypeError as error:
        raise ConfigError(
            f"{where}: expected one parameter, which gets all values as a dict, and "
            f"beside it none but {', '.join(EXTRAS)}, got {signature} ({error})."
        ) from None


def called(
    function: Function, params: Params, proposal: Proposal, context: Context
) -> Evaluation:
    """Call a function with a point, and with what it declares beside it.

    Args:
        function: from a dict of parameters to a mapping of metrics, or to an
            `Evaluation`.
        params: the point.
        proposal: it is of.
        context: of the attempt.

    Returns:
        What it measured; ``stopped="pruned"`` if a report told it to stop.

    Raises:
        TypeError: it returned no mapping.
        DivergedError, ValueError: as `Evaluation`.
    """
    reporter = _Reporter(context)
    given = {
        "seed": proposal.seed,
        "report": reporter,
        "workdir": context.workdir,
    }
    extras = {name: given[name] for name in extras_of(function)}
    # A process tries many points: where one went, the next one must not begin.
    with chdir(Path.cwd()):
        found = measured(function(dict(params), **extras))
    if reporter.told_to_stop and found.stopped is None:
        return replace(found, stopped=PRUNED)
    return found


def measured(returned: object) -> Evaluation:
    """What a function returned, as an evaluation.

    Raises:
        TypeError: it is no mapping.
        DivergedError, ValueError: as `Evaluation`.
    """
    if isinstance(returned, Evaluation):
        return returned
    if not isinstance(returned, Mapping):
        raise TypeError(
            "expected a mapping of metrics of the function, e.g. {'loss': 0.5}, "
            f"got {reprlib.repr(returned)}"
        )
    return Evaluation(metrics=plain_numbers(returned))


def plain_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The same mapping with the scalars of numpy and torch as Python's numbers.

    A whole number that no float can hold is infinite.
    """
    return {name: _plain_number(value) for name, value in numbers.items()}


def _plain_number(value: object) -> object:
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf
    item = getattr(value, "item", None)
    if not callable(item):
        return value
    try:
        return item()
    except (TypeError, ValueError, RuntimeError):
        return value  # many numbers, not one
