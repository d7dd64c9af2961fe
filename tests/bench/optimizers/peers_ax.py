"""Ax on our problems, by its client."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

from moosnn.optimizers.base import trial_seed
from moosnn.space import Choice, Int, Parameter, Space, Value
from moosnn.trial import Proposal, Trial
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.runs import losses_of, violations_of

NAMES = ("ax",)
Config = RangeParameterConfig | ChoiceParameterConfig


def configs_of(space: Space) -> list[Config]:
    """The space as Ax knows it: a tree.

    A parameter exists there at one value of one parent, a choice. What exists at
    several values of its parent exists whenever the parent does, and what depends on
    several parents always.
    """
    children: dict[str, dict[Value, list[str]]] = {}
    for name in space:
        at = _place(space, name)
        if at is not None:
            parent, value = at
            children.setdefault(parent, {}).setdefault(value, []).append(name)
    return [_config(n, p, children.get(n)) for n, p in space.parameters.items()]


def _place(space: Space, name: str) -> tuple[str, Value] | None:
    """The parent and its value at which a parameter exists; ``None`` = always."""
    when = space.parameters[name].when
    if len(when) != 1 or len(when[0]) != 1:
        return None
    condition = when[0][0]
    values = space.parameters[condition.parameter].values()
    passing = [value for value in values if condition.holds(value)]
    if len(passing) == 1:
        return condition.parameter, passing[0]
    return _place(space, condition.parameter)


def _config(
    name: str, parameter: Parameter, children: dict[Value, list[str]] | None
) -> Config:
    if isinstance(parameter, Choice) or children is not None:
        values = list(parameter.values())
        kind = {bool: "bool", int: "int", float: "float", str: "str"}[type(values[0])]
        return ChoiceParameterConfig(
            name=name,
            values=values,
            parameter_type=kind,
            is_ordered=kind in ("int", "float"),
            dependent_parameters=children,
        )
    whole = isinstance(parameter, Int)
    stepped = parameter.step is not None and not (whole and parameter.step == 1)
    return RangeParameterConfig(
        name=name,
        bounds=(parameter.low, parameter.high),
        parameter_type="int" if whole else "float",
        step_size=parameter.step if stepped else None,
        scaling="log" if parameter.log else "linear",
    )


class Ax:
    """An experiment with Ax's default strategy."""

    packages = ("ax-platform",)

    def __init__(self, name: str, case: Case, seed: int) -> None:
        self._name, self._case, self._seed = name, case, seed
        logging.disable(logging.WARNING)  # Ax logs every trial
        warnings.filterwarnings("ignore")  # of its libraries: they tell nothing here
        self.settings: dict[str, Any] = {"method": "fast", "exact": case.exact}
        self._client = Client(random_seed=seed)
        self._client.configure_experiment(parameters=configs_of(case.problem.space))
        problem = case.problem
        losses = [f"loss{i}" for i in range(len(problem.objectives))]
        bounds = [
            f"{name} <= {limit!r}"
            for name, limit in zip(losses, problem.reference.tolist(), strict=True)
        ]
        bounds += [f"violation{i} <= 0" for i in range(len(problem.constraints))]
        self._client.configure_optimization(
            objective=", ".join(f"-{name}" for name in losses),
            outcome_constraints=bounds,
        )
        self._client.configure_generation_strategy(
            method="fast", initialization_random_seed=seed
        )

    def ask(self) -> Proposal:
        ((number, params),) = self._client.get_next_trials(max_trials=1).items()
        space = self._case.problem.space
        known = {n: v for n, v in params.items() if n in space.parameters}
        return Proposal(
            number=number,
            params=space.canonical(known),
            seed=trial_seed(self._seed, number),
            origin=self._name,
            seen=0,
        )

    def tell(self, trial: Trial) -> None:
        problem, number = self._case.problem, trial.proposal.number
        violations = violations_of(problem, trial)
        if violations is None:
            self._client.mark_trial_failed(trial_index=number)
            return
        losses = losses_of(problem, trial) or []
        values = {f"loss{i}": loss for i, loss in enumerate(losses)}
        values |= {f"violation{i}": v for i, v in enumerate(violations)}
        data: dict[str, Any] = dict(values)
        if self._case.exact:
            data = {name: (value, 0.0) for name, value in values.items()}
        self._client.complete_trial(trial_index=number, raw_data=data)
