"""Losses and penalties against their formulas."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.activity import Activity
from moosnn.snn.learning.losses import (
    activity_penalty,
    answer_loss,
    regular,
    spike_count,
    spike_max,
    spike_time,
)
from tests.snn.built import blueprint

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 1.0]])
LABELS = torch.tensor([0, 1])


def activity(logits=LOGITS, outputs=None):
    return Activity(
        logits=logits,
        outputs=outputs,
        spikes=(),
        membranes=(),
        thresholds=(),
        stages=(),
    )


def nats(row, label):
    return math.log(sum(math.exp(x) for x in row)) - row[label]


def test_cross_entropy_in_nats():
    expected = (nats([2, 0, -1], 0) + nats([0.5, 0.5, 1], 1)) / 2
    found = answer_loss(activity(), LABELS, "cross_entropy")
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_mean_squared_error_to_one_and_nothing():
    squares = [1, 0, 1, 0.25, 0.25, 1]  # (2-1)² 0² (-1)²; 0.5² (0.5-1)² 1²
    found = answer_loss(activity(), LABELS, "mse")
    assert found.item() == pytest.approx(sum(squares) / 6)


def test_temporal_efficient_training_judges_every_step():
    outputs = torch.stack([LOGITS, -LOGITS, torch.zeros(2, 3)])  # T x N x classes
    per_step = [
        (nats([2, 0, -1], 0) + nats([0.5, 0.5, 1], 1)) / 2,
        (nats([-2, 0, 1], 0) + nats([-0.5, -0.5, -1], 1)) / 2,
        math.log(3),
    ]
    found = answer_loss(activity(outputs=outputs), LABELS, "tet")
    assert found.item() == pytest.approx(sum(per_step) / 3, rel=1e-6)


# T x N x classes: of sample 0 the classes spike 2, 0, 1 times in 4 steps
SPIKES = torch.tensor(
    [
        [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]],
        [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]],
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]],
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
    ]
)


def test_spike_counts_by_hand():
    targets = torch.tensor([[0.5, 0.25, 0.0], [0.0, 0.5, 0.25]])
    spikes = SPIKES.clone().requires_grad_()
    loss = spike_count(spikes, targets)
    # counts less targets: 0 -1 1; 4 1 1. A quarter of each at each of 4 steps
    assert loss.item() == pytest.approx((2 / 16 + 18 / 16) / 2 * 4 / 2)
    loss.backward()
    errors = torch.tensor([[0.0, -1.0, 1.0], [4.0, 1.0, 1.0]]) / 4
    assert torch.allclose(spikes.grad, errors.expand(4, 2, 3) / 2)


def test_the_cross_entropy_of_spike_counts_by_hand():
    found = spike_max(SPIKES, LABELS)
    expected = (nats([2, 0, 1], 0) + nats([4, 3, 2], 1)) / 2
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_spike_times_by_hand():
    spikes = torch.zeros(30, 1, 1)
    spikes[3] = 1.0  # none is wanted
    tau = 2.0
    felt = [k / tau * math.exp(1 - k / tau) for k in range(27)]
    found = spike_time(spikes, torch.zeros(1, 1), tau)
    assert found.item() == pytest.approx(sum(x * x for x in felt) / 2, rel=1e-5)


def test_spikes_at_the_wanted_times_cost_nothing_and_others_do():
    targets = torch.tensor([[0.5, 0.2]])
    wanted = regular(targets, 20)
    assert spike_time(wanted, targets, 3.0).item() == 0.0
    assert spike_time(wanted.roll(1, 0), targets, 3.0).item() > 0.0
    assert spike_count(wanted.roll(1, 0), targets).item() == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("rate", "steps"),
    [
        (0.0, "00000000"),
        (1.0, "11111111"),
        (0.5, "10101010"),
        (0.25, "01000100"),
        (0.05, "00000000"),  # 0.4 of a spike
        (0.07, "00000001"),
    ],
)
def test_wanted_spikes_are_evenly_spaced(rate, steps):
    found = regular(torch.tensor([[rate]]), 8).flatten()
    assert "".join(str(int(s)) for s in found) == steps


def test_penalties_by_hand():
    plan = blueprint((6,), depth=2, width_1=10, width_2=20)
    counts = torch.tensor([[30.0, 40.0], [10.0, 0.0]], requires_grad=True)

    def penalty(name):
        return activity_penalty(counts, plan, 5, name).item()

    assert penalty("spikes") == pytest.approx((70 + 10) / 2 / 100)
    # 50 and 100 chances for a spike
    assert penalty("rate") == pytest.approx((30 / 50 + 40 / 100 + 10 / 50) / 2)
    # 20 synapses of a neuron to the second layer, 3 to the classes
    synops = (30 * 20 + 40 * 3 + 10 * 20) / 2
    assert penalty("synops") == pytest.approx(synops / 10_000)


@pytest.mark.parametrize("name", ["spikes", "rate", "synops"])
def test_a_penalty_has_a_gradient_and_is_nothing_for_silence(name):
    plan = blueprint((1, 4, 4), architecture="sew", depth=2, channels=2)
    counts = torch.zeros(3, len(plan.layers), requires_grad=True)
    penalty = activity_penalty(counts, plan, 4, name)
    penalty.backward()
    assert penalty.item() == 0.0
    assert (counts.grad > 0).all()


def test_recurrent_synapses_cost_too():
    counts = torch.ones(1, 1)
    plain, back = (
        activity_penalty(
            counts, blueprint((6,), depth=1, width=7, recurrent=r), 4, "synops"
        )
        for r in (False, True)
    )
    assert plain.item() == pytest.approx(3 / 10_000)
    assert back.item() == pytest.approx((3 + 7) / 10_000)


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'cross_entropy'"):
        answer_loss(activity(), LABELS, "crossentropy")
    with pytest.raises(ConfigError, match="Did you mean 'synops'"):
        activity_penalty(torch.ones(1, 2), blueprint((6,)), 4, "synop")
