"""Rewiring of a network: what it learns, what it leaves, and that it goes on."""

from __future__ import annotations

import pytest
import torch

from moosnn.errors import ConfigError, DivergedError, ReleasedError
from moosnn.snn.connections import Norm
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning import bptt, grad_r
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import OperationCounter, hardware_of
from moosnn.snn.rules.grad_r import PULLS
from tests.snn.learning.two_classes import CLASSES, SHAPE, Awake, course, samples

REWIRINGS = ("grad_r", "deep_r")


def network(**changes):
    given = {"depth": 2, "width": 16, "batch_size": 20, "epochs": 6, **changes}
    genes = Genes.from_params({**defaults("grad_r"), "threshold": 0.2, **given})
    return SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(1))


def train(fit=grad_r.fit, watch=None, **changes):
    heard = []
    net = network(**changes)
    told = course(lambda epoch, metrics: heard.append((epoch, metrics)), watch)
    return net, fit(net, samples(), told), heard


def connectivity(net):
    weights = grad_r.connections(net)
    nonzero = sum(int((weight != 0).sum()) for weight in weights)
    return nonzero / sum(weight.numel() for weight in weights)


@pytest.mark.parametrize(("rewiring", "alpha"), [("grad_r", 0.7), ("deep_r", 0.05)])
def test_it_learns_with_few_connections(rewiring, alpha):
    changes = {"rewiring": rewiring, "prior_alpha": alpha, "target_sparsity": 0.7}
    net, _, heard = train(epochs=20, **changes)
    assert [epoch for epoch, _ in heard] == list(range(1, 21))
    assert heard[-1][1]["train_accuracy"] > 0.8
    assert connectivity(net) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("rewiring", REWIRINGS)
@pytest.mark.parametrize(
    "changes",
    [
        {"neuron": "plif"},
        {"recurrent": True},
        {"architecture": "conv", "depth": 1, "channels": 4},
        {"architecture": "sew", "depth": 1, "channels": 4},
    ],
)
def test_every_connection_is_rewired_and_nothing_else(rewiring, changes):
    net, result, _ = train(rewiring=rewiring, epochs=2, prior_alpha=1.0, **changes)
    assert result.updates == result.planned
    for weight in grad_r.connections(net):
        assert (weight == 0).any()
    rewired = {id(weight) for weight in grad_r.connections(net)}
    others = [p for p in net.parameters() if id(p) not in rewired]
    assert others
    assert all((other != 0).all() for other in others)
    hardware = hardware_of(net)
    if not any(isinstance(module, Norm) for module in net.modules()):
        assert hardware.zero_weights / hardware.weights == pytest.approx(
            1 - connectivity(net)
        )


def test_connections_of_weight_0_are_no_operations():
    """Half of the weights of the read-out pruned: half of the operations there."""
    counts = []
    for half in (False, True):
        net = network(coding="rate").eval()
        if half:
            with torch.no_grad():
                for weight in grad_r.connections(net)[-1:]:
                    weight[0] = 0.0
        counter = OperationCounter(net)
        inputs = torch.ones(4, 3, *SHAPE)
        with torch.no_grad():
            spikes = net.observe(inputs, tap=counter).spikes[-1]
        counts.append(counter.take()[0])
    assert spikes.sum() > 0
    saved = spikes.transpose(0, 1).flatten(1).sum(1).double()
    assert torch.equal(counts[0] - counts[1], saved)


def test_with_next_to_no_prior_and_no_crossing_it_is_bptt():
    """Of one small step, which takes no weight through 0 but those near it."""
    changes = {"batch_size": 200, "epochs": 1, "learning_rate": 1e-5}
    ours, *_ = train(prior_alpha=1e-300, **changes)
    theirs, *_ = train(bptt.fit, **changes)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        far = other.abs() > 1e-4
        assert far.float().mean() > 0.9
        assert torch.equal(one[far], other[far])


@pytest.mark.parametrize("rewiring", REWIRINGS)
def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used(rewiring):
    before = torch.get_rng_state()
    changes = {"rewiring": rewiring, "rewiring_temperature": 1e-5, "coding": "rate"}
    (first, *_), (again, *_) = (train(dropout=0.2, **changes) for _ in range(2))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("rewiring", REWIRINGS)
@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_training_goes_on_bit_for_bit(rewiring, epochs, tmp_path):
    """Pruned connections too, which have forgotten their signs."""
    changes = {"rewiring": rewiring, "rewiring_temperature": 1e-5, "dropout": 0.2}
    whole, expected, told = train(**changes)
    released = [*[False] * epochs, True]
    first = Checkpoint(tmp_path / NAME, preempted=lambda: released.pop(0))
    with pytest.raises(ReleasedError):
        grad_r.fit(network(**changes), samples(), course(checkpoint=first))
    heard, net = [], network(**changes)
    second = course(
        lambda epoch, m: heard.append((epoch, m)),
        checkpoint=Checkpoint(earlier=[tmp_path / NAME]),
    )
    result = grad_r.fit(net, samples(), second)
    assert heard == told[epochs:]
    assert result.updates == expected.updates
    assert connectivity(net) < 1
    for one, other in zip(net.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_published_prior_goes_on_and_ours_rests():
    pulled, rested = (
        train(prior_pull=pull, target_sparsity=0.6, prior_alpha=1.0, epochs=12)[0]
        for pull in PULLS[::-1]
    )
    assert connectivity(pulled) < 0.2
    assert connectivity(rested) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("rewiring", REWIRINGS)
def test_a_network_without_connections_is_measured_and_no_failure(rewiring):
    changes = {"rewiring": rewiring, "prior_alpha": 100.0, "target_sparsity": 0.999}
    net, result, _ = train(epochs=3, **changes)
    assert result.stopped is None
    kept = 0 if rewiring == "grad_r" else len(grad_r.connections(net))
    weights = sum(weight.numel() for weight in grad_r.connections(net))
    assert connectivity(net) == kept / weights


def test_the_watch_and_the_caller_stop_it():
    _, result, _ = train(watch=Awake(7))
    assert (result.stopped, result.updates) == ("silent", 7)
    net = network()
    result = grad_r.fit(net, samples(), course(lambda epoch, metrics: epoch == 2))
    assert (result.stopped, result.updates) == ("pruned", 20)


def test_a_loss_that_is_not_finite_is_a_failure():
    net = network()
    with torch.no_grad():
        net.parts["linear_3"].weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match="the loss became"):
        grad_r.fit(net, samples(), course())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_sparsity": 0.4}, r"target_sparsity: expected a share in \[0.5, 1\)"),
        ({"target_sparsity": 1.0}, r"target_sparsity: expected a share in \[0.5, 1\)"),
        ({"prior_alpha": 0.0}, "prior_alpha: expected a finite number > 0"),
        ({"rewiring_temperature": -1.0}, "rewiring_temperature: expected"),
        ({"rewiring": "deepr"}, "rewiring: got 'deepr'. Did you mean 'deep_r'"),
        ({"prior_pull": "allways"}, "prior_pull: got .* Did you mean 'always'"),
    ],
)
def test_bad_genes_are_refused_in_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as refused:
        network(**changes)
    assert "\n" not in str(refused.value)
