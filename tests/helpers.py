"""Problems, histories and a miniature study loop for the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from moosnn.errors import DivergedError
from moosnn.events import Event, Kind
from moosnn.history import History, HistoryBuilder
from moosnn.optimizers.base import Optimizer
from moosnn.problem import Constraint, Objective, Problem
from moosnn.snn.metrics import CLOCKED
from moosnn.space import Space, Value
from moosnn.tasks.base import Task
from moosnn.trial import Evaluation, Failure

CONF = Path(__file__).parents[1] / "conf"
_BY_THE_CLOCK = ("time", "seconds", *CLOCKED)


def timeless(raw: Any) -> Any:
    """JSON or metrics without what differs between two equal runs, at any depth."""
    if isinstance(raw, Mapping):
        return {k: timeless(v) for k, v in raw.items() if k not in _BY_THE_CLOCK}
    return [timeless(v) for v in raw] if isinstance(raw, list) else raw


def load_yaml(name: str) -> dict[str, Any]:
    """A file of the configuration, e.g. ``space/toy_snn``."""
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def load_space(name: str) -> Space:
    """A shipped space, without the architecture that its file may fix as well."""
    raw = load_yaml(f"space/{name}")
    return Space.from_config(raw.get("space", raw))


def load_problem(name: str) -> Problem:
    """The problem and the space of one name, e.g. ``branin_currin``."""
    return Problem.from_config(load_space(name), load_yaml(f"problem/{name}"))


def toy_problem(**changes: Any) -> Problem:
    """The toy network: accurate, quiet, not silent."""
    fields: dict[str, Any] = {
        "space": load_space("toy_snn"),
        "objectives": (
            Objective(metric="accuracy", goal="max", reference=0.3),
            Objective(
                metric="spikes_per_sample", goal="min", reference=1e4, scale="log"
            ),
        ),
        "constraints": (Constraint(metric="silence_margin", upper=0.0, voids=True),),
    }
    return Problem(**{**fields, **changes})


def refuses_deep(params: Mapping[str, Value]) -> str | None:
    """An ``admissible`` of the toy network."""
    return "too deep" if params["depth"] > 2 else None  # type: ignore[operator]


class QuietContext:
    """A worker that never stops or preempts a trial."""

    workdir = Path(tempfile.gettempdir())
    cache = workdir
    attempt = 1

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        return False

    def preempted(self) -> bool:
        return False


class Story:
    """Writes a history by hand: what was proposed and what became of it."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._builder = HistoryBuilder()
        self._add(Kind.STUDY)

    @property
    def history(self) -> History:
        return self._builder.history

    def _add(self, kind: Kind, number: int | None = None, **data: Any) -> None:
        attempt = None if number is None else 1
        event = Event(kind=kind, number=number, attempt=attempt, data=data)
        self._builder.append(event)

    def propose(self, params: Mapping[str, Value], seed: int = 0) -> int:
        """A pending trial; returns its number."""
        number = self.history.proposals
        self._add(
            Kind.PROPOSED,
            number,
            params=self._problem.space.canonical(params),
            seed=seed,
            origin="test",
            seen=len(self.history),
            repeats=None,
        )
        self._add(Kind.SUBMITTED, number, job_id=f"job-{number}")
        return number

    def propose_at(self, *coordinates: float) -> int:
        """A pending trial at a point of the unit cube."""
        return self.propose(self._problem.space.decode(coordinates))

    def finish(self, number: int, stopped: str | None = None, **metrics: float) -> None:
        evaluation = Evaluation(metrics=metrics, stopped=stopped)
        self.finish_with(number, evaluation)

    def finish_with(self, number: int, evaluation: Evaluation) -> None:
        self._add(Kind.FINISHED, number, evaluation=evaluation.to_json())

    def fail(self, number: int, kind: str = "diverged") -> None:
        failure = Failure(kind=kind, message="a test")
        self._add(Kind.FAILED, number, failure=failure.to_json())

    def evaluate(self, task: Task, number: int) -> None:
        """Let a task say what becomes of a pending trial."""
        try:
            proposal = self.history.trial(number).proposal
            self.finish_with(number, task.evaluate(proposal, QuietContext()))
        except DivergedError:
            self.fail(number)


def run_loop(
    problem: Problem,
    optimizer: Optimizer,
    task: Task,
    count: int,
    seed: int,
    *,
    workers: int = 1,
) -> History:
    """A study without a driver: ``count`` trials by ``workers`` that take turns."""
    story = Story(problem)
    pending: list[int] = []
    while story.history.proposals < count:
        for proposal in optimizer.propose(problem, story.history, 1, seed):
            number = append_proposal(story, proposal)
            pending.append(number)
        if len(pending) >= workers:
            story.evaluate(task, pending.pop(0))
    for number in pending:
        story.evaluate(task, number)
    return story.history


def append_proposal(story: Story, proposal: Any) -> int:
    """Journal a proposal as a driver would, ``seen`` included."""
    data = proposal.to_json()
    number = data.pop("number")
    story._add(Kind.PROPOSED, number, **data)
    return number


def story_of(problem: Problem, task: Task, points: Sequence[Sequence[float]]) -> Story:
    """A history in which a task evaluated some points of the unit cube."""
    story = Story(problem)
    for point in points:
        story.evaluate(task, story.propose_at(*point))
    return story
