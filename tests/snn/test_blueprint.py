"""What is known before a network is built, against the built network and by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from moosnn.errors import ConfigError
from moosnn.snn.blueprint import (
    INPUT,
    Blueprint,
    Conv,
    Delay,
    Linear,
    Mean,
    Node,
    Pool,
    Sum,
)
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from tests.snn.built import CLASSES, blueprint, coded, lif, network

IMAGE = (2, 7, 6)
RESIDUAL = {"block_1": "residual_3", "block_2": "skip", "block_3": "residual_5"}
VARIED = [
    {"depth": 3, "width_1": 5, "skip": True, "recurrent_2": True, "neuron_1": "plif"},
    {"depth": 4, "width": 4, "neuron": "klif", "readout": "rate"},
    {"architecture": "conv", "depth": 3, "channels_3": 5, "pool": True, **RESIDUAL},
    {"architecture": "conv", "depth": 1, "block": "skip", "channels": 5},
    {"architecture": "cell", "cells": 3, "edge_13": "zero", "edge_14": "skip"},
    {
        "architecture": "cell",
        "edge_12": "average_3",
        "back_41": "conv_1",
        "back_32": "skip",
        "readout": "first_spike",
    },
    {"architecture": "sew", "depth": 3, "blocks_2": 2, "channels_3": 4},
    {"architecture": "sew", "depth": 2, "coding": "population", "neuron": "plif"},
]


@pytest.mark.parametrize("changes", VARIED)
def test_the_parameters_are_those_of_the_built_network(changes):
    net = network(IMAGE, **changes)
    assert net.blueprint.parameters == net.parameter_count()


def test_parameters_by_hand():
    # (6 + 1) 2 and a time constant; 2 recurrent x 2; (2 + 1) 3
    small = {"depth": 1, "width": 2, "neuron": "plif", "recurrent": True}
    assert blueprint((6,), **small).parameters == 14 + 1 + 4 + 9
    # 2 channels of 3 x 3 on 1 channel and scale, shift; skip; (2 8 8 + 1) 3
    stem = {"architecture": "conv", "depth": 1, "stem_channels": 2, "channels": 2}
    assert blueprint((1, 8, 8), **stem, block="skip").parameters == 18 + 4 + 387


@pytest.mark.parametrize("changes", VARIED)
def test_shapes_are_those_of_the_tensors(changes):
    net = network(IMAGE, **changes)
    heard = {}
    net.observe(coded(net, IMAGE), lambda node, source: heard.update({node: source}))
    assert len(heard) == sum(
        isinstance(n.op, Linear | Conv) for n in net.blueprint.nodes
    )
    for node, source in heard.items():
        assert source.shape[2:] == net.blueprint.shapes[node.sources[0]]


@pytest.mark.parametrize("changes", VARIED)
@pytest.mark.parametrize("constant_input", [False, True])
def test_dense_ops_are_the_products_that_are_computed(changes, constant_input):
    plan = blueprint(IMAGE, **changes)
    shapes, expected = plan.shapes, 0
    for node in plan.nodes:
        source = shapes[node.sources[0]]
        match node.op:
            case Linear(outputs=outputs):
                ops = torch.ones(outputs, math.prod(source)).sum()
            case Conv(channels=channels, kernel=k, stride=stride):
                # With ones everywhere, each output counts its products.
                weight = torch.ones(channels, source[0], k, k)
                image = torch.ones(1, *source)
                ops = F.conv2d(image, weight, stride=stride, padding=k // 2).sum()
            case _:
                continue
        once = constant_input and node.sources == (INPUT,)
        expected += int(ops) * (1 if once else 6)
    assert plan.dense_ops(6, constant_input=constant_input) == expected


def test_dense_ops_by_hand():
    plan = blueprint((6,), depth=2, width_1=4, width_2=5, recurrent_2=True)
    hidden, output = 4 * 5 + 5 * 5, 5 * CLASSES
    assert plan.dense_ops(1, constant_input=False) == 6 * 4 + hidden + output
    assert plan.dense_ops(10, constant_input=True) == 6 * 4 + 10 * (hidden + output)


@pytest.mark.parametrize("changes", VARIED)
def test_a_spike_reaches_as_many_synapses_as_it_has_ways(changes):
    """Of every entry of a layer, one at a time, follow its spike over ones."""
    plan = blueprint(IMAGE, **changes)
    for layer in plan.layers:
        entries = math.prod(layer.shape)
        alone = torch.eye(entries).reshape(entries, *layer.shape)
        values, reached = {layer.name: alone}, 0.0
        later = [n for n in plan.nodes if isinstance(n.op, Delay)] + list(plan.nodes)
        for node in dict.fromkeys(later):
            sources = [values[s] for s in node.sources if s in values]
            if not sources or isinstance(node.op, Neurons):
                continue
            value = torch.stack(sources).amax(0)
            match node.op:
                case Linear(outputs=outputs):
                    reached += float((value != 0).sum()) * outputs
                case Conv(channels=channels, kernel=k, stride=stride):
                    weight = torch.ones(channels, value.shape[1], k, k)
                    image = (value != 0).float()
                    taps = F.conv2d(image, weight, stride=stride, padding=k // 2)
                    reached += float(taps.sum())
                case Pool(kind="max", kernel=k, stride=stride):
                    values[node.name] = F.max_pool2d(value, k, stride)
                case Mean():
                    values[node.name] = value.mean((2, 3))
                case Pool() | Sum() | Delay():
                    values[node.name] = value  # leads to neurons only, if it smoothes
        assert plan.fan_out(layer.name) == pytest.approx(reached / entries)


def paths(plan: Blueprint) -> list[frozenset[str]]:
    """The nodes of each path from input to output that visits no node twice."""
    found, unfinished = [], [(INPUT,)]
    while unfinished:
        path = unfinished.pop()
        if path[-1] == plan.output.name:
            found.append(frozenset(path))
            continue
        unfinished += [
            (*path, node.name)
            for node in plan.nodes
            if path[-1] in node.sources and node.name not in path
        ]
    return found


def spikes_of(plan: Blueprint, name: str) -> set[str] | None:
    """The layers whose spikes, and nothing else, a node adds up; ``None``: other."""
    node = next((n for n in plan.nodes if n.name == name), None)
    if node is None or not isinstance(node.op, Neurons | Pool | Mean | Sum):
        return None
    if isinstance(node.op, Neurons):
        return {name}
    parts = [spikes_of(plan, source) for source in node.sources]
    return None if None in parts else set().union(*(p for p in parts if p))


SHORT = [
    *VARIED[:4],
    {"architecture": "cell", "cells": 1, "back_41": "skip", "edge_23": "zero"},
    {"architecture": "cell", "cells": 2, "edge_14": "zero", "edge_24": "zero"},
    *VARIED[6:],
]


@pytest.mark.parametrize("changes", SHORT)
def test_stages_are_what_every_path_crosses(changes):
    plan = blueprint(IMAGE, **changes)
    crossed = frozenset.intersection(*paths(plan))
    expected = {
        frozenset(spikes)
        for name in crossed
        if (spikes := spikes_of(plan, name)) is not None
    }
    stages = {frozenset(stage) for stage in plan.stages}
    assert stages >= expected
    assert len(plan.stages) == len(stages) > 0
    walked = [{n.name for n in plan.layers} & set(path) for path in paths(plan)]
    assert all(stage & layers for stage in stages for layers in walked)


@pytest.mark.parametrize(
    "changes",
    [
        *SHORT,
        {"depth": 3, "skip": True},
        {"depth": 4, "skip": True, "recurrent_2": True},
        {"architecture": "cell", "cells": 1, "edge_14": "zero", "edge_23": "zero"},
    ],
)
def test_no_set_of_layers_can_fall_silent_beside_the_stages(changes):
    """Whatever layers stop all paths by their silence hold a whole stage."""
    plan = blueprint(IMAGE, **changes)
    names = [node.name for node in plan.layers]
    walked = [set(names) & set(path) for path in paths(plan)]
    for size in (1, 2, 3):
        for silent in map(set, itertools.combinations(names, size)):
            if all(silent & layers for layers in walked):
                assert any(silent >= set(stage) for stage in plan.stages), silent


def test_stages_by_hand():
    assert blueprint((6,), depth=3).stages == tuple(
        (f"neurons_{k}",) for k in (1, 2, 3)
    )
    around = blueprint((6,), depth=3, skip_3=True)  # the third also hears the first
    assert around.stages == (("neurons_1",), ("neurons_3",))
    from_input = blueprint((6,), depth=2, skip=True)
    assert from_input.stages == (("neurons_2",),)
    block = blueprint((1, 4, 4), architecture="sew", depth=1)
    assert block.stages == (("neurons_1",), ("neurons_1", "neurons_3"))


def test_a_way_back_in_time_is_a_way_around_nothing():
    plain = blueprint((6,), depth=2)
    assert blueprint((6,), depth=2, recurrent=True).stages == plain.stages


def test_an_image_halves_and_a_line_stays():
    draft = Draft((2, 5, 4))
    assert draft.shape(draft.halve(INPUT)) == (2, 2, 2)
    assert Draft((2, 1, 6)).halve(INPUT) == INPUT
    assert draft.shape(draft.conv(INPUT, 3, 5, 2)) == (3, 3, 2)


def test_what_is_no_image_is_refused():
    with pytest.raises(ConfigError, match="height x width, got 700 inputs; use arch"):
        Draft((700,)).conv(INPUT, 2, 3)


def test_a_delay_may_read_what_comes_later():
    draft = Draft((3,))
    delay = draft.delay((2,))
    total = draft.sum([draft.linear(INPUT, 2), delay])
    spikes = draft.neurons(total, lif())
    draft.close(delay, spikes)
    draft.linear(spikes, CLASSES)
    nodes = draft.finished().nodes
    assert nodes[0] == Node(name=delay, op=Delay(), sources=(spikes,), shape=(2,))
    assert draft.finished().stages == ((spikes,),)
