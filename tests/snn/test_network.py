"""The network: no state, no global randomness, time unrolled one way or the other."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d, max_pool2d

from moosnn.snn.blueprint import INPUT, Blueprint, Linear
from moosnn.snn.draft import Draft
from moosnn.snn.flow import runs
from moosnn.snn.gene_names import ARCHITECTURES, READOUTS
from moosnn.snn.neuron import Neurons
from moosnn.snn.readout import read
from tests.snn.built import CLASSES, coded, lif, network, samples, sequence

FEATURES = (6,)
IMAGE = (2, 6, 5)
LOOP = {"back_32": "conv_3", "back_43": "average_3", "back_41": "skip"}
LOOPS = {
    "mlp": {"depth": 3, "width": 7, "recurrent_2": True, "skip": True},
    "conv": {"depth": 3, "block_2": "residual_3", "channels": 4, "pool_1": True},
    "cnn": {
        "depth": 2,
        "filters": 4,
        "kernel_2": 4,
        "pool_kind_1": "average",
        "dense": 1,
    },
    "cell": {"cells": 2, "cell_channels": 3, "edge_14": "average_3", **LOOP},
    "sew": {"depth": 2, "channels": 4, "channels_2": 5},
    "diehl_cook": {"map_size": 7, "strength_exc": 0.15},
    "paths": {"modules": 3, "module_width": 4, "path_2": "ac"},
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_two_equal_batches_give_equal_logits_whatever_came_between(name):
    net = network(IMAGE, architecture=name, threshold=0.3, **LOOPS[name]).eval()
    first = net(sequence(IMAGE))
    net(sequence(IMAGE, seed=2) * 100)
    assert torch.equal(net(sequence(IMAGE)), first)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_batch_does_not_matter_to_a_sample_of_a_trained_network(name):
    net = network(IMAGE, architecture=name, threshold=0.3, **LOOPS[name]).eval()
    alone = net(sequence(IMAGE)[:, :1])
    assert torch.allclose(net(sequence(IMAGE))[:1], alone, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_future_does_not_matter_to_the_past(name):
    net = network(IMAGE, architecture=name, threshold=0.3, **LOOPS[name]).eval()
    whole = net.observe(sequence(IMAGE, steps=6))
    changed = sequence(IMAGE, steps=6)
    changed[4:] = 1.0 - changed[4:]
    other = net.observe(changed)
    later = 0.0
    for ours, theirs in zip(whole.spikes, other.spikes, strict=True):
        assert torch.equal(ours[:4], theirs[:4])
        later += float((ours[4:] != theirs[4:]).sum())
    assert later > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("readout", READOUTS)
def test_a_network_is_its_nodes_step_by_step(name, readout):
    """The plainest way to run a blueprint: all nodes, one step after the other."""
    net = network(
        IMAGE,
        architecture=name,
        readout=readout,
        tau_readout_steps=3.0 if readout == "max" else 1.0,
        neuron_2="alif",
        threshold=0.3,
        **LOOPS[name],
    ).eval()
    current = sequence(IMAGE, steps=6)
    activity = net.observe(current)
    output, spikes = stepped(net, current)
    if readout == "max":  # tau = 3: two thirds of the membrane are kept
        for step in range(1, 6):
            output[step] += 2 / 3 * output[step - 1]
    assert torch.allclose(activity.logits, read(output, readout), atol=1e-5)
    for ours, theirs in zip(activity.spikes, spikes, strict=True):
        assert torch.equal(ours, theirs)


def stepped(net, current):
    """The output and the spikes of each layer, ``T x N x …``."""
    nodes = net.blueprint.nodes
    state, before, kept = {}, {}, {n.name: [] for n in nodes}
    for index, step in enumerate(current):
        now = {INPUT: step}
        for node in nodes:
            part = dict(net.parts.items()).get(node.name)
            sources = [now.get(s) for s in node.sources]
            match type(node.op).__name__:
                case "Delay":
                    zero = torch.zeros(len(step), *node.shape)
                    value = before.get(node.sources[0], zero)
                case "Neurons":
                    value, _, state[node.name] = part.step(
                        sources[0], state.get(node.name, ())
                    )
                case "Linear":
                    value = part(sources[0].flatten(1))
                case "Conv":
                    value = part(sources[0], index)
                case "OneToOne":
                    value = node.op.strength * sources[0]
                case "Lateral":
                    others = 1.0 - torch.eye(node.shape[0])
                    value = -node.op.strength * sources[0] @ others
                case "Sum":
                    value = sum(sources)
                case "Mean":
                    value = sources[0].mean((2, 3))
                case "Pool":
                    pool = {"max": max_pool2d, "average": avg_pool2d}[node.op.kind]
                    value = pool(
                        sources[0], node.op.kernel, node.op.stride, node.op.padding
                    )
            now[node.name] = value
            kept[node.name].append(value)
        before = now
    stacked = {name: torch.stack(steps).detach() for name, steps in kept.items()}
    return stacked[nodes[-1].name], [stacked[n.name] for n in net.blueprint.layers]


def test_the_mean_of_the_read_out_is_read_at_once():
    net = network(FEATURES, threshold=0.3)
    activity = net.observe(sequence(FEATURES))
    assert activity.outputs is None
    membrane = net.parts["linear_3"](activity.spikes[-1])  # T x N x classes
    assert torch.allclose(activity.logits, membrane.mean(0), atol=1e-6)
    total = network(FEATURES, threshold=0.3, readout="sum").observe(sequence(FEATURES))
    assert torch.allclose(total.logits, membrane.sum(0), atol=1e-5)


@pytest.mark.parametrize("readout", ["mean", "sum", "max"])
def test_a_loss_of_each_step_gets_an_output_of_each_step(readout):
    given = {"threshold": 0.3, "readout": readout, "tau_readout_steps": 1.0}
    activity = network(FEATURES, loss="tet", **given).observe(sequence(FEATURES))
    assert activity.outputs.shape == (5, 4, CLASSES)
    assert torch.equal(activity.logits, read(activity.outputs, readout))
    plain = network(FEATURES, **given).observe(sequence(FEATURES))
    assert torch.allclose(plain.logits, activity.logits, atol=1e-5)


def test_activity_has_every_layer_in_order_and_counts_it():
    net = network(FEATURES, depth=3, width_2=5, threshold=0.3)
    activity = net.observe(sequence(FEATURES))
    shapes = [tuple(s.shape) for s in activity.spikes]
    assert shapes == [(5, 4, 64), (5, 4, 5), (5, 4, 64)]
    for spikes, membrane in zip(activity.spikes, activity.membranes, strict=True):
        assert torch.equal(spikes, (membrane >= 0.3).float())
        assert not membrane.requires_grad
    counts = activity.layer_counts()
    assert counts.shape == (4, 3)
    assert counts.requires_grad
    assert counts[2, 1] == activity.spikes[1][:, 2].sum()
    assert torch.equal(activity.stage_counts(), counts.detach())


def test_a_stage_of_several_layers_adds_spikes_and_takes_the_nearest_membrane():
    thresholds = {"threshold_1": 0.4, "threshold_2": 2.0}
    net = network(IMAGE, architecture="sew", depth=2, channels=3, **thresholds).eval()
    activity = net.observe(sequence(IMAGE))
    counts, near = activity.layer_counts(), activity.stage_nearness(1)
    # Stem; stem and branch; in stage 2 the skip beside either layer of the branch.
    assert [len(stage) for stage in activity.stages] == [1, 2, 2, 2]
    for column, stage in enumerate(activity.stages):
        expected = sum(counts[:, k] for k in stage)
        assert torch.equal(activity.stage_counts()[:, column], expected)
        nearest = [
            (activity.membranes[k] / activity.thresholds[k])
            .transpose(0, 1)
            .flatten(1)
            .amax(1)
            for k in stage
        ]
        assert torch.allclose(near[:, column], torch.stack(nearest).amax(0).double())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_constant_current_is_connected_once_and_gives_the_same(name):
    given = {"architecture": name, "threshold": 0.3, "time_steps": 6, **LOOPS[name]}
    net = network(IMAGE, **given)
    view = coded(net, IMAGE)
    assert view.stride(0) == 0
    heard = []
    first = net.observe(view, lambda node, source: heard.append((node, len(source))))
    assert next(steps for node, steps in heard if node.sources == (INPUT,)) == 1
    gradients = []
    for current in (view, view.contiguous()):
        net.zero_grad()
        logits = net(current)
        assert torch.allclose(logits, first.logits, atol=1e-5)
        logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        scale = float(theirs.abs().max()) + 1.0
        assert torch.allclose(ours / scale, theirs / scale, atol=1e-4)


def test_a_tap_hears_every_connection():
    net = network(FEATURES, depth=2, width=4, recurrent_2=True, threshold=0.2)
    heard = {}
    net.observe(
        sequence(FEATURES),
        lambda node, source: heard.setdefault(node.name, []).append(source),
    )
    connections = [n.name for n in net.blueprint.nodes if isinstance(n.op, Linear)]
    assert set(heard) == set(connections)
    back = torch.cat(heard["linear_3"])  # the recurrent one, a step at a time
    spikes = net.observe(sequence(FEATURES)).spikes[1]
    assert torch.equal(back[1:], spikes[:-1])
    assert not back[0].any()


def test_weights_come_from_the_generator_and_never_from_the_global_one():
    before = torch.get_rng_state()
    first, again, other = (
        network(IMAGE, seed=s, architecture="sew") for s in (0, 0, 1)
    )
    first(sequence(IMAGE)).sum().backward()
    assert torch.equal(torch.get_rng_state(), before)
    for ours, same in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, same)
    weights = [n.parts["conv_2"].conv.weight for n in (first, other)]
    assert not torch.equal(*weights)


def test_weights_start_within_the_inverse_root_of_their_inputs():
    net = network(IMAGE, architecture="conv", channels=64, depth=1)
    weight = net.parts["conv_2"].conv.weight  # 8 channels of 3 x 3
    assert weight.abs().max() <= 72**-0.5
    assert weight.abs().max() > 0.95 * 72**-0.5


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("neuron", ["plif", "klif", "izhikevich"])
def test_every_weight_learns_through_all_layers(name, neuron):
    net = network(IMAGE, architecture=name, threshold=0.2, neuron=neuron, **LOOPS[name])
    net(sequence(IMAGE)).square().sum().backward()
    untouched = [k for k, p in net.named_parameters() if not p.grad.abs().sum() > 0]
    assert untouched == []


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 6), (3, 2, 2)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_images_too_small_to_halve_go_through(shape, name):
    deep = {"depth": 4, "cells": 3, "pool": True, "channels": 2, "threshold": 0.2}
    net = network(shape, architecture=name, **deep)
    assert net(samples(shape, 2).expand(3, 2, *shape)).shape == (2, CLASSES)


def test_one_step_of_one_sample_is_a_sequence():
    for name in ARCHITECTURES:
        net = network(IMAGE, architecture=name, time_steps=1, **LOOPS[name])
        assert net(coded(net, IMAGE)[:, :1]).isfinite().all()


def chain(*closed: tuple[int, int], length: int = 6) -> Blueprint:
    """Neurons in a row with ways back: (from, to) the number of a layer of neurons."""
    draft = Draft((2,))
    flow, spikes, delays = INPUT, {}, {}
    for layer in range(1, length + 1):
        for source, target in closed:
            if target == layer:
                delays[source, target] = draft.delay((2,))
        ways = [draft.linear(flow, 2)] if layer == 1 else [flow]
        ways += [d for (_, target), d in delays.items() if target == layer]
        flow = spikes[layer] = draft.neurons(draft.sum(ways), lif())
    for (source, _), delay in delays.items():
        draft.close(delay, spikes[source])
    draft.linear(flow, CLASSES)
    return draft.finished()


@pytest.mark.parametrize(
    ("closed", "together"),
    [
        ([], []),
        ([(2, 2)], [{2}]),
        ([(3, 2), (5, 5)], [{2, 3}, {5}]),
        ([(3, 1), (5, 3)], [{1, 2, 3, 4, 5}]),  # they share the third
        ([(6, 2), (4, 3)], [{2, 3, 4, 5, 6}]),  # one inside of the other
        ([(4, 2), (6, 3), (2, 1)], [{1, 2, 3, 4, 5, 6}]),
    ],
)
def test_loops_that_overlap_run_together(closed, together):
    found = []
    for run in runs(chain(*closed)):
        layers = {n.name for n in run if n.name.startswith("neurons")}
        if len(run) > 1:
            found.append({int(name.removeprefix("neurons_")) for name in layers})
    assert found == together


def test_every_node_is_run_once_and_in_order():
    plan = chain((4, 2), (6, 3), (2, 1))
    assert tuple(node for run in runs(plan) for node in run) == plan.nodes


def test_there_is_a_module_for_each_layer_of_neurons():
    net = network(IMAGE, architecture="cell", **LOOPS["cell"])
    built = [k for k, part in net.parts.items() if isinstance(part, Neurons)]
    assert built == [node.name for node in net.blueprint.layers]


def test_on_a_loop_each_step_has_the_statistics_that_it_was_trained_with():
    """Evaluation of the training batch is the training pass, once all is learned."""
    net = network(IMAGE, architecture="cell", threshold=0.3, **LOOPS["cell"])
    steps = net.genes.time_steps
    norms = [p.norm for p in net.parts.values() if hasattr(p, "norm")]
    assert {len(norm.mean) for norm in norms} == {1, steps}
    current = sequence(IMAGE, steps=steps, count=64)
    with torch.no_grad():
        for _ in range(120):  # running means are a tenth new at each pass
            trained = net.train()(current)
        evaluated = net.eval()(current)
    looped = [norm for norm in norms if len(norm.mean) > 1]
    assert any(bool((norm.variance[0] != norm.variance[1]).any()) for norm in looped)
    # The running variance is the unbiased one: a spike at its threshold may move.
    same = (trained - evaluated).abs().amax(1) < 0.01
    assert same.float().mean() > 0.8
