"""What repeating points with other seeds buys, and what it costs.

    python -m tests.bench.repeats [SEEDS]

Studies of `TRIALS` trials of the invented network (``toy_snn``) by NSGA-II, plain and
with repeats, at several times its noise. Each front is judged by the means over
`TRUTH_SEEDS` further trainings of its members: what it claims minus what it is worth is
its optimism.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.evolution import Nsga2
from moosnn.optimizers.replicated import Replicated
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.tasks import analytic
from moosnn.tasks.analytic import AnalyticTask
from tests.helpers import Story, run_loop, toy_problem

TRIALS = 150
SEEDS = 16
TRUTH_SEEDS = 40
_FIRST_TRUTH_SEED = 10_000  # apart from the trials' own only by chance, which is enough
NOISE = (1, 5, 15)
DRIVE_NOISE, ACCURACY_NOISE = analytic._DRIVE_NOISE, analytic._ACCURACY_NOISE

ARMS: dict[str, Callable[[], Optimizer]] = {
    "plain": Nsga2,
    "share=0.2": lambda: Replicated(Nsga2(), share=0.2),
    "share=0.4": lambda: Replicated(Nsga2(), share=0.4),
}


def true_hypervolume(problem: Problem, task: AnalyticTask, history: History) -> float:
    """The hypervolume of a study's front by the means over many seeds."""
    story = Story(problem)
    for number in front_of(problem, history.done).numbers:
        params = history.trial(number).proposal.params
        for seed in range(_FIRST_TRUTH_SEED, _FIRST_TRUTH_SEED + TRUTH_SEEDS):
            story.evaluate(task, story.propose(params, seed=seed))
    return front_of(problem, story.history.done).hypervolume


def measure(seeds: int) -> np.ndarray:
    """Claimed and true hypervolumes, ``seeds x arms x 2``."""
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    rows = []
    for seed in range(seeds):
        row = []
        for make in ARMS.values():
            history = run_loop(problem, make(), task, TRIALS, seed)
            claimed = front_of(problem, history.done).hypervolume
            row.append((claimed, true_hypervolume(problem, task, history)))
        rows.append(row)
    return np.array(rows)


def main() -> None:
    """Print a table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    print(f"{'noise':>5} {'arm':10} claimed   true  optimism  true - plain's (s.e.)")
    for factor in NOISE:
        analytic._DRIVE_NOISE = factor * DRIVE_NOISE
        analytic._ACCURACY_NOISE = factor * ACCURACY_NOISE
        found = measure(seeds)
        for index, arm in enumerate(ARMS):
            claimed, true = found[:, index].T
            gain = true - found[:, 0, 1]
            error = gain.std() / np.sqrt(seeds)
            print(
                f"{factor:5} {arm:10} {claimed.mean():7.3f} {true.mean():6.3f} "
                f"{(claimed - true).mean():9.3f} {gain.mean():+15.3f} ({error:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
