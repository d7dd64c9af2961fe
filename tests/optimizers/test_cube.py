"""Points as arrays: snapped as the space would, placed at the distances they have."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from moosnn.optimizers.cube import Cube
from moosnn.problem import Floats
from moosnn.space import Space
from tests.helpers import load_space
from tests.optimizers.oracles import differences

EVERYTHING = {
    "depth": {"int": [1, 4]},
    "width": {"int": [8, 256], "log": True},
    "steps": {"int": [3, 31], "step": 4},
    "kernel": {"int": [1, 21], "step": 5, "log": True},
    "rate": {"float": [1e-4, 1.0], "log": True},
    "share": {"float": [0, 1], "step": 0.1},
    "decay": {"float": [0.5, 8], "step": 0.25, "log": True},
    "free": {"float": [-2, 3]},
    "neuron": {"choice": ["if", "lif", "plif"]},
    "skip": {"choice": [False, True], "when": {"depth": {"min": 2}}},
    "tau": {
        "float": [1.05, 20],
        "log": True,
        "when": [{"neuron": ["lif", "plif"]}, {"depth": {"min": 3, "max": 3}}],
    },
    "blocks": {"int": [1, 6], "when": {"skip": True}},
    "gate": {"float": [0, 1], "when": {"blocks": {"min": 3}}},
    "mode": {"choice": ["a", "b"], "when": {"gate": {"max": 0.4}, "neuron": "lif"}},
}


def random_space(seed: int) -> Space:
    """Some of the parameters above, those that a ``when`` names included."""
    rng = np.random.default_rng(seed)
    names = [name for name in EVERYTHING if rng.random() < 0.6] or ["free"]
    wanted = set(names)
    for _ in EVERYTHING:
        for name in list(wanted):
            when = EVERYTHING[name].get("when", {})
            groups = [when] if isinstance(when, dict) else when
            wanted |= {tested for group in groups for tested in group}
    order = [name for name in EVERYTHING if name in wanted]
    rng.shuffle(order)
    return Space.from_config({name: EVERYTHING[name] for name in order})


def cube_of(**parameters: object) -> Cube:
    return Cube(Space.from_config(parameters))


def places(cube: Cube, points: list[dict[str, object]]) -> Floats:
    return cube.features_of([cube.space.canonical(p) for p in points])  # type: ignore[arg-type]


def distance(one: Floats, two: Floats) -> float:
    return float(np.linalg.norm(one - two))


@pytest.mark.parametrize("seed", range(12))
def test_snapping_is_decoding_and_encoding(seed) -> None:
    space = random_space(seed)
    cube, rng = Cube(space), np.random.default_rng(seed)
    points = rng.random((200, len(space)))
    points[:20] = rng.integers(2, size=(20, len(space)))  # corners
    points[20:40] = rng.integers(9, size=(20, len(space))) / 8  # edges of cells
    snapped, active = cube.snapped(points)
    for row, found, exists in zip(points, snapped, active, strict=True):
        params = space.decode(row.tolist())
        assert found.tolist() == pytest.approx(space.encode(params), abs=1e-12)
        names = [n for n, there in zip(space, exists, strict=True) if there]
        assert names == list(space.active(params))
        assert cube.decoded(found) == params
    again, still = cube.snapped(snapped)
    np.testing.assert_allclose(again, snapped, atol=1e-12)
    np.testing.assert_array_equal(still, active)


def test_snapping_leaves_what_it_is_given_alone() -> None:
    cube = Cube(load_space("toy_snn"))
    points = np.random.default_rng(0).random((5, cube.dim))
    before = points.copy()
    cube.snapped(points)
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("seed", range(6))
def test_points_are_placed_where_their_coordinates_are(seed) -> None:
    """`features_of` of points and `features` of snapped coordinates agree."""
    space = random_space(seed)
    cube = Cube(space)
    drawn = np.random.default_rng(seed).random((50, len(space)))
    params = [space.decode(row.tolist()) for row in drawn]
    features = cube.features(*cube.snapped(drawn))
    assert features.shape == (50, len(cube.parameter_of))
    np.testing.assert_allclose(cube.features_of(params), features, atol=1e-12)
    np.testing.assert_allclose(cube.encoded(params), cube.snapped(drawn)[0], atol=1e-12)


def test_a_number_is_its_coordinate() -> None:
    cube = cube_of(x={"float": [0, 10]}, r={"float": [0.01, 100], "log": True})
    found = places(cube, [{"x": 2, "r": 1}, {"x": 10, "r": 0.01}])
    np.testing.assert_allclose(found, [[0.2, 0.5], [1.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize("options", [2, 3, 7])
def test_options_are_one_apart(options) -> None:
    cube = cube_of(c={"choice": [f"option {k}" for k in range(options)]})
    found = places(cube, [{"c": f"option {k}"} for k in range(options)])
    for one, two in itertools.combinations(found, 2):
        assert distance(one, two) == pytest.approx(1.0, rel=1e-12)


def test_an_absent_number_is_equally_far_from_all_present_ones() -> None:
    cube = cube_of(
        c={"choice": ["off", "on"]}, x={"float": [0, 1], "when": {"c": "on"}}
    )
    absent = places(cube, [{"c": "off", "x": 0.7}])[0]
    grid = np.linspace(0, 1, 11)
    present = places(cube, [{"c": "on", "x": float(x)} for x in grid])
    away = [distance(absent, one) for one in present]
    assert away == pytest.approx([away[0]] * len(grid), rel=1e-12)
    assert away[0] > 1.0  # more than c alone
    gaps = [distance(one, two) for one, two in itertools.pairwise(present)]
    assert gaps == pytest.approx([0.1] * 10, rel=1e-3)  # as if it always existed
    assert distance(present[0], present[-1]) == pytest.approx(3 / math.pi, rel=1e-12)


def test_an_absent_choice_is_equally_far_from_all_options() -> None:
    cube = cube_of(
        c={"choice": ["off", "on"]},
        d={"choice": ["a", "b", "c"], "when": {"c": "on"}},
    )
    absent = places(cube, [{"c": "off"}])[0]
    present = places(cube, [{"c": "on", "d": option} for option in "abc"])
    away = [distance(absent, one) for one in present]
    assert away == pytest.approx([away[0]] * 3, rel=1e-12)
    assert 1.0 < away[0] < 1.5


@pytest.mark.parametrize("seed", range(6))
def test_equal_networks_are_at_the_same_place(seed) -> None:
    """Whatever the inactive coordinates are; different ones are apart."""
    space = random_space(seed)
    cube, rng = Cube(space), np.random.default_rng(seed)
    snapped, active = cube.snapped(rng.random((60, len(space))))
    features = cube.features(snapped, active)
    spoilt = np.where(active, snapped, rng.random(snapped.shape))
    again, exists = cube.snapped(spoilt)
    np.testing.assert_array_equal(exists, active)
    np.testing.assert_allclose(cube.features(again, exists), features, atol=1e-12)
    params = [cube.decoded(row) for row in snapped]
    for one, two in itertools.combinations(range(60), 2):
        apart = distance(features[one], features[two])
        if params[one] == params[two]:
            assert apart == pytest.approx(0.0, abs=1e-12)
        elif apart < 1e-9:  # a continuum may come that near, a grid may not
            assert not any(p.grid is None for p in space.parameters.values())


@pytest.mark.parametrize("seed", range(6))
def test_slopes_are_differences_of_the_features(seed) -> None:
    space = random_space(seed)
    cube, rng = Cube(space), np.random.default_rng(seed)
    points, active = cube.snapped(rng.random((30, len(space))))
    weights = rng.standard_normal((30, len(cube.parameter_of)))

    def weighted(at: Floats) -> Floats:
        return (weights * cube.features(at, active)).sum(1)

    found = cube.slopes(points, active, weights)
    expected = np.where(cube.choices, 0.0, differences(weighted, points))
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert (found[~active] == 0).all()


def test_which_coordinates_are_what() -> None:
    cube = Cube(load_space("toy_snn"))
    assert np.flatnonzero(cube.choices).tolist() == [6, 8]
    owners = [0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 8, 8]  # an arc has two features
    assert cube.parameter_of.tolist() == owners
    assert cube.dim == 9
    assert cube.discrete
    assert not Cube(load_space("branin_currin")).discrete
    assert cube_of(x={"float": [0, 1], "step": 0.5}).discrete
    assert cube_of(x={"choice": ["a", "b"]}).discrete


def test_of_no_points_there_are_no_rows() -> None:
    cube = Cube(load_space("toy_snn"))
    assert cube.encoded([]).shape == (0, 9)
    assert cube.features_of([]).shape == (0, 13)
