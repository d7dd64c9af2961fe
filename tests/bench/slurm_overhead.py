"""What a trial costs beyond itself on a real Slurm: pilots against a job a trial.

    eval "$(launchers/slurm_box.sh env)"
    python -m tests.bench.slurm_overhead FOLDER [TRIALS [WORKERS]]

Runs a study of instant trials (`task.seconds` = 0) with pilots, three times, and once
with a job a trial; with Sobol so that the
optimizer keeps up. FOLDER must not hold results of an earlier run. Writes
``results/slurm_overhead.json`` beside this file and prints Markdown for
docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.runtime.journal import NAME, read
from tests.bench.default_study import machine

RESULTS = Path(__file__).parent / "results/slurm_overhead.json"
TRIALS, WORKERS = 200, 4
STUDY = (
    *("+experiment=smoke", "study.confirm=0", "executor=slurm", "tracker=none"),
    *("executor.time_min=30", "executor.sbatch={mem: 300M}"),
)
WAYS: Mapping[str, tuple[str, ...]] = {
    "pilots": (),
    "pilots, again": (),
    "pilots, once more": (),
    "a job a trial": ("executor.trials_per_job=1",),
}
_ENDS = (Kind.FINISHED, Kind.FAILED)


def cycles_ms(history: History) -> list[float]:
    """From end to end on one worker, less the trial's own seconds."""
    last: dict[str, float] = {}
    worker: dict[int | None, str] = {}
    found = []
    for event in history:
        if event.kind is Kind.SUBMITTED:
            worker[event.number] = event.data["job_id"]
        elif event.kind in _ENDS:
            name = worker[event.number]
            if name in last:
                found.append(1000 * (event.time - last[name] - own_s(event.data)))
            last[name] = event.time
    return found


def in_flight_ms(history: History) -> list[float]:
    """From being given out to the journaled end, less the trial's own seconds."""
    given: dict[int | None, float] = {}
    found = []
    for event in history:
        if event.kind is Kind.SUBMITTED:
            given[event.number] = event.time
        elif event.kind in _ENDS:
            elapsed = event.time - given[event.number]
            found.append(1000 * (elapsed - own_s(event.data)))
    return found


def own_s(data: Mapping[str, Any]) -> float:
    """The seconds of a trial by its own clock; of one that failed 0."""
    return float(data.get("evaluation", {}).get("seconds", 0.0))


def spread(values: list[float]) -> dict[str, float]:
    """Median and 95 % quantile; empty where there is nothing to measure."""
    if not values:
        return {}
    low, high = np.quantile(values, (0.5, 0.95))
    return {"median": round(float(low), 1), "q95": round(float(high), 1)}


def run(folder: Path, words: tuple[str, ...], trials: int, workers: int) -> Any:
    """One study, and what its journal says."""
    command = [sys.executable, "-m", "moosnn", *STUDY, *words]
    command += [f"study.budget={trials}", f"executor.workers={workers}"]
    begun = time.monotonic()
    subprocess.run([*command, f"study_dir={folder}"], check=True, cwd=folder.parent)
    whole_s = time.monotonic() - begun
    history = read(folder / NAME).history
    ends = [event for event in history if event.kind in _ENDS]
    assert sorted(e.number for e in ends if e.number is not None) == [*range(trials)]
    first = next(e.time for e in history if e.kind is Kind.SUBMITTED)
    busy_s = ends[-1].time - first
    own = sum(own_s(event.data) for event in ends)
    jobs = {e.data["job_id"] for e in history.of_kind(Kind.SUBMITTED)}
    return {
        "trials": trials,
        "workers": workers,
        "jobs": len(jobs),
        "retried": len(history.of_kind(Kind.RETRIED)),
        "command_s": round(whole_s, 1),
        "until_first_trial_s": round(first - history[0].time, 1),
        "first_given_to_last_end_s": round(busy_s, 2),
        "trials_own_s": round(own, 3),
        "worker_ms_a_trial": round(1000 * (workers * busy_s - own) / trials, 1),
        "cycle_ms": spread(cycles_ms(history)),
        "in_flight_ms": spread(in_flight_ms(history)),
    }


def main(target: Path, trials: int = TRIALS, workers: int = WORKERS) -> None:
    target.mkdir(parents=True)
    found = {
        way: run(
            target / way.replace(" ", "-").replace(",", ""), words, trials, workers
        )
        for way, words in WAYS.items()
    }
    load = os.getloadavg()[2]
    result = {"machine": machine(), "load_15_min": round(load, 1), "ways": found}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(machine())
    print(f"\n| {trials} instant trials, {workers} workers | {' | '.join(found)} |")
    print("|---|" + "---|" * len(found))
    for key in next(iter(found.values())):
        print(f"| {key} | {' | '.join(str(each[key]) for each in found.values())} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
