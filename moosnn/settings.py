"""How far a study goes.

Knows: the numbers and their ranges. Must not know: histories, how a study is run.
"""

from __future__ import annotations

from dataclasses import dataclass

from moosnn.conditions import is_number
from moosnn.errors import ConfigError, number_hint

MOST_TRIALS = 10_000_000
LARGEST_SEED = 2**63 - 1
# Why a study ends: its budget is spent, or the space holds no further point.
BUDGET = "budget"
EXHAUSTED = "space exhausted"
_ALSO = {"study.confirm": " or all", "study.stagnation": " or null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How far a study goes.

    Attributes:
        budget: how many trial numbers end (done or finally failed), >= 1; retries and
            confirmations do not count.
        seed: of everything random, >= 0.
        confirm: how many members of the front are retrained and tested at the end;
            ``None`` = all.
        hours: wall-clock hours of all its drivers together, > 0, after which nothing
            more is proposed; ``None`` = no limit.
        stagnation: after so many ended trials, >= 1, by which the hypervolume grew by
            less than `stop_rules.LEAST_GROWTH`, nothing more is proposed; ``None`` =
            never.
        suggestion_s: seconds, > 0, that a suggestion may take before a Sobol point
            takes its place; ``None`` = any time.

    Raises:
        ConfigError: a number out of its range.
    """

    budget: int
    seed: int = 0
    confirm: int | None = 8
    hours: float | None = None
    stagnation: int | None = None
    suggestion_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("hours", "suggestion_s"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and value > 0):
                raise ConfigError(
                    f"study.{name}: expected a number > 0 or null, got {value!r}."
                    f"{number_hint(value)}"
                )
        for name, number, least, most in (
            ("study.budget", self.budget, 1, MOST_TRIALS),
            ("seed", self.seed, 0, LARGEST_SEED),
            ("study.confirm", self.confirm or 0, 0, MOST_TRIALS),
            ("study.stagnation", _or(self.stagnation, 1), 1, MOST_TRIALS),
        ):
            whole = isinstance(number, int) and not isinstance(number, bool)
            also = _ALSO.get(name, "")
            if not whole or number < least:
                raise ConfigError(
                    f"{name}: expected a whole number >= {least}{also}, got {number!r}."
                )
            if number > most:
                raise ConfigError(f"{name}: expected at most {most}, got {number!r}.")


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
