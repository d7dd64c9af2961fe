"""How far a study goes, and whether it is there.

Knows: budgets, seeds, histories. Must not know: executors, how a study is run.
"""

from __future__ import annotations

from dataclasses import dataclass

from moosnn.confirmation import unconfirmed
from moosnn.errors import ConfigError
from moosnn.history import History, Kind
from moosnn.problem import Problem

MOST_TRIALS = 10_000_000
LARGEST_SEED = 2**63 - 1
# Why a study ends before its budget is spent: the space holds no further point.
EXHAUSTED = "space exhausted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How far a study goes.

    Attributes:
        budget: how many trial numbers end (done or finally failed), >= 1; retries and
            confirmations do not count.
        seed: of everything random, >= 0.
        confirm: how many members of the front are retrained and tested at the end;
            ``None`` = all.

    Raises:
        ConfigError: a number out of its range.
    """

    budget: int
    seed: int = 0
    confirm: int | None = 8

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("study.budget", self.budget, 1, MOST_TRIALS),
            ("seed", self.seed, 0, LARGEST_SEED),
            ("study.confirm", self.confirm or 0, 0, MOST_TRIALS),
        ):
            whole = isinstance(value, int) and not isinstance(value, bool)
            also = " or all" if name == "study.confirm" else ""
            if not whole or value < least:
                raise ConfigError(
                    f"{name}: expected a whole number >= {least}{also}, got {value!r}."
                )
            if value > most:
                raise ConfigError(f"{name}: expected at most {most}, got {value!r}.")


def is_finished(problem: Problem, history: History, settings: Settings) -> bool:
    """Whether a study has nothing left to do."""
    ends = history.of_kind(Kind.ENDED)
    if not ends or unconfirmed(problem, history, settings.confirm):
        return False
    ended = len(history.done) + len(history.failed)
    exhausted = ends[-1].data["reason"] == EXHAUSTED and not history.pending
    return exhausted or ended >= settings.budget
