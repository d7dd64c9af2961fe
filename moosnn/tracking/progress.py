"""How far a study is, in numbers: the one place where they are counted.

Knows: problems and histories. Must not know: terminals, W&B, pictures, files.

A `Follower` takes a journal event by event and costs little for each: a display, a
W&B run and a report of the same journal always show the same numbers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Self

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.current_front import CurrentFront
from moosnn.trial import Evaluation, Status, Trial

# How many trials or suggestions "recent" means.
RECENT = 10
# The share of its training that a stopped trial was spared, if its task tells.
WORK_SAVED = "work_saved"
_ENDS = (Kind.FINISHED, Kind.CORRECTED, Kind.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A study at one moment.

    Trials are counted one by one, repeats too: each is a training. The front is one of
    points, each with the mean of its trainings.

    Attributes:
        done: trials that were evaluated.
        feasible: those of them that violate no constraint.
        silent: those of them that violate a constraint that voids: beyond the edge.
        pruned: those of them that were ended early by comparison with others.
        failed: trials that finally failed.
        pending: trials that were proposed and have not ended.
        retrained: retrainings of front members that have ended.
        front: the front's trial numbers, by ascending first loss; that of a repeated
            point is its first.
        hypervolume: of the front.
        elapsed_s: seconds during which a driver was at work.
        suggestion_s: mean seconds of the last `RECENT` suggestions, 0 without any.
        saved_s: seconds of training that early stopping spared, as far as known.
    """

    done: int = 0
    feasible: int = 0
    silent: int = 0
    pruned: int = 0
    failed: int = 0
    pending: int = 0
    retrained: int = 0
    front: tuple[int, ...] = ()
    hypervolume: float = 0.0
    elapsed_s: float = 0.0
    suggestion_s: float = 0.0
    saved_s: float = 0.0

    @property
    def ended(self) -> int:
        """Trials that count against the budget."""
        return self.done + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A trial, or a retraining of one, that a worker has.

    Attributes:
        number: of the trial.
        attempt: its attempt.
        step: whole epochs done, as last reported; ``None`` before the first report.
        since: when it was given out, seconds since 1970 by the driver's clock.
        retraining: whether it is a retraining for the test split.
        worker: its name, if the journal tells it.
    """

    number: int
    attempt: int
    step: int | None
    since: float
    retraining: bool = False
    worker: str | None = None


@dataclass(slots=True)
class Follower:
    """Adds up a study's events.

    Attributes:
        problem: says what is feasible and better.
        now: after the last event.
        curve: what `now` was after each ended (or corrected) trial.
    """

    problem: Problem
    now: Progress = field(default_factory=Progress)
    curve: list[Progress] = field(default_factory=list)
    _front: CurrentFront = field(init=False)
    _last_time: float | None = None
    _suggestions: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _running: dict[tuple[int, int], Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._front = CurrentFront(self.problem)

    @classmethod
    def of(cls, problem: Problem, history: History) -> Self:
        """A follower that has heard a whole history."""
        follower = cls(problem)
        for position in range(len(history)):
            follower.add(history[position], history.prefix(position + 1))
        return follower

    @property
    def running(self) -> list[Running]:
        """What the workers have, by trial number."""
        return [self._running[key] for key in sorted(self._running)]

    @property
    def front(self) -> tuple[Trial, ...]:
        """The front's members, with the means of those measured several times.

        The same object until one of them changes.
        """
        return self._front.members

    @property
    def gain(self) -> float:
        """What the last `RECENT` ended trials added to the hypervolume."""
        curve = self.curve
        before = curve[-RECENT - 1].hypervolume if len(curve) > RECENT else 0.0
        return self.now.hypervolume - before

    def left_s(self, budget: int) -> float | None:
        """Seconds until the budget is spent at the recent pace; ``None`` unknown."""
        recent = self.curve[-2 * RECENT - 1 :]
        if len(recent) < 2 or self.now.ended >= budget:
            return None
        seconds = recent[-1].elapsed_s - recent[0].elapsed_s
        ended = recent[-1].ended - recent[0].ended
        return (budget - self.now.ended) * seconds / ended if ended else None

    def add(self, event: Event, history: History) -> None:
        """Hear of the next event.

        Args:
            event: the newest.
            history: everything so far, ``event`` included.
        """
        changed: dict[str, Any] = {"elapsed_s": self._elapsed_s(event)}
        match event.kind:
            case Kind.PROPOSED:
                self._suggestions.append(float(event.data.get("seconds", 0.0)))
                mean = sum(self._suggestions) / len(self._suggestions)
                changed |= {"pending": self.now.pending + 1, "suggestion_s": mean}
            case kind if kind in _ENDS:
                changed |= self._ended(event, history)
            case Kind.CONFIRMED:
                changed["retrained"] = self.now.retrained + 1
            case _:
                pass
        self.now = replace(self.now, **changed)
        if event.kind in _ENDS:
            self.curve.append(self.now)
        self._follow_running(event, history)

    def _elapsed_s(self, event: Event) -> float:
        """The time between two drivers does not count, nor a clock that goes back."""
        last, self._last_time = self._last_time, event.time
        if last is None or event.kind is Kind.OPENED:
            return self.now.elapsed_s
        return self.now.elapsed_s + max(0.0, event.time - last)

    def _ended(self, event: Event, history: History) -> dict[str, Any]:
        """What an ended or corrected trial changes."""
        assert event.number is not None
        now, trial = self.now, history.trial(event.number)
        changed: dict[str, Any]
        if event.kind is Kind.CORRECTED:
            changed = {"failed": now.failed - 1}
        else:
            changed = {"pending": now.pending - 1}
        if trial.evaluation is None:
            return {**changed, "failed": now.failed + 1}
        self._front.add(trial)
        front = self._front.front
        return {
            **changed,
            "done": now.done + 1,
            "feasible": now.feasible + self.problem.is_feasible(trial),
            "silent": now.silent + is_silent(self.problem, trial),
            "pruned": now.pruned + trial.is_pruned,
            "saved_s": now.saved_s + saved_s(trial.evaluation),
            "front": front.numbers,
            "hypervolume": front.hypervolume,
        }

    def _follow_running(self, event: Event, history: History) -> None:
        if event.number is None or event.attempt is None:
            return
        key = (event.number, event.attempt)
        match event.kind:
            case Kind.SUBMITTED | Kind.CONFIRMING:
                self._running[key] = Running(
                    number=event.number,
                    attempt=event.attempt,
                    step=None,
                    since=event.time,
                    retraining=event.kind is Kind.CONFIRMING,
                    worker=event.data.get("job_id"),
                )
            case Kind.REPORTED:
                if key in self._running:
                    step = int(event.data["step"])
                    self._running[key] = replace(self._running[key], step=step)
            case Kind.FINISHED | Kind.FAILED:
                # Also the other attempts: the first result of a number wins.
                for attempt in range(history.attempts(event.number) + 1):
                    self._running.pop((event.number, attempt), None)
            case _:
                self._running.pop(key, None)


def is_silent(problem: Problem, trial: Trial) -> bool:
    """Whether a trial violates a constraint that voids; what was pruned might not."""
    whole = trial.status is Status.DONE and not trial.is_pruned
    return whole and any(
        trial.evaluation is not None
        and c.voids
        and c.violation(trial.evaluation.metrics[c.metric]) > 0
        for c in problem.constraints
    )


def saved_s(evaluation: Evaluation) -> float:
    """Seconds that a stopped training would still have taken, by its own pace.

    0 for one that was not stopped, or whose task does not measure `WORK_SAVED`.
    """
    share = evaluation.metrics.get(WORK_SAVED, 0.0)
    if evaluation.stopped is None or not 0.0 < share < 1.0:
        return 0.0
    own = evaluation.training_s
    return (evaluation.seconds if own is None else own) * share / (1.0 - share)


def study_id(history: History) -> str:
    """Twelve hexadecimal digits, the same for a study wherever its folder lies."""
    import hashlib

    first = history[0]
    spelled = f"{first.data.get('digest')} {first.time!r}"
    return hashlib.sha256(spelled.encode()).hexdigest()[:12]
