"""A real Slurm for the tests that are marked `slurm`."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

LAUNCHERS = Path(__file__).parents[2] / "launchers"
PORTS = range(20_000, 32_000)  # below those that the kernel gives away by itself
PORTS_OF_A_BOX = 5
POLL_S = 0.2


def run_launcher(
    name: str, *words: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a file of ``launchers/`` to its end."""
    return subprocess.run(
        [str(LAUNCHERS / name), *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def free_ports() -> int:
    """The first of as many free ports as a box takes."""
    while True:
        first = random.choice(PORTS)
        with ExitStack() as stack:
            try:
                for port in range(first, first + PORTS_OF_A_BOX):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something, or fail."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(POLL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """A Slurm that answers; `SLURM_CONF` names it to every process.

    Attributes:
        box: the folder, if `slurm_box.sh` started it.
    """

    box: Path | None

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `slurm_box.sh`; the test is skipped on another Slurm."""
        if self.box is None:
            pytest.skip("needs a Slurm that launchers/slurm_box.sh started")
        return run_launcher("slurm_box.sh", *words, SLURM_BOX=str(self.box))

    def ask(self, *words: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def submit(self, command: str, *options: str, cwd: Path) -> str:
        """Submit shell commands; returns the job's id. Output: ``<id>.out`` in cwd."""
        words = ["sbatch", "--parsable", "--open-mode=append", f"--chdir={cwd}"]
        words += [f"--output={cwd}/%j.out", *options, "--wrap", command]
        return self.ask(*words)

    def state(self, job: str) -> str:
        """As `sacct` tells it, e.g. ``NODE_FAIL``; empty if it knows no such job."""
        said = self.ask("sacct", "-nPX", "-j", job, "-o", "State")
        return said.split()[0] if said else ""

    def reaches(self, job: str, state: str, seconds: float = 30.0) -> None:
        """Wait for a job's state."""
        until(lambda: self.state(job) == state, seconds, f"job {job}: {state}")


@pytest.fixture(scope="session")
def slurm_box() -> Iterator[Slurm]:
    """The cluster that SLURM_CONF names, if it answers; else a box of this session."""
    if os.environ.get("SLURM_CONF") and shutil.which("scontrol"):
        ping = subprocess.run(
            ["scontrol", "ping"], capture_output=True, text=True, check=False
        )
        if "is UP" in ping.stdout:
            conf = Path(os.environ["SLURM_CONF"])
            folder = conf.parents[1]
            yield Slurm(box=folder if (folder / ".slurm_box").exists() else None)
            return
    # Not pytest's: the database's user may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="moosnn-slurm-"))
    folder.chmod(0o755)
    environment = {"SLURM_BOX": str(folder), "SLURM_BOX_PORT": str(free_ports())}
    patch = pytest.MonkeyPatch()
    try:
        up = run_launcher("slurm_box.sh", "up", **environment)
        if up.returncode != 0:
            pytest.fail(up.stderr.strip(), pytrace=False)
        patch.setenv("SLURM_BOX", str(folder))
        patch.setenv("SLURM_CONF", str(folder / "etc/slurm.conf"))
        yield Slurm(box=folder)
    finally:
        patch.undo()
        run_launcher("slurm_box.sh", "down", **environment)
