"""Exported graphs, run by two others: NIR's equations in numpy, and spikingjelly."""

from __future__ import annotations

import random
import sys
from graphlib import TopologicalSorter

import numpy as np
import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.exchange.nir import save_nir, to_nir
from moosnn.snn.blueprint import INPUT, Conv
from moosnn.snn.connections import Convolution
from moosnn.snn.gene_names import defaults
from tests.snn.built import coded, network
from tests.snn.test_random_genes import SHAPES, random_genes

nir = pytest.importorskip("nir")

STEP_S = 1e-3
IMAGE = (2, 6, 5)
ALLOWED = ("if", "lif", "plif", "cuba")


def numpy_run(graph, sequence):
    """The output of each step: NIR's equations by forward Euler, from rest.

    An edge that closes a loop, from a node of a higher (or the same) name, is a step
    late and 0 at first.
    """
    nodes, edges = graph.nodes, graph.edges
    late = {(a, b) for a, b in edges if a >= b and way(edges, b, a)}
    sources = {name: [a for a, b in edges if b == name] for name in nodes}
    now_read = {n: [a for a in s if (a, n) not in late] for n, s in sources.items()}
    state, outputs = {name: {} for name in nodes}, []
    before = {
        name: np.zeros((sequence.shape[1], *node.output_type["output"]))
        for name, node in nodes.items()
    }
    for step in sequence:
        now = {"input": step}
        for name in TopologicalSorter(now_read).static_order():
            if name != "input":
                parts = [
                    (before if (a, name) in late else now)[a] for a in sources[name]
                ]
                now[name] = apply(nodes[name], sum(parts), state[name])
        before = now
        outputs.append(now["output"])
    return np.stack(outputs)


def way(edges, start, end):
    reached = {start}
    while grown := {b for a, b in edges if a in reached} - reached:
        reached |= grown
    return end in reached


def apply(node, x, state):  # noqa: PLR0911 -- one for each node of NIR
    v = state.get("v", 0.0)
    match type(node).__name__:
        case "Output":
            return x
        case "Linear":
            return x @ node.weight.T
        case "Affine":
            return x @ node.weight.T + node.bias
        case "Flatten":
            return x.reshape(len(x), -1)
        case "Conv2d":
            windows = windows_of(x, node.weight.shape[-1], node.stride, node.padding)
            out = np.einsum("nchwij,kcij->nkhw", windows, node.weight)
            return out + node.bias[:, None, None]
        case "SumPool2d" | "AvgPool2d":
            kernel = tuple(int(k) for k in node.kernel_size)
            windows = windows_of(x, kernel, node.stride, node.padding)
            pooled = windows.sum((-2, -1))
            average = type(node).__name__ == "AvgPool2d"
            return pooled / np.prod(kernel) if average else pooled
        case "Threshold":
            return (x > node.threshold).astype(float)
        case "Delay":
            assert (node.delay == STEP_S).all()
            state["v"] = x
            return v + np.zeros_like(x)
        case "LI":
            state["v"] = v + STEP_S / node.tau * (node.v_leak - v + node.r * x)
            return state["v"]
        case "IF":
            v = v + STEP_S * node.r * x
        case "LIF":
            v = v + STEP_S / node.tau * (node.v_leak - v + node.r * x)
        case "CubaLIF":
            i = state.get("i", 0.0)
            state["i"] = i + STEP_S / node.tau_syn * (-i + node.w_in * x)
            change = node.v_leak - v + node.r * state["i"]
            v = v + STEP_S / node.tau_mem * change
    spikes = v > node.v_threshold
    state["v"] = np.where(spikes, node.v_reset, v)
    return spikes.astype(float)


def windows_of(x, kernel, stride, padding):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    (down, across), (top, left) = (np.asarray(a).astype(int) for a in (stride, padding))
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    return view[:, :, ::down, ::across]


def per_step(net, sequence):
    """What our network's last node gives at each step, and its logits."""
    with torch.no_grad():
        activity = net.observe(sequence)
    return activity


def trained_looking(shape, **changes):
    """A network whose norms have seen something, in evaluation mode, in double."""
    net = network(shape, **{"loss": "tet", "time_steps": 6, **changes})
    with torch.no_grad():
        for part in net.parts.values():
            if isinstance(part, Convolution):
                part.norm.scale.uniform_(0.5, 2.0)
                part.norm.shift.uniform_(-0.5, 0.5)
        for _ in range(3):
            net(torch.rand(6, 4, *net.blueprint.input_shape))
    return net.eval()


def norms_of(net):
    return [p.norm for p in net.parts.values() if isinstance(p, Convolution)]


LIF_CHAIN = {"depth": 3, "width": 9, "threshold": 0.3, "tau_mem_steps": 3.7}
NETWORKS = {
    "mlp": LIF_CHAIN,
    "if": {**LIF_CHAIN, "neuron": "if"},
    "plif": {**LIF_CHAIN, "neuron": "plif"},
    "cuba": {**LIF_CHAIN, "neuron": "cuba", "tau_syn_steps": 2.6},
    "skip": {**LIF_CHAIN, "skip": True},
    "recurrent": {**LIF_CHAIN, "recurrent": True, "skip_3": True},
    "conv": {"architecture": "conv", "block": "residual_3", "channels": 5},
    "sew": {"architecture": "sew", "depth": 2, "channels": 4, "blocks": 2},
    "cell": {"architecture": "cell", "cells": 1, "edge_13": "average_3"},
}


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def assert_same(ours, theirs):
    """But for a spike that rounding moved, which may change what follows."""
    near = np.isclose(ours, theirs, atol=1e-4)
    assert near.mean() > 0.99


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("readout", ["mean", "rate"])
def test_the_equations_of_nir_give_the_same_output_at_every_step(name, readout):
    loss = "tet" if readout == "mean" else "mse"
    given = {"threshold": 0.4, **NETWORKS[name], "readout": readout, "loss": loss}
    net = trained_looking(IMAGE, **given)
    inputs = torch.rand(6, 3, *IMAGE)
    activity = per_step(net, inputs)
    assert all(s.any() for s in activity.spikes[:3])
    outputs = numpy_run(to_nir(net, step_s=STEP_S), inputs.numpy())
    assert_same(activity.outputs.numpy(), outputs)


def test_a_leaking_read_out_is_an_integrator():
    net = trained_looking((6,), threshold=0.2, tau_readout_steps=2.5)
    inputs = torch.rand(6, 3, 6)
    outputs = numpy_run(to_nir(net, step_s=STEP_S), inputs.numpy())
    assert_same(per_step(net, inputs).outputs.numpy(), outputs)


def test_maxima_of_spikes_are_sums_above_a_half():
    pooled = {"architecture": "conv", "depth": 2, "pool": True, "threshold": 0.4}
    net = trained_looking(IMAGE, **pooled, channels=4)
    graph = to_nir(net, step_s=STEP_S)
    kinds = [type(n).__name__ for n in graph.nodes.values()]
    assert kinds.count("SumPool2d") == kinds.count("Threshold") == 2
    inputs = torch.rand(6, 3, *IMAGE)
    assert_same(per_step(net, inputs).outputs.numpy(), numpy_run(graph, inputs.numpy()))


def test_a_step_back_without_a_loop_is_a_delay():
    """The third node is heard by the second, and by nobody before it."""
    edges = dict.fromkeys(("edge_12", "edge_13", "edge_24", "edge_34"), "skip")
    edges |= {"edge_14": "zero", "edge_23": "zero", "back_32": "skip"}
    cell = {"architecture": "cell", "cells": 1, "threshold": 0.3, **edges}
    net = trained_looking(IMAGE, **cell)
    graph = to_nir(net, step_s=STEP_S)
    assert sum(type(n).__name__ == "Delay" for n in graph.nodes.values()) == 1
    inputs = torch.rand(6, 3, *IMAGE)
    assert_same(per_step(net, inputs).outputs.numpy(), numpy_run(graph, inputs.numpy()))


@pytest.mark.parametrize("architecture", ["mlp", "conv", "cell", "sew"])
def test_random_networks_are_what_their_graphs_say(architecture):
    dice, compared = random.Random(architecture), 0
    while compared < 12:
        genes = random_genes(architecture, dice)
        kinds = {f"neuron_{k}": dice.choice(ALLOWED) for k in range(1, 9)}
        genes |= kinds | {"loss": "tet", "readout": "max", "batch_size": 2}
        genes["reset"] = "hard"
        shape = dice.choice(SHAPES)
        try:
            net = trained_looking(shape, **genes)
        except ArchitectureError:
            continue
        inputs = coded(net, shape)
        if any(len(norm.mean) > 1 for norm in norms_of(net)):
            with pytest.raises(ConfigError, match="differs from step to step"):
                to_nir(net)
            continue
        outputs = numpy_run(to_nir(net, step_s=STEP_S), inputs.numpy())
        assert_same(per_step(net, inputs).outputs.numpy(), outputs)
        compared += 1


def spikingjelly_run(graph, sequence):
    """spikingjelly's own reader, step by step."""
    from spikingjelly.activation_based import nir_exchange

    model = nir_exchange.import_from_nir(graph, dt=STEP_S)
    state, outputs = None, []
    with torch.no_grad():
        for step in sequence:
            output, state = model(step, state)
            outputs.append(output)
    return torch.stack(outputs).numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_spikingjelly_reads_the_file_and_computes_the_same(name, tmp_path):
    net = trained_looking(IMAGE, **{"threshold": 0.4, **NETWORKS[name]})
    save_nir(net, tmp_path / "net.nir", step_s=STEP_S)
    inputs = torch.rand(6, 3, *IMAGE)
    outputs = spikingjelly_run(str(tmp_path / "net.nir"), inputs)
    assert_same(per_step(net, inputs).outputs.numpy(), outputs)


def test_a_graph_survives_its_file(tmp_path):
    net = trained_looking(
        IMAGE, architecture="cell", cells=2, back_43="conv_1", time_steps=1
    )
    save_nir(net, tmp_path / "net.nir", step_s=STEP_S)
    graph, again = to_nir(net, step_s=STEP_S), nir.read(tmp_path / "net.nir")
    assert set(again.edges) == set(graph.edges)
    assert sorted(again.nodes) == sorted(graph.nodes)
    inputs = torch.rand(6, 2, *IMAGE).numpy()
    assert np.array_equal(numpy_run(graph, inputs), numpy_run(again, inputs))


def test_norms_are_folded_and_biases_stay_where_they_were():
    net = trained_looking(IMAGE, architecture="conv", depth=1, block="skip")
    (conv,) = (n for n in to_nir(net).nodes.values() if type(n).__name__ == "Conv2d")
    image = torch.rand(2, *IMAGE)
    (name,) = (n.name for n in net.blueprint.nodes if isinstance(n.op, Conv))
    folded = torch.nn.functional.conv2d(
        image, torch.tensor(conv.weight), torch.tensor(conv.bias), padding=1
    )
    assert torch.allclose(folded, net.parts[name](image, 0), atol=1e-5)


def test_constants_by_hand():
    net = network((3,), depth=3, neuron_1="if", neuron_2="cuba", tau_mem_steps=4.0)
    nodes = to_nir(net, step_s=0.5).nodes
    neurons = {name.split("_", 1)[1]: n for name, n in nodes.items() if "neu" in name}
    one, two, three = (neurons[f"neurons_{k}"] for k in (1, 2, 3))
    assert one.r[0] == 2.0
    assert (two.tau_mem[0], two.r[0]) == (2.0, 4.0)
    assert (two.tau_syn[0], two.w_in[0]) == (1.0, 2.0)
    assert (three.tau[0], three.r[0], three.v_leak[0], three.v_reset[0]) == (2, 4, 0, 0)
    below = np.float32(three.v_threshold[0])
    assert below < 1.0
    assert np.nextafter(below, np.float32(2)) == 1.0


@pytest.mark.parametrize("neuron", ["klif", "alif", "izhikevich"])
def test_neurons_that_nir_does_not_have_are_refused_by_name(neuron):
    with pytest.raises(ConfigError, match=f"neurons_2 are {neuron} neurons, for which"):
        to_nir(network((3,), neuron_2=neuron))


@pytest.mark.parametrize("training", ["ssgd", "hybrid", "slayer", "stdp"])
def test_what_a_rule_has_only_is_not_answered_with_advice_it_forbids(training):
    with pytest.raises(ConfigError) as caught:
        to_nir(network((3,), **defaults(training)))
    said = f"NIR has no node; networks of training={training} cannot be exported."
    assert str(caught.value).endswith(said)
    assert "use " not in str(caught.value)


@pytest.mark.parametrize("changes", [{}, {"neuron": "alif", "reset": "hard"}])
def test_what_a_rule_has_of_nirs_neurons_is_named(changes):
    """Of e-prop's neurons, if, lif and alif, NIR has two; its reset may be hard."""
    with pytest.raises(ConfigError) as caught:
        to_nir(network((3,), **{**defaults("eprop"), **changes}))
    assert str(caught.value).endswith("; search with reset=hard and neuron=if or lif.")
    to_nir(network((3,), **{**defaults("eprop"), "reset": "hard", "neuron": "lif"}))


def test_a_soft_reset_of_bptt_is_answered_with_a_hard_one():
    with pytest.raises(ConfigError, match=r"soft reset, for .*; use reset=hard\.$"):
        to_nir(network((3,), reset="soft"))


def test_the_maximum_of_what_is_no_spike_is_refused():
    from moosnn.snn.draft import Draft

    net = network((1, 4, 4), architecture="conv", depth=1)
    draft = Draft((1, 4, 4))
    draft.linear(draft.halve(INPUT), 3)
    net.blueprint = draft.finished()
    with pytest.raises(ConfigError, match="pool_1 takes the maximum of values that"):
        to_nir(net)


def test_a_step_without_a_length_is_refused():
    with pytest.raises(ConfigError, match="step_s: expected > 0 seconds, got 0"):
        to_nir(network((3,)), step_s=0)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ConfigError, match=r"pip install 'moosnn\[nir\]'"):
        to_nir(network((3,)))


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write .*nowhere"):
        save_nir(network((3,)), tmp_path / "nowhere" / "net.nir")
