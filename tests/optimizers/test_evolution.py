"""Nsga2: the contract, who becomes a parent, and that it searches."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.optimizers.evolution import Nsga2, _survivors
from moosnn.optimizers.sobol import Sobol
from moosnn.pareto.front import front_of
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import Story, run_loop, toy_problem


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self):
        return functools.partial(Nsga2, population_size=10)


def test_parents_are_feasible_first_then_the_least_violating() -> None:
    problem = toy_problem()
    story = Story(problem)
    coordinates = np.random.default_rng(0).random((6, 9)).tolist()
    rows = [
        {"accuracy": 0.9, "spikes_per_sample": 500.0, "silence_margin": -0.2},
        {"accuracy": 0.8, "spikes_per_sample": 600.0, "silence_margin": -0.2},
        {"silence_margin": 1.5},
        {"silence_margin": 0.2},
        {"accuracy": 0.5, "spikes_per_sample": 100.0, "silence_margin": -0.2},
        {"accuracy": 0.7, "silence_margin": -0.1},
    ]
    stops = [None, None, "silent", "silent", None, "pruned"]
    for point, row, stopped in zip(coordinates, rows, stops, strict=True):
        story.finish(story.propose_at(*point), stopped=stopped, **row)
    parents = _survivors(problem, story.history.done, 9, np.random.default_rng(0))
    assert {p.trial.number for p in parents[:2]} == {0, 4}
    assert [p.trial.number for p in parents[2:]] == [1, 3, 2]
    few = _survivors(problem, story.history.done, 2, np.random.default_rng(0))
    assert {p.trial.number for p in few} == {0, 4}


@pytest.mark.parametrize("seed", [0, 2])
def test_it_beats_sobol(seed) -> None:
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    volumes = [
        front_of(problem, run_loop(problem, optimizer, task, 150, seed).trials)
        for optimizer in (Nsga2(), Sobol())
    ]
    assert volumes[0].hypervolume > 1.08 * volumes[1].hypervolume


def test_origins() -> None:
    problem = toy_problem()
    history = run_loop(problem, Nsga2(population_size=4), AnalyticTask("toy_snn"), 9, 0)
    origins = [t.proposal.origin for t in history.trials]
    assert origins == ["sobol"] * 4 + ["nsga2"] * 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"population_size": 1},
        {"population_size": "20"},
        {"population_size": 20.0},
        {"population_size": True},
        {"initial": -1},
        {"initial": 1.5},
        {"crossover_probability": 1.1},
        {"crossover_probability": "0.9"},
        {"crossover_eta": -1},
        {"crossover_eta": math.inf},
        {"mutation_eta": -0.1},
        {"mutation_eta": True},
    ],
)
def test_a_bad_setting_is_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"^optimizer\.{name}: [^\n]*$"):
        Nsga2(**wrong)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for extreme in (0, 1):
        optimizer = Nsga2(2, 0, extreme, crossover_eta=0, mutation_eta=0)
        history = run_loop(toy_problem(), optimizer, AnalyticTask("toy_snn"), 6, 0)
        assert "nsga2" in {t.proposal.origin for t in history.trials}
