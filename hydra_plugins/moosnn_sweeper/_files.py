"""The files that users of Hydra's sweepers look for, in the folder of the sweep.

Knows: ``multirun.yaml``, ``optimization_results.yaml``, fronts. Must not know: hydra,
how a study is run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from moosnn.events import Event
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.trial import Trial

MULTIRUN = "multirun.yaml"
RESULTS = "optimization_results.yaml"


class HydraFiles:
    """A tracker that writes them.

    Args:
        folder: of the sweep.
        problem: says what the front is.
        budget: unused.
        record: JSON with the text of ``multirun.yaml`` and what workers need.
    """

    def __init__(
        self, *, folder: Path, problem: Problem, budget: int, record: str
    ) -> None:
        self._folder = folder
        self._problem = problem
        self._multirun: str | None = json.loads(record)["multirun"]
        self._history: History | None = None

    def on_event(self, event: Event, history: History) -> None:
        """Write the config of the sweep, once."""
        self._history = history
        if self._multirun is not None:
            (self._folder / MULTIRUN).write_text(self._multirun, encoding="utf-8")
            self._multirun = None

    def close(self) -> None:
        """Write what is best, in the form that other sweepers of Hydra have it."""
        if self._history is None:
            return
        found = results(self._problem, self._history)
        text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True)
        (self._folder / RESULTS).write_text(text, encoding="utf-8")


def results(problem: Problem, history: History) -> dict[str, Any]:
    """What ``optimization_results.yaml`` says.

    Returns:
        ``best_params`` and ``best_value`` of one objective, or ``solutions``, the
        members of the front; each with its job's number and all its metrics.
    """
    numbers = front_of(problem, history.done).numbers
    members = [_member(problem, history.trial(number)) for number in numbers]
    if len(problem.objectives) > 1:
        return {"name": "moosnn", "solutions": members}
    if not members:
        return {"name": "moosnn", "best_params": None, "best_value": None}
    best = members[0]
    return {
        "name": "moosnn",
        "best_params": best["params"],
        "best_value": best["values"][0],
        "best_job": best["job"],
    }


def _member(problem: Problem, trial: Trial) -> dict[str, Any]:
    evaluation = trial.evaluation
    assert evaluation is not None
    return {
        "params": problem.space.active(trial.proposal.params),
        "values": [evaluation.metrics[o.metric] for o in problem.objectives],
        "job": trial.number,
        "metrics": dict(evaluation.metrics),
    }
