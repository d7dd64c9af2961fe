"""A saved network is the same network, and raw pixels are enough to use it."""

import json

import numpy as np
import pytest
import torch

from moosnn.errors import ConfigError, StudyFolderError
from moosnn.snn.coding import encode
from moosnn.snn.data.digits import load_digits
from moosnn.snn.genes import DEFAULTS, Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.weights import DESCRIPTION, WEIGHTS, load_network, save_network


def saved(folder, **changes):
    genes = Genes.from_params({**DEFAULTS, "threshold": 0.2, **changes})
    net = SpikingNetwork(genes, 64, 10, torch.Generator().manual_seed(0))
    save_network(
        folder,
        net,
        features=64,
        classes=10,
        input_max=16.0,
        metadata={"number": 17},
    )
    return net


@pytest.mark.parametrize("neuron", ["if", "lif", "plif"])
def test_the_round_trip_gives_identical_logits(tmp_path, neuron):
    net = saved(tmp_path, neuron_1=neuron, tau_mem_steps=3.7)
    loaded, preprocess = load_network(tmp_path)
    pixels = np.round(load_digits(0).test.inputs[:9] * 16)
    logits = loaded(preprocess(pixels))
    assert torch.equal(logits, net(preprocess(pixels)))
    assert logits.shape == (9, 10)
    assert not loaded.training
    assert loaded.genes == net.genes


@pytest.mark.parametrize("coding", ["direct", "rate", "latency"])
def test_preprocessing_scales_flattens_and_codes(tmp_path, coding):
    saved(tmp_path, coding=coding, time_steps=5)
    _, preprocess = load_network(str(tmp_path))
    intensities = torch.tensor(load_digits(0).test.inputs[:3])
    expected = encode(intensities, coding, 5, torch.Generator().manual_seed(4))
    images = (intensities * 16).reshape(3, 8, 8)
    assert torch.equal(preprocess(images, seed=4), expected)
    assert torch.equal(preprocess(images.tolist(), seed=4), expected)


def test_another_shape_is_refused(tmp_path):
    saved(tmp_path)
    _, preprocess = load_network(tmp_path)
    with pytest.raises(ConfigError, match="expected N x 64, got 2 x 63"):
        preprocess(np.zeros((2, 63)))


def test_two_whole_files_and_no_draft_are_left(tmp_path):
    saved(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([DESCRIPTION, WEIGHTS])
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    assert description["metadata"] == {"number": 17}


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(StudyFolderError, match=f"{DESCRIPTION}: expected a trained"):
        load_network(tmp_path)
    saved(tmp_path)
    whole = (tmp_path / DESCRIPTION).read_text()
    for text, message in (
        ("{", "not JSON"),
        ("[]", "format 1, got None"),
        (whole.replace('"format": 1', '"format": 2'), "format 1, got 2"),
        (whole.replace('"slope"', '"slop"'), "'slope' has no value"),
        (whole.replace('"features"', '"feature"'), "features"),
    ):
        (tmp_path / DESCRIPTION).write_text(text)
        with pytest.raises(StudyFolderError, match=message):
            load_network(tmp_path)
    (tmp_path / DESCRIPTION).write_text(whole.replace("64,", "32,", 1))
    with pytest.raises(StudyFolderError, match=f"{WEIGHTS}: no weights of this"):
        load_network(tmp_path)
    (tmp_path / DESCRIPTION).write_text(whole)
    (tmp_path / WEIGHTS).write_bytes(b"torn")
    with pytest.raises(StudyFolderError, match=WEIGHTS):
        load_network(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(StudyFolderError, match=WEIGHTS):
        load_network(tmp_path)
