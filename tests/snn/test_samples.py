"""Samples on a device: equal values, held in memory or read a batch at a time."""

import numpy as np
import pytest
import torch

from moosnn.snn import samples as module
from moosnn.snn.data import Split
from moosnn.snn.samples import Samples

COUNT = 7
PIXEL_MAX = 16.0


def split():
    raw = np.arange(COUNT * 6, dtype=np.uint8).reshape(COUNT, 1, 2, 3) % 17
    raw.setflags(write=False)
    return Split(inputs=raw, labels=np.arange(COUNT, dtype=np.int64) % 3)


def of(part):
    return Samples.of(part, PIXEL_MAX, torch.device("cpu"))


@pytest.mark.parametrize("held_bytes", [1 << 20, 0])
def test_a_batch_is_the_chosen_samples_scaled(monkeypatch, held_bytes):
    monkeypatch.setattr(module, "_HELD_BYTES", held_bytes)
    part = split()
    samples = of(part)
    assert (samples.held is None) == (held_bytes == 0)
    assert len(samples) == COUNT
    inputs, labels = samples.batch(torch.tensor([4, 0, 4]))
    assert inputs.dtype == torch.float32
    expected = part.inputs[[4, 0, 4]].astype(np.float32) / PIXEL_MAX
    assert np.array_equal(inputs.numpy(), expected)
    assert labels.tolist() == [1, 0, 1]


def test_only_some_samples_keep_their_order_and_labels():
    few = of(split()).only(torch.tensor([6, 2]))
    assert len(few) == 2
    inputs, labels = few.batch(torch.tensor([0, 1]))
    assert np.array_equal(inputs.numpy() * PIXEL_MAX, split().inputs[[6, 2]])
    assert labels.tolist() == [0, 2]


def test_a_mapped_file_is_read_and_never_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_HELD_BYTES", 0)
    path = tmp_path / "frames.npy"
    np.save(path, split().inputs)
    before = path.read_bytes()
    mapped = np.load(path, mmap_mode="r")
    samples = of(Split(inputs=mapped, labels=split().labels))
    inputs, _ = samples.batch(torch.arange(COUNT))
    inputs += 1.0
    assert path.read_bytes() == before
    assert np.array_equal(samples.batch(torch.arange(COUNT))[0] + 1.0, inputs)


def drawn(part, share, seed=0):
    return of(part).share(share, torch.Generator().manual_seed(seed))


def uneven(*counts):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    labels = np.random.default_rng(0).permutation(labels)
    inputs = np.arange(len(labels), dtype=np.float32)[:, None]
    for array in (inputs, labels):
        array.setflags(write=False)
    return Split(inputs=inputs, labels=labels)


@pytest.mark.parametrize("held_bytes", [1 << 20, 0])
def test_a_share_is_of_each_class_and_in_order(monkeypatch, held_bytes):
    monkeypatch.setattr(module, "_HELD_BYTES", held_bytes)
    part = uneven(40, 20, 2)
    some = drawn(part, 0.25)
    assert len(some) == 10 + 5 + 1  # half a sample is rounded to none, and one is left
    inputs, labels = some.batch(torch.arange(len(some)))
    assert torch.bincount(labels).tolist() == [10, 5, 1]
    indices = (inputs[:, 0] * PIXEL_MAX).long()
    assert torch.equal(indices, indices.sort().values)
    assert labels.tolist() == part.labels[indices.numpy()].tolist()


def test_a_share_follows_its_generator():
    rows = [drawn(uneven(40, 20), 0.5, seed).rows.tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_some_of_a_share_are_some_of_the_split():
    part = uneven(40, 20)
    some = drawn(part, 0.5)
    few = some.only(torch.tensor([3, 0]))
    assert few.split.inputs[:, 0].tolist() == [float(some.rows[3]), float(some.rows[0])]


def test_all_of_the_samples_are_a_share_too():
    assert drawn(uneven(4, 3), 1.0).rows.tolist() == list(range(7))
