"""Paths through layers of modules, drawn and computed by hand."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import binary_nodes
from tests.snn.built import CLASSES, blueprint, coded, drawn, genes, network

SHAPE = (2, 3)


def paths(**changes):
    given = {"architecture": "paths", "modules": 3, "module_width": 5}
    return {**given, **changes}


def test_a_layers_outputs_are_added_up_and_heard_by_all_of_the_next():
    assert drawn(SHAPE, **paths(path_1="ac", path_2="bc")) == [
        "linear_1a < input",
        "neurons_1a < linear_1a",
        "linear_1c < input",
        "neurons_1c < linear_1c",
        "sum_1 < neurons_1a neurons_1c",
        "linear_2b < sum_1",
        "neurons_2b < linear_2b",
        "linear_2c < sum_1",
        "neurons_2c < linear_2c",
        "sum_2 < neurons_2b neurons_2c",
    ]


def test_a_lone_module_needs_no_sum():
    assert drawn(SHAPE, **paths(path_1="b", path_2="a")) == [
        "linear_1b < input",
        "neurons_1b < linear_1b",
        "linear_2a < neurons_1b",
        "neurons_2a < linear_2a",
    ]


def test_a_module_has_the_same_name_and_shape_in_every_path():
    whole = {n.name: n for n in blueprint(SHAPE, **paths()).nodes}
    options = ("a", "b", "c", "ab", "ac", "bc", "abc")
    for first, second in product(options, options):
        plan = blueprint(SHAPE, **paths(path_1=first, path_2=second))
        for node in plan.nodes:
            if not node.name.startswith("sum"):
                assert whole[node.name].op == node.op
                assert whole[node.name].shape == node.shape
        assert {n.name[len("neurons_") :] for n in plan.layers} == {
            *(f"1{m}" for m in first),
            *(f"2{m}" for m in second),
        }


@pytest.mark.parametrize("active", ["a", "ac", "abc"])
def test_the_modules_of_a_layer_are_one_stage(active):
    plan = blueprint(SHAPE, **paths(path_1=active, path_2="b", readout="rate"))
    assert plan.stages == (
        tuple(f"neurons_1{m}" for m in active),
        ("neurons_2b",),
        ("neurons_1",),  # of the read-out
    )


def test_thresholds_of_a_layer_are_spread_at_equal_ratios():
    plan = blueprint(SHAPE, **paths(threshold=0.5, threshold_2=3.0, threshold_spread=4))
    found = [n.op.threshold for n in plan.layers]
    assert found == pytest.approx([0.25, 0.5, 1.0, 1.5, 3.0, 6.0])


def test_without_a_spread_modules_are_equal():
    plan = blueprint(SHAPE, **paths(threshold_spread=1))
    assert len({n.op for n in plan.layers}) == 1


def test_a_band_goes_with_its_threshold():
    chosen = Genes.from_params({**defaults("ssgd"), **paths(b_th=0.1)})
    for node in chosen.blueprint(SHAPE, CLASSES).layers:
        assert node.op.band == pytest.approx(0.1 * node.op.threshold)


def test_all_is_every_letter():
    assert genes(**paths(path_1="all")) == genes(**paths(path_1="abc"))
    assert genes(**paths(path_1="a")) != genes(**paths(path_1="b"))


def test_parameters_are_those_of_the_path():
    plan = blueprint(SHAPE, **paths(path_1="ac", path_2="b", module_width_2=4))
    # two modules of 6 inputs, one that hears their sum, the read-out; each with biases
    assert plan.parameters == 2 * 7 * 5 + 6 * 4 + 5 * CLASSES


def test_a_sum_of_spikes_is_multiplied_and_a_lone_modules_spikes_are_added():
    plan = blueprint(SHAPE, **paths(path_1="ac", path_2="b"))
    adds = binary_nodes(plan, "rate")
    assert "sum_1" not in adds
    assert "neurons_2b" in adds


@pytest.mark.parametrize(
    ("value", "error", "line"),
    [
        ("xz", ConfigError, "path_1: expected letters of modules, each at most once"),
        ("aa", ConfigError, "path_1: expected letters of modules, each at most once"),
        ("ba", ConfigError, "path_1: .* and in order, such as ac, or all, got 'ba'"),
        ("", ConfigError, "got ''"),
        (3, ConfigError, "got 3"),
        (
            "ad",
            ArchitectureError,
            "path_1: expected letters of a to c, since modules=3",
        ),
    ],
)
def test_a_bad_path_is_one_line(value, error, line):
    with pytest.raises(error, match=line) as told:
        genes(**paths(path_1=value))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"modules": 9}, "modules: expected 2 to 8, got 9"),
        ({"modules": 1}, "modules: expected a whole number >= 2, got 1"),
        ({"threshold_spread": 0.5}, "threshold_spread: expected a finite number >= 1"),
        ({"depth": 9}, "depth: expected 1 to 8, got 9"),
    ],
)
def test_sizes_have_limits(changes, line):
    with pytest.raises(ConfigError, match=line):
        genes(**paths(**changes))


# ---------------------------------------------------------------- networks that share


def alone(net: SpikingNetwork, chosen: Genes) -> SpikingNetwork:
    """The stand-alone network of some genes with weights by name."""
    other = SpikingNetwork(chosen, SHAPE, CLASSES, torch.Generator().manual_seed(99))
    state = net.state_dict()
    other.load_state_dict({name: state[name] for name in other.state_dict()})
    return other


def test_a_network_of_shared_modules_is_the_stand_alone_one():
    net = network(SHAPE, **paths(neuron="plif", threshold=0.2))
    inputs = coded(net, SHAPE, 7)
    for path in (("a", "b"), ("ac", "abc"), ("abc", "c")):
        chosen = genes(
            **paths(neuron="plif", threshold=0.2, path_1=path[0], path_2=path[1])
        )
        ours = net.sharing(chosen)
        assert all(ours.parts[name] is net.parts[name] for name in ours.parts)
        seen, expected = ours.observe(inputs), alone(net, chosen).observe(inputs)
        assert torch.equal(seen.logits, expected.logits)
        for mine, theirs in zip(seen.spikes, expected.spikes, strict=True):
            assert torch.equal(mine, theirs)
        for mine, theirs in zip(seen.membranes, expected.membranes, strict=True):
            assert torch.equal(mine, theirs)
        assert sum(float(s.detach().sum()) for s in seen.spikes) > 0


def test_a_narrowed_network_has_what_it_needs_and_no_more():
    net = network(SHAPE, **paths())
    chosen = genes(**paths(path_1="ac", path_2="b"))
    expected = alone(net, chosen)
    inputs = coded(net, SHAPE)
    net.narrow(chosen)
    assert torch.equal(net(inputs), expected(inputs))
    assert net.parameter_count() == net.blueprint.parameters
    assert list(net.state_dict()) == list(expected.state_dict())
    assert net.genes == chosen
