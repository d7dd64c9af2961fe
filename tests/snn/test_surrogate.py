"""Surrogates against closed forms, spikingjelly and finite differences.

A surrogate is the derivative of a smooth step, its antiderivative. A network in which
that step takes the place of the spike has an ordinary gradient; finite differences of
it are what the backward pass of the spiking network has to give.
"""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.fused import fire
from moosnn.snn.layer import SURROGATES
from moosnn.snn.surrogate import surrogate_derivative
from tests.snn.built import lif

XS = (-3.0, -0.3, -0.2, 0.0, 0.1, 0.7)


def at(x, **changes):
    value = torch.tensor([x], dtype=torch.float64)
    return surrogate_derivative(value, lif(**changes)).item()


def closed_form(name, x, k):
    logistic = 1 / (1 + math.exp(-k * x))
    return {
        "atan": k / 2 / (1 + (math.pi * k * x / 2) ** 2),
        "sigmoid": k * logistic * (1 - logistic),
        "fast_sigmoid": 1 / (1 + k * abs(x)) ** 2,
        "triangle": k * max(0, 1 - k * abs(x)),
        "exponential": k / 2 * math.exp(-k * abs(x)),
        "gaussian": k / math.sqrt(2 * math.pi) * math.exp(-((k * x) ** 2) / 2),
        "boxcar": k / 2 * (abs(x) < 1 / k),
    }[name]


def smooth_step(name, x, k):
    """The antiderivative of each closed form that is 0 at x = 0."""
    a = abs(x)
    inside = min(a, 1 / k)
    value = {
        "atan": math.atan(math.pi * k * a / 2) / math.pi,
        "sigmoid": 1 / (1 + math.exp(-k * a)) - 0.5,
        "fast_sigmoid": a / (1 + k * a),
        "triangle": k * inside - (k * inside) ** 2 / 2,
        "exponential": (1 - math.exp(-k * a)) / 2,
        "gaussian": math.erf(k * a / math.sqrt(2)) / 2,
        "boxcar": k / 2 * inside,
    }[name]
    return math.copysign(value, x)


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("k", [0.5, 1.0, 4.0])
def test_a_surrogate_has_its_closed_form(name, k):
    for x in XS:
        found = at(x, surrogate=name, slope=k)
        assert found == pytest.approx(closed_form(name, x, k), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("k", [0.5, 1.0, 4.0])
def test_a_surrogate_is_the_slope_of_its_smooth_step(name, k):
    h = 1e-6
    for x in (-3.0, -0.21, 0.13, 0.7):  # on no corner
        rise = smooth_step(name, x + h, k) - smooth_step(name, x - h, k)
        assert at(x, surrogate=name, slope=k) == pytest.approx(rise / (2 * h), abs=1e-8)


# Of each of ours at slope k the alpha of theirs.
@pytest.mark.parametrize(
    ("name", "theirs", "alpha"),
    [
        ("atan", "ATan", lambda k: k),
        ("sigmoid", "Sigmoid", lambda k: k),
        ("exponential", "PiecewiseExp", lambda k: k),
        ("triangle", "PiecewiseQuadratic", lambda k: k),
        # alpha / sqrt(pi) exp(-(alpha x)^2)
        ("gaussian", "Erf", lambda k: k / math.sqrt(2)),
        # alpha where |x| < 1 / (2 alpha)
        ("boxcar", "Rect", lambda k: k / 2),
    ],
)
@pytest.mark.parametrize("k", [0.5, 1.0, 4.0])
def test_a_surrogate_is_spikingjellys(name, theirs, alpha, k):
    from spikingjelly.activation_based import surrogate as sj

    x = torch.linspace(-2.03, 2.01, 401, dtype=torch.float64, requires_grad=True)
    getattr(sj, theirs)(alpha(k))(x).sum().backward()
    ours = surrogate_derivative(x.detach(), lif(surrogate=name, slope=k))
    assert torch.allclose(ours, x.grad, rtol=1e-12, atol=1e-15)


def test_the_fast_sigmoid_is_spikingjellys_at_slope_1_only():
    from spikingjelly.activation_based import surrogate as sj

    x = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
    sj.SuperSpike(1.0)(x).sum().backward()
    ours = surrogate_derivative(x.detach(), lif(surrogate="fast_sigmoid", slope=1.0))
    assert torch.allclose(ours, x.grad, rtol=1e-12)
    steeper = surrogate_derivative(x.detach(), lif(surrogate="fast_sigmoid", slope=3.0))
    assert not torch.allclose(steeper, x.grad)


@pytest.mark.parametrize("name", SURROGATES)
def test_the_backward_pass_is_a_finite_difference_of_the_smooth_network(name):
    """One LIF neuron over 5 steps whose reset is a constant, as it is not derived."""
    theta, k, decay, h = 0.8, 1.3, 0.6, 1e-6
    current = [0.31, 0.52, 0.74, -0.23, 0.95]
    upstream = [0.7, -1.1, 0.4, 0.9, -0.3]
    genes = lif(surrogate=name, slope=k, threshold=theta, reset="soft")

    x = torch.tensor(current, dtype=torch.float64).reshape(-1, 1, 1).requires_grad_()
    keeps = torch.tensor(decay, dtype=torch.float64)
    spikes = fire(x, keeps, genes)[0]
    (spikes.flatten() * torch.tensor(upstream, dtype=torch.float64)).sum().backward()
    resets = spikes.flatten().tolist()
    assert 0 < sum(resets) < 5

    def smooth(inputs):
        after, total = 0.0, 0.0
        for value, reset, weight in zip(inputs, resets, upstream, strict=True):
            membrane = decay * after + value
            total += weight * smooth_step(name, membrane - theta, k)
            after = membrane - theta * reset
        return total

    for step in range(5):
        up, down = list(current), list(current)
        up[step] += h
        down[step] -= h
        difference = (smooth(up) - smooth(down)) / (2 * h)
        assert x.grad[step].item() == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize("name", [*SURROGATES, "linear"])
def test_a_surrogate_is_0_from_the_edge_of_its_band_on(name):
    changes = {"surrogate": name, "slope": 1.0, "threshold": 2.0}
    for x in (-0.5, 0.5, 0.75, -2.0):
        assert at(x, band=0.5, **changes) == 0.0
    for x in (-0.499, 0.0, 0.25):
        assert at(x, band=0.5, **changes) == at(x, **changes) > 0.0


@pytest.mark.parametrize("name", [*SURROGATES, "linear"])
def test_a_height_multiplies(name):
    for x in (-0.4, 0.0, 0.3):
        one = at(x, surrogate=name, slope=1.0, band=0.35)
        tall = at(x, surrogate=name, slope=1.0, band=0.35, height=2.5)
        assert tall == pytest.approx(2.5 * one, rel=1e-14)


# max(0, 1 - |x| / 2) / 2, whatever the slope
@pytest.mark.parametrize(
    ("x", "expected"), [(0.0, 0.5), (1.0, 0.25), (-1.5, 0.125), (2.0, 0.0), (-9, 0.0)]
)
def test_linear_by_hand(x, expected):
    assert at(x, surrogate="linear", threshold=2.0, slope=7.0) == expected


def test_stdb_by_hand():
    """Spikes at steps 1 and 3, and as if one had been at step -1000."""
    spikes = torch.tensor([0, 1, 0, 1, 0], dtype=torch.float64).reshape(5, 1)
    genes = lif(surrogate="stdb", slope=0.3, threshold=2.0, height=4.0)
    found = surrogate_derivative(torch.zeros_like(spikes), genes, spikes)
    dt = [1000, 1001, 1, 2, 1]
    expected = [4.0 / 2.0 * math.exp(-0.3 * d) for d in dt]
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-14)


def test_a_slow_stdb_has_a_gradient_before_the_first_spike():
    genes = lif(surrogate="stdb", slope=0.001)
    found = surrogate_derivative(torch.zeros(1, 1), genes, torch.zeros(1, 1))
    assert found.item() == pytest.approx(math.exp(-1.0))


def test_stdb_knows_neurons_apart():
    spikes = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    genes = lif(surrogate="stdb", slope=1.0)
    found = surrogate_derivative(torch.zeros(4, 2), genes, spikes)
    e = math.exp
    expected = torch.tensor([[0.0, 0.0], [e(-1), 0.0], [e(-2), 0.0], [e(-3), e(-1)]])
    assert torch.allclose(found, expected)


def test_the_distance_is_not_written_to():
    distance = torch.tensor([0.3, -0.2])
    surrogate_derivative(distance, lif(band=0.25))
    assert distance.tolist() == pytest.approx([0.3, -0.2])


def test_an_unknown_surrogate_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'atan'"):
        surrogate_derivative(torch.zeros(1), lif(surrogate="atam"))
