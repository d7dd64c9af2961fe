"""Neurons without a reset: over a sequence as step by step, on any sequence."""

from __future__ import annotations

import pytest
import torch

from moosnn.snn.adaptive_cuba import adaptive_cuba
from moosnn.snn.srm import srm
from tests.snn import test_adaptive_cuba, test_srm
from tests.snn.built import sequence

LAYERS = {
    "srm": lambda: srm(test_srm.genes(threshold=0.8)),
    "cuba_adaptive": lambda: adaptive_cuba(test_adaptive_cuba.genes()),
}
SHAPE = (3, 2)


def stepped(layer, current):
    state, rows = (), []
    for step in current:
        spikes, membrane, state = layer.step(step, state)
        rows.append((spikes, membrane))
    spikes, membranes = (torch.stack(column) for column in zip(*rows, strict=True))
    return spikes, membranes


@pytest.mark.parametrize("kind", LAYERS)
def test_step_by_step_is_the_same_forwards_and_backwards(kind):
    results = []
    for run in (LAYERS[kind](), lambda x: stepped(LAYERS[kind](), x)):
        current = (sequence(SHAPE, 15) * 2 - 0.5).double().requires_grad_()
        spikes, membranes = run(current)
        (spikes * sequence(SHAPE, 15, seed=3)).sum().backward()
        results.append((spikes.detach(), membranes, current.grad))
        assert not membranes.requires_grad
    (spikes, membranes, gradient), (others, seen, theirs) = results
    assert torch.equal(spikes, others)
    assert 0.05 < spikes.mean() < 0.95
    assert torch.allclose(membranes, seen, atol=1e-12)
    assert torch.allclose(gradient, theirs, atol=1e-12)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_membrane_reaches_the_threshold_exactly_with_a_spike(kind):
    layer = LAYERS[kind]()
    spikes, membrane = layer(sequence(SHAPE, 50) * 3 - 1)
    assert torch.equal(spikes, (membrane >= layer.genes.threshold).float())
    assert spikes.any()


@pytest.mark.parametrize("kind", LAYERS)
def test_sequences_of_other_lengths_begin_alike(kind):
    layer = LAYERS[kind]()
    current = sequence(SHAPE, 12)
    long, short = layer(current), layer(current[:5])
    for whole, part in zip(long, short, strict=True):
        assert torch.allclose(whole[:5], part, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_constant_current_may_be_a_view(kind):
    layer = LAYERS[kind]()
    view = sequence(SHAPE, 1).expand(9, -1, -1, -1)
    assert torch.equal(layer(view)[0], layer(view.contiguous())[0])
