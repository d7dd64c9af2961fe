"""Asks the optimizer for one proposal at a time, without holding up the loop.

Knows: optimizers, threads. Must not know: journals, executors.

A suggestion may take a second; meanwhile the loop has to give out trials and read
results. So it is computed in a thread, from the history as it was when it was asked
for: what is journaled in between, the optimizer has not `seen`.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

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
        self._pool = (
            ThreadPoolExecutor(1, "proposer", initializer=_pin_threads)
            if threaded
            else None
        )
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
        if self._pool is not None:
            self._answer = self._pool.submit(self._propose, history)
        else:
            self._answer = Future()
            self._answer.set_result(self._propose(history))

    def take(self) -> tuple[Proposal | None, float]:
        """The answer, or ``None`` if the space holds no further point; its seconds."""
        assert self._answer is not None
        answer, self._answer = self._answer, None
        return answer.result()

    def close(self) -> None:
        """Ask no more; a suggestion that is being computed is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _propose(self, history: History) -> tuple[Proposal | None, float]:
        start = time.perf_counter()
        found = self._optimizer.propose(self._problem, history, 1, self._seed)
        return (found[0] if found else None), time.perf_counter() - start


def _pin_threads() -> None:
    """OpenMP counts its threads for each thread that starts them."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(THREADS)
