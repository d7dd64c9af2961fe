"""Fronts that there may be: known ones, drawn ones, and what belongs to a draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moosnn.optimizers import imagined
from moosnn.optimizers.imagined import _plausible, believing, imagined_fronts
from moosnn.optimizers.improvement import Improvement
from moosnn.optimizers.posterior import Gp, Surrogates
from moosnn.optimizers.surrogate import Hyper
from moosnn.pareto.cells import Cells, cells_of
from moosnn.problem import Floats
from tests.optimizers.oracles import PARAMETER_OF, block_of

SAMPLES = 16
NOTHING = np.empty((0, len(PARAMETER_OF)))
REFERENCE = -1.0


def data_of(rows: int = 10) -> Floats:
    return np.random.default_rng(0).random((rows, len(PARAMETER_OF)))


def surrogates(noise: float, violated: float = 0.0) -> Surrogates:
    """Two opposed gains and a violation that is everywhere about the same."""
    points = data_of()
    x = points[:, 0]
    values = np.stack([x - 0.5, 0.5 - x, np.full(len(x), violated)], axis=1)
    block = block_of(points, values)
    hyper = Hyper(np.log([0.7, 0.7, 0.7]), np.log(noise), 0.0)
    return Surrogates(
        gps=tuple(Gp.of(block, k, hyper, PARAMETER_OF) for k in range(3)),
        gains=2,
        zeros=np.array([REFERENCE, REFERENCE, 0.0]),
        constraint=np.array([0]),
        log_weights=np.zeros(1),
        far=np.zeros(1, dtype=bool),
    )


def fronts_of(
    model: Surrogates, pending: Floats = NOTHING, seed: int = 0
) -> tuple[Surrogates, list[Cells]]:
    rng = np.random.default_rng(seed)
    return imagined_fronts(model, data_of(), pending, SAMPLES, rng)


def ends(cells: Cells) -> list[list[float]]:
    """The values at which boxes end, without the reference."""
    return [level[1:].tolist() for level in cells.levels]


def test_a_known_front_is_what_the_models_expect() -> None:
    model = surrogates(1e-8)
    same, (cells,) = fronts_of(model)
    assert same is model
    means = model.predict(data_of()).means[:, 0, :2]
    expected = [np.unique(means[:, k]) for k in range(2)]  # none is dominated
    assert ends(cells) == [level.tolist() for level in expected]


def test_an_uncertain_front_is_drawn() -> None:
    """Each draw's surrogates expect the draw's values at the front's points."""
    model = surrogates(0.3)
    drawn, fronts = fronts_of(model)
    assert len(fronts) == SAMPLES
    assert len({str(ends(cells)) for cells in fronts}) == SAMPLES
    prediction = drawn.predict(data_of())
    assert prediction.means.shape == (10, SAMPLES, 3)
    assert (prediction.sds[:, :2] < 0.01).all()
    for sample, cells in enumerate(fronts):
        for k in range(2):
            known = prediction.means[:, sample, k]
            away = np.abs(np.array(ends(cells)[k])[:, None] - known).min(axis=1)
            assert (away < 0.01).all()
    spread = prediction.means[:, :, :2].std(axis=1)
    before = model.predict(data_of()).sds[:, :2]
    np.testing.assert_allclose(spread, before, rtol=0.6)
    # The violation was not drawn: no point is being evaluated.
    assert drawn.gps[2] is model.gps[2]


def test_pending_points_are_drawn_too() -> None:
    model = surrogates(1e-8, violated=-2.0)
    pending = np.full((1, 4), 3.0)  # where nothing is known
    drawn, fronts = fronts_of(model, pending)
    assert len(fronts) == SAMPLES
    prediction = drawn.predict(pending)
    assert (prediction.sds < 0.01).all()
    assert prediction.means[0].std(axis=0).min() > 0.1
    for sample, cells in enumerate(fronts):
        gain = prediction.means[0, sample]
        better = (gain[:2] > REFERENCE).all()
        member = np.abs(np.array(ends(cells)[0]) - gain[0]).min() < 1e-4
        assert member == (better and gain[2] <= 0)


@pytest.mark.parametrize(("violated", "counts"), [(-9.0, True), (9.0, False)])
def test_only_feasible_pending_points_are_members(violated, counts) -> None:
    """The violation varies by about 1 where nothing is known."""
    model = surrogates(1e-8, violated)
    pending = np.full((1, 4), 3.0)
    drawn, fronts = fronts_of(model, pending)
    gains = drawn.predict(pending).means[0, :, :2]
    better = np.flatnonzero((gains > REFERENCE).all(axis=1))
    assert len(better) > SAMPLES / 2
    for sample in better:
        levels = np.array(ends(fronts[sample])[0])
        member = np.abs(levels - gains[sample, 0]).min() < 1e-4
        assert member == counts


def test_draws_are_those_of_their_generator() -> None:
    model = surrogates(0.3)
    one, two, other = (fronts_of(model, seed=s)[1] for s in (0, 0, 1))
    assert [ends(c) for c in one] == [ends(c) for c in two]
    assert [ends(c) for c in one] != [ends(c) for c in other]


def test_without_a_plausible_member_the_front_is_empty() -> None:
    model = replace(surrogates(0.3), zeros=np.array([50.0, 50.0, 0.0]))
    same, (cells,) = fronts_of(model)
    assert same is model
    assert ends(cells) == [[], []]
    drawn, fronts = fronts_of(model, np.full((1, 4), 0.5))
    assert all(ends(cells) == [[], []] for cells in fronts)
    assert drawn.gps[0] is not model.gps[0]


def test_plausible_is_what_luck_puts_on_the_front() -> None:
    reference = np.zeros(2)
    means = np.array([[3.0, 3.0], [2.0, 2.0], [2.0, 2.0], [-1.0, 5.0], [-1.0, 5.0]])
    sds = np.array([[0.1, 0.1], [0.1, 0.1], [0.9, 0.9], [0.1, 0.1], [0.9, 0.1]])
    assert _plausible(means, sds, reference).tolist() == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_of_too_many_members_some_all_along_the_front_are_drawn(monkeypatch) -> None:
    monkeypatch.setattr(imagined, "_MOST_MEMBERS", 4)
    steps = np.linspace(0.5, 1.5, 10)
    means = np.stack([steps, 2.0 - steps], axis=1)
    kept = np.flatnonzero(_plausible(means, np.full((10, 2), 0.1), np.zeros(2)))
    assert len(kept) == 4
    assert kept[[0, -1]].tolist() == [0, 9]
    assert np.diff(kept).max() <= 5
    drawn, fronts = fronts_of(surrogates(0.3))
    assert max(len(level) for cells in fronts for level in ends(cells)) <= 4
    assert len(drawn.gps[0].scaled) == 10 + 4


def test_the_expected_fronts_members_come_first(monkeypatch) -> None:
    """Then those that luck would take farthest beyond the reference."""
    monkeypatch.setattr(imagined, "_MOST_MEMBERS", 4)
    means = np.array([[0.1, 2.0], [2.0, 0.1], [1.0, 1.0], [0.9, 0.8], [0.9, 0.9]])
    kept = _plausible(means, np.full((5, 2), 0.5), np.zeros(2))
    assert kept.tolist() == [True, True, True, False, True]


def test_a_long_front_leaves_no_room_beside_its_members() -> None:
    """With one point that is awaited far away, as if there were none."""
    count = 3 * imagined._MOST_MEMBERS
    x = np.linspace(0, 1, count)[:, None]
    values = np.hstack([np.cos(x * np.pi / 2), np.sin(x * np.pi / 2)])
    one = np.zeros(1, dtype=int)
    hyper = Hyper(np.log([0.5]), -12.0, 0.0)
    block = block_of(x, values)
    model = Surrogates(
        gps=tuple(Gp.of(block, k, hyper, one) for k in range(2)),
        gains=2,
        zeros=np.zeros(2),
        constraint=np.zeros(0, dtype=int),
        log_weights=np.zeros(0),
        far=np.zeros(0, dtype=bool),
    )
    at, far = np.linspace(0.02, 0.98, 20)[:, None], np.array([[3.0]])
    known, drawn = (
        Improvement(
            *imagined_fronts(model, x, pending, SAMPLES, np.random.default_rng(0))
        ).values(at)
        for pending in (np.empty((0, 1)), far)
    )
    room = Improvement(model, [cells_of(values[::20], model.zeros)]).values(at)
    assert np.median(drawn - known) < 3.5
    assert drawn.max() < room.max() - 2  # less than beside twenty times fewer


def test_believing_keeps_means_and_lowers_deviations() -> None:
    model, points = surrogates(0.3), np.repeat([[0.4], [0.7]], 4, axis=1)
    after = believing(model, points)
    before, now = model.predict(points), after.predict(points)
    np.testing.assert_allclose(now.means, before.means, atol=1e-9)
    assert (now.sds < 0.01).all()
    assert (before.sds > 0.1).all()
