"""Peak memory of a process that makes one suggestion after a thousand trials."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.bench.optimizers import problems
from tests.bench.optimizers.histories import trials_of
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.speed import TimedOurs

TRIALS = 1000
CONSTRAINTS = 3  # of the disc brake's four


def in_a_process(name: str, words: list[str]) -> dict[str, Any]:
    """What `here` says in a process of its own, one thread."""
    command = [sys.executable, "-m", "tests.bench.optimizers", "memory", "--here"]
    command += ["--optimizers", name, "--set", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def here(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The largest resident memory of this process so far, before and after."""
    case = _case()
    timed = TimedOurs(name, case, changes)
    for trial in trials_of(case, TRIALS):
        timed.add(trial)
    before, start = _peak_mb(), time.process_time()
    timed.suggest()
    return {
        "optimizer": name,
        "trials": TRIALS,
        "constraints": CONSTRAINTS,
        "before_mb": before,
        "peak_mb": _peak_mb(),
        "cold_s": round(time.process_time() - start, 2),
    }


def _case() -> Case:
    case = problems.case("disc_brake")
    fewer = replace(case.problem, constraints=case.problem.constraints[:CONSTRAINTS])
    return replace(case, problem=fewer)


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
