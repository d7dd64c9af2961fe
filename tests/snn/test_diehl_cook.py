"""Neurons after Diehl & Cook and their fixed connections, against hand counts."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.snn.diehl_cook import DiehlCookNeurons, fixed_current
from moosnn.snn.fixed import Lateral, OneToOne, Population
from tests.snn.built import lif

THRESHOLD = 10.0  # mV above rest


def neurons(size=1, tau=20.0, **own):
    constants = Population(**{"size": size, "refractory": 0, **own})
    genes = lif(
        kind="diehl_cook", tau_mem_steps=tau, threshold=THRESHOLD, constants=constants
    )
    return DiehlCookNeurons(genes)


def constant(current, steps, size=1, count=1):
    return torch.full((steps, count, size), float(current))


def test_the_membrane_follows_the_closed_form_up_to_the_first_spike():
    steps, current, tau = 40, 0.3, 20.0
    spikes, membrane = neurons(tau=tau)(constant(current, steps))
    a = math.exp(-1 / tau)
    expected = [current * (1 - a ** (k + 1)) / (1 - a) for k in range(steps)]
    assert spikes.sum() == 0
    assert torch.allclose(membrane.flatten(), torch.tensor(expected), atol=1e-5)


@pytest.mark.parametrize("refractory", [0, 1, 4])
def test_a_spike_is_followed_by_steps_without_input(refractory):
    # 5 mV a step with nearly no leak: two steps to the threshold, then the wait.
    spikes, membrane = neurons(tau=1e9, refractory=refractory)(constant(5.0, 24))
    period = 2 + refractory
    fired = spikes.flatten().nonzero().flatten().tolist()
    assert fired == list(range(1, 24, period))
    waiting = [k for f in fired for k in range(f + 1, min(f + 1 + refractory, 24))]
    assert (membrane.flatten()[waiting] == 0).all()


def test_the_membrane_reaches_the_threshold_exactly_when_the_neuron_spikes():
    current = torch.rand(200, 3, 6, generator=torch.Generator().manual_seed(0)) * 4
    layer = neurons(6, refractory=2, first_only=True, adapts=True, theta_plus=0.7)
    for _ in range(2):  # with thresholds that have risen, and while they rise
        spikes, membrane = layer(current)
        assert 0 < spikes.sum() < spikes.numel()
        assert torch.equal(membrane >= THRESHOLD, spikes == 1)
        layer.eval()


def test_thresholds_rise_only_while_the_layer_learns():
    layer = neurons(2, adapts=True, theta_plus=0.25, tau_theta_steps=1e12)
    current = torch.tensor([THRESHOLD, 0.0]).expand(1, 3, 2)
    layer(current)
    assert layer.theta.tolist() == pytest.approx([0.75, 0.0])  # of three samples
    layer.eval()
    layer(current * 2)
    assert layer.theta.tolist() == pytest.approx([0.75, 0.0])
    assert "theta" in layer.state_dict()


def test_a_raised_threshold_fades_with_its_time_constant():
    layer = neurons(1, adapts=True, theta_plus=1.0, tau_theta_steps=50.0)
    layer(constant(THRESHOLD, 1))
    layer(constant(0.0, 30))
    assert layer.theta.item() == pytest.approx(math.exp(-30 / 50))


def test_homeostasis_ends_where_growth_and_decay_balance():
    """At the balance theta (1 - d) = theta_plus / n, where n steps reach D + theta."""
    tau, tau_theta, theta_plus, current = 100.0, 2000.0, 0.2, 1.0
    layer = neurons(
        1, tau, adapts=True, theta_plus=theta_plus, tau_theta_steps=tau_theta
    )
    spikes, _ = layer(constant(current, 12_000))
    a, lost = math.exp(-1 / tau), 1 - math.exp(-1 / tau_theta)

    def interval(theta):
        return math.log(1 - (THRESHOLD + theta) * (1 - a) / current) / math.log(a)

    low, high = 0.0, current / (1 - a) - THRESHOLD - 1e-9
    for _ in range(100):
        theta = (low + high) / 2
        grows = theta_plus / interval(theta) > theta * lost
        low, high = (theta, high) if grows else (low, theta)
    first, last = spikes[:500].mean().item(), spikes[-4000:].mean().item()
    assert layer.theta.item() == pytest.approx(theta, rel=0.05)
    assert last == pytest.approx(1 / interval(theta), rel=0.05)
    assert last < 0.7 * first


def test_only_the_neuron_farthest_above_its_threshold_spikes():
    layer = neurons(3, first_only=True)
    spikes, membrane = layer(torch.tensor([[[11.0, 13.0, 9.0], [9.0, 1.0, 2.0]]]))
    assert spikes.tolist() == [[[0, 1, 0], [0, 0, 0]]]
    assert membrane[0, 0, 1] == 13.0
    assert 9.9 < membrane[0, 0, 0] < THRESHOLD  # it came second: nearly
    assert membrane[0, 0, 2] == 9.0


def test_step_by_step_is_the_whole_sequence():
    current = torch.rand(30, 2, 4, generator=torch.Generator().manual_seed(1)) * 5
    layer = neurons(4, refractory=3, first_only=True, adapts=True).eval()
    state, rows = (), []
    for step in current:
        spikes, _, state = layer.step(step, state)
        rows.append(spikes)
    assert torch.equal(torch.stack(rows), layer(current)[0])
    assert torch.stack(rows).any()


def test_the_fixed_connections_are_these_matrices():
    spikes = (
        torch.rand(5, 2, 6, generator=torch.Generator().manual_seed(2)) < 0.5
    ).float()
    ones, place = torch.ones(6, 6), torch.arange(6.0)
    apart = (place[:, None] - place).abs() / 5
    for op, matrix in (
        (OneToOne(strength=3.0), 3.0 * torch.eye(6)),
        (Lateral(strength=2.0, inhibition="all"), -2.0 * (ones - torch.eye(6))),
        (Lateral(strength=2.0, inhibition="distance"), -2.0 * apart),
    ):
        assert torch.allclose(fixed_current(spikes, op), spikes @ matrix, atol=1e-5)


def test_a_lone_neuron_inhibits_nobody():
    lone = torch.ones(1, 1, 1)
    for inhibition in ("all", "distance"):
        op = Lateral(strength=2.0, inhibition=inhibition)
        assert fixed_current(lone, op).item() == 0.0
