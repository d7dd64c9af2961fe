"""What people are told while jobs wait in a queue."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from moosnn.runtime.slurm_queue import Answer, Job
from moosnn.runtime.slurm_waits import Waits
from moosnn.runtime.workers import Worker


def answer(asked: float, *reasons: str, state: str = "PENDING") -> Answer:
    jobs = [
        Job(id=str(n), name="moosnn", state=state, reason=reason)
        for n, reason in enumerate(reasons)
    ]
    return Answer(asked=asked, jobs={job.id: job for job in jobs})


def workers(count: int) -> list[Worker]:
    return [Worker(Path("study"), f"s{number}") for number in range(count)]


def test_that_nothing_runs_is_told_after_a_minute_then_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    waits, three = Waits(), workers(3)
    told = []
    for second in range(0, 600, 2):
        waits.look(three, answer(second, "Priority", "Resources", "Priority"))
        if len(caplog.messages) > len(told):
            told.append(second)
    assert told == [60, 120, 240, 480]
    assert caplog.messages[1] == (
        "note: nothing runs yet: 3 jobs wait in Slurm's queue (Priority 2, Resources "
        "1), since 2 min"
    )


def test_nothing_is_told_while_a_worker_lives(caplog: pytest.LogCaptureFixture) -> None:
    waits, two = Waits(), workers(2)
    two[0].lived = True
    for second in range(0, 600, 2):
        waits.look(two, answer(second, "", "Priority"))
    assert caplog.messages == []


def test_a_job_that_a_person_holds_is_told_once_until_it_is_held_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waits, one = Waits(), workers(1)
    for reason in ("JobHeldUser", "JobHeldUser", "Priority", "JobHeldUser"):
        waits.look(one, answer(0.0, reason))
    assert caplog.messages == ["note: job 0 is held: scontrol release 0"] * 2


def test_a_refusal_is_told_once_until_a_job_was_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waits = Waits()
    for _ in range(3):
        waits.refused("Job violates accounting/QOS policy")
    assert len(caplog.messages) == 1
    assert "takes no job now (Job violates accounting/QOS policy)" in caplog.text
    waits.taken()
    waits.refused("Job violates accounting/QOS policy")
    assert len(caplog.messages) == 2
