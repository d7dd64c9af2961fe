"""The digits: real, split once, read-only."""

import subprocess
import sys

import numpy as np
import pytest

from moosnn.errors import ConfigError
from moosnn.snn.data import check_dataset, load_dataset
from moosnn.snn.data.digits import load_digits, stratified


def test_the_splits_are_a_stratified_partition_of_all_digits():
    data = load_digits(0)
    assert (len(data.train), len(data.validation), len(data.test)) == (1078, 359, 360)
    assert (data.features, data.classes) == (64, 10)
    counts = [
        np.bincount(s.labels, minlength=10)
        for s in (data.train, data.validation, data.test)
    ]
    every = sum(counts)
    assert every.sum() == 1797
    for count, share in zip(counts, (0.6, 0.2, 0.2), strict=True):
        assert np.abs(count - share * every).max() <= 1


def test_indices_are_disjoint_ascending_and_complete():
    labels = np.random.default_rng(0).integers(0, 3, 101)
    parts = stratified(labels, 5)
    assert sorted(np.concatenate(parts).tolist()) == list(range(101))
    assert all(np.array_equal(p, np.sort(p)) for p in parts)


def test_intensities_are_pixels_between_0_and_1_and_cannot_be_changed():
    data = load_digits(0)
    assert data.train.inputs.dtype == np.float32
    assert data.train.inputs.min() == 0.0
    assert data.train.inputs.max() == 1.0
    assert data.input_max == 16.0
    with pytest.raises(ValueError, match="read-only"):
        data.train.inputs[0, 0] = 1.0


def test_the_split_seed_decides_alone():
    assert load_digits(0) is load_digits(0)
    assert load_digits(0).fingerprint != load_digits(1).fingerprint
    program = (
        "from moosnn.snn.data.digits import load_digits; "
        "print(load_digits(0).fingerprint)"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == load_digits(0).fingerprint


def test_an_unknown_data_set_is_refused_with_a_hint():
    for refuse in (check_dataset, lambda name: load_dataset(name, 0)):
        with pytest.raises(ConfigError, match="Did you mean 'digits'"):
            refuse("digit")
