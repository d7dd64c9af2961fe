"""Genes: flat names in, a layer's own before the network's, clear refusals."""

from __future__ import annotations

import json
import pickle

import pytest

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.gene_names import ARCHITECTURES, DEFAULTS, MAX_LAYERS, NAMES
from moosnn.snn.genes import Genes
from tests.snn.built import genes


def test_the_defaults_are_a_network_of_each_architecture():
    for name in ARCHITECTURES:
        assert genes(architecture=name).blueprint((1, 8, 8), 10).layers


def test_every_gene_has_a_default_and_a_layers_gene_is_numbered():
    assert set(DEFAULTS) <= NAMES
    for name in NAMES - set(DEFAULTS):
        gene, _, layer = name.rpartition("_")
        assert gene in DEFAULTS
        assert 1 <= int(layer) <= MAX_LAYERS
    assert {"width_8", "threshold_1", "block_3", "blocks_4", "neuron_2"} < NAMES
    assert not {"epochs_1", "edge_12_1", "depth_1", "width_9"} & NAMES


def test_a_layers_own_gene_goes_before_the_networks():
    chosen = genes(depth=3, threshold=0.5, threshold_2=2.0, neuron_3="if")
    assert [n.threshold for n in chosen.neurons] == [0.5, 2.0, 0.5]
    assert [n.kind for n in chosen.neurons] == ["lif", "lif", "if"]


@pytest.mark.parametrize(
    ("architecture", "size", "layers"),
    [
        ("mlp", "depth", 3),
        ("conv", "depth", 3),
        ("cell", "cells", 3),
        ("sew", "depth", 3),
    ],
)
def test_neuron_genes_are_of_a_layer_block_cell_or_stage(architecture, size, layers):
    chosen = genes(**{"architecture": architecture, size: layers, "slope_2": 7.0})
    assert [n.slope for n in chosen.neurons] == [2.0, 7.0, 2.0]


def test_what_does_not_exist_is_ignored():
    shallow = genes(depth=1)
    assert shallow == genes(depth=1, width_2=7, neuron_3="if", edge_12="zero", cells=3)
    assert shallow != genes(depth=1, width_1=7)


def test_json_both_ways():
    chosen = genes(depth=3, neuron_2="plif", skip_3=True)
    again = Genes.from_params(json.loads(json.dumps(chosen.to_json())))
    assert again == chosen
    assert again.to_json() == chosen.to_json()


def test_whole_floats_are_integers():
    assert genes(time_steps=3.0).time_steps == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treshold": 1.0}, "no parameter 'treshold'. Did you mean 'threshold'"),
        ({"width_9": 8}, "no parameter 'width_9'. Did you mean"),
        ({"architecture": "con"}, "architecture: got 'con'. Did you mean 'conv'"),
        ({"neuron_1": "lf"}, "neuron_1: got 'lf'. Did you mean 'lif'"),
        ({"neuron": "adlif"}, "neuron: got 'adlif'. Did you mean 'alif'"),
        ({"surrogate": "atam"}, "Did you mean 'atan'"),
        ({"coding": "ratee"}, "Did you mean 'rate'"),
        ({"readout": "men"}, "readout: got 'men'. Did you mean 'mean'"),
        ({"loss": "cross_entrpy"}, "Did you mean 'cross_entropy'"),
        ({"regulariser": "spike"}, "Did you mean 'spikes'"),
        ({"depth": 0}, "depth: expected a whole number >= 1, got 0"),
        ({"depth": 9}, "depth: expected 1 to 8, got 9"),
        ({"architecture": "sew", "depth": 5}, "depth: expected 1 to 4, got 5"),
        ({"architecture": "sew", "blocks_1": 7}, "blocks_1: expected 1 to 6, got 7"),
        ({"architecture": "cell", "cells": 4}, "cells: expected 1 to 3, got 4"),
        ({"architecture": "cell", "edge_12": "conv"}, "Did you mean 'conv_3'"),
        ({"architecture": "conv", "block_2": "residual"}, "Did you mean 'residual_"),
        ({"architecture": "conv", "pool": 1}, "pool: expected true or false, got 1"),
        ({"width_1": 8.5}, "width_1: expected a whole number >= 1, got 8.5"),
        ({"width_1": "8"}, "width_1: expected a whole number"),
        ({"epochs": True}, "epochs: expected a whole number"),
        ({"training_share": 0.0}, "training_share: expected a finite number > 0"),
        ({"training_share": 1.1}, r"training_share: expected a share in \(0, 1\]"),
        ({"population": 1}, "population: expected a whole number >= 2"),
        ({"tau_mem_steps": 1.0}, "tau_mem_steps: expected a finite number > 1"),
        (
            {"tau_readout_steps": 0.9},
            "tau_readout_steps: expected a finite number >= 1",
        ),
        ({"threshold": 0}, "threshold: expected a finite number > 0, got 0"),
        ({"adaptation_2": -0.1}, "adaptation_2: expected a finite number >= 0"),
        ({"slope": float("nan")}, "slope: expected a finite number"),
        ({"slope": float("inf")}, "slope: expected a finite number"),
        ({"learning_rate": "1e-3"}, "learning_rate: expected a finite number"),
        ({"activity_penalty": -1.0}, "activity_penalty: expected a finite number >= 0"),
    ],
)
def test_what_is_no_gene_is_refused(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        genes(**change)
    assert not isinstance(caught.value, ArchitectureError)


@pytest.mark.parametrize("name", ["depth", "width", "neuron", "tau_mem_steps", "loss"])
def test_a_missing_gene_is_named(name):
    point = {k: v for k, v in DEFAULTS.items() if k != name}
    with pytest.raises(ConfigError, match=f"'{name}' has no value"):
        Genes.from_params(point)


@pytest.mark.parametrize("readout", ["rate", "first_spike"])
def test_genes_that_do_not_fit_together_make_no_network(readout):
    with pytest.raises(ArchitectureError, match=f"readout={readout} has not; use"):
        genes(loss="tet", readout=readout)


def test_a_batch_of_one_cannot_feed_the_norm_of_a_single_pixel():
    tiny = {"architecture": "conv", "depth": 3, "pool": True, "batch_size": 1}
    with pytest.raises(ArchitectureError, match="batch_size: expected >= 2 where"):
        genes(**tiny).blueprint((1, 4, 4), 10)
    assert genes(**{**tiny, "batch_size": 2}).blueprint((1, 4, 4), 10)
    assert genes(**{**tiny, "pool_2": False}).blueprint((1, 4, 4), 10)
    assert genes(batch_size=1).blueprint((1, 1, 1), 10)  # no norm, no matter


def test_the_population_code_multiplies_channels_or_features():
    coded = genes(coding="population", population=3)
    assert coded.coded_shape((700,)) == (2100,)
    assert coded.coded_shape((2, 8, 6)) == (6, 8, 6)
    assert genes().coded_shape((2, 8, 6)) == (2, 8, 6)


def test_a_spiking_read_out_is_one_more_layer_with_the_last_ones_genes():
    chosen = genes(readout="rate", threshold_2=0.7)
    last = chosen.blueprint((6,), 3).output
    assert last.op == chosen.neurons[-1]
    assert last.shape == (3,)
    assert len(genes().blueprint((6,), 3).layers) == 2


def test_architectures_are_values():
    for name in ARCHITECTURES:
        chosen = genes(architecture=name).architecture
        assert chosen == genes(architecture=name).architecture
        assert pickle.loads(pickle.dumps(chosen)) == chosen
