"""What people are told while a cluster keeps a study waiting.

Knows: why jobs wait, by Slurm's words. Must not know: how jobs are submitted, trials.

A study on a cluster may wait for hours, and rightly so; but whoever looks at the
terminal should see for what, and what only they can change.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from moosnn.runtime.slurm_queue import PENDING, Answer, Job
from moosnn.runtime.slurm_worker import job_of
from moosnn.runtime.workers import Worker

_log = logging.getLogger(__name__)

_FIRST_S = 60.0  # until a line says that nothing runs yet; then after twice as long
# A job that waits for a person (squeue's manual, JOB REASON CODES), and what helps.
_HELD = {
    "JobHeldUser": "scontrol release",
    "JobHeldAdmin": "ask an administrator to release",
}


class Waits:
    """Tells each thing once, and that nothing runs less and less often.

    Args:
        first_s: seconds without a worker until the first line.
    """

    def __init__(self, first_s: float = _FIRST_S) -> None:
        self._first_s = self._pause_s = first_s
        self._since: float | None = None  # no worker lives, by the answers' clock
        self._held: set[str] = set()
        self._refusals: set[str] = set()

    def look(self, workers: Sequence[Worker], answer: Answer) -> None:
        """Say what is to be said after an answer of Slurm's."""
        found = (answer.jobs.get(job_of(worker.name) or "") for worker in workers)
        waiting = [job for job in found if job is not None and job.state == PENDING]
        self._tell_held(waiting)
        if not waiting or any(worker.lived for worker in workers):
            self._since, self._pause_s = None, self._first_s
            return
        if self._since is None:
            self._since = answer.asked
        if answer.asked - self._since >= self._pause_s:
            self._pause_s *= 2
            reasons = Counter(job.reason or "no reason given" for job in waiting)
            told = ", ".join(f"{why} {n}" for why, n in reasons.most_common())
            _log.warning(
                "note: nothing runs yet: %d jobs wait in Slurm's queue (%s), since %s",
                len(waiting),
                told,
                _minutes(answer.asked - self._since),
            )

    def _tell_held(self, waiting: Sequence[Job]) -> None:
        for job in waiting:
            helps = _HELD.get(job.reason)
            if helps is None:
                self._held.discard(job.id)
            elif job.id not in self._held:
                self._held.add(job.id)
                _log.warning("note: job %s is held: %s %s", job.id, helps, job.id)

    def refused(self, said: str) -> None:
        """Slurm took no job just now, which may go on for ever."""
        if said not in self._refusals:
            self._refusals.add(said)
            _log.warning(
                "note: Slurm takes no job now (%s); it is asked again until it does",
                said,
            )

    def taken(self) -> None:
        """Slurm took a job: its next refusal is news."""
        self._refusals.clear()


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= _FIRST_S else f"{seconds:.0f} s"
