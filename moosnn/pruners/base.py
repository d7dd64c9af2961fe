"""What every pruner is. Must not know tasks, executors or journals' files."""

from __future__ import annotations

from typing import Protocol

from moosnn.history import History
from moosnn.problem import Problem


class Pruner(Protocol):
    """Says which running trial is not worth its end.

    A pure function of the history, as an optimizer: the same events, the same answer.
    """

    def stops(self, problem: Problem, history: History, number: int) -> bool:
        """Whether a trial should end now.

        Asked after each of its reports; a trial that is told to end does so at its next
        report, with ``stopped="pruned"``.

        Args:
            problem: what is wanted.
            history: its last event is the report.
            number: of the trial that reported; it is PENDING.
        """
        ...
