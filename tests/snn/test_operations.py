"""Operations by hand, by brute force, and by NeuroBench."""

import math

import pytest
import torch
from torch import nn

from moosnn.snn.blueprint import INPUT, Conv, Linear
from moosnn.snn.connections import Norm
from moosnn.snn.cost import static_metrics
from moosnn.snn.gene_names import DEFAULTS
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import (
    OperationCounter,
    binary_nodes,
    fan_out,
    hardware_of,
)
from tests.bench.neurobench_agreement import (
    CASES,
    GOLDEN,
    TIME_STEPS,
    counted,
    inputs_of,
    network_of,
)

# Cases in which every number is NeuroBench's; of the others see the tests below.
EQUAL = (
    "linear, pruned",
    "recurrent, skip",
    "conv, norm, max pool",
    "conv 5, residual",
    "cell, average, back",
    "sew, stride, sums",
)


def network(shape=(3,), classes=2, **changes):
    genes = Genes.from_params(
        {**DEFAULTS, "depth": 1, "width": 2, "coding": "latency", **changes}
    )
    return SpikingNetwork(genes, shape, classes, torch.Generator().manual_seed(0))


def set_weights(net, name, rows):
    with torch.no_grad():
        weight = net.parts[name].weight
        weight.copy_(torch.tensor(rows, dtype=torch.float32).reshape(weight.shape))
        net.parts[name].bias.zero_()


def operations(net, inputs):
    """ACs and MACs of each sample."""
    counter = OperationCounter(net.eval())
    with torch.no_grad():
        net.observe(inputs, tap=counter)
    return tuple(column.tolist() for column in counter.take())


def test_a_linear_net_by_hand():
    net = network(time_steps=2, neuron="if", threshold=1.0)
    set_weights(net, "linear_1", [[1.0, 0.0, 0.5], [1.0, 0.0, 0.0]])
    set_weights(net, "linear_2", [[1.0, 0.0], [2.0, 3.0]])
    inputs = torch.tensor(
        [[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]]
    )
    # Fan-outs: 2, 0, 1 of the inputs; 2, 1 of the neurons. First sample: inputs 1 and 2
    # at step 1 (2 + 0), input 3 at step 2 (1); both neurons spike at step 1 (2 + 1),
    # none at step 2 (0.5 and 0). Second: input 3 (1), then 2 and 3 (0 + 1); the first
    # neuron spikes at step 2 (2).
    assert operations(net, inputs) == ([6.0, 4.0], [0.0, 0.0])


def test_direct_coding_multiplies_and_does_so_once():
    net = network(time_steps=5, coding="direct", threshold=100.0)
    image = torch.tensor([[0.5, 0.0, 0.25], [0.1, 0.2, 0.3]])
    repeated = image.expand(5, 2, 3)
    assert operations(net, repeated) == ([0.0, 0.0], [4.0, 6.0])
    assert operations(net, repeated.contiguous()) == ([0.0, 0.0], [20.0, 30.0])
    assert hardware_of(net).dense_ops == 3 * 2 + 5 * 2 * 2


def test_frames_of_counts_multiply():
    net = network(time_steps=2, coding="frames", threshold=100.0)
    frames = torch.tensor([[[2.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]])  # T x 1 x 3
    assert operations(net, frames) == ([0.0], [6.0])


def test_a_recurrent_layer_hears_its_spikes_one_step_later():
    net = network(time_steps=3, recurrent=True, threshold=0.5, neuron="if")
    set_weights(net, "linear_1", [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    with torch.no_grad():
        net.parts["linear_2"].weight.copy_(torch.tensor([[0.0, 0.1], [0.1, 0.1]]))
    set_weights(net, "linear_3", [[1.0, 1.0], [1.0, 1.0]])
    inputs = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]]])
    # Inputs: 2 + 0 + 2. Both neurons spike at steps 1 and 3: the first of these comes
    # back over 3 nonzero weights, the last one after the end. Read-out: 4 + 0 + 4.
    assert operations(net, inputs) == ([15.0], [0.0])


def test_a_skip_connection_is_a_connection():
    net = network(time_steps=1, depth=2, width=2, skip_2=True, threshold=100.0)
    inputs = torch.ones((1, 1, 3))
    assert operations(net, inputs) == ([12.0], [0.0])  # to both layers, 3 x 2 each


def test_borders_strides_and_norms_of_scale_zero_by_hand():
    net = network(
        shape=(1, 3, 4), architecture="sew", depth=2, channels=1, time_steps=1
    )
    maps = {name: m.reshape(-1) for name, m in fan_out(net).items()}
    assert maps["conv_1"].reshape(3, 4).tolist() == [
        [4, 6, 6, 4],
        [6, 9, 9, 6],
        [4, 6, 6, 4],
    ]
    # The second stage: a 3 x 3 and a 1 x 1 convolution of stride 2, centres at rows 0
    # and 2 and columns 0 and 2.
    assert maps["conv_5"].reshape(3, 4).tolist() == [
        [1, 2, 1, 1],
        [2, 4, 2, 2],
        [1, 2, 1, 1],
    ]
    assert maps["conv_4"].reshape(3, 4).tolist() == [
        [1, 0, 1, 0],
        [0, 0, 0, 0],
        [1, 0, 1, 0],
    ]
    with torch.no_grad():
        net.parts["conv_5"].norm.scale.zero_()
    assert fan_out(net)["conv_5"].sum() == 0
    assert hardware_of(net).zero_weights == 9


@pytest.mark.parametrize("name", CASES)
def test_the_fan_out_is_what_flipping_one_input_reaches(name):
    net = network_of(CASES[name])
    maps = fan_out(net)
    for node in net.blueprint.nodes:
        if not isinstance(node.op, Conv | Linear):
            continue
        module = net.parts[node.name]
        connection = getattr(module, "conv", module)
        shape = net.blueprint.shapes[node.sources[0]]
        lone = torch.eye(math.prod(shape))  # one input at a time
        with torch.no_grad():
            positive = connection.weight.abs()
            if isinstance(node.op, Conv):
                scale = (module.norm.scale != 0).float().reshape(-1, 1, 1, 1)
                images = lone.reshape(-1, *shape)
                padding = node.op.kernel // 2
                reached = nn.functional.conv2d(
                    images, positive * scale, None, node.op.stride, padding
                )
            else:
                reached = lone @ positive.T
        assert maps[node.name].tolist() == (reached != 0).flatten(1).sum(1).tolist()


def test_what_adds_and_what_multiplies_is_read_off_the_blueprint():
    sew = network_of(CASES["sew, stride, sums"]).blueprint
    binary = binary_nodes(sew, "rate")
    assert {INPUT, "neurons_1", "neurons_2"} <= binary
    assert not {n for n in binary if n.startswith(("sum", "mean", "conv"))}
    assert INPUT not in binary_nodes(sew, "direct")
    assert INPUT not in binary_nodes(sew, "frames")
    cell = network_of(CASES["cell, average, back"]).blueprint
    binary = binary_nodes(cell, "population")
    assert {"delay_1", "neurons_4"} <= binary
    kinds = {n.name: n.op.kind for n in cell.nodes if n.name.startswith("pool")}
    assert {name for name, kind in kinds.items() if kind == "max"} == {
        name for name in binary if name.startswith("pool")
    }


class ByValue:
    """NeuroBench's rules: all steps, norms not folded, adds where all are 0 or +-1."""

    def __init__(self, net):
        for module in net.modules():
            if isinstance(module, Norm):
                nn.init.ones_(module.scale)
        self._fan_out = fan_out(net)
        self.acs = self.macs = 0.0

    def __call__(self, node, source):
        for step in source:
            nonzero = (step != 0).double().flatten(1)
            operations = float((nonzero @ self._fan_out[node.name]).sum()) / len(step)
            if bool(((step == 0) | (step.abs() == 1)).all()):
                self.acs += operations
            else:
                self.macs += operations


@pytest.mark.parametrize("name", CASES)
def test_by_neurobenchs_rules_the_counts_are_exactly_neurobenchs(name):
    case = CASES[name]
    tap = ByValue(network_of(case))
    with torch.no_grad():
        network_of(case).observe(inputs_of(case).contiguous(), tap=tap)
    assert (tap.macs, tap.acs) == pytest.approx(GOLDEN[name][:2])


@pytest.mark.parametrize("name", EQUAL)
def test_our_counts_are_neurobenchs(name):
    assert counted(CASES[name]) == pytest.approx(GOLDEN[name][:2])


def test_where_we_differ_from_neurobench_we_know_why():
    # Direct coding: the first connection works once and not at each step.
    macs, acs = counted(CASES["linear, direct coding"])
    theirs = GOLDEN["linear, direct coding"]
    assert (macs * TIME_STEPS, acs) == pytest.approx(theirs[:2])
    # An image of 0 and 1 in direct coding is still an analogue input to us.
    macs, acs = counted(CASES["linear, direct, 0 and 1"])
    assert acs + TIME_STEPS * macs == pytest.approx(
        GOLDEN["linear, direct, 0 and 1"][1]
    )
    # Sums of spikes multiply even where no two of them met.
    macs, acs = counted(CASES["sew, quiet sums"])
    theirs = GOLDEN["sew, quiet sums"]
    assert macs + acs == pytest.approx(sum(theirs[:2]))
    assert macs > theirs[0]
    # A norm's scale of 0 prunes its channel.
    assert (
        counted(CASES["conv, norm of scale 0"])[1] < GOLDEN["conv, norm of scale 0"][1]
    )


@pytest.mark.parametrize("name", CASES)
def test_static_numbers_are_neurobenchs(name):
    net = network_of(CASES[name])
    _, _, dense, _, sparsity, footprint, parameters = GOLDEN[name]
    static = static_metrics(hardware_of(net))
    assert static["footprint_bytes"] == footprint
    assert net.blueprint.parameters == parameters
    repeated = net.blueprint.dense_ops(TIME_STEPS, constant_input=False)
    assert repeated == dense >= static["dense_ops"]
    if name != "conv, norm of scale 0":
        assert static["connection_sparsity"] == pytest.approx(sparsity, abs=5e-5)


@pytest.mark.parametrize("name", CASES)
def test_activation_sparsity_is_neurobenchs(name):
    net = network_of(CASES[name])
    with torch.no_grad():
        spikes = net.observe(inputs_of(CASES[name])).spikes
    fired = torch.cat([layer.flatten() for layer in spikes])
    assert 1 - float(fired.double().mean()) == pytest.approx(GOLDEN[name][3])


def test_counting_again_starts_at_zero_and_counts_the_same():
    case = CASES["recurrent, skip"]
    net, inputs = network_of(case), inputs_of(case)
    counter = OperationCounter(net)
    with torch.no_grad():
        net.observe(inputs, tap=counter)
        first = counter.take()
        net.observe(inputs[:, :2], tap=counter)
        second = counter.take()
    assert torch.equal(first[0][:2], second[0])
    assert len(first[0]) == 3


def test_neurons_with_two_variables_move_twice_as_much():
    for neuron, variables in (("lif", 1), ("alif", 2), ("cuba", 2), ("izhikevich", 2)):
        found = hardware_of(network(neuron=neuron, width=5, time_steps=3))
        assert found.membrane_updates == 15
        assert found.state_updates == 15 * variables
