"""Adds up what `overview` tells of a study, event by event.

Knows: events, problems. Must not know: files, words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.progress import Follower


@dataclass(slots=True)
class Tally:
    """What happened in a study so far.

    Attributes:
        follower: the numbers.
        failures: finally failed trials by kind.
        retries: failed attempts that were repeated, by kind.
        last_log: path of the newest failure's log, relative to the study folder.
        ended: whether the driver that wrote last found nothing left to do.
        reason: why, as the journal says it; ``None`` if it did not.
    """

    follower: Follower
    failures: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    last_log: str | None = None
    ended: bool = False
    reason: str | None = None
    _failed: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, history: History) -> Self:
        """That of a whole history."""
        tally = cls(Follower(problem))
        for position in range(len(history)):
            tally.add(history[position], history.prefix(position + 1))
        return tally

    def add(self, event: Event, history: History) -> None:
        """Hear of the next event.

        Args:
            event: the newest.
            history: everything so far, ``event`` included.
        """
        self.follower.add(event, history)
        self.ended = event.kind is Kind.ENDED
        self.reason = event.data.get("reason") if self.ended else None
        failure = event.data.get("failure")
        if failure:
            self.last_log = failure.get("log") or self.last_log
        if event.kind is Kind.CORRECTED and event.number in self._failed:
            self.failures[self._failed.pop(event.number)] -= 1
        elif event.kind is Kind.FAILED and event.number is not None:
            kind = str(event.data["failure"]["kind"])
            self.failures[kind] += 1
            self._failed[event.number] = kind
        elif event.kind is Kind.RETRIED:
            self.retries[str(event.data["failure"]["kind"])] += 1


def most_common(counts: Mapping[str, int]) -> dict[str, int]:
    """Kinds by falling count, without those that are 0."""
    return {kind: n for kind, n in Counter(counts).most_common() if n}
