"""Asks the optimizer for one proposal at a time, without holding up the loop.

Knows: optimizers, threads. Must not know: journals, executors.

A suggestion may take a second; meanwhile the loop has to give out trials and read
results. So it is computed in a thread, from the history as it was when it was asked
for: what is journaled in between, the optimizer has not `seen`.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import Future
from functools import partial

from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.problem import Problem
from moosnn.trial import Proposal

# A suggestion's numbers depend on how many threads add them up.
THREADS = 1


class Proposer:
    """One question at a time.

    Args:
        problem: what is wanted.
        optimizer: is asked.
        seed: of the study.
        threaded: answer later, from a thread; else at once.
    """

    def __init__(
        self, problem: Problem, optimizer: Optimizer, seed: int, *, threaded: bool
    ) -> None:
        self._problem = problem
        self._optimizer = optimizer
        self._seed = seed
        self._threaded = threaded
        self._answer: Future[tuple[Proposal | None, float]] | None = None

    @property
    def asked(self) -> bool:
        """Whether there is an answer to wait for or to take."""
        return self._answer is not None

    @property
    def ready(self) -> bool:
        """Whether `take` has an answer."""
        return self._answer is not None and self._answer.done()

    def ask(self, history: History) -> None:
        """Ask for the proposal after a history."""
        assert self._answer is None, "one question at a time"
        answer: Future[tuple[Proposal | None, float]] = Future()
        self._answer = answer
        if self._threaded:
            # A daemon: who interrupts a study does not wait for a suggestion.
            run = partial(self._propose, history, answer)
            threading.Thread(target=run, name="proposer", daemon=True).start()
        else:
            self._propose(history, answer)

    def take(self) -> tuple[Proposal | None, float]:
        """The answer, or ``None`` if the space holds no further point; its seconds."""
        assert self._answer is not None
        answer, self._answer = self._answer, None
        return answer.result()

    def _propose(
        self, history: History, answer: Future[tuple[Proposal | None, float]]
    ) -> None:
        start = time.perf_counter()
        try:
            if self._threaded:
                _pin_threads()
            found = self._optimizer.propose(self._problem, history, 1, self._seed)
        except BaseException as error:
            answer.set_exception(error)  # `take` raises it
        else:
            seconds = time.perf_counter() - start
            answer.set_result((found[0] if found else None, seconds))


def _pin_threads() -> None:
    """OpenMP counts its threads for each thread that starts them."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(THREADS)
