"""Histories with a clock, written by hand, for the tests of a page's data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Space
from moosnn.tracking.page.data import Source
from moosnn.trial import Evaluation, Failure

SPACE = {
    "depth": {"int": [1, 3]},
    "rate": {"float": [1e-3, 1.0], "log": True},
    "width": {"int": [8, 256], "log": True, "when": {"depth": {"min": 2}}},
    "kind": {"choice": ["if", "lif", True]},
}


def problem_of(space: Mapping[str, Any] = SPACE, **changes: Any) -> Problem:
    fields: dict[str, Any] = {
        "space": Space.from_config(space),
        "objectives": (
            Objective(metric="accuracy", goal="max", reference=0.3),
            Objective(metric="spikes", goal="min", reference=1e3, scale="log"),
        ),
        "constraints": (Constraint(metric="silence_margin", voids=True),),
    }
    return Problem(**{**fields, **changes})


class Told:
    """Journal lines at given times."""

    def __init__(self, problem: Problem, **header: Any) -> None:
        self.problem = problem
        self.events: list[Event] = []
        config = {"optimizer": {"_target_": "a.Ehvi"}, "seed": 3}
        self.say(Kind.STUDY, 0.0, data={"config": config, **header})

    def say(
        self,
        kind: Kind,
        time: float,
        number: int | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.events.append(
            Event(kind=kind, number=number, attempt=attempt, time=time, data=data or {})
        )

    def propose(self, number: int, params: Mapping[str, Any], **more: Any) -> None:
        full = self.problem.space.canonical(params)
        data = {"params": full, "seed": 1, "origin": "sobol", "seen": 0, **more}
        self.say(Kind.PROPOSED, self.events[-1].time, number, data=data)

    def submit(self, time: float, number: int, worker: str, attempt: int = 1) -> None:
        self.say(Kind.SUBMITTED, time, number, attempt, {"job_id": worker})

    def finish(
        self,
        time: float,
        number: int,
        attempt: int = 1,
        kind: Kind = Kind.FINISHED,
        **evaluation: Any,
    ) -> None:
        found = Evaluation(**evaluation)
        self.say(kind, time, number, attempt, {"evaluation": found.to_json()})

    def fail(
        self,
        time: float,
        number: int,
        failure: str,
        attempt: int = 1,
        kind: Kind = Kind.FAILED,
    ) -> None:
        log = f"trials/{number:06d}/{attempt}/error.log"
        found = Failure(kind=failure, message="a test", log=log)
        self.say(kind, time, number, attempt, {"failure": found.to_json()})

    @property
    def history(self) -> History:
        return History.of(self.events)

    def source(self, folder: Path = Path("nowhere"), name: str = "runs/a") -> Source:
        return Source(
            name=name,
            folder=folder,
            config=self.events[0].data["config"],
            problem=self.problem,
            history=self.history,
            budget=40,
        )


def metrics(accuracy: float, spikes: float, margin: float = -1.0) -> dict[str, float]:
    return {"accuracy": accuracy, "spikes": spikes, "silence_margin": margin}
