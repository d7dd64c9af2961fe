"""Shared weights: do they rank paths as trainings alone do?

    python -m tests.bench.paths [SETTING …]

Of each of three seeds, on the digits: one ``training=supernet`` without the epochs of
one path alone, then paths drawn evenly, each scored on the validation split with the
shared weights as they are, and after a ``training=bptt`` of its own of as many epochs.
Spearman's and Kendall's correlation of the two, with a bootstrap interval over paths;
and of two such trainings that differ by their seed, which says how much there is to
rank. ``default`` is the rule's own default; ``narrow`` has modules of 4 neurons, of
which paths differ more. One thread. Writes ``tests/bench/results/learning/paths.json``
and prints Markdown for docs/learning.md.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import kendalltau, spearmanr

from moosnn.snn.architectures.paths import Paths
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning import bptt, path_score, supernet
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.learning.genotypes import drawn, letters
from moosnn.snn.learning.training import Course
from moosnn.snn.measure import measure
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.supernet import Supernet
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from moosnn.snn.stopping import watch_named
from moosnn.space import Value
from tests.bench.learning import RESULTS

SEEDS = (0, 1, 2)
PATHS = 20
AGAIN = 1000  # what another seed is further
RESAMPLES = 2000
LEVEL = 0.95
SHAPE, CLASSES = (1, 8, 8), 10
SETTINGS: Mapping[str, Mapping[str, Value]] = {
    "default": {},
    "narrow": {"module_width": 4},
}
FILE = RESULTS / "paths.json"

Floats = npt.NDArray[np.float64]


def course(seed: int) -> Course:
    """A training that nothing stops."""
    watch = watch_named(
        "none", Edge(), min_updates=None, planned_updates=1, samples_per_epoch=1
    )
    return Course(
        generator=generator(seed),
        watch=watch,
        on_epoch=lambda epoch, metrics: False,
        checkpoint=Checkpoint(),
    )


def generator(seed: int) -> torch.Generator:
    """Of everything random."""
    return torch.Generator().manual_seed(seed)


def result_of(network: SpikingNetwork, held_out: Samples) -> tuple[float, float]:
    """Accuracy, and synaptic operations of a sample."""
    seen = measure(network, held_out, alpha=1, generator=generator(0))
    operations = seen.cost.acs + seen.cost.macs
    return float(seen.correct.double().mean()), float(operations.mean())


def alone(
    genes: Genes, seed: int, train: Samples, held_out: Samples
) -> tuple[float, float]:
    """What a path does after a training of its own."""
    network = SpikingNetwork(genes, SHAPE, CLASSES, generator(seed))
    bptt.fit(network, train, course(seed + 100))
    return result_of(network, held_out)


def rows_of(
    changes: Mapping[str, Value], seed: int, train: Samples, held_out: Samples
) -> list[dict[str, object]]:
    """Paths of one supernet: what they are, shared and alone."""
    given = {**defaults("supernet"), **changes, "tune_share": 0.0}
    genes = Genes.from_params(given)
    whole = SpikingNetwork(genes, SHAPE, CLASSES, generator(seed))
    learner = SpikingNetwork(genes, SHAPE, CLASSES, generator(seed))
    learner.parts = whole.parts  # what narrows is the learner; the modules are the same
    supernet.fit(learner, train, course(seed + 100))
    rule, family = genes.rule, genes.architecture
    assert isinstance(rule, Supernet)
    assert isinstance(family, Paths)
    dice, known = generator(seed + 200), set[tuple[str, ...]]()
    rows: list[dict[str, object]] = []
    while len(rows) < PATHS:
        active = letters(drawn(family.layers, rule.modules, family.modules, dice))
        if active in known:
            continue
        known.add(active)
        chosen = path_score.path_genes(genes, active)
        shared = result_of(whole.sharing(chosen), held_out)
        own, again = (
            alone(chosen, other, train, held_out) for other in (seed, seed + AGAIN)
        )
        rows.append(
            {
                "path": list(active),
                "shared_accuracy": shared[0],
                "shared_synops": shared[1],
                "alone_accuracy": own[0],
                "alone_synops": own[1],
                "again_accuracy": again[0],
                "again_synops": again[1],
            }
        )
        print(seed, rows[-1], flush=True)
    return rows


def correlations(shared: Floats, alone: Floats, seed: int) -> dict[str, list[float]]:
    """Each coefficient with its bootstrap interval over paths."""
    dice = np.random.default_rng(seed)
    found = {}
    for name, of in (("spearman", spearmanr), ("kendall", kendalltau)):
        draws = []
        for _ in range(RESAMPLES):
            rows = dice.integers(len(shared), size=len(shared))
            if np.ptp(shared[rows]) > 0 and np.ptp(alone[rows]) > 0:
                draws.append(of(shared[rows], alone[rows]).statistic)
        ends = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found[name] = [float(of(shared, alone).statistic), *map(float, ends)]
    return found


def column(rows: Sequence[dict[str, object]], name: str) -> Floats:
    """Of all rows."""
    return np.array([row[name] for row in rows], dtype=np.float64)


def summary(rows: Sequence[dict[str, object]], seed: int) -> dict[str, object]:
    """What is reported of a seed."""
    told: dict[str, object] = {}
    for what in ("accuracy", "synops"):
        shared, own, again = (
            column(rows, f"{of}_{what}") for of in ("shared", "alone", "again")
        )
        told[what] = {
            **correlations(shared, own, seed),
            "again": correlations(again, own, seed),
            "shared": [float(f(shared)) for f in (np.min, np.mean, np.max)],
            "alone": [float(f(own)) for f in (np.min, np.mean, np.max)],
        }
    return told


def table(settings: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Markdown: a row a setting, seed and measure."""
    lines = [
        "| setting | seed | of | Spearman | Kendall | Spearman, alone twice "
        "| shared: least, mean, most | alone |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for setting, run in ((s, run) for s, runs in settings.items() for run in runs):
        for what, form in (("accuracy", "{:.3f}"), ("synops", "{:.0f}")):
            told = run["summary"][what]
            found = [told["spearman"], told["kendall"], told["again"]["spearman"]]
            pairs = ["{:.2f} ({:.2f} to {:.2f})".format(*each) for each in found]
            ranges = [
                ", ".join(form.format(v) for v in told[n]) for n in ("shared", "alone")
            ]
            cells = [setting, str(run["seed"]), what, *pairs, *ranges]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, keep and print."""
    torch.set_num_threads(1)
    data = Digits().load(1, Path())
    cpu = torch.device("cpu")
    train = Samples.of(data.train, data.input_max, cpu)
    held_out = Samples.of(data.validation, data.input_max, cpu)
    known = json.loads(FILE.read_text())["settings"] if FILE.is_file() else {}
    for name in sys.argv[1:] or SETTINGS:
        known[name] = []
        for seed in SEEDS:
            rows = rows_of(SETTINGS[name], seed, train, held_out)
            told = {"seed": seed, "summary": summary(rows, seed), "paths": rows}
            known[name].append(told)
    RESULTS.mkdir(parents=True, exist_ok=True)
    about = {
        "data": "digits, validation split",
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "epochs": defaults("supernet")["epochs"],
        "settings": known,
    }
    FILE.write_text(json.dumps(about, indent=2) + "\n")
    print(table(known))


if __name__ == "__main__":
    main()
