"""Peak memory of a training against time steps: e-prop and backpropagation.

    python -m tests.bench.memory_in_time

Two updates of one network, a recurrent layer of 64 neurons that hears 64 constant
inputs, in a process of its own, less what the process held before. ``eprop`` is with a
soft reset and a read-out without memory, where the neurons of a layer share their
traces; ``eprop, hard reset`` is also with a read-out that leaks, where each synapse has
traces of its own. One thread. Writes ``results/learning/memory_in_time.json`` and
prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from moosnn.snn.data import Split
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.learning.rules import FITS
from moosnn.snn.learning.spent import spending
from moosnn.snn.learning.training import Course
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from moosnn.snn.stopping import watch_named
from moosnn.space import Value

STEPS = (100, 300, 1000)
BATCH, INPUTS, CLASSES = 64, 64, 10
EACH: Mapping[str, Value] = {"reset": "hard", "tau_readout_steps": 5.0}
RULES: Mapping[str, Mapping[str, Value]] = {
    "eprop": {"training": "eprop"},
    "eprop, hard reset": {"training": "eprop", **EACH},
    "bptt": {"training": "bptt"},
    "bptt, hard reset": {"training": "bptt", **EACH},
}
RESULTS = Path(__file__).parent / "results" / "learning" / "memory_in_time.json"


def peak(rule: str, steps: int) -> float:
    """Megabytes of one training, in this process."""
    common = {"width": 64, "time_steps": steps, "batch_size": BATCH, "epochs": 1}
    genes = Genes.from_params({**defaults("eprop"), **common, **RULES[rule]})
    dice = np.random.default_rng(0)
    split = Split(
        inputs=dice.random((2 * BATCH, 1, 8, 8), dtype=np.float32),
        labels=dice.integers(0, CLASSES, 2 * BATCH),
    )
    samples = Samples.of(split, 1.0, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    network = SpikingNetwork(genes, (1, 8, 8), CLASSES, generator)
    watch = watch_named(
        "none", Edge(), min_updates=0, planned_updates=2, samples_per_epoch=2 * BATCH
    )
    course = Course(
        generator=generator,
        watch=watch,
        on_epoch=lambda epoch, metrics: False,
        checkpoint=Checkpoint(),
    )
    with spending(samples.device) as spent:
        FITS[genes.training](network, samples, course)
    assert spent.memory_mb is not None, "this system does not tell its memory"
    return spent.memory_mb


def measured(rule: str, steps: int) -> float:
    """Megabytes of one training, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.memory_in_time", rule, str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    output = subprocess.check_output(command, env=environment, text=True)
    return float(output)


def main() -> None:
    """Measure everything and print the table, or one training and print its peak."""
    if len(sys.argv) > 1:
        print(peak(sys.argv[1], int(sys.argv[2])))
        return
    rows = {rule: {t: measured(rule, t) for t in STEPS} for rule in RULES}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "what": "peak memory of two updates, MB, by time steps",
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "peak_mb": rows,
    }
    RESULTS.write_text(json.dumps(facts, indent=2) + "\n")
    print("| rule |" + "".join(f" T = {t:,} |" for t in STEPS))
    print("|---|" + "---|" * len(STEPS))
    for rule, peaks in rows.items():
        print(f"| {rule} |" + "".join(f" {mb:.1f} MB |" for mb in peaks.values()))


if __name__ == "__main__":
    main()
