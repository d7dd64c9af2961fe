"""A saved network is the same network, and raw pixels are enough to use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from moosnn.errors import ConfigError, StudyFolderError
from moosnn.snn.coding import encode
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import ARCHITECTURES
from moosnn.snn.layer import NEURONS
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.weights import DESCRIPTION, WEIGHTS, load_network, save_network
from tests.snn.built import genes

IMAGE = (1, 8, 8)


def pixels(count):
    """Raw digits, 0 to 16."""
    return Digits().load(1, Path()).test.inputs[:count]


def saved(folder, shape=IMAGE, **changes):
    chosen = genes(**{"threshold": 0.2, **changes})
    net = SpikingNetwork(chosen, shape, 10, torch.Generator().manual_seed(0))
    if chosen.coding != "frames":  # norms remember what they saw
        net(encode(torch.rand(5, *shape), chosen, torch.Generator()))
    save_network(
        folder,
        net.eval(),
        shape=shape,
        classes=10,
        input_max=16.0,
        metadata={"number": 17},
    )
    return net


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_round_trip_gives_identical_logits(tmp_path, architecture, neuron):
    given = {"architecture": architecture, "neuron": neuron, "tau_mem_steps": 3.7}
    net = saved(tmp_path, back_32="conv_1", recurrent=True, **given)
    loaded, preprocess = load_network(tmp_path)
    inputs = preprocess(pixels(9))
    logits = loaded(inputs)
    assert torch.equal(logits, net(inputs))
    assert logits.shape == (9, 10)
    assert not loaded.training
    assert loaded.genes == net.genes


@pytest.mark.parametrize("coding", ["direct", "rate", "latency", "population"])
def test_preprocessing_scales_shapes_and_codes(tmp_path, coding):
    saved(tmp_path, coding=coding, time_steps=5)
    _, preprocess = load_network(str(tmp_path))
    intensities = torch.tensor(pixels(3)) / 16
    source = torch.Generator().manual_seed(4)
    expected = encode(intensities, genes(coding=coding, time_steps=5), source)
    for raw in (pixels(3), pixels(3).reshape(3, 64), pixels(3).tolist()):
        assert torch.equal(preprocess(raw, seed=4), expected)


def test_frames_are_scaled_and_turned_time_first(tmp_path):
    net = saved(tmp_path, shape=(2, 3, 3), coding="frames", time_steps=4)
    loaded, preprocess = load_network(tmp_path)
    counts = np.arange(2 * 4 * 18).reshape(2, 4, 2, 3, 3)
    inputs = preprocess(counts)
    assert inputs.shape == (4, 2, 2, 3, 3)
    assert torch.equal(inputs[3, 1], torch.tensor(counts[1, 3]) / 16)
    assert torch.equal(loaded(inputs), net(inputs))
    with pytest.raises(ConfigError, match="expected N x 4 x 2 x 3 x 3, got 2 x 18"):
        preprocess(np.zeros((2, 18)))


def test_another_shape_is_refused(tmp_path):
    saved(tmp_path)
    _, preprocess = load_network(tmp_path)
    with pytest.raises(ConfigError, match="expected N x 1 x 8 x 8, got 2 x 63"):
        preprocess(np.zeros((2, 63)))


def test_two_whole_files_and_no_draft_are_left(tmp_path):
    saved(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([DESCRIPTION, WEIGHTS])
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    assert description["metadata"] == {"number": 17}


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(StudyFolderError, match=f"{DESCRIPTION}: expected a trained"):
        load_network(tmp_path)
    saved(tmp_path, width_1=12)
    whole = (tmp_path / DESCRIPTION).read_text()
    for text, message in (
        ("{", "not JSON"),
        ("[]", "format 2, got None"),
        (whole.replace('"format": 2', '"format": 1'), "format 2, got 1"),
        (whole.replace('"slope"', '"slop"'), "no parameter 'slop'"),
        (whole.replace('"classes"', '"clases"'), "classes"),
        (whole.replace('"readout": "mean"', '"readout": "men"'), "Did you mean 'mean'"),
    ):
        (tmp_path / DESCRIPTION).write_text(text)
        with pytest.raises(StudyFolderError, match=message):
            load_network(tmp_path)
    other = whole.replace('"width_1": 12', '"width_1": 13')
    (tmp_path / DESCRIPTION).write_text(other)
    with pytest.raises(StudyFolderError, match=f"{WEIGHTS}: no weights of this"):
        load_network(tmp_path)
    (tmp_path / DESCRIPTION).write_text(whole)
    (tmp_path / WEIGHTS).write_bytes(b"torn")
    with pytest.raises(StudyFolderError, match=WEIGHTS):
        load_network(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(StudyFolderError, match=WEIGHTS):
        load_network(tmp_path)
