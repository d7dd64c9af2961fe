"""Asks the optimizer for one proposal at a time, without holding up the loop.

Knows: optimizers, threads, the clock. Must not know: journals, executors.

A suggestion may take a second; meanwhile the loop has to give out trials and read
results. So it is computed in a thread, from the history as it was when it was asked
for: what is journaled in between, the optimizer has not `seen`.

A suggestion that takes too long is answered with a Sobol point in its place, and so is
every further question until the late one is done. That depended on the clock, so the
answer says so and it is journaled: a replay takes it as it was.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Protocol

from moosnn.history import History
from moosnn.optimizers.base import FALLBACK, Optimizer
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Problem
from moosnn.trial import Proposal

# A suggestion's numbers depend on how many threads add them up.
THREADS = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        proposal: ``None`` if the space holds no further point.
        seconds: how long it took, or was waited for.
        late: whether the optimizer ran into the time limit.
    """

    proposal: Proposal | None
    seconds: float
    late: bool = False


class Asked(Protocol):
    """Whoever is asked for proposals, one question at a time.

    See `Proposer`; a simulation has one that lives in virtual time.
    """

    @property
    def asked(self) -> bool:
        """Whether there is an answer to wait for or to take."""
        ...

    @property
    def ready(self) -> bool:
        """Whether `take` has an answer."""
        ...

    def ask(self, history: History) -> None:
        """Ask for the proposal after a history."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait so long, or until an answer is there."""
        ...

    def take(self) -> Answer:
        """The answer, once it is `ready`."""
        ...


class Proposer:
    """One question at a time.

    Args:
        problem: what is wanted.
        optimizer: is asked.
        seed: of the study.
        threaded: answer later; else `ask` waits for the answer.
        limit_s: seconds after which a Sobol point is the answer; ``None`` = never.
    """

    def __init__(
        self,
        problem: Problem,
        optimizer: Optimizer,
        seed: int,
        *,
        threaded: bool,
        limit_s: float | None = None,
    ) -> None:
        self._problem = problem
        self._optimizer = optimizer
        self._seed = seed
        self._threaded = threaded
        self._limit_s = limit_s
        self._question: tuple[History, float] | None = None
        # May outlive its question.
        self._computed: Future[tuple[Proposal | None, float]] | None = None
        self._late = False

    @property
    def asked(self) -> bool:
        """Whether there is an answer to wait for or to take."""
        return self._question is not None

    @property
    def ready(self) -> bool:
        """Whether `take` has an answer."""
        if self._question is None or self._computed is None:
            return False
        return self._late or self._computed.done() or self._waited() >= self._limit()

    def ask(self, history: History) -> None:
        """Ask for the proposal after a history."""
        assert self._question is None, "one question at a time"
        self._question = (history, time.perf_counter())
        if self._late and self._computed is not None and self._computed.done():
            self._computed.result()  # raises what went wrong after its time
        self._late = self._late_one_is_busy
        if self._late:
            return
        self._computed = Future()
        if not self._threaded and self._limit_s is None:
            self._compute(history, self._computed)
            return
        # A daemon: who interrupts a study does not wait for a suggestion.
        arguments = (history, self._computed)
        threading.Thread(
            target=self._compute, args=arguments, name="proposer", daemon=True
        ).start()
        if not self._threaded:
            wait([self._computed], self._limit_s)
            self._late = not self._computed.done()

    def pause(self, seconds: float) -> None:
        """Wait so long, or until an answer is there."""
        if self._computed is None or self._computed.done():
            time.sleep(seconds)
        else:
            wait([self._computed], seconds)

    def take(self) -> Answer:
        """The answer, once it is `ready`."""
        assert self._question is not None
        assert self._computed is not None
        history, _ = self._question
        seconds = self._waited()
        late = self._late or not self._computed.done()
        self._question, self._late = None, late
        if not late:
            return Answer(*self._computed.result())
        found = Sobol().propose(self._problem, history, 1, self._seed)
        fallback = replace(found[0], origin=FALLBACK) if found else None
        return Answer(fallback, seconds, late=True)

    @property
    def _late_one_is_busy(self) -> bool:
        """Whether the optimizer is still at an earlier question."""
        return self._computed is not None and not self._computed.done()

    def _limit(self) -> float:
        return float("inf") if self._limit_s is None else self._limit_s

    def _waited(self) -> float:
        assert self._question is not None
        return time.perf_counter() - self._question[1]

    def _compute(
        self, history: History, answer: Future[tuple[Proposal | None, float]]
    ) -> None:
        start = time.perf_counter()
        try:
            if threading.current_thread() is not threading.main_thread():
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
