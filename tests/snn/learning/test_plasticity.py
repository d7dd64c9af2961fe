"""The plasticity of single synapses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.snn.learning.stdp import Plasticity, normalise
from moosnn.snn.rules.stdp import Stdp

RULE = Stdp(
    decoder="all",
    nu_pre=0.03,
    nu_post=0.05,
    input_tc_trace=4.0,
    e_tc_trace=7.0,
    norm=1.0,
)


def changed(pre_steps, post_steps, steps=12, start=0.5):
    """By how much one weight changes when its two neurons spike at these steps."""
    weight = torch.tensor([[start]])
    plasticity = Plasticity(weight, RULE)
    for step in range(steps):
        spikes = (torch.tensor([[float(step in s)]]) for s in (pre_steps, post_steps))
        plasticity.learn(*spikes)
    return weight.item() - start


@pytest.mark.parametrize("apart", [1, 2, 5, 8])
def test_a_pair_of_spikes_follows_the_exponential_windows(apart):
    causal = changed([1], [1 + apart])
    assert causal == pytest.approx(0.05 * math.exp(-apart / 4.0), rel=1e-4)
    late = changed([1 + apart], [1])
    assert late == pytest.approx(-0.03 * math.exp(-apart / 7.0), rel=1e-4)


def test_spikes_of_one_step_are_both_pairs():
    assert changed([3], [3]) == pytest.approx(0.05 - 0.03, rel=1e-4)


def test_only_the_nearest_spike_counts():
    assert changed([1, 4], [6]) == pytest.approx(0.05 * math.exp(-2 / 4.0), rel=1e-4)


def test_weights_stay_between_0_and_1():
    assert changed(range(12), range(12), start=0.95) == pytest.approx(0.05)
    assert changed([2, 3], [1], start=0.01) == pytest.approx(-0.01)


def test_samples_side_by_side_add_up():
    both = torch.full((1, 1), 0.5)
    plasticity = Plasticity(both, RULE)
    for pre, post in (((1.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0))):
        plasticity.learn(torch.tensor(pre)[:, None], torch.tensor(post)[:, None])
    alone = changed([1], [2]) + changed([2], [1])
    assert both.item() - 0.5 == pytest.approx(alone, rel=1e-4)


def test_normalised_rows_add_up_and_nothing_stays_nothing():
    weight = torch.tensor([[0.1, 0.3], [0.0, 0.0], [2.0, 0.0]])
    normalise(weight, 0.8)
    assert weight.tolist() == [
        pytest.approx([0.2, 0.6]),
        [0.0, 0.0],
        pytest.approx([0.8, 0.0]),
    ]
