"""A function of a user's own, by its name: whatever has parameters and metrics.

Knows: how a function becomes a task. Must not know: networks, optimizers, files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moosnn.errors import ConfigError
from moosnn.rungs import Rungs
from moosnn.space import Params, Value
from moosnn.tasks.base import Abilities, Context
from moosnn.tasks.calls import (
    called,
    extras_of,
    first_of,
    require_callable_with_a_point,
)
from moosnn.tasks.dotted import digest, function_named
from moosnn.trial import Evaluation, Proposal


class CallableTask:
    """Calls ``function(params)``, with ``seed``, ``report``, ``workdir`` if declared.

    Args:
        function: dotted name of what is searched: from a dict with a value for every
            parameter to a mapping of metrics.
        confirm: dotted name of what tells of a point anew, after the search, mostly on
            data that ``function`` does not read; called alike. ``None`` = nothing is
            confirmed.
        metrics: names of all that ``function`` always returns, checked before a study
            begins and after each call; ``None`` = whatever it returns.
        fixed: values of parameters that the space does not search.
        rungs: told by a pruner; ``function`` must declare ``report``.

    Raises:
        ConfigError: no such function, or one that cannot be called so.
    """

    parameters: frozenset[str] | None = None

    def __init__(
        self,
        *,
        function: str | None = None,
        confirm: str | None = None,
        metrics: Sequence[str] | None = None,
        fixed: Mapping[str, Value] | None = None,
        rungs: Mapping[str, int] | None = None,
    ) -> None:
        if function is None:
            raise ConfigError(
                "task.function: expected the dotted name of your function, e.g. "
                "task.function=my_train.train for train in my_train.py."
            )
        self._functions = {"function": _found(function, "task.function")}
        if confirm is not None:
            self._functions["confirm"] = _found(confirm, "task.confirm")
        self.abilities = Abilities(
            anything=metrics is None, confirms=confirm is not None
        )
        self.metrics: tuple[str, ...] = _names(metrics)
        self.always: tuple[str, ...] = self.metrics
        self._fixed = dict(fixed or {})
        self._names = {"function": function, "confirm": str(confirm)}
        if Rungs.of(rungs) and "report" not in extras_of(self._functions["function"]):
            raise ConfigError(
                f"pruner: {function} tells nothing before its end: let it declare "
                "report and call report(step, **metrics), or use pruner=none."
            )

    def check(self, params: Params) -> None:
        """Any point may be tried.

        Raises:
            ConfigError: a function expects the value of one parameter, not the point.
        """
        for which, function in self._functions.items():
            first = first_of(function)
            if first in params:
                raise ConfigError(
                    f"task.{which}: {self._names[which]}: its first parameter gets all "
                    f"values as a dict, but is called {first}, as a parameter of "
                    "the space: take a dict, e.g. def train(params), and "
                    f"params[{first!r}]."
                )

    def refusal(self, params: Params) -> str | None:
        """Nothing is refused."""

    def fingerprint(self) -> Mapping[str, str]:
        """What a function depends on nobody knows."""
        return {}

    def versions(self) -> Mapping[str, str]:
        """A digest of the code that each function stands in."""
        return {self._names[k]: digest(f) for k, f in self._functions.items()}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Call the function.

        Raises:
            DivergedError: a metric is not finite.
            ConfigError: a metric of ``task.metrics`` is missing.
            Exception: whatever the function raises.
        """
        return self._called("function", proposal, context)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        """Call the function that confirms, with a new seed.

        Raises as `evaluate`.
        """
        return self._called("confirm", proposal, context)

    def _called(self, which: str, proposal: Proposal, context: Context) -> Evaluation:
        params = {**self._fixed, **proposal.params}
        found = called(self._functions[which], params, proposal, context)
        missing = [name for name in self.metrics if name not in found.metrics]
        if missing and found.stopped is None:
            told = ", ".join(found.metrics) or "nothing"
            raise ConfigError(
                f"{self._names[which]} returned no {', '.join(missing)} "
                f"(task.metrics); it returned {told}."
            )
        return found


def _found(dotted: str, where: str) -> Callable[..., Any]:
    function = function_named(dotted, where)
    require_callable_with_a_point(function, f"{where}: {dotted}")
    return function


def _names(metrics: object) -> tuple[str, ...]:
    """The declared metrics.

    Raises:
        ConfigError: not a list of names.
    """
    if metrics is None:
        return ()
    if (
        isinstance(metrics, str)
        or not isinstance(metrics, Sequence)
        or not all(isinstance(name, str) and name for name in metrics)
    ):
        raise ConfigError(
            f"task.metrics: expected names, e.g. [loss,size], got {metrics!r}."
        )
    return tuple(metrics)
