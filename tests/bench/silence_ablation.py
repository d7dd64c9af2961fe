"""What the silence constraint and early stopping are worth: four searches, one budget.

    python -m tests.bench.silence_ablation FOLDER [ARM…]

The default study on digits (``qnehvi``, 60 trials, ten seeds, no confirmation) with
and without the silence constraint, and with and without stopping silent trainings.
What a search is told differs; all are judged alike: the hypervolume of the trials that
are feasible by the whole problem, on validation values, and the training time that
went into silent networks. Studies lie in FOLDER and are continued or reused. Prints
Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import yaml

from moosnn.configs import config_folder
from moosnn.pareto.front import hypervolume_history
from moosnn.problem import Problem
from moosnn.runtime.journal import NAME, read
from moosnn.space import Space
from moosnn.trial import Trial

SEEDS = range(10)
TRIALS = 60
FREE, UNSTOPPED = "problem.constraints=[]", "task.stop=none"
ARMS = {
    "constraint, early stop": (),
    "constraint, no stop": (UNSTOPPED,),
    "no constraint, early stop": (FREE,),
    "no constraint, no stop": (FREE, UNSTOPPED),
}


@dataclass(frozen=True)
class Outcome:
    """What one study came to.

    Attributes:
        hypervolume: of the trials that are feasible by the whole problem.
        silent: share of trials beyond the edge.
        training_s: of all trials.
        silent_s: of those beyond the edge.
    """

    hypervolume: float
    silent: float
    training_s: float
    silent_s: float


def study(folder: Path, seed: int, words: tuple[str, ...]) -> list[Trial]:
    """The done trials, in the order of their numbers."""
    command = [
        sys.executable,
        "-m",
        "moosnn",
        "+experiment=nas",
        *words,
        f"seed={seed}",
    ]
    command += [f"study_dir={folder}", f"study.budget={TRIALS}", "study.confirm=0"]
    command += ["tracker=none", "executor=inline"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return sorted(read(folder / NAME).history.done, key=lambda t: t.number)


def whole_problem() -> Problem:
    """Objectives and the silence constraint, as in the default study."""
    files = [
        config_folder() / f
        for f in ("space/nas.yaml", "problem/accuracy_activity.yaml")
    ]
    space, problem = (yaml.safe_load(f.read_text()) for f in files)
    return Problem.from_config(Space.from_config(space), problem)


def outcome(problem: Problem, trials: list[Trial]) -> Outcome:
    margins = [t.evaluation.metrics["silence_margin"] for t in trials if t.evaluation]
    seconds = np.array([t.evaluation.seconds for t in trials if t.evaluation])
    silent = np.array(margins) > 0
    return Outcome(
        hypervolume=float(hypervolume_history(problem, trials)[-1]),
        silent=float(silent.mean()),
        training_s=float(seconds.sum()),
        silent_s=float(seconds[silent].sum()),
    )


def main(folder: Path, chosen: list[str]) -> None:
    problem = whole_problem()
    names = [n for n in ARMS if not chosen or n in chosen]
    header = [*(f"seed {s}" for s in SEEDS), "median"]
    print("| feasible hypervolume | " + " | ".join(header) + " |")
    print("|---" * (len(header) + 1) + "|")
    found: dict[str, list[Outcome]] = {}
    for name in names:
        place = folder / name.replace(",", "").replace(" ", "-")
        found[name] = [
            outcome(problem, study(place / str(seed), seed, ARMS[name]))
            for seed in SEEDS
        ]
        volumes = [o.hypervolume for o in found[name]]
        cells = " | ".join(f"{v:.3f}" for v in volumes)
        print(f"| {name} | {cells} | **{median(volumes):.3f}** |", flush=True)
    print("\n| median of ten seeds | silent trials | training, s | of it silent |")
    print("|---|---|---|---|")
    for name, outcomes in found.items():
        silent = median(o.silent for o in outcomes)
        share = median(o.silent_s / o.training_s for o in outcomes)
        training = median(o.training_s for o in outcomes)
        print(f"| {name} | {silent:.2f} | {training:.0f} | {share:.2f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
