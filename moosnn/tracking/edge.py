"""What is known of a study's edge: from where it is looked at, and when nothing is.

Knows: problems, histories, fronts. Must not know: models, how anything is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moosnn.errors import ConfigError, nearest
from moosnn.history import History
from moosnn.problem import Constraint, Problem
from moosnn.space import Choice, Params, Space
from moosnn.tracking.edge_lines import (
    Map,
    Probability,
    Surroundings,
    map_around,
    numeric_names,
    surroundings,
    telling_pair,
)
from moosnn.tracking.summary import Member, members

LEAST_TRIALS = 10  # fewer say nothing about an edge
FEW_TRIALS = 50  # fewer say little


_INFORMED = 0.2  # of 1: a model that knows less is not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How well a model finds its own trials on their side, each left out.

    Attributes:
        beyond: how many trials lie beyond the edge.
        beyond_found: how many of them it expects there.
        others: how many do not.
        others_found: how many of those it does not expect there.
    """

    beyond: int
    beyond_found: int
    others: int
    others_found: int

    def __post_init__(self) -> None:
        assert 0 <= self.beyond_found <= self.beyond
        assert 0 <= self.others_found <= self.others

    @property
    def is_blind(self) -> bool:
        """Whether it hardly does better than saying the same of every trial.

        By its informedness (Youden 1950): the share found beyond the edge plus that
        found before it, less 1; 0 for a guess and 1 for a model without error.
        """
        if not (self.beyond and self.others):
            return True
        found = self.beyond_found / self.beyond + self.others_found / self.others
        return found - 1 < _INFORMED


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that is shown of an edge.

    Attributes:
        problem: of the study.
        history: of the study.
        constraints: those whose edge it is.
        members: of the front, by ascending first loss.
        chosen: the member around which the map lies.
        map: ``None`` if that member has fewer than two numeric parameters.
        trust: in the model.
    """

    problem: Problem
    history: History
    constraints: tuple[Constraint, ...]
    members: tuple[Surroundings, ...]
    chosen: Surroundings
    map: Map | None
    trust: Trust


def edge_constraints(problem: Problem) -> tuple[Constraint, ...]:
    """Those that void (silence); all of them if none does."""
    voiding = tuple(c for c in problem.constraints if c.voids)
    return voiding or problem.constraints


def beyond_word(constraints: Sequence[Constraint]) -> str:
    """``silent`` if that is what lies beyond the edge, else ``beyond``."""
    silence = all(c.metric.startswith(("silence", "silent")) for c in constraints)
    return "silent" if silence else "beyond"


def is_beyond(constraints: Sequence[Constraint], history: History) -> list[bool]:
    """For each DONE trial whether it violates one of some constraints."""
    return [
        any(c.violation(t.evaluation.metrics[c.metric]) > 0 for c in constraints)
        for t in history.done
        if t.evaluation is not None
    ]


def fell_beyond(constraints: Sequence[Constraint], member: Member) -> tuple[int, int]:
    """How many retrainings of a member fell beyond the edge, and of how many.

    Those that failed otherwise, and measured nothing, did not fall beyond it.
    """
    if member.confirmed is None:
        return 0, 0
    found = member.confirmed.evaluations
    fell = sum(
        any(c.violation(e.metrics[c.metric]) > 0 for c in constraints) for e in found
    )
    return fell, len(found) + len(member.confirmed.failures)


def no_edge(problem: Problem, history: History) -> str | None:
    """Why nothing can be said about an edge, or ``None``."""
    constraints = edge_constraints(problem)
    if not constraints:
        return "no edge: the problem has no constraint."
    beyond = is_beyond(constraints, history)
    count, word = len(beyond), beyond_word(constraints)
    if count < LEAST_TRIALS:
        what = f"{count} trial{'s' * (count != 1)} measured"
        return f"no edge seen: {what}; {LEAST_TRIALS} are the least."
    if not any(beyond):
        return (
            f"no edge seen: none of {count} trials was {word}. The whole space may be "
            "on this side, or wider ranges are needed to meet it."
        )
    if all(beyond) or not members(problem, history):
        return (
            f"no front: {sum(beyond)} of {count} trials were {word}, and no other is "
            "feasible; there is nothing to measure a distance from."
        )
    return None


def check_wanted(
    problem: Problem,
    history: History,
    names: Sequence[str] | None,
    number: int | None,
) -> None:
    """Refuse a wrong member or wrong parameters, before any model is fitted.

    Args:
        problem: says what the front is.
        history: with a front.
        names: of the parameters that were asked for, if any were.
        number: of the member that was asked for, if one was.

    Raises:
        ConfigError: as `survey`.
    """
    chosen = chosen_number(problem, history, number)
    if names is not None:
        params = history.trial(chosen).proposal.params
        check_pair(problem.space, params, names, chosen)


def chosen_number(problem: Problem, history: History, number: int | None) -> int:
    """The trial number of the member that a map is drawn around.

    Args:
        problem: says what the front is.
        history: with a front.
        number: as asked for; ``None`` = the median member.

    Raises:
        ConfigError: the number is not on the front.
    """
    numbers = [row.trial.number for row in members(problem, history)]
    if number is None:
        return numbers[len(numbers) // 2]
    if number not in numbers:
        known = ", ".join(map(str, sorted(numbers)))
        raise ConfigError(
            f"edge: --member: trial {number} is not on the front. On it: {known}."
        )
    return number


def check_pair(space: Space, params: Params, names: Sequence[str], number: int) -> None:
    """Refuse two parameters that cannot be the axes of a map.

    Args:
        space: of the problem.
        params: of the member around which the map lies.
        names: as asked for.
        number: of that member.

    Raises:
        ConfigError: not two different ones, unknown, not numeric, or not active there.
    """
    where = "edge: --parameters"
    if len(names) != 2 or len(set(names)) != 2:
        raise ConfigError(
            f"{where}: expected two names, e.g. threshold,width, got "
            f"{','.join(names)!r}."
        )
    active = numeric_names(space, params)
    for name in names:
        if name not in space:
            raise ConfigError(f"{where}: no parameter {name!r}.{nearest(name, space)}")
        if isinstance(space.parameters[name], Choice):
            raise ConfigError(
                f"{where}: {name} is a choice; expected numbers: {', '.join(active)}."
            )
        if name not in active:
            raise ConfigError(
                f"{where}: {name} does not exist at trial {number}; it has "
                f"{', '.join(active)}, and another may be named with --member N."
            )


def survey(
    problem: Problem,
    history: History,
    probability: Probability,
    trust: Trust,
    *,
    names: Sequence[str] | None = None,
    number: int | None = None,
) -> Survey:
    """Look at the edge from every front member, and draw a map around one.

    Args:
        problem: of the study.
        history: of which `no_edge` says ``None``.
        probability: of lying beyond the edge.
        trust: in whatever gives that probability.
        names: the map's parameters; ``None`` = the most telling two (`telling_pair`).
        number: of the member to draw it around; ``None`` = the median one.

    Raises:
        ConfigError: a wrong member or wrong parameters.
    """
    check_wanted(problem, history, names, number)
    space, wanted = problem.space, chosen_number(problem, history, number)
    around = surroundings(problem, history, probability)
    chosen = next(one for one in around if one.number == wanted)
    pair = (names[0], names[1]) if names else telling_pair(space, around, chosen)
    params = chosen.member.trial.proposal.params
    return Survey(
        problem=problem,
        history=history,
        constraints=edge_constraints(problem),
        members=tuple(around),
        chosen=chosen,
        map=map_around(space, params, pair, probability) if pair else None,
        trust=trust,
    )
