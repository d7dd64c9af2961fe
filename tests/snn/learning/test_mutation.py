"""Stochastic mutation: its drift, its acceptance, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError, DivergedError, ReleasedError
from moosnn.snn.coding import encode
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.layer import NEURONS
from moosnn.snn.learning import mutation
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.learning.mutation import Mutator, Place, fresh_sds
from moosnn.snn.network import SpikingNetwork
from tests.snn.learning.two_classes import CLASSES, SHAPE, Awake, course, samples

SIGMAS = 5.0  # of a mean's standard error, that it may be off
CURVATURE = torch.tensor([1.0, 4.0, 0.5], dtype=torch.float64)
START = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
GRADIENT = CURVATURE * START


def quadratic(weights: torch.Tensor) -> float:
    """``sum_i c_i x_i^2 / 2``."""
    return float((CURVATURE * weights.square()).sum() / 2)


def mutator(sds, beta, share=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Mutator(sds=sds, share=share, beta=beta, generator=generator)


def steps_from_start(made, count):
    """What one step moves from the start, many times: its mean and standard error."""
    place = Place(weights=START, energy=quadratic(START))
    moves = [place.after(quadratic, made).weights - START for _ in range(count)]
    moves = torch.stack(moves)
    return moves.mean(0), moves.std(0) / math.sqrt(count)


@pytest.mark.parametrize("share", [1.0, 1 / 3])
def test_small_mutations_drift_down_the_gradient(share):
    """By -beta sd^2 / 2 of it, each weight with its own; of a share, as much less."""
    sds = torch.tensor([0.03, 0.02, 0.04], dtype=torch.float64)
    beta = 2.0
    mean, error = steps_from_start(mutator(sds, beta, share), 12_000)
    expected = -share * beta * sds.square() / 2 * GRADIENT
    assert ((mean - expected).abs() < SIGMAS * error).all()
    assert (expected.abs() > SIGMAS * error / 2).any()  # it is not just noise
    assert float(mean @ expected / (mean.norm() * expected.norm())) > 0.8


def test_without_temperature_the_drift_has_the_gradients_direction_but_not_its_size():
    """By sd / sqrt(2 pi) along the unit vector of the gradient."""
    sd = 1e-3
    sds = torch.full((3,), sd, dtype=torch.float64)
    mean, error = steps_from_start(mutator(sds, math.inf), 12_000)
    expected = -sd / math.sqrt(2 * math.pi) * GRADIENT / GRADIENT.norm()
    curved = 2e-2 * sd  # of the second order in sd
    assert ((mean - expected).abs() < SIGMAS * error + curved).all()
    assert float(mean.norm() / error.norm()) > 4 * SIGMAS  # it is not just noise


def test_the_walk_draws_from_the_density_of_its_energy():
    """Of a parabola, whose variance is 1 / (beta c): detailed balance."""
    beta, curvature = 2.0, 3.0

    def parabola(weights):
        return float(curvature * weights.square().sum() / 2)

    variance = 1 / (beta * curvature)
    sds = torch.tensor([2 * math.sqrt(variance)], dtype=torch.float64)
    made, found = mutator(sds, beta), []
    place = Place(weights=torch.zeros(1, dtype=torch.float64), energy=0.0)
    for _ in range(12_000):
        place = place.after(parabola, made)
        found.append(float(place.weights))
    batches = np.square(found).reshape(40, -1).mean(1)  # neighbours are alike
    assert abs(batches.mean() - variance) < SIGMAS * batches.std() / math.sqrt(40)
    assert batches.std() / math.sqrt(40) < 0.05 * variance


@pytest.mark.parametrize(
    ("rise", "beta", "probability"),
    [
        (0.5, 2.0, math.exp(-1.0)),
        (0.1, 10.0, math.exp(-1.0)),
        (0.0, math.inf, 1.0),
        (-1.0, 1.0, 1.0),
        (1e-9, math.inf, 0.0),
        (math.inf, 1e-9, 0.0),
        (math.nan, 1.0, 0.0),
    ],
)
def test_a_rise_is_kept_with_the_probability_of_metropolis(rise, beta, probability):
    made = mutator(torch.ones(1), beta)
    count = 4_000
    share = sum(made.keeps(rise) for _ in range(count)) / count
    error = math.sqrt(probability * (1 - probability) / count)
    assert abs(share - probability) <= SIGMAS * error


def test_a_share_of_the_weights_is_mutated_and_never_none():
    before = torch.zeros(200)
    for share, expected in ((0.1, 20), (1.0, 200), (1e-6, 1)):
        made = mutator(torch.full((200,), 0.5), 1.0, share)
        changed = [(made.mutated(before) != 0).sum() for _ in range(20)]
        assert {int(count) for count in changed} == {expected}
    assert not before.any()


def genes(**changes):
    small = {"width": 12, "batch_size": 100, "epochs": 3, "mutations_per_batch": 20}
    return Genes.from_params({**defaults("mutation"), **small, **changes})


def network(**changes):
    generator = torch.Generator().manual_seed(1)
    return SpikingNetwork(genes(**changes), SHAPE, CLASSES, generator)


def train(watch=None, **changes):
    heard, net = [], network(**changes)
    told = course(lambda epoch, m: heard.append((epoch, m)), watch)
    return net, mutation.fit(net, samples(), told), heard


LEARNING = {"epochs": 6, "mutations_per_batch": 60, "mutation_share": 0.1}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"acceptance": "metropolis", "mutation_beta": 1e4},
        {"mutation_energy": "errors"},
        {"readout": "rate", "threshold": 0.3},
        {"readout": "first_spike", "threshold": 0.3},
        {"loss": "tet"},
        {"loss": "mse", "mutation_share": 1.0, "mutation_sigma": 0.3},
    ],
    ids=str,
)
def test_it_learns(changes):
    _, result, heard = train(**{**LEARNING, **changes})
    assert [epoch for epoch, _ in heard] == list(range(1, 7))
    assert (result.updates, result.planned) == (12, 12)
    assert heard[-1][1]["train_accuracy"] > 0.7
    assert 0.0 < heard[-1][1]["train_acceptance"] < 1.0


@pytest.mark.parametrize("neuron", NEURONS)
def test_every_type_of_neurons_learns(neuron):
    *_, heard = train(neuron=neuron, threshold=0.5, **LEARNING)
    assert heard[-1][1]["train_accuracy"] > 0.7


@pytest.mark.parametrize("architecture", ["conv", "cnn", "cell", "sew"])
def test_every_architecture_is_mutated_in_all_its_weights(architecture):
    changes = {"architecture": architecture, "channels": 2, "epochs": 2}
    net, result, _ = train(mutation_share=1.0, mutation_sigma=0.01, **changes)
    fresh = dict(network(**changes).named_parameters())
    for name, parameter in net.named_parameters():
        assert not torch.equal(parameter, fresh[name]), name
        assert not parameter.grad_fn
        assert parameter.grad is None
    assert result.stopped is None


def test_networks_of_diehl_and_cook_are_refused():
    with pytest.raises(ArchitectureError, match="needs training=stdp"):
        genes(architecture="diehl_cook")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mutation_sigma", 0.0),
        ("mutation_beta", 0.0),
        ("mutation_share", 0.0),
        ("mutation_share", 1.1),
        ("mutations_per_batch", 0),
        ("acceptance", "never"),
        ("mutation_energy", "heat"),
    ],
)
def test_a_bad_gene_is_named(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}: "):
        genes(**{name: value})


def test_greedy_mutations_of_one_batch_never_raise_its_loss():
    """One batch of all samples, so that every epoch begins where the last one ended."""
    *_, heard = train(batch_size=200, epochs=6, activity_penalty=0.0)
    losses = [metrics["train_loss"] for _, metrics in heard]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_the_energy_counts_activity():
    """With no other aim than quiet, a network falls quiet."""
    *_, heard = train(activity_penalty=1e3, threshold=0.3, **LEARNING)
    spikes = [metrics["train_spikes_per_sample"] for _, metrics in heard]
    assert spikes[-1] < 0.2 * spikes[0]


def test_a_fresh_weight_has_the_deviation_that_it_was_drawn_with():
    net = network(width=400)
    sds = fresh_sds(net)
    drawn = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert sds.shape == drawn.shape
    assert float((drawn / sds).std()) == pytest.approx(1.0, abs=0.05)
    conv = network(architecture="conv", channels=3, depth=1)
    named = [n for n, p in conv.named_parameters() for _ in range(p.numel())]
    norms = [k for k, name in enumerate(named) if name.endswith(("scale", "shift"))]
    assert norms
    assert fresh_sds(conv)[norms].tolist() == pytest.approx([1 / 3] * len(norms))


def test_norms_remember_no_network_that_was_not_kept():
    """Where none is kept they hear the batch once."""
    changes = {"architecture": "conv", "channels": 2, "depth": 1, "epochs": 1}
    net = network(batch_size=200, mutation_sigma=1e4, mutation_share=1.0, **changes)
    twin = network(**changes)
    mutation.fit(net, samples(), course())
    same = [torch.equal(p, q) for p, q in zip(net.parameters(), twin.parameters())]  # noqa: B905 -- two networks of the same genes
    assert all(same)  # so wild mutations are never kept
    data = samples()
    inputs, _ = data.batch(torch.arange(200))
    twin.train()
    twin.observe(encode(inputs, twin.genes, torch.Generator()))
    for name, buffer in net.named_buffers():
        assert torch.allclose(buffer, dict(twin.named_buffers())[name], atol=1e-6)


def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used():
    before = torch.get_rng_state()
    changes = {"coding": "rate", "acceptance": "metropolis", "mutation_beta": 100.0}
    (first, *_), (again, *_) = (train(**changes) for _ in range(2))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_goes_on_bit_for_bit(tmp_path):
    changes = {"coding": "rate", "architecture": "conv", "channels": 2, "epochs": 4}
    whole, expected, told = train(**changes)
    released = [False, False, True]
    first = Checkpoint(tmp_path / NAME, preempted=lambda: released.pop(0))
    with pytest.raises(ReleasedError):
        mutation.fit(network(**changes), samples(), course(checkpoint=first))
    heard, net = [], network(**changes)
    second = course(
        lambda epoch, m: heard.append((epoch, m)),
        checkpoint=Checkpoint(earlier=[tmp_path / NAME]),
    )
    result = mutation.fit(net, samples(), second)
    assert heard == told[2:]
    assert result.updates == expected.updates
    for name, tensor in whole.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor)


def test_the_watch_and_the_caller_stop_it():
    _, result, _ = train(watch=Awake(3))
    assert (result.stopped, result.updates) == ("silent", 3)
    watch = Awake()
    assert train(watch=watch)[1].updates == 6
    assert watch.count == 5  # not the last
    result = mutation.fit(network(), samples(), course(lambda epoch, m: epoch == 2))
    assert (result.stopped, result.updates) == ("pruned", 4)
    result = mutation.fit(network(), samples(), course(lambda epoch, m: epoch == 3))
    assert result.stopped is None


def test_a_loss_that_is_not_finite_is_a_failure():
    net = network()
    with torch.no_grad():
        net.parts["linear_2"].weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match="the loss became"):
        mutation.fit(net, samples(), course())


def test_a_weight_that_is_not_finite_is_a_failure():
    """Mutations larger than any number: what has them may be silent, and no answer."""
    changes = {"mutation_sigma": 1e39, "acceptance": "metropolis"}
    with pytest.raises(
        DivergedError, match=r"is not finite in epoch 1 .mutation_sigma"
    ):
        train(**changes, mutation_beta=1e-9)
