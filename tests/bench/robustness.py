"""Robustness: what the default network of the digits loses on imperfect hardware.

    python -m tests.bench.robustness

Three seeds, measured on the test split with a hundred chips of each condition; and the
CPU seconds that eight chips, the default, add to a trial. One thread. Writes
``tests/bench/results/robustness.json`` and prints the table for docs/robustness.md.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, median
from time import process_time
from typing import Any

import torch

from moosnn.snn.robustness import CONDITIONS, LOST, WORST
from moosnn.tasks.snn import SnnTask
from moosnn.trial import CONFIRM, Evaluation, Proposal
from tests.bench.training import _Context

SEEDS = (0, 1, 2)
CHIPS = 100
REPEATS = 5
RESULTS = Path(__file__).parent / "results" / "robustness.json"


def confirmed(seed: int, robustness: Mapping[str, Any] | None) -> Evaluation:
    """One training of the default network, measured on the test split."""
    proposal = Proposal(number=seed, params={}, seed=seed, origin=CONFIRM, seen=0)
    task = SnnTask(stop="none", threads=1, robustness=robustness)
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder) / "1"
        workdir.mkdir()
        return task.confirm(proposal, _Context(workdir))


def losses(seed: int) -> dict[str, Any]:
    """Accuracy and losses of one training."""
    done = confirmed(seed, {"samples": CHIPS})
    kept = {k: v for k, v in done.metrics.items() if k.startswith(LOST)}
    return {
        "seed": seed,
        "accuracy": done.metrics["accuracy"],
        "sem": done.sems[LOST],
        **kept,
    }


def seconds() -> dict[str, float]:
    """Medians of whole trials, without and with eight chips of each condition."""
    found: dict[str, list[float]] = {"without": [], "with": []}
    for repeat in range(REPEATS):
        for name, asked in (("without", None), ("with", {})):
            start = process_time()
            confirmed(repeat, asked)
            found[name].append(process_time() - start)
    return {name: median(taken) for name, taken in found.items()}


def table(runs: list[dict[str, Any]]) -> str:
    """Markdown: a row a condition, the mean and the range over seeds."""
    lines = [
        "| condition | accuracy lost, mean | worst of the chips |",
        "|---|---|---|",
    ]
    for condition in (*CONDITIONS, ""):
        suffix = f".{condition}" if condition else ""
        cells = [
            _spread([run[f"{name}{suffix}"] for run in runs]) for name in (LOST, WORST)
        ]
        lines.append(f"| {condition or 'all conditions'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    low, middle, high = (f"{f(values):.3f}" for f in (min, mean, max))
    return f"{middle} ({low} to {high})"


def main() -> None:
    """Measure, write and print."""
    confirmed(0, {"samples": 1})  # what torch loads on first use is nobody's
    runs = [losses(seed) for seed in SEEDS]
    taken = seconds()
    text = json.dumps(
        {
            "data": "digits, test split",
            "chips": CHIPS,
            "machine": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cpu_seconds": taken,
            "runs": runs,
        },
        indent=2,
    )
    RESULTS.write_text(text + "\n")
    print("accuracy", _spread([run["accuracy"] for run in runs]))
    print(table(runs))
    print({name: round(value, 3) for name, value in taken.items()})


if __name__ == "__main__":
    main()
