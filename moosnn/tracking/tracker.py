"""What every tracker is. Must not know: executors, tasks, how a journal is stored."""

from __future__ import annotations

from typing import Protocol

from moosnn.events import Event
from moosnn.history import History


class Tracker(Protocol):
    """Shows a study as it goes. Whatever it shows can be rebuilt from the journal."""

    def on_event(self, event: Event, history: History) -> None:
        """Hear of an event, once it is on disk.

        Args:
            event: the newest one. A study that continues tells ``opened`` first, not
                the events before it: those are in the history.
            history: everything so far, ``event`` included.
        """
        ...

    def close(self) -> None:
        """The driver ends, for whatever reason."""
        ...
