"""A study that does not happen: its real loop, journal and optimizer, virtual workers.

Knows: studies, optimizers, the virtual clock. Must not know: hydra, options, how its
numbers are shown.

The CPU seconds of a suggestion are measured and pass on the virtual clock before the
suggestion is there, while the virtual workers go on. So a simulation shows where an
optimizer is too slow for its workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.pareto.front import GrowingFront
from moosnn.problem import Problem
from moosnn.proposer import Answer
from moosnn.runtime.journal import Journal
from moosnn.runtime.lease import Lease
from moosnn.runtime.simulator import Simulator, VirtualClock
from moosnn.settings import Settings
from moosnn.study import Study
from moosnn.threads import single_threaded
from moosnn.tracking.tracker import Tracker

# What the hypervolume of a simulation is compared with: this share of a known one.
NEARLY = 0.99
_HOUR_S = 3600.0


class VirtualProposer:
    """Asks an optimizer, whose answer is ready after its CPU seconds on the clock.

    Attributes:
        answers: how many were given.
        seconds: of all of them together.
    """

    def __init__(
        self,
        problem: Problem,
        optimizer: Optimizer,
        seed: int,
        clock: VirtualClock,
        *,
        fixed_s: float | None = None,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """Prepare.

        Args:
            problem: what is wanted.
            optimizer: is asked.
            seed: of the study.
            clock: of the study.
            fixed_s: seconds of each answer, >= 0, instead of those it takes; ``None``
                = those it takes.
            cpu_s: CPU seconds of this thread.
        """
        self._problem = problem
        self._optimizer = optimizer
        self._seed = seed
        self._clock = clock
        self._fixed_s = fixed_s
        self._cpu_s = cpu_s
        self._answer: Answer | None = None
        self._ready_at = 0.0
        self.answers = 0
        self.seconds = 0.0

    @property
    def asked(self) -> bool:
        """Whether there is an answer to wait for or to take."""
        return self._answer is not None

    def pause(self, seconds: float) -> None:
        """Wait: what passes is real time, none of the study's."""
        time.sleep(seconds)

    @property
    def ready(self) -> bool:
        """Whether `take` has an answer."""
        return self._answer is not None and self._clock() >= self._ready_at

    def ask(self, history: History) -> None:
        """Ask for the proposal after a history."""
        assert self._answer is None, "one question at a time"
        before = self._cpu_s()
        found = self._optimizer.propose(self._problem, history, 1, self._seed)
        spent = self._cpu_s() - before
        self._clock.apart_s += spent
        seconds = spent if self._fixed_s is None else self._fixed_s
        self._answer = Answer(found[0] if found else None, seconds)
        self._ready_at = self._clock() + seconds
        self._clock.wake_at = self._ready_at

    def take(self) -> Answer:
        """The answer, once it is `ready`."""
        assert self._answer is not None
        answer, self._answer, self._clock.wake_at = self._answer, None, None
        self.answers += 1
        self.seconds += answer.seconds
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What a simulation showed; all seconds are virtual but for the driver's.

    Attributes:
        workers: how many there were.
        trials: how many ended.
        makespan_s: until the last trial ended.
        busy: share of the workers' time spent on trials, from the first attempt until
            the last one was given out; then there is too little left to do.
        busy_to_end: the same until the last trial ended.
        suggestion_s: mean CPU seconds of a suggestion.
        driver_ms: mean CPU milliseconds of the driver an event, without suggestions.
        hypervolume: of the front at the end.
        curve: when each trial ended, in seconds since the beginning, and the
            hypervolume by then.
    """

    workers: int
    trials: int
    makespan_s: float
    busy: float
    busy_to_end: float
    suggestion_s: float
    driver_ms: float
    hypervolume: float
    curve: tuple[tuple[float, float], ...]

    def hours_to(self, volume: float) -> float | None:
        """Virtual hours until the hypervolume was reached; ``None`` = it never was."""
        for seconds, reached in self.curve:
            if reached >= volume:
                return seconds / _HOUR_S
        return None


def simulate(
    *,
    problem: Problem,
    optimizer: Optimizer,
    simulator: Simulator,
    clock: VirtualClock,
    folder: Path,
    header: Mapping[str, Any],
    settings: Settings,
    trackers: Sequence[Tracker] = (),
    fixed_s: float | None = None,
) -> Simulated:
    """Run a study in virtual time.

    Args:
        problem: what is wanted.
        optimizer: says what to try next.
        simulator: the virtual workers.
        clock: theirs.
        folder: empty or absent; a journal will lie in it.
        header: of that journal.
        settings: how far to go.
        trackers: are told of every event.
        fixed_s: seconds of each suggestion instead of those it takes.

    Raises:
        MoosnnError: as `Study.run`.
    """
    proposer = VirtualProposer(
        problem, optimizer, settings.seed, clock, fixed_s=fixed_s
    )
    folder.mkdir(parents=True, exist_ok=True)
    with Lease.acquire(folder) as lease, single_threaded():
        journal = Journal(folder, lease, clock)
        journal.append(Kind.STUDY, data=header)
        Study(
            problem=problem,
            optimizer=optimizer,
            executor=simulator,
            journal=journal,
            trackers=trackers,
            settings=settings,
            proposer=proposer,
            clock=clock,
        ).run()
    history = journal.history
    curve = _curve(problem, history)
    last = history.of_kind(Kind.SUBMITTED)[-1].time
    return Simulated(
        workers=simulator.workers,
        trials=len(curve),
        makespan_s=curve[-1][0],
        busy=simulator.busy(last),
        busy_to_end=simulator.busy(history[0].time + curve[-1][0]),
        suggestion_s=proposer.seconds / max(proposer.answers, 1),
        driver_ms=1000 * simulator.driver_s / len(history),
        hypervolume=curve[-1][1],
        curve=tuple(curve),
    )


def _curve(problem: Problem, history: History) -> list[tuple[float, float]]:
    """When each trial ended, and the hypervolume by then."""
    front, begin = GrowingFront(problem), history[0].time
    return [
        (event.time - begin, front.add(history.trial(event.number)))
        for event in history
        if event.kind in (Kind.FINISHED, Kind.FAILED) and event.number is not None
    ]
