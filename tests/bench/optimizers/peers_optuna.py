"""Optuna's samplers on our problems, define-by-run."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import optuna

from moosnn.optimizers.base import trial_seed
from moosnn.space import Choice, Float, Int, Parameter, Space, Value
from moosnn.trial import Proposal, Trial
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.runs import losses_of, violations_of

POPULATION = 20
NAMES = ("optuna-gp", "optuna-tpe", "optuna-nsga2")


def sampler_of(
    name: str, seed: int, exact: bool
) -> tuple[optuna.samplers.BaseSampler, dict[str, Any]]:
    """A sampler and what was set of it."""
    settings: dict[str, Any]
    if name == "optuna-gp":
        settings = {"deterministic_objective": exact}
        quiet = {"warn_independent_sampling": False}
        return optuna.samplers.GPSampler(seed=seed, **settings, **quiet), settings
    if name == "optuna-tpe":
        settings = {"multivariate": True, "group": True}
        return optuna.samplers.TPESampler(seed=seed, **settings), settings
    settings = {"population_size": POPULATION}
    return optuna.samplers.NSGAIISampler(seed=seed, **settings), settings


def suggested(trial: optuna.Trial, space: Space) -> dict[str, Value]:
    """A value of every parameter that exists, each asked for after its parents."""
    values: dict[str, Value] = {}
    while True:
        waiting = [n for n in space if n not in values and _exists(space, n, values)]
        if not waiting:
            return space.canonical(values)
        for name in waiting:
            values[name] = _suggest(trial, name, space.parameters[name])


def _exists(space: Space, name: str, values: dict[str, Value]) -> bool:
    any_value = space.parameters[name].decode(0.5)
    return name in space.active({**values, name: any_value})


def _suggest(trial: optuna.Trial, name: str, parameter: Parameter) -> Value:
    match parameter:
        case Float():
            return trial.suggest_float(
                name,
                parameter.low,
                parameter.high,
                step=parameter.step,
                log=parameter.log,
            )
        case Int():
            return trial.suggest_int(
                name,
                parameter.low,
                parameter.high,
                step=parameter.step,
                log=parameter.log,
            )
        case Choice():
            return trial.suggest_categorical(name, parameter.options)


class Optuna:
    """A study with one of Optuna's samplers."""

    packages = ("optuna",)

    def __init__(self, name: str, case: Case, seed: int) -> None:
        self._name, self._case, self._seed = name, case, seed
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler, self.settings = sampler_of(name, seed, case.exact)
        directions = ["minimize"] * len(case.problem.objectives)
        self.study = optuna.create_study(directions=directions, sampler=sampler)
        self._running: dict[int, optuna.Trial] = {}

    def ask(self) -> Proposal:
        trial = self.study.ask()
        self._running[trial.number] = trial
        return Proposal(
            number=trial.number,
            params=suggested(trial, self._case.problem.space),
            seed=trial_seed(self._seed, trial.number),
            origin=self._name,
            seen=0,
        )

    def tell(self, trial: Trial) -> None:
        problem = self._case.problem
        running = self._running.pop(trial.proposal.number)
        violations = violations_of(problem, trial)
        if violations is None:
            self.study.tell(running, state=optuna.trial.TrialState.FAIL)
            return
        for constraint, value in zip(problem.constraints, violations, strict=True):
            running.set_constraint(constraint.metric, value)
        losses = losses_of(problem, trial)
        worst = problem.reference.tolist()
        self.study.tell(running, worst if losses is None else losses)


class TimedOptuna:
    """A study that is told of trials and asked for points that nobody evaluates."""

    def __init__(self, name: str, case: Case) -> None:
        self._peer = Optuna(name, case, 0)
        self._space = case.problem.space
        self._sampler = self._peer.study.sampler

    def add(self, trial: Trial) -> None:
        study = self._peer.study
        study.sampler = optuna.samplers.RandomSampler(seed=0)  # asks no model
        study.enqueue_trial(self._space.active(trial.proposal.params))
        self._peer.tell(replace(trial, proposal=self._peer.ask()))
        study.sampler = self._sampler

    def suggest(self) -> None:
        study = self._peer.study
        trial = study.ask()
        suggested(trial, self._space)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
