"""Who is how good at a rung: fronts by the definition of dominance, and their order."""

import numpy as np
import pytest

from moosnn.pruners.standing import Standing, best_of, leads


def dominated_by(losses, row):
    return [
        other
        for other in range(len(losses))
        if (losses[other] <= losses[row]).all() and (losses[other] < losses[row]).any()
    ]


@pytest.mark.parametrize("seed", range(4))
def test_whole_fronts_go_on_in_their_order(seed):
    """Peeled off one after the other by the definition of dominance."""
    losses = np.random.default_rng(seed).random((30, 2)).round(2)
    standings = [Standing(group=0, losses=tuple(row), excess=0.0) for row in losses]
    left, taken = set(range(30)), set()
    while left:
        front = {r for r in left if not set(dominated_by(losses, r)) & left}
        taken |= front
        left -= front
        assert set(best_of(standings, len(taken))) == taken


def test_of_a_front_that_fits_in_part_its_ends_go_on_and_equal_ones_together():
    points = [(0.0, 1.0), (0.4, 0.6), (0.5, 0.5), (1.0, 0.0), (1.0, 0.0)]
    standings = [Standing(group=1, losses=p, excess=0.0) for p in points]
    assert sorted(best_of(standings, 2)) == [0, 3, 4]
    assert sorted(best_of(standings, 3)) == [0, 2, 3, 4]


def test_of_silent_ones_that_are_all_the_same_only_the_first_go_on():
    """Dead networks often share one margin; they are not let through together."""
    good = [Standing(group=0, losses=(0.1, 0.2), excess=0.0)] * 2
    dead = [Standing(group=3, losses=(), excess=0.95)] * 28
    assert best_of([*good, *dead], 10) == list(range(10))


def test_what_beats_the_reference_comes_first():
    standings = [
        Standing(group=0, losses=(-0.5, 1.0), excess=0.0),
        Standing(group=1, losses=(-0.1, 0.0), excess=0.0),
        Standing(group=0, losses=(-0.4, 1.3), excess=0.0),
    ]
    assert best_of(standings, 2) == [0, 2]


@pytest.mark.parametrize("seed", range(4))
def test_feasible_ones_lead_that_no_feasible_one_dominates(seed):
    rng = np.random.default_rng(seed)
    losses, groups = rng.random((30, 2)).round(1), rng.integers(4, size=30)
    standings = [
        Standing(group=int(g), losses=tuple(row) if g < 3 else (), excess=float(g == 3))
        for g, row in zip(groups, losses, strict=True)
    ]
    feasible = np.flatnonzero(groups < 2)
    for row, one in enumerate(standings):
        above = set(dominated_by(losses, row)) & set(feasible.tolist())
        assert leads(one, standings) == (groups[row] < 2 and not above)
