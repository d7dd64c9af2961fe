"""What successive halving buys at equal compute, on the digits.

    python -m tests.bench.pruning [FOLDER]

Each arm searches the space ``nas`` with one worker until it has trained for so many
epochs in all (`BUDGETS`); what a rung's validation pass costs is charged as well. A
trial that is told to end does so at its next report, as under the driver. In the
setting ``searched`` a training has 2 to 15 epochs, as the optimizer wishes; in
``fixed`` it has `EPOCHS`.

Writes a JSON file an arm and seed, skips those that are there, and prints the table.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch

from moosnn.errors import DivergedError
from moosnn.events import Event, Kind
from moosnn.history import History, HistoryBuilder
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.ehvi import Ehvi
from moosnn.optimizers.evolution import Evolution
from moosnn.optimizers.sobol import Sobol
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.pruners.halving import Halving
from moosnn.space import Space
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Failure, Proposal
from tests.helpers import load_space, load_yaml

RESULTS = Path(__file__).parent / "results" / "pruning"
SEEDS = range(5)
BUDGETS = {"searched": 300.0, "fixed": 600.0}  # epochs of training in all
EPOCHS = 27  # of each training in the setting "fixed": three rungs, then the end
RUNG_COST = 0.11  # epochs: 359 of 1,078 samples, and no backward pass
OPTIMIZERS = {"sobol": Sobol, "ehvi": Ehvi, "nsga2": Evolution}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to search.

    Attributes:
        setting: ``searched`` or ``fixed`` epochs.
        optimizer: its name.
        pruner: settings of the halving; ``None`` = none.
        fidelity: whether models see the epochs as an input.
    """

    setting: str
    optimizer: str
    pruner: tuple[int, int] | None = None
    fidelity: bool = False

    @property
    def budget(self) -> float:
        """Epochs of training in all."""
        return BUDGETS[self.setting]

    @property
    def name(self) -> str:
        """For a file and the table."""
        parts = [self.setting, self.optimizer]
        if self.pruner:
            parts.append("halving{}x{}".format(*self.pruner))
        return "-".join([*parts, "fidelity"] if self.fidelity else parts)


ARMS = (
    Arm(setting="searched", optimizer="sobol"),
    Arm(setting="searched", optimizer="sobol", pruner=(1, 3)),
    Arm(setting="searched", optimizer="ehvi"),
    Arm(setting="searched", optimizer="ehvi", pruner=(1, 3)),
    Arm(setting="searched", optimizer="ehvi", pruner=(1, 3), fidelity=True),
    Arm(setting="fixed", optimizer="sobol"),
    Arm(setting="fixed", optimizer="sobol", pruner=(1, 3)),
    Arm(setting="fixed", optimizer="ehvi"),
    Arm(setting="fixed", optimizer="ehvi", pruner=(1, 3)),
)


class Search:
    """One worker: proposes, trains, reports, prunes; a history grows."""

    def __init__(self, arm: Arm, seed: int, workdir: Path) -> None:
        space = load_space("nas")
        fixed: dict[str, Any] = {}
        if arm.setting == "fixed":
            kept = {n: p for n, p in space.parameters.items() if n != "epochs"}
            space, fixed = Space(kept), {"epochs": EPOCHS}
        problem = Problem.from_config(space, load_yaml("problem/accuracy_activity"))
        if arm.fidelity:
            problem = replace(problem, fidelity="epochs")
        self.pruner = Halving(*arm.pruner) if arm.pruner else None
        rungs = {"first": arm.pruner[0], "eta": arm.pruner[1]} if arm.pruner else None
        self.task = SnnTask(fixed=fixed, rungs=rungs)
        self.problem = problem.guarded(self.task.refusal)
        self.optimizer: Optimizer = OPTIMIZERS[arm.optimizer]()
        self.seed, self.builder = seed, HistoryBuilder()
        self.epochs = 0.0
        self.workdir = self.cache = workdir  # of a task's context
        self.attempt = 1
        self._stop = False
        self.add(Kind.STUDY)

    @property
    def history(self) -> History:
        """So far."""
        return self.builder.history

    def add(self, kind: Kind, **data: Any) -> None:
        """An event of the newest trial."""
        number = None if kind is Kind.STUDY else self.number
        attempt = None if number is None else 1
        self.builder.append(Event(kind=kind, number=number, attempt=attempt, data=data))

    def step(self) -> None:
        """One trial."""
        (proposal,) = self.optimizer.propose(self.problem, self.history, 1, self.seed)
        self.number, self._stop = proposal.number, False
        data = proposal.to_json()
        del data["number"]
        self.add(Kind.PROPOSED, **data)
        self.add(Kind.SUBMITTED, job_id="one")
        try:
            done = self.task.evaluate(proposal, self)
        except DivergedError as error:
            self.epochs += self._told
            failure = Failure(kind="diverged", message=str(error))
            self.add(Kind.FAILED, failure=failure.to_json())
            return
        self.epochs += self._planned(proposal) * (1 - done.metrics["work_saved"])
        self.add(Kind.FINISHED, evaluation=done.to_json())

    @property
    def _told(self) -> int:
        events = self.history.of_number(self.number)
        return sum(event.kind is Kind.REPORTED for event in events)

    def _planned(self, proposal: Proposal) -> int:
        return int(proposal.params.get("epochs", EPOCHS))

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """What the pruner says is heard at the next report."""
        told = self._stop
        self.add(Kind.REPORTED, step=step, metrics=dict(metrics))
        if self.pruner is not None:
            self.epochs += RUNG_COST * ("accuracy" in metrics)
            told_now = self.pruner.stops(self.problem, self.history, self.number)
            self._stop = self._stop or told_now
        return told

    def preempted(self) -> bool:
        """Never."""
        return False


def measure(arm: Arm, seed: int) -> dict[str, Any]:
    """One search: its curve of epochs, hypervolume, trials."""
    started, curve = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        search = Search(arm, seed, Path(folder))
        while search.epochs < arm.budget:
            search.step()
            done = search.history.done
            front = front_of(search.problem, done)
            curve.append((search.epochs, front.hypervolume))
    done = search.history.done
    stops = [t.evaluation.stopped for t in done if t.evaluation]
    return {
        "arm": arm.name,
        "seed": seed,
        "curve": curve,
        "trials": len(curve),
        "whole": stops.count(None),
        "silent": stops.count("silent"),
        "pruned": stops.count("pruned"),
        "failed": len(search.history.failed),
        "training_s": sum(t.evaluation.training_s or 0 for t in done if t.evaluation),
        "seconds": time.perf_counter() - started,
        "front": [list(map(float, row)) for row in front.losses],
    }


def at(curve: list[list[float]], epochs: float) -> float:
    """The hypervolume of what had ended after so many epochs."""
    for (_, volume), (spent, _) in pairwise([(0.0, 0.0), *curve]):
        if spent > epochs:
            return volume
    return curve[-1][1]


def table(folder: Path) -> str:
    """Hypervolumes at a half of the budget and all of it, paired with no pruning."""
    lines = [
        "| | trials (whole, pruned, silent) | training s | hypervolume at half "
        "| at the end | minus without, at the end |",
        "|---|---|---|---|---|---|",
    ]
    for arm in ARMS:
        runs, bare = (
            [json.loads(p.read_text()) for p in sorted(folder.glob(f"{name}-s?.json"))]
            for name in (arm.name, f"{arm.setting}-{arm.optimizer}")
        )
        if not runs:
            continue
        budgets = arm.budget / 2, arm.budget
        half, end = ([at(r["curve"], b) for r in runs] for b in budgets)
        pairs = {r["seed"]: at(r["curve"], arm.budget) for r in bare}
        gains = [
            v - pairs[r["seed"]]
            for v, r in zip(end, runs, strict=True)
            if r["seed"] in pairs
        ]
        counts = [
            f"{statistics.mean(r[k] for r in runs):.0f}"
            for k in ("trials", "whole", "pruned", "silent")
        ]
        seconds = statistics.mean(r["training_s"] for r in runs)
        each = " ".join(f"{gain:+.3f}" for gain in gains) if arm.pruner else ""
        lines.append(
            f"| {arm.name} | {counts[0]} ({', '.join(counts[1:])}) | {seconds:.0f} | "
            f"{spread_text(half)} | {spread_text(end)} | "
            f"{spread_text(gains) if arm.pruner else ''}: {each} |"
        )
    return "\n".join(lines)


def spread_text(values: list[float]) -> str:
    """Mean and standard deviation."""
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {sd:.3f}"


def main() -> None:
    """Run what is missing, seed by seed, and print the table."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    for setting in ("searched", "fixed"):
        for seed, arm in product(SEEDS, [a for a in ARMS if a.setting == setting]):
            path = folder / f"{arm.name}-s{seed}.json"
            if not path.exists():
                found = measure(arm, seed)
                path.write_text(json.dumps(found))
                print(f"{arm.name} s{seed}: {found['curve'][-1]}", flush=True)
    print(table(folder))


if __name__ == "__main__":
    main()
