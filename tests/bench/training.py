"""Training: trials an hour, and the peak memory against time steps and width.

    python -m tests.bench.training

Trials an hour: random points of ``space=nas`` on digits, one after the other in one
process of one thread, without a search. Peak memory: one short training of a network
of two layers in a process of its own, less that of a process that only imports.
Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import yaml

from moosnn.configs import config_folder
from moosnn.snn.gene_names import DEFAULTS
from moosnn.space import Space
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Proposal

TRIALS = 60
STEPS = (4, 16, 64, 256)
WIDTHS = (64, 256, 1024)


class _Context:
    """A worker that never stops a trial."""

    attempt = 1

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.cache = workdir / "cache"

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        return False

    def preempted(self) -> bool:
        return False


def train(params: Mapping[str, object], number: int = 0) -> None:
    proposal = Proposal(
        number=number, params=dict(params), seed=number, origin="bench", seen=0
    )
    with tempfile.TemporaryDirectory() as folder:
        SnnTask(threads=1).evaluate(proposal, _Context(Path(folder)))


def trials_an_hour() -> None:
    raw = yaml.safe_load((config_folder() / "space" / "nas.yaml").read_text())
    space = Space.from_config(raw)
    generator = np.random.default_rng(0)
    train({})  # imports
    seconds = []
    for number in range(TRIALS):
        point = space.decode(list(generator.random(len(space))))
        start = perf_counter()
        train(space.active(point), number)
        seconds.append(perf_counter() - start)
    print("| random trials of `space=nas` on digits, one core | |\n|---|---|")
    print(f"| trials an hour | {3600 * len(seconds) / sum(seconds):,.0f} |")
    spread = f"{median(seconds):.2f}, {np.quantile(seconds, 0.9):.2f}"
    print(f"| seconds a trial: median, 90 % | {spread} |")


def peak_mb(code: str) -> float:
    measured = f"{code}\nimport resource\n" + (
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", measured]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, check=True, env=environment, capture_output=True, text=True
    )
    return float(done.stdout)


def memory() -> None:
    imports = "from tests.bench.training import train, DEFAULTS\n"
    base = peak_mb(imports + "import moosnn.snn.learning.bptt, sklearn.datasets")
    print(f"\n| peak memory above {base:.0f} MB, MB | ", end="")
    print(" | ".join(f"width {w}" for w in WIDTHS), "|")
    print("|---" * (len(WIDTHS) + 1) + "|")
    for steps in STEPS:
        cells = []
        for width in WIDTHS:
            point = {"time_steps": steps, "width": width, "epochs": 1}
            cells.append(peak_mb(f"{imports}train({point!r})") - base)
        print(f"| T = {steps} | " + " | ".join(f"{c:.0f}" for c in cells) + " |")


def main() -> None:
    assert DEFAULTS["batch_size"] == 64
    trials_an_hour()
    memory()


if __name__ == "__main__":
    main()
