"""Whether dividing by the predicted cost makes more hypervolume of the same cost.

    python -m tests.bench.cost_aware run c2dtlz2_4 --seeds 0 1 2
    python -m tests.bench.cost_aware table

A run asks, evaluates and tells, one trial after the other, until a budget of cost is
spent. Costs are formulas, so nobody waits and no other work on the machine matters; on
the digits it is how often a layer was computed. Raw results: results/cost_aware/.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.ehvi import Ehvi
from moosnn.optimizers.qnehvi import Qnehvi
from moosnn.pareto.hypervolume import hypervolume_trace
from moosnn.problem import Problem
from moosnn.snn.data.digits import Digits
from moosnn.space import Float, Space
from moosnn.tasks.analytic import AnalyticTask
from moosnn.tasks.base import Context, Task
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Evaluation, Proposal, Status
from tests.bench.optimizers.machine import code, machine, versions
from tests.bench.optimizers.runs import evaluated, losses_of, violations_of
from tests.helpers import Story, append_proposal, load_problem, load_space, load_yaml

RESULTS = Path(__file__).parent / "results" / "cost_aware"
COLUMNS = ("params", "losses", "violations", "cost", "origin", "cpu_s")
SHARES = (0.25, 0.5, 1.0)  # of the budget, at which hypervolumes are compared

_STEEPNESS = 4.0  # the costliest point costs exp(4) = 55 times the cheapest one
_MEAN_COST = math.expm1(_STEEPNESS) / _STEEPNESS  # of uniform points
_MOST_TRIALS = 150  # a run ends there even if its budget is not spent
_LAYER_CALLS = 30_000.0  # some 40 trainings
_COUNTED = ("epochs", "training_share", "batch_size", "time_steps", "depth")
_MISSING = {"branin": 40.0, "currin": 6.0}  # added at fidelity 0


class Costed:
    """A formula that tells a cost: exp(4 x) of one coordinate x in [0, 1].

    Args:
        task: the formula.
        coordinate: whose value says the cost; the formula is not told of one that it
            does not have, ``fidelity``, which then takes ``_MISSING`` away as its
            square root grows.
    """

    def __init__(self, task: AnalyticTask, coordinate: str) -> None:
        self._task, self._coordinate = task, coordinate
        self.metrics = self.always = (*task.metrics, "cost")
        self.parameters = task.parameters | {coordinate}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        x = float(proposal.params[self._coordinate])
        own = {k: v for k, v in proposal.params.items() if k in self._task.parameters}
        found = self._task.evaluate(replace(proposal, params=own), context)
        metrics = {**found.metrics, "cost": math.exp(_STEEPNESS * x)}
        if self._coordinate not in self._task.parameters:
            for name, most in _MISSING.items():
                metrics[name] += most * (1.0 - math.sqrt(x))
        return replace(found, metrics=metrics)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A problem with costs.

    Attributes:
        name: of its folder of results.
        problem: what is wanted.
        task: evaluates, and tells `metric`.
        exact: whether an evaluation has no noise.
        metric: what stands for the cost.
        budget: of cost, of a run.
    """

    name: str
    problem: Problem
    task: Task
    exact: bool
    metric: str
    budget: float


def _formula(name: str, function: str, coordinate: str, trials: int) -> Case:
    problem = load_problem(function)
    if coordinate not in problem.space:
        wider = {**problem.space.parameters, coordinate: Float(low=0, high=1)}
        problem = replace(problem, space=Space(wider))
    task: Task = Costed(AnalyticTask(function), coordinate)
    budget = trials * _MEAN_COST
    return Case(
        name=name,
        problem=problem,
        task=task,
        exact=True,
        metric="cost",
        budget=budget,
    )


class Worked:
    """The digits, with a cost that no other work on the machine changes.

    It is the number of times that a layer of a network is computed: updates x time
    steps x layers, the read-out included. Small networks on a CPU take about as long
    as there are such calls.
    """

    def __init__(self) -> None:
        self._task = SnnTask(threads=1)
        self._samples = len(Digits().load(1, Path()).train)
        self.metrics = (*self._task.metrics, "cost")
        self.always = (*self._task.always, "cost")
        self.parameters = self._task.parameters

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        found = self._task.evaluate(proposal, context)
        genes = {k: float(v) for k, v in proposal.params.items() if k in _COUNTED}
        batches = genes["training_share"] * self._samples / genes["batch_size"]
        updates = genes["epochs"] * math.ceil(batches)
        done = updates * (1.0 - found.metrics["work_saved"])
        cost = done * genes["time_steps"] * (genes["depth"] + 1.0)
        return replace(found, metrics={**found.metrics, "cost": cost})


def _digits() -> Case:
    raw = load_yaml("problem/accuracy_activity")
    return Case(
        name="digits",
        problem=Problem.from_config(load_space("nas_fidelity"), raw),
        task=Worked(),
        exact=False,
        metric="cost",
        budget=_LAYER_CALLS,
    )


CASES = {
    "branin_currin": lambda: _formula("branin_currin", "branin_currin", "x2", 40),
    "c2dtlz2_4": lambda: _formula("c2dtlz2_4", "c2dtlz2", "x1", 40),
    "branin_fidelity": lambda: _formula(
        "branin_fidelity", "branin_currin", "fidelity", 40
    ),
    "digits": _digits,
}
ARMS = ("ehvi", "ehvi-cost", "qnehvi", "qnehvi-cost")


def optimizer_of(arm: str, case: Case) -> Optimizer:
    """An optimizer, with or without an eye to the cost."""
    noise_share = 0.0003 if case.exact else 0.1
    kind = Qnehvi if arm.startswith("qnehvi") else Ehvi
    return kind(
        noise_share=noise_share,
        cost_aware=arm.endswith("-cost"),
        cost_metric=case.metric,
    )


def search(case: Case, optimizer: Optimizer, seed: int) -> Iterator[list[Any]]:
    """The lines of a run, until its budget of cost is spent."""
    story, spent = Story(case.problem), 0.0
    while spent < case.budget and story.history.proposals < _MOST_TRIALS:
        start = time.process_time()
        (proposal,) = optimizer.propose(case.problem, story.history, 1, seed)
        cpu_s = time.process_time() - start
        append_proposal(story, proposal)
        trial = evaluated(case, proposal)  # type: ignore[arg-type]  # reads its task
        cost = 0.0
        if trial.status is Status.DONE and trial.evaluation is not None:
            cost = trial.evaluation.metrics[case.metric]
            story.finish_with(proposal.number, trial.evaluation)
        else:
            story.fail(proposal.number)
        spent += cost
        losses = losses_of(case.problem, trial)
        bounds = violations_of(case.problem, trial)
        values = list(proposal.params.values())
        yield [values, losses, bounds, cost, proposal.origin, round(cpu_s, 4)]


def run(name: str, arm: str, seed: int, results: Path) -> Path:
    """Make a run that is missing; its file appears when it is complete."""
    path = results / name / arm / f"seed-{seed}.jsonl"
    if path.exists():
        return path
    case = CASES[name]()
    header = {
        "problem": name,
        "optimizer": arm,
        "seed": seed,
        "budget": case.budget,
        "parameters": list(case.problem.space),
        "reference": case.problem.reference.tolist(),
        "versions": versions(()),
        "machine": machine(),
        "code": code(),
        "columns": COLUMNS,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        print(_compact(header), file=file)
        for line in search(case, optimizer_of(arm, case), seed):
            print(_compact(line), file=file, flush=True)
    os.replace(part, path)
    return path


def _compact(record: object) -> str:
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def volumes(path: Path, shares: Sequence[float] = SHARES) -> list[float]:
    """The feasible hypervolume of what was finished at shares of the budget."""
    first, *rest = path.read_text().splitlines()
    header, lines = json.loads(first), [json.loads(line) for line in rest]
    reference = np.array(header["reference"])
    rows = np.full((len(lines), len(reference)), np.nan)
    for index, (_, losses, bounds, *_) in enumerate(lines):
        if losses is not None and bounds is not None and max(bounds, default=0) <= 0:
            rows[index] = losses
    trace = [0.0, *hypervolume_trace(rows, reference)]
    spent = np.cumsum([line[3] for line in lines])
    ends = [np.searchsorted(spent, s * header["budget"], "right") for s in shares]
    return [float(trace[end]) for end in ends]


def table(results: Path) -> None:
    """Mean hypervolumes with their standard deviations over seeds, as Markdown."""
    heads = [f"{share:.0%} of the cost" for share in SHARES]
    print("| problem | optimizer | seeds |", " | ".join(heads), "| trials |")
    print("|---" * (4 + len(SHARES)) + "|")
    for folder in sorted(p for p in results.glob("*/*") if p.is_dir()):
        paths = sorted(folder.glob("seed-*.jsonl"))
        if not paths:
            continue
        found = np.array([volumes(path) for path in paths])
        spread = found.std(0, ddof=min(len(found) - 1, 1))
        means = zip(found.mean(0), spread, strict=True)
        cells = [f"{m:.4g} ± {s:.2g}" for m, s in means]
        counts = [len(path.read_text().splitlines()) - 1 for path in paths]
        name, arm = folder.parent.name, folder.name
        print(f"| {name} | {arm} | {len(paths)} |", " | ".join(cells), end=" ")
        print(f"| {min(counts)}-{max(counts)} |")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("problems", nargs="*", metavar="problem")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS[:2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.command == "table":
        table(arguments.results)
        return
    for seed in arguments.seeds:
        for name in arguments.problems or CASES:
            for arm in arguments.arms:
                path = run(name, arm, seed, arguments.results)
                print(name, arm, seed, [f"{v:.4g}" for v in volumes(path)], flush=True)


if __name__ == "__main__":
    main()
