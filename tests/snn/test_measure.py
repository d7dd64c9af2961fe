"""Measuring: by hand, against one pass, and independent of how samples are cut."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from moosnn.errors import DivergedError
from moosnn.snn import measure as module
from moosnn.snn.cost import Cost, Hardware
from moosnn.snn.data import Split
from moosnn.snn.gene_names import DEFAULTS
from moosnn.snn.genes import Genes
from moosnn.snn.measure import Measurement, edge_metrics, measure, working_metrics
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge

SHAPE, CLASSES = (1, 4, 5), 3
KINDS = {
    "mlp": {},
    "recurrent": {"recurrent": True, "coding": "latency"},
    "conv": {"architecture": "conv", "depth": 1, "stem_channels": 2, "channels": 2},
    "sew": {"architecture": "sew", "depth": 1, "channels": 2},
    "first_spike": {"readout": "first_spike", "depth": 1},
}


def network(**changes):
    genes = Genes.from_params({**DEFAULTS, "threshold": 0.3, **changes})
    return SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(0))


def samples(count=10):
    raw = np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)
    split = Split(inputs=raw, labels=np.arange(count) % CLASSES)
    return Samples.of(split, 1.0, torch.device("cpu"))


def measured(net, count=10, alpha=2):
    generator = torch.Generator().manual_seed(0)
    return measure(net, samples(count), alpha=alpha, generator=generator)


def tensors(seen):
    found = {
        name: value
        for name in seen.__dataclass_fields__
        if isinstance(value := getattr(seen, name), torch.Tensor)
    }
    fired = {f"fired_{k}": total for k, total in enumerate(seen.neuron_spikes)}
    return {**found, **fired, "acs": seen.cost.acs, "macs": seen.cost.macs}


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_do_not_matter(monkeypatch, kind):
    whole = tensors(measured(network(**KINDS[kind])))
    monkeypatch.setattr(module, "CHUNK", 3)
    parts = tensors(measured(network(**KINDS[kind])))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert torch.allclose(value, parts[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_down_is_what_the_network_did(kind):
    net = network(**KINDS[kind])
    seen = measured(net)
    generator = torch.Generator().manual_seed(0)
    inputs, labels = samples().batch(torch.arange(10))
    coded = module.encode(inputs, net.genes, generator)
    with torch.no_grad():
        activity = net.observe(coded)
    assert torch.equal(seen.correct, activity.logits.argmax(1) == labels)
    assert torch.equal(seen.layer_spikes, activity.layer_counts())
    assert torch.equal(seen.stage_spikes, activity.stage_counts())
    for k, stage in enumerate(activity.stages):
        first, counts = seen.first_steps[:, k], seen.stage_steps[:, :, k]
        for step in range(net.genes.time_steps):
            fired = sum(activity.spikes[j][step].flatten(1).sum(1) for j in stage)
            assert torch.equal(counts[:, step], fired)
        for sample in range(10):
            steps = [
                step
                for step in range(net.genes.time_steps)
                if any(activity.spikes[k][step, sample].any() for k in stage)
            ]
            assert first[sample] == min(steps, default=net.genes.time_steps)
    for spikes, fired in zip(activity.spikes, seen.neuron_spikes, strict=True):
        assert torch.equal(fired, spikes.flatten(2).double().sum((0, 1)))


def test_the_first_output_spike_ends_the_wait_for_an_answer():
    seen = measured(network(**KINDS["first_spike"]))
    last = seen.first_steps[:, -1]  # the output neurons are the last stage
    assert torch.equal(seen.latencies, (last + 1).clamp(max=4))
    assert torch.equal(measured(network()).latencies, torch.full((10,), 4))


def by_hand():
    """Four samples, two layers of 3 and 2 neurons, six steps."""
    hardware = Hardware(
        dense_ops=900,
        membrane_updates=30,
        state_updates=30,
        states=5,
        weights=50,
        zero_weights=5,
        footprint_bytes=400,
    )
    return Measurement(
        correct=torch.tensor([True, True, False, True]),
        losses=torch.tensor([0.1, 0.2, 0.3, 0.6]),
        layer_spikes=torch.tensor([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0], [2.0, 4.0]]),
        stage_spikes=torch.tensor([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0], [2.0, 4.0]]),
        stage_steps=by_steps(),
        near=torch.ones((4, 2)),
        first_steps=torch.tensor([[0, 2], [0, 2], [1, 2], [1, 6]]),
        latencies=torch.tensor([6, 6, 6, 6]),
        neuron_spikes=(torch.tensor([8.0, 0.0, 0.0]), torch.tensor([8.0, 8.0])),
        stages=((0,), (1,)),
        time_steps=6,
        cost=Cost(
            acs=torch.tensor([10.0, 20.0, 30.0, 20.0]).double(),
            macs=torch.tensor([5.0, 5.0, 5.0, 5.0]).double(),
            hardware=hardware,
        ),
    )


def by_steps():
    """The spikes of each of the 4 samples at 6 steps in both stages."""
    first = ["100000", "200000", "020100", "011000"]
    second = ["001101", "001111", "001220", "001111"]
    tables = [[[int(c) for c in row] for row in stage] for stage in (first, second)]
    return torch.tensor(tables, dtype=torch.float32).permute(1, 2, 0)


def test_metrics_and_standard_errors_by_hand():
    metrics, sems = working_metrics(by_hand())
    # 0.9 pJ an AC, 4.6 pJ a MAC; 5 pJ a word: 3 an operation, 2 for each of 30 updates
    assert metrics == pytest.approx(
        {
            "accuracy": 0.75,
            "loss": 0.3,
            "spikes_per_sample": 6.0,  # 4, 6, 8, 6
            "spikes_per_sample.1": 2.0,
            "spikes_per_sample.2": 4.0,
            "firing_rate": 6 / 30,
            "firing_rate.1": 2 / 18,
            "firing_rate.2": 4 / 12,
            "activation_sparsity": 24 / 30,
            "first_spike_step.1": 0.5,
            "first_spike_step.2": 3.0,
            "latency_steps": 6.0,
            "effective_acs": 20.0,
            "effective_macs": 5.0,
            "synops": 25.0,
            "energy_nj": 0.041,
            "energy_moved_nj": 0.041 + 0.375 + 0.3,
        }
    )
    assert sems == pytest.approx(
        {
            "accuracy": math.sqrt(3.5 / 5 * 1.5 / 5 / 4),
            "loss": math.sqrt(0.14 / 3) / 2,
            "spikes_per_sample": math.sqrt(8 / 3) / 2,
            "firing_rate": math.sqrt(8 / 3) / 2 / 30,
            "activation_sparsity": math.sqrt(8 / 3) / 2 / 30,
            "latency_steps": 0.0,
            "effective_acs": math.sqrt(200 / 3) / 2,
            "effective_macs": 0.0,
            "synops": math.sqrt(200 / 3) / 2,
            "energy_nj": 0.0009 * math.sqrt(200 / 3) / 2,
            "energy_moved_nj": 0.0159 * math.sqrt(200 / 3) / 2,
        },
        abs=1e-6,
    )


def test_both_edges_by_hand():
    # Rates of the first stage 1, 2, 3, 2 of 18, of the second 3, 4, 5, 4 of 12.
    assert edge_metrics(by_hand(), Edge(beta=0.25)) == pytest.approx(
        {
            "firing_rate_min": 2 / 18,
            "saturation_rate": 4 / 12,  # one of four may exceed it
            "saturation_rate.1": 2 / 18,
            "saturation_rate.2": 4 / 12,
            "dead_fraction": 2 / 3,
            "dead_fraction.1": 2 / 3,
            "dead_fraction.2": 0.0,
            "faded_fraction": 3 / 4,  # all but the third, which spikes at step 3
            "faded_fraction.1": 3 / 4,
            "faded_fraction.2": 0.0,
            "silent_steps.1": (5 + 5 + 4 + 4) / 24,
            "silent_steps.2": (3 + 2 + 3 + 2) / 24,
            "step_rate_min.1": 0.0,
            "step_rate_min.2": 0.0,
            "step_rate_max.1": 3 / 4 / 3,  # at step 0, and at step 1
            "step_rate_max.2": 5 / 4 / 2,  # 1 + 1 + 2 + 1 at step 3
            "dense_ops": 900,
            "membrane_updates": 30,
            "connection_sparsity": 0.1,
            "connectivity": 0.9,
            "footprint_bytes": 400,
        }
    )
    last = edge_metrics(by_hand(), Edge(beta=0.0, stages="last"))
    assert last["firing_rate_min"] == pytest.approx(4 / 12)
    assert last["saturation_rate"] == pytest.approx(5 / 12)
    assert last["dead_fraction"] == 0.0
    assert last["dead_fraction.1"] == pytest.approx(2 / 3)
    assert last["faded_fraction"] == 0.0


def test_a_stage_of_two_layers_is_judged_as_one():
    seen = dataclasses.replace(
        by_hand(),
        stages=((0, 1),),
        stage_spikes=torch.tensor([[4.0], [6.0], [8.0], [6.0]]),
    )
    assert seen.stage_rates.flatten().tolist() == pytest.approx(
        [4 / 30, 6 / 30, 8 / 30, 6 / 30]
    )
    assert seen.stage_dead.tolist() == pytest.approx([2 / 5])


def test_a_network_that_never_spikes_is_dead_and_costs_only_its_input():
    seen = measured(network(threshold=1e6))
    metrics, _ = working_metrics(seen)
    edges = edge_metrics(seen, Edge())
    assert edges["dead_fraction"] == 1.0
    assert edges["saturation_rate"] == edges["firing_rate_min"] == 0.0
    assert metrics["effective_acs"] == 0.0
    assert metrics["effective_macs"] == 20 * 64  # every pixel, once
    assert metrics["first_spike_step.1"] == 4.0
    assert metrics["activation_sparsity"] == 1.0


def test_numbers_that_are_not_finite_are_a_divergence():
    net = network()
    with torch.no_grad():
        net.parts["linear_1"].weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite"):
        measured(net)
