"""Paths as genes: counted, compared and chosen by hand."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import pytest
import torch

from moosnn.snn.learning.genotypes import (
    Score,
    crowding,
    dominates,
    drawn,
    kept,
    letters,
    loser,
    mutated,
    ranks,
)

DRAWS = 4000
MODULES = 7


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def score(error, synops, modules, *, silent=False):
    return Score(error=error, synops=synops, modules=modules, silent=silent)


def within(count, chance, draws):
    """Whether a count is within 4.5 standard deviations of a binomial's mean."""
    return abs(count - chance * draws) < 4.5 * math.sqrt(draws * chance * (1 - chance))


def test_every_number_is_drawn_evenly():
    dice = generator()
    counts = Counter()
    for _ in range(DRAWS // 6):
        path = drawn(2, 3, MODULES, dice)
        assert [len(row) for row in path] == [3, 3]
        counts.update(m for row in path for m in row)
    draws = sum(counts.values())
    assert set(counts) == set(range(MODULES))
    assert all(within(count, 1 / MODULES, draws) for count in counts.values())


def test_each_number_is_shifted_with_probability_one_in_all_by_minus_2_to_2():
    """Of five shifts one is by 0, so that 4/5 of the mutations are seen."""
    dice, before = generator(), ((0, 6, 3), (5, 5, 1))
    shifts = {place: Counter() for place in product(range(2), range(3))}
    changed = Counter()
    for _ in range(DRAWS):
        after = mutated(before, MODULES, dice)
        moved = 0
        for (layer, place), counts in shifts.items():
            shift = (after[layer][place] - before[layer][place] + 2) % MODULES - 2
            counts[shift] += 1
            moved += shift != 0
        changed[moved] += 1
    for counts in shifts.values():
        assert set(counts) == {-2, -1, 0, 1, 2}  # around: 6 + 2 is 1, 0 - 1 is 6
        for shift in (-2, -1, 1, 2):
            assert within(counts[shift], 1 / 6 / 5, DRAWS)
    # Independently: none of six is seen to move with probability (1 - 4/30)^6.
    assert within(changed[0], (1 - 4 / 30) ** 6, DRAWS)


def test_letters_are_the_modules_that_there_are():
    assert letters(((2, 0, 2), (1, 1, 1))) == ("ac", "b")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0.1, 5, 2), (0.2, 5, 2), True),
        ((0.1, 5, 2), (0.1, 5, 2), False),
        ((0.1, 6, 2), (0.2, 5, 2), False),
        ((0.1, 5, 3), (0.2, 5, 2), False),
    ],
)
def test_dominance(one, other, expected):
    assert dominates(one, other) is expected


def test_fronts_are_peeled_off_and_silent_paths_are_behind_all():
    scores = [
        score(0.1, 50, 4),
        score(0.2, 20, 2),
        score(0.2, 50, 4),  # behind the first
        score(0.3, 60, 5),  # behind that one
        score(0.9, 0, 1, silent=True),
        score(0.3, 20, 2),  # behind the second
    ]
    assert ranks(scores) == [0, 0, 1, 2, 3, 1]


def test_crowding_is_the_distance_of_neighbours():
    losses = [(0.0, 10.0), (1.0, 4.0), (2.0, 2.0), (4.0, 0.0)]
    inf = math.inf
    # of the second: (2 - 0) / 4 + (10 - 2) / 10
    assert crowding(losses) == pytest.approx([inf, 1.3, 0.75 + 0.4, inf])


def test_equal_losses_have_no_distance():
    assert crowding([(1.0,), (1.0,), (1.0,)]) == [math.inf, 0.0, math.inf]


FOUR = [score(0.0, 10, 1), score(0.1, 4, 1), score(0.2, 2, 1), score(0.4, 0, 1)]


@pytest.mark.parametrize(
    ("scores", "pair", "expected"),
    [
        ([score(0.1, 5, 2), score(0.2, 6, 3)], (0, 1), 1),  # the dominated one
        ([score(0.1, 5, 2), score(0.2, 6, 3)], (1, 0), 1),
        (FOUR, (1, 2), 2),  # the more crowded one
        (FOUR, (2, 3), 2),  # an end of the front is never crowded
        (FOUR, (0, 3), None),  # nor are two ends
        ([score(0.1, 5, 2)] * 2, (0, 1), None),
        ([score(0.8, 5, 2), score(0.9, 0, 1, silent=True)], (0, 1), 1),
        ([score(0.8, 5, 2), score(0.1, 0, 1, silent=True)], (0, 1), 1),
        ([score(0.8, 5, 2, silent=True), score(0.1, 0, 1, silent=True)], (0, 1), None),
    ],
)
def test_who_loses_a_tournament(scores, pair, expected):
    assert loser(*pair, scores) == expected


def test_the_front_of_a_path_counts_even_if_its_rival_does_not_dominate_it():
    scores = [score(0.1, 50, 4), score(0.3, 20, 2), score(0.2, 15, 2)]
    assert not dominates(scores[0].losses, scores[1].losses)
    assert loser(0, 1, scores) == 1  # the third dominates it


def test_the_path_kept_is_the_cheapest_near_the_best():
    scores = [
        score(0.10, 500, 4),
        score(0.115, 300, 4),
        score(0.12, 200, 3),
        score(0.13, 100, 2),
        score(0.11, 900, 6),  # dominated
        score(0.0, 0, 1, silent=True),
    ]
    assert kept(scores, 0.0) == 0
    assert kept(scores, 0.0151) == 1
    assert kept(scores, 0.0201) == 2
    assert kept(scores, 0.5) == 3


def test_a_path_exactly_as_far_from_the_best_as_allowed_is_kept():
    best = Score(error=1 - 46 / 50, synops=100.0, modules=2, silent=False)
    cheap = Score(error=1 - 45 / 50, synops=1.0, modules=2, silent=False)
    assert kept([best, cheap], 0.02) == 1
    assert kept([best, cheap], 0.0199) == 0


def test_of_silent_paths_the_most_accurate_is_kept():
    scores = [score(e, s, 1, silent=True) for e, s in ((0.9, 0), (0.8, 5), (0.9, 1))]
    assert kept(scores, 0.5) == 1
