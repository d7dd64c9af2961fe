"""What makes a study another study, and how that is said."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from moosnn.errors import JournalError
from moosnn.runtime.header import first_difference, header, require_same

CONFIG: dict[str, Any] = {
    "task": {"_target_": "t", "beta": 0.1},
    "space": {"a": {"int": [1, 2]}, "b": {"int": [1, 3]}},
    "problem": {"objectives": []},
    "optimizer": {"_target_": "o", "kernel": "fused"},
    "seed": 0,
    "executor": {"workers": 2},
}
STUDY = Path("runs/x")


def changed(path: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    inner = config
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return config


def test_the_same_config_and_data_are_the_same_study() -> None:
    assert (
        require_same(
            STUDY, header(CONFIG, {"d": "1"}, 1), header(CONFIG, {"d": "1"}, 1)
        )
        == []
    )


def test_how_it_is_run_may_change() -> None:
    then, now = header(CONFIG, {}, 1), header(changed("executor.workers", 9), {}, 1)
    assert require_same(STUDY, then, now) == []


def test_data_may_be_moved_but_not_exchanged() -> None:
    here = changed("task.data", {"_target_": "d", "root": "/a", "split_seed": 0})
    there = changed("task.data", {"_target_": "d", "root": "/b", "split_seed": 0})
    other = changed("task.data", {"_target_": "d", "root": "/b", "split_seed": 1})
    then = header(here, {"data": "1"}, 1)
    assert require_same(STUDY, then, header(there, {"data": "1"}, 1)) == []
    with pytest.raises(JournalError, match="its data are not those it was made with"):
        require_same(STUDY, then, header(there, {"data": "2"}, 1))
    with pytest.raises(JournalError, match=r"task\.data\.split_seed: then 0, now 1"):
        require_same(STUDY, then, header(other, {"data": "1"}, 1))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("task.beta", 0.2, "task.beta: then 0.1, now 0.2"),
        ("task.alpha", 5, "task.alpha: only now"),
        ("space.b.int", [1, 4], r"space.b.int: then \[1, 3\], now \[1, 4\]"),
        ("seed", 1, "seed: then 0, now 1"),
    ],
)
def test_the_first_difference_is_named(path: str, value: object, said: str) -> None:
    with pytest.raises(JournalError, match=said):
        require_same(STUDY, header(CONFIG, {}, 1), header(changed(path, value), {}, 1))


def test_other_data_is_another_study() -> None:
    with pytest.raises(JournalError, match="its data are not those it was made with"):
        require_same(
            STUDY, header(CONFIG, {"d": "1"}, 1), header(CONFIG, {"d": "2"}, 1)
        )


def test_the_order_of_the_parameters_counts() -> None:
    turned = changed("space", dict(reversed(CONFIG["space"].items())))
    with pytest.raises(JournalError, match="the order of the parameters"):
        require_same(STUDY, header(CONFIG, {}, 1), header(turned, {}, 1))


def test_other_threads_are_told_and_allowed() -> None:
    told = require_same(STUDY, header(CONFIG, {}, 1), header(CONFIG, {}, 2))
    assert told == ["threads: then 1, now 2"]


def test_a_journal_without_a_header_is_refused() -> None:
    with pytest.raises(JournalError, match="does not begin with a study's header"):
        require_same(STUDY, {"params": {}}, header(CONFIG, {}, 1))


def test_equal_data_does_not_differ() -> None:
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) is None


def test_what_follows_from_the_rest_is_named_last_and_no_value_fills_a_screen():
    then = {"study": {"enqueue": "x" * 999}, "space": {"a": {"choice": [1, 2]}}}
    other = {"study": {"enqueue": []}, "space": {"a": {"choice": [1, 3]}}}
    assert first_difference(then, other) == "space.a.choice: then [1, 2], now [1, 3]"
    same_space = {**other, "space": then["space"]}
    said = first_difference(then, same_space)
    assert said.startswith("study.enqueue: then 'xxx")
    assert said.endswith("xxx …, now []")
    assert len(said) < 300


def test_a_study_older_than_costs_is_the_one_that_does_not_mind_them() -> None:
    told = {**CONFIG["optimizer"], "cost_aware": False, "cost_metric": "training_s"}
    then, now = header(CONFIG, {}, 1), header(changed("optimizer", told), {}, 1)
    assert now["digest"] == then["digest"]
    aware = header(changed("optimizer", {**told, "cost_aware": True}), {}, 1)
    with pytest.raises(JournalError, match=r"optimizer\.cost_aware: only now"):
        require_same(STUDY, then, aware)
