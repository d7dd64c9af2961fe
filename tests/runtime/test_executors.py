"""Every executor against the contract, and what is special about the workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moosnn.errors import ConfigError, StudyFolderError
from moosnn.runtime import files, slots
from moosnn.runtime import workers as runtime_workers
from moosnn.runtime.executors import Ended, Executor, InlineExecutor, Report
from moosnn.runtime.lease import Lease
from moosnn.runtime.local import local
from moosnn.runtime.pilots import Pilots
from moosnn.runtime.process import Process
from moosnn.tasks.base import Abilities
from moosnn.trial import Evaluation, Failure, Proposal, Trial
from tests.contracts.executors import (
    DAEMON_S,
    ExecutorContract,
    ScriptedTask,
    give,
    processes,
    proposal_of,
    scripted_config,
    until_ended,
)

Make = Callable[..., Pilots]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(json.dumps(scripted_config()))
    return tmp_path


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def worker_of(folder: Path, name: str) -> Process:
    path = files.worker_file(folder, name)
    until(path.exists)
    return Process.from_json(json.loads(path.read_text()))


@pytest.fixture
def workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes executors on one folder under a held lease; ends what they started."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    made: list[Pilots] = []

    def make(**settings: Any) -> Pilots:
        given = {"workers": 1, **settings}
        made.append(local(folder=folder, task=ScriptedTask(), **given))
        return made[-1]

    with Lease.acquire(folder):
        yield make
        for executor in made:
            executor.close(cancel=True)
    until(lambda: not processes(folder))


def at_work(make: Make, folder: Path, step: int = 1) -> tuple[Pilots, Proposal, str]:
    """An executor, and a trial with its worker that has reported so far."""
    executor = make()
    proposal = proposal_of("report")
    worker = give(executor, proposal)
    until((folder / "outbox" / files.report_name(0, 1, step)).exists)
    return executor, proposal, worker


class TestInline(ExecutorContract):
    @pytest.fixture
    def make(self, folder: Path) -> Callable[[], Executor]:
        return lambda: InlineExecutor(folder=folder, task=ScriptedTask())

    def test_one_trial_at_a_time(self, make: Callable[[], Executor]) -> None:
        executor = make()
        assert (executor.free(), executor.ahead) == (1, 0)


class TestLocal(ExecutorContract):
    @pytest.fixture
    def make(self, workers: Make) -> Callable[[], Executor]:
        return workers


class TestSubmititJob(ExecutorContract):
    @pytest.fixture
    def make(self, workers: Make) -> Callable[[], Executor]:
        return lambda: workers(trials_per_job=1)

    def test_a_job_a_trial(self, make: Callable[[], Executor], folder: Path) -> None:
        executor = make()
        names = []
        for number in range(2):
            names.append(give(executor, proposal_of("succeed", number)))
            until_ended(executor)
        assert names == ["w1", "w2"]
        until(lambda: not list((folder / files.WORKERS).iterdir()))


DEATHS = {
    "real_time": ({}, "crashed", "killed by signal 40"),
    "babble": ({}, "crashed", "ended with exit code 7"),
    "eat_below": ({"memory_gb": 0.3}, "out_of_memory", "more than 0.3 GB"),
    "delete_and_hang": ({"timeout_min": 0.02}, "timeout", "longer than 0.02 min"),
    "die": ({}, "crashed", "ended with exit code 7"),
    "segfault": ({}, "crashed", "killed by SIGSEGV"),
    "killed": ({}, "crashed", "killed by SIGKILL, perhaps by the kernel"),
    "hang": ({"timeout_min": 0.02}, "timeout", "longer than 0.02 min"),
    "sleep": ({"timeout_min": 0.02}, "timeout", "longer than 0.02 min"),
    "eat": ({"memory_gb": 0.3}, "out_of_memory", "more than 0.3 GB"),
    "print": ({"log_mb": 8}, "crashed", "printed more than 8 MB"),
}


@pytest.mark.parametrize("deed", DEATHS)
def test_whatever_a_trial_does_the_next_one_runs(
    deed: str, workers: Make, folder: Path
) -> None:
    settings, kind, message = DEATHS[deed]
    executor = workers(**settings)
    worker = give(executor, proposal_of(deed, 0))
    supervisor = worker_of(folder, worker)
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == kind
    assert message in ended.result.message
    if deed != "delete_and_hang":
        assert ended.result.log is not None
        assert (folder / ended.result.log).exists()
    if deed == "segfault" and ended.result.log:
        assert "Fatal Python error" in (folder / ended.result.log).read_text()
    # The same worker, with a new child.
    assert give(executor, proposal_of("succeed", 1)) == worker
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)
    assert worker_of(folder, worker) == supervisor


def sleepers(seconds: str) -> list[int]:
    """The living processes that a deed started with ``sleep <seconds>``."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if line == f"sleep\0{seconds}\0".encode():
                found.append(int(entry))
    return found


@pytest.mark.parametrize("how", ["cancel", "supervisor", "both", "return"])
def test_a_daemon_that_a_trial_started_does_not_outlive_it(
    how: str, workers: Make, folder: Path
) -> None:
    executor = workers()
    worker = give(executor, proposal_of("daemon" if how != "return" else "daemonise"))
    until(lambda: bool(sleepers(DAEMON_S)))
    if how == "cancel":
        executor.close(cancel=True)
    elif how == "return":
        until_ended(executor)
    else:
        os.kill(worker_of(folder, worker).pid, signal.SIGKILL)
        if how == "both":  # the next driver finds what the dead worker left
            time.sleep(0.1)
            executor = workers()
            executor.attach([])
        else:
            until_ended(executor)
    until(lambda: not sleepers(DAEMON_S), seconds=10)


def test_garbage_on_the_status_pipe_ends_no_worker(workers: Make, folder: Path) -> None:
    executor = workers()
    worker = give(executor, proposal_of("garble", 0))
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)
    assert give(executor, proposal_of("succeed", 1)) == worker
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)


def test_after_running_out_of_memory_the_next_attempt_gets_a_new_process(
    workers: Make, folder: Path
) -> None:
    executor = workers()
    worker = give(executor, proposal_of("fill_memory", 0))
    (before,) = _children(worker_of(folder, worker).pid)
    until_ended(executor)
    assert give(executor, proposal_of("succeed", 1)) == worker
    until_ended(executor)
    (after,) = _children(worker_of(folder, worker).pid)
    assert before != after


def test_a_worker_takes_no_more_trials_than_it_may(workers: Make) -> None:
    executor = workers(trials_per_job=2)
    names = []
    for number in range(5):
        names.append(give(executor, proposal_of("succeed", number)))
        _, (ended,) = until_ended(executor)
        assert isinstance(ended.result, Evaluation)
    assert names == ["w1", "w1", "w2", "w2", "w3"]


def read_by_a_driver_that_ended(workers: Make) -> Trial:
    """A trial whose result was read, and lies there for the next driver."""
    driver, proposal = workers(), proposal_of("succeed")
    worker = give(driver, proposal)
    until_ended(driver)
    driver.close(cancel=False)
    return Trial(proposal=proposal, attempt=1, job_id=worker)


def test_a_result_that_was_read_but_not_journaled_is_found_again(
    workers: Make, folder: Path
) -> None:
    trial = read_by_a_driver_that_ended(workers)  # before it had journaled it
    second = workers()
    second.attach([trial])
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)


@pytest.mark.parametrize("other", ["inline", "local"])
def test_a_result_of_an_attempt_that_nobody_was_given_is_not_ours(
    other: str, workers: Make, folder: Path
) -> None:
    """Its driver was ended after it had journaled the attempt, before its message."""
    trial = read_by_a_driver_that_ended(workers)
    assert (folder / "outbox/000000-1.json").exists()
    for message in folder.glob("inbox/*/000000-1.json"):
        message.unlink()
    second: Executor = workers()
    if other == "inline":
        second = InlineExecutor(folder=folder, task=ScriptedTask())
    second.attach([trial])
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == "lost"
    assert not (folder / "outbox/000000-1.json").exists()


@pytest.mark.parametrize("other", ["inline", "local"])
def test_results_that_were_journaled_are_cleared_by_the_next_driver(
    other: str, workers: Make, folder: Path
) -> None:
    read_by_a_driver_that_ended(workers)
    assert list((folder / files.OUTBOX).iterdir()) != []
    second: Executor = workers()
    if other == "inline":
        second = InlineExecutor(folder=folder, task=ScriptedTask())
    second.attach([])
    assert list((folder / files.OUTBOX).iterdir()) == []
    assert list((folder / files.INBOX).glob("*/*.json")) == []


def test_inline_takes_what_workers_published_and_waits_for_those_at_work(
    workers: Make, folder: Path
) -> None:
    first = workers(workers=2)
    proposals = [proposal_of("report", 0), proposal_of("succeed", 1)]
    names = [give(first, proposal) for proposal in proposals]
    until((folder / "outbox/000001-1.json").exists)
    trials = [
        Trial(proposal=proposal, attempt=1, job_id=name)
        for proposal, name in zip(proposals, names, strict=True)
    ]
    inline = InlineExecutor(folder=folder, task=ScriptedTask())
    with pytest.raises(StudyFolderError, match="2 workers of an earlier driver still"):
        inline.attach(trials)
    first.close(cancel=False)
    until(lambda: not processes(folder))
    inline.attach(trials)
    _, ends = until_ended(inline, 2)
    assert all(isinstance(ended.result, Evaluation) for ended in ends)


def test_workers_of_other_settings_serve_their_trial_and_end(
    workers: Make, folder: Path
) -> None:
    _, proposal, worker = at_work(workers, folder)
    second = workers(timeout_min=7)
    second.attach([Trial(proposal=proposal, attempt=1, job_id=worker)])
    assert second.free() == 0
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)
    assert second.free() == 1
    assert give(second, proposal_of("succeed", 1)) == "w2"
    until_ended(second)
    names = (folder / files.WORKERS).iterdir
    until(lambda: {path.stem for path in names()} == {"w2"})


def test_a_copy_of_a_study_leaves_the_originals_workers_alone(
    workers: Make, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first, proposal, worker = at_work(workers, folder)
    copy = tmp_path_factory.mktemp("copy") / "study"
    shutil.copytree(folder, copy)
    other = local(folder=copy, task=ScriptedTask(), workers=1)
    other.attach([Trial(proposal=proposal, attempt=1, job_id=worker)])
    _, (ended,) = until_ended(other)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == "lost"
    other.close(cancel=True)
    _, (ended,) = until_ended(first)
    assert isinstance(ended.result, Evaluation)


def test_adopted_workers_keep_their_gpus(
    workers: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    first = workers(workers=2)
    names = [give(first, proposal_of("sleep", n)) for n in range(2)]
    victim = worker_of(folder, names[0])
    worker_of(folder, names[1])
    os.kill(victim.pid, signal.SIGKILL)
    second = workers(workers=2)
    trials = [
        Trial(proposal=proposal_of("sleep", n), attempt=1, job_id=names[n])
        for n in range(2)
    ]
    second.attach(trials)
    until_ended(second)
    name = give(second, proposal_of("succeed", 2))
    until_ended(second)
    (child,) = _children(worker_of(folder, name).pid)
    variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    assert b"CUDA_VISIBLE_DEVICES=3" in variables


@pytest.mark.parametrize("deed", ["fork", "fork_and_return", "leave"])
def test_what_a_trial_leaves_behind_is_ended(
    deed: str, workers: Make, folder: Path
) -> None:
    executor = workers()
    worker = give(executor, proposal_of(deed, 0))
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)
    assert ended.result.metrics == {"value": 10.0}
    give(executor, proposal_of("succeed", 1))
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)
    supervisor = worker_of(folder, worker).pid
    (child,) = _children(supervisor)

    def session() -> list[int]:
        """Without the dead ones that the trial never waited for."""
        out = subprocess.run(
            ["ps", "-o", "pid=,stat=", "-s", str(child)],
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [line.split() for line in out.stdout.splitlines()]
        return [int(pid) for pid, state in rows if not state.startswith("Z")]

    until(lambda: session() == [child])


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_a_worker_keeps_its_child_from_trial_to_trial(
    workers: Make, folder: Path
) -> None:
    executor = workers()
    children = set()
    for number in range(3):
        worker = give(executor, proposal_of("succeed", number))
        until_ended(executor)
        children |= set(_children(worker_of(folder, worker).pid))
    assert len(children) == 1


@pytest.mark.parametrize("who", ["supervisor", "child"])
def test_a_killed_worker_loses_its_trial_and_is_replaced(
    who: str, workers: Make, folder: Path
) -> None:
    executor = workers()
    worker = give(executor, proposal_of("report"))
    until((folder / "outbox" / files.report_name(0, 1, 1)).exists)
    supervisor = worker_of(folder, worker).pid
    victim = supervisor if who == "supervisor" else _children(supervisor)[0]
    child = _children(supervisor)[0]
    os.kill(victim, signal.SIGKILL)
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == ("lost" if who == "supervisor" else "crashed")
    until(lambda: not Path(f"/proc/{child}").exists())
    again = give(executor, proposal_of("succeed"), 2)
    assert (again == worker) == (who == "child")
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Evaluation)


def test_a_stopped_worker_is_given_up(
    workers: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_workers, "SILENT_S", 1.5)
    executor = workers()
    worker = give(executor, proposal_of("succeed", 0))
    until_ended(executor)
    os.kill(worker_of(folder, worker).pid, signal.SIGSTOP)
    give(executor, proposal_of("succeed", 1))
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == "lost"


def test_a_new_driver_adopts_the_worker_and_its_trial(
    workers: Make, folder: Path
) -> None:
    _, proposal, worker = at_work(workers, folder)
    second = workers()
    second.attach([Trial(proposal=proposal, attempt=1, job_id=worker)])
    assert second.free() == 0
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)
    assert ended.result.metrics == {"value": 10.0}
    assert give(second, proposal_of("succeed", 1)) == worker
    until_ended(second)


def test_a_result_published_while_no_driver_watched_is_found(
    workers: Make, folder: Path
) -> None:
    first = workers()
    proposal = proposal_of("succeed")
    worker = give(first, proposal)
    until((folder / "outbox/000000-1.json").exists)
    second = workers()
    second.attach([Trial(proposal=proposal, attempt=1, job_id=worker)])
    (ended,) = second.poll()
    assert isinstance(ended, Ended)
    assert isinstance(ended.result, Evaluation)
    # The driver may be killed before it has journaled what it was told.
    assert (folder / "outbox/000000-1.json").exists()
    assert second.poll() == []
    assert list((folder / "outbox").iterdir()) == []
    assert not (folder / "inbox" / worker / "000000-1.json").exists()


def test_reports_of_a_worker_that_died_unwatched_are_told_before_its_end(
    workers: Make, folder: Path
) -> None:
    _, proposal, worker = at_work(workers, folder, step=2)
    for victim in processes(folder):
        os.kill(victim, signal.SIGKILL)
    until(lambda: not processes(folder))
    steps = len(list((folder / "outbox").glob("000000-1.step-*")))
    second = workers()
    second.attach([Trial(proposal=proposal, attempt=1, job_id=worker)])
    *reports, ended = second.poll()
    assert [r.step for r in reports if isinstance(r, Report)] == [*range(1, steps + 1)]
    assert isinstance(ended, Ended)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == "lost"
    # The driver may be killed before it has journaled what it was told.
    assert len(list((folder / "outbox").iterdir())) == steps
    assert second.poll() == []
    assert list((folder / "outbox").iterdir()) == []


def test_trials_that_use_no_gpu_get_a_worker_a_core(
    workers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(slots, "usable_cores", lambda: 2)
    monkeypatch.setattr(slots, "free_memory_gb", lambda: None)
    on_gpus = workers(workers="auto")
    none = Abilities(on_gpus=False)
    monkeypatch.setattr(ScriptedTask, "abilities", none, raising=False)
    on_cores = workers(workers="auto")
    assert [on_gpus.free(), on_cores.free()] == [1, 2]


def test_an_interrupted_driver_leaves_its_trials_to_the_next(
    workers: Make, folder: Path
) -> None:
    first, proposal, worker = at_work(workers, folder)
    first.close(cancel=False)
    assert processes(folder)
    second = workers()
    second.attach([Trial(proposal=proposal, attempt=1, job_id=worker)])
    _, (ended,) = until_ended(second)
    assert isinstance(ended.result, Evaluation)


def test_a_cancelled_trial_is_ended_at_once(workers: Make, folder: Path) -> None:
    executor = workers()
    give(executor, proposal_of("sleep"))
    until((folder / "trials/000000/1/was_here").exists)
    executor.close(cancel=True)
    until(lambda: not processes(folder), seconds=5)
    assert not (folder / "outbox/000000-1.json").exists()


def test_workers_of_a_dead_driver_finish_publish_and_end(folder: Path) -> None:
    """No lease is held here: the driver looks dead from the start."""
    executor = local(folder=folder, task=ScriptedTask(), workers=1, orphan_s=5.0)
    lease = folder / "lease/000001.json"
    lease.parent.mkdir()
    lease.write_text("{}")
    give(executor, proposal_of("report"))
    until((folder / "outbox/000000-1.json").exists)
    until(lambda: not processes(folder))
    assert not list((folder / files.WORKERS).iterdir())
    executor.close(cancel=True)


def test_a_damaged_result_is_a_crash(workers: Make, folder: Path) -> None:
    executor = workers()
    for name, text in (("outbox", '{"evaluation": {"metr'), ("inbox/w1", "{}")):
        (folder / name).mkdir(parents=True)
        (folder / name / "000000-1.json").write_text(text)
    executor.attach([Trial(proposal=proposal_of("x"), attempt=1, job_id="x")])
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Failure)
    assert ended.result.kind == "crashed"
    assert "result file is damaged" in ended.result.message


def test_a_task_that_cannot_be_built_fails_each_trial(
    workers: Make, folder: Path
) -> None:
    (folder / "config.yaml").write_text('{"task": {"_target_": "no.such.Task"}}')
    executor = workers()
    give(executor, proposal_of("succeed"))
    _, (ended,) = until_ended(executor)
    assert isinstance(ended.result, Failure)
    assert "no.such" in ended.result.message


def test_workers_that_never_live_end_the_study(
    workers: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = workers()
    broken = folder / "broken" / "submitit"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit('no submitit here')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))

    def watch() -> None:
        for _ in range(500):
            executor.free()
            executor.poll()
            time.sleep(0.05)

    with pytest.raises(StudyFolderError, match="5 workers ended before they began"):
        watch()


def test_two_at_a_time_each_with_its_own_gpu(
    workers: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    executor = workers(workers=2)
    assert executor.free() == 2
    names = [give(executor, proposal_of("succeed", n)) for n in range(2)]
    assert executor.free() == 0
    _, ends = until_ended(executor, 2)
    gpus = set()
    for name in names:
        (child,) = _children(worker_of(folder, name).pid)
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        gpus |= {v for v in variables if v.startswith(b"CUDA_VISIBLE_DEVICES=")}
    assert gpus == {b"CUDA_VISIBLE_DEVICES=3", b"CUDA_VISIBLE_DEVICES=5"}
    assert {ended.number for ended in ends} == {0, 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": "2"},
        {"workers": 1.5},
        {"workers": True},
        {"timeout_min": -1},
        {"memory_gb": 0},
        {"trials_per_job": 0},
        {"log_mb": "8"},
        {"memory_gb": float("nan")},
        {"timeout_min": float("inf")},
        {"orphan_s": 4},
    ],
    ids=str,
)
def test_numbers_out_of_range(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"executor\.\w+: expected"):
        local(folder=folder, task=ScriptedTask(), **wrong)
