"""What every optimizer is, and what all of them share.

Knows: problems, histories, proposals. Must not know: tasks, spikes, files, clocks.

An optimizer is a pure function of the history: it keeps nothing between calls that
could change an answer, seeds no global generator and reads no clock. Whatever is
random comes from one generator a proposal, keyed by (study seed, proposal number).
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, number_hint
from moosnn.history import History
from moosnn.problem import Mask, Problem
from moosnn.space import Choice, Params, Space
from moosnn.trial import Proposal

# The origin of a Sobol point in the place of one that an optimizer could not give.
FALLBACK = "fallback"

_TRIAL_STREAM = 1  # keeps the seeds of trials apart from the optimizers' own draws


class Optimizer(Protocol):
    """Turns a history into the next points to try."""

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next ``count`` points.

        Args:
            problem: what is wanted.
            history: what happened; its pending trials will be evaluated as well.
            count: how many, >= 1.
            seed: the study's seed, >= 0.

        Returns:
            ``count`` proposals with consecutive numbers from ``history.proposals``,
            canonical parameters, ``seen == len(history)``; fewer (even none) only if
            the space holds no further admissible point.
        """
        ...


def generator(seed: int, number: int) -> np.random.Generator:
    """The random generator of one proposal."""
    return np.random.default_rng([seed, number])


def trial_seed(seed: int, number: int) -> int:
    """The seed of one trial's training, in [0, 2**31)."""
    return int(np.random.default_rng([seed, number, _TRIAL_STREAM]).integers(2**31))


def point_key(params: Params) -> tuple[object, ...]:
    """A hashable spelling of a canonical point."""
    return tuple(params.values())


class Fresh:
    """Which points may still be proposed: admissible and never proposed before.

    Points of trials that failed by an accident of the machine (lost, preempted) count
    as proposed as well: their number is retried, not their point.
    """

    def __init__(self, problem: Problem, history: History) -> None:
        self._problem = problem
        self._history = history
        self._taken: set[tuple[object, ...]] = set()  # since

    def __call__(self, params: Params) -> bool:
        """Whether a canonical point is new and admissible."""
        return (
            not self._history.was_proposed(params)
            and point_key(params) not in self._taken
            and self._problem.refusal(params) is None
        )

    def take(self, params: Params) -> None:
        """Count a point as proposed."""
        self._taken.add(point_key(params))


def proposal(
    history: History, offset: int, seed: int, params: Params, origin: str
) -> Proposal:
    """The ``offset``-th proposal after a history."""
    number = history.proposals + offset
    return Proposal(
        number=number,
        params=params,
        seed=trial_seed(seed, number),
        origin=origin,
        seen=len(history),
    )


def choices_of(space: Space) -> Mask:
    """Which coordinates are choices, ``d``."""
    kinds = [isinstance(p, Choice) for p in space.parameters.values()]
    return np.array(kinds, dtype=bool)


def require_whole(name: str, value: object, least: int) -> None:
    """Refuse an optimizer's argument that is not a whole number >= ``least``.

    Raises:
        ConfigError: for a text, a boolean and 3.0 as well.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(
            f"optimizer.{name}: expected a whole number >= {least}, got {value!r}."
            f"{number_hint(value)}"
        )


def require_number(
    name: str, value: object, least: float, most: float = math.inf
) -> None:
    """Refuse an optimizer's argument that is not a finite number in [least, most].

    Raises:
        ConfigError: for a text and a boolean as well.
    """
    if not (is_number(value) and least <= value <= most):
        span = f">= {least}" if most == math.inf else f"in [{least}, {most}]"
        raise ConfigError(
            f"optimizer.{name}: expected a number {span}, got {value!r}."
            f"{number_hint(value)}"
        )


def require_power_of_two(name: str, value: object) -> None:
    """Refuse an optimizer's argument that is not 2, 4, 8 and so on.

    Raises:
        ConfigError: for everything else.
    """
    require_whole(name, value, 2)
    assert isinstance(value, int)
    if value & (value - 1):
        raise ConfigError(f"optimizer.{name}: expected a power of two, got {value}.")


def require_share(name: str, value: object) -> None:
    """Refuse an optimizer's argument that is not a number in (0, 1].

    Raises:
        ConfigError: for everything else.
    """
    if not (is_number(value) and 0 < value <= 1):
        raise ConfigError(
            f"optimizer.{name}: expected a number in (0, 1], got {value!r}."
            f"{number_hint(value)}"
        )
