"""What an optimizer sees of points that were measured several times.

Knows: histories, which trials are one point. Must not know: models, who repeats.
"""

from __future__ import annotations

from moosnn.history import History
from moosnn.pareto.pooling import pooled
from moosnn.problem import Problem
from moosnn.trial import Trial

__all__ = ["PooledHistory", "pooled"]


class PooledHistory(History):
    """A history whose evaluated trials are one a point, with means and errors.

    Everything else, the events and the single trials, is as it was: whoever counts
    them, or asks which points were proposed, gets the same answer. Without repeats it
    is the history itself in every respect.

    Args:
        history: what happened.
        problem: says how trials are merged; see `pooled`.
    """

    __slots__ = ("_problem",)

    def __init__(self, history: History, problem: Problem) -> None:
        super().__init__(history._log, len(history))
        self._problem = problem

    @property
    def done(self) -> list[Trial]:
        """The evaluated points, in the order in which the first trial of each ended."""
        return pooled(super().done, self._problem)

    def prefix(self, length: int) -> PooledHistory:
        """The same view of the history when it had ``length`` events.

        Raises:
            ValueError: ``length`` is negative or lies beyond this history.
        """
        return PooledHistory(super().prefix(length), self._problem)
