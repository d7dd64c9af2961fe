"""One event of a study: a line of its journal.

Knows: which kinds there are, the JSON form. Must not know: what events add up to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from moosnn.trial import require_count


class Kind(StrEnum):
    """What an event says. Kinds are only ever added, never removed or renamed."""

    STUDY = "study"
    OPENED = "opened"
    PROPOSED = "proposed"
    SUBMITTED = "submitted"
    REPORTED = "reported"
    RETRIED = "retried"
    FINISHED = "finished"
    FAILED = "failed"
    CORRECTED = "corrected"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    ENDED = "ended"


_EVENT_KEYS = ("event", "number", "attempt", "time", "epoch")
_EVENT_FIELDS = frozenset(_EVENT_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a journal.

    Attributes:
        kind: what it says.
        number: the trial it is about, or ``None``.
        attempt: the attempt it is about, or ``None``.
        time: seconds since 1970 by the driver's clock; for people, and for a
            budget of hours; no other decision rests on it.
        epoch: of the driver's lease.
        data: what the kind adds, JSON values only.

    Raises:
        ValueError: an unknown kind, a number or attempt that is not a whole number
            >= 0, ``data`` that would overwrite another field of the line.
    """

    kind: Kind
    number: int | None = None
    attempt: int | None = None
    time: float = 0.0
    epoch: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))
        for what in ("number", "attempt"):
            if getattr(self, what) is not None:
                require_count(what, getattr(self, what))
        if not _EVENT_FIELDS.isdisjoint(self.data):
            key = next(key for key in _EVENT_KEYS if key in self.data)
            raise ValueError(f"data: {key!r} is a field of every event.")

    def to_json(self) -> dict[str, Any]:
        """One flat JSON object, read back by `from_json`."""
        return {
            "event": str(self.kind),
            "number": self.number,
            "attempt": self.attempt,
            "time": self.time,
            "epoch": self.epoch,
            **self.data,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Event:
        """Read the JSON form.

        Raises:
            ValueError: an unknown kind, or a field of the wrong type.
            KeyError: a field is missing.
        """
        return cls(
            kind=raw["event"],
            number=raw["number"],
            attempt=raw["attempt"],
            time=float(raw["time"]),
            epoch=int(raw["epoch"]),
            data={k: v for k, v in raw.items() if k not in _EVENT_FIELDS},
        )
