"""Neurons against tables by hand, spikingjelly, and their equations written out."""

from __future__ import annotations

import math

import pytest
import torch

from moosnn.snn.fused import fire
from moosnn.snn.layer import NEURONS, RESETS
from moosnn.snn.neuron import FUSED, Neurons
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


# With a soft reset the parabola of an Izhikevich neuron that was thrown far above its
# threshold runs away: it has only sequences by hand.
BOTH_RESETS = [
    (kind, reset)
    for kind in NEURONS
    for reset in RESETS
    if (kind, reset) != ("izhikevich", "soft")
]


# A share of the largest gradient, for each unit of a surrogate's slope above 1.
ERROR_OF_SLOPE = 5e-7


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


# Constant current 0.6, half of the membrane is kept, threshold 1: a spike takes 1 off.
GOLDEN_SOFT = [
    # H before reset     S    V after reset
    (0.600, 0.0),  #          0.600
    (0.900, 0.0),  #          0.900
    (1.050, 1.0),  #          0.050
    (0.625, 0.0),  #          0.625
    (0.9125, 0.0),  #         0.9125
    (1.05625, 1.0),  #        0.05625
]


@pytest.mark.parametrize("kind", ["lif", "plif"])
def test_a_soft_reset_takes_the_threshold_off(kind):
    layer = neurons(kind, reset="soft")
    spikes, membrane = layer(torch.full((6, 1, 1), 0.6))
    expected_membrane, expected_spikes = zip(*GOLDEN_SOFT, strict=True)
    assert membrane.flatten().tolist() == pytest.approx(expected_membrane, abs=1e-6)
    assert spikes.flatten().tolist() == list(expected_spikes)


# Half of the membrane is kept, the threshold is 0.8, the current 2 and then 0: a soft
# reset leaves 1.2, of which the next step begins.
@pytest.mark.parametrize(
    ("kind", "membranes", "spikes"),
    [
        ("if", [2.0, 1.2, 0.4], [1, 1, 0]),
        ("klif", [2.0, 0.6, 0.3], [1, 0, 0]),
        # I: 2, 1, 1/2
        ("cuba", [2.0, 1.6, 0.9], [1, 1, 1]),
        # A: 0, 1, 0.9; H less 0.4 A: 2, 0.6 - 0.4, 0.3 - 0.36
        ("alif", [2.0, 0.2, -0.06], [1, 0, 0]),
        # V = 1.2: V (V - 0.64) / 0.8 = 0.84, W = 0.2 * 1.2 / 10 + 0.4 = 0.424; then
        # H = 1.2 + 0.416 / 2 = 1.408, V = 0.608: V (V - 0.64) / 0.8 = -0.02432 and
        # W = 0.424 + (0.1216 - 0.424) / 10 + 0.4 = 0.79376
        ("izhikevich", [2.0, 1.408, 0.608 - (0.02432 + 0.79376) / 2], [1, 1, 0]),
    ],
)
def test_soft_resets_of_other_neurons_by_hand(kind, membranes, spikes):
    layer = neurons(kind, threshold=0.8, reset="soft")
    found, seen = layer(torch.tensor([2.0, 0.0, 0.0]).reshape(-1, 1, 1))
    assert found.flatten().tolist() == spikes
    assert seen.flatten().tolist() == pytest.approx(membranes, abs=1e-6)


def test_an_if_neuron_sums_and_fires_at_exactly_the_threshold():
    spikes, membrane = neurons("if")(torch.full((5, 1, 1), 0.25))
    assert membrane.flatten().tolist() == [0.25, 0.5, 0.75, 1.0, 0.25]
    assert spikes.flatten().tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]


def spikingjelly_node(kind, surrogate, constants, reset):
    from spikingjelly.activation_based import neuron as sj
    from spikingjelly.activation_based import surrogate as sj_surrogate

    tau, threshold, slope = constants
    function = {
        "atan": sj_surrogate.ATan,
        "sigmoid": sj_surrogate.Sigmoid,
        "fast_sigmoid": sj_surrogate.SuperSpike,
    }[surrogate](slope)
    common = {
        "v_threshold": threshold,
        "v_reset": 0.0 if reset == "hard" else None,
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
    "constants", [(2.0, 1.0, 2.0), (1.05, 0.3, 0.5), (17.0, 2.0, 9.0)]
)
@pytest.mark.parametrize("reset", RESETS)
def test_spikes_and_gradients_are_those_of_spikingjelly(
    kind, surrogate, constants, reset
):
    tau, threshold, slope = constants
    if surrogate == "fast_sigmoid":
        slope = 1.0  # the only slope at which the two definitions agree
        constants = (tau, threshold, slope)
    # Single precision as in a training; double to tell equations from rounding. What a
    # steep surrogate makes of rounding is the subject of the next test.
    single = 1e-6 if slope <= 2 else 5e-6
    for dtype, tolerance in ((torch.float32, single), (torch.float64, 1e-12)):
        upstream, current = currents(dtype, seed=4), currents(dtype)
        ours, theirs = (current.clone().requires_grad_() for _ in range(2))
        node = spikingjelly_node(kind, surrogate, constants, reset)
        node = node.to(dtype)
        layer = neurons(
            kind,
            dtype,
            tau_mem_steps=tau,
            threshold=threshold,
            surrogate=surrogate,
            slope=slope,
            tau_syn_steps=3.0,
            reset=reset,
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


def gradient(node, current, upstream):
    """Of a layer that gives spikes, or spikes first, and its spikes."""
    leaf = current.clone().requires_grad_()
    result = node(leaf)
    spikes = result[0] if isinstance(result, tuple) else result
    (spikes * upstream).sum().backward()
    return leaf.grad, spikes.detach()


@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("surrogate", ["atan", "sigmoid"])
@pytest.mark.parametrize("slope", [0.5, 4.0, 20.0])  # the ranges of the spaces
@pytest.mark.parametrize("tau", [1.05, 3.3, 17.0])
def test_what_rounding_does_to_gradients_grows_with_the_slope(
    kind, reset, surrogate, slope, tau
):
    """The truth is the same layer in double precision; errors are of the largest entry.

    The membrane is rounded once a step here and up to three times there
    (``v - v / tau + x``), and a surrogate multiplies that by its slope. Of PLIF, the
    decay is rounded too, here more than there where tau is near 1.
    """
    changes = {"surrogate": surrogate, "slope": slope, "tau_mem_steps": tau}
    layer = neurons(kind, threshold=0.9, reset=reset, **changes)
    exact = neurons(kind, torch.float64, threshold=0.9, reset=reset, **changes)
    single, double = (
        spikingjelly_node(kind, surrogate, (tau, 0.9, slope), reset).to(dtype)
        for dtype in (torch.float32, torch.float64)
    )
    if kind == "plif":
        for other in (exact, single, double):
            other.w.data.copy_(layer.w.data)
    current, upstream = currents(), currents(seed=4)
    truth, expected = gradient(exact, current.double(), upstream.double())
    ours, spikes = gradient(layer, current, upstream)
    theirs, _ = gradient(single, current, upstream)
    assert torch.equal(spikes.double(), expected)
    scale = truth.abs().max()
    our_error = float((ours - truth).abs().max() / scale)
    their_error = float((theirs - truth).abs().max() / scale)
    assert our_error <= ERROR_OF_SLOPE * max(slope, 1.0)
    if kind != "plif":
        assert our_error <= max(1e-6, 1.1 * their_error)
    # In double precision the two are equal at every slope.
    theirs, _ = gradient(double, current.double(), upstream.double())
    assert float((theirs - truth).abs().max()) <= 1e-9


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
        fired = s.detach()
        level = theta + (rise.detach() if g.kind == "alif" else 0.0)
        v = h * (1 - fired) if g.reset == "hard" else h - level * fired
        if g.kind == "izhikevich":
            v = torch.maximum(v, torch.full_like(v, -theta))
        a = (1 - 1 / g.tau_adapt_steps) * a + s
        w = w + (0.2 * v - w) / g.tau_adapt_steps + g.adaptation * theta * s
        spikes.append(s)
        membranes.append(h - rise)
    return torch.stack(spikes), torch.stack(membranes)


@pytest.mark.parametrize(("kind", "reset"), BOTH_RESETS)
@pytest.mark.parametrize("threshold", [0.4, 1.7])
def test_every_neuron_is_its_equations(kind, threshold, reset):
    layer = neurons(
        kind,
        torch.float64,
        threshold=threshold,
        tau_mem_steps=3.0,
        adaptation=0.7,
        reset=reset,
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


@pytest.mark.parametrize(("kind", "reset"), BOTH_RESETS)
def test_step_by_step_is_the_sequence(kind, reset):
    layer = neurons(kind, tau_mem_steps=3.3, threshold=0.7, reset=reset)
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


@pytest.mark.parametrize(("kind", "reset"), BOTH_RESETS)
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
def test_a_neuron_spikes_exactly_when_its_membrane_reaches_the_threshold(
    kind, threshold, reset
):
    layer = neurons(kind, threshold=threshold, reset=reset)
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
@pytest.mark.parametrize("reset", RESETS)
def test_neurons_take_images_and_a_single_step(kind, reset):
    layer = neurons(kind, reset=reset)
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


@pytest.mark.parametrize("reset", RESETS)
def test_a_repeated_view_is_a_valid_current(reset):
    once = torch.rand((4, 3), generator=torch.Generator().manual_seed(0))
    view = neurons("lif", reset=reset)(once.expand(7, 4, 3))
    copy = neurons("lif", reset=reset)(once.repeat(7, 1, 1))
    assert torch.equal(view[0], copy[0])
    assert torch.equal(view[1], copy[1])


@pytest.mark.parametrize("reset", RESETS)
def test_a_current_is_not_written_to(reset):
    current = currents()
    before = current.clone()
    neurons("lif", reset=reset)(current)
    assert torch.equal(current, before)
