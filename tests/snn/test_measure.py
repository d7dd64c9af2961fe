"""Measuring: by hand, and independent of how the samples are cut."""

import math

import pytest
import torch

from moosnn.errors import DivergedError
from moosnn.snn import measure as module
from moosnn.snn.genes import DEFAULTS, Genes
from moosnn.snn.measure import Measurement, measure, working_metrics
from moosnn.snn.network import SpikingNetwork


def measured(net, count=10, alpha=2):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand((count, 5), generator=generator)
    labels = torch.arange(count) % 3
    return measure(net, inputs, labels, alpha=alpha, generator=generator)


def network():
    genes = Genes.from_params({**DEFAULTS, "threshold": 0.2})
    return SpikingNetwork(genes, 5, 3, torch.Generator().manual_seed(0))


def test_chunks_do_not_matter(monkeypatch):
    whole = measured(network())
    monkeypatch.setattr(module, "CHUNK", 3)
    parts = measured(network())
    assert torch.equal(whole.correct, parts.correct)
    assert torch.equal(whole.spikes, parts.spikes)
    assert torch.allclose(whole.near, parts.near)
    assert torch.allclose(whole.losses, parts.losses)
    assert whole.spikes.shape == whole.near.shape == (10, 2)


def test_metrics_and_standard_errors_by_hand():
    seen = Measurement(
        correct=torch.tensor([True, True, False, True]),
        losses=torch.tensor([0.1, 0.2, 0.3, 0.6]),
        spikes=torch.tensor([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0], [2.0, 4.0]]),
        near=torch.ones((4, 2)),
    )
    genes = Genes.from_params({**DEFAULTS, "width_1": 3, "width_2": 2, "time_steps": 6})
    metrics, sems = working_metrics(seen, genes)
    assert metrics == pytest.approx(
        {
            "accuracy": 0.75,
            "loss": 0.3,
            "spikes_per_sample": 6.0,  # 4, 6, 8, 6
            "firing_rate": 6 / (5 * 6),
            "spikes_per_sample.1": 2.0,
            "spikes_per_sample.2": 4.0,
        }
    )
    assert sems == pytest.approx(
        {
            "accuracy": math.sqrt(3.5 / 5 * 1.5 / 5 / 4),
            "spikes_per_sample": math.sqrt(8 / 3) / 2,
        }
    )


def test_numbers_that_are_not_finite_are_a_divergence():
    net = network()
    with torch.no_grad():
        net.connections[0].weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite"):
        measured(net)
