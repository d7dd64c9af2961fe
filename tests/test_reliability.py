"""What can befall a study on one machine; afterwards its folder is right.

docs/reliability.md says which test shows what. Others: `test_kill`, `test_full_disk`,
`runtime/test_executors` (a trial that hangs, leaks, forks, crashes), `slurm/`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest

from tests.invariants import Event, Survived, accepted, check, nobody_left, processes
from tests.stepped import MARK, ROOT, epochs_run, finish, said_in, start, words
from tests.test_full_disk import may_mount
from tests.test_kill import kind_of

ORPHAN_S = 5
LOCAL = ("executor.workers=2", f"executor.orphan_s={ORPHAN_S}")
ENDLESS = 100_000  # trials: the study is still running when the injections are over
_LONGEST_LIFE_S = 1.5  # of a driver that is to be killed, once it has the study
_EARLY_SHARE = 0.2  # of drivers are killed at any moment from their start


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of a study; nothing of it outlives the test."""
    study = tmp_path / "study"
    yield study
    for pid in processes(study):
        os.kill(pid, signal.SIGKILL)


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def events(folder: Path) -> list[str]:
    """The kinds of the whole lines of a journal that is being written."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line)["event"] for line in lines]


def lines(folder: Path) -> int:
    """Whole lines of a journal that is being written."""
    path = folder / "journal.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ends(folder: Path) -> int:
    kinds = events(folder)
    return kinds.count("finished") + kinds.count("failed")


def begun(folder: Path, driver: subprocess.Popen[bytes], count: int = 2) -> None:
    """Wait until so many trials of a study have ended."""
    until(lambda: ends(folder) >= count or driver.poll() is not None)
    assert driver.poll() is None, said_in(folder).read_text()


def killed(driver: subprocess.Popen[bytes]) -> None:
    driver.kill()
    driver.wait()


def told(what: str, count: int, survived: Survived) -> None:
    """For docs/reliability.md; shown with ``-s``."""
    print(f"\n{what}: {count} times; {survived}")


# ---------------------------------------------------------------- the driver


def kill_drivers(folder: Path, times: int, seed: int, *more: str) -> int:
    """Start and kill drivers; the number of trials that they proposed."""
    rng = random.Random(seed)
    for _ in range(times):
        driver = start(folder, words(folder, ENDLESS, *more))
        before = lines(folder)
        if rng.random() > _EARLY_SHARE:  # once it has the study
            until(lambda: lines(folder) > before or driver.poll() is not None)  # noqa: B023 - called at once
        time.sleep(rng.uniform(0.0, _LONGEST_LIFE_S))
        assert driver.poll() is None, said_in(folder).read_text()[-2000:]
        killed(driver)
    return events(folder).count("proposed")


def survives_kills(folder: Path, times: int, seed: int) -> Survived:
    proposed = kill_drivers(folder, times, seed, *LOCAL)
    budget = max(proposed, 1) + 4
    finish(folder, words(folder, budget, *LOCAL))
    return check(folder, budget)


def no_work_was_thrown_away(folder: Path) -> None:
    """What was given out again had never reached a worker."""
    for event in journal(folder):
        if event["event"] == "retried":
            own = folder / f"trials/{event['number']:06d}/{event['attempt']}"
            assert not own.exists()


@pytest.mark.slow
def test_a_driver_is_killed_a_hundred_times(folder: Path) -> None:
    survived = survives_kills(folder, 100, seed=1)
    told("driver kill -9", 100, survived)
    assert survived.drivers > 60  # the others died before they had the study


# ---------------------------------------------------------------- workers


@pytest.mark.parametrize(
    ("times", "budget"), [(4, 20), pytest.param(60, 400, marks=pytest.mark.slow)]
)
def test_every_worker_is_killed(times: int, budget: int, folder: Path) -> None:
    """Supervisors and their children, whichever is there."""
    rng = random.Random(times)
    driver = start(folder, words(folder, budget, *LOCAL, "task.epoch_s=0.1"))
    begun(folder, driver, 1)
    done = 0
    while done < times and driver.poll() is None:
        time.sleep(rng.uniform(0.0, 0.5))
        found = [pid for pid in processes(folder) if kind_of(pid)]
        if found:
            os.kill(rng.choice(found), signal.SIGKILL)
            done += 1
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, budget)
    told("workers kill -9", done, survived)
    assert done == times
    assert set(survived.retried) <= {"lost", "crashed"}
    assert set(survived.failed) <= {"crashed", "diverged"}


# ---------------------------------------------------------------- disks

READ_ONLY = r"""
mount -t tmpfs -o size=20m tmpfs disk || exit 99
# Whoever has a file open to write, as workers their logs, keeps a disk from it.
mkdir jobs trials disk/s
chmod 700 jobs
ln -s ../../jobs ../../trials disk/s/
cd disk
"$@" > ../first.out 2> ../first.err &
until [ "$(grep -c finished s/journal.jsonl 2>/dev/null)" -gt 5 ] 2>/dev/null; do
    sleep 0.05
done
# The driver is held meanwhile, so that it finds a worker dead whose file must stay.
until kill -STOP $! && mount -o remount,ro tmpfs . 2>/dev/null; do
    kill -CONT $!
    sleep 0.005
done
kill -KILL "$(sed 's/.*"pid": *\([0-9]*\).*/\1/' s/workers/w1.json)" || exit 98
kill -CONT $!
wait $!
echo $? > ../first.rc
sleep 2  # its workers find out, too
mount -o remount,rw tmpfs .
"$@" > ../second.out 2> ../second.err
echo $? > ../second.rc
cp -rL s ../s
"""


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount in a namespace")
def test_a_folder_that_becomes_read_only(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    budget = 16
    arguments = words(Path("s"), budget, *LOCAL)
    subprocess.run(
        [
            *("unshare", "-rm", "bash", "-c", READ_ONLY, "script"),
            *(sys.executable, "-m", "moosnn", *arguments),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), MARK: str(tmp_path)},
        check=True,
        timeout=120,
    )
    assert (tmp_path / "first.rc").read_text() == "2\n"
    said = (tmp_path / "first.err").read_text().splitlines()
    assert all(line.startswith("moosnn: ") for line in said)
    assert "Read-only file system" in said[-1]
    assert (tmp_path / "second.rc").read_text() == "0\n", (
        tmp_path / "second.err"
    ).read_text()
    told("read-only folder", 1, check(tmp_path / "s", budget))


# ---------------------------------------------------------------- torn, foreign


def interrupted(folder: Path, budget: int) -> list[str]:
    """A study that lost power while two trials ran; its command."""
    command = words(folder, budget, *LOCAL, "task.epoch_s=0.25")
    driver = start(folder, command)
    begun(folder, driver, 1)

    def at_rest() -> bool:
        """Whether the driver, which is stopped, has given out two trials entirely."""
        driver.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        names = [f"{number:06d}-{attempt}.json" for number, attempt in pending(folder)]
        if len(names) == 2 and all(any(folder.glob(f"inbox/*/{n}")) for n in names):
            return True
        driver.send_signal(signal.SIGCONT)
        return False

    until(at_rest)
    for pid in [driver.pid, *processes(folder)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    driver.wait()
    nobody_left(folder)
    return command


def test_a_torn_journal_tail(folder: Path) -> None:
    """Kinds of tails: `runtime/test_journal`."""
    torn = b'{"event":"fin'
    command = words(folder, 8, *LOCAL)
    driver = start(folder, command)
    begun(folder, driver)
    killed(driver)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(torn)
    finish(folder, command)
    told("torn journal tail", 1, check(folder, 8))
    assert torn in (folder / "journal.torn").read_bytes()
    assert "torn tail" in said_in(folder).read_text()


def journal(folder: Path) -> list[Event]:
    return accepted(folder / "journal.jsonl")[0]


def pending(folder: Path) -> list[tuple[int, int]]:
    """The attempts that were given out and have not ended by the journal."""
    told = journal(folder)
    given = {(e["number"], e["attempt"]) for e in told if e["event"] == "submitted"}
    ended = {e["number"] for e in told if e["event"] in ("finished", "failed")}
    closed = {(e["number"], e["attempt"]) for e in told if e["event"] == "retried"}
    return sorted(key for key in given - closed if key[0] not in ended)


def test_what_lies_in_the_outbox_and_should_not(folder: Path) -> None:
    """A torn result; results of another study, of attempts that nobody waits for."""
    command = interrupted(folder, 6)
    (torn, attempt), (other, of), *_ = pending(folder)
    outbox = folder / "outbox"
    alien = {"evaluation": {"metrics": {"accuracy": 1.0}, "seconds": 1.0}}
    good = next(e for e in journal(folder) if e["event"] == "finished")
    # Of the very attempt that is waited for, and good but for its origin.
    foreign = {"evaluation": good["evaluation"], "answers": "0" * 32}
    (outbox / f"{torn:06d}-{attempt}.json").write_text('{"evaluation": {"metr')
    (outbox / f"{other:06d}-{of}.json").write_text(json.dumps(foreign))
    ended = f"{good['number']:06d}-{good['attempt']}"
    for name in (f"{torn:06d}-{attempt + 7}", ended, "999999-1"):
        (outbox / f"{name}.json").write_text(json.dumps(alien))
    (outbox / "notes.txt").write_text("mine")
    (outbox / ".000001-1.json.0123").write_text("{")
    finish(folder, command)
    survived = check(folder, 6)
    told("torn and foreign files in the outbox", 7, survived)
    assert survived.retried == {"crashed": 1, "lost": 1}  # the torn, the foreign one
    metrics = [e["evaluation"]["metrics"] for e in journal(folder) if "evaluation" in e]
    assert all(row.get("accuracy") != 1.0 for row in metrics)
    assert metrics.count(good["evaluation"]["metrics"]) == 1


# ---------------------------------------------------------------- two drivers

ELSEWHERE = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "bash", "-c"]
ELSEWHERE += ['hostname elsewhere && "$@"', "elsewhere"]


def may_unshare() -> bool:
    """Whether a process may be made that looks as if it ran on another host."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ELSEWHERE, "true"], check=False).returncode == 0


def elsewhere(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    """A driver that another host seems to run."""
    return subprocess.Popen(
        [*ELSEWHERE, sys.executable, "-m", "moosnn", *arguments],
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), MARK: str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_drivers_of_one_folder(folder: Path) -> None:
    """The second one is refused, here and on another host; nothing is disturbed."""
    command = words(folder, ENDLESS, *LOCAL)
    first = start(folder, command)
    begun(folder, first)
    second = start(folder, command)
    others = [elsewhere(folder, command)] if may_unshare() else []
    assert second.wait() == 2
    here = f"host {socket.gethostname()}, pid {first.pid};"
    said = said_in(folder).read_text()
    assert f"a running driver holds this study: {here}" in said
    for other in others:
        _, told_elsewhere = other.communicate()
        assert other.returncode == 2
        assert len(told_elsewhere.splitlines()) == 1
        assert f"pid {first.pid}" in told_elsewhere
    first.terminate()
    assert first.wait() == 128 + signal.SIGTERM
    budget = events(folder).count("proposed") + 2
    finish(folder, words(folder, budget, *LOCAL))
    survived = check(folder, budget)
    told("two drivers", 1 + len(others), survived)
    assert survived.retried == {}
    assert survived.drivers == 2


@pytest.mark.slow
@pytest.mark.skipif(not may_unshare(), reason="name spaces are not allowed here")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_lease_of_a_dead_host(how: signal.Signals, folder: Path) -> None:
    """It is taken over after a minute; a driver that only slept then stops."""
    command = words(folder, ENDLESS, *LOCAL, "task.epoch_s=0.1")
    first = start(folder, command)
    begun(folder, first)
    first.send_signal(how)
    stopped = time.monotonic()
    refused = elsewhere(folder, command)
    refused.communicate()
    assert refused.returncode == 2
    while True:
        time.sleep(2)
        budget = events(folder).count("proposed") + 6
        second = elsewhere(folder, words(folder, budget, *LOCAL, "task.epoch_s=0.1"))
        if how == signal.SIGSTOP and time.monotonic() - stopped > 60:
            time.sleep(3)
            first.send_signal(signal.SIGCONT)
        _, said = second.communicate(timeout=120)
        if second.returncode == 0:
            break
        assert second.returncode == 2
        assert time.monotonic() - stopped < 100, said
    assert time.monotonic() - stopped > 55
    if how == signal.SIGSTOP:
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=30) == 2
        assert "took this study over" in said_in(folder).read_text()
    else:
        first.wait()
    told(f"lease of a dead host ({how.name})", 1, check(folder, budget))


# ---------------------------------------------------------------- clocks

# In every process of the study: a clock that is days off, and jumps to and fro.
JUMPY = """
import itertools, random, time
_real, _looks = time.time, itertools.count()
_offs = random.uniform(1e5, 3e5), -random.uniform(1e5, 3e5)
time.time = lambda: _real() + _offs[next(_looks) // 7 % 2]
"""


def test_clocks_that_jump(folder: Path) -> None:
    patch = folder.parent / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(JUMPY)
    budget = 16
    command = words(folder, budget, *LOCAL)
    driver = start(folder, command, PYTHONPATH=str(patch))
    begun(folder, driver)
    killed(driver)
    finish(folder, command, PYTHONPATH=str(patch))
    survived = check(folder, budget)
    told("clock jumps", 2, survived)
    assert set(survived.retried) <= {"lost"}
    times = [event["time"] for event in journal(folder)]
    assert times != sorted(times)


def test_file_times_that_jump(folder: Path) -> None:
    """As when a file server's clock is set: of leases and workers, days off."""
    budget = 24
    command = words(folder, budget, *LOCAL, "task.epoch_s=0.1")
    driver = start(folder, command)
    begun(folder, driver, 1)
    rng = random.Random(0)
    jumps = 0
    while driver.poll() is None:
        for path in (*folder.glob("lease/*.json"), *folder.glob("workers/*.json")):
            when = time.time() + rng.uniform(-3e5, 3e5)
            try:
                os.utime(path, (when, when))
            except FileNotFoundError:
                continue
            jumps += 1
        time.sleep(1)
    assert driver.wait() == 0, said_in(folder).read_text()
    survived = check(folder, budget)
    told("file times jump", jumps, survived)
    assert survived.retried == {}


# ---------------------------------------------------------------- making room


def test_epochs_are_repeated_only_after_the_last_checkpoint(folder: Path) -> None:
    """A trial that loses its driver goes on in its worker: no epoch runs twice."""
    command = words(folder, 4, *LOCAL, "task.epochs=8", "task.epoch_s=0.3")
    driver = start(folder, command)
    until((folder / "trials/000000/1/epochs.txt").exists)
    killed(driver)
    finish(folder, command)
    told("driver kill -9, workers adopted", 1, check(folder, 4))
    assert all(
        [*chain(*attempts)] == list(range(1, 9))
        for attempts in epochs_run(folder).values()
    )
