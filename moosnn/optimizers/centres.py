"""Where trust regions lie: around the best points, feasible ones first.

Knows: what was measured, whose trials are whose. Must not know: lengths, models.

.. [Daulton2022] S. Daulton, D. Eriksson, M. Balandat, E. Bakshy. Multi-Objective
   Bayesian Optimization over High-Dimensional Search Spaces. UAI 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moosnn.history import History
from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.regions import Regions, spread_of, total_violations
from moosnn.pareto.dominance import non_dominated
from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Floats, Problem
from moosnn.space import Params
from moosnn.trial import Trial


def centres_of(
    problem: Problem, history: History, regions: Regions
) -> list[Params | None]:
    """The points that the regions lie around; ``None`` = a life without a trial yet.

    Feasible trials come first, by what they add to the hypervolume [Daulton2022]_, then
    by how little they lie behind the front; without one, the least total violation.
    The first region chooses first, and none what another has chosen. The
    first life of a region may choose any trial, a later one only its own.
    """
    done, found = history.done, list[Params | None]()
    ranks, taken = _ranks(problem, done), set[int]()
    for region, state in enumerate(regions.states):
        own = regions.trials_of(region, state.life, done)
        rows = own if state.life else np.arange(len(done))
        free = [row for row in rows if row not in taken]
        if len(rows):
            best = min(free or rows, key=lambda row: ranks[row])
            taken.add(best)
            found.append(done[best].proposal.params)
            continue
        trials = history.trials
        begun = regions.trials_of(region, state.life, trials)  # it still runs, or broke
        found.append(trials[begun[0]].proposal.params if len(begun) else None)
    return found


def ended_centres(problem: Problem, history: History, regions: Regions) -> list[Params]:
    """The best point of each life that has ended."""
    done = history.done
    ranks = _ranks(problem, done)
    found = []
    for region, state in enumerate(regions.states):
        for life in range(state.life):
            rows = regions.trials_of(region, life, done)
            if len(rows):
                best = min(rows, key=lambda row: ranks[row])
                found.append(done[best].proposal.params)
    return found


def _ranks(problem: Problem, trials: Sequence[Trial]) -> Indexes:
    """The place of each trial in their order as centres, 0 = the best."""
    feasible = problem.feasible(trials)
    totals = total_violations(problem.violations(trials))
    totals[[t.is_pruned for t in trials]] = np.inf  # what becomes of it is not known
    totals[(totals == 0) & ~feasible] = np.inf
    totals[feasible] = 0.0
    added, behind = np.zeros(len(trials)), np.zeros(len(trials))
    losses = problem.losses([t for t in trials if problem.is_feasible(t)])
    if len(losses):
        added[feasible], behind[feasible] = _merits(losses, problem.reference)
    ranks = np.empty(len(trials), dtype=np.intp)
    ranks[np.lexsort((behind, -added, totals))] = np.arange(len(trials))
    return ranks


def _merits(losses: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """What points add to the hypervolume, and how far they lie behind the front.

    The second is the least that all losses of a point would have to fall, in standard
    deviations, to be as good as some member of the front, or as the reference.
    """
    inside = np.all(losses < reference, axis=1)
    members = np.flatnonzero(inside)[non_dominated(losses[inside])]
    front = losses[members] if len(members) else reference[None]
    gaps = (losses[:, None] - front[None]) / spread_of(losses)
    added, whole = np.zeros(len(losses)), hypervolume(front, reference)
    for place, member in enumerate(members):
        rest = np.delete(front, place, axis=0)
        added[member] = whole - hypervolume(rest, reference)
    return added, gaps.max(axis=2).min(axis=1)
