"""Workers that do not exist, in a time that does not pass by itself.

Knows: virtual time, when a virtual trial ends, how long workers were busy.
Must not know: optimizers, journals, where measurements come from.

The loop of a study polls its executor. Here a poll moves the clock to the next thing
that happens, the end of a trial or whatever else somebody waits for, and never sleeps:
a week of 512 workers takes as long as its optimizer and its driver compute.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from moosnn.conditions import is_number
from moosnn.errors import ConfigError
from moosnn.runtime.attempt import Result
from moosnn.runtime.executors import Ended, Expected, Report
from moosnn.trial import Failure, Proposal, Trial

LOG_NORMAL, CONSTANT, EXPONENTIAL = "log-normal", "constant", "exponential"
DISTRIBUTIONS = (LOG_NORMAL, CONSTANT, EXPONENTIAL)

_LONGEST_S = 1e9  # thirty years
_LARGEST_SIGMA = 10.0  # half of all then take less than 1e-21 of the mean
_STREAM = 3  # keeps these draws apart from those of trials and optimizers


class VirtualClock:
    """Seconds since 1970 that pass only when somebody says so.

    Attributes:
        wake_at: when somebody beside the workers is to be looked at; ``None`` = never.
        apart_s: CPU seconds of this thread that were charged by somebody else and are
            not the driver's own.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self.wake_at: float | None = None
        self.apart_s = 0.0

    def __call__(self) -> float:
        """Now."""
        return self._now

    def pass_to(self, when: float) -> None:
        """Let time pass until then; it never goes back."""
        self._now = max(self._now, when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long attempts take: independent draws, the same for any number of workers.

    Attributes:
        mean_s: seconds, > 0.
        sigma: of the logarithm of a log-normal duration, >= 0; the others ignore it.
        distribution: one of `DISTRIBUTIONS`.
        seed: of the draws, >= 0.

    Raises:
        ConfigError: a number out of its range, an unknown distribution.
    """

    mean_s: float
    sigma: float = 0.0
    distribution: str = LOG_NORMAL
    seed: int = 0

    def __post_init__(self) -> None:
        if not (is_number(self.mean_s) and 0 < self.mean_s <= _LONGEST_S):
            raise ConfigError(
                f"expected mean seconds > 0, at most {_LONGEST_S:g}, got "
                f"{self.mean_s!r}."
            )
        if not (is_number(self.sigma) and 0 <= self.sigma <= _LARGEST_SIGMA):
            raise ConfigError(
                f"expected sigma from 0 to {_LARGEST_SIGMA:g}, got {self.sigma!r}."
            )
        if self.distribution not in DISTRIBUTIONS:
            raise ConfigError(
                f"expected one of {', '.join(DISTRIBUTIONS)}, "
                f"got {self.distribution!r}."
            )

    def __call__(self, number: int, attempt: int) -> float:
        """Seconds of one attempt of a trial.

        A log-normal duration is exp(N(ln mean - sigma^2 / 2, sigma)), so that `mean_s`
        is the mean and not the median.
        """
        if self.distribution == CONSTANT:
            return self.mean_s
        rng = np.random.default_rng([self.seed, number, attempt, _STREAM])
        if self.distribution == EXPONENTIAL:
            return float(rng.exponential(self.mean_s))
        location = math.log(self.mean_s) - self.sigma**2 / 2
        return float(rng.lognormal(location, self.sigma))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a virtual attempt.

    Attributes:
        result: what is measured, or why nothing is.
        seconds: virtual ones until then, >= 0.
    """

    result: Result
    seconds: float


class Measure(Protocol):
    """Says what becomes of an attempt, at once."""

    def __call__(self, proposal: Proposal, attempt: int) -> Outcome:
        """What is measured, and after how long."""
        ...


class Simulator:
    """An executor of virtual workers.

    What the driver computes between two polls may be charged to the clock: meanwhile
    free workers wait, and the trials go on.

    Attributes:
        given_out: when each attempt began and how long it takes, in the order in which
            they were given out.
        driver_s: CPU seconds of the driver's own work so far, without suggestions.
    """

    def __init__(
        self,
        *,
        workers: int,
        measure: Measure,
        clock: VirtualClock,
        charge_driver: bool = True,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """Prepare.

        Args:
            workers: how many, >= 1.
            measure: what becomes of each attempt.
            clock: of the study, its journal and its proposer too.
            charge_driver: whether the driver's CPU seconds pass on the clock.
            cpu_s: CPU seconds of this thread.

        Raises:
            ConfigError: no workers.
        """
        if workers < 1:
            raise ConfigError(f"expected 1 worker or more, got {workers}.")
        self._workers = workers
        self._measure = measure
        self._clock = clock
        self._charges = charge_driver
        self._cpu_s = cpu_s
        self._begun_s = self._own_s()
        self._free = list(range(workers))
        self._running: list[tuple[float, int, int, int, Result]] = []
        self._ends: list[Ended] = []  # of attempts that no worker has
        self._woken_at: float | None = None
        self.given_out: list[tuple[float, float]] = []
        self.driver_s = 0.0

    @property
    def workers(self) -> int:
        """How many there are."""
        return self._workers

    @property
    def ahead(self) -> int:
        """As many as the workers on this machine keep."""
        return max(1, self._workers // 4)

    def free(self) -> int:
        """The workers that hold nothing."""
        return len(self._free)

    def expect(self, count: int, later: int = 0) -> None:
        """They cost nothing and stay."""

    def reserve(self, expected: Expected | None = None) -> str:
        """The name of a free worker."""
        return str(self._free[0])

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        """Begin an attempt: what becomes of it is known, but to nobody before its end.

        Its result is computed here, on the driver's time but at nobody's expense.
        """
        worker = heapq.heappop(self._free)
        before = self._cpu_s()
        outcome = self._measure(proposal, attempt)
        self._clock.apart_s += self._cpu_s() - before
        now = self._clock()
        self.given_out.append((now, outcome.seconds))
        heapq.heappush(
            self._running,
            (now + outcome.seconds, worker, proposal.number, attempt, outcome.result),
        )

    def poll(self) -> list[Report | Ended]:
        """Let time pass to the next thing that happens, and tell which trials ended."""
        self._charge()
        happened: list[Report | Ended] = [*self._ends]
        self._ends.clear()
        due = [self._running[0][0]] if self._running else []
        wake_at = self._clock.wake_at
        # Once: an answer that nobody takes any more must not stop the time.
        if wake_at is not None and wake_at != self._woken_at:
            due.append(wake_at)
        if due and not happened:
            self._clock.pass_to(min(due))
        if wake_at is not None and wake_at <= self._clock():
            self._woken_at = wake_at
        while self._running and self._running[0][0] <= self._clock():
            _, worker, number, attempt, result = heapq.heappop(self._running)
            heapq.heappush(self._free, worker)
            happened.append(Ended(number=number, attempt=attempt, result=result))
        return happened

    def stop(self, number: int) -> None:
        """A virtual trial reports nothing, so nothing asks for its end."""

    def attach(self, trials: Sequence[Trial]) -> None:
        """Virtual attempts end with their driver, whose time begins to count now."""
        self._begun_s = self._own_s()
        lost = Failure(kind="lost", message="its virtual worker ended with its driver")
        self._ends += [
            Ended(number=trial.number, attempt=trial.attempt, result=lost)
            for trial in trials
        ]

    def close(self, *, cancel: bool) -> None:
        """Nothing runs."""
        self._charge()

    def busy(self, until: float) -> float:
        """Which share of all workers' time was spent on trials, in [0, 1].

        Args:
            until: virtual seconds since 1970; from the first attempt until then.
        """
        if not self.given_out or until <= self.given_out[0][0]:
            return 0.0
        first = self.given_out[0][0]
        spent = math.fsum(
            min(begin + seconds, until) - begin
            for begin, seconds in self.given_out
            if begin < until
        )
        return spent / (self._workers * (until - first))

    def _own_s(self) -> float:
        return self._cpu_s() - self._clock.apart_s

    def _charge(self) -> None:
        """Count, and charge, what the driver computed since the last time."""
        own = self._own_s()
        spent, self._begun_s = own - self._begun_s, own
        self.driver_s += spent
        if self._charges:
            self._clock.pass_to(self._clock() + spent)
