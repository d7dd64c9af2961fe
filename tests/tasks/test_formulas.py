"""The formulas against BoTorch's, brute force and their own closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moosnn.pareto.hypervolume import hypervolume
from moosnn.tasks.formulas import (
    best_curve,
    branin_currin,
    c2dtlz2,
    curve,
    disc_brake,
    mixed_conditional,
    shifted_optima,
)
from tests.helpers import load_problem, load_space

# linear_operator, which BoTorch imports, compiles in a way that torch 2.13 deprecates.
importing_botorch = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)

KINDS = ("linear", "bent", "stacked")
MIXED_REFERENCE = np.array([1.1, 1.1])
# Where nothing lies behind the front, whatever the position.
BEST = {
    "linear": {"rate": 10**-1.5},
    "bent": {"rate": 10**-3.0, "sharpness": 0.7},
    "stacked": {"rate": 10**-3.5, "blocks": 4, "gate": 0.3},
}


def on_the_curve(kind: str, position: float) -> dict:
    """The best point of a kind at a position along the front."""
    coarse = min(int(position * 5), 4)
    return {
        "kind": kind,
        "coarse": coarse + 1,
        "fine": position * 5 - coarse,
        "mix": 0.2 + 0.6 * position,
        **BEST[kind],
    }


@importing_botorch
def test_branin_currin_is_botorchs() -> None:
    from botorch.test_functions.multi_objective import ConstrainedBraninCurrin

    oracle = ConstrainedBraninCurrin()
    for point in np.random.default_rng(0).random((20, 2)).tolist():
        found = branin_currin(point)
        x = torch.tensor([point], dtype=torch.double)
        assert [found["branin"], found["currin"]] == pytest.approx(
            oracle(x)[0].tolist()
        )
        slack = float(oracle.evaluate_slack(x))
        assert 50 - found["disk"] == pytest.approx(slack)


def test_branin_currin_at_the_edge() -> None:
    assert branin_currin([0.5, 0.0])["currin"] == pytest.approx(
        branin_currin([0.5, 1e-9])["currin"]
    )


@importing_botorch
@pytest.mark.parametrize("dim", [3, 4, 12])
def test_c2dtlz2_is_botorchs(dim) -> None:
    from botorch.test_functions.multi_objective import C2DTLZ2

    oracle = C2DTLZ2(dim=dim)
    for point in np.random.default_rng(dim).random((20, dim)).tolist():
        found = c2dtlz2(point)
        x = torch.tensor([point], dtype=torch.double)
        assert [found["f1"], found["f2"]] == pytest.approx(oracle(x)[0].tolist())
        assert -found["c2"] == pytest.approx(float(oracle.evaluate_slack(x)))


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_shifted_optima_lie_off_the_centre(count) -> None:
    optima = shifted_optima(count)
    assert len(optima) == count
    assert all(0.15 <= o <= 0.4 or 0.6 <= o <= 0.85 for o in optima)
    assert shifted_optima(count) == optima


def test_eleven_shifted_optima_alternate_and_go_inwards() -> None:
    assert shifted_optima(11) == pytest.approx(
        [0.15, 0.825, 0.2, 0.775, 0.25, 0.725, 0.3, 0.675, 0.35, 0.625, 0.4]
    )


def test_a_shift_moves_the_points_and_not_the_front() -> None:
    optima = shifted_optima(11)
    for point in np.random.default_rng(0).random((20, 12)).tolist():
        moves = [o - 0.5 for o in optima]
        moved = [point[0], *(x + m for x, m in zip(point[1:], moves, strict=True))]
        assert c2dtlz2(moved, optima) == pytest.approx(c2dtlz2(point))


def test_the_centre_is_feasible_without_a_shift_only() -> None:
    assert (
        c2dtlz2([0.5] * 12)["c2"] <= 0 < c2dtlz2([0.5] * 12, shifted_optima(11))["c2"]
    )


@importing_botorch
def test_disc_brake_is_botorchs() -> None:
    from botorch.test_functions.multi_objective import DiscBrake

    oracle = DiscBrake()
    space, problem = load_space("disc_brake"), load_problem("disc_brake")
    bounds = [(p.low, p.high) for p in space.parameters.values()]
    assert oracle.bounds.T.tolist() == [list(b) for b in bounds]
    assert problem.reference == pytest.approx(oracle._ref_point)
    names = [c.metric for c in problem.constraints]
    for point in np.random.default_rng(0).random((20, 4)).tolist():
        x = list(space.decode(point).values())
        found = disc_brake(x)
        tensor = torch.tensor([x], dtype=torch.double)
        assert [found["mass"], found["stopping_time"]] == pytest.approx(
            oracle(tensor)[0].tolist()
        )
        slacks = oracle.evaluate_slack(tensor)[0].tolist()
        assert [-found[n] for n in names] == pytest.approx(slacks)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("stacked", 0.0, 1 / 4),
        ("bent", 1 / 4, 3 / 4),
        ("stacked", 3 / 4, 6 / 7),
        ("linear", 6 / 7, 1.0),
    ],
)
def test_each_kind_has_its_piece_of_the_mixed_front(kind, low, high) -> None:
    for position in np.linspace(low, high, 50):
        assert best_curve(position) == pytest.approx(curve(kind, position), abs=1e-12)


def test_the_mixed_front_falls_everywhere() -> None:
    values = [best_curve(s) for s in np.linspace(0, 1, 1001)]
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mixed_front_is_reached_and_is_feasible_outside_of_its_gap(kind) -> None:
    space = load_space("mixed_conditional")
    for position in np.linspace(0, 1, 101):
        params = space.canonical(on_the_curve(kind, position))
        found = mixed_conditional(params)
        assert found["f1"] == pytest.approx(position, abs=1e-12)
        assert found["f2"] == pytest.approx(curve(kind, position), abs=1e-12)
        assert found["c"] == pytest.approx(
            max(-0.2, 0.05 - abs(position - 0.5)), abs=1e-12
        )


def test_no_feasible_mixed_point_lies_before_the_front() -> None:
    space = load_space("mixed_conditional")
    points = np.random.default_rng(0).random((6_000, len(space)))
    feasible = 0
    for point in points.tolist():
        found = mixed_conditional(space.decode(point))
        if found["c"] <= 0:
            feasible += 1
            position = min(found["f1"], 1.0)
            # In the gap, the best with at most this first objective is its lower end.
            position = 0.45 if 0.45 < position < 0.55 else position
            assert found["f2"] >= best_curve(position) - 1e-12
    assert 0.1 < feasible / len(points) < 0.3


def test_the_largest_mixed_hypervolume_is_that_of_its_pieces() -> None:
    # The area below the front, piece by piece: the integrals of the three curves,
    # and over the gap the height at its lower end.
    below = (
        0.7 * 0.25 - 0.65 * 0.25**2 / 2
        + 0.2 * 0.2 + 0.2 * (0.75**4 - 0.55**4)
        + 0.1 * (0.2 + 0.8 * 0.55**3)
        + 0.2 * 0.2 + 0.2 * (0.45**4 - 0.25**4)
        + 0.7 * (6 / 7 - 0.75) - 0.325 * ((6 / 7) ** 2 - 0.75**2)
        + (1 / 7) ** 2 / 2
    )  # fmt: skip
    closed = 1.1**2 - below
    assert closed == pytest.approx(0.86036143, abs=1e-8)
    positions = np.linspace(0, 1, 20_001)
    positions = positions[np.abs(positions - 0.5) >= 0.05 - 1e-9]
    front = np.array([[s, best_curve(s)] for s in positions])
    dense = hypervolume(front, MIXED_REFERENCE)
    assert dense < closed
    assert dense == pytest.approx(closed, abs=1e-4)


def test_what_does_not_exist_counts_for_nothing() -> None:
    space = load_space("mixed_conditional")
    for kind in KINDS:
        params = space.canonical({**on_the_curve(kind, 0.3), "mix": 0.9})
        assert mixed_conditional(params) == mixed_conditional(space.active(params))
    small = space.canonical({**on_the_curve("stacked", 0.3), "blocks": 2})
    assert "gate" not in space.active(small)
    assert mixed_conditional({**small, "gate": 0.9}) == mixed_conditional(small)
    assert mixed_conditional(small)["f1"] == pytest.approx(0.3 + 0.05 * 4)


def test_mixed_excess_is_added_to_both_objectives() -> None:
    params = {**on_the_curve("bent", 0.3), "sharpness": 0.2, "rate": 1e-2}
    found = mixed_conditional(params)
    excess = 0.5**2 + 0.1 * 1.0
    assert found["f1"] == pytest.approx(0.3 + excess)
    assert found["f2"] == pytest.approx(0.2 + 0.8 * 0.7**3 + excess)
    assert found["c"] == pytest.approx(excess - 0.2)
    assert math.isclose(found["c"], 0.15)
