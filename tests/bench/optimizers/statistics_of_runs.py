"""Numbers about finished runs: hypervolumes, ranks, paired differences, silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from moosnn.problem import Floats
from tests.bench.optimizers.runs import TRIALS, Line, first_feasible, hypervolumes, read

LEVEL = 0.90  # of intervals
_RESAMPLES = 10_000
DESIGN = 10  # first trials of a peer, most of which use no model there
_INITIAL = ("sobol", "centre")  # origins of ours in the initial design


@dataclass(frozen=True)
class Run:
    """A finished run."""

    lines: list[Line]
    volumes: Floats

    @property
    def first_feasible(self) -> float:
        """How many trials it took to the first feasible one; infinity = more."""
        return first_feasible(self.lines) or float("inf")

    @property
    def silent_share(self) -> float:
        """Of the trials after the initial design, those that violate a constraint."""
        modelled = [line.origin not in _INITIAL for line in self.lines]
        start = modelled.index(True) if any(modelled) else 0
        later = [x.violations for x in self.lines[start or DESIGN :] if x.violations]
        return float(np.mean([max(v) > 0 for v in later]))


Runs = Mapping[int, Run]  # of one optimizer on one problem, by seed


def runs_of(results: Path, problem: str) -> dict[str, dict[int, Run]]:
    """All runs of a problem that are long enough, by optimizer and seed."""
    found: dict[str, dict[int, Run]] = {}
    for path in sorted((results / problem).glob("*/seed-*.jsonl")):
        header, lines = read(path)
        if len(lines) < TRIALS:
            continue
        volumes = hypervolumes(lines, np.array(header["reference"]))
        seeds = found.setdefault(path.parent.name, {})
        seeds[header["seed"]] = Run(lines, volumes)
    return found


def common_seeds(runs: Mapping[str, Runs], names: Sequence[str]) -> list[int]:
    """The seeds that every one of some optimizers has."""
    return sorted(set.intersection(*(set(runs.get(n, {})) for n in names)))


def volumes_at(runs: Runs, seeds: Sequence[int], trials: int) -> Floats:
    """The hypervolume after some trials, a seed each."""
    return np.array([runs[s].volumes[trials - 1] for s in seeds])


def mean_ranks(table: Floats) -> Floats:
    """The mean rank of each row (an optimizer) over columns (seeds); 1 = the best."""
    ranks: Floats = rankdata(-table, axis=0).mean(axis=1)
    return ranks


def interval(differences: Floats) -> tuple[float, float]:
    """The bootstrap interval of a mean, by percentiles."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(differences), size=(_RESAMPLES, len(differences)))
    means = differences[chosen].mean(axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
