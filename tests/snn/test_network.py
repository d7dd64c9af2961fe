"""The plain network: no state, no global randomness, counts that can be checked."""

import pytest
import torch

from moosnn.snn.coding import encode
from moosnn.snn.genes import DEFAULTS, Genes
from moosnn.snn.network import SpikingNetwork, predicted_parameters

FEATURES, CLASSES = 6, 3


def genes(**changes):
    return Genes.from_params({**DEFAULTS, **changes})


def network(seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    return SpikingNetwork(genes(**changes), FEATURES, CLASSES, generator)


def batch(steps=5, samples=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((steps, samples, FEATURES), generator=generator)


def test_two_equal_batches_give_equal_logits_whatever_came_between():
    net = network(threshold=0.3)
    first = net(batch())
    net(batch(seed=2) * 100)
    assert torch.equal(net(batch()), first)


def test_the_batch_does_not_matter_to_a_sample():
    net = network(threshold=0.3)
    alone = net(batch()[:, :1])
    assert torch.allclose(net(batch())[:1], alone, atol=1e-6)


def test_the_read_out_is_the_mean_over_time_of_its_current_and_never_spikes():
    net = network(threshold=0.3)
    activity = net.observe(batch())
    membrane = net.readout(activity.spikes[-1])  # T x N x classes
    assert torch.allclose(activity.logits, membrane.mean(0), atol=1e-6)


def test_activity_has_every_stage_in_order():
    activity = network(depth=3, width_2=5, threshold=0.3).observe(batch())
    assert [tuple(s.shape) for s in activity.spikes] == [
        (5, 4, 64),
        (5, 4, 5),
        (5, 4, 64),
    ]
    for spikes, membrane in zip(activity.spikes, activity.membranes, strict=True):
        assert torch.equal(spikes, (membrane >= 0.3).float())
    counts = activity.spike_counts()
    assert counts.shape == (4, 3)
    assert counts[2, 1] == activity.spikes[1][:, 2].sum()


def test_a_constant_current_is_connected_once_and_gives_the_same():
    net = network(threshold=0.3)
    image = batch(steps=1)[0]
    view = encode(image, "direct", 6, torch.Generator())
    assert torch.allclose(net(view), net(view.contiguous()), atol=1e-6)
    net(view).sum().backward()
    gradient = net.connections[0].weight.grad.clone()
    net.zero_grad()
    net(view.contiguous()).sum().backward()
    assert torch.allclose(gradient, net.connections[0].weight.grad, atol=1e-5)


def test_weights_come_from_the_generator_and_never_from_the_global_one():
    before = torch.get_rng_state()
    first, again, other = network(seed=0), network(seed=0), network(seed=1)
    first(batch()).sum().backward()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.readout.weight, again.readout.weight)
    assert not torch.equal(first.readout.weight, other.readout.weight)


@pytest.mark.parametrize(
    "changes",
    [
        {"depth": 1},
        {"depth": 4, "width_2": 9, "neuron_1": "plif", "neuron_4": "plif"},
        {"neuron_1": "if"},
    ],
)
def test_the_parameter_count_is_predicted(changes):
    net = network(**changes)
    assert net.parameter_count() == predicted_parameters(net.genes, FEATURES, CLASSES)


def test_parameters_by_hand():
    # (6 + 1) 2 + 1 time constant, then (2 + 1) 3
    assert network(depth=1, width_1=2, neuron_1="plif").parameter_count() == 24


def test_every_weight_learns_through_all_layers():
    net = network(depth=3, threshold=0.2, neuron_2="plif")
    net(batch()).square().sum().backward()
    assert all(bool(p.grad.abs().sum() > 0) for p in net.parameters())
