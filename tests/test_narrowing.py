"""Options left out of a choice: what needs them does not exist."""

from __future__ import annotations

import itertools

import pytest
import yaml

from moosnn.errors import SpaceError
from moosnn.narrowing import Absent, narrow, parameters_from_config
from moosnn.space import Space

RAW = """
rule:   {choice: [a, b, c]}
size:   {choice: [16, 32]}
common: {float: [0, 1], when: {rule: [a, b, d]}}
mine:   {choice: [x, y], when: {rule: d}}
below:  {float: [0, 1], when: {mine: x}}
either: {float: [0, 1], when: [{mine: x}, {rule: [c, e], size: {min: 20}}, {rule: b}]}
large:  {int: [1, 4], when: {size: 64}}
""".replace(", size: {min: 20}", ", size: 32")
NEVER = {"mine", "below", "large"}


def narrowed(text: str) -> Space:
    return Space.from_config(yaml.safe_load(text), narrowed=True)


def test_what_needs_an_option_that_is_left_out_is_no_parameter() -> None:
    found = narrow(parameters_from_config(yaml.safe_load(RAW)))
    assert set(found.gone) == NEVER
    assert list(found.parameters) == ["rule", "size", "common", "either"]
    assert found.absent == (
        Absent(of="common", choice="rule", value="d"),
        Absent(of="mine", choice="rule", value="d"),
        Absent(of="either", choice="rule", value="e"),
        Absent(of="large", choice="size", value=64),
    )


def test_everything_else_is_active_exactly_where_it_was() -> None:
    options = yaml.safe_load(RAW)
    wide = {**options, "rule": {"choice": [*"abcde"]}, "size": {"choice": [16, 32, 64]}}
    before, after = Space.from_config(wide), narrowed(RAW)
    rest = {"common": 0.5, "mine": "x", "below": 0.5, "either": 0.5, "large": 2}
    for rule, size in itertools.product("abc", (16, 32)):
        point = {"rule": rule, "size": size, **rest}
        active = before.active(point)
        assert not NEVER & set(active)
        assert after.active({k: v for k, v in point.items() if k in after}) == active


def test_a_space_without_anything_left_out_stays_as_it_is() -> None:
    raw = "a: {choice: [x, y]}\nb: {int: [1, 3], when: [{a: x}, {a: [x, y]}]}"
    assert narrowed(raw) == Space.from_config(yaml.safe_load(raw))
    assert list(narrowed(raw).to_config()) == ["a", "b"]


def test_a_choice_may_be_narrowed_to_one_option() -> None:
    raw = "a: {choice: [x]}\nb: {int: [1, 3], when: {a: y}}\nc: {int: [1, 3]}"
    space = narrowed(raw)
    assert list(space) == ["a", "c"]
    assert {space.decode([at, 0.0])["a"] for at in (0.0, 0.5, 1.0)} == {"x"}
    assert space.encode({"a": "x", "c": 1})[0] == 0.5


def test_a_narrowed_space_survives_its_own_yaml() -> None:
    space = narrowed(RAW)
    assert Space.from_config(space.to_config()) == space


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("{rul: a}", "no parameter 'rul'. Did you mean 'rule'"),
        ("{rule: 3}", "rule: expected one of .*, got 3"),
        ("{rule: true}", "rule: expected one of .*, got True"),
        ("{size: '16'}", "size: expected one of .*, got '16'"),
        ("{rule: {min: 1}}", "rule is a choice"),
        ("{number: 9}", "number: expected a whole number in"),
    ],
)
def test_what_was_never_an_option_is_still_refused(when: str, message: str) -> None:
    raw = (
        "rule: {choice: [a, b]}\nsize: {choice: [16, 32]}\nnumber: {int: [1, 3]}\n"
        f"own: {{int: [1, 2], when: {when}}}"
    )
    with pytest.raises(SpaceError, match=message):
        narrowed(raw)


def test_without_being_asked_to_a_space_takes_no_such_condition() -> None:
    with pytest.raises(SpaceError, match=r"space.common.when: rule: got 'd'"):
        Space.from_config(yaml.safe_load(RAW))
