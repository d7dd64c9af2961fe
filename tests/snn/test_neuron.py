"""Neurons against a table worked out by hand and against spikingjelly."""

import math

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.genes import NEURONS, SURROGATES
from moosnn.snn.neuron import Neurons, fire, surrogate_derivative


def neurons(kind, *, tau=2.0, threshold=1.0, surrogate="atan", slope=2.0):
    return Neurons(
        kind,
        tau_mem_steps=tau,
        threshold=threshold,
        surrogate=surrogate,
        slope=slope,
    )


# Constant current 0.6, tau = 2 (half of the membrane is kept), threshold 1.
GOLDEN_LIF = [
    # H before reset     S    V after reset
    (0.600, 0.0),  #          0.600
    (0.900, 0.0),  #          0.900
    (1.050, 1.0),  #          0
    (0.600, 0.0),  #          0.600
    (0.900, 0.0),  #          0.900
    (1.050, 1.0),  #          0
]


@pytest.mark.parametrize("kind", ["lif", "plif"])
def test_a_leaky_neuron_follows_the_golden_trace(kind):
    spikes, membrane = neurons(kind)(torch.full((6, 1, 1), 0.6))
    expected_membrane, expected_spikes = zip(*GOLDEN_LIF, strict=True)
    assert membrane.flatten().tolist() == pytest.approx(expected_membrane, abs=1e-6)
    assert spikes.flatten().tolist() == list(expected_spikes)


def test_an_if_neuron_sums_and_fires_at_exactly_the_threshold():
    spikes, membrane = neurons("if")(torch.full((5, 1, 1), 0.25))
    assert membrane.flatten().tolist() == [0.25, 0.5, 0.75, 1.0, 0.25]
    assert spikes.flatten().tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]


def spikingjelly_node(kind, tau, threshold, surrogate, slope):
    from spikingjelly.activation_based import neuron as sj
    from spikingjelly.activation_based import surrogate as sj_surrogate

    function = {
        "atan": sj_surrogate.ATan,
        "sigmoid": sj_surrogate.Sigmoid,
        "fast_sigmoid": sj_surrogate.SuperSpike,
    }[surrogate](slope)
    common = {
        "v_threshold": threshold,
        "v_reset": 0.0,
        "surrogate_function": function,
        "detach_reset": True,
        "step_mode": "m",
    }
    if kind == "if":
        return sj.IFNode(**common)
    if kind == "lif":
        return sj.LIFNode(tau=tau, decay_input=False, **common)
    return sj.ParametricLIFNode(init_tau=tau, decay_input=False, **common)


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize(
    ("tau", "threshold", "slope"), [(2.0, 1.0, 2.0), (1.05, 0.3, 0.5), (17.0, 2.0, 9.0)]
)
def test_spikes_and_gradients_are_those_of_spikingjelly(
    kind, surrogate, tau, threshold, slope
):
    if surrogate == "fast_sigmoid":
        slope = 1.0  # the only slope at which the two definitions agree
    constants = {"tau": tau, "threshold": threshold}
    constants |= {"surrogate": surrogate, "slope": slope}
    generator = torch.Generator().manual_seed(3)
    upstream = torch.randn((20, 8, 16), generator=generator)
    # Single precision as in a training; double to tell equations from rounding.
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        current = torch.randn((20, 8, 16), generator=generator, dtype=dtype)
        ours, theirs = (current.clone().requires_grad_() for _ in range(2))
        node = spikingjelly_node(kind, **constants).to(dtype)
        layer = neurons(kind, **constants).to(dtype)
        if kind == "lif":  # 1 - 1 / tau was rounded to single precision
            layer.constant.copy_(torch.tensor(1.0 - 1.0 / tau, dtype=dtype))
        if kind == "plif":
            node.w.data.copy_(layer.w.data)
        spikes, expected = layer(ours)[0], node(theirs)
        (spikes * upstream).sum().backward()
        (expected * upstream).sum().backward()
        assert 0 < spikes.sum() < spikes.numel()
        assert torch.equal(spikes, expected)
        assert_near(ours.grad, theirs.grad, tolerance)
        if kind == "plif":
            assert_near(layer.w.grad, node.w.grad, 10 * tolerance)


def assert_near(ours, theirs, tolerance):
    scale = max(float(theirs.abs().max()), 1.0)
    assert float((ours - theirs).abs().max()) <= tolerance * scale


@pytest.mark.parametrize("x", [-3.0, -0.2, 0.0, 0.7])
@pytest.mark.parametrize("k", [0.5, 1.0, 4.0])
def test_surrogate_derivatives_have_their_closed_forms(x, k):
    logistic = 1 / (1 + math.exp(-k * x))
    expected = {
        "atan": k / 2 / (1 + (math.pi * k * x / 2) ** 2),
        "sigmoid": k * logistic * (1 - logistic),
        "fast_sigmoid": 1 / (1 + k * abs(x)) ** 2,
    }
    for name in SURROGATES:
        value = surrogate_derivative(torch.tensor([x]), name, k)
        assert value.item() == pytest.approx(expected[name], rel=1e-5)


def test_an_unknown_surrogate_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'atan'"):
        surrogate_derivative(torch.zeros(1), "atam", 1.0)


def test_the_membrane_carries_no_gradient_and_unused_spikes_cost_none():
    current = torch.ones((2, 1, 1), requires_grad=True)
    spikes, membrane = fire(current, torch.tensor(0.5), 1.0, "atan", 2.0)
    assert spikes.requires_grad
    assert not membrane.requires_grad
    assert torch.autograd.grad(spikes.sum(), current)[0].shape == (2, 1, 1)


def test_a_repeated_view_is_a_valid_current():
    once = torch.rand((4, 3), generator=torch.Generator().manual_seed(0))
    view = neurons("lif")(once.expand(7, 4, 3))
    copy = neurons("lif")(once.repeat(7, 1, 1))
    assert torch.equal(view[0], copy[0])
    assert torch.equal(view[1], copy[1])
