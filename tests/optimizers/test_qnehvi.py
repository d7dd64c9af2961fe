"""Qnehvi: the contract, its stages, its memory, and that it searches."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.events import Kind
from moosnn.optimizers import acquisition, qnehvi
from moosnn.optimizers.acquisition import logei
from moosnn.optimizers.cost import PerCost
from moosnn.optimizers.qnehvi import Qnehvi
from moosnn.optimizers.sobol import Sobol
from moosnn.pareto.front import front_of
from moosnn.problem import Objective, Problem
from moosnn.space import Float, Space
from moosnn.tasks.analytic import AnalyticTask
from tests.contracts.optimizers import SEED, OptimizerContract, toy_points
from tests.helpers import (
    Story,
    append_proposal,
    load_problem,
    run_loop,
    story_of,
    toy_problem,
)


def quick() -> Qnehvi:
    """Little effort, so that the contract is checked in seconds."""
    return Qnehvi(initial=6, mc_samples=8, raw_candidates=32, restarts=1, iterations=4)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class TestContract(OptimizerContract):
    many = 40

    @pytest.fixture
    def make(self):
        return quick


def test_a_cold_chain_proposes_what_the_warm_one_did() -> None:
    """Bit for bit, through the initial design, feasibility and improvement."""
    problem, task, warm = toy_problem(), AnalyticTask("toy_snn"), quick()
    history = run_loop(problem, warm, task, 20, SEED)
    proposals = [t.proposal for t in history.trials]
    assert {"sobol", "qnehvi"} <= {p.origin for p in proposals}
    for expected in (*proposals[6:16:4], proposals[19]):
        prefix = history.prefix(expected.seen)
        assert quick().propose(problem, prefix, 1, SEED) == [expected]
        assert warm.propose(problem, prefix, 1, SEED) == [expected]


def test_one_optimizer_serves_two_problems() -> None:
    """The memory of fits is keyed by the problem too."""
    problem = toy_problem()
    other = toy_problem(constraints=())
    story = story_of(problem, AnalyticTask("toy_snn"), toy_points(20))
    shared = quick()
    shared.propose(problem, story.history, 1, SEED)
    expected = quick().propose(other, story.history, 1, SEED)
    assert shared.propose(other, story.history, 1, SEED) == expected


def test_it_beats_sobol() -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    optimizer = Qnehvi(
        initial=8,
        mc_samples=32,
        raw_candidates=128,
        restarts=1,
        iterations=10,
        noise_share=3e-4,
    )
    modelled = front_of(problem, run_loop(problem, optimizer, task, 24, 0).trials)
    sobol = front_of(problem, run_loop(problem, Sobol(), task, 48, 0).trials)
    assert modelled.hypervolume > 1.05 * sobol.hypervolume


def test_feasibility_comes_first() -> None:
    """From silent trials alone the search climbs out of the silent region."""
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    silent = [[*p[:2], 0.9 + p[2] / 10, 0.9, 0.5, *p[5:]] for p in toy_points(10)]
    story = story_of(problem, task, silent)
    assert not problem.observed(story.history.done).any()
    origins = []
    for _ in range(12):
        (proposal,) = quick().propose(problem, story.history, 1, SEED)
        origins.append(proposal.origin)
        story.evaluate(task, append_proposal(story, proposal))
    assert origins[0] == "feasibility"
    assert problem.feasible(story.history.done).any()
    assert "qnehvi" in origins


@pytest.mark.parametrize(("kind", "learns"), [("diverged", True), ("lost", False)])
def test_it_avoids_where_trainings_fail(kind, learns) -> None:
    """Only y matters, and x > 0.6 fails: of eight proposals one goes there, or few."""
    space = Space({name: Float(low=0, high=1) for name in ("x", "y")})
    problem = Problem(
        space=space, objectives=(Objective(metric="f", goal="max", reference=0),)
    )
    designs, failed = (2, 3, 4), 0
    for design in designs:
        story, optimizer = Story(problem), quick()
        for x, y in np.random.default_rng(design).random((16, 2)):
            end(story, story.propose_at(x, y), kind)
        failures = len(story.history.failed)
        assert failures >= 4
        for _ in range(8):
            (proposal,) = optimizer.propose(problem, story.history, 1, SEED)
            end(story, append_proposal(story, proposal), kind)
        failed += len(story.history.failed) - failures
    assert failed <= len(designs) if learns else failed >= 3 * len(designs)


def end(story: Story, number: int, kind: str) -> None:
    params = story.history.trial(number).proposal.params
    if params["x"] > 0.6:
        story.fail(number, kind)
    else:
        story.finish(number, f=params["y"] * (1 - params["y"]))


def test_pending_points_push_the_next_one_away() -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    points = np.random.default_rng(0).random((12, 2)).tolist()
    story = story_of(problem, task, points)
    (first, second) = quick().propose(problem, story.history, 2, SEED)
    gap = np.subtract(
        problem.space.encode(first.params), problem.space.encode(second.params)
    )
    assert np.abs(gap).max() > 0.02


@pytest.mark.parametrize("cost_aware", [False, True])
def test_candidates_are_screened_with_fewer_samples(monkeypatch, cost_aware) -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    points = np.random.default_rng(0).random((12, 2)).tolist()
    seen = []

    def search(score: object, *_: object, rough: object, **__: object) -> None:
        seen.append((score, rough))

    monkeypatch.setattr(qnehvi, "best_point", search)
    optimizer = Qnehvi(6, mc_samples=8, cost_aware=cost_aware, cost_metric="currin")
    history = story_of(problem, task, points).history
    assert optimizer.propose(problem, history, 1, SEED)[0].origin == "fallback"
    ((score, rough),) = seen
    assert isinstance(score, PerCost) is isinstance(rough, PerCost) is cost_aware
    inner = [s.score if cost_aware else s for s in (score, rough)]
    assert [s._function.sampler.sample_shape.numel() for s in inner] == [8, 2]


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("surrogates_of", ArithmeticError("singular")),
        ("improvement_score", torch.linalg.LinAlgError("singular")),
    ],
)
def test_numerical_trouble_is_a_sobol_point(monkeypatch, caplog, where, error) -> None:
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    story = story_of(problem, task, toy_points(12))
    (expected,) = Sobol().propose(problem, story.history, 1, SEED)

    def singular(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(qnehvi, where, singular)
    with caplog.at_level(logging.WARNING):
        (proposal,) = quick().propose(problem, story.history, 1, SEED)
    assert (proposal.params, proposal.origin) == (expected.params, "fallback")
    assert f"proposal {story.history.proposals}: singular" in caplog.text


def test_a_corrected_failure_is_data() -> None:
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    story = story_of(problem, task, toy_points(12))
    number = story.propose_at(*[0.45] * 9)
    story.fail(number, "timeout")
    before = quick().propose(problem, story.history, 1, SEED)
    evaluation = task.evaluate(story.history.trial(number).proposal, None)  # type: ignore[arg-type]
    story._add(Kind.CORRECTED, number, evaluation=evaluation.to_json())
    after = quick().propose(problem, story.history, 1, SEED)
    assert before != after


def test_the_eager_kernel_compiles_nothing(monkeypatch) -> None:
    def compiled() -> None:
        raise AssertionError("BoTorch tried to load its kernel")

    monkeypatch.setattr(logei, "_load_attempted", False)
    problem = toy_problem()
    story = story_of(problem, AnalyticTask("toy_snn"), toy_points(14))
    quick().propose(problem, story.history, 1, SEED)
    assert logei._load_attempted
    assert logei._C is None


def test_a_botorch_without_the_private_names_is_refused(monkeypatch) -> None:
    monkeypatch.delattr(logei, "_load_attempted")
    with pytest.raises(ConfigError, match="_load_attempted"):
        acquisition.set_kernel("eager")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel": "fast"},
        {"kernel": 1},
        {"mc_samples": 100},
        {"mc_samples": "64"},
        {"raw_candidates": 1},
        {"raw_candidates": 256.0},
        {"initial": 0},
        {"initial": True},
        {"restarts": 0},
        {"restarts": 2.5},
        {"iterations": "1e2"},
        {"noise_share": 0.0},
        {"noise_share": 1.5},
        {"noise_share": "0.1"},
    ],
)
def test_a_bad_setting_is_refused(wrong) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"^optimizer\.{name}: [^\n]*$"):
        Qnehvi(**wrong)


def test_without_anything_to_learn_from_it_proposes_sobol_points() -> None:
    """Until three failures tell it where not to go."""
    problem = toy_problem(constraints=())
    story = Story(problem)
    for point in toy_points(8):
        story.finish(story.propose_at(*point), stopped="pruned")
    (proposal,) = quick().propose(problem, story.history, 1, SEED)
    (expected,) = Sobol().propose(problem, story.history, 1, SEED)
    assert (proposal.params, proposal.origin) == (expected.params, "sobol")
    for point in np.random.default_rng(1).random((3, 9)).tolist():
        story.fail(story.propose_at(*point))
    (proposal,) = quick().propose(problem, story.history, 1, SEED)
    assert proposal.origin == "feasibility"


@pytest.mark.parametrize(
    ("initial", "dimensions", "expected"), [(None, 2, 10), (None, 24, 12), (3, 24, 3)]
)
def test_the_initial_design_grows_with_the_space(initial, dimensions, expected) -> None:
    space = Space({f"x{i}": Float(low=0, high=1) for i in range(dimensions)})
    problem = Problem(
        space=space, objectives=(Objective(metric="y", goal="min", reference=99),)
    )
    optimizer = Qnehvi(initial, mc_samples=2, raw_candidates=2, iterations=1)
    story, origins = Story(problem), []
    for number in range(expected + 1):
        (proposal,) = optimizer.propose(problem, story.history, 1, SEED)
        origins.append(proposal.origin)
        story.finish(append_proposal(story, proposal), y=float(number))
    assert origins == ["sobol"] * expected + ["qnehvi"]
