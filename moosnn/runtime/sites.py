"""Where workers run: what an executor must know of a machine or a cluster.

Must not know: trials' results, who is given what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from moosnn.runtime.executors import Expected
from moosnn.runtime.workers import Worker
from moosnn.trial import Failure


class Site(Protocol):
    """Starts workers, knows which are gone, ends them."""

    @property
    def look_s(self) -> float:
        """Seconds between two looks into a busy outbox, >= 0."""
        ...

    @property
    def patient(self) -> bool:
        """Whether a new worker may wait long for its place, as in a cluster's queue.

        It is given work once it lives, and keeps its place until then.
        """
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a worker of an earlier driver must have in common with ours."""
        ...

    def start(self, count: int, expected: Expected | None = None) -> list[Worker]:
        """Have workers started; fewer, or none, if that cannot be had just now.

        Args:
            count: >= 1.
            expected: what the one attempt they are for will need.

        Raises:
            ConfigError: it never will.
        """
        ...

    def left_behind(self) -> list[Worker]:
        """The living workers of earlier drivers; what is left of others is ended.

        Those in ``left`` = 0 would not be started as they are: they end after the
        attempt that they hold.
        """
        ...

    def look(self, workers: Sequence[Worker]) -> Mapping[str, Failure]:
        """Which workers are gone since the last look, and what to say of their trials.

        Also notes which live (``lived``), and which should be given nothing more
        (``left`` = 0). Called at each poll; looks as often as is good for the site.
        """
        ...

    def end(self, workers: Sequence[Worker]) -> None:
        """End workers at once, with what their trials started."""
        ...

    def close(self, workers: Sequence[Worker], staying: Sequence[Worker]) -> None:
        """Wait a little for the workers that were told to end.

        Args:
            workers: that just were.
            staying: that finish a trial before.
        """
        ...
