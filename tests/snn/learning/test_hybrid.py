"""HYBRID: conversion against brute force, surrogates by hand, a training that resumes.

The oracles are loops over numpy arrays in which thresholds stay thresholds, as they
were published.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError, DivergedError, ReleasedError
from moosnn.snn.coding import encode
from moosnn.snn.data import Split
from moosnn.snn.data.digits import Digits
from moosnn.snn.fused import fire
from moosnn.snn.gene_names import RULES, defaults
from moosnn.snn.genes import Genes
from moosnn.snn.layer import Neurons
from moosnn.snn.learning import ann, hybrid
from moosnn.snn.learning.bptt import fit as fit_by_bptt
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.learning.training import Course
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from moosnn.snn.stopping import watch_named
from tests.snn.learning.test_bptt import After

SHAPE, CLASSES = (2, 3, 3), 3
SMALL = {"width": 12, "ann_epochs": 3, "epochs": 3, "balance_steps": 20}


def genes(**changes):
    return Genes.from_params({**defaults("hybrid"), **SMALL, **changes})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(seed=0, **changes):
    return SpikingNetwork(genes(**changes), SHAPE, CLASSES, generator(seed))


def samples(count=90):
    """Three classes, each with a brighter third of the picture."""
    noise = np.random.default_rng(0).random((count, 3, 6), dtype=np.float32)
    labels = np.arange(count) % 3
    inputs = 0.5 * noise + 0.5 * np.eye(3, dtype=np.float32)[labels][:, :, None]
    split = Split(inputs=inputs.reshape(count, *SHAPE), labels=labels)
    return Samples.of(split, 1.0, torch.device("cpu"))


def a_watch():
    """One that stops nothing, but can be saved."""
    return watch_named(
        "none", Edge(), min_updates=None, planned_updates=1, samples_per_epoch=1
    )


def course(watch=None, on_epoch=lambda epoch, metrics: False, checkpoint=None, seed=1):
    return Course(
        generator=generator(seed),
        watch=watch or a_watch(),
        on_epoch=on_epoch,
        checkpoint=checkpoint or Checkpoint(),
    )


def weights(net):
    """Weights and biases of the fully connected layers, as float64."""
    parts = [p for p in net.parts.values() if isinstance(p, torch.nn.Linear)]
    return [
        tuple(p.detach().numpy().astype(float) for p in (part.weight, part.bias))
        for part in parts
    ]


def spikes_of(current, threshold, leak=1.0):
    """Spikes of neurons with a soft reset, by the published equation."""
    membrane = np.zeros(current.shape[1:])
    spikes = []
    for step in current:
        membrane = leak * membrane + step
        spikes.append((membrane >= threshold).astype(float))
        membrane = membrane - threshold * spikes[-1]
    return np.stack(spikes)


# --------------------------------------------------------------------- conversion


@pytest.mark.parametrize("coding", ["direct", "rate"])
def test_a_threshold_is_the_largest_current_after_the_layers_before_it(coding):
    net = network(coding=coding, depth=3)
    with torch.no_grad():
        for part in net.parts.values():
            if isinstance(part, torch.nn.Linear):
                part.bias.zero_()  # as published
    data = samples()
    units = hybrid.balanced(net, data, generator(5))
    assert list(units) == ["neurons_1", "neurons_2", "neurons_3"]
    draws = generator(5)
    inputs, _ = data.batch(torch.randperm(len(data), generator=draws))
    if coding == "rate":  # drawn anew for each layer: known of the first
        inputs = (torch.rand((20, *inputs.shape), generator=draws) < inputs).float()
    else:
        inputs = inputs.expand(20, *inputs.shape)
    heard = [inputs.flatten(2).numpy()]
    stands_for = 1.0
    for unit, (weight, _) in zip(units.values(), weights(net), strict=False):
        current = heard[-1] @ weight.T
        threshold = current.max()
        stands_for *= threshold
        assert unit == pytest.approx(stands_for, rel=1e-4)
        if coding == "rate":
            break
        heard.append(spikes_of(current, threshold))


@pytest.mark.parametrize(("neuron", "leak"), [("if", 1.0), ("lif", 0.9)])
def test_folded_thresholds_change_no_spike(neuron, leak):
    net = network(neuron=neuron, tau_mem_steps=10.0, threshold=0.6, threshold_2=2.5)
    layers = weights(net)
    thresholds = [0.37, 0.81]
    hybrid.fold(net, {"neurons_1": 0.37, "neurons_2": 0.37 * 0.81})
    inputs = encode(
        torch.rand(7, *SHAPE, generator=generator(3)), net.genes, generator()
    )
    seen = net.observe(inputs)
    flow = inputs.flatten(2).numpy().astype(float)
    unit = 1.0  # of what flows: a bias is in the artificial network's units
    for theta, (weight, bias), ours in zip(
        thresholds, layers, seen.spikes, strict=False
    ):
        flow = spikes_of(flow @ weight.T + bias / unit, theta, leak)
        unit *= theta
        assert 0.0 < flow.mean() < 1.0
        assert np.array_equal(ours.detach().numpy(), flow)
    weight, bias = layers[-1]
    logits = (flow.mean(0) * unit) @ weight.T + bias
    assert seen.logits.detach().numpy() == pytest.approx(logits, abs=1e-4)


def test_every_threshold_is_scaled():
    data, plain, scaled = samples(), network(), network(scaling_factor=0.5)
    one = hybrid.balanced(plain, data, generator(5))
    before = weights(plain)
    hybrid.convert(scaled, data, generator(5))
    after = weights(scaled)
    first, second = one["neurons_1"], one["neurons_2"]
    gains = [1 / (0.5 * first), first / (0.5 * second), 0.25 * second]
    for gain, (w, _), (converted, _) in zip(gains, before, after, strict=True):
        assert converted == pytest.approx(w * gain, rel=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"depth": 3, "skip": True},
        {
            "architecture": "cnn",
            "depth": 2,
            "filters": 4,
            "dense": 1,
            "width": 8,
            "pool_kind": "average",
        },
    ],
    ids=["skips", "cnn"],
)
def test_the_mean_output_approaches_the_artificial_networks(changes):
    net = network(coding="direct", scaling_factor=1.0, **changes)
    data = samples()
    inputs, _ = data.batch(torch.arange(20))
    with torch.no_grad():
        wanted = ann.answers(ann.twin(net, ann.Rectified), inputs, generator())
        hybrid.convert(net, data, generator())
        errors = []
        for steps in (50, 500, 5000):
            found = net.observe(inputs.expand(steps, *inputs.shape)).logits
            errors.append(float((found - wanted).abs().max()))
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.02 * float(wanted.abs().max())


def test_on_digits_conversion_alone_answers_as_the_artificial_network_in_time():
    data = Digits().load(1, Path())
    train = Samples.of(data.train, data.input_max, torch.device("cpu"))
    chosen = Genes.from_params(
        {
            **defaults("hybrid"),
            **{"width": 32, "ann_epochs": 10, "ann_learning_rate": 0.1},
            **{"batch_size": 32, "dropout": 0.0, "scaling_factor": 1.0},
        }
    )
    net = SpikingNetwork(chosen, (1, 8, 8), 10, generator())
    ann.train(net, train, course())
    inputs, labels = train.batch(torch.arange(300))
    with torch.no_grad():
        artificial = ann.twin(net, ann.Rectified)
        wanted = ann.answers(artificial, inputs, generator()).argmax(1)
        assert float((wanted == labels).float().mean()) > 0.9
        hybrid.convert(net, train, generator())
        agreement = []
        for steps in (4, 16, 128):
            spikes = torch.rand((steps, *inputs.shape), generator=generator()) < inputs
            found = net.observe(spikes.float()).logits.argmax(1)
            agreement.append(float((found == wanted).float().mean()))
    assert agreement == sorted(agreement)
    assert agreement[0] < 0.9
    assert agreement[-1] > 0.97


def test_what_an_artificial_network_sees_is_the_mean_of_the_code():
    inputs = torch.rand(5, *SHAPE, generator=generator())
    coded = genes(coding="rate", time_steps=4000)
    mean = encode(inputs, coded, generator()).mean(0)
    seen = ann.intensities(inputs, coded, generator())
    assert float((seen - mean).abs().max()) < 0.05
    frames = torch.rand(5, 7, *SHAPE, generator=generator())
    seen = ann.intensities(frames, genes(coding="frames"), generator())
    assert torch.allclose(seen, frames.mean(1))


def test_an_artificial_network_has_relu_and_the_same_weights():
    net = network()
    inputs = torch.rand(5, *SHAPE, generator=generator())
    flow = inputs.flatten(1).numpy().astype(float)
    *hidden, (weight, bias) = weights(net)
    for w, b in hidden:
        flow = np.maximum(flow @ w.T + b, 0.0)
    found = ann.answers(ann.twin(net, ann.Rectified), inputs, generator())
    assert found.detach().numpy() == pytest.approx(flow @ weight.T + bias, abs=1e-5)


def test_weights_before_a_relu_begin_with_a_variance_of_two_over_their_inputs():
    net = network(width=400)
    small = [w for w, _ in weights(net)]
    ann.enlarge(net)
    first, second, output = (w for w, _ in weights(net))
    assert first.var() == pytest.approx(2 / 18, rel=0.05)
    assert second.var() == pytest.approx(2 / 400, rel=0.05)
    assert np.array_equal(output, small[-1])


# --------------------------------------------------------------------- surrogates


def gradient(neurons, current, wanted):
    """Of the sum of spikes times ``wanted``, with respect to the current."""
    inputs = torch.tensor(current).reshape(-1, 1).requires_grad_()
    spikes, _ = fire(inputs, torch.tensor(1.0), neurons)
    (spikes.flatten() * torch.tensor(wanted)).sum().backward()
    return spikes.flatten().tolist(), inputs.grad.flatten().tolist()


def layer(**changes) -> Neurons:
    return genes(neuron="if", threshold=2.0, stdb_alpha=0.5, **changes).neurons[0]


CURRENT = [1.0, 1.5, 1.0, 1.0, 0.5]  # membranes 1, 2.5, 1.5, 2.5, 1: spikes at 1 and 3
WANTED = [1.0, 2.0, 3.0, 4.0, 5.0]


def test_stdb_by_hand():
    neurons = layer(hybrid_surrogate="stdb", stdb_beta=0.1)
    spikes, found = gradient(neurons, CURRENT, WANTED)
    assert spikes == [0.0, 1.0, 0.0, 1.0, 0.0]
    # alpha exp(-beta dt) / theta, dt since the last spike before the step: 1000, 1001,
    # 1, 2, 1; IF neurons keep their membrane, so that gradients add up from the end.
    near, far = (0.25 * math.exp(-0.1 * dt) for dt in (1, 2))
    own = [0.0, 0.0, 3.0 * near, 4.0 * far, 5.0 * near]
    assert found == pytest.approx(np.cumsum(own[::-1])[::-1].tolist())


def test_linear_by_hand():
    neurons = layer(hybrid_surrogate="linear")
    spikes, found = gradient(neurons, CURRENT, WANTED)
    assert spikes == [0.0, 1.0, 0.0, 1.0, 0.0]
    # alpha max(0, 1 - |membrane / theta - 1|) / theta
    height = 0.5 / 2.0
    shares = [0.5, 0.75, 0.75, 0.75, 0.5]
    own = [height * s * w for s, w in zip(shares, WANTED, strict=True)]
    assert found == pytest.approx(np.cumsum(own[::-1])[::-1].tolist())


# ----------------------------------------------------------------------- training


def accuracies(**changes):
    heard = []
    on_epoch = lambda epoch, metrics: heard.append(metrics) or False  # noqa: E731 -- as in a call
    hybrid.fit(network(**changes), samples(), course(on_epoch=on_epoch))
    return [metrics["train_accuracy"] for metrics in heard]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hybrid_surrogate": "stdb"},
        {"hybrid_surrogate": "linear", "coding": "direct"},
        {"hybrid_optimizer": "sgd", "learning_rate": 0.05},
        {"neuron": "lif", "tau_mem_steps": 20.0},
        {"skip": True, "readout": "sum", "learning_rate": 1e-3},
        {"architecture": "cnn", "depth": 1, "filters": 8},
        {"coding": "population"},
    ],
    ids=str,
)
def test_it_learns(changes):
    more = {"ann_epochs": 15, "ann_learning_rate": 0.1, "batch_size": 15, "epochs": 8}
    assert accuracies(**more, **changes)[-1] > 0.7


def test_only_the_spiking_network_is_watched_told_and_counted():
    watch, epochs = After(), []
    result = hybrid.fit(
        network(ann_epochs=7, batch_size=30),
        samples(),
        course(watch, lambda epoch, metrics: epochs.append(epoch) or False),
    )
    assert epochs == [1, 2, 3]
    assert (result.updates, result.planned, result.stopped) == (9, 9, None)
    assert [tuple(counts.shape) for counts in watch.heard] == [(30, 2)] * 8


def test_without_an_artificial_network_to_speak_of_it_is_backpropagation():
    """The fine-tuning alone, against the loop of the rule bptt and plain Adam."""
    ours, theirs = network(weight_decay=0.0, epochs=1), network(epochs=1)
    optimizer = hybrid._optimizer(ours)
    assert optimizer.defaults["amsgrad"]
    data = samples(60)  # one update: amsgrad has no past yet
    fit_by_bptt(theirs, data, course())
    hybrid.descend(ours, data, optimizer, course())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b)


@pytest.mark.parametrize(
    ("epochs", "rates"),
    [
        (10, [1.0] * 6 + [0.1] * 2 + [0.01, 0.001]),
        (3, [1.0, 0.1, 0.01]),  # 60 % = epoch 1; 80 and 90 % = epoch 2
        (1, [1.0]),
    ],
)
def test_the_learning_rate_falls_to_a_tenth_three_times(epochs, rates):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=5.0)
    found = []
    for epoch in range(epochs):
        ann.set_rate(optimizer, 1.0, epoch, epochs)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx(rates)


def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used():
    before = torch.get_rng_state()
    nets = [network(dropout=0.2) for _ in range(2)]
    for net in nets:
        hybrid.fit(net, samples(), course())
    for ours, theirs in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(torch.get_rng_state(), before)


class Released:
    """Says that room is wanted when asked for the n-th time."""

    def __init__(self, asked):
        self.left = asked

    def __call__(self):
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("asked", [1, 2, 4, 5, 6, 7])  # four in the first training
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    asked, optimizer, tmp_path
):
    more = {"dropout": 0.2, "ann_epochs": 4, "epochs": 5, "hybrid_optimizer": optimizer}
    whole = network(**more)
    result = hybrid.fit(whole, samples(), course())
    path = tmp_path / "checkpoint"
    with pytest.raises(ReleasedError):
        hybrid.fit(
            network(**more),
            samples(),
            course(checkpoint=Checkpoint(path, every_s=1e9, preempted=Released(asked))),
        )
    again = network(seed=9, **more)  # its weights come from the checkpoint
    epochs = []
    resumed = hybrid.fit(
        again,
        samples(),
        course(
            on_epoch=lambda epoch, metrics: epochs.append(epoch) or False,
            checkpoint=Checkpoint(earlier=[path]),
            seed=9,
        ),
    )
    for ours, theirs in zip(again.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert epochs == list(range(max(asked - 4, 1), 6))
    assert (resumed.updates, resumed.planned) == (result.updates, result.planned)
    assert torch.equal(resumed.recent, result.recent)


# ----------------------------------------------------------------------- mistakes


def test_an_artificial_network_that_diverges_says_so():
    with pytest.raises(DivergedError, match=r"artificial.*ann_learning_rate=1e\+30"):
        hybrid.fit(network(ann_learning_rate=1e30), samples(), course())


@pytest.mark.parametrize("bias", [-100.0, math.nan])
def test_a_layer_without_drive_cannot_be_converted(bias):
    net = network()
    with torch.no_grad():
        net.parts["linear_2"].bias.fill_(bias)
    with pytest.raises(DivergedError, match="neurons_2 gets a current of at most"):
        hybrid.convert(net, samples(), generator())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "conv"}, "batch norms, expected architecture=mlp or cnn"),
        ({"architecture": "cell"}, "batch norms, expected architecture=mlp or cnn"),
        ({"recurrent_2": True}, "without loops, expected recurrent=false, got true"),
        (
            {"architecture": "cnn", "pool_kind_2": "max"},
            "averages and no maxima, .*, expected pool_kind=average, got max",
        ),
        ({"readout": "rate"}, "an output that does not spike, expected readout=mean"),
        ({"coding": "latency"}, "expected coding=rate, direct, population or frames"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(changes, message):
    with pytest.raises(ArchitectureError, match=message) as caught:
        genes(**changes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("training=hybrid: ")


def test_a_cnn_pools_by_averages_unless_told_otherwise():
    assert set(genes(architecture="cnn").architecture.pool_kinds) == {"average"}
    assert genes(architecture="cnn", pool_kind="max", pool_size=1).rule.maxima is False


def test_loops_of_layers_that_are_not_there_do_not_matter():
    assert genes(depth=1, recurrent_2=True) == genes(depth=1)
    cnn = {"architecture": "cnn", "depth": 1}
    assert genes(recurrent=True, **cnn) == genes(**cnn)


@pytest.mark.parametrize(
    ("gene", "value"),
    [
        ("ann_epochs", 0),
        ("balance_steps", 0),
        ("scaling_factor", 0.0),
        ("stdb_alpha", 0.0),
        ("stdb_beta", -1.0),
        ("ann_learning_rate", 0.0),
        ("weight_decay", -1e-9),
        ("hybrid_surrogate", "atan"),
        ("hybrid_optimizer", "lion"),
        ("neuron", "plif"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(gene, value):
    with pytest.raises(ConfigError, match=f"^{gene}: "):
        genes(**{gene: value})


def test_its_neurons_are_those_of_its_genes():
    found = genes(hybrid_surrogate="stdb", stdb_alpha=0.2, stdb_beta=0.05).neurons[0]
    assert (found.reset, found.surrogate) == ("soft", "stdb")
    assert (found.height, found.slope, found.kind) == (0.2, 0.05, "if")
    assert RULES["hybrid"].RULE is type(genes().rule)
