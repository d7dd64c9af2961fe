"""Workers in the jobs of a real Slurm cluster, and what can befall them."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import stat
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from moosnn.errors import ConfigError
from moosnn.runtime import files
from moosnn.runtime.executors import Ended, Executor, Expected, Report
from moosnn.runtime.lease import Lease
from moosnn.runtime.pilots import Pilots
from moosnn.runtime.slurm_executor import slurm
from moosnn.runtime.slurm_jobs import Cluster
from moosnn.runtime.slurm_queue import ask, command
from moosnn.trial import Evaluation, Failure, Trial
from tests.contracts.executors import (
    ExecutorContract,
    ScriptedTask,
    give,
    processes,
    proposal_of,
    scripted_config,
    until_ended,
)

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm_box")]

Make = Callable[..., Pilots]
_SEEN_S = 5.0  # within which the driver knows what Slurm knows
_PATIENCE_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(json.dumps(scripted_config()))
    return tmp_path


@pytest.fixture
def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Executors on one folder under a held lease; no job of theirs is left."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    made: list[Pilots] = []

    def made_one(**settings: Any) -> Pilots:
        given: dict[str, Any] = {"workers": 1, "time_min": 10, **settings}
        made.append(slurm(folder=folder, task=ScriptedTask(), **given))
        return made[-1]

    with Lease.acquire(folder):
        yield made_one
        for executor in made:
            executor.close(cancel=True)
    until(lambda: not jobs_of(folder))


def until(holds: Callable[[], object], seconds: float = _PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def jobs_of(folder: Path) -> list[str]:
    """The jobs that write into a study folder and have not ended."""
    names = {n.partition("_submission")[0] for n in files.listing(folder / files.JOBS)}
    ours = {name for name in names if name.isdigit()}
    running = [job.id for job in ask().jobs.values() if job.active]
    return [job for job in running if job.partition("_")[0] in ours]


def ready(executor: Pilots, count: int = 1) -> Pilots:
    """Wait until so many workers live."""
    deadline = time.monotonic() + _PATIENCE_S
    while executor.free() < count:
        assert time.monotonic() < deadline
        executor.poll()
        time.sleep(0.05)
    return executor


def job_of(worker: str) -> str:
    return worker.removeprefix("s")


def end_of(executor: Pilots) -> Failure:
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Failure)
    return ended.result


def state_of(job: str) -> str:
    found = ask([job]).jobs.get(job)
    return "" if found is None else found.state


class TestSlurm(ExecutorContract):
    @pytest.fixture
    def make(self, make: Make) -> Callable[[], Executor]:
        return lambda: ready(make())


def test_only_workers_that_live_are_given_work(make: Make, folder: Path) -> None:
    """Six are wanted, four GPUs are there."""
    executor = ready(make(workers=6, gpus=1), 4)
    time.sleep(2)
    executor.poll()
    assert executor.free() == 4
    assert len(executor.workers) == 6
    assert len(jobs_of(folder)) == 6


def test_workers_are_kept_as_long_as_they_are_needed(make: Make, folder: Path) -> None:
    executor = make(workers=6)
    executor.expect(3, later=1)
    ready(executor, 3)
    assert len(executor.workers) == 3  # no more than there is work for now
    executor.expect(0, later=1)
    executor.free()
    until(lambda: len(jobs_of(folder)) == 1)
    assert executor.free() == 1


def test_each_job_has_its_own_gpu(make: Make, folder: Path) -> None:
    executor = ready(make(workers=4, gpus=1), 4)
    seen = []
    for worker in executor.workers:
        facts = worker.facts()
        assert facts is not None
        seen.append((facts["host"], facts["gpu"]))
    gpus = [gpu for _, gpu in seen]
    assert sorted(gpus) == ["0", "0", "1", "1"]  # indices of two nodes
    assert len(jobs_of(folder)) == 4


def test_trials_share_a_gpu_as_tasks_of_a_job(make: Make, folder: Path) -> None:
    executor = ready(make(workers=4, gpus=1, trials_per_gpu=2), 4)
    assert len(jobs_of(folder)) == 2
    names = sorted(worker.name for worker in executor.workers)
    assert [name.rpartition("-")[2] for name in names] == ["t0", "t1", "t0", "t1"]
    for number in range(4):
        give(executor, proposal_of("succeed", number))
    _, ends = until_ended(executor, 4)
    assert all(isinstance(ended.result, Evaluation) for ended in ends)


def test_a_worker_that_is_killed_is_known_within_seconds(
    make: Make, folder: Path
) -> None:
    executor = ready(make())
    worker = give(executor, proposal_of("sleep"))
    until((folder / "trials/000000/1/was_here").exists)
    for process in processes(folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    until(lambda: state_of(job_of(worker)) == "FAILED")
    begun = time.monotonic()
    failure = end_of(executor)
    assert time.monotonic() - begun < _SEEN_S
    assert failure.kind == "lost"
    assert job_of(worker) in failure.message
    assert failure.log is not None
    again = give(ready(executor), proposal_of("succeed"), 2)
    assert again != worker
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)


def test_a_trial_that_writes_no_checkpoint_in_time_is_given_up(
    make: Make, folder: Path
) -> None:
    executor = ready(make(workers=2), 2)
    worker = give(executor, proposal_of("sleep", 0))
    give(executor, proposal_of("report", 1))
    until((folder / "trials/000000/1/was_here").exists)
    command(["scancel", job_of(worker)])
    _, ends = until_ended(executor, 2)
    kinds = {ended.number: getattr(ended.result, "kind", "evaluated") for ended in ends}
    assert kinds == {0: "preempted", 1: "evaluated"}


def test_scancel_lets_a_trial_write_its_checkpoint(make: Make, folder: Path) -> None:
    executor = ready(make())
    worker = give(executor, proposal_of("release"))
    until((folder / "trials/000000/1/was_here").exists)
    command(["scancel", job_of(worker)])
    failure = end_of(executor)
    assert failure.kind == "preempted"
    assert (folder / "trials/000000/1/checkpoint").exists()


def test_preemption_by_a_higher_partition(make: Make, folder: Path) -> None:
    executor = ready(make(workers=4, gpus=1), 4)
    for number in range(4):
        give(executor, proposal_of("release", number))
    until(lambda: len(list(folder.glob("trials/*/1/was_here"))) == 4)
    high = ["srun", "-p", "high", "--gres=gpu:1", "-t", "1", "sleep", "3"]
    with subprocess.Popen(high, stderr=subprocess.DEVNULL) as other:
        _, ends = until_ended(executor)
        other.terminate()
    assert isinstance(ends[0].result, Failure)
    assert ends[0].result.kind == "preempted"
    checkpoint = f"trials/{ends[0].number:06d}/1/checkpoint"
    assert (folder / checkpoint).exists()


def test_a_job_that_is_not_to_be_requeued_is_not(make: Make, folder: Path) -> None:
    executor = ready(make())
    worker = give(executor, proposal_of("report"))
    with suppress(Exception):
        command(["scontrol", "requeue", job_of(worker)])
    _, (ended,) = until_ended(executor)
    assert (ended.number, ended.attempt) == (0, 1)
    info = command(["scontrol", "show", "job", job_of(worker)])
    assert "Requeue=0" in info
    assert "Restarts=0" in info


def test_a_trial_over_its_memory_is_typed(make: Make) -> None:
    executor = ready(make(memory_gb=0.3))
    give(executor, proposal_of("eat"))
    assert end_of(executor).kind == "out_of_memory"


def test_a_job_over_its_memory_is_typed(make: Make, folder: Path) -> None:
    """The supervisor knows no limit; Slurm does."""
    executor = ready(make(sbatch={"mem": "250M"}))
    give(executor, proposal_of("eat"))
    failure = end_of(executor)
    assert failure.kind == "out_of_memory"
    assert failure.log is not None
    assert "exceeded memory limit" in (folder / failure.log).read_text()


def test_a_new_driver_adopts_what_runs_and_what_waits(make: Make, folder: Path) -> None:
    first = ready(make(workers=6, gpus=1), 4)
    worker = give(first, proposal_of("report"))
    before = sorted(w.name for w in first.workers)
    second = make(workers=6, gpus=1)
    trial = Trial(proposal=proposal_of("report"), attempt=1, job_id=worker)
    second.attach([trial])
    assert sorted(w.name for w in second.workers) == before
    assert second.free() == 3
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)
    assert len(jobs_of(folder)) == 6


def test_a_new_driver_cancels_what_nobody_wants(make: Make, folder: Path) -> None:
    first = ready(make(workers=6, gpus=1), 4)
    worker = give(first, proposal_of("report"))
    second = make(workers=2, timeout_min=7)
    trial = Trial(proposal=proposal_of("report"), attempt=1, job_id=worker)
    second.attach([trial])
    assert [w.name for w in second.workers] == [worker]
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)
    ready(second, 2)
    until(lambda: (second.poll(), len(jobs_of(folder)) == 2)[1])
    names = {w.name for w in second.workers}
    assert not names & {w.name for w in first.workers}


def test_with_another_number_of_workers_a_job_finishes_its_trial(make: Make) -> None:
    first = ready(make(workers=2, gpus=1), 2)
    worker = give(first, proposal_of("report"))
    second = make(workers=2, gpus=1, trials_per_gpu=2)
    trial = Trial(proposal=proposal_of("report"), attempt=1, job_id=worker)
    second.attach([trial])
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)


def test_nothing_is_left_of_jobs_with_several_workers(make: Make, folder: Path) -> None:
    """Six jobs for four GPUs: two never began when the driver ends."""
    executor = ready(make(workers=12, gpus=1, trials_per_gpu=2), 8)
    assert len(jobs_of(folder)) == 6
    executor.expect(0)
    executor.free()
    executor.close(cancel=False)
    until(lambda: not jobs_of(folder), seconds=20)


def lose_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm takes the first job, and sbatch says that it could not reach Slurm."""
    real, once = shutil.which("sbatch"), tmp_path / "once"
    fake = tmp_path / "bin" / "sbatch"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\n{real} "$@" || exit\n[ -e {once} ] && exit 0\ntouch {once}\n'
        "echo 'sbatch: error: Socket timed out on send/recv operation' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    return once


def test_a_job_whose_answer_was_lost_is_cancelled(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = lose_one_answer(tmp_path, monkeypatch)
    executor = ready(make(workers=2), 2)
    assert once.exists()
    named = [job for job in ask().jobs.values() if job.active]
    ours = [job.id for job in named if job.name == executor._site._name]  # type: ignore[attr-defined] # of a Slurm site
    assert sorted(ours) == sorted(job_of(w.name) for w in executor.workers)


def test_an_attempts_own_job_is_asked_for_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was polled before: the first of all jobs is refused."""
    once = lose_one_answer(tmp_path, monkeypatch)
    executor = make(size_jobs=True)
    begun = time.monotonic()
    give(executor, proposal_of("succeed"))
    assert once.exists()
    assert time.monotonic() - begun < _PATIENCE_S
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)


def test_a_users_own_defaults_do_not_hide_the_jobs(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_JOB_NAME", "foo")
    monkeypatch.setenv("SQUEUE_PARTITION", "high")
    first = ready(make(workers=2), 2)
    second = make(workers=2)
    second.attach([])
    assert {w.name for w in second.workers} == {w.name for w in first.workers}


def test_a_result_of_a_dead_driver_is_found(make: Make, folder: Path) -> None:
    first = ready(make())
    worker = give(first, proposal_of("succeed"))
    until((folder / "outbox/000000-1.json").exists)
    second = make()
    trial = Trial(proposal=proposal_of("succeed"), attempt=1, job_id=worker)
    second.attach([trial])
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)


def test_a_trial_of_a_job_that_is_gone_is_lost(make: Make) -> None:
    executor = make()
    trial = Trial(proposal=proposal_of("succeed"), attempt=1, job_id="s99999999")
    executor.attach([trial])
    assert end_of(executor).kind == "lost"


def test_a_job_that_waits_too_long_is_given_up(make: Make, folder: Path) -> None:
    """It is no sign of a broken installation, however many do."""
    executor = make(workers=6, queue_min=0.1, sbatch={"hold": True})
    executor.free()
    waiting = set(jobs_of(folder))
    assert len(waiting) == 6
    until(lambda: (executor.poll(), not waiting & set(jobs_of(folder)))[1])
    executor.free()
    until(lambda: (executor.free(), len(jobs_of(folder)) == 6)[1])


def test_a_job_is_made_to_the_measure_of_its_trial(make: Make) -> None:
    executor = make(size_jobs=True, time_min=240, memory_gb=2)
    assert executor.sized
    assert executor.free() == 1
    job = executor.reserve(Expected(seconds=300.0, memory_mb=400.0))
    executor.submit(proposal_of("succeed"), 1, job)
    info = command(["scontrol", "show", "job", job_of(job)])
    minutes = math.ceil((1.25 * 300 + 120 + 90) / 60)
    assert f"TimeLimit=00:{minutes:02d}:00" in info
    assert f"mem={500 + 512}M" in info
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)
    whole = executor.reserve(None)
    assert "TimeLimit=04:00:00" in command(["scontrol", "show", "job", job_of(whole)])
    executor.submit(proposal_of("succeed", 1), 1, whole)
    until_ended(executor)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"partition": "nosuch"}, "invalid partition"),
        ({"memory_gb": 9000}, "not available"),
        ({"gpus": 64}, "not available"),
        ({"sbatch": {"array": "0-3"}}, "'array' is set by moosnn"),
        ({"sbatch": {"nodes": 2}}, "'nodes' is set by moosnn"),
        ({"setup": [1]}, "executor.setup: expected a list of lines"),
        ({"setup": "module load cuda"}, "executor.setup: expected a list of lines"),
        ({"account": [1]}, "executor.account: expected a name"),
        ({"gpus": "x:0"}, "executor.gpus: expected a whole number"),
        ({"size_jobs": "maybe"}, "executor.size_jobs: expected true or false"),
        ({"workers": 100_000_000}, "executor.workers: expected at most"),
        ({"sbatch": {"no-such-option": 1}}, "no-such-option"),
    ],
)
def test_what_slurm_refuses_is_told_in_its_words(
    make: Make, wrong: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        make(**wrong).free()
    assert told.lower() in str(raised.value).lower()
    assert "\n" not in str(raised.value)


def test_submitits_files_are_the_users_alone(make: Make, folder: Path) -> None:
    ready(make())
    mode = stat.S_IMODE((folder / files.JOBS).stat().st_mode)
    assert mode == 0o700


def test_a_worker_whose_driver_is_dead_finishes_and_ends(folder: Path) -> None:
    """No lease is held here: the driver looks dead from the start."""
    executor = slurm(
        folder=folder, task=ScriptedTask(), workers=1, time_min=10, orphan_s=5.0
    )
    lease = folder / "lease/000001.json"
    lease.parent.mkdir()
    lease.write_text("{}")
    job = executor.reserve()
    executor.submit(proposal_of("report"), 1, job)
    until((folder / "outbox/000000-1.json").exists)
    until(lambda: not jobs_of(folder))
    assert not list((folder / files.WORKERS).iterdir())
    executor.close(cancel=True)


def test_reports_of_many_steps_all_arrive(make: Make) -> None:
    executor = ready(make())
    give(executor, proposal_of("report"))
    reports, ends = until_ended(executor)
    assert [type(ended) for ended in ends] == [Ended]
    assert [type(report) for report in reports] == [Report] * 3
    assert [report.step for report in reports] == [1, 2, 3]


def test_a_stopped_worker_process_is_not_forgotten(make: Make, folder: Path) -> None:
    """A hung supervisor: its job runs, its file is not touched any more."""
    executor = ready(make())
    worker = give(executor, proposal_of("succeed"))
    until_ended(executor)
    command(["scancel", "--signal=STOP", job_of(worker)])
    give(executor, proposal_of("succeed", 1))
    command(["scancel", "--signal=CONT", job_of(worker)])
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)


def test_arrays_are_no_longer_than_the_cluster_allows(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Cluster(most_in_array=2)
    monkeypatch.setattr(Cluster, "asked", classmethod(lambda _: few))
    executor = ready(make(workers=5), 5)
    arrays = Counter(job_of(w.name).partition("_")[0] for w in executor.workers)
    assert sorted(arrays.values()) == [1, 2, 2]
    assert len(jobs_of(folder)) == 5


def test_who_holds_a_job_is_told_how_to_release_it(
    make: Make, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = ready(make(workers=4, gpus=1), 4)  # so that the next job has to wait
    executor = make(workers=5, gpus=1)
    executor.free()
    waiting = next(j.id for j in ask().jobs.values() if j.state == "PENDING")
    command(["scontrol", "uhold", waiting])
    until(lambda: executor.poll() or caplog.messages, 2 * _SEEN_S)
    assert caplog.messages == [
        f"note: job {waiting} is held: scontrol release {waiting}"
    ]
    assert len(full.workers) == 4


def test_a_job_that_can_never_start_is_told_within_seconds(make: Make) -> None:
    command(["scontrol", "update", "PartitionName=high", "MaxTime=5"])
    try:
        executor = make(partition="high", time_min=10)
        executor.free()
        begun = time.monotonic()
        with pytest.raises(ConfigError, match=r"can never start \(Partition"):
            until(executor.poll)
        assert time.monotonic() - begun < _SEEN_S
    finally:
        command(["scontrol", "update", "PartitionName=high", "MaxTime=INFINITE"])
