"""Every learning rule and every part of a network runs on a device beside the CPU.

No GPU is needed: `tests.second_device` says what stands in for it, and what that can
show. It has to be registered in a process before anything is learned there, and cannot
be taken back: each file of checks has a process of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PASSED = re.compile(r"^(\d+) passed in ", re.MULTILINE)


@pytest.mark.parametrize(
    ("checks", "least"),
    [("second_device_parts.py", 80), ("second_device_rules.py", 45)],
)
def test_what_runs_on_the_cpu_runs_on_a_second_device(checks: str, least: int) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, str(HERE / checks)],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        env=own,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = PASSED.search(done.stdout)  # and none failed or was left out
    assert found, done.stdout
    assert int(found[1]) >= least
