"""Survival: pymoo's own choice, and fronts small enough to judge by hand."""

from __future__ import annotations

import importlib.util
import itertools
import warnings

import numpy as np
import pytest
from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
from pymoo.algorithms.moo.sms import LeastHypervolumeContributionSurvival
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
from pymoo.util.ref_dirs import get_reference_directions

from moosnn.optimizers.survival import ALGORITHMS, directions, survive
from moosnn.pareto.hypervolume import hypervolume

NEEDS_NUMBA = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None,
    reason="pymoo's AGE-MOEA-II needs numba, which is not installed",
)
ALL = [
    pytest.param(name, marks=NEEDS_NUMBA if name == "age_moea2" else ())
    for name in ALGORITHMS
]


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def cloud(count: int, objectives: int):
    """Several fronts; those that survive range from 0 to 1, thanks to the corners."""
    points = np.random.default_rng(count).random((count, objectives))
    points[:objectives] = np.eye(objectives)
    return points


def sphere(count: int, objectives: int):
    """One concave front from 0 to 1 on each axis."""
    points = np.abs(np.random.default_rng(count).normal(size=(count, objectives)))
    points[:objectives] = np.eye(objectives)
    return points / np.linalg.norm(points, axis=1)[:, None]


def chosen(algorithm, losses, count) -> set[int]:
    return {s.index for s in survive(algorithm, np.array(losses), count, rng())}


def pymoos(survival, losses, count) -> set[int]:
    """What pymoo keeps, asked without us."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        kept = survival.do(
            Problem(n_var=1, n_obj=losses.shape[1]),
            Population.new("F", losses.copy()),
            n_survive=count,
            random_state=rng(),
            return_indices=True,
        )
    return {int(k) for k in kept}


# Simplex lattices with 2, 3 and 4 objectives; the last one has two layers.
LATTICES = {2: (11, 12), 3: (3, 12), 4: (2, 14)}


@pytest.mark.parametrize("points", [cloud, sphere])
@pytest.mark.parametrize("objectives", [2, 3, 4])
class TestPymoo:
    """The same population, whose best range from 0 to 1, shown to pymoo directly."""

    def test_nsga2(self, points, objectives) -> None:
        losses = points(60, objectives)
        expected = pymoos(RankAndCrowding(), losses, 12)
        assert chosen("nsga2", losses, 12) == expected

    def test_nsga3(self, points, objectives) -> None:
        losses = points(60, objectives)
        partitions, count = LATTICES[objectives]
        toward = get_reference_directions(
            "uniform", objectives, n_partitions=partitions
        )
        if objectives == 4:
            inner = get_reference_directions(
                "uniform", 4, n_partitions=partitions - 1, scaling=0.5
            )
            toward = np.concatenate([toward, inner])
        expected = pymoos(ReferenceDirectionSurvival(toward), losses, count)
        assert chosen("nsga3", losses, count) == expected

    @NEEDS_NUMBA
    def test_age_moea2(self, points, objectives) -> None:
        from pymoo.algorithms.moo.age2 import AGEMOEA2Survival

        losses = points(60, objectives)
        expected = pymoos(AGEMOEA2Survival(), losses, 12)
        assert chosen("age_moea2", losses, 12) == expected

    def test_sms_emoa(self, points, objectives) -> None:
        losses = points(60, objectives)
        expected = pymoos(LeastHypervolumeContributionSurvival(), losses, 12)
        assert chosen("sms_emoa", losses, 12) == expected


def volume_by_inclusion_and_exclusion(losses, corner) -> float:
    """The union of the boxes between some points and a corner."""
    return sum(
        (-1) ** (size + 1) * np.prod(corner - np.max(some, axis=0))
        for size in range(1, len(losses) + 1)
        for some in itertools.combinations(losses, size)
    )


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_sms_emoa_drops_the_least_contributor_again_and_again(objectives) -> None:
    losses = sphere(9, objectives)
    left, corner = list(range(9)), np.full(objectives, 11.0)
    while len(left) > 6:
        volumes = [
            volume_by_inclusion_and_exclusion(
                losses[[j for j in left if j != i]], corner
            )
            for i in left
        ]
        del left[int(np.argmax(volumes))]
    assert chosen("sms_emoa", losses, 6) == set(left)


@pytest.mark.parametrize("algorithm", ALL)
def test_of_twins_on_a_straight_front_one_goes(algorithm) -> None:
    front = [[0, 1], [0.5, 0.5], [0.51, 0.49], [1, 0]]
    kept = chosen(algorithm, front, 3)
    assert kept in ({0, 1, 3}, {0, 2, 3})


def test_nsga3_keeps_the_points_that_lie_on_its_directions() -> None:
    """Three partitions: ten directions; beside each lies a point a bit off."""
    on = directions(3, 10)
    off = np.abs(on + np.array([0.05, -0.02, -0.03]))
    off /= off.sum(axis=1)[:, None]
    beside = off[~np.isclose(on.max(axis=1), 1)]  # else the corners would move
    assert chosen("nsga3", np.concatenate([beside, on]), 10) == set(range(7, 17))


@pytest.mark.parametrize("algorithm", ALL)
def test_the_better_front_survives_whole(algorithm) -> None:
    front = sphere(6, 3)
    survivors = survive(algorithm, np.concatenate([front + 0.5, front]), 8, rng())
    assert {s.index for s in survivors} > set(range(6, 12))
    assert len(survivors) == 8
    assert {s.index for s in survivors if s.rank == 0} == set(range(6, 12))


@pytest.mark.parametrize("algorithm", ALL)
def test_with_one_objective_the_smallest_survive(algorithm) -> None:
    losses = np.array([[3.0], [1.0], [2.0], [1.0], [5.0]])
    survivors = survive(algorithm, losses, 3, rng())
    assert [s.index for s in survivors] == [1, 3, 2]
    assert [s.rank for s in survivors] == [0, 0, 1]


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_any_number_of_equal_points(algorithm, objectives, count) -> None:
    for alike in (1, 2, 30):
        losses = np.full((alike, objectives), -0.7)
        kept = survive(algorithm, losses, count, rng())
        assert len({s.index for s in kept}) == min(alike, count)
        assert not np.isnan([(s.rank, s.crowding) for s in kept]).any()


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("constant", [0, 1])
def test_an_axis_on_which_nothing_differs(algorithm, objectives, constant) -> None:
    losses = cloud(25, objectives)
    losses[:, constant] = 1e-13
    for count in (2, 7):
        kept = survive(algorithm, losses, count, rng())
        assert len({s.index for s in kept}) == count
        assert not np.isnan([(s.rank, s.crowding) for s in kept]).any()


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("objectives", [2, 3])
def test_the_units_of_an_axis_change_nothing(algorithm, objectives) -> None:
    """Joules or nanojoules; powers of two, so that nothing is rounded."""
    losses = np.round(cloud(60, objectives) * 2**20) / 2**20
    other = losses.copy()
    other[:, 0] = (other[:, 0] - 3) * 2.0**-60
    other[:, 1] = (other[:, 1] + 5) * 2.0**40
    assert chosen(algorithm, losses, 9) == chosen(algorithm, other, 9)


@pytest.mark.parametrize("algorithm", ["nsga2", "nsga3", "sms_emoa"])
def test_a_hopeless_point_changes_nothing(algorithm) -> None:
    front = sphere(30, 2)
    outlier = np.array([[2.0, 1e6]])
    assert chosen(algorithm, front, 8) == chosen(
        algorithm, np.concatenate([front, outlier]), 8
    )


@pytest.mark.parametrize("algorithm", ALL)
def test_the_losses_are_left_alone_and_the_answer_is_repeatable(algorithm) -> None:
    losses = cloud(50, 3)
    before = losses.copy()
    first = survive(algorithm, losses, 10, rng())
    assert survive(algorithm, losses, 10, rng()) == first
    np.testing.assert_array_equal(losses, before)


def test_pymoo_does_not_silence_the_process() -> None:
    before = list(warnings.filters)
    survive("nsga3", sphere(40, 3), 10, rng())
    assert list(warnings.filters) == before


def test_a_large_front_is_thinned_nearly_as_well_in_blocks() -> None:
    losses = sphere(350, 3)
    corner = np.full(3, 1.1)
    blocks = losses[list(chosen("sms_emoa", losses, 20))]
    whole = losses[list(pymoos(LeastHypervolumeContributionSurvival(), losses, 20))]
    assert hypervolume(blocks, corner) > 0.99 * hypervolume(whole, corner)
    assert len(blocks) == 20


@pytest.mark.parametrize(
    ("objectives", "count", "expected"),
    [
        (2, 1, 1),  # the middle only
        (2, 2, 2),  # the corners
        (2, 20, 20),
        (3, 4, 4),  # corners and middle
        (3, 20, 15),  # four partitions
        (4, 3, 1),
        (4, 20, 14),  # two partitions, and four directions inside
        (4, 40, 35),  # four partitions
        (5, 20, 20),  # 15 + 5
    ],
)
def test_directions(objectives, count, expected) -> None:
    toward = directions(objectives, count)
    assert toward.shape == (expected, objectives)
    np.testing.assert_allclose(toward.sum(axis=1), 1)
    assert len(np.unique(toward.round(9), axis=0)) == expected
    assert (toward >= 0).all()


@pytest.mark.parametrize(("objectives", "count"), [(2, 20), (3, 4), (4, 20), (5, 40)])
def test_some_direction_points_inside(objectives, count) -> None:
    assert (directions(objectives, count).min(axis=1) > 0).any()
