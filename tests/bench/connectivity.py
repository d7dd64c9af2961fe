"""Rewiring: what is lost when most synapses are, Grad R beside Deep R and a dense net.

    python -m tests.bench.connectivity

Three seeds on the digits, the same network with the same settings, but for the rule,
how much it prunes and the pull of its prior; measured once on the test split. One
thread. Writes ``tests/bench/results/learning/connectivity.json`` and prints a Markdown
table.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from moosnn.snn.gene_names import defaults
from moosnn.space import Value
from moosnn.tasks.snn import SnnTask
from moosnn.trial import CONFIRM, Proposal
from tests.bench.learning import RESULTS, SEEDS, _spread
from tests.bench.training import _Context

SHARED = ("width", "threshold", "learning_rate", "epochs")
# Pruned shares, each with a pull that was chosen on the validation split: for Grad R
# one that gets there in so many epochs, for Deep R the better of 0.05 and 0.3.
PULLS: Mapping[float, float] = {0.8: 0.3, 0.9: 0.3, 0.95: 0.4, 0.98: 0.6}
DEEP_PULLS: Mapping[float, float] = {0.8: 0.05, 0.9: 0.05, 0.95: 0.3, 0.98: 0.3}
METRICS = ("accuracy", "connectivity", "spikes_per_sample", "synops")


def rows() -> dict[str, dict[str, Value]]:
    """What is compared: a name, and the genes that it has."""
    tuned = defaults("grad_r")
    found: dict[str, dict[str, Value]] = {
        "dense (`bptt`)": {
            "training": "bptt",
            **{name: tuned[name] for name in SHARED},
        }
    }
    for sparsity, pull in PULLS.items():
        found[f"Grad R, p = {sparsity:g}"] = {
            "training": "grad_r",
            "target_sparsity": sparsity,
            "prior_alpha": pull,
        }
    for sparsity in (0.8, 0.95):
        found[f"Grad R as published, p = {sparsity:g}"] = {
            "training": "grad_r",
            "target_sparsity": sparsity,
            "prior_pull": "always",
        }
    for sparsity, pull in DEEP_PULLS.items():
        found[f"Deep R, p = {sparsity:g}"] = {
            "training": "grad_r",
            "rewiring": "deep_r",
            "target_sparsity": sparsity,
            "prior_alpha": pull,
        }
    return found


def one(genes: Mapping[str, Value], seed: int) -> dict[str, float]:
    """The metrics of one training, on the test split."""
    proposal = Proposal(number=seed, params={}, seed=seed, origin=CONFIRM, seen=0)
    task = SnnTask(fixed=genes, stop="none", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder) / "1"
        workdir.mkdir()
        metrics = task.confirm(proposal, _Context(workdir)).metrics
    return {name: metrics[name] for name in METRICS}


def table(runs: Mapping[str, list[dict[str, float]]]) -> str:
    """Markdown: a row a comparison, the mean and the range over seeds."""
    lines = [
        "| | test accuracy | connectivity | spikes a sample | synaptic operations |",
        "|---|---|---|---|---|",
    ]
    forms = ("{:.3f}", "{:.3f}", "{:.0f}", "{:.0f}")
    for name, seeds in runs.items():
        pairs = zip(METRICS, forms, strict=True)
        cells = [_spread(seeds, metric, form) for metric, form in pairs]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Train all, keep what came out, print the table."""
    compared = rows()
    runs = {name: [one(g, seed) for seed in SEEDS] for name, g in compared.items()}
    text = json.dumps(
        {
            "data": "digits, test split",
            "machine": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "rows": [
                {"name": name, "genes": genes, "runs": runs[name]}
                for name, genes in compared.items()
            ],
        },
        indent=2,
    )
    (RESULTS / "connectivity.json").write_text(text + "\n")
    print(table(runs))


if __name__ == "__main__":
    main()
