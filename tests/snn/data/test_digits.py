"""The digits: real, split once, read-only."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from moosnn.errors import ConfigError
from moosnn.snn.data.digits import Digits, stratified


def test_the_splits_are_a_stratified_partition_of_all_digits(tmp_path):
    data = Digits().load(1, tmp_path)
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [1078, 359, 360]
    assert (data.description.shape, data.description.classes) == ((1, 8, 8), 10)
    counts = [np.bincount(part.labels, minlength=10) for part in parts]
    every = sum(counts)
    assert every.sum() == 1797
    for count, share in zip(counts, (0.6, 0.2, 0.2), strict=True):
        assert np.abs(count - share * every).max() <= 1
    pixels, labels = load_digits(return_X_y=True)
    expected = sorted(
        (*row.astype(int).tolist(), int(label))
        for row, label in zip(pixels, labels, strict=True)
    )
    got = sorted(
        (*row.reshape(-1).tolist(), int(label))
        for part in parts
        for row, label in zip(part.inputs, part.labels, strict=True)
    )
    assert got == expected
    assert list(tmp_path.iterdir()) == []


def test_indices_are_disjoint_ascending_and_complete():
    labels = np.random.default_rng(0).integers(0, 3, 101)
    parts = stratified(labels, 5)
    assert sorted(np.concatenate(parts).tolist()) == list(range(101))
    assert all(np.array_equal(p, np.sort(p)) for p in parts)


def test_inputs_are_pixels_from_0_to_16_and_cannot_be_changed(tmp_path):
    data = Digits().load(1, tmp_path)
    assert data.train.inputs.dtype == np.uint8
    assert data.train.inputs.min() == 0
    assert data.train.inputs.max() == data.input_max == 16
    with pytest.raises(ValueError, match="read-only"):
        data.train.inputs[0, 0, 0, 0] = 1


def test_the_split_seed_decides_alone(tmp_path):
    first = Digits(0)
    assert first.load(1, tmp_path) is first.load(8, tmp_path)
    assert first.fingerprint() != Digits(1).fingerprint()
    program = (
        "from moosnn.snn.data.digits import Digits; print(Digits(0).fingerprint())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == first.fingerprint()


@pytest.mark.parametrize("seed", [-1, 0.5, "1", True, None])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ConfigError, match=r"^data\.split_seed: expected .*>= 0, got "):
        Digits(seed)
