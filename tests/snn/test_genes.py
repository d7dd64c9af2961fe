"""Genes: flat names in, one spelling for equal networks, clear refusals."""

import json

import pytest

from moosnn.errors import ConfigError
from moosnn.snn.genes import DEFAULTS, NAMES, Genes


def test_the_defaults_are_a_network():
    genes = Genes.from_params(DEFAULTS)
    assert genes.depth == DEFAULTS["depth"] == len(genes.widths)
    assert set(DEFAULTS) == NAMES


def test_layers_beyond_the_depth_are_ignored():
    shallow = {**DEFAULTS, "depth": 1}
    assert Genes.from_params(shallow) == Genes.from_params(
        {**shallow, "width_2": 7, "neuron_3": "if"}
    )
    needed = {k: v for k, v in shallow.items() if not k.endswith(("_2", "_3", "_4"))}
    assert Genes.from_params(needed).widths == (64,)


def test_without_leaky_layers_the_time_constant_is_inactive():
    point = {**DEFAULTS, "neuron_1": "if", "neuron_2": "if"}
    genes = Genes.from_params(point)
    assert genes == Genes.from_params({**point, "tau_mem_steps": 9.0})
    del point["tau_mem_steps"]
    assert Genes.from_params(point) == genes


def test_json_both_ways():
    genes = Genes.from_params({**DEFAULTS, "depth": 3, "neuron_2": "plif"})
    assert Genes.from_json(json.loads(json.dumps(genes.to_json()))) == genes


def test_whole_floats_are_integers():
    assert Genes.from_params({**DEFAULTS, "time_steps": 3.0}).time_steps == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treshold": 1.0}, "no parameter 'treshold'. Did you mean 'threshold'"),
        ({"neuron_1": "lf"}, "neuron_1: got 'lf'. Did you mean 'lif'"),
        ({"surrogate": "atam"}, "Did you mean 'atan'"),
        ({"coding": "ratee"}, "Did you mean 'rate'"),
        ({"depth": 0}, "depth: expected a whole number >= 1, got 0"),
        ({"depth": 5}, "depth: expected 1 to 4, got 5"),
        ({"width_1": 8.5}, "width_1: expected a whole number >= 1, got 8.5"),
        ({"width_1": "8"}, "width_1: expected a whole number"),
        ({"epochs": True}, "epochs: expected a whole number"),
        ({"tau_mem_steps": 1.0}, "tau_mem_steps: expected a finite number > 1"),
        ({"threshold": 0}, "threshold: expected a finite number > 0, got 0"),
        ({"slope": float("nan")}, "slope: expected a finite number"),
        ({"learning_rate": "1e-3"}, "learning_rate: expected a finite number"),
        ({"activity_penalty": -1.0}, "activity_penalty: expected a finite number >= 0"),
    ],
)
def test_what_is_no_network_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        Genes.from_params({**DEFAULTS, **change})


@pytest.mark.parametrize("name", ["depth", "width_2", "neuron_1", "tau_mem_steps"])
def test_a_missing_gene_is_named(name):
    point = {k: v for k, v in DEFAULTS.items() if k != name}
    with pytest.raises(ConfigError, match=f"'{name}' has no value"):
        Genes.from_params(point)


def test_widths_and_neurons_must_match():
    raw = Genes.from_params(DEFAULTS).to_json()
    with pytest.raises(ConfigError, match="as many neurons"):
        Genes.from_json({**raw, "neurons": ["lif"]})
