"""Trust regions: the contract, traces by hand, centres, candidates, draws, searches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from moosnn.__main__ import main
from moosnn.errors import ConfigError
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.boxes import beginnings, everywhere, in_box, weights_of
from moosnn.optimizers.centres import centres_of, ended_centres
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.outcomes import Block
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.regions import (
    Known,
    Region,
    Rules,
    origin_of,
    replayed,
    total_violations,
)
from moosnn.optimizers.sobol import Sobol
from moosnn.optimizers.surrogate import Hyper
from moosnn.optimizers.thompson import DrawnFunction, added_volume, drawn_order
from moosnn.optimizers.trust_region import TrustRegion
from moosnn.pareto.cells import cells_of
from moosnn.pareto.front import front_of
from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Constraint, Objective, Problem
from moosnn.space import Choice, Float, Int, Space
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import Evaluation, Proposal
from tests.contracts.optimizers import OptimizerContract
from tests.helpers import Story, append_proposal, load_problem, load_space, run_loop


class TestContract(OptimizerContract):
    @pytest.fixture
    def make(self) -> Callable[[], Optimizer]:
        return lambda: TrustRegion(candidates=64)


def problem_of(
    dim: int = 4, objectives: int = 1, constraints: tuple[str, ...] = ("c",)
) -> Problem:
    """Minimise y (or y1, y2) in a unit cube, subject to c <= 0."""
    names = ["y"] if objectives == 1 else [f"y{k + 1}" for k in range(objectives)]
    return Problem(
        space=Space({f"x{k + 1}": Float(low=0.0, high=1.0) for k in range(dim)}),
        objectives=tuple(
            Objective(metric=n, goal="min", reference=10.0) for n in names
        ),
        constraints=tuple(Constraint(metric=n) for n in constraints),
    )


class Told(Story):
    """A story whose trials have origins."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def proposed(self, origin: str = "sobol", x: float | None = None) -> int:
        """A pending trial; each lies somewhere else."""
        number = self.history.proposals
        at = [(number + 1) / 1000 if x is None else x] * len(self.problem.space)
        params = self.problem.space.decode(at)
        seen = len(self.history)
        return append_proposal(
            self,
            Proposal(number=number, params=params, seed=0, origin=origin, seen=seen),
        )

    def ended(self, origin: str = "sobol", **metrics: float) -> int:
        number = self.proposed(origin)
        self.finish(number, **metrics)
        return number


# --- the state machine -------------------------------------------------------------


def lengths(results: str, at_once: int, rules: Rules) -> list[tuple[float, int]]:
    """Length and life after each result, + or -."""
    region, found = Region(length=rules.initial_length), []
    for result in results:
        region = region.after(result == "+", at_once, rules)
        found.append((region.length, region.life))
    return found


def test_a_trace_of_single_results_by_hand() -> None:
    rules = Rules(dim=4)  # four failures in a row, three successes in a row
    results = "---" + "-" + "++" + "-" + "+++" + "+++" + "+++" + "----"
    by_hand = [0.8] * 3 + [0.4] + [0.4] * 2 + [0.4] + [0.4, 0.4, 0.8]
    by_hand += [0.8, 0.8, 1.6] + [1.6] * 3 + [1.6] * 3 + [0.8]
    assert lengths(results, 1, rules) == [(length, 0) for length in by_hand]


def test_a_region_that_is_too_short_begins_a_new_life_at_full_length() -> None:
    halves = [0.8, 0.4, 0.2, 0.1, 0.05, 0.025, 0.0125]
    by_hand = [(length, 0) for length in halves for _ in range(4)][1:]
    by_hand += [(0.8, 1)]  # 0.00625 < 2^-7 = 0.0078125
    assert lengths("-" * 28, 1, Rules(dim=4)) == by_hand


def test_rounds_of_three_workers_by_hand() -> None:
    rules = Rules(dim=6)  # ceil(6 / 3) = 2 rounds that fail
    results = "-+-" + "---" + "--+" + "---" + "---" + "+--" * 3
    by_hand = [0.8] * 14 + [0.4] * 9 + [0.8]
    assert [length for length, _ in lengths(results, 3, rules)] == by_hand


@pytest.mark.parametrize(
    ("dim", "at_once", "rounds"),
    [(18, 16, 2), (20, 32, 1), (17, 32, 1), (17, 16, 2), (2, 1, 4), (12, 1, 12)],
)
def test_failures_that_are_tolerated(dim: int, at_once: int, rounds: int) -> None:
    """The first four are those of the four searches of Firmin et al."""
    assert Rules(dim=dim).failure_tolerance(at_once) == rounds


# --- who is charged ----------------------------------------------------------------


def test_results_are_charged_to_the_region_that_proposed() -> None:
    problem = problem_of()
    story = Told(problem)
    story.ended(y=5.0, c=-1.0)
    first, second = (story.proposed(origin_of(k)) for k in (0, 1))
    story.finish(second, y=4.0, c=-1.0)
    story.finish(first, y=4.5, c=-1.0)  # later, and worse than what came meanwhile
    story.ended("sobol", y=3.0, c=-1.0)  # no region's
    story.ended("region-9", y=2.0, c=-1.0)  # of a study that had more regions
    one, two = replayed(problem, story.history, Rules(dim=4), 2).states
    assert (one.successes, one.failures) == (0, 1)
    assert (two.successes, two.failures) == (1, 0)


def test_late_and_mixed_results_by_hand() -> None:
    problem, rules = problem_of(), Rules(dim=4)
    story = Told(problem)

    def state() -> Region:
        return replayed(problem, story.history, rules, 1).states[0]

    story.ended(y=5.0, c=-1.0)
    a, b, late = (story.proposed("region-1") for _ in range(3))
    story.finish(a, y=6.0, c=-1.0)
    assert (state().results, state().round_size) == (1, 3)  # three were running
    story.finish(b, y=6.0, c=-1.0)
    story.ended("region-1", y=6.0, c=-1.0)  # it completes the round
    assert (state().results, state().failures) == (0, 1)
    d = story.proposed("region-1")
    story.finish(d, y=6.0, c=-1.0)  # a round of two: this one and the late one
    assert (state().results, state().round_size) == (1, 2)
    story.ended("region-1", y=6.0, c=-1.0)  # two failures = ceil(4 / 2)
    assert state() == Region(length=0.4, stage=1)
    story.finish(late, y=1.0, c=-1.0)  # proposed when the length was 0.8
    assert state() == Region(length=0.4, stage=1)
    regions = replayed(problem, story.history, rules, 1)
    centre = centres_of(problem, story.history, regions)
    assert centre == [story.history.trial(late).proposal.params]


def test_a_proposal_belongs_to_the_length_that_its_optimizer_had_seen() -> None:
    problem = problem_of()
    story = Told(problem)
    story.ended(y=5.0, c=-1.0)
    for _ in range(3):
        story.ended("region-1", y=6.0, c=-1.0)
    running = story.proposed("region-1")
    story.finish(running, y=6.0, c=-1.0)
    seen = len(story.history) - 1  # all but the fourth failure
    params = problem.space.decode([0.5] * 4)
    ahead = Proposal(number=5, params=params, seed=0, origin="region-1", seen=seen)
    append_proposal(story, ahead)
    owners = replayed(problem, story.history, Rules(dim=4), 1).owners
    assert owners[running].stage == 0
    assert owners[5].stage == 0
    assert owners[story.proposed("sobol") - 1] == owners[5]


@pytest.mark.parametrize(("kind", "charged"), [("lost", 0), ("crashed", 1)])
def test_only_failures_of_the_network_are_results(kind: str, charged: int) -> None:
    problem = problem_of()
    story = Told(problem)
    story.ended(y=5.0, c=-1.0)
    story.fail(story.proposed("region-1"), kind)
    (state,) = replayed(problem, story.history, Rules(dim=4), 1).states
    assert state.failures == charged


# --- progress ----------------------------------------------------------------------


def progress(problem: Problem, *metrics: Mapping[str, float]) -> list[bool]:
    """Whether each of some trials is progress over those before."""
    known, story = Known(problem), Told(problem)
    numbers = [story.ended(**each) for each in metrics]
    return [known.improved_by(story.history.trial(n)) for n in numbers]


def test_progress_of_one_objective_by_hand() -> None:
    found = progress(
        problem_of(),
        {"y": 1.0, "c": 3.0},
        {"y": 9.0, "c": 2.0},  # violates less
        {"y": 9.0, "c": 1.999},  # hardly
        {"y": 9.0, "c": -1.0},  # the first feasible one
        {"y": 0.0, "c": 0.1},  # no longer feasible
        {"y": 8.995, "c": -1.0},  # 0.06 % better
        {"y": 8.9, "c": 0.0},
    )
    assert found == [True, True, False, True, False, False, True]


def test_progress_of_two_objectives_by_hand() -> None:
    found = progress(
        problem_of(objectives=2),
        {"y1": 20.0, "y2": 5.0, "c": -1.0},  # feasible, not better than (10, 10)
        {"y1": 15.0, "y2": 5.0, "c": -1.0},  # falls less short
        {"y1": 16.0, "y2": 1.0, "c": -1.0},
        {"y1": 8.0, "y2": 8.0, "c": -1.0},  # a volume of 4
        {"y1": 9.0, "y2": 7.998, "c": -1.0},  # adds 0.002
        {"y1": 9.0, "y2": 7.0, "c": -1.0},  # adds 1
        {"y1": 8.5, "y2": 9.0, "c": -1.0},  # dominated
    )
    assert found == [True, True, False, True, False, True, False]


def test_slack_in_one_constraint_does_not_make_up_for_another() -> None:
    violations = np.array([[1.0, -100.0], [0.9, 0.9], [3.0, 0.0]])
    spread = violations.std(axis=0)
    by_hand = [1 / spread[0], 0.9 / spread[0] + 0.9 / spread[1], 3 / spread[0]]
    np.testing.assert_allclose(total_violations(violations), by_hand)
    problem = problem_of(constraints=("c", "d"))
    slack, close = {"y": 0.0, "c": 1.0, "d": -100.0}, {"y": 0.0, "c": 0.9, "d": 0.9}
    assert progress(problem, slack, close) == [True, True]  # the plain sum grew
    story = Told(problem)
    story.ended(**slack)
    best = story.ended(**close)
    regions = replayed(problem, story.history, Rules(dim=4), 1)
    wanted = story.history.trial(best).proposal.params
    assert centres_of(problem, story.history, regions) == [wanted]


# --- centres -----------------------------------------------------------------------


def centre_numbers(problem: Problem, story: Told, count: int) -> list[int]:
    """Which trials the regions lie around."""
    regions = replayed(problem, story.history, Rules(dim=4), count)
    found = centres_of(problem, story.history, regions)
    points = [t.proposal.params for t in story.history.trials]
    return [points.index(centre) for centre in found if centre]


def test_a_centre_is_feasible_before_it_is_good() -> None:
    problem = problem_of()
    story = Told(problem)
    story.ended(y=0.0, c=2.0)
    least = story.ended(y=9.0, c=1.0)
    assert centre_numbers(problem, story, 1) == [least]
    feasible = story.ended(y=20.0, c=-0.1)
    assert centre_numbers(problem, story, 1) == [feasible]
    better = story.ended(y=19.0, c=0.0)
    story.finish(story.proposed(), stopped="pruned", c=-1.0)
    assert centre_numbers(problem, story, 1) == [better]


def test_centres_along_a_front_by_what_they_add() -> None:
    problem = problem_of(objectives=2)
    story = Told(problem)
    ends = [story.ended(y1=1.0, y2=9.0, c=-1.0), story.ended(y1=9.0, y2=4.0, c=-1.0)]
    middle = story.ended(y1=5.0, y2=5.0, c=-1.0)
    behind = story.ended(y1=6.0, y2=6.0, c=-1.0)
    # They add (10 - 9) (5 - 1) = 4, (10 - 9) (5 - 4) = 1 and (9 - 5) (9 - 5) = 16.
    assert centre_numbers(problem, story, 3) == [middle, *ends]
    assert centre_numbers(problem, story, 4) == [middle, *ends, behind]
    assert centre_numbers(problem, story, 5)[4] == middle  # no other is left


def shrunk(problem: Problem) -> Told:
    """A region that has given up at once: five results, 0.8 / 2 is too short."""
    story = Told(problem)
    for k in range(12):
        x = (k + 0.5) / 12
        story.finish(story.proposed("sobol", x), y=abs(x - 0.25), c=x - 0.6)
    for k in range(4):
        x = 0.24 - k / 100
        story.finish(story.proposed("region-1", x), y=1.0, c=x - 0.6)
    return story


def test_a_new_life_begins_among_the_feasible_and_far_away() -> None:
    problem = problem_of(dim=2)
    story = shrunk(problem)
    rules = Rules(dim=2, smallest_length=0.5)
    regions = replayed(problem, story.history, rules, 1)
    assert regions.states == (Region(length=0.8, life=1, stage=1),)
    assert centres_of(problem, story.history, regions) == [None]
    (old,) = ended_centres(problem, story.history, regions)
    assert old["x1"] == pytest.approx(0.24)

    optimizer = TrustRegion(noise_share=0.0003, smallest_length=0.5, initial=5)
    for seed in range(3):
        one, two = optimizer.propose(problem, story.history, 2, seed)
        assert one.origin == two.origin == "region-1"
        x = np.array(list(one.params.values()))
        assert x.mean() < 0.62  # c is the mean of the coordinates minus 0.6
        assert np.abs(x - 0.24).max() > 0.15
    append_proposal(story, one)
    regions = replayed(problem, story.history, rules, 1)
    assert centres_of(problem, story.history, regions) == [one.params]
    worse = story.ended("region-1", y=5.0, c=-0.1)  # bad, but of this life
    regions = replayed(problem, story.history, rules, 1)
    found = centres_of(problem, story.history, regions)
    assert found == [story.history.trial(worse).proposal.params]


# --- candidates --------------------------------------------------------------------


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_candidates_fill_the_box_and_stay_in_it() -> None:
    cube = Cube(problem_of(dim=3).space)
    centre, sides = np.array([[0.5, 0.1, 0.5]]), np.array([0.2, 0.4, 4.0])
    points = in_box(cube, centre, sides, 1024, rng())
    assert points.shape == (1024, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    assert (low >= [0.4, 0.0, 0.0]).all()
    assert (low <= [0.43, 0.0, 0.0]).all()
    assert (high <= [0.6, 0.3, 1.0]).all()
    assert (high >= [0.57, 0.24, 1.0]).all()
    assert (points != centre).any(axis=1).all()


def test_at_most_about_twenty_coordinates_move() -> None:
    cube = Cube(problem_of(dim=100).space)
    moved = in_box(cube, np.full((1, 100), 0.5), np.full(100, 0.2), 256, rng()) != 0.5
    assert moved.sum(axis=1).min() >= 1
    assert moved.sum(axis=1).max() < 40
    assert moved.any(axis=0).all()


def test_steps_and_options_move_in_small_boxes() -> None:
    space = Space(
        {
            "x": Float(low=0.0, high=1.0),
            "n": Int(low=1, high=10),
            "k": Choice(options=("a", "b", "c")),
        }
    )
    cube = Cube(space)
    centre = cube.encoded([{"x": 0.5, "n": 4, "k": "b"}])
    decoded = [
        cube.decoded(p) for p in in_box(cube, centre, np.full(3, 0.05), 4096, rng())
    ]
    assert {point["n"] for point in decoded} == {3, 4, 5}
    assert {point["k"] for point in decoded} == {"a", "b", "c"}
    assert np.mean([point["n"] == 4 for point in decoded]) > 0.7
    assert np.mean([point["k"] == "b" for point in decoded]) > 0.9


def test_what_wakes_may_be_anything() -> None:
    space = load_space("mixed_conditional")
    cube = Cube(space)
    points = in_box(cube, everywhere(cube, 1, rng())[:1], np.full(8, 0.3), 512, rng())
    np.testing.assert_array_equal(cube.snapped(points)[0], points)
    assert len(np.unique(cube.active(points), axis=0)) > 1


def surrogates_on(
    points: np.ndarray, gains: list[np.ndarray], violations: list[np.ndarray]
) -> Surrogates:
    """Processes of unit scale whose values are known nearly exactly."""
    dim = points.shape[1]
    hyper = Hyper(np.log(np.linspace(0.3, 0.6, dim)), math.log(1e-4), 0.0)
    values = np.stack([*gains, *violations], axis=1)
    zero = np.zeros_like(values)
    count = values.shape[1]
    near = np.zeros(count, dtype=bool)
    block = Block(points, values, zero[0], zero, zero, np.arange(count), near)
    return Surrogates(
        gps=tuple(Gp.of(block, k, hyper, np.arange(dim)) for k in range(count)),
        gains=len(gains),
        zeros=np.zeros(count),
        constraint=np.arange(len(violations)),
        log_weights=np.zeros(len(violations)),
        far=near[len(gains) :],
    )


def test_sides_are_weighted_by_lengthscales() -> None:
    cube = Cube(problem_of(dim=3).space)
    surrogates = surrogates_on(rng().random((4, 3)), [np.zeros(4)], [np.zeros(4)])
    weights = weights_of(surrogates, cube)
    expected = np.array([0.3, 0.45, 0.6]) / np.cbrt(0.3 * 0.45 * 0.6)
    np.testing.assert_allclose(weights, expected)


def test_beginnings_are_probably_feasible_and_the_farther_half() -> None:
    cube, known = Cube(problem_of(dim=2).space), rng().random((40, 2))
    surrogates = surrogates_on(known, [], [4 * (known[:, 0] - 0.5)])
    points = everywhere(cube, 512, rng())
    found = beginnings(surrogates, cube, points, np.array([[0.1, 0.1]]))
    assert (found[:, 0] < 0.55).all()
    assert 90 < len(found) < 170  # a half of a half of 512
    assert np.abs(found - 0.1).max(axis=1).min() > 0.2
    never = surrogates_on(known, [], [5 + known[:, 0]])
    assert 16 <= len(beginnings(never, cube, points, np.empty((0, 2)))) < 100


# --- draws -------------------------------------------------------------------------


def test_drawn_functions_have_the_moments_of_the_process() -> None:
    known = rng().random((12, 2))
    (gp,) = surrogates_on(known, [np.sin(5 * known[:, 0])], []).gps
    points = rng().random((6, 2))
    generator = rng()
    draws = np.stack([DrawnFunction(gp, generator)(points) for _ in range(2000)])
    means, factor, _ = gp.joint(points)
    np.testing.assert_allclose(draws.mean(axis=0), means[:, 0], atol=0.05)
    np.testing.assert_allclose(np.cov(draws.T), factor @ factor.T, atol=0.05)
    assert np.abs(
        DrawnFunction(gp, generator)(known) - np.sin(5 * known[:, 0])
    ).max() < (0.1)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_added_volume_is_a_difference_of_hypervolumes(axes: int) -> None:
    front, points = rng().random((6, axes)), rng().random((40, axes)) * 1.3 - 0.2
    reference = np.full(axes, 0.1)
    found = added_volume(points, cells_of(front, reference))
    whole = hypervolume(-front, -reference)
    by_hand = [hypervolume(-np.vstack([front, p]), -reference) - whole for p in points]
    np.testing.assert_allclose(found, by_hand, atol=1e-12)


def test_the_order_of_a_draw_is_feasible_first() -> None:
    points = np.linspace(0.0, 1.0, 12)[:, None]
    gain, violation = 1 + points[:, 0], 3 * (points[:, 0] - 0.7)
    surrogates = surrogates_on(points, [gain], [violation])
    nothing = np.empty((0, 1))
    order = drawn_order(surrogates, points, points[:2], nothing, rng())
    feasible = (violation <= 0).sum()
    assert order.tolist() == [
        *reversed(range(feasible)),  # by the gain
        *range(feasible, len(points)),  # by the violation
    ]


def test_where_a_pending_point_is_there_is_little_left_to_add() -> None:
    at = np.linspace(0.0, 1.0, 21)[:, None]
    one = np.exp(-(((at[:, 0] - 0.2) / 0.1) ** 2)) + 0.5
    two = np.exp(-(((at[:, 0] - 0.8) / 0.1) ** 2)) + 0.5
    surrogates = surrogates_on(at, [one + 0.3, two], [])
    nothing = np.empty((0, 1))
    first = drawn_order(surrogates, at, nothing, nothing, rng())[0]
    second = drawn_order(surrogates, at, nothing, at[[first]], rng())[0]
    assert abs(at[first, 0] - 0.2) < 0.06 or abs(at[first, 0] - 0.8) < 0.06
    assert abs(at[first, 0] + at[second, 0] - 1.0) < 0.06


# --- searches ----------------------------------------------------------------------


class Bowl:
    """A bowl whose bottom is infeasible: best where the plane cuts it, at 0.054."""

    def evaluate(self, proposal: Proposal, context: object) -> Evaluation:
        x = np.array(list(proposal.params.values()), dtype=float)
        y = float(((x - 0.3) ** 2).sum())
        return Evaluation(metrics={"y": y, "c": 1.8 + 0.6 - float(x.sum())})


def best_feasible(optimizer: Optimizer, seed: int) -> float:
    problem = problem_of(dim=6)
    history = run_loop(problem, optimizer, Bowl(), 40, seed, workers=3)
    return float(
        problem.losses([t for t in history.done if problem.is_feasible(t)]).min()
    )


def test_one_constrained_objective_is_found_where_sobol_does_not() -> None:
    best = 6 * 0.1**2
    assert (
        best_feasible(TrustRegion(candidates=512, noise_share=0.0003), 0) < best + 0.02
    )
    assert best_feasible(Sobol(), 0) > best + 0.05


def test_several_regions_beat_sobol_on_a_front() -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    found = [
        front_of(problem, run_loop(problem, optimizer, task, 60, 1).done).hypervolume
        for optimizer in (TrustRegion(candidates=384, noise_share=0.0003), Sobol())
    ]
    assert found[0] > 590  # of 608.4
    assert found[1] < 560


def test_origins_name_regions() -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    history = run_loop(problem, TrustRegion(candidates=64, regions=2), task, 12, 0)
    origins = [t.proposal.origin for t in history.trials]
    assert origins[:5] == ["sobol"] * 5
    assert set(origins[5:]) == {"region-1", "region-2"}


@pytest.mark.parametrize("settings", [{"candidates": 2}, {"regions": 100}])
def test_a_region_has_two_candidates_at_least(settings: dict[str, int]) -> None:
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    history = run_loop(problem, TrustRegion(**settings), task, 8, 0)  # type: ignore[arg-type]  # ints alone
    assert [t.proposal.origin[:7] for t in history.trials[5:]] == ["region-"] * 3


def test_a_single_region_needs_two_candidates_only() -> None:
    with pytest.raises(
        ConfigError, match=r"optimizer.candidates: expected a whole number >= 2, got 1"
    ):
        TrustRegion(candidates=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"regions": 0},
        {"regions": 101},
        {"candidates": 1},
        {"candidates": 7, "regions": 4},
        {"initial_length": 0.001},
        {"largest_length": 0.5},
        {"success_tolerance": 0},
        {"noise_share": 0.0},
        {"noise_share": 1.1},
        {"initial": 2.5},
    ],
)
def test_a_bad_argument_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"optimizer.{next(iter(wrong))}: expected"):
        TrustRegion(**wrong)  # type: ignore[arg-type]  # that is what is tried


# --- the searches of Firmin et al. ---------------------------------------------------


@pytest.mark.parametrize("name", ["firmin_mnist", "firmin_dvs_gesture"])
def test_a_published_search_asks_for_its_data(
    name: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["moosnn"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main([f"+experiment={name}"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("moosnn: data.root: expected the folder of the data set")


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("firmin_mnist_stdp", 18),
        ("firmin_dvs_gesture_stdp", 19),  # published: 20; no reset within a sample here
        ("firmin_mnist_slayer", 17),
        ("firmin_dvs_gesture_slayer", 17),
    ],
)
def test_a_published_space_has_as_many_parameters(name: str, dim: int) -> None:
    assert len(load_space(f"published/{name}")) == dim
