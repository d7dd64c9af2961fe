"""The raster of a sample: as many spikes as the network counts, in the file as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from moosnn.snn.coding import encode
from moosnn.snn.data import Split
from moosnn.snn.gene_names import ARCHITECTURES
from moosnn.snn.raster import (
    MOST_NEURONS,
    RASTER,
    Raster,
    Stage,
    raster_of,
    read_raster,
    save_raster,
)
from moosnn.snn.samples import Samples
from tests.snn.built import network
from tests.snn.test_network import IMAGE, LOOPS

NEURONS = (
    *((kind, "bptt") for kind in ("if", "lif", "plif", "alif", "cuba", "izhikevich")),
    *((kind, "slayer") for kind in ("srm", "cuba_adaptive")),
)


def held_out(shape: tuple[int, ...] = IMAGE) -> Samples:
    dice = np.random.default_rng(3)
    split = Split(
        inputs=dice.random((5, *shape), dtype=np.float32),
        labels=np.array([2, 0, 1, 1, 0]),
    )
    return Samples.of(split, 1.0, torch.device("cpu"))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def counted(net, samples: Samples) -> list[int]:
    """The spikes of each stage on the first sample, as the network counts them."""
    inputs, _ = samples.batch(torch.tensor([0]))
    with torch.no_grad():
        seen = net.eval().observe(encode(inputs, net.genes, generator()))
    return [int(count) for count in seen.stage_counts()[0]]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_as_many_spikes_as_it_counts(name, tmp_path):
    net = network(IMAGE, architecture=name, threshold=0.3, **LOOPS[name])
    raster = raster_of(net, held_out(), generator(), "validation")
    save_raster(tmp_path, raster)
    read = read_raster(tmp_path)
    assert read is not None
    expected = counted(net, held_out())
    assert sum(expected) > 0
    assert [stage.spikes for stage in read.stages] == expected
    for stage in read.stages:
        whole = stage.neurons == len(stage.shown)
        assert whole == (stage.neurons <= MOST_NEURONS)
        assert not whole or stage.fired.sum() == stage.spikes
        assert len(stage.fired) == net.genes.time_steps


@pytest.mark.parametrize(("neuron", "rule"), NEURONS)
@pytest.mark.parametrize("coding", ["direct", "rate"])
def test_every_neuron_and_code_is_kept_bit_for_bit(neuron, rule, coding, tmp_path):
    """Nine neurons: their bits do not end with a byte."""
    genes = {"neuron": neuron, "training": rule, "width": 9, "coding": coding}
    net = network((6,), threshold=0.2, **genes)
    raster = raster_of(net, held_out((6,)), generator(), "test")
    save_raster(tmp_path, raster)
    inputs, labels = held_out((6,)).batch(torch.tensor([0]))
    with torch.no_grad():
        seen = net.observe(encode(inputs, net.genes, generator()))
    read = read_raster(tmp_path)
    assert read is not None
    assert np.array_equal(read.stages[0].fired, seen.spikes[0][:, 0].numpy() > 0)
    assert read.stages[0].shown == tuple(range(9))
    assert (read.truth, read.split, read.sample) == (int(labels[0]), "test", 0)
    assert read.answer == int(seen.logits[0].argmax())


def test_of_many_neurons_evenly_chosen_ones_are_kept(tmp_path):
    net = network((6,), width=700, depth=1, threshold=0.05)
    raster = raster_of(net, held_out((6,)), generator(), "validation")
    (stage,) = raster.stages
    assert (stage.neurons, len(stage.shown)) == (700, MOST_NEURONS)
    assert (stage.shown[0], stage.shown[-1]) == (0, 699)
    assert set(np.diff(stage.shown)) == {2, 3}
    assert [stage.spikes] == counted(net, held_out((6,)))
    inputs, _ = held_out((6,)).batch(torch.tensor([0]))
    with torch.no_grad():
        seen = net.observe(encode(inputs, net.genes, generator()))
    kept = seen.spikes[0][:, 0, list(stage.shown)].numpy() > 0
    assert np.array_equal(stage.fired, kept)


def test_asking_changes_neither_weights_nor_the_global_dice():
    net = network((6,), width=9, coding="rate", dropout=0.5)
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    before = torch.get_rng_state()
    first = raster_of(net, held_out((6,)), generator(), "validation")
    second = raster_of(net, held_out((6,)), generator(), "validation")
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first.stages[0].fired, second.stages[0].fired)
    for name, value in net.state_dict().items():
        assert torch.equal(value, weights[name])


def test_no_file_or_a_broken_one_is_no_raster(tmp_path):
    assert read_raster(tmp_path) is None
    (tmp_path / RASTER).write_bytes(b"torn")
    assert read_raster(tmp_path) is None
    save_file({"fired.0": np.zeros((2, 1), dtype=np.uint8)}, tmp_path / RASTER)
    assert read_raster(tmp_path) is None


def test_a_file_that_lacks_steps_is_no_raster(tmp_path):
    stage = Stage(
        name="one", neurons=2, spikes=0, shown=(0, 1), fired=np.zeros((4, 2), bool)
    )
    raster = Raster(sample=0, split="test", truth=0, answer=0, stages=(stage,))
    save_raster(tmp_path, raster)
    assert read_raster(tmp_path) is not None
    path = tmp_path / RASTER
    path.write_bytes(path.read_bytes().replace(b'steps\\": 4', b'steps\\": 5'))
    assert read_raster(tmp_path) is None
