"""Where a study stands: the numbers of ``moosnn status``.

Knows: problems, histories, how far a study is. Must not know: folders' contents,
leases; who drives the study is said by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from moosnn.events import Kind
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.progress import Progress, Running
from moosnn.tracking.tally import Tally, most_common

RUNNING = "running"
STOPPED = "stopped"
FINISHED = "finished"
DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Who drives a study.

    Attributes:
        host: name of the machine.
        pid: process id.
        seen: whether the process itself was seen; on another host only its signs of
            life are.
    """

    host: str
    pid: int
    seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker of a study.

    Attributes:
        name: as the journal calls it.
        host: where it runs; empty if that is not known.
        alive: whether it runs, or gives signs of life from elsewhere.
        silent_s: seconds since the last one.
    """

    name: str
    host: str
    alive: bool
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A study at one moment.

    Attributes:
        name: of the study, for people: its folder.
        state: `RUNNING`, `STOPPED`, `FINISHED` or `DAMAGED`.
        driver: who drives it, if it is running.
        budget: how many trials are to end, if that is known.
        progress: the numbers.
        gain: what the last `RECENT` ended trials added to the hypervolume.
        left_s: seconds until the budget is spent, if the study runs and has a pace.
        running: the trials that were given out and have not ended.
        now: seconds since 1970, to tell how long a trial has been running.
        failures: finally failed trials by kind.
        retries: failed attempts that were repeated, by kind.
        last_log: path of the newest failure's log, relative to the study folder.
        reason: why the search ended, as the journal says it; ``None`` if it did not.
        workers: those that have a sign of life, by name.
    """

    name: str
    state: str
    driver: Driver | None
    budget: int | None
    progress: Progress
    gain: float
    left_s: float | None
    running: tuple[Running, ...]
    now: float
    failures: Mapping[str, int]
    retries: Mapping[str, int]
    last_log: str | None
    reason: str | None = None
    workers: tuple[Worker, ...] = ()


def overview(
    name: str,
    problem: Problem,
    history: History,
    *,
    budget: int | None,
    driver: Driver | None,
    now: float,
    damaged: bool = False,
    workers: Sequence[Worker] = (),
) -> Overview:
    """Add up a study.

    Args:
        name: of the study, for people.
        problem: of the study.
        history: everything so far, its header included.
        budget: how many trials are to end, or ``None``.
        driver: who holds it, or ``None``.
        now: seconds since 1970.
        damaged: whether the journal goes on behind a damaged line.
        workers: those that have a sign of life.
    """
    return overview_of(
        name,
        Tally.of(problem, history),
        budget=budget,
        driver=driver,
        now=now,
        damaged=damaged,
        workers=workers,
    )


def overview_of(
    name: str,
    tally: Tally,
    *,
    budget: int | None,
    driver: Driver | None,
    now: float,
    damaged: bool = False,
    workers: Sequence[Worker] = (),
) -> Overview:
    """As `overview`, of a study that was added up before."""
    # A driver that draws its last pictures still holds a study that is finished.
    state = STOPPED if driver is None else RUNNING
    if tally.ended:
        state = FINISHED
    elif damaged and driver is None:
        state = DAMAGED
    follower = tally.follower
    left_s = follower.left_s(budget) if budget and state == RUNNING else None
    return Overview(
        name=name,
        state=state,
        driver=driver if state == RUNNING else None,
        budget=budget,
        progress=follower.now,
        gain=follower.gain,
        left_s=left_s,
        running=tuple(follower.running),
        now=now,
        failures=most_common(tally.failures),
        retries=most_common(tally.retries),
        last_log=tally.last_log,
        reason=tally.reason,
        workers=tuple(workers),
    )


def is_ended(history: History) -> bool:
    """Whether the driver that wrote last found nothing left to do."""
    return len(history) > 0 and history[-1].kind is Kind.ENDED


def overview_json(study: Overview) -> dict[str, Any]:
    """The overview as JSON data; the keys are documented in docs/reading.md."""
    driver = study.driver
    return {
        "study": study.name,
        "state": study.state,
        "host": driver.host if driver else None,
        "pid": driver.pid if driver else None,
        "budget": study.budget,
        "ended": study.progress.ended,
        **{**asdict(study.progress), "front": list(study.progress.front)},
        "gain": study.gain,
        "left_s": study.left_s,
        "running": [
            {
                "number": one.number,
                "attempt": one.attempt,
                "epoch": one.step,
                "retraining": one.retraining,
                "seconds": running_s(study, one),
                "worker": one.worker,
            }
            for one in study.running
        ],
        "workers": [asdict(worker) for worker in study.workers],
        "failures": dict(study.failures),
        "retries": dict(study.retries),
        "last_log": study.last_log,
    }


def running_s(study: Overview, one: Running) -> float | None:
    """How long a trial has been running; of a stopped study nobody knows."""
    return max(0.0, study.now - one.since) if study.state == RUNNING else None
