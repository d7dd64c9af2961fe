"""Neurons against tables by hand, spikingjelly, and their equations written out."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.fused import fire
from moosnn.snn.layer import NEURONS, SURROGATES
from moosnn.snn.neuron import FUSED, Neurons
from moosnn.snn.surrogate import surrogate_derivative
from tests.snn.built import lif

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


def neurons(kind, dtype=torch.float32, **changes):
    layer = Neurons(lif(kind=kind, **changes)).to(dtype)
    if dtype == torch.float64 and "constant" in dict(layer.named_buffers()):
        # It was rounded to single precision.
        leak = 0.0 if kind == "if" else 1.0 / layer.genes.tau_mem_steps
        layer.constant.copy_(torch.tensor(1.0 - leak, dtype=dtype))
    return layer


def currents(dtype=torch.float32, steps=20, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((steps, 8, 16), generator=generator, dtype=dtype)


@pytest.mark.parametrize("kind", ["lif", "plif"])
def test_a_leaky_neuron_follows_the_golden_trace(kind):
    spikes, membrane = neurons(kind)(torch.full((6, 1, 1), 0.6))
    expected_membrane, expected_spikes = zip(*GOLDEN_LIF, strict=True)
    assert membrane.flatten().tolist() == pytest.approx(expected_membrane, abs=1e-6)
    assert spikes.flatten().tolist() == list(expected_spikes)


# Half of the membrane is kept, the threshold is 0.9.
@pytest.mark.parametrize(
    ("kind", "current", "membranes", "spikes"),
    [
        # I: 1, 1/2, 1/4, 1/8 (half of it is kept too)
        ("cuba", [1, 0, 0, 0], [1.0, 0.5, 0.5, 0.375], [1, 0, 0, 0]),
        ("klif", [1, 0.5, -2, 0.5], [1.0, 0.5, 0.0, 0.5], [1, 0, 0, 0]),
        # A: 0, 1, 0.9, 1.81 (a tenth is lost); H - 0.45 A of H: 1, 1, 1.5, 1
        ("alif", [1, 1, 1, 1], [1.0, 0.55, 1.095, 0.1855], [1, 0, 1, 0]),
        # V (V - 0.72) / 0.9 = -0.1222 and W = 0.2 V / 10 = 0.01 at V = 1/2
        ("izhikevich", [0.5, 0], [0.5, 0.5 + (-0.11 / 0.9 - 0.01) / 2], [0, 0]),
    ],
)
def test_other_neurons_by_hand(kind, current, membranes, spikes):
    sequence = torch.tensor(current, dtype=torch.float32).reshape(-1, 1, 1)
    found, seen = neurons(kind, threshold=0.9)(sequence)
    assert found.flatten().tolist() == spikes
    for value, expected in zip(seen.flatten().tolist(), membranes, strict=True):
        assert value == pytest.approx(expected, abs=1e-6)


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
    }
    if kind == "cuba":  # takes its mode and the detached reset only afterwards
        node = sj.CUBALIFNode(c_decay=1 - 1 / 3.0, v_decay=1 - 1 / tau, **common)
        node.detach_reset, node.step_mode = True, "m"
        return node
    common |= {"detach_reset": True, "step_mode": "m"}
    match kind:
        case "if":
            return sj.IFNode(**common)
        case "plif":
            return sj.ParametricLIFNode(init_tau=tau, decay_input=False, **common)
        case "klif":
            return sj.KLIFNode(tau=tau, decay_input=False, **common)
        case _:
            return sj.LIFNode(tau=tau, decay_input=False, **common)


@pytest.mark.parametrize("kind", [*FUSED, "klif", "cuba"])
@pytest.mark.parametrize("surrogate", ["atan", "sigmoid", "fast_sigmoid"])
@pytest.mark.parametrize(
    ("tau", "threshold", "slope"), [(2.0, 1.0, 2.0), (1.05, 0.3, 0.5), (17.0, 2.0, 9.0)]
)
def test_spikes_and_gradients_are_those_of_spikingjelly(
    kind, surrogate, tau, threshold, slope
):
    if surrogate == "fast_sigmoid":
        slope = 1.0  # the only slope at which the two definitions agree
    # Single precision as in a training; double to tell equations from rounding. Of a
    # steep surrogate, either library's own rounding is up to 4e-6.
    single = 1e-6 if slope <= 2 else 5e-6
    for dtype, tolerance in ((torch.float32, single), (torch.float64, 1e-12)):
        upstream, current = currents(dtype, seed=4), currents(dtype)
        ours, theirs = (current.clone().requires_grad_() for _ in range(2))
        node = spikingjelly_node(kind, tau, threshold, surrogate, slope).to(dtype)
        layer = neurons(
            kind,
            dtype,
            tau_mem_steps=tau,
            threshold=threshold,
            surrogate=surrogate,
            slope=slope,
            tau_syn_steps=3.0,
        )
        if kind == "plif":
            node.w.data.copy_(layer.w.data)
        spikes, expected = layer(ours)[0], node(theirs)
        (spikes * upstream).sum().backward()
        (expected * upstream).sum().backward()
        assert 0 < spikes.sum() < spikes.numel()
        assert torch.equal(spikes, expected)
        assert_near(ours.grad, theirs.grad, tolerance)
        if kind == "plif":
            assert_near(layer.w.grad, node.w.grad, tolerance)
        if kind == "klif":
            assert_near(layer.k.grad, node.k.grad, tolerance)


def assert_near(ours, theirs, tolerance):
    scale = max(float(theirs.abs().max()), 1.0)
    assert float((ours - theirs).abs().max()) <= tolerance * scale


def written_out(layer, current):
    """The equations of the module's docstring, a line each, differentiated by torch."""
    g = layer.genes
    theta, leak = g.threshold, 1.0 / g.tau_mem_steps
    v = w = i = a = torch.zeros_like(current[0])
    spikes, membranes = [], []
    for x in current:
        rise = 0.0
        match g.kind:
            case "if":
                h = v + x
            case "lif":
                h = (1 - leak) * v + x
            case "plif":
                h = (1 - torch.sigmoid(layer.w)) * v + x
            case "klif":
                h = torch.relu(layer.k * ((1 - leak) * v + x))
            case "cuba":
                i = (1 - 1 / g.tau_syn_steps) * i + x
                h = (1 - leak) * v + i
            case "alif":
                h = (1 - leak) * v + x
                rise = theta * g.adaptation * a
            case "izhikevich":
                h = v + leak * (v * (v - 0.8 * theta) / theta - w) + x
        x_of = h - theta - rise
        # A step forwards; backwards the derivative of an arc tangent.
        soft = torch.atan(math.pi / 2 * g.slope * x_of) / math.pi
        s = (x_of >= 0).to(x.dtype) + soft - soft.detach()
        v = h * (1 - s.detach())
        if g.kind == "izhikevich":
            v = torch.maximum(v, torch.full_like(v, -theta))
        a = (1 - 1 / g.tau_adapt_steps) * a + s
        w = w + (0.2 * v - w) / g.tau_adapt_steps + g.adaptation * theta * s
        spikes.append(s)
        membranes.append(h - rise)
    return torch.stack(spikes), torch.stack(membranes)


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("threshold", [0.4, 1.7])
def test_every_neuron_is_its_equations(kind, threshold):
    layer = neurons(
        kind, torch.float64, threshold=threshold, tau_mem_steps=3.0, adaptation=0.7
    )
    ours, theirs = (currents(torch.float64).requires_grad_() for _ in range(2))
    upstream, learned = currents(torch.float64, seed=4), dict(layer.named_parameters())
    gradients = []
    for current, run in ((ours, layer), (theirs, lambda x: written_out(layer, x))):
        spikes, membrane = run(current)
        layer.zero_grad()
        (spikes * upstream).sum().backward()
        found = [current.grad, *(p.grad.clone() for p in learned.values())]
        gradients.append((spikes.detach(), membrane.detach(), found))
    (spikes, membrane, found), (expected, level, wanted) = gradients
    assert 0 < spikes.sum() < spikes.numel()
    assert torch.equal(spikes, expected.round())
    assert torch.allclose(membrane, level, atol=1e-12)
    for one, other in zip(found, wanted, strict=True):
        assert_near(one, other, 1e-12)


@pytest.mark.parametrize("kind", NEURONS)
def test_step_by_step_is_the_sequence(kind):
    layer = neurons(kind, tau_mem_steps=3.3, threshold=0.7)
    whole, single = (currents().requires_grad_() for _ in range(2))
    upstream = currents(seed=4)
    spikes, membrane = layer(whole)
    (spikes * upstream).sum().backward()
    state, kept = (), []
    for step in single:
        *seen, state = layer.step(step, state)
        kept.append(seen)
    stepped = torch.stack([s for s, _ in kept])
    (stepped * upstream).sum().backward()
    assert torch.equal(spikes, stepped)
    assert torch.allclose(membrane, torch.stack([m for _, m in kept]), atol=1e-6)
    assert_near(single.grad, whole.grad, 1e-6)


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
def test_a_neuron_spikes_exactly_when_its_membrane_reaches_the_threshold(
    kind, threshold
):
    layer = neurons(kind, threshold=threshold)
    coarse = (currents(steps=50) * 10).round() / 10  # often exactly there
    spikes, membrane = layer(coarse)
    assert torch.equal(spikes, (membrane >= threshold).float())


@pytest.mark.parametrize("kind", NEURONS)
def test_a_layer_has_no_memory_of_the_call_before(kind):
    layer = neurons(kind, threshold=0.5)
    first = layer(currents())[0]
    layer(currents(seed=9) * 50)
    assert torch.equal(layer(currents())[0], first)


@pytest.mark.parametrize("kind", NEURONS)
def test_neurons_take_images_and_a_single_step(kind):
    layer = neurons(kind)
    spikes, membrane = layer(torch.full((1, 2, 3, 4, 5), 1.5))
    assert spikes.shape == membrane.shape == (1, 2, 3, 4, 5)
    assert spikes.all()


@pytest.mark.parametrize(("kind", "count"), [("plif", 1), ("klif", 1), ("alif", 0)])
def test_one_scalar_is_learned_where_the_name_says_so(kind, count):
    assert sum(p.numel() for p in neurons(kind).parameters()) == count


def test_strong_inhibition_never_makes_an_izhikevich_neuron_spike():
    """Far below rest, a bare parabola would throw the membrane up."""
    current = torch.zeros(10, 1, 1)
    current[0] = -50.0
    assert not neurons("izhikevich")(current)[0].any()


@pytest.mark.parametrize("x", [-3.0, -0.2, 0.0, 0.7])
@pytest.mark.parametrize("k", [0.5, 1.0, 4.0])
def test_surrogate_derivatives_have_their_closed_forms(x, k):
    logistic = 1 / (1 + math.exp(-k * x))
    expected = {
        "atan": k / 2 / (1 + (math.pi * k * x / 2) ** 2),
        "sigmoid": k * logistic * (1 - logistic),
        "fast_sigmoid": 1 / (1 + k * abs(x)) ** 2,
        "triangle": k * max(0, 1 - k * abs(x)),
        "exponential": k / 2 * math.exp(-k * abs(x)),
        "gaussian": k / math.sqrt(2 * math.pi) * math.exp(-((k * x) ** 2) / 2),
        "boxcar": k / 2 * (abs(x) < 1 / k),
    }
    for name in SURROGATES:
        value = surrogate_derivative(torch.tensor([x]), lif(surrogate=name, slope=k))
        assert value.item() == pytest.approx(expected[name], rel=1e-5)


def test_an_unknown_surrogate_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="Did you mean 'atan'"):
        surrogate_derivative(torch.zeros(1), lif(surrogate="atam"))


def test_the_membrane_carries_no_gradient_and_unused_spikes_cost_none():
    current = torch.ones((2, 1, 1), requires_grad=True)
    spikes, membrane = fire(current, torch.tensor(0.5), lif())
    assert spikes.requires_grad
    assert not membrane.requires_grad
    assert torch.autograd.grad(spikes.sum(), current)[0].shape == (2, 1, 1)


def test_the_peak_of_the_membrane_is_before_the_reset():
    current = torch.tensor([0.4, 0.8, 0.1]).reshape(3, 1, 1)
    _, membrane = neurons("if")(current)
    assert membrane.amax(0).item() == pytest.approx(1.2)


def test_a_repeated_view_is_a_valid_current():
    once = torch.rand((4, 3), generator=torch.Generator().manual_seed(0))
    view = neurons("lif")(once.expand(7, 4, 3))
    copy = neurons("lif")(once.repeat(7, 1, 1))
    assert torch.equal(view[0], copy[0])
    assert torch.equal(view[1], copy[1])


def test_a_current_is_not_written_to():
    current = currents()
    before = current.clone()
    neurons("lif")(current)
    assert torch.equal(current, before)
