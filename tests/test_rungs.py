"""Rungs: which epochs they are."""

import pytest

from moosnn.errors import ConfigError
from moosnn.rungs import Rungs


@pytest.mark.parametrize(
    ("first", "eta", "expected"),
    [(1, 3, [1, 3, 9, 27]), (2, 2, [2, 4, 8, 16, 32]), (5, 4, [5, 20])],
)
def test_rungs_are_powers_times_the_first(first, eta, expected):
    rungs = Rungs(first=first, eta=eta)
    assert [epoch for epoch in range(40) if epoch in rungs] == expected


def test_a_config_names_them():
    assert Rungs.of(None) is None
    assert Rungs.of({"first": 2}) == Rungs(first=2, eta=3)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([1, 3], "expected e.g."),
        ({"frist": 1}, "Did you mean 'first'"),
        ({"first": 0}, "first: expected a whole number >= 1, got 0"),
        ({"first": True}, "first: expected a whole number"),
        ({"eta": 1.5}, "eta: expected a whole number >= 2"),
    ],
)
def test_what_are_no_rungs_is_refused(raw, message):
    with pytest.raises(ConfigError, match=message):
        Rungs.of(raw)
