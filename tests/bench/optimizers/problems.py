"""The benchmark's problems: what is evaluated, what is wanted, the best there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from moosnn.problem import Problem
from moosnn.tasks.analytic import AnalyticTask
from moosnn.tasks.base import Context
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Evaluation, Proposal
from tests.bench.optimizers import unseen
from tests.helpers import load_problem, load_space, load_yaml


class Evaluated(Protocol):
    """What of a task the benchmark needs."""

    @property
    def metrics(self) -> tuple[str, ...]: ...
    @property
    def parameters(self) -> frozenset[str] | None: ...
    def evaluate(self, proposal: Proposal, context: Context, /) -> Evaluation: ...


@dataclass(frozen=True, kw_only=True)
class Case:
    """One problem of the benchmark.

    Attributes:
        name: of its folder of results.
        problem: the space, what is wanted, the reference.
        task: evaluates a point.
        exact: whether an evaluation has no noise.
        maximum: the largest hypervolume, or ``None`` = not known.
    """

    name: str
    problem: Problem
    task: Evaluated
    exact: bool
    maximum: float | None


def _formula(name: str, maximum: float) -> Case:
    return Case(
        name=name,
        problem=load_problem(name),
        task=AnalyticTask(name),
        exact=True,
        maximum=maximum,
    )


def _c2dtlz2(name: str, space: str, dim: int, shift: bool) -> Case:
    raw = load_yaml("problem/c2dtlz2")
    return Case(
        name=name,
        problem=Problem.from_config(load_space(space), raw),
        task=AnalyticTask("c2dtlz2", dim, shift=shift),
        exact=True,
        maximum=0.3996,
    )


def _digits() -> Case:
    raw = load_yaml("problem/accuracy_activity")
    return Case(
        name="digits_nas",
        problem=Problem.from_config(load_space("nas"), raw),
        task=SnnTask(threads=1),
        exact=False,
        maximum=None,
    )


def _unseen(name: str) -> Case:
    task = unseen.UnseenTask(name)
    problem = task.problem()
    return Case(name=name, problem=problem, task=task, exact=True, maximum=None)


_CASES: dict[str, Callable[[], Case]] = {
    "branin_currin": lambda: _formula("branin_currin", 608.40),
    "c2dtlz2_4": lambda: _c2dtlz2("c2dtlz2_4", "c2dtlz2", 4, False),
    "c2dtlz2_12": lambda: _c2dtlz2("c2dtlz2_12", "c2dtlz2_12", 12, False),
    "c2dtlz2_12_shifted": lambda: _c2dtlz2(
        "c2dtlz2_12_shifted", "c2dtlz2_12", 12, True
    ),
    "disc_brake": lambda: _formula("disc_brake", 11.223),
    "mixed_conditional": lambda: _formula("mixed_conditional", 0.86036),
    "digits_nas": _digits,
}
FORMULAS = tuple(name for name in _CASES if name != "digits_nas")
NAMES = tuple(_CASES)
UNSEEN = unseen.NAMES
_ALL = _CASES | {name: partial(_unseen, name) for name in UNSEEN}


def case(name: str) -> Case:
    """The problem of a name of `NAMES` or `UNSEEN`."""
    return _ALL[name]()
