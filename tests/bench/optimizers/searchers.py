"""Searchers by name: a peer's, or any of ours. Only its own libraries are imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.bench.optimizers import ours
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.runs import Searcher

PEERS = ("optuna-gp", "optuna-tpe", "optuna-nsga2", "pymoo-nsga2", "ax")
BASELINE = "sobol"  # counts as a peer
NAMES = (*ours.NAMES, *PEERS)


def searcher_of(
    name: str, case: Case, seed: int, changes: Mapping[str, Any]
) -> Searcher:
    """A new search; ``changes`` are keys of the config of one of ours."""
    if name.startswith("optuna-"):
        from tests.bench.optimizers.peers_optuna import Optuna

        return Optuna(name, case, seed)
    if name == "ax":
        from tests.bench.optimizers.peers_ax import Ax

        return Ax(name, case, seed)
    if name == "pymoo-nsga2":
        from tests.bench.optimizers.peer_pymoo import Pymoo

        return Pymoo(name, case, seed)
    return ours.Ours(name, case, seed, changes)
