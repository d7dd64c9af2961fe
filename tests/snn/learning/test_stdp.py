"""STDP against a plain simulation; it learns, repeats itself, resumes, stops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moosnn.errors import DivergedError, ReleasedError
from moosnn.snn.coding import encode
from moosnn.snn.data import Split
from moosnn.snn.fixed import DECODERS
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.learning.stdp import Plasticity, fit
from moosnn.snn.learning.training import Course
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import BatchSilence, batch_silence
from moosnn.snn.weights import load_network, save_network

SHAPE, CLASSES = (1, 4, 4), 2
# Enough spikes of a sample for sequences of them.
LIVELY = {"e_thresh": -61.0, "e_refrac": 1, "strength_inh": 8.0, "theta_plus": 0.1}


def test_a_sample_is_shown_as_in_a_plain_simulation():
    """One sample, neuron by neuron and synapse by synapse, in plain arithmetic."""
    steps, size = 80, 5
    changes = {"e_thresh": -60.0, "strength_inh": 6.0, "nu_pre": 0.01, "nu_post": 0.05}
    net = network(map_size=size, time_steps=steps, tc_theta_decay=500.0, **changes)
    dice = torch.Generator().manual_seed(5)
    shown = (torch.rand(steps, 1, *SHAPE, generator=dice) < 0.4).float()
    weight = net.parts["linear_1"].weight.detach().abs_()
    expected = simulated(
        weight.tolist(), shown.flatten(1).tolist(), net.genes.rule, inhibits=6.0
    )
    with torch.no_grad():
        seen = net.train().observe(shown, tap=Plasticity(weight, net.genes.rule))
    weights, theta, raster = expected
    assert seen.spikes[0][:, 0].tolist() == raster
    winners = [row.index(1) for row in raster if any(row)]
    assert len(winners) > 5
    assert len({*winners}) > 1
    assert torch.allclose(weight, torch.tensor(weights), atol=1e-5)
    assert net.parts["neurons_1"].theta.tolist() == pytest.approx(theta)


def simulated(weights, shown, rule, inhibits):
    """Weights, thresholds and spikes of the excitatory neurons after one sample."""
    size, inputs = len(weights), len(shown[0])
    fade = {
        "e": math.exp(-1 / 100),
        "i": math.exp(-1 / 10),
        "theta": math.exp(-1 / 500),
    }
    fade |= {"pre": math.exp(-1 / rule.input_tc_trace)}
    fade |= {"post": math.exp(-1 / rule.e_tc_trace)}
    v, u, theta, post = ([0.0] * size for _ in range(4))
    waits, rests, sent, pre = [0] * size, [0] * size, [0] * size, [0.0] * inputs
    raster = []
    for spikes in shown:
        over = []
        for n in range(size):
            theta[n] *= fade["theta"]
            current = sum(w * s for w, s in zip(weights[n], spikes, strict=True))
            current -= inhibits * (sum(sent) - sent[n])
            v[n] = v[n] * fade["e"] + (current if waits[n] == 0 else 0.0)
            over.append(v[n] - theta[n] - 5.0)  # e_thresh - e_rest
            waits[n] = max(waits[n] - 1, 0)
        first = over.index(max(over))
        fired = [int(n == first and over[n] >= 0) for n in range(size)]
        for n in range(size):
            if fired[n]:
                v[n], waits[n], theta[n] = 0.0, 5, theta[n] + 0.5
            u[n] = u[n] * fade["i"] + (22.5 * fired[n] if rests[n] == 0 else 0.0)
            rests[n] = max(rests[n] - 1, 0)
            sent[n] = int(u[n] >= 20.0)  # i_thresh - i_rest
            if sent[n]:
                u[n], rests[n] = 0.0, 2
        pre = [1.0 if s else x * fade["pre"] for x, s in zip(pre, spikes, strict=True)]
        post = [
            1.0 if s else x * fade["post"] for x, s in zip(post, fired, strict=True)
        ]
        for n in range(size):
            for k in range(inputs):
                change = (
                    rule.nu_post * fired[n] * pre[k] - rule.nu_pre * spikes[k] * post[n]
                )
                weights[n][k] = min(max(weights[n][k] + change, 0.0), 1.0)
        raster.append(fired)
    return weights, theta, raster


# ---------------------------------------------------------------------- the training


class Watching:
    """A watch that stops after so many updates, and keeps what it heard."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.batches = []

    def update(self, seen):
        self.batches.append(batch_silence(seen, 1, peaks=True))
        return len(self.batches) == self.stop_at

    def heard(self):
        return self.batches

    def hear_again(self, batches):
        assert all(isinstance(batch, BatchSilence) for batch in batches)
        self.batches = list(batches)


def samples(count=60, seed=0):
    """Two classes: the upper or the lower half is bright."""
    dice = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    inputs = dice.random((count, *SHAPE), dtype=np.float32) * 0.2
    for label in range(CLASSES):
        inputs[labels == label, :, 2 * label : 2 * label + 2] += 0.6
    split = Split(inputs=inputs, labels=labels.astype(np.int64))
    return Samples.of(split, 1.0, torch.device("cpu"))


def network(**changes):
    small = {"map_size": 8, "norm": 4.0, "time_steps": 16, "epochs": 3, "batch_size": 8}
    genes = Genes.from_params({**defaults("stdp"), **small, **changes})
    return SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(0))


def train(net, watch=None, on_epoch=None, checkpoint=None, data=None):
    heard = []
    result = fit(
        net,
        data or samples(),
        Course(
            generator=torch.Generator().manual_seed(1),
            watch=watch or Watching(),
            on_epoch=on_epoch or (lambda epoch, m: heard.append((epoch, m)) or False),
            checkpoint=checkpoint or Checkpoint(),
        ),
    )
    return result, heard


def accuracy(net):
    held_out = samples(40, seed=1)
    coded = encode(held_out.held, net.genes, torch.Generator().manual_seed(3))
    right = net.eval()(coded).argmax(1) == torch.as_tensor(held_out.split.labels)
    return right.float().mean().item()


@pytest.mark.parametrize("decoder", DECODERS)
def test_it_learns_without_labels_and_reads_with_them(decoder):
    net = network(decoder=decoder, **LIVELY)
    result, heard = train(net)
    assert [epoch for epoch, _ in heard] == [1, 2, 3]
    assert set(heard[0][1]) >= {
        "train_accuracy",
        "train_loss",
        "train_spikes_per_sample",
        "train_silent_fraction",
    }
    assert (result.updates, result.planned, result.stopped) == (24, 24, None)
    assert accuracy(net) > 0.9


def test_weights_add_up_to_the_norm_and_thresholds_have_risen():
    net = network()
    train(net)
    weight = net.parts["linear_1"].weight
    assert torch.allclose(weight.sum(1), torch.full((8,), 4.0))
    assert weight.min() >= 0
    assert net.parts["neurons_1"].theta.max() > 0


def test_equal_seeds_give_equal_networks_and_the_global_generator_is_not_used():
    before = torch.get_rng_state()
    states = []
    for _ in range(2):
        net = network()
        train(net)
        states.append(net.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("decoder", ["all", "2gram"])
def test_an_interrupted_training_ends_as_if_it_had_not_been(decoder, tmp_path):
    whole, watch = network(decoder=decoder), Watching()
    _, told = train(whole, watch)
    path, asked = tmp_path / "checkpoint", iter([False, False, True])
    first = Checkpoint(path, every_s=1e9, preempted=lambda: next(asked))
    with pytest.raises(ReleasedError):
        train(network(decoder=decoder), checkpoint=first)
    again, resumed = network(decoder=decoder), Watching()
    result, rest = train(again, resumed, checkpoint=Checkpoint(earlier=[path]))
    assert rest == told[2:]
    assert result.updates == 24
    assert resumed.batches == watch.batches
    ours, theirs = again.state_dict(), whole.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("decoder", ["vote", "3gram"])
def test_a_network_that_was_saved_answers_as_before(decoder, tmp_path):
    net = network(decoder=decoder, **LIVELY)
    train(net)
    save_network(
        tmp_path, net, shape=SHAPE, classes=CLASSES, input_max=1.0, metadata={}
    )
    loaded, preprocess = load_network(tmp_path)
    coded = preprocess(samples(30, seed=2).held)
    assert torch.equal(loaded(coded), net.eval()(coded))
    assert loaded(coded).any()


def test_a_training_that_the_watch_stops_says_what_it_saw():
    watch = Watching(10)
    result, heard = train(network(), watch)
    assert (result.stopped, result.updates) == ("silent", 10)
    assert result.work_saved == pytest.approx(14 / 24)
    assert len(result.recent) == 76  # an epoch of 60, then two batches of 8
    assert len(heard) == 1
    assert watch.batches[0].samples == 8


def test_thresholds_out_of_reach_are_seen_as_silence():
    watch = Watching()
    _, heard = train(network(e_thresh=1e6), watch)
    assert all(batch.silent == (batch.samples,) for batch in watch.batches)
    assert all(0 < batch.peaks[0] < 1e-3 for batch in watch.batches)
    assert heard[-1][1]["train_silent_fraction"] == 1.0
    assert len(watch.batches) == 23  # of 24: it is not asked when nothing is left


def test_a_pruned_training_can_be_judged():
    net = network(epochs=5)
    result, _ = train(net, on_epoch=lambda epoch, metrics: epoch == 2)
    assert (result.stopped, result.updates) == ("pruned", 16)
    assert (net.parts["decode_1"].assignments >= 0).any()


def test_batches_of_one_learn_too():
    net = network(batch_size=1, epochs=1, **LIVELY)
    result, _ = train(net, data=samples(30))
    assert result.updates == 30
    assert accuracy(net) > 0.8


def test_weights_that_are_no_numbers_diverge():
    net = network(coding="frames", time_steps=1)
    net.parts["linear_1"].weight.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="a membrane is not finite in epoch 1"):
        train(net)


def test_an_inhibition_without_bounds_diverges_and_does_not_vanish():
    with pytest.raises(DivergedError, match="lower strength_exc"):
        train(network(strength_exc=1e300, **LIVELY))
