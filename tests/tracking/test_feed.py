"""A tracker that is slow, hangs or fails holds nobody up."""

from __future__ import annotations

import threading
import time

import pytest

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.tracking.feed import Feed

EVENT = Event(kind=Kind.STUDY)
HISTORY = History.of([EVENT])


class Tracker:
    def __init__(self, *, slow_s: float = 0.0, fail: bool = False) -> None:
        self.heard = 0
        self.closed = False
        self.release = threading.Event()
        self._slow_s = slow_s
        self._fail = fail

    def on_event(self, event: Event, history: History) -> None:
        self.heard += 1
        if self._fail:
            raise ValueError("a test")
        self.release.wait(self._slow_s)

    def close(self) -> None:
        self.closed = True


def test_what_is_told_is_heard_before_it_closes() -> None:
    tracker = Tracker(slow_s=0.01)
    feed = Feed(tracker)
    begun = time.monotonic()
    for _ in range(50):
        feed.tell(EVENT, HISTORY)
    feed.finish()
    assert time.monotonic() - begun < 0.1  # whoever tells does not wait for 0.5 s
    feed.join(time.monotonic() + 60)
    assert (tracker.heard, tracker.closed) == (50, True)


def test_one_that_hangs_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = Tracker(slow_s=60)
    feed = Feed(tracker)
    for _ in range(3):
        feed.tell(EVENT, HISTORY)
    feed.finish()
    feed.join(time.monotonic() + 0.05)
    tracker.release.set()
    assert "moosnn: tracker Tracker does not end and is left" in capsys.readouterr().err


def test_one_that_fails_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = Tracker(fail=True)
    feed = Feed(tracker)
    for _ in range(3):
        feed.tell(EVENT, HISTORY)
    feed.finish()
    feed.join(time.monotonic() + 60)
    assert (tracker.heard, tracker.closed) == (1, False)
    err = capsys.readouterr().err
    assert err == (
        "moosnn: tracker Tracker failed and is left out: ValueError: a test\n"
    )
