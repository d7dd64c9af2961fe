"""What Slurm says of a user's jobs, asked every few seconds in a thread.

Knows: squeue, sacct, their words. Must not know: workers, trials, submitit.

A squeue may take seconds, and half a minute if the controller is away; whoever loops
reads the newest answer and never waits. No answer is no news: jobs stay as they were.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

ASK_S = 2.0
_PATIENCE_S = 60.0  # for one question
_DEFAULTS = ("SQUEUE_", "SACCT_", "SCANCEL_", "SLURM_TIME_FORMAT")
_FIELDS = "%i|%j|%T|%r|%L"  # id, name, state, reason, time left
PENDING = "PENDING"
# Slurm's job states that are not yet an end (squeue's manual, JOB STATE CODES).
ACTIVE = frozenset(
    {
        PENDING,
        "RUNNING",
        "CONFIGURING",
        "COMPLETING",
        "SUSPENDED",
        "STOPPED",
        "SIGNALING",
        "STAGE_OUT",
        "RESIZING",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESV_DEL_HOLD",
        "SPECIAL_EXIT",
    }
)


# Why a job waits for ever unless somebody changes it or the cluster (squeue's manual,
# JOB REASON CODES), beside the limits of single jobs, whose names end alike.
_NEVER = frozenset(
    {
        "AccountNotAllowed",
        "BadConstraints",
        "DependencyNeverSatisfied",
        "InvalidAccount",
        "InvalidQOS",
        "PartitionConfig",
        "PartitionNodeLimit",
        "PartitionTimeLimit",
        "QOSNotAllowed",
    }
)
_NEVER_ENDINGS = ("PerJob", "PerJobLimit")


class SlurmError(Exception):
    """A command of Slurm failed; its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job, or one of an array.

    Attributes:
        id: ``1234`` or ``1234_5``.
        name: of the job; empty if only sacct knows it.
        state: Slurm's word, e.g. ``RUNNING``, ``NODE_FAIL``.
        reason: why it waits, or ended.
        left_s: seconds until its time limit; ``None`` if that is not known.
    """

    id: str
    name: str
    state: str
    reason: str = ""
    left_s: float | None = None

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ACTIVE

    @property
    def hopeless(self) -> bool:
        """Whether it waits for what will not come."""
        never = self.reason in _NEVER or self.reason.endswith(_NEVER_ENDINGS)
        return self.state == PENDING and never


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Slurm said.

    Attributes:
        asked: when, by the monotonic clock.
        jobs: of this user, by id; also those that ended a few minutes ago.
    """

    asked: float
    jobs: Mapping[str, Job]


def seconds_of(text: str) -> float | None:
    """A duration of Slurm's, ``[days-][[hours:]minutes:]seconds``.

    ``None`` for ``UNLIMITED``, ``INVALID`` and the like.
    """
    days, _, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in (*parts, days or "0")):
        return None
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return seconds + 86_400 * int(days or 0)


def command(words: Sequence[str], patience_s: float = _PATIENCE_S) -> str:
    """What a command of Slurm prints.

    Raises:
        SlurmError: it is not there, fails, or takes too long.
    """
    # A user's own defaults for these commands would filter what they answer.
    own = {k: v for k, v in os.environ.items() if not k.startswith(_DEFAULTS)}
    environment = {**own, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=patience_s,
            env=environment,
            check=False,
        )
    except OSError as error:
        raise SlurmError(f"{words[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{words[0]}: no answer in {patience_s:g} s") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SlurmError(f"{words[0]}: {said}")
    return done.stdout


def ask(also: Collection[str] = ()) -> Answer:
    """Ask now.

    Args:
        also: ids of jobs that squeue may have forgotten: sacct is asked for those.

    Raises:
        SlurmError: squeue does not answer.
    """
    asked = time.monotonic()
    user = str(os.getuid())
    words = ["squeue", "-h", "-r", "-t", "all", "-u", user, "-o", _FIELDS]
    jobs = {job.id: job for job in map(_queued, command(words).splitlines()) if job}
    missing = [job for job in also if job not in jobs]
    return Answer(asked=asked, jobs={**_accounted(missing), **jobs})


def _queued(line: str) -> Job | None:
    try:
        job, name, state, rest = line.split("|", 3)
        reason, left = rest.rsplit("|", 1)
    except ValueError:
        return None  # no line of squeue's
    return Job(id=job, name=name, state=state, reason=reason, left_s=seconds_of(left))


def _accounted(ids: Sequence[str]) -> Mapping[str, Job]:
    """What sacct knows; nothing where there is no accounting."""
    if not ids:
        return {}
    words = ["sacct", "-n", "-X", "-P", "-j", ",".join(ids), "-o", "JobID,State"]
    try:
        lines = command(words).splitlines()
    except SlurmError:
        return {}
    pairs = [line.split("|") for line in lines if line.count("|") == 1]
    # "CANCELLED by 1000": the first word is the state.
    return {job: Job(id=job, name="", state=(s.split() or [""])[0]) for job, s in pairs}


class Queue:
    """Asks again and again.

    Args:
        ask_s: seconds between two questions.
    """

    def __init__(self, ask_s: float = ASK_S) -> None:
        self._ask_s = ask_s
        self._newest: Answer | None = None
        self._watched: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def newest(self) -> Answer | None:
        """The last answer; ``None`` before there was one."""
        return self._newest

    def watch(self, ids: Collection[str]) -> None:
        """Which jobs to ask for even when squeue has forgotten them."""
        self._watched = frozenset(ids)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="slurm", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(SlurmError):  # its controller is away: no news
                self._newest = ask(self._watched)
            self._stop.wait(self._ask_s)
