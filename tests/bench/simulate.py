"""How many workers a driver keeps busy, and what it costs: in virtual time.

    OMP_NUM_THREADS=1 python -m tests.bench.simulate scale
    OMP_NUM_THREADS=1 python -m tests.bench.simulate busy
    OMP_NUM_THREADS=1 python -m tests.bench.simulate journal

``scale``: 2,000 virtual workers, 20,000 trials, all that a driver does: the loop, the
journal with its fsync, the result files, the console. ``busy``: how busy workers are
with log-normal durations of sigma = 1. ``journal``: reading 100,000 events back. All
on C2-DTLZ2 in twelve variables. Each writes a JSON file a row to
``tests/bench/results/simulate`` and prints it; name rows to have only those made.
"""

from __future__ import annotations

import io
import json
import platform
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console as Terminal

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.hurry import ORIGIN
from moosnn.problem import Problem
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.simulator import Durations, Simulator, VirtualClock
from moosnn.runtime.worker import build
from moosnn.settings import Settings
from moosnn.simulation import Simulated, simulate
from moosnn.space import Space
from moosnn.tasks.analytic import AnalyticTask
from moosnn.tracking.advice import Advice
from moosnn.tracking.console import Console
from moosnn.tracking.results import Results
from moosnn.tracking.tracker import Tracker
from moosnn.virtual_trials import Evaluated, NoContext
from tests.helpers import load_yaml

RESULTS = Path(__file__).parent / "results" / "simulate"
PACKAGES = ("moosnn", "torch", "botorch", "numpy", "scipy", "pymoo")
DIM, SEED, SIGMA = 12, 0, 1.0
EVENTS = 100_000
# Name: optimizer, workers, trials, mean seconds.
SCALE = {
    "scale-sobol": ("sobol", 2000, 20_000, 300.0),
    "scale-nsga2": ("nsga2", 2000, 20_000, 300.0),
}
BUSY = {
    "busy-qnehvi-16": ("qnehvi", 16, 300, 30.0),
    "busy-qnehvi-64": ("qnehvi", 64, 500, 30.0),
    "busy-ehvi-64": ("ehvi", 64, 500, 30.0),
    "busy-trust_region-256": ("trust_region", 256, 1000, 300.0),
}


@dataclass(slots=True)
class Stopwatch:
    """A tracker that notes how much time the process had used at each trial's end."""

    process_s: list[float] = field(default_factory=list)

    def on_event(self, event: Event, history: History) -> None:
        if event.kind is Kind.FINISHED:
            self.process_s.append(time.process_time())

    def close(self) -> None:
        pass


def problem_of() -> Problem:
    """C2-DTLZ2 in twelve variables."""
    space = Space.from_config(load_yaml(f"space/c2dtlz2_{DIM}"))
    return Problem.from_config(space, load_yaml("problem/c2dtlz2"))


def run(name: str, row: tuple[str, int, int, float], *, whole: bool) -> dict[str, Any]:
    """One simulation; ``whole`` = with all trackers that a study has."""
    optimizer, workers, trials, mean_s = row
    problem, clock = problem_of(), VirtualClock()
    task = AnalyticTask("c2dtlz2", dim=DIM, shift=True)
    durations = Durations(mean_s=mean_s, sigma=SIGMA, seed=SEED)
    simulator = Simulator(
        workers=workers, measure=Evaluated(task, durations), clock=clock
    )
    asked = build({"optimizer": load_yaml(f"optimizer/{optimizer}")}, "optimizer")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        watch = Stopwatch()
        trackers = _trackers(folder, problem, trials) if whole else []
        before, wall = time.process_time(), time.monotonic()
        found = simulate(
            problem=problem,
            optimizer=asked,
            simulator=simulator,
            clock=clock,
            folder=folder,
            header={},
            settings=Settings(budget=trials, seed=SEED, confirm=0),
            trackers=[*trackers, watch],
        )
        process_s = time.process_time() - before - clock.apart_s
        told = read(folder / NAME).history
    return {
        "name": name,
        "optimizer": optimizer,
        "mean_s": mean_s,
        "sigma": SIGMA,
        "seed": SEED,
        **_told(found),
        "events": len(told),
        "process_ms_per_event": 1000 * process_s / len(told),
        "wall_s": time.monotonic() - wall,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "tenths": _tenths(told, watch),
        "drawn": sum(e.data["origin"] == ORIGIN for e in told.of_kind(Kind.PROPOSED)),
        "machine": machine(),
    }


def _told(found: Simulated) -> dict[str, Any]:
    told = asdict(found)
    del told["curve"]
    return told


def _trackers(folder: Path, problem: Problem, trials: int) -> list[Tracker]:
    """Those of `moosnn.driver`, with a console that nobody looks at."""
    terminal = Terminal(file=io.StringIO())
    return [
        Results(folder=folder, problem=problem),
        Advice(problem=problem, budget=trials),
        Console(folder=folder, problem=problem, budget=trials, terminal=terminal),
    ]


def _tenths(told: History, watch: Stopwatch) -> dict[str, list[float]]:
    """Milliseconds in each tenth of the trials' ends: of a suggestion, and of an event
    apart from the suggestions between its ends, all threads together.
    """
    ends = [i for i, event in enumerate(told) if event.kind is Kind.FINISHED]
    size = len(ends) // 10
    suggestions, driver = [], []
    for first in range(0, 10 * size, size):
        part = told[ends[first] : ends[first + size - 1]]
        took = [float(e.data["seconds"]) for e in part if e.kind is Kind.PROPOSED]
        times = watch.process_s[first : first + size]
        suggestions.append(1000 * sum(took) / max(len(took), 1))
        driver.append(1000 * (times[-1] - times[0] - sum(took)) / len(part))
    return {"suggestion_ms": suggestions, "driver_ms_per_event": driver}


def replay() -> dict[str, Any]:
    """Write a journal of 100,000 events as a study would, and read it back."""
    problem, lines = problem_of(), []
    task, clock = AnalyticTask("c2dtlz2", dim=DIM), 0.0
    params = problem.space.decode([0.5] * DIM)
    from moosnn.trial import Proposal

    lines.append(Event(kind=Kind.STUDY, data={"config": {}}))
    for number in range(EVENTS // 3):
        clock += 1.0
        point = {**params, "x1": number / EVENTS}
        proposal = Proposal(
            number=number, params=point, seed=number, origin="sobol", seen=len(lines)
        )
        data = proposal.to_json()
        del data["number"]
        measured = {"evaluation": task.evaluate(proposal, NoContext()).to_json()}
        for kind, attempt, what in (
            (Kind.PROPOSED, None, data),
            (Kind.SUBMITTED, 1, {"job_id": "1"}),
            (Kind.FINISHED, 1, measured),
        ):
            event = Event(
                kind=kind, number=number, attempt=attempt, time=clock, data=what
            )
            lines.append(event)
    text = "".join(json.dumps(event.to_json()) + "\n" for event in lines)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / NAME
        path.write_text(text)
        times = []
        for _ in range(5):
            before, cpu = time.monotonic(), time.process_time()
            count = len(read(path).history)
            times.append((time.monotonic() - before, time.process_time() - cpu))
    return {
        "name": "journal",
        "events": count,
        "megabytes": len(text) / 1e6,
        "wall_s": [wall for wall, _ in times],
        "cpu_s": [cpu for _, cpu in times],
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """Where it was measured, and with what."""
    return {
        "python": platform.python_version(),
        "processor": "AMD EPYC, 2 shared cores",
        **{name: version(name) for name in PACKAGES},
    }


def main(words: list[str]) -> None:
    """Run a benchmark; see the module."""
    what, only = words[0], words[1:]
    RESULTS.mkdir(parents=True, exist_ok=True)
    if what == "journal":
        _keep(replay())
        return
    rows = SCALE if what == "scale" else BUSY
    for name, row in rows.items():
        if not only or name in only:
            _keep(run(name, row, whole=what == "scale"))


def _keep(found: dict[str, Any]) -> None:
    text = json.dumps(found, indent=2)
    (RESULTS / f"{found['name']}.json").write_text(text + "\n")
    print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
