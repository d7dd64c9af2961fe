"""Numbers of a page: few digits, finite, spread evenly."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from moosnn.space import Space
from moosnn.tracking.page.plain import evenly, plain, plain_values, plains


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1 / 3, 0.333333),
        (123456.789, 123457),
        (64.0, 64),
        (-0.0, 0),
        (1.23456789e-9, 1.23457e-9),
        (2.5e9, 2.5e9),
        (7, 7),
        (12345678, 12345678),
        (math.nan, None),
        (-math.inf, None),
        (None, None),
    ],
)
def test_a_number_has_six_digits_or_is_none(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


def test_a_column_keeps_its_holes():
    assert plains([1.0, None, math.inf]) == [1, None, None]


@pytest.mark.parametrize(("count", "most"), [(0, 3), (3, 3), (10, 4), (1000, 7)])
def test_positions_are_even_and_hold_both_ends(count, most):
    places = evenly(count, most)
    assert len(places) == min(count, most)
    assert places == sorted(set(places))
    if count:
        assert (places[0], places[-1]) == (0, count - 1)
        steps = [b - a for a, b in pairwise(places)]
        assert max(steps) - min(steps) <= 1


def test_of_many_one_is_the_first():
    assert evenly(10, 1) == [0]


@pytest.mark.parametrize(
    ("values", "value", "expected"),
    [
        ({"float": [0.0, 1.0]}, 0.123456789, 0.123457),
        ({"float": [0.1, 0.1000001]}, 0.100000012345678, 0.100000012346),
        ({"float": [-1e-9, 1e-9]}, 1.23456789e-10, 1.23457e-10),
        ({"float": [1e-8, 1.0], "log": True}, 1.23456789e-7, 1.23457e-7),
        ({"choice": [0.123456789, 0.5]}, 0.123456789, 0.123456789),
        ({"choice": ["a", True]}, True, True),
        ({"int": [1, 9]}, 3, 3),
        ({"int": [1, 9]}, None, None),
    ],
)
def test_values_of_a_narrow_range_stay_apart(values, value, expected):
    parameter = Space.from_config({"a": values}).parameters["a"]
    [found] = plain_values(parameter, [value])
    assert found == expected
    assert type(found) is type(expected)
