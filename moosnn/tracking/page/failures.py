"""Failures of a study, by kind.

Knows: the events of a history. Must not know: what is wanted, how they are shown.
"""

from __future__ import annotations

from typing import Any

from moosnn.events import Kind
from moosnn.history import History
from moosnn.trial import Failure

# Of one kind no more are listed; the count is of all.
_LISTED = 50


def failures_json(history: History) -> list[dict[str, Any]]:
    """Every failed attempt, final or repeated, by kind, the most frequent kind first.

    Args:
        history: of a study.

    Returns:
        A mapping a kind: ``kind``; ``count`` of failed attempts; ``final``, how many of
        them were the end of their trial; ``trials``, the latest ones: ``number``,
        ``attempt``, ``final``, ``message``, ``log`` (relative to the study's folder).
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for event in history:
        if "failure" not in event.data:
            continue
        failure = Failure.from_json(event.data["failure"])
        row = {
            "number": event.number,
            "attempt": event.attempt,
            "final": event.kind is Kind.FAILED,
            "message": failure.message,
            "log": failure.log,
        }
        kinds.setdefault(failure.kind, []).append(row)
    return [
        {
            "kind": kind,
            "count": len(rows),
            "final": sum(row["final"] for row in rows),
            "trials": rows[-_LISTED:],
        }
        for kind, rows in sorted(kinds.items(), key=lambda item: -len(item[1]))
    ]
