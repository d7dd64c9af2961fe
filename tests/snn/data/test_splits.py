"""Splits are partitions, stratified, and decided by their seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from moosnn.errors import ConfigError, DataError
from moosnn.snn.data.splits import (
    SplitOptions,
    check_classes,
    generated_test,
    split_train,
)

LABELS = np.random.default_rng(1).choice(4, 500, p=[0.5, 0.3, 0.15, 0.05])


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.999])
def test_train_and_validation_are_a_stratified_partition(share: float) -> None:
    train, validation = split_train(LABELS, SplitOptions(validation_share=share))
    assert sorted([*train, *validation]) == list(range(500))
    assert np.array_equal(train, np.sort(train))
    assert np.array_equal(validation, np.sort(validation))
    every = np.bincount(LABELS)
    kept = np.bincount(LABELS[validation], minlength=4)
    assert np.abs(kept - share * every).max() <= 1
    assert np.bincount(LABELS[train], minlength=4).min() >= 1


def test_the_seed_decides_alone() -> None:
    first, again, other = (
        split_train(LABELS, SplitOptions(split_seed=seed))[1] for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("wanted", [1, 7, 100, 399])
def test_a_subset_is_stratified_and_leaves_validation_alone(wanted: int) -> None:
    train, validation = split_train(LABELS, SplitOptions())
    some, same = split_train(LABELS, SplitOptions(train_samples=wanted))
    assert np.array_equal(same, validation)
    assert len(some) == wanted == len(set(some.tolist()))
    assert set(some.tolist()) <= set(train.tolist())
    ideal = np.bincount(LABELS[train]) * wanted / len(train)
    assert np.abs(np.bincount(LABELS[some], minlength=4) - ideal).max() <= 1


def test_more_than_there_are_is_refused() -> None:
    train, _ = split_train(LABELS, SplitOptions())
    count = len(train)
    every, _ = split_train(LABELS, SplitOptions(train_samples=count))
    assert np.array_equal(every, train)
    said = f"train_samples: expected at most {count}, .* got {count + 1}"
    with pytest.raises(DataError, match=said):
        split_train(LABELS, SplitOptions(train_samples=count + 1))


def test_a_class_of_one_sample_cannot_be_split() -> None:
    with pytest.raises(DataError, match="class 2 has one training sample"):
        split_train(np.array([0, 0, 1, 1, 2]), SplitOptions())


def test_a_class_without_samples_is_named() -> None:
    check_classes("test", np.array([0, 1, 2]), 3)
    with pytest.raises(DataError, match="the test part has no sample of class 1"):
        check_classes("test", np.array([0, 2]), 3)


def test_the_last_fifth_of_a_class_that_is_generated_is_to_test() -> None:
    flags = generated_test(3, 10).reshape(3, 10)
    assert flags.tolist() == [[False] * 8 + [True] * 2] * 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split_seed": -1}, "data.split_seed: expected a whole number >= 0, got -1."),
        ({"split_seed": True}, "data.split_seed: expected a whole number"),
        (
            {"validation_share": 0},
            "data.validation_share: expected a number > 0 and < 1",
        ),
        ({"validation_share": 1.0}, "got 1.0"),
        ({"validation_share": float("nan")}, "got nan"),
        ({"validation_share": "2e-1"}, "YAML reads '2e-1' as text: write 2.0e-1."),
        ({"train_samples": 0}, "data.train_samples: expected a whole number >= 1"),
        ({"train_samples": 2.5}, "got 2.5"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SplitOptions(**options)
    assert said in str(caught.value)
