"""The training loop: learns, repeats itself, stops for a reason, notices divergence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moosnn.errors import DivergedError
from moosnn.snn.data import Split
from moosnn.snn.gene_names import ARCHITECTURES, LOSSES, READOUTS, REGULARISERS
from moosnn.snn.learning.bptt import fit
from moosnn.snn.learning.checkpoint import Checkpoint
from moosnn.snn.learning.training import RECENT, Course, planned_updates
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from tests.snn.built import genes

SAMPLES, CLASSES = 200, 2
SHAPE = (2, 2, 2)


class After:
    """A watch that stops after so many updates, and keeps what it heard."""

    def __init__(self, updates=None):
        self.updates = updates
        self.heard = []

    def update(self, seen):
        self.heard.append(seen.stage_counts())
        assert not self.heard[-1].requires_grad
        return len(self.heard) == self.updates


def samples(count=SAMPLES):
    """Two classes: the brighter of the two channels decides."""
    inputs = np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)
    first, second = inputs.reshape(count, 2, 4).sum(2).T
    split = Split(inputs=inputs, labels=(first > second).astype(np.int64))
    return Samples.of(split, 1.0, torch.device("cpu"))


def train(
    watch=None,
    on_epoch=lambda epoch, metrics: False,
    spoil=None,
    data=None,
    **changes,
):
    chosen = genes(**{"depth": 1, "width_1": 16, "threshold": 0.3, **changes})
    generator = torch.Generator().manual_seed(1)
    net = SpikingNetwork(chosen, SHAPE, CLASSES, generator)
    if spoil is not None:
        spoil(net)
    result = fit(
        net,
        data or samples(),
        Course(
            generator=generator,
            watch=watch or After(),
            on_epoch=on_epoch,
            checkpoint=Checkpoint(),
        ),
    )
    return net, result


def accuracies(**changes):
    heard = []
    train(on_epoch=lambda epoch, m: heard.append(m) or False, **changes)
    return [metrics["train_accuracy"] for metrics in heard]


def test_it_learns_and_tells_every_epoch():
    heard = []
    _, result = train(
        on_epoch=lambda epoch, metrics: heard.append((epoch, metrics)) or False,
        epochs=12,
        batch_size=32,
    )
    assert [epoch for epoch, _ in heard] == list(range(1, 13))
    assert heard[-1][1]["train_accuracy"] > max(0.85, heard[0][1]["train_accuracy"])
    assert set(heard[0][1]) >= {
        "train_accuracy",
        "train_loss",
        "train_spikes_per_sample",
        "train_silent_fraction",
    }
    assert (result.updates, result.planned) == (84, 84)  # 12 epochs of 7 batches
    assert result.stopped is None
    assert result.work_saved == 0.0


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a != "mlp"])
def test_every_architecture_learns(architecture):
    small = {"channels": 4, "cell_channels": 4, "block": "residual_3", "cells": 1}
    back = {"back_41": "conv_1", "batch_size": 20}
    found = accuracies(architecture=architecture, epochs=8, **small, **back)
    assert found[-1] > 0.8


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_read_out_learns_by_every_loss(readout, loss):
    if loss == "tet" and readout in ("rate", "first_spike"):
        return  # refused: see the genes
    found = accuracies(
        readout=readout, loss=loss, epochs=12, batch_size=20, learning_rate=0.02
    )
    assert found[-1] > 0.8


@pytest.mark.parametrize("coding", ["direct", "rate", "latency", "population"])
def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used(coding):
    before = torch.get_rng_state()
    first, again = (train(coding=coding, epochs=2)[0] for _ in range(2))
    for ours, theirs in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_each_penalty_makes_quiet(regulariser):
    counts = []
    for penalty in (0.0, 100.0):
        heard = []
        train(
            on_epoch=lambda epoch, m, heard=heard: heard.append(m) or False,
            regulariser=regulariser,
            activity_penalty=penalty,
            epochs=10,
        )
        counts.append(heard[-1]["train_spikes_per_sample"])
    assert counts[1] < 0.5 * counts[0]


def test_a_training_that_the_watch_stops_says_what_it_saw():
    _, result = train(After(9), epochs=10, batch_size=50)
    assert result.stopped == "silent"
    assert (result.updates, result.planned) == (9, 40)
    assert result.work_saved == pytest.approx(31 / 40)
    assert len(result.recent) == RECENT  # of 450 samples seen, in two epochs and more
    assert bool((result.recent < SAMPLES).all())


def test_the_watch_hears_the_spikes_of_every_sample_in_every_stage():
    watch = After()
    train(watch, depth=2, epochs=1, batch_size=60)
    assert [tuple(counts.shape) for counts in watch.heard] == [(60, 2)] * 3
    silent = After()
    train(silent, threshold=1e4, epochs=1)
    assert not torch.cat(silent.heard).any()


@pytest.mark.parametrize(("epochs", "stopped"), [(1, None), (2, "silent")])
def test_a_training_is_not_stopped_when_nothing_is_left_of_it(epochs, stopped):
    _, result = train(After(7), epochs=epochs, batch_size=32)  # an epoch has 7 batches
    assert (result.updates, result.stopped) == (7, stopped)


def test_only_samples_that_were_seen_are_remembered():
    _, result = train(After(5), batch_size=10)
    assert result.updates == 5
    assert len(result.recent) == len(set(result.recent.tolist())) == 50


def test_the_caller_may_prune_but_not_a_finished_training():
    _, pruned = train(on_epoch=lambda epoch, metrics: epoch == 2, epochs=4)
    assert pruned.stopped == "pruned"
    assert pruned.work_saved == 0.5
    _, finished = train(on_epoch=lambda epoch, metrics: epoch == 4, epochs=4)
    assert finished.stopped is None


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (10, 5, [5, 5]),
        (12, 5, [5, 5, 2]),
        (11, 5, [5, 6]),  # no batch norm learns from the one that is left over
        (6, 5, [6]),
        (3, 2, [3]),
        (3, 1, [1, 1, 1]),
        (3, 5, [3]),
        (1, 5, [1]),
    ],
)
def test_no_sample_is_left_alone(count, batch_size, sizes):
    watch = After()
    _, result = train(watch, data=samples(count), batch_size=batch_size, epochs=2)
    heard = [len(counts) for counts in watch.heard]
    assert heard == (sizes * 2)[:-1]  # it is not asked when nothing is left
    assert result.updates == result.planned == 2 * len(sizes)
    assert planned_updates(count, batch_size, 2) == 2 * len(sizes)
    ordered = sorted(result.recent.tolist())
    assert ordered == sorted([*range(count)] * 2)[-RECENT:]


def test_a_leftover_sample_does_not_break_a_norm_of_single_pixels():
    tiny = {"architecture": "conv", "channels": 3, "pool": True, "time_steps": 1}
    _, result = train(data=samples(9), batch_size=4, epochs=1, **tiny)
    assert result.updates == 2


def test_a_huge_learning_rate_diverges():
    with pytest.raises(DivergedError, match=r"learning_rate=1e\+37"):
        train(learning_rate=1e37, epochs=3)


def test_weights_that_are_no_numbers_are_not_mistaken_for_silence():
    def spoil(net):
        with torch.no_grad():
            net.parts["linear_1"].weight[0, 0] = float("nan")
            net.parts["linear_1"].weight[1:] = -1.0

    with pytest.raises(DivergedError, match=r"linear_1\.weight is not"):
        train(After(1), spoil=spoil, threshold=1e4)
