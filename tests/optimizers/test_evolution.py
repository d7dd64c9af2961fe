"""Evolution: the contract, who becomes a parent, and that it searches."""

from __future__ import annotations

import functools
import importlib.util
import math

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.events import Kind
from moosnn.optimizers.evolution import Evolution, Nsga2, _parents
from moosnn.optimizers.judged import Judged
from moosnn.optimizers.sobol import Sobol
from moosnn.optimizers.survival import ALGORITHMS
from moosnn.pareto.front import front_of
from moosnn.problem import Objective
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import Story, load_yaml, run_loop, toy_problem

NEEDS_NUMBA = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None,
    reason="pymoo's AGE-MOEA-II needs numba, which is not installed",
)
ALL = [
    pytest.param(name, marks=NEEDS_NUMBA if name == "age_moea2" else ())
    for name in ALGORITHMS
]


class TestNsga2(OptimizerContract):
    @pytest.fixture
    def make(self):
        return functools.partial(Nsga2, population_size=10)


class TestNsga3(OptimizerContract):
    @pytest.fixture
    def make(self):
        return functools.partial(Evolution, algorithm="nsga3", population_size=10)


@NEEDS_NUMBA
class TestAgeMoea2(OptimizerContract):
    @pytest.fixture
    def make(self):
        return functools.partial(Evolution, algorithm="age_moea2", population_size=10)


class TestSmsEmoa(OptimizerContract):
    @pytest.fixture
    def make(self):
        return functools.partial(Evolution, algorithm="sms_emoa", population_size=10)


@pytest.mark.parametrize("algorithm", ALL)
def test_parents_are_feasible_first_then_the_least_violating(algorithm) -> None:
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
    judged = Judged(problem, None)
    judged.read(story.history.done)
    parents = _parents(algorithm, problem, judged, 9, np.random.default_rng(0))
    parents.sort(key=lambda parent: parent.place)
    assert {p.trial.number for p in parents[:2]} == {0, 4}
    assert [p.trial.number for p in parents[2:]] == [1, 3, 2]
    few = _parents(algorithm, problem, judged, 2, np.random.default_rng(0))
    assert {p.trial.number for p in few} == {0, 4}


@pytest.mark.parametrize("algorithm", ALL)
def test_it_beats_sobol(algorithm) -> None:
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    volumes = [
        sum(
            front_of(
                problem, run_loop(problem, optimizer, task, 150, seed).trials
            ).hypervolume
            for seed in (0, 1)
        )
        for optimizer in (Evolution(algorithm=algorithm), Sobol())
    ]
    assert volumes[0] > 1.08 * volumes[1]


@pytest.mark.parametrize("seed", [0, 2])
def test_nsga2_beats_sobol_with_each_seed(seed) -> None:
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    volumes = [
        front_of(problem, run_loop(problem, optimizer, task, 150, seed).trials)
        for optimizer in (Nsga2(), Sobol())
    ]
    assert volumes[0].hypervolume > 1.08 * volumes[1].hypervolume


@pytest.mark.parametrize("algorithm", ALL)
def test_origins(algorithm) -> None:
    problem = toy_problem()
    optimizer = Evolution(population_size=4, algorithm=algorithm)
    history = run_loop(problem, optimizer, AnalyticTask("toy_snn"), 9, 0)
    origins = [t.proposal.origin for t in history.trials]
    assert origins == ["sobol"] * 4 + [algorithm] * 5


@pytest.mark.parametrize("algorithm", ALL)
def test_four_objectives_in_any_order(algorithm) -> None:
    """With more feasible trials than parents, so that not all of them survive."""
    task = AnalyticTask("toy_snn")
    objectives = (
        Objective(metric="accuracy", goal="max", reference=0.2),
        Objective(metric="weights", goal="min", reference=1e6, scale="log"),
        Objective(metric="spikes_per_sample", goal="min", reference=2e4, scale="log"),
        Objective(metric="silent_fraction", goal="min", reference=0.5),
    )
    problem = toy_problem(objectives=objectives)
    swapped = toy_problem(objectives=objectives[::-1])
    history = run_loop(problem, Sobol(), task, 100, 0)
    assert problem.feasible(history.done).sum() > Evolution().population_size
    for seed in range(3):
        one, two = (
            Evolution(algorithm=algorithm).propose(p, history, 2, seed)
            for p in (problem, swapped)
        )
        assert one == two
        assert [p.origin for p in one] == [algorithm] * 2


@pytest.mark.parametrize("algorithm", ["nsga3", "age_moea2", "sms_emoa"])
def test_the_shipped_config_names_the_algorithm(algorithm) -> None:
    config = load_yaml(f"optimizer/{algorithm}")
    assert config["_target_"] == "moosnn.optimizers.evolution.Evolution"
    assert config["algorithm"] == algorithm


def test_nsga2_is_the_default_under_the_name_that_studies_carry() -> None:
    assert Nsga2().algorithm == "nsga2"
    assert load_yaml("optimizer/nsga2")["_target_"].endswith(".evolution.Nsga2")


@pytest.mark.parametrize("algorithm", ALL)
def test_no_proposal_waits_for_a_generation(algorithm) -> None:
    """A child is proposed after every single result, and after none as well."""
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    optimizer = Evolution(population_size=4, algorithm=algorithm)
    history = run_loop(problem, optimizer, task, 12, 0, workers=3)
    seen = [e.number for e in history.of_kind(Kind.PROPOSED)]
    assert seen == list(range(12))
    fourth = history.trial(4).proposal
    assert fourth.origin == algorithm
    assert len(history.prefix(fourth.seen).done) == 2


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


def test_an_unknown_algorithm_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ConfigError, match=r"^optimizer\.algorithm: got 'nsga4'\. Did .*Known: [^\n]*$"
    ):
        Evolution(algorithm="nsga4")


def test_age_moea2_without_numba_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("moosnn.optimizers.evolution.find_spec", lambda _: None)
    said = r'^optimizer\.algorithm: [^\n]*numba[^\n]* install "moosnn\[age_moea2\]"\.$'
    with pytest.raises(ConfigError, match=said):
        Evolution(algorithm="age_moea2")
    assert Evolution(algorithm="nsga3").algorithm == "nsga3"


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for extreme in (0, 1):
        optimizer = Nsga2(2, 0, extreme, crossover_eta=0, mutation_eta=0)
        history = run_loop(toy_problem(), optimizer, AnalyticTask("toy_snn"), 6, 0)
        assert "nsga2" in {t.proposal.origin for t in history.trials}
