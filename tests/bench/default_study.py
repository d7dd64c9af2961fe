"""The default study on digits, inline: quality against Sobol, seconds, memory.

    python -m tests.bench.default_study FOLDER

Runs ``ehvi`` for 60 trials and ``sobol`` for 150 with five seeds each, one after the
other, without confirmation; then one whole default study of 100 trials. Every study
lies in FOLDER and is continued or reused when the benchmark is started again. Prints
Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import yaml

from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.front import hypervolume_history
from moosnn.runtime.header import header
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import problem_of

SEEDS = range(5)
TRIALS = {"ehvi": 60, "sobol": 150}
DEFAULT_TRIALS = 100
AT = (20, 50, 100)  # finished trials at which a suggestion is timed, +- 5


@dataclass(frozen=True)
class Run:
    """A finished study of the benchmark."""

    folder: Path
    history: History
    peak_mb: float

    def hypervolumes(self) -> np.ndarray:
        """After each ended trial."""
        config = yaml.safe_load((self.folder / "config.yaml").read_text())
        ends = (Kind.FINISHED, Kind.FAILED)
        trials = [
            self.history.trial(e.number)
            for e in self.history
            if e.kind in ends and e.number is not None
        ]
        return hypervolume_history(problem_of(config), trials)


def study(folder: Path, *words: str) -> Run:
    """Run a study in a process of its own, one thread; or find it finished."""
    command = [sys.executable, "-m", "moosnn", "+experiment=nas", *words]
    command += [f"study_dir={folder}", "tracker=none", "executor=inline"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(folder, read(folder / NAME).history, children.ru_maxrss / 1024)


def row(name: str, values: list[float]) -> str:
    cells = " | ".join(f"{value:.3f}" for value in values)
    return f"| {name} | {cells} | **{median(values):.3f}** |"


def quality(folder: Path) -> None:
    runs = {
        (name, seed): study(
            folder / f"{name}-{seed}",
            f"optimizer={name}",
            f"seed={seed}",
            f"study.budget={trials}",
            "study.confirm=0",
        )
        for seed in SEEDS
        for name, trials in TRIALS.items()
    }
    print("| hypervolume | " + " | ".join(f"seed {s}" for s in SEEDS) + " | median |")
    print("|---" * (len(SEEDS) + 2) + "|")
    for name, at in (("ehvi", 40), ("ehvi", 60), ("sobol", 60), ("sobol", 150)):
        values = [float(runs[name, s].hypervolumes()[at - 1]) for s in SEEDS]
        print(row(f"{name}, {at} trials", values))
    for name in TRIALS:
        shares = [_silent_share(runs[name, s].history) for s in SEEDS]
        print(row(f"{name}, share beyond the edge after trial 10", shares))


def _silent_share(history: History) -> float:
    later = [t for t in history.done if t.number >= 10 and t.evaluation]
    beyond = [t.evaluation.metrics["silence_margin"] > 0 for t in later if t.evaluation]
    return sum(beyond) / len(beyond)


def seconds(folder: Path) -> None:
    run = study(folder / "default", f"study.budget={DEFAULT_TRIALS}")
    history = run.history
    proposed = history.of_kind(Kind.PROPOSED)
    train = [t.evaluation.seconds for t in history.done if t.evaluation]
    first, last = history[0].time, history[-1].time
    ended = max(e.time for e in history if e.kind in (Kind.FINISHED, Kind.FAILED))
    suggest = [float(e.data["seconds"]) for e in proposed]
    rest = (ended - first - sum(train) - sum(suggest)) / len(history.trials)
    print("\n| default study, 100 trials | |\n|---|---|")
    print(f"| from the first event to the last, s | {last - first:.0f} |")
    print(f"| of it: search | {ended - first:.0f} |")
    print(f"| of it: confirmation | {last - ended:.0f} |")
    print(f"| training a trial, s: median, 90 %, largest | {_spread(train)} |")
    print(f"| everything else a trial (journal, files, pictures), s | {rest:.3f} |")
    for at in AT:
        near = suggest[max(at - 6, 0) : at + 5]
        print(f"| a suggestion at n = {at}, s (median of {len(near)}) | {_mid(near)} |")
    print(f"| peak memory of the process, MB | {run.peak_mb:.0f} |")
    print(f"| hypervolume | {run.hypervolumes()[-1]:.3f} |")


def _mid(values: list[float]) -> str:
    return f"{median(values):.2f}"


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f}, {np.quantile(values, 0.9):.2f}, {max(values):.2f}"


def machine() -> str:
    parts: dict[str, Callable[[], object]] = {
        "processor": lambda: header({**_NO_CONFIG}, {}, 1)["machine"]["processor"],
        "cores": lambda: len(os.sched_getaffinity(0)),
        "python": platform.python_version,
    }
    return ", ".join(f"{name} {value()}" for name, value in parts.items())


_NO_CONFIG = {"task": {}, "space": {}, "problem": {}, "optimizer": {}, "seed": 0}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(machine())
    quality(target)
    seconds(target)
