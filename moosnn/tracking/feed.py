"""Tells a tracker what happens, from a thread of its own.

Knows: trackers and threads. Must not know: what a tracker shows.

A tracker that is slow, hangs or fails must not hold up a trial nor stop a study: the
loop only puts events into a queue.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue

from moosnn.events import Event
from moosnn.history import History
from moosnn.tracking.tracker import Tracker

# How long a study waits at its end for a tracker to show what is left and to close.
CLOSE_S = 60.0


class Feed:
    """One tracker's thread."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._queue: SimpleQueue[tuple[Event, History] | None] = SimpleQueue()
        name = type(tracker).__name__
        # A daemon: a tracker that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def tell(self, event: Event, history: History) -> None:
        """Pass on an event; returns at once."""
        self._queue.put((event, history))

    def finish(self) -> None:
        """Let the tracker close once it has heard everything; returns at once."""
        self._queue.put(None)

    def join(self, deadline: float) -> None:
        """Wait until the tracker has closed.

        Args:
            deadline: of the monotonic clock; then it is left as it is, with a line.
        """
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._say(f"does not end and is left, {self._queue.qsize()} events behind")

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                self._tracker.on_event(*item)
            self._tracker.close()
        except (Exception, SystemExit) as error:  # rich exits when its pipe is closed
            reason = f"{type(error).__name__}: {error}".removesuffix(": ")
            self._say(f"failed and is left out: {reason}")

    def _say(self, what: str) -> None:
        name = type(self._tracker).__name__
        print(f"moosnn: tracker {name} {what}", file=sys.stderr, flush=True)


class Feeds:
    """The threads of a study's trackers."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers
        self._feeds: list[Feed] = []

    def open(self) -> None:
        """Start the threads."""
        self._feeds = [Feed(tracker) for tracker in self._trackers]

    def tell(self, event: Event, history: History) -> None:
        """Pass an event on to each tracker; returns at once."""
        for feed in self._feeds:
            feed.tell(event, history)

    def close(self) -> None:
        """Let each show what is left and close, for `CLOSE_S` seconds at most."""
        for feed in self._feeds:
            feed.finish()
        deadline = time.monotonic() + CLOSE_S
        for feed in self._feeds:
            feed.join(deadline)
