"""Learning rules: test accuracy, spikes, seconds and memory of each one's own default.

    python -m tests.bench.learning [RULE …]

Three seeds on the digits; trained as in a study, measured once on the test split. One
thread. Writes ``tests/bench/results/learning/RULE.json`` and prints the table of all
rules there for docs/benchmarks.md.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import torch

from moosnn.snn.gene_names import RULES
from moosnn.space import Value
from moosnn.tasks.snn import SnnTask
from moosnn.trial import CONFIRM, Proposal
from tests.bench.training import _Context

SEEDS = (0, 1, 2)
RESULTS = Path(__file__).parent / "results" / "learning"
METRICS = (
    "accuracy",
    "spikes_per_sample",
    "synops",
    "time_steps",
    "parameters",
    "silent_fraction",
    "training_s",
    "training_memory_mb",
)


def one(rule: str, seed: int, **fixed: Value) -> dict[str, float]:
    """The metrics of one training, on the test split."""
    proposal = Proposal(number=seed, params={}, seed=seed, origin=CONFIRM, seen=0)
    task = SnnTask(fixed={"training": rule, **fixed}, stop="none", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder) / "1"
        workdir.mkdir()
        metrics = task.confirm(proposal, _Context(workdir)).metrics
    return {name: metrics[name] for name in METRICS}


def measured(rule: str) -> None:
    """Run a rule and keep what came out."""
    one(rule, 0, epochs=1)  # what torch loads on first use is not the rule's
    runs = [one(rule, seed) for seed in SEEDS]
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "rule": rule,
            "data": "digits, test split",
            "machine": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "runs": runs,
        },
        indent=2,
    )
    (RESULTS / f"{rule}.json").write_text(text + "\n")


def table() -> str:
    """Markdown: a row a rule, the mean and the range over seeds."""
    lines = [
        "| rule | test accuracy | spikes a sample | synaptic operations | steps | "
        "training, s | memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule in RULES:
        path = RESULTS / f"{rule}.json"
        if not path.is_file():
            continue
        runs = json.loads(path.read_text())["runs"]
        cells = [
            _spread(runs, "accuracy", "{:.3f}"),
            _spread(runs, "spikes_per_sample", "{:.0f}"),
            _spread(runs, "synops", "{:.0f}"),
            f"{runs[0]['time_steps']:.0f}",
            _spread(runs, "training_s", "{:.1f}"),
            _spread(runs, "training_memory_mb", "{:.0f}"),
        ]
        lines.append(f"| {rule} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(runs: Sequence[Mapping[str, float]], name: str, form: str) -> str:
    values = [run[name] for run in runs]
    low, middle, high = (form.format(f(values)) for f in (min, mean, max))
    return f"{middle} ({low} to {high})"


def main() -> None:
    """Measure the rules that are named, or all, and print the table."""
    for rule in sys.argv[1:] or RULES:
        measured(rule)
    print(table())


if __name__ == "__main__":
    main()
