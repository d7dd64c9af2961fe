"""One run: ask, evaluate, tell; and its file of JSON lines."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from moosnn.errors import DivergedError
from moosnn.pareto.hypervolume import hypervolume_trace
from moosnn.problem import Floats, Problem
from moosnn.trial import Failure, Proposal, Status, Trial
from tests.bench.optimizers.problems import Case
from tests.helpers import QuietContext

RESULTS = Path(__file__).parents[1] / "results" / "optimizers"
TRIALS = 80


class Searcher(Protocol):
    """An optimizer of any library, sequential."""

    settings: Mapping[str, Any]  # what was set, for the header
    packages: tuple[str, ...]  # whose versions matter

    def ask(self) -> Proposal: ...
    def tell(self, trial: Trial) -> None: ...


@dataclass(frozen=True)
class Line:
    """What a trial's line says.

    Attributes:
        params: canonical, in the order of the space.
        losses: minimised; ``None`` = not observed.
        violations: feasible <= 0; ``None`` = the trial failed.
        cpu_s: of the process, for the suggestion and for taking in its result.
        origin: who proposed the point.
    """

    params: list[Any]
    losses: list[float] | None
    violations: list[float] | None
    cpu_s: float
    origin: str

    @property
    def feasible(self) -> bool:
        return (
            self.losses is not None
            and self.violations is not None
            and all(v <= 0 for v in self.violations)
        )


COLUMNS = tuple(field.name for field in fields(Line))


class _Context(QuietContext):
    def __init__(self, folder: Path) -> None:
        self.workdir = self.cache = folder


def evaluated(case: Case, proposal: Proposal) -> Trial:
    """The trial that a task makes of a proposal; what it writes is thrown away."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            evaluation = case.task.evaluate(proposal, _Context(Path(folder)))
    except DivergedError:
        failure = Failure(kind="diverged", message="diverged")
        return Trial(
            proposal=proposal, status=Status.FAILED, attempt=1, failure=failure
        )
    return Trial(
        proposal=proposal, status=Status.DONE, attempt=1, evaluation=evaluation
    )


def losses_of(problem: Problem, trial: Trial) -> list[float] | None:
    """What is minimised, or ``None`` if it was not observed."""
    return problem.losses([trial])[0].tolist() if problem.is_observed(trial) else None


def violations_of(problem: Problem, trial: Trial) -> list[float] | None:
    """The constraints, feasible <= 0, or ``None`` if the trial failed."""
    done = trial.status is Status.DONE
    return problem.violations([trial])[0].tolist() if done else None


def line_of(problem: Problem, trial: Trial, cpu_s: float) -> Line:
    return Line(
        params=list(trial.proposal.params.values()),
        losses=losses_of(problem, trial),
        violations=violations_of(problem, trial),
        cpu_s=round(cpu_s, 4),
        origin=trial.proposal.origin,
    )


def search(case: Case, searcher: Searcher, count: int) -> Iterator[Line]:
    """The lines of ``count`` trials, one after the other."""
    for _ in range(count):
        start = time.process_time()
        proposal = searcher.ask()
        asked = time.process_time() - start
        trial = evaluated(case, proposal)
        start = time.process_time()
        searcher.tell(trial)
        told = time.process_time() - start
        yield line_of(case.problem, trial, asked + told)


def path_of(results: Path, problem: str, optimizer: str, seed: int) -> Path:
    return results / problem / optimizer / f"seed-{seed}.jsonl"


def write(path: Path, header: Mapping[str, Any], lines: Iterator[Line]) -> None:
    """A whole run; the file appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        print(_compact({**header, "columns": COLUMNS}), file=file)
        for line in lines:
            print(_compact(astuple(line)), file=file, flush=True)
    os.replace(part, path)


def _compact(record: object) -> str:
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def read(path: Path) -> tuple[dict[str, Any], list[Line]]:
    """The header and the lines of a run."""
    first, *rest = path.read_text().splitlines()
    return json.loads(first), [Line(*json.loads(line)) for line in rest]


def hypervolumes(lines: list[Line], reference: Floats) -> Floats:
    """The feasible hypervolume after each trial: the one function for all."""
    rows = np.full((len(lines), len(reference)), np.nan)
    for index, line in enumerate(lines):
        if line.feasible:
            rows[index] = line.losses
    return hypervolume_trace(rows, reference)


def first_feasible(lines: list[Line]) -> int | None:
    """How many trials it took to the first feasible one, or ``None``."""
    found = [index + 1 for index, line in enumerate(lines) if line.feasible]
    return found[0] if found else None
