"""pymoo's NSGA-II on our problems, for mixed variables where there are any."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2, RankAndCrowdingSurvival
from pymoo.core.evaluator import Evaluator
from pymoo.core.mixed import MixedVariableGA
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.termination import NoTermination
from pymoo.core.variable import Choice as PymooChoice
from pymoo.core.variable import Integer, Real
from pymoo.problems.static import StaticProblem

from moosnn.optimizers.base import trial_seed
from moosnn.space import Choice, Float, Int, Parameter, Value
from moosnn.trial import Proposal, Trial
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.runs import losses_of, violations_of

POPULATION = 20
NAMES = ("pymoo-nsga2",)


def variable_of(parameter: Parameter) -> Real | Integer | PymooChoice:
    """The parameter as pymoo knows it; a log scale is a coordinate in [0, 1]."""
    match parameter:
        case Choice():
            return PymooChoice(options=list(parameter.options))
        case Int(log=False, step=1):
            return Integer(bounds=(parameter.low, parameter.high))
        case _:
            return Real(bounds=(0.0, 1.0))


def value_of(parameter: Parameter, found: Any) -> Value:
    """The value that a variable stands for."""
    match parameter:
        case Choice():
            return parameter.spell(found)
        case Int(log=False, step=1):
            return parameter.spell(int(found))
        case _:
            return parameter.decode(float(found))


class Pymoo:
    """A generation at a time, each of its members one trial."""

    packages = ("pymoo",)

    def __init__(self, name: str, case: Case, seed: int) -> None:
        self._name, self._case, self._seed = name, case, seed
        problem = case.problem
        parameters = problem.space.parameters
        counts = {
            "n_obj": len(problem.objectives),
            "n_ieq_constr": len(problem.constraints),
        }
        self._plain = all(
            isinstance(p, Float) and p.step is None for p in parameters.values()
        )
        if self._plain:
            self._problem = PymooProblem(n_var=len(parameters), xl=0, xu=1, **counts)
            self._algorithm = NSGA2(pop_size=POPULATION)
        else:
            variables = {n: variable_of(p) for n, p in parameters.items()}
            self._problem = PymooProblem(vars=variables, **counts)
            survival = RankAndCrowdingSurvival()
            self._algorithm = MixedVariableGA(pop_size=POPULATION, survival=survival)
        kind = type(self._algorithm).__name__
        self.settings = {"algorithm": kind, "pop_size": POPULATION}
        self._algorithm.setup(self._problem, termination=NoTermination(), seed=seed)
        self._generation: Any = self._algorithm.ask()
        self._found: list[tuple[list[float], list[float]]] = []
        self._number = 0
        self._worst = 1.0

    def ask(self) -> Proposal:
        if len(self._found) == len(self._generation):
            self._next_generation()
        point = self._generation[len(self._found)].X
        space = self._case.problem.space
        items = enumerate(space.parameters.items())
        params = {n: value_of(p, point[i if self._plain else n]) for i, (n, p) in items}
        number, self._number = self._number, self._number + 1
        return Proposal(
            number=number,
            params=space.canonical(params),
            seed=trial_seed(self._seed, number),
            origin=self._name,
            seen=0,
        )

    def tell(self, trial: Trial) -> None:
        problem = self._case.problem
        violations = violations_of(problem, trial)
        if violations is None:
            violations = [self._worst] * len(problem.constraints)
        self._worst = max(self._worst, *violations)
        losses = losses_of(problem, trial) or problem.reference.tolist()
        self._found.append((losses, violations))

    def _next_generation(self) -> None:
        losses, violations = map(np.array, zip(*self._found, strict=True))
        static = StaticProblem(self._problem, F=losses, G=violations)
        Evaluator().eval(static, self._generation)
        self._algorithm.tell(infills=self._generation)
        self._generation, self._found = self._algorithm.ask(), []
