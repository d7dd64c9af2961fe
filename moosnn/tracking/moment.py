"""A study at one moment, as numbers: all that the live display needs.

Knows: progress, problems, histories. Must not know: terminals, threads, clocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from moosnn.events import Event
from moosnn.problem import Problem
from moosnn.tracking.progress import Follower, Progress, Running
from moosnn.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A study after one of its events.

    Attributes:
        title: names the study.
        budget: how many trials it has.
        problem: says what is shown of a trial.
        progress: its numbers.
        gain: what the last trials added to the hypervolume.
        left_s: seconds until the budget is spent, as estimated when the last trial
            ended; ``None`` unknown.
        running: what the workers have.
        front: the front's members, by ascending first loss; see `Follower.front`.
        time: of the last event, seconds since 1970 by the driver's clock.
        since_ended_s: seconds from the end of the last trial to the last event.
        over: whether nothing is left to do.
    """

    title: str
    budget: int
    problem: Problem
    progress: Progress = field(default_factory=Progress)
    gain: float = 0.0
    left_s: float | None = None
    running: tuple[Running, ...] = ()
    front: tuple[Trial, ...] = ()
    time: float = 0.0
    since_ended_s: float = 0.0
    over: bool = False

    def elapsed_s(self, now: float) -> float:
        """Seconds of work until ``now``, by the driver's clock."""
        since = 0.0 if self.over else max(0.0, now - self.time)
        return self.progress.elapsed_s + since

    def remaining_s(self, now: float) -> float | None:
        """Seconds left; at least one more trial's, as long as any is left."""
        missing = self.budget - self.progress.ended
        if self.left_s is None or missing < 1:
            return None
        since = self.since_ended_s + max(0.0, now - self.time)
        return max(self.left_s - since, self.left_s / missing)


def moment_of(
    follower: Follower,
    event: Event,
    before: Moment,
) -> Moment:
    """What is to be shown after an event.

    Args:
        follower: has heard ``event``.
        event: the newest.
        before: the moment before it; its title and budget stay.
    """
    now = follower.now
    last = follower.curve[-1].elapsed_s if follower.curve else 0.0
    return Moment(
        title=before.title,
        budget=before.budget,
        problem=before.problem,
        progress=now,
        gain=follower.gain,
        left_s=follower.left_s(before.budget),
        running=tuple(follower.running),
        front=follower.front,
        time=event.time,
        since_ended_s=now.elapsed_s - last,
    )
