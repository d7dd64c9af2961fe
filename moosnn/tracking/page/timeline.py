"""Who worked when, on a clock that stands still while no driver lives.

Knows: the events of a history. Must not know: objectives, how a span is drawn.

A span is the time from an attempt being given to a worker until the driver heard of its
end. So it holds the start of a process and the way of a result, and on a cluster the
wait for a machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moosnn.events import Event, Kind
from moosnn.history import CORRECTABLE, History
from moosnn.problem import Floats
from moosnn.tracking.page.plain import plain
from moosnn.tracking.progress import saved_s

TRIAL = "trial"
CONFIRM = "confirm"
LOST = "lost"
# So many workers always have a row each; more of them only if a worker has several
# trials, and no more than the second number.
_FEW_WORKERS = 8
_MOST_WORKERS = 64
_BEGINNINGS = (Kind.SUBMITTED, Kind.CONFIRMING)
_ENDS = (
    Kind.FINISHED,
    Kind.FAILED,
    Kind.RETRIED,
    Kind.CORRECTED,
    Kind.CONFIRMED,
)
_SAVED_NOTE = (
    "of the trainings that were stopped early, silent or pruned: the share of its "
    "training that each was spared, at its own pace"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time a worker had an attempt.

    Attributes:
        worker: its name.
        start_s: seconds at work since the study began.
        end_s: the same, >= ``start_s``.
        number: of the trial.
        kind: `TRIAL`, `CONFIRM`, or `LOST`: nothing was measured, through no fault of
            the trial.
    """

    worker: str
    start_s: float
    end_s: float
    number: int
    kind: str


def work_clock(history: History) -> Floats:
    """Seconds at work at each event, ``n``, not descending, from 0.

    The time between two drivers does not count, nor a clock that goes back.
    """
    times = np.array([event.time for event in history], dtype=float)
    steps = np.maximum(np.diff(times, prepend=times[:1]), 0.0)
    opened = np.array([event.kind is Kind.OPENED for event in history], dtype=bool)
    clock: Floats = np.cumsum(np.where(opened, 0.0, steps))
    return clock


def spans_of(history: History, clock: Floats) -> list[Span]:
    """The spans of a history, by their start.

    An attempt whose end the journal does not tell ends with the journal.

    Args:
        history: of a study.
        clock: its `work_clock`.
    """
    open_: dict[tuple[int, int], Span] = {}
    found: list[Span] = []
    for event, now in zip(history, clock.tolist(), strict=True):
        if event.number is None or event.attempt is None:
            continue
        key = (event.number, event.attempt)
        if event.kind in _BEGINNINGS:
            open_[key] = _begun(event, now)
        elif event.kind in _ENDS and key in open_:
            found.append(_ended(open_.pop(key), event, now))
        if event.kind in (Kind.FINISHED, Kind.FAILED):
            # The first result of a number wins; what another attempt does is lost.
            for other in [k for k in open_ if k[0] == event.number]:
                found.append(replace(open_.pop(other), end_s=now, kind=LOST))
    end = float(clock[-1]) if len(clock) else 0.0
    found += [replace(span, end_s=end) for span in open_.values()]
    return sorted(found, key=lambda span: (span.start_s, span.number))


def _begun(event: Event, now: float) -> Span:
    assert event.number is not None, "asked before"
    kind = CONFIRM if event.kind is Kind.CONFIRMING else TRIAL
    worker = str(event.data.get("job_id") or "worker")
    return Span(worker=worker, start_s=now, end_s=now, number=event.number, kind=kind)


def _ended(span: Span, event: Event, now: float) -> Span:
    failure = event.data.get("failure")
    lost = failure is not None and (
        event.kind is Kind.RETRIED or failure["kind"] in CORRECTABLE
    )
    return replace(span, end_s=now, kind=LOST if lost else span.kind)


def timeline(history: History, clock: Floats) -> dict[str, Any]:
    """The timeline as the page has it.

    Args:
        history: of a study.
        clock: its `work_clock`.

    Returns:
        As the page's schema says. ``utilisation`` is how many workers had an attempt
        on average, from the first span to the last, as a share of the most that had
        one at once; ``None`` without any.
    """
    spans = in_slots(spans_of(history, clock))
    rows: dict[str, list[Span]] = {}
    for span in spans:
        rows.setdefault(span.worker, []).append(span)
    begin = min((span.start_s for span in spans), default=0.0)
    end = max((span.end_s for span in spans), default=0.0)
    offered = _most_at_once(spans) * (end - begin)
    evaluations = [t.evaluation for t in history.done if t.evaluation]
    return {
        "workers": [
            {
                "name": name,
                "spans": [
                    [plain(s.start_s), plain(s.end_s), s.number, s.kind]
                    for s in rows[name]
                ],
            }
            for name in sorted(rows, key=_natural)
        ],
        "from_s": plain(begin),
        "to_s": plain(end),
        "utilisation": plain(_busy_s(spans) / offered) if offered > 0 else None,
        "trained_s": plain(sum(e.seconds for e in evaluations)),
        "saved_s": plain(sum(saved_s(e) for e in evaluations)),
        "saved_note": _SAVED_NOTE,
    }


def _busy_s(spans: Sequence[Span]) -> float:
    """Seconds in which workers had an attempt; two at once on one worker count once."""
    busy = 0.0
    until: dict[str, float] = {}
    for span in spans:
        free = until.get(span.worker, span.start_s)
        busy += max(0.0, span.end_s - max(span.start_s, free))
        until[span.worker] = max(free, span.end_s)
    return busy


def _most_at_once(spans: Sequence[Span]) -> int:
    """How many workers had an attempt at the busiest moment."""
    # At one moment ends come before beginnings: a worker goes from one to the next.
    turns = [(s.start_s, 1) for s in spans] + [(s.end_s, -1) for s in spans]
    at_once = np.cumsum([step for _, step in sorted(turns)])
    return int(at_once.max(initial=0))


def in_slots(spans: Sequence[Span]) -> list[Span]:
    """Spans with slots for workers, where each worker has little to do or many are.

    On a cluster every job may be a worker of its own. Then a span is given to the slot
    that has been free for longest, so that there are as many slots as spans at once.

    Args:
        spans: by their start.
    """
    names = {span.worker for span in spans}
    if len(names) <= max(_FEW_WORKERS, min(_MOST_WORKERS, len(spans) // 2)):
        return list(spans)
    free: list[tuple[float, int]] = []
    placed = []
    for span in spans:
        if free and free[0][0] <= span.start_s:
            _, slot = heapq.heappop(free)
        else:
            slot = len(free) + 1
        heapq.heappush(free, (span.end_s, slot))
        placed.append(replace(span, worker=f"slot {slot}"))
    return placed


def _natural(name: str) -> tuple[int, str]:
    """Names by their length first: ``w2`` before ``w10``."""
    return len(name), name
