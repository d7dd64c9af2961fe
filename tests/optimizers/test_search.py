"""The search against dense sweeps of scores whose largest value is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from moosnn.optimizers.base import Fresh
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.search import (
    Effort,
    Instead,
    _neighbours,
    best_point,
    candidates,
)
from moosnn.problem import Floats, Objective, Problem
from moosnn.space import Choice, Float, Int, Params, Space, Value
from tests.helpers import Story, load_space
from tests.optimizers.oracles import differences

SPACE = Space(
    {
        "x": Float(low=0, high=1),
        "k": Int(low=1, high=5),
        "c": Choice(options=("a", "b", "c")),
    }
)
NONE = np.empty((0, 3))
QUICK = Effort(32, 2, 30)


@dataclass
class Formula:
    """A score given by its values; its slopes are differences."""

    function: Callable[[Floats], Floats]

    def values(self, points: Floats) -> Floats:
        return self.function(points)

    def slopes(self, points: Floats) -> tuple[Floats, Floats]:
        return self.function(points), differences(self.function, points)


def problem_of(space: Space, admissible: str | None = None) -> Problem:
    objective = Objective(metric="y", goal="min", reference=1)
    return Problem(space=space, objectives=(objective,), admissible=admissible)


def fresh_of(problem: Problem) -> Fresh:
    return Fresh(problem, Story(problem).history)


def searched(
    score: Formula,
    space: Space = SPACE,
    *,
    bases: Floats | None = None,
    fresh: Callable[[Params], bool] | None = None,
    seed: int = 0,
    effort: Effort = QUICK,
    instead: Instead | None = None,
    rough: Formula | None = None,
) -> dict[str, Value] | None:
    return best_point(
        score,
        Cube(space),
        np.empty((0, len(space))) if bases is None else bases,
        fresh or fresh_of(problem_of(space)),  # type: ignore[arg-type]
        rng=np.random.default_rng(seed),
        effort=effort,
        instead=instead,
        rough=rough,
    )


def feature(params: Params, space: Space = SPACE) -> Floats:
    return Cube(space).features_of([params])[0]


def near(best: Params, space: Space = SPACE) -> Formula:
    """Falls with the squared distance from where a point is placed."""
    place = feature(best, space)
    return Formula(lambda points: -((points - place) ** 2).sum(1))


@pytest.mark.parametrize("seed", range(4))
def test_the_best_mixed_point_is_found(seed) -> None:
    score = near({"x": 0.37, "k": 4, "c": "b"})
    found = searched(score, seed=seed)
    assert found["x"] == pytest.approx(0.37, abs=1e-4)
    assert (found["k"], found["c"]) == (4, "b")


def wavy(points: Floats) -> Floats:
    """Many hills, one of them highest."""
    waves = np.sin(9 * points[:, 0]) * np.cos(7 * points[:, 1]) + points[:, 0] / 2
    return waves - ((points[:, 2:] - 0.4) ** 2).sum(1)


@pytest.mark.parametrize("seed", range(3))
def test_no_point_of_a_dense_grid_is_better(seed) -> None:
    space = Space({name: Float(low=0, high=1) for name in "abc"})
    found = searched(Formula(wavy), space, seed=seed, effort=Effort(128, 4, 40))
    grid = np.linspace(0, 1, 41)
    sweep = np.array(list(itertools.product(grid, grid, grid)))
    assert wavy(feature(found, space)[None])[0] >= wavy(sweep).max() - 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_no_point_of_a_whole_conditional_space_is_better(seed) -> None:
    """Every point of a space of steps and options is enumerated."""
    space = Space.from_config(
        {
            "kind": {"choice": ["a", "b", "c"]},
            "depth": {"int": [1, 6]},
            "share": {"float": [0, 1], "step": 0.25, "when": {"kind": ["a", "b"]}},
            "skip": {"choice": [False, True], "when": {"depth": {"min": 3}}},
            "extra": {"int": [1, 9], "step": 2, "when": {"skip": True}},
        }
    )
    weights = np.random.default_rng(seed).standard_normal(
        (2, len(Cube(space).parameter_of))
    )

    def rough(points: Floats) -> Floats:
        return np.sin(3 * points @ weights[0]) + points @ weights[1]

    values = [p.values() for p in space.parameters.values()]
    whole = {
        tuple(space.canonical(dict(zip(space, point, strict=True))).values())
        for point in itertools.product(*values)
    }
    best = max(
        rough(feature(dict(zip(space, point, strict=True)), space)[None])[0]
        for point in whole
    )
    found = searched(Formula(rough), space, seed=seed, effort=Effort(256, 4, 20))
    assert tuple(found.values()) in whole
    assert rough(feature(found, space)[None])[0] == pytest.approx(best, abs=1e-9)


def test_points_are_canonical() -> None:
    space = load_space("toy_snn")
    seen = set()
    for seed in range(8):
        target = space.decode(np.random.default_rng(seed).random(len(space)).tolist())
        found = searched(near(target, space), space, seed=seed)
        assert found == space.canonical(found)
        seen.add(found["neuron"])
        for name in set(space) - {"width", "threshold", "penalty", "lr", "tau_steps"}:
            assert found[name] == target[name]
    assert len(seen) > 1


def kinks(points: Floats) -> Floats:
    slopes = np.random.default_rng(0).standard_normal((6, 6))
    return -np.abs((points - 0.37) @ slopes).max(axis=1)


def cusps(points: Floats) -> Floats:
    slopes = np.random.default_rng(0).standard_normal((6, 6))
    return -np.sqrt(np.abs((points - 0.37) @ slopes)).sum(axis=1)


@pytest.mark.parametrize("function", [kinks, cusps])
@pytest.mark.parametrize("iterations", [20, 40])
def test_where_slopes_mislead_evaluations_are_bounded(function, iterations) -> None:
    """Twice as many as iterations, and what a last line search takes (20)."""
    asked = []

    class Counted(Formula):
        def slopes(self, points: Floats) -> tuple[Floats, Floats]:
            asked.append(len(points))
            return super().slopes(points)

    space = Space({name: Float(low=0, high=1) for name in "abcdef"})
    effort = Effort(32, 1, iterations)
    assert searched(Counted(function), space, effort=effort) is not None
    assert iterations <= len(asked) <= 2 * iterations + 1 + 20


def test_only_fresh_points_are_found() -> None:
    space = Space({k: v for k, v in SPACE.parameters.items() if k != "x"})
    fresh = fresh_of(problem_of(space))
    score = Formula(lambda points: points[:, 0])
    order = []
    for _ in range(15):
        found = searched(score, space, fresh=fresh, effort=Effort(64, 2, 10))
        fresh.take(found)
        order.append((found["k"], found["c"]))
    assert set(order) == set(itertools.product(range(1, 6), "abc"))
    assert [k for k, _ in order] == sorted((k for k, _ in order), reverse=True)
    assert searched(score, space, fresh=fresh, effort=Effort(64, 2, 10)) is None


def test_only_what_a_rough_score_likes_is_scored() -> None:
    """Of two hills the lower one, if the rough score sees no other."""
    space = Space({"x": Float(low=0, high=1)})
    seen = []

    def hills(points: Floats) -> Floats:
        seen.append(len(points))
        high, low = (np.abs(points[:, 0] - at) for at in (0.2, 0.8))
        return np.maximum(1.0 - 4.0 * high, 0.5 - 4.0 * low)

    effort = Effort(256, 2, 30)
    assert searched(Formula(hills), space, effort=effort)["x"] == pytest.approx(0.2)
    assert seen[0] == 256
    seen.clear()
    rough = Formula(lambda points: points[:, 0])
    found = searched(Formula(hills), space, effort=effort, rough=rough)
    assert found["x"] == pytest.approx(0.8)
    assert seen[0] == 64


def test_a_rough_score_counts_only_fresh_points() -> None:
    space = Space({"k": Int(low=1, high=999)})
    rough = Formula(lambda points: -points[:, 0])

    def fresh(params: Params) -> bool:
        return int(params["k"]) > 900

    found = searched(rough, space, fresh=fresh, effort=Effort(512, 2, 0), rough=rough)
    assert found["k"] == pytest.approx(905, abs=4)
    no = searched(rough, space, fresh=lambda _: False, effort=QUICK, rough=rough)
    assert no is None


def test_only_admissible_points_are_found() -> None:
    space = load_space("toy_snn")
    fresh = fresh_of(problem_of(space, "tests.helpers.refuses_deep"))
    score = Formula(lambda points: points[:, 0])  # the deeper the better
    found = searched(score, space, fresh=fresh)
    assert found["depth"] == 2


def test_a_score_that_is_not_a_number_is_the_worst() -> None:
    def partly(points: Floats) -> Floats:
        return np.where(points[:, 0] > 0.5, np.nan, points[:, 0])

    with np.errstate(invalid="ignore"):
        found = searched(Formula(partly), effort=Effort(64, 2, 10))
    assert 0.4 < found["x"] <= 0.5


@pytest.mark.parametrize(("below", "place"), [(-9.0, 0.2), (9.0, 0.8)])
def test_where_a_score_promises_little_another_takes_its_place(below, place) -> None:
    space = Space({"x": Float(low=0, high=1)})
    low, high = near({"x": 0.2}, space), near({"x": 0.8}, space)
    found = searched(low, space, instead=Instead(score=high, below=below))
    assert found["x"] == pytest.approx(place, abs=1e-6)


def test_good_points_are_varied() -> None:
    """A needle that Sobol points miss is found from a point beside it."""
    space = Space({f"x{i}": Float(low=0, high=1) for i in range(12)})
    place = np.full(12, 0.3)
    place[3] = 0.8

    def needle(points: Floats) -> Floats:
        away = ((points - place) ** 2).sum(1)
        return np.where(away < 0.04, 1 - away, -1.0)

    beside = place.copy()
    beside[5] = 0.9
    score = Formula(needle)
    without = searched(score, space, effort=Effort(256, 2, 30))
    assert needle(feature(without, space)[None])[0] < 0
    found = searched(score, space, bases=beside[None], effort=Effort(512, 2, 30))
    assert needle(feature(found, space)[None])[0] == pytest.approx(1.0, abs=1e-6)


def test_candidates_lie_in_the_cube_and_vary_what_sleeps() -> None:
    cube = Cube(load_space("toy_snn"))
    bases, active = cube.snapped(np.random.default_rng(0).random((3, cube.dim)))
    points = candidates(cube, bases, np.random.default_rng(1), 64)
    assert len(points) == 64 + 32 + 32 + 16
    assert (points >= 0).all()
    assert (points <= 1).all()
    assert (~active).any()
    varied = points[64:]
    shared = (varied[:, None] == bases).any(1).mean(0)
    awake = active.all(0)
    assert (shared[awake] > 0.3).all()  # most coordinates are those of a base
    assert candidates(cube, bases[:0], np.random.default_rng(1), 64).shape == (
        64,
        cube.dim,
    )


def test_neighbours_are_one_step_away() -> None:
    cube = Cube(SPACE)
    found = _neighbours(cube, {"x": 0.5, "k": 1, "c": "a"})
    points = [cube.decoded(p) for p in found]
    assert [(p["k"], p["c"]) for p in points] == [(2, "a"), (1, "b"), (1, "c")]
    assert all(p["x"] == 0.5 for p in points)
    continuous = Cube(load_space("branin_currin"))
    assert len(_neighbours(continuous, {"x1": 0.5, "x2": 0.5})) == 0


def test_the_same_generator_finds_the_same_point() -> None:
    space = load_space("toy_snn")
    score = near(space.decode([0.4] * 9), space)
    assert searched(score, space, seed=5) == searched(score, space, seed=5)
