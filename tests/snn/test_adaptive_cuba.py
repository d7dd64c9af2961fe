"""Loihi's neurons with an adaptive threshold: a trace and a gradient by hand."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.snn.adaptive_cuba import adaptive_cuba
from moosnn.snn.layer import Neurons
from moosnn.snn.rules.slayer import AdaptiveCubaConstants
from tests.snn.built import lif


def genes(current=0.5, voltage=0.5, threshold=0.5, refractory=0.5, step=0.25):
    constants = AdaptiveCubaConstants(
        current_decay=current,
        voltage_decay=voltage,
        threshold_decay=threshold,
        refractory_decay=refractory,
        threshold_step=step,
    )
    neurons: Neurons = lif(
        kind="cuba_adaptive",
        threshold=1.0,
        surrogate="exponential",
        slope=1 / 2.0,
        height=0.3,
        constants=constants,
    )
    return neurons


def column(*values):
    return torch.tensor(values).reshape(-1, 1, 1)


def test_a_trace_by_hand():
    spikes, membrane = adaptive_cuba(genes())(column(1.0, 1.0, 0.0, 0.0, 0.0, 2.0))
    # U     1     1.5    0.75    0.375    0.1875    2.09375
    # V     1     2      1.75    1.25     0.8125    2.5
    # R     0     1      0.5     1.3125   0.65625   0.328125    (after: 2; 2.625)
    # A     0     0.125  0.0625  0.15625  0.078125  0.0390625   (after: .25; .3125)
    expected = column(1.0, 0.875, 1.1875, -0.21875, 0.078125, 2.1328125)
    assert torch.equal(membrane, expected)  # V - R - A, in powers of two: exact
    assert torch.equal(spikes, column(1.0, 0.0, 1.0, 0.0, 0.0, 1.0))


def test_without_decay_it_is_a_sum_of_sums():
    never = genes(0.0, 0.0, 0.0, 0.0, 0.0)
    _, membrane = adaptive_cuba(never)(column(0.1, 0.1, 0.0, 0.0))
    assert torch.allclose(membrane, column(0.1, 0.3, 0.5, 0.7))


def test_with_decays_of_one_every_step_stands_alone():
    current = column(1.5, 0.5, 1.5, 1.5)
    spikes, membrane = adaptive_cuba(genes(1.0, 1.0, 1.0, 1.0, 9.0))(current)
    assert torch.equal(membrane, current)
    assert torch.equal(spikes, column(1.0, 0.0, 1.0, 1.0))


def test_a_threshold_that_does_not_decay_rises_by_every_spike():
    current = torch.full((6, 1, 1), 1.4)
    spikes, _ = adaptive_cuba(genes(1.0, 1.0, 0.0, 1.0, 0.25))(current)
    # thresholds 1, 1.25, then 1.5
    assert spikes.flatten().tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_a_gradient_by_hand():
    """Of the last spike only: neither refraction nor threshold gives errors back."""
    current = column(1.0, 1.0, 0.0).requires_grad_()
    spikes, membrane = adaptive_cuba(genes(current=0.25, voltage=0.5))(current)
    spikes[2].sum().backward()
    distance = abs(membrane[2].item() - 1.0)
    error = 0.3 * 0.5 / 2 * math.exp(-0.5 * distance)
    # to the last current 1; one step back 0.5 + 0.75; two 0.25 + 0.5 0.75 + 0.75^2
    expected = column(0.25 + 0.375 + 0.5625, 1.25, 1.0) * error
    assert torch.allclose(current.grad, expected, rtol=1e-5)


def test_the_trace_had_spikes_before_the_gradient():
    spikes, _ = adaptive_cuba(genes(current=0.25, voltage=0.5))(column(1.0, 1.0, 0.0))
    assert spikes[0].item() == pytest.approx(1.0)
