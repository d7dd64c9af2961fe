"""The Slurm that tests run against does what a cluster does."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.slurm.conftest import Slurm, free_ports, run_launcher, until

pytestmark = pytest.mark.slurm

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "true"]
# Prints each signal that it gets, and ends by none but KILL.
STUBBORN = (
    "python3 -uc 'import signal, time\n"
    "for n in (signal.SIGTERM, signal.SIGUSR2):\n"
    "    signal.signal(n, lambda n, _: print(signal.Signals(n).name))\n"
    'print("start")\n'
    "while True: time.sleep(1)'"
)


def marked(mark: str) -> list[int]:
    """The processes of this machine whose command line has a mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if mark.encode() in line:
            found.append(int(path.parent.name))
    return found


def test_a_second_up_changes_nothing(slurm_box: Slurm) -> None:
    before = slurm_box.script("status")
    assert before.returncode == 0, before.stdout
    assert slurm_box.script("up").returncode == 0
    daemons = [line for line in before.stdout.splitlines() if ": " in line]
    assert len(daemons) == 6
    assert slurm_box.script("status").stdout.splitlines()[:6] == daemons


def test_its_environment_is_for_the_shell(slurm_box: Slurm) -> None:
    told = slurm_box.script("env").stdout
    shell = f"unset SLURM_CONF; {told}\nscontrol ping"
    assert "is UP" in slurm_box.ask("bash", "-c", shell)


def test_a_node_looks_like_another_machine(slurm_box: Slurm) -> None:
    slurm_box.script("status")
    if subprocess.run(UNSHARE, capture_output=True, check=False).returncode != 0:
        pytest.skip("name spaces are not allowed here")
    look = ["sh", "-c", "hostname; readlink /proc/self/ns/pid"]
    seen = [
        slurm_box.ask("srun", "-Q", "-w", node, *look).split() for node in ("n0", "n1")
    ]
    assert [host for host, _ in seen] == ["n0", "n1"]
    spaces = {space for _, space in seen} | {os.readlink("/proc/self/ns/pid")}
    assert len(spaces) == 3


def test_each_job_has_a_gpu_of_its_own(slurm_box: Slurm, tmp_path: Path) -> None:
    command = "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES; sleep 60"
    jobs = [slurm_box.submit(command, "--gres=gpu:1", cwd=tmp_path) for _ in range(5)]
    try:
        until(lambda: len(list(tmp_path.glob("*.out"))) == 4, 20, "four jobs run")
        outputs = list(tmp_path.glob("*.out"))
        until(lambda: all(path.read_text() for path in outputs), 10, "they print")
        seen = sorted(path.read_text().strip() for path in outputs)
        assert seen == ["n0 0", "n0 1", "n1 0", "n1 1"]
        waiting = slurm_box.ask("squeue", "-h", "-t", "pending", "-o", "%i")
        assert waiting == jobs[4]
    finally:
        slurm_box.ask("scancel", *jobs)


def test_a_node_that_dies_takes_its_processes_with_it(
    slurm_box: Slurm, tmp_path: Path
) -> None:
    slurm_box.script("status")
    mark = "sleep 86399"
    command = f"{mark} & setsid {mark} & exec {mark}"  # one leaves the job's session
    job = slurm_box.submit(command, "--no-requeue", "-w", "n1", cwd=tmp_path)
    mark = mark.replace(" ", "\0")
    until(lambda: len(marked(mark)) == 3, 20, "the job runs")
    slurm_box.reaches(job, "RUNNING")
    try:
        assert slurm_box.script("node", "n1", "down").returncode == 0
        assert marked(mark) == []
        assert slurm_box.state(job) == "RUNNING"  # Slurm does not know it yet
        slurm_box.reaches(job, "NODE_FAIL", 60)
    finally:
        assert slurm_box.script("node", "n1", "up").returncode == 0
    assert slurm_box.ask("srun", "-Q", "-w", "n1", "echo", "back") == "back"


def test_a_node_that_is_back_at_once_has_lost_its_jobs(
    slurm_box: Slurm, tmp_path: Path
) -> None:
    slurm_box.script("status")
    job = slurm_box.submit("sleep 600", "--no-requeue", "-w", "n1", cwd=tmp_path)
    until((tmp_path / f"{job}.out").exists, 20, "the job runs")
    assert slurm_box.script("node", "n1", "down").returncode == 0
    assert slurm_box.script("node", "n1", "up").returncode == 0
    slurm_box.reaches(job, "NODE_FAIL")


def test_a_job_over_its_memory_is_killed(slurm_box: Slurm, tmp_path: Path) -> None:
    hog = "python3 -c 'import time; x = bytearray(2**29); time.sleep(60)'"
    options = ["--mem=200", "--no-requeue"]
    alone = slurm_box.submit(hog, *options, cwd=tmp_path)
    step = slurm_box.submit(f"srun {hog}", *options, cwd=tmp_path)
    for job in (alone, step):  # with cgroups it would be OUT_OF_MEMORY
        slurm_box.reaches(job, "FAILED")
        assert "exceeded memory limit" in (tmp_path / f"{job}.out").read_text()


def test_what_is_preempted_is_warned_and_ends_as_preempted(
    slurm_box: Slurm, tmp_path: Path
) -> None:
    """Or as completed, if it ends by itself while it is warned."""
    options = ["--no-requeue", "-w", "n1", "--signal=USR2@30"]
    heedless = slurm_box.submit(f"srun {STUBBORN}", *options, cwd=tmp_path)
    heeding = "srun bash -c 'trap \"exit 0\" USR2; echo start; sleep 600 & wait'"
    graceful = slurm_box.submit(heeding, *options, cwd=tmp_path)
    outputs = [tmp_path / f"{job}.out" for job in (heedless, graceful)]
    until(
        lambda: all(p.exists() and "start" in p.read_text() for p in outputs),
        20,
        "both run",
    )
    high = ["-p", "high", "-w", "n1", "--exclusive"]
    other = slurm_box.submit("true", *high, cwd=tmp_path)
    slurm_box.reaches(graceful, "COMPLETED")
    slurm_box.reaches(heedless, "PREEMPTED", 60)
    slurm_box.reaches(other, "COMPLETED", 60)
    lines = outputs[0].read_text().splitlines()
    signals = [line for line in lines if line.startswith("SIG")]
    assert signals[0] == "SIGUSR2"
    assert set(signals[1:]) == {"SIGTERM"}


def test_jobs_run_on_while_the_controller_is_away(
    slurm_box: Slurm, tmp_path: Path
) -> None:
    slurm_box.script("status")
    job = slurm_box.submit("echo began; sleep 6; echo done", cwd=tmp_path)
    output = tmp_path / f"{job}.out"
    until(lambda: output.exists() and output.read_text(), 30, "the job runs")
    assert slurm_box.script("controller", "down").returncode == 0
    try:
        assert output.read_text() == "began\n"
        until(lambda: output.read_text() == "began\ndone\n", 20, "the job ends")
        away = subprocess.run(["squeue"], capture_output=True, text=True, check=False)
        assert "Unable to contact slurm controller" in away.stderr
    finally:
        assert slurm_box.script("controller", "up").returncode == 0
    slurm_box.reaches(job, "COMPLETED")


def test_down_ends_everything_and_leaves_nothing(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        Path(parent).chmod(0o755)
        box = Path(parent) / "box"
        first = free_ports()
        own = {"SLURM_BOX": str(box), "SLURM_BOX_PORT": str(first)}
        own["SLURM_CONF"] = str(box / "etc/slurm.conf")
        up = run_launcher("slurm_box.sh", "up", **own)
        assert up.returncode == 0, up.stderr
        command = ["sbatch", "--output=/dev/null", "--wrap", "sleep 86398"]
        submitted = subprocess.run(command, env={**os.environ, **own}, check=False)
        assert submitted.returncode == 0
        until(lambda: marked("sleep\x0086398"), 20, "the job runs")
        assert run_launcher("slurm_box.sh", "down", **own).returncode == 0
        assert marked("sleep\x0086398") == []
        assert marked(str(box)) == []
        assert not box.exists()
        for port in range(first, first + 5):
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0
        assert run_launcher("slurm_box.sh", "down", **own).returncode == 0


def test_mistakes_are_told_in_a_line(slurm_box: Slurm, tmp_path: Path) -> None:
    assert slurm_box.script("node", "n7", "down").stderr == (
        "slurm_box: node: expected n0 n1, got 'n7'\n"
    )
    for words in ((), ("start",), ("node", "n1"), ("up", "now")):
        assert slurm_box.script(*words).stderr.startswith("slurm_box: expected up, ")
    empty = tmp_path / "box"
    said = run_launcher("slurm_box.sh", "env", SLURM_BOX=str(empty))
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("slurm_box: not up; see ")
    assert not empty.exists()
    (tmp_path / "mine.txt").write_text("not to be lost")
    for word in ("up", "down"):
        said = run_launcher("slurm_box.sh", word, SLURM_BOX=str(tmp_path))
        assert (word, said.returncode) in (("up", 1), ("down", 0))
    assert (tmp_path / "mine.txt").exists()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        own = {"SLURM_BOX": str(tmp_path / "box"), "SLURM_BOX_PORT": port}
        said = run_launcher("slurm_box.sh", "up", **own)
        assert said.returncode == 1
        assert said.stderr == (
            f"slurm_box: port {port} is taken; "
            "set SLURM_BOX_PORT to the first of 5 free ones\n"
        )
        assert run_launcher("slurm_box.sh", "down", **own).returncode == 0
        assert not (tmp_path / "box").exists()
