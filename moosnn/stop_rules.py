"""When a study stops before its budget is spent, and whether it is finished.

Knows: settings, the journal's times, the growth of the hypervolume. Must not know:
executors, how a study is run.

A rule only ends the proposing: trials that run are awaited. It looks at the journal
alone (and, while a driver runs, at the time since its last line), so the next driver
comes to the same answer.
"""

from __future__ import annotations

from collections.abc import Callable

from moosnn.confirmation import unconfirmed
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.pareto.front import GrowingFront
from moosnn.problem import Problem
from moosnn.settings import EXHAUSTED, Settings

# Why a study ends, as `ended` says it.
HOURS = "time is up (study.hours)"
STAGNATION = "hypervolume stagnates (study.stagnation)"
# By which share the hypervolume grows at least, or it stagnates.
LEAST_GROWTH = 0.001
_SECONDS = 3600


class StopRules:
    """Follows a journal and says when enough is done.

    Args:
        problem: says what hypervolume is.
        settings: the rules.
        clock: seconds since 1970; ``None`` = nobody drives the study, and time ends
            with the journal.
    """

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._read = 0
        self._last: Event | None = None
        self._driven_s = 0.0
        self._front = GrowingFront(problem)
        self._volumes: list[float] = []  # after each trial that ended

    def reason(self, history: History) -> str | None:
        """Why nothing more is to be proposed, or ``None``.

        Args:
            history: the same study as in every call before, as long or longer.
        """
        for position in range(self._read, len(history)):
            self._follow(history[position], history.prefix(position + 1))
        self._read = len(history)
        hours = self._settings.hours
        if hours is not None and self.hours >= hours:
            return HOURS
        return STAGNATION if self._stagnates() else None

    @property
    def hours(self) -> float:
        """Wall-clock hours in which a driver ran."""
        since = 0.0
        if self._clock is not None and self._last is not None:
            since = max(0.0, self._clock() - self._last.time)
        return (self._driven_s + since) / _SECONDS

    def _follow(self, event: Event, history: History) -> None:
        last, self._last = self._last, event
        # Nobody drove the study between two drivers; and a clock may be set back.
        if last is not None and event.kind is not Kind.OPENED:
            self._driven_s += max(0.0, event.time - last.time)
        if self._settings.stagnation is None or event.number is None:
            return
        if event.kind in (Kind.FINISHED, Kind.FAILED, Kind.CORRECTED):
            volume = self._front.add(history.trial(event.number))
            if event.kind is Kind.CORRECTED:
                self._volumes[-1] = volume
            else:
                self._volumes.append(volume)

    def _stagnates(self) -> bool:
        """Before there is a front, there is nothing that could stagnate."""
        window = self._settings.stagnation
        if window is None or len(self._volumes) <= window:
            return False
        before, now = self._volumes[-1 - window], self._volumes[-1]
        return before > 0 and now - before < LEAST_GROWTH * now


def is_finished(problem: Problem, history: History, settings: Settings) -> bool:
    """Whether a study has nothing left to do."""
    ends = history.of_kind(Kind.ENDED)
    if not ends or unconfirmed(problem, history, settings.confirm):
        return False
    ended = len(history.done) + len(history.failed)
    if ended >= settings.budget:
        return True
    enough = ends[-1].data["reason"] == EXHAUSTED
    enough = enough or StopRules(problem, settings).reason(history) is not None
    return enough and not history.pending
