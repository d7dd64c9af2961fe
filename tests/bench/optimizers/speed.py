"""CPU seconds of a suggestion, ours and Optuna's, in turns after the same trials."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Protocol

from moosnn.trial import Status, Trial
from tests.bench.optimizers import problems
from tests.bench.optimizers.histories import trials_of
from tests.bench.optimizers.machine import code, machine, versions
from tests.bench.optimizers.ours import optimizer_of
from tests.bench.optimizers.problems import Case
from tests.helpers import Story

PEER = "optuna-gp"
AT = (50, 100, 200)  # finished trials
PEER_UP_TO = 200  # beyond, the peer takes too long to be timed in turns
REPEATS = 7
PROBLEMS = ("branin_currin", "c2dtlz2_4", "c2dtlz2_12_shifted")


class Timed(Protocol):
    """What is asked for a suggestion that nobody evaluates."""

    def add(self, trial: Trial) -> None: ...
    def suggest(self) -> None: ...


class TimedOurs:
    """One of ours, whose history others write."""

    def __init__(self, name: str, case: Case, changes: Mapping[str, Any]) -> None:
        self._case = case
        self._optimizer, _ = optimizer_of(name, case, changes)
        self._story = Story(case.problem)

    def add(self, trial: Trial) -> None:
        number = self._story.propose(trial.proposal.params)
        if trial.status is Status.DONE and trial.evaluation is not None:
            self._story.finish_with(number, trial.evaluation)
        else:
            self._story.fail(number)

    def suggest(self) -> None:
        self._optimizer.propose(self._case.problem, self._story.history, 1, 0)


def _timed(name: str, case: Case, changes: Mapping[str, Any]) -> Timed:
    if name == PEER:
        from tests.bench.optimizers.peers_optuna import TimedOptuna

        return TimedOptuna(name, case)
    return TimedOurs(name, case, changes)


def _cpu_s(timed: Timed) -> float:
    start = time.process_time()
    timed.suggest()
    return time.process_time() - start


def measured(
    name: str, names: Sequence[str], at: Sequence[int], changes: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """For each number of trials and optimizer: seconds of each suggestion.

    The first suggestion, after one trial fewer, is not among them: it makes the models
    of all earlier trials, which a study that runs has made before (``cold_s``).
    """
    case = problems.case(name)
    trials = trials_of(case, max(at) + REPEATS)
    for count in at:
        asked = [n for n in names if n != PEER or count <= PEER_UP_TO]
        timed = {n: _timed(n, case, changes) for n in asked}
        for trial in trials[: count - 1]:
            for one in timed.values():
                one.add(trial)
        cold = {n: _cpu_s(one) for n, one in timed.items()}
        seconds: dict[str, list[float]] = {n: [] for n in asked}
        for trial in trials[count - 1 : count - 1 + REPEATS]:
            for n, one in timed.items():
                one.add(trial)
                seconds[n].append(_cpu_s(one))
        for n in asked:
            yield {
                "problem": name,
                "optimizer": n,
                "trials": count,
                "median_s": round(median(seconds[n]), 4),
                "seconds": [round(s, 4) for s in seconds[n]],
                "cold_s": round(cold[n], 3),
            }


def header(names: Sequence[str]) -> dict[str, Any]:
    """Where and with what it was measured."""
    packages = ("optuna",) if PEER in names else ()
    return {"versions": versions(packages), "code": code(), "machine": machine()}
