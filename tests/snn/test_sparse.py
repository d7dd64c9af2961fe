"""Sparse gradients against dense ones that torch or the fused neurons compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moosnn.snn import sparse, sparse_gradient
from moosnn.snn.fused import fire
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.sparse import PROBED_STEPS, Layer, active_share, is_active, pays, run
from moosnn.snn.surrogate import surrogate_derivative
from tests.snn.built import CLASSES, coded, lif

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
SHAPE = (1, 4, 4)
INPUTS, WIDTHS, SAMPLES = 12, (9, 7, 5), 6


def decay_of(genes):
    return 1.0 if genes.kind == "if" else 1.0 - 1.0 / genes.tau_mem_steps


def constants(kind="lif", b_th=0.2, **changes):
    given = {"surrogate": "fast_sigmoid", "slope": 5.0, "tau_mem_steps": 5.0, **changes}
    return lif(kind=kind, reset="soft", threshold=0.4, band=0.4 * b_th, **given)


def stack(dtype, bias=True):
    sizes = (INPUTS, *WIDTHS)
    generator = torch.Generator().manual_seed(7)
    made = [nn.Linear(a, b, bias=bias, dtype=dtype) for a, b in zip(sizes, WIDTHS)]  # noqa: B905 -- one more size than layers
    with torch.no_grad():
        for parameter in nn.ModuleList(made).parameters():
            parameter.normal_(0.0, 0.5, generator=generator)
    return made


def spikes_in(steps, dtype):
    generator = torch.Generator().manual_seed(1)
    draws = torch.rand((steps, SAMPLES, INPUTS), generator=generator)
    return (draws < 0.3).to(dtype)


def kept_neurons(dtype, layers):
    """A dropout mask, the same at all steps, of each layer."""
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.rand((SAMPLES, n), generator=generator) < 0.7).to(dtype) / 0.7
        for n in layers
    ]


def densely(inputs, linears, genes, masks):
    """The oracle: torch's own linear layers, and neurons differentiated densely."""
    keeps = torch.tensor(decay_of(genes), dtype=inputs.dtype)
    found = []
    for linear, mask in zip(linears, masks, strict=True):
        spikes, membrane = fire(linear(inputs), keeps, genes)
        found += [spikes, membrane]
        inputs = spikes * mask
    return inputs, found


def sparsely(inputs, linears, genes, masks, choose=False):
    layer = Layer(genes=genes, decay=decay_of(genes), choose=choose)
    found, wanted = [], None
    for linear, mask in zip(linears, masks, strict=True):
        spikes, membrane, wanted = run(inputs, linear, wanted, layer)
        found += [spikes, membrane]
        inputs = spikes * mask
    return inputs, found


def gradients(way, inputs, linears, genes, masks, **options):
    for linear in linears:
        linear.zero_grad()
    heard = inputs.clone().requires_grad_()
    last, found = way(heard, linears, genes, masks, **options)
    generator = torch.Generator().manual_seed(5)
    upstream = torch.randn(last.shape, generator=generator).to(last.dtype)
    # Some of the gradient comes past the layers above, as that of a penalty does.
    total = (last * upstream).sum() + 0.3 * found[0].sum()
    total.backward()
    weights = [p.grad.clone() for linear in linears for p in linear.parameters()]
    return found, [heard.grad, *weights]


def assert_equal(ours, theirs, tolerance):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        scale = max(float(other.abs().max()), 1.0)
        assert float((one - other).abs().max()) <= tolerance * scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["if", "lif"])
@pytest.mark.parametrize("b_th", [0.01, 0.2, 0.6])
@pytest.mark.parametrize("steps", [1, 7, 40])
def test_gradients_are_those_of_dense_backpropagation(dtype, kind, b_th, steps):
    genes, linears = constants(kind, b_th), stack(dtype)
    inputs, masks = spikes_in(steps, dtype), kept_neurons(dtype, WIDTHS)
    seen, found = gradients(sparsely, inputs, linears, genes, masks)
    wanted, expected = gradients(densely, inputs, linears, genes, masks)
    assert all(torch.equal(a, b) for a, b in zip(seen, wanted, strict=True))
    assert_equal(found, expected, TOLERANCE[dtype])
    if b_th >= 0.2:
        assert found[0].any()


def test_gradients_are_those_of_a_loop_that_torch_differentiates():
    """Without any of our backward passes, but for the shape of the surrogate."""
    genes, dtype = constants(), torch.float64
    linears, inputs = stack(dtype), spikes_in(20, dtype)
    masks = [torch.ones((), dtype=dtype)] * len(WIDTHS)

    def looped(heard, linears, genes, masks):
        found = []
        for linear in linears:
            after, spikes, membranes = 0.0, [], []
            for current in linear(heard).unbind(0):
                membrane = decay_of(genes) * after + current
                distance = membrane - genes.threshold
                slope = surrogate_derivative(distance.detach(), genes)
                spike = (distance.detach() >= 0).to(dtype)
                after = membrane - genes.threshold * spike
                spikes.append(spike + slope * (distance - distance.detach()))
                membranes.append(membrane)
            heard = torch.stack(spikes)
            found += [heard, torch.stack(membranes)]
        return heard, found

    _, found = gradients(sparsely, inputs, linears, genes, masks)
    _, expected = gradients(looped, inputs, linears, genes, masks)
    assert_equal(found, expected, 1e-12)


@pytest.mark.parametrize("entries", [1, 100, 1000])
@pytest.mark.parametrize("sparse_is_better", [False, True])
def test_blocks_of_time_steps_change_nothing(entries, sparse_is_better, monkeypatch):
    genes, linears = constants(), stack(torch.float64)
    inputs = spikes_in(23, torch.float64)
    masks = kept_neurons(torch.float64, WIDTHS)
    _, expected = gradients(densely, inputs, linears, genes, masks)
    monkeypatch.setattr(sparse_gradient, "_BLOCK_ENTRIES", {"cpu": entries})
    monkeypatch.setattr(sparse, "pays", lambda *_: sparse_is_better)
    _, found = gradients(sparsely, inputs, linears, genes, masks, choose=True)
    assert_equal(found, expected, 1e-12)


@pytest.mark.parametrize("choose", [False, True])
def test_an_input_that_never_changes_is_computed_once(choose):
    genes, (linear, *_) = constants(), stack(torch.float64)
    once = spikes_in(1, torch.float64)
    layer = Layer(genes=genes, decay=decay_of(genes), choose=choose)
    found = []
    for inputs in (once.expand(9, -1, -1), once.repeat(9, 1, 1)):
        linear.zero_grad()
        spikes = run(inputs, linear, None, layer)[0]
        (spikes * torch.arange(9.0).reshape(9, 1, 1)).sum().backward()
        found.append((spikes.detach(), linear.weight.grad, linear.bias.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1].any()
    assert_equal(found[0][1:], found[1][1:], 1e-12)


def test_a_gradient_that_is_the_same_at_each_step_is_taken_right():
    genes, (linear, *_) = constants(), stack(torch.float64)
    inputs, keeps = spikes_in(9, torch.float64), torch.tensor(decay_of(constants()))
    found = []
    layer = Layer(genes=genes, decay=decay_of(genes), choose=False)
    for spikes in (
        run(inputs, linear, None, layer)[0],
        fire(linear(inputs), keeps.double(), genes)[0],
    ):
        linear.zero_grad()
        spikes.mean(0).square().sum().backward()
        found.append([linear.weight.grad.clone(), linear.bias.grad.clone()])
    assert_equal(*found, 1e-7)  # the decay of the neurons is of single precision


def test_nothing_active_has_a_gradient_of_0_and_nothing_else():
    genes, linears = constants(b_th=1e-9), stack(torch.float32)
    masks = kept_neurons(torch.float32, WIDTHS)
    _, found = gradients(sparsely, spikes_in(5, torch.float32), linears, genes, masks)
    assert not any(gradient.any() for gradient in found)


def test_connections_without_a_bias_have_no_gradient_of_one():
    genes, linears = constants(), stack(torch.float64, bias=False)
    masks = kept_neurons(torch.float64, WIDTHS)
    inputs = spikes_in(9, torch.float64)
    _, found = gradients(sparsely, inputs, linears, genes, masks)
    _, expected = gradients(densely, inputs, linears, genes, masks)
    assert_equal(found, expected, 1e-12)


def test_active_is_nearer_than_the_band():
    genes = lif(threshold=1.0, band=0.25)
    membrane = torch.tensor([0.75, 0.76, 1.0, 1.24, 1.25, -1.0])
    expected = [False, True, True, True, False, False]
    assert is_active(membrane, genes).tolist() == expected


def test_the_share_is_exact_for_short_sequences_and_never_0_by_chance():
    genes = lif(threshold=1.0, band=0.25)
    short = torch.zeros(PROBED_STEPS, 2, 2)
    short[3, 0, 1] = 1.0
    assert active_share(short, genes) == pytest.approx(1 / 64)
    long = torch.zeros(100, 1, 1)
    for step in range(100):
        long.zero_()[step] = 1.0
        assert 0 < active_share(long, genes) < 1
    assert active_share(torch.zeros(100, 1, 1), genes) == 0.0


# 1000 inputs and neurons, 100 rows: 1e8 multiply-accumulates, overhead 1e7 + 1.2e7;
# nothing is gained at a ninth, or where the layer is small.
@pytest.mark.parametrize(
    ("share", "width", "expected"),
    [(0.01, 1000, True), (0.08, 1000, True), (0.1, 1000, False), (0.0, 64, False)],
)
def test_sparse_pays_where_few_are_active_in_a_large_layer(share, width, expected):
    genes = lif(threshold=1.0, band=0.25)
    membrane = torch.zeros(10, 10, width)
    membrane[..., : round(share * width)] = 1.0
    assert pays(membrane, torch.zeros(10, 10, width), genes) == expected


def net(backend, **changes):
    given = {**defaults("ssgd"), "threshold": 0.3, "backend": backend, **changes}
    genes = Genes.from_params(given)
    return SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(0))


def learned(network, dropout=None):
    inputs = coded(network, SHAPE, 6)
    seen = network.observe(inputs, dropout=dropout)
    loss = seen.logits.square().sum() + 0.01 * seen.layer_counts().sum()
    loss.backward()
    return seen, [p.grad for p in network.parameters()]


@pytest.mark.parametrize(
    ("changes", "together"),
    [
        ({"depth": 2}, 2),
        ({"depth": 3, "coding": "rate", "time_steps": 30, "neuron": "if"}, 3),
        ({"depth": 1, "readout": "rate", "coding": "rate"}, 2),
        ({"depth": 2, "readout": "max", "tau_readout_steps": 3.0}, 2),
        ({"architecture": "conv", "fc_width": 8}, None),
        ({"architecture": "sew", "coding": "rate"}, 0),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_network_does_and_learns_the_same_with_every_backend(
    changes, together, share
):
    from moosnn.snn.connections import Dropout

    changes = {k: v for k, v in changes.items() if k in defaults("ssgd")}
    found = []
    for backend in ("dense", "sparse", "auto"):
        network = net(backend, **changes)
        if backend == "sparse" and together is not None:
            assert len(network.pairs.neurons) == together
        generator = torch.Generator().manual_seed(4)
        found.append(learned(network, Dropout(share, generator) if share else None))
    (seen, expected), *others = found
    assert any(gradient.any() for gradient in expected)
    for other, gradient in others:
        assert torch.equal(other.logits, seen.logits)
        for ours, theirs in zip(
            (*other.spikes, *other.membranes),
            (*seen.spikes, *seen.membranes),
            strict=True,
        ):
            assert torch.equal(ours, theirs)
        assert_equal(gradient, expected, 1e-6)


def test_a_tap_hears_the_same_with_every_backend():
    heard = []
    for backend in ("dense", "sparse"):
        network, told = net(backend), []
        network.observe(
            coded(network, SHAPE), tap=lambda node, x, told=told: told.append((node, x))
        )
        heard.append(told)
    for (node, dense), (same, thin) in zip(*heard, strict=True):
        assert node == same
        assert torch.equal(dense, thin)


def test_other_rules_and_evaluations_are_not_computed_so():
    given = {**defaults("bptt"), "reset": "soft"}
    genes = Genes.from_params(given)
    network = SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(0))
    assert not network.pairs.neurons
    inputs = torch.zeros(3, 1, 2)
    assert sparse.takes(inputs)
    with torch.no_grad():
        assert not sparse.takes(inputs)
    assert not sparse.takes(inputs[:1].clone().requires_grad_().expand(3, 1, 2))


@pytest.mark.gpu
def test_a_gpu_gives_the_gradients_of_the_cpu():
    found = []
    for device in ("cpu", "cuda"):
        linears = [linear.to(device) for linear in stack(torch.float64)]
        masks = [m.to(device) for m in kept_neurons(torch.float64, WIDTHS)]
        inputs = spikes_in(30, torch.float64).to(device)
        layer = Layer(genes=constants(), decay=0.8, choose=False)
        wanted = None
        for linear, mask in zip(linears, masks, strict=True):
            spikes, _, wanted = run(inputs, linear, wanted, layer)
            inputs = spikes * mask
        inputs.sum().backward()
        found.append([p.grad.cpu() for one in linears for p in one.parameters()])
    assert_equal(*found, 1e-12)
