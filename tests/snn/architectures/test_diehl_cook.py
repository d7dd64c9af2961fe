"""Two populations, drawn and counted by hand."""

from __future__ import annotations

import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import OperationCounter, fan_out, hardware_of
from tests.snn.built import CLASSES, drawn

SHAPE, SIZE, STEPS = (1, 2, 2), 3, 5
INPUTS = 4


def stdp(**changes):
    small = {"map_size": SIZE, "time_steps": STEPS, "norm": 1.0, **changes}
    return Genes.from_params({**defaults("stdp"), **small})


def network(seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    return SpikingNetwork(stdp(**changes), SHAPE, CLASSES, generator)


def test_the_inhibitory_neurons_answer_one_step_later():
    assert drawn(SHAPE, architecture="diehl_cook") == [
        "linear_1 < input",
        "delay_1 < neurons_2",
        "lateral_1 < delay_1",
        "sum_1 < linear_1 lateral_1",
        "neurons_1 < sum_1",
        "onetoone_1 < neurons_1",
        "neurons_2 < onetoone_1",
    ]
    plan = stdp().blueprint(SHAPE, CLASSES)
    assert [n.name for n in plan.nodes[:3]] == ["heaviside_1", "delay_1", "linear_1"]
    assert plan.output.name == "decode_1"
    assert plan.output.sources == ("neurons_1",)
    assert plan.output.shape == (CLASSES,)


def test_silence_is_judged_in_the_excitatory_population_alone():
    for plan in (
        stdp().blueprint(SHAPE, CLASSES),
        Genes.from_params({**defaults("bptt"), "architecture": "diehl_cook"}).blueprint(
            SHAPE, CLASSES
        ),
    ):
        assert plan.stages == (("neurons_1",),)
        assert [n.name for n in plan.layers] == ["neurons_1", "neurons_2"]


def test_only_the_weights_of_the_input_are_parameters():
    net = network()
    assert net.blueprint.parameters == net.parameter_count() == INPUTS * SIZE


def test_every_synapse_counts():
    plan = stdp().blueprint(SHAPE, CLASSES)
    a_step = INPUTS * SIZE + SIZE + SIZE * (SIZE - 1)
    assert plan.dense_ops(STEPS, constant_input=False) == a_step * STEPS
    assert plan.fan_out("neurons_1") == 1  # its inhibitory neuron; nothing reads out
    assert plan.fan_out("neurons_2") == SIZE - 1


def test_a_spike_reaches_one_inhibitory_neuron_and_that_all_the_others():
    net = network()
    found = {name: entries.tolist() for name, entries in fan_out(net).items()}
    assert found == {
        "linear_1": [SIZE] * INPUTS,
        "onetoone_1": [1] * SIZE,
        "lateral_1": [SIZE - 1] * SIZE,
    }
    hardware = hardware_of(net)
    assert hardware.weights == INPUTS * SIZE + SIZE + SIZE * (SIZE - 1)
    assert hardware.zero_weights == 0


def driven():
    """Neuron 1 wins at step 0; its inhibition is felt from step 1 on."""
    net = network(strength_inh=120.0, e_refrac=0, e_thresh=-64.0, e_rest=-65.0).eval()
    with torch.no_grad():
        net.parts["linear_1"].weight.copy_(
            torch.tensor([[2.0, 0, 0, 0], [3.0, 0, 0, 0], [1.5, 0, 0, 0]])
        )
    inputs = torch.zeros(STEPS, 1, *SHAPE)
    inputs[:, :, 0, 0, 0] = 1
    return net, inputs


def test_the_first_to_spike_silences_the_others():
    net, inputs = driven()
    seen = net.observe(inputs)
    excitatory, inhibitory = (s[:, 0] for s in seen.spikes)
    assert excitatory.tolist() == [[0, 1, 0]] * STEPS
    assert inhibitory[0].tolist() == [0, 1, 0]  # 22.5 mV, 20 above rest
    assert (seen.membranes[0][1:, 0, [0, 2]] < -100).all()
    weak = network(strength_inh=1e-6, e_refrac=9, e_thresh=-64.0, e_rest=-65.0).eval()
    weak.load_state_dict(net.state_dict())
    spikes = weak.observe(inputs).spikes[0][:, 0]
    assert spikes[:3].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]  # one after another


def test_operations_are_accumulates_by_hand():
    net, inputs = driven()
    counter = OperationCounter(net)
    seen = net.observe(inputs, tap=counter)
    acs, macs = (column.item() for column in counter.take())
    back = seen.spikes[1][:-1].sum().item()  # the last step's are not felt any more
    assert acs == STEPS * SIZE + STEPS * 1 + back * (SIZE - 1)
    assert macs == 0
    assert back > 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"e_thresh": -65.0}, "e_thresh: expected above e_rest=-65 mV, got -65"),
        ({"i_rest": -20.0}, "i_thresh: expected above i_rest=-20 mV, got -40"),
        ({"architecture": "mlp"}, "expected architecture=diehl_cook, got mlp"),
        ({"coding": "direct"}, "coding: training=stdp learns from spikes"),
    ],
)
def test_what_makes_no_network_is_refused_in_a_line(changes, told):
    with pytest.raises(ArchitectureError, match=told):
        stdp(**changes)


@pytest.mark.parametrize("gene", ["map_size", "strength_exc", "strength_inh", "norm"])
def test_a_gene_out_of_its_range_is_refused(gene):
    with pytest.raises(ConfigError, match=f"{gene}: expected"):
        stdp(**{gene: 0})


def test_a_map_of_one_neuron_inhibits_nobody_and_can_be_counted():
    net = network(map_size=1)
    net.parts["linear_1"].weight.data.fill_(50.0)
    counter = OperationCounter(net.eval())
    with torch.no_grad():
        seen = net.observe(torch.ones(STEPS, 2, *SHAPE), tap=counter)
    acs, macs = counter.take()
    spikes = seen.spikes[0].sum((0, 2))
    assert spikes.sum() > 0
    assert (
        acs.tolist() == (STEPS * INPUTS + spikes).tolist()
    )  # to the partner: one each
    assert macs.tolist() == [0.0, 0.0]
