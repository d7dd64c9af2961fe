"""The training loop: learns, repeats itself, stops for a reason, notices divergence."""

import pytest
import torch

from moosnn.errors import DivergedError
from moosnn.snn.genes import DEFAULTS, Genes
from moosnn.snn.learning.bptt import RECENT, fit
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.silence import Edge, SilenceWatch

SAMPLES, FEATURES, CLASSES = 200, 8, 2


class Never:
    """A watch that never stops."""

    def update(self, spikes):
        assert spikes.ndim == 2
        assert not spikes.requires_grad
        return False


def samples():
    """Two classes: the larger half of the features decides."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand((SAMPLES, FEATURES), generator=generator)
    return inputs, (inputs[:, :4].sum(1) > inputs[:, 4:].sum(1)).long()


def train(watch=None, on_epoch=lambda epoch, metrics: False, spoil=None, **changes):
    point = {**DEFAULTS, "depth": 1, "width_1": 16, "threshold": 0.3, **changes}
    genes = Genes.from_params(point)
    generator = torch.Generator().manual_seed(1)
    net = SpikingNetwork(genes, FEATURES, CLASSES, generator)
    if spoil is not None:
        spoil(net)
    result = fit(
        net,
        *samples(),
        generator=generator,
        watch=watch or Never(),
        on_epoch=on_epoch,
    )
    return net, result


def test_it_learns_and_tells_every_epoch():
    heard = []
    _, result = train(
        on_epoch=lambda epoch, metrics: heard.append((epoch, metrics)) or False,
        epochs=12,
        batch_size=32,
    )
    assert [epoch for epoch, _ in heard] == list(range(1, 13))
    assert heard[-1][1]["train_accuracy"] > max(0.85, heard[0][1]["train_accuracy"])
    assert set(heard[0][1]) == {
        "train_accuracy",
        "train_loss",
        "train_spikes_per_sample",
    }
    assert (result.updates, result.planned) == (84, 84)  # 12 epochs of 7 batches
    assert result.stopped is None
    assert result.work_saved == 0.0


@pytest.mark.parametrize("coding", ["direct", "rate", "latency"])
def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used(coding):
    before = torch.get_rng_state()
    first, again = (train(coding=coding, epochs=2)[0] for _ in range(2))
    for ours, theirs in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_penalty_makes_quiet():
    counts = []
    for penalty in (0.0, 10.0):
        heard = []
        train(
            on_epoch=lambda epoch, m, heard=heard: heard.append(m) or False,
            activity_penalty=penalty,
            epochs=10,
        )
        counts.append(heard[-1]["train_spikes_per_sample"])
    assert counts[1] < 0.5 * counts[0]


def test_a_silent_training_is_stopped_and_says_what_it_saw():
    watch = SilenceWatch(Edge(), 9)
    _, result = train(watch, threshold=1e4, epochs=10, batch_size=50)
    assert result.stopped == "silent"
    assert (result.updates, result.planned) == (9, 40)
    assert result.work_saved == pytest.approx(31 / 40)
    assert len(result.recent) == RECENT  # of 450 samples seen, in two epochs and more
    assert bool((result.recent < SAMPLES).all())


@pytest.mark.parametrize(("epochs", "stopped"), [(1, None), (2, "silent")])
def test_a_training_is_not_stopped_when_nothing_is_left_of_it(epochs, stopped):
    watch = SilenceWatch(Edge(), 7)  # an epoch has 7 batches
    _, result = train(watch, threshold=1e4, epochs=epochs, batch_size=32)
    assert (result.updates, result.stopped) == (7, stopped)


def test_only_samples_that_were_seen_are_remembered():
    watch = SilenceWatch(Edge(), 0)
    _, result = train(watch, threshold=1e4, batch_size=10)
    assert result.updates == 5
    assert len(result.recent) == len(set(result.recent.tolist())) == 50


def test_the_caller_may_prune_but_not_a_finished_training():
    _, pruned = train(on_epoch=lambda epoch, metrics: epoch == 2, epochs=4)
    assert pruned.stopped == "pruned"
    assert pruned.work_saved == 0.5
    _, finished = train(on_epoch=lambda epoch, metrics: epoch == 4, epochs=4)
    assert finished.stopped is None


def test_a_huge_learning_rate_diverges():
    with pytest.raises(DivergedError, match=r"learning_rate=1e\+37"):
        train(learning_rate=1e37, epochs=3)


def test_weights_that_are_no_numbers_are_not_mistaken_for_silence():
    def spoil(net):
        with torch.no_grad():
            net.connections[0].weight[0, 0] = float("nan")
            net.connections[0].weight[1:] = -1.0

    with pytest.raises(DivergedError, match=r"connections\.0\.weight is not"):
        train(SilenceWatch(Edge(), 0), spoil=spoil, threshold=1e4)
