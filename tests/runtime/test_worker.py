"""Signals of a worker, and of what its trials fork."""

from __future__ import annotations

import subprocess
import sys

ROUNDS = 300

# Each child is told to end before it has done anything at all.
PROGRAM = f"""
import os, signal, sys, time
from moosnn.runtime.worker import _outlive_signals

_outlive_signals()
for number in (signal.SIGTERM, signal.SIGUSR2):
    os.kill(os.getpid(), number)
for _ in range({ROUNDS}):
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(3)
    os.kill(child, signal.SIGTERM)
    if os.WTERMSIG(os.waitpid(child, 0)[1]) != signal.SIGTERM:
        sys.exit("a child did not end by it")
print("alive, with", signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_a_worker_outlives_what_ends_the_processes_it_forks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("alive, with set()\n", "")
