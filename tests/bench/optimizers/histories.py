"""A long history to time suggestions after: what an evolution strategy tried."""

from __future__ import annotations

from moosnn.trial import Trial
from tests.bench.optimizers.ours import Ours
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.runs import evaluated

EVOLUTION = "nsga2"  # cheap, and crowds near the front as every search does


def trials_of(case: Case, count: int, seed: int = 0) -> list[Trial]:
    """The first trials of an evolutionary search, all ended."""
    search = Ours(EVOLUTION, case, seed, {})
    trials = []
    for _ in range(count):
        trials.append(evaluated(case, search.ask()))
        search.tell(trials[-1])
    return trials
