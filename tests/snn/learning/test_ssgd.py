"""Sparse spiking gradient descent: what it learns, and when it gives up."""

from __future__ import annotations

import pytest
import torch

from moosnn.errors import DivergedError, ReleasedError
from moosnn.snn import sparse
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning import bptt, ssgd
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.sparse import is_active
from tests.snn.learning.two_classes import CLASSES, SHAPE, Awake, course, samples

BACKENDS = ("dense", "sparse", "auto")


def network(**changes):
    given = {"depth": 2, "width": 16, "batch_size": 20, "epochs": 6, **changes}
    genes = Genes.from_params({**defaults("ssgd"), "threshold": 0.2, **given})
    return SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(1))


def train(fit=ssgd.fit, watch=None, **changes):
    heard = []
    net = network(**changes)
    result = fit(
        net, samples(), course(lambda epoch, m: heard.append((epoch, m)), watch)
    )
    return net, result, heard


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("changes", [{}, {"neuron": "if"}])
def test_it_learns_with_every_backend(backend, changes):
    *_, heard = train(backend=backend, learning_rate=0.01, epochs=10, **changes)
    assert [epoch for epoch, _ in heard] == list(range(1, 11))
    assert heard[-1][1]["train_accuracy"] > 0.8


def test_it_learns_with_convolutions():
    *_, heard = train(
        architecture="conv", depth=1, channels=4, threshold=1.0, b_th=0.5, epochs=8
    )
    assert heard[-1][1]["train_accuracy"] > 0.8


def test_dense_and_bptt_of_the_same_network_are_the_same_training():
    ours, *_ = train(backend="dense")
    theirs, *_ = train(bptt.fit, backend="dense")
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_sparse_and_dense_are_the_same_training_but_for_rounding():
    """Over the updates before a rounding can make a spike."""
    ours, theirs = (train(backend=b, epochs=1)[0] for b in ("sparse", "dense"))
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used(
    backend, monkeypatch
):
    monkeypatch.setattr(sparse, "BATCH_MACS", -1e6)  # so that auto is both
    before = torch.get_rng_state()
    changes = {"backend": backend, "coding": "rate", "dropout": 0.2, "epochs": 3}
    (first, *_), (again, *_) = (train(**changes) for _ in range(2))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("backend", ["sparse", "auto"])
def test_a_training_goes_on_bit_for_bit(backend, tmp_path):
    changes = {"backend": backend, "coding": "rate", "dropout": 0.2}
    whole, expected, told = train(**changes)
    released = [False, False, False, True]
    first = Checkpoint(tmp_path / NAME, preempted=lambda: released.pop(0))
    with pytest.raises(ReleasedError):
        ssgd.fit(network(**changes), samples(), course(checkpoint=first))
    heard, net = [], network(**changes)
    second = course(
        lambda epoch, m: heard.append((epoch, m)),
        checkpoint=Checkpoint(earlier=[tmp_path / NAME]),
    )
    result = ssgd.fit(net, samples(), second)
    assert heard == told[3:]
    assert result.updates == expected.updates
    for one, other in zip(net.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_layer_without_active_neurons_beside_a_skip_connection_is_none():
    """What it would have learned goes past it."""
    net, result, _ = train(depth=3, skip_3=True, threshold_2=50.0)
    assert ("neurons_2",) not in net.blueprint.stages
    assert result.updates == result.planned


def test_a_layer_without_active_neurons_is_a_failure_and_says_which():
    net = network(backend="sparse", b_th=0.1)
    with torch.no_grad():
        for parameter in net.parts["linear_2"].parameters():
            parameter.zero_()  # the membranes of the second layer stay at 0
    with pytest.raises(DivergedError, match=r"^neurons_2: no neuron was active") as e:
        ssgd.fit(net, samples(), course())
    assert "epoch 1 (b_th=0.1)" in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_silent_layer_with_active_neurons_goes_on(backend):
    """Membranes that stay below the threshold, but in the band, have a gradient."""
    net = network(backend=backend, b_th=0.5, epochs=1, depth=1, time_steps=1)
    with torch.no_grad():
        net.parts["linear_1"].weight.zero_()
        net.parts["linear_1"].bias.fill_(0.15)
    before = net.parts["linear_1"].bias.clone()
    result = ssgd.fit(net, samples(), course())
    assert result.stopped is None
    assert not torch.equal(net.parts["linear_1"].bias, before)


def test_every_epoch_is_told_how_many_neurons_were_active():
    """One batch an epoch, and the first one is that of the fresh network."""
    net = network(batch_size=200, epochs=1)
    data, heard = samples(), []
    inputs, _ = data.batch(torch.arange(200))
    seen = net.observe(inputs.expand(4, *inputs.shape))
    layers = zip(net.blueprint.layers, seen.membranes, strict=True)
    shares = [is_active(m, n.op).float().mean().item() for n, m in layers]
    ssgd.fit(net, data, course(lambda epoch, m: heard.append(m)))
    assert len(shares) == 2
    assert heard[0]["train_active_fraction"] == pytest.approx(min(shares), rel=1e-5)


def test_the_watch_and_the_caller_stop_it():
    _, result, _ = train(watch=Awake(7))
    assert (result.stopped, result.updates) == ("silent", 7)
    net = network()
    result = ssgd.fit(net, samples(), course(lambda epoch, metrics: epoch == 2))
    assert (result.stopped, result.updates) == ("pruned", 20)


def test_a_loss_that_is_not_finite_is_a_failure():
    net = network()
    with torch.no_grad():
        net.parts["linear_3"].weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match="the loss became"):
        ssgd.fit(net, samples(), course())
