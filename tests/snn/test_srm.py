"""Spike response neurons against explicit kernels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moosnn.snn.layer import Neurons
from moosnn.snn.rules.slayer import SrmConstants
from moosnn.snn.srm import srm
from tests.snn.built import lif

NEVER = 1e9  # no membrane comes near


def genes(threshold=1.0, tau_s=3.0, tau_ref=1.5, scale_ref=2.0) -> Neurons:
    constants = SrmConstants(
        tau_s_steps=tau_s, tau_ref_steps=tau_ref, scale_ref=scale_ref
    )
    return lif(
        kind="srm",
        threshold=threshold,
        surrogate="exponential",
        slope=1 / (0.7 * threshold),
        height=2 * 1.3,
        constants=constants,
    )


def eps(steps, tau):
    k = np.arange(steps)
    return k / tau * np.exp(1 - k / tau)


def reference(current, threshold, tau_s, tau_ref, scale_ref):
    """Membranes and spikes of ``T x n`` currents by sums over whole kernels."""
    steps = len(current)
    response = eps(steps, tau_s)
    refractory = -scale_ref * threshold * eps(steps, tau_ref)
    membranes, spikes = np.zeros_like(current), np.zeros_like(current)
    for t in range(steps):
        for k in range(t + 1):
            membranes[t] += response[k] * current[t - k] + refractory[k] * spikes[t - k]
        spikes[t] = membranes[t] >= threshold
    return membranes, spikes


@pytest.mark.parametrize("tau", [0.4, 1.0, 2.5, 30.0])
def test_the_response_to_one_current_is_the_kernel_and_is_cut_nowhere(tau):
    current = torch.zeros(300, 1, dtype=torch.float64)
    current[0] = 1.0
    spikes, membrane = srm(genes(NEVER, tau))(current)
    expected = torch.from_numpy(eps(300, tau))
    assert torch.allclose(membrane[:, 0], expected, rtol=1e-9, atol=1e-300)
    assert not spikes.any()


def test_the_response_peaks_at_one_after_tau_steps_and_begins_a_step_late():
    current = torch.zeros(10, 1)
    current[2] = 1.0
    _, membrane = srm(genes(NEVER, tau_s=3.0))(current)
    assert membrane[:3].abs().max() == 0.0
    assert membrane.argmax() == 5
    assert membrane[5].item() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("scale_ref", [0.0, 1.0, 3.0])
def test_membranes_and_spikes_are_those_of_explicit_kernels(scale_ref):
    current = np.random.default_rng(0).normal(0.3, 1.0, (40, 25))
    constants = {"tau_s": 2.0, "tau_ref": 1.5, "scale_ref": scale_ref}
    membranes, spikes = reference(current, 1.5, **constants)
    found, seen = srm(genes(1.5, **constants))(torch.from_numpy(current))
    assert np.allclose(seen.numpy(), membranes, atol=1e-9)
    assert np.array_equal(found.numpy(), spikes)
    assert 0.1 < spikes.mean() < 0.9


def test_a_spike_lowers_the_membrane_by_at_most_its_scale_in_thresholds():
    current = torch.zeros(12, 1)
    current[0] = 3.0  # the response at step 1: 3 e^0
    spikes, membrane = srm(genes(2.0, tau_s=1.0, tau_ref=2.0, scale_ref=5.0))(current)
    assert spikes[:, 0].nonzero().tolist() == [[1]]
    free = 3.0 * torch.from_numpy(eps(12, 1.0)).float()
    lack = (free - membrane[:, 0])[1:]
    assert lack.argmax() == 2  # tau_ref steps later
    assert lack.max().item() == pytest.approx(5.0 * 2.0, rel=1e-5)


def test_errors_come_back_by_correlation_with_the_kernel_and_not_through_refraction():
    current = np.random.default_rng(1).normal(0.3, 1.0, (20, 7))
    weights = np.random.default_rng(2).normal(size=(20, 7))  # what a spike is worth
    membranes, _ = reference(current, 1.5, 2.0, 1.5, 3.0)
    rho = 1.3 / (0.7 * 1.5) * np.exp(-np.abs(membranes - 1.5) / (0.7 * 1.5))
    error, response = rho * weights, eps(20, 2.0)
    expected = [
        sum(response[k] * error[t + k] for k in range(20 - t)) for t in range(20)
    ]
    given = torch.from_numpy(current).requires_grad_()
    spikes, _ = srm(genes(1.5, tau_s=2.0, tau_ref=1.5, scale_ref=3.0))(given)
    (spikes * torch.from_numpy(weights)).sum().backward()
    assert given.grad is not None
    assert np.allclose(given.grad.numpy(), np.array(expected), atol=1e-9)
