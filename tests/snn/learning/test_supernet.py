"""Weight-sharing search: a path is the stand-alone network, and only it is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError, DivergedError, ReleasedError
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import RULES, defaults, require_learnt, require_read
from moosnn.snn.genes import Genes
from moosnn.snn.learning import path_score, slices, supernet
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.learning.genotypes import letters
from moosnn.snn.learning.training import Tally
from moosnn.snn.measure import measure
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from moosnn.snn.stopping import watch_named
from moosnn.snn.weights import load_network, save_network
from tests.snn.learning import two_classes
from tests.snn.learning.two_classes import CLASSES, SHAPE, samples

SMALL = {
    "module_width": 8,
    "threshold": 0.3,
    "path_population": 5,
    "path_modules": 2,
    "slice_updates": 2,
    "batch_size": 20,
    "epochs": 8,
    "learning_rate": 0.01,
}
DEAF = 1e9  # no membrane comes near such a threshold


class Eager:
    """A watch that says silent after so many updates, and judges as a real one."""

    def __init__(self, updates):
        self.updates, self.count, self.fired = updates, 0, []
        self._real = plain_watch()

    def update(self, seen):
        counts = seen.stage_counts()
        assert not counts.requires_grad
        self.fired.append(float((counts > 0).all(1).double().mean()))
        self.count += 1
        return self.count >= self.updates

    def agrees(self, seen):
        return self._real.agrees(seen)


def plain_watch():
    """One that stops nothing, but can be saved."""
    return watch_named(
        "none", Edge(), min_updates=None, planned_updates=1, samples_per_epoch=1
    )


def genes(**changes):
    return Genes.from_params({**defaults("supernet"), **SMALL, **changes})


def network(**changes):
    generator = torch.Generator().manual_seed(1)
    return SpikingNetwork(genes(**changes), SHAPE, CLASSES, generator)


def course(on_epoch=lambda epoch, metrics: False, watch=None, checkpoint=None):
    return two_classes.course(on_epoch, watch or plain_watch(), checkpoint)


def train(watch=None, data=None, **changes):
    heard, net = [], network(**changes)
    around = course(lambda epoch, m: heard.append((epoch, m)), watch)
    result = supernet.fit(net, samples() if data is None else data, around)
    return net, result, heard


def begun(**changes):
    """A search before its first epoch, with the network it is of."""
    net = network(**changes)
    return net, supernet._Search.begun(net, samples(), course())


def stand_alone(net):
    """A network of a path's genes alone, with its weights by name."""
    chosen = Genes.from_params(net.genes.to_json())
    other = SpikingNetwork(chosen, SHAPE, CLASSES, torch.Generator().manual_seed(9))
    state = net.state_dict()
    other.load_state_dict({name: state[name] for name in other.state_dict()})
    return other


def assert_equal_weights(one, other):
    assert list(one.state_dict()) == list(other.state_dict())
    for name, tensor in other.state_dict().items():
        assert torch.equal(one.state_dict()[name], tensor), name


# ------------------------------------------------------------------------- what it is


def test_it_learns_and_becomes_a_path():
    net, result, heard = train()
    assert (result.stopped, result.updates, result.planned) == (None, 80, 80)
    assert [epoch for epoch, _ in heard] == list(range(1, 9))
    assert heard[-1][1]["train_accuracy"] > 0.85
    active = net.genes.architecture.active
    assert all(1 <= len(row) <= 2 for row in active)
    assert [net.genes.given[f"path_{k}"] for k in (1, 2)] == list(active)
    assert net.parameter_count() == net.blueprint.parameters
    assert net.blueprint == net.genes.blueprint(SHAPE, CLASSES)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("coding", ["direct", "rate"])
def test_a_path_scores_as_the_stand_alone_network_with_the_same_weights(
    trained, coding
):
    _, search = begun(coding=coding)
    if trained:
        search.hold_tournaments(Tally(2))
    for genotype in search.population:
        shared = search._network(genotype)
        alone = stand_alone(shared)
        assert alone.genes.architecture.active == letters(genotype)
        found = path_score.score(shared, search.scored, plain_watch())
        seen = measure(
            alone, search.scored, alpha=1, generator=torch.Generator().manual_seed(0)
        )
        assert found.error == pytest.approx(1 - seen.correct.double().mean().item())
        operations = seen.cost.acs + seen.cost.macs
        assert found.synops == pytest.approx(operations.mean().item())
        assert found.synops > 0
        assert found.modules == len(alone.blueprint.layers)
        inputs, _ = search.scored.batch(torch.arange(20))
        one, other = (
            n.observe(inputs.expand(4, *inputs.shape)) for n in (shared, alone)
        )
        assert torch.equal(one.logits, other.logits)
        for mine, theirs in zip(one.membranes, other.membranes, strict=True):
            assert torch.equal(mine, theirs)


def test_modules_that_are_not_on_the_path_do_not_move():
    net, search = begun(dropout=0.2)
    tally, batches = Tally(2), torch.arange(100).split(20)
    everything = search._network(((0, 1), (2, 3)))
    search._train(everything, batches, tally)  # so that Adam has moments to move by
    optimizer = search.state.optimizer
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    held = {
        name: {k: v.clone() for k, v in optimizer.state[p].items()}
        for name, p in net.named_parameters()
    }
    search._train(search._network(((0, 0), (3, 3))), batches, tally)
    on_path = ("parts.linear_1a", "parts.linear_2d", "parts.linear_1.")
    for name, parameter in net.named_parameters():
        moved = not torch.equal(parameter, before[name])
        assert moved == name.startswith(on_path), name
        for key, value in held[name].items():
            if not moved:
                assert torch.equal(optimizer.state[parameter][key], value)


def test_samples_that_are_held_back_train_nothing_before_a_path_is_kept():
    _, search = begun()
    assert len(search.held) == 40  # a fifth of 200
    generator = torch.Generator().manual_seed(0)
    batches = slices.batches_of(200, search.held, 20, generator)
    assert [len(batch) for batch in batches] == [20] * 10
    seen = torch.cat(batches)
    assert not {*seen.tolist()} & {*search.held.tolist()}
    counts = seen.bincount(minlength=200)
    counts = np.delete(counts.numpy(), search.held.numpy())
    assert {*counts} == {1, 2}  # 200 of 160
    assert sum(counts == 2) == 40


def test_of_a_large_split_no_more_is_held_back():
    held = slices.held_back(60_000, torch.Generator())
    assert len(set(held.tolist())) == slices.HELD_MOST


@pytest.mark.parametrize(
    ("batches", "slice_updates", "expected"),
    [
        (8, 2, [(2, 2), (2, 2)]),
        (17, 4, [(4, 4), (4, 5)]),
        (3, 4, [(1, 2)]),
        (1, 4, [(0, 1)]),
        (11, 2, [(1, 2), (2, 2), (2, 2)]),
    ],
)
def test_an_epoch_is_a_whole_number_of_tournaments(batches, slice_updates, expected):
    given = [torch.tensor([k]) for k in range(batches)]
    found = slices.tournaments(given, slice_updates)
    assert [(len(a), len(b)) for a, b in found] == expected
    flat = [int(batch) for pair in found for part in pair for batch in part]
    assert flat == list(range(batches))


def test_the_loser_is_overwritten_by_a_mutant_of_the_winner(monkeypatch):
    _, search = begun(epochs=1, slice_updates=5)  # one tournament
    monkeypatch.setattr(supernet, "_loser", lambda rivals, paths, scores: rivals[0])
    monkeypatch.setattr(supernet, "mutated", lambda genotype, *_: (genotype, "child"))
    before = list(search.population)
    monkeypatch.setattr(search.__class__, "_score", lambda self, genotype: None)
    search.hold_tournaments(Tally(2))
    (child,) = [p for p in search.population if p[-1] == "child"]
    assert child[0] in before
    assert sum(p in before for p in search.population) == 4


def test_equal_rivals_are_one_too_many():
    score = [None, None]
    assert supernet._loser((1, 0), [((0, 1),), ((1, 0),)], score) == 0


@pytest.mark.parametrize(
    ("epochs", "share", "expected"), [(8, 0.25, 6), (1, 0.9, 1), (10, 0.0, 10)]
)
def test_the_last_epochs_are_of_the_path_alone(epochs, share, expected):
    chosen = genes(epochs=epochs, tune_share=share)
    assert supernet.search_epochs(chosen) == expected


def test_in_the_last_epochs_no_other_path_is_trained(monkeypatch):
    lasts, real = [], supernet._Search._train

    def spy(self, path, batches, tally):
        lasts.append((self.state.epoch, path.genes.architecture.active, len(batches)))
        return real(self, path, batches, tally)

    monkeypatch.setattr(supernet._Search, "_train", spy)
    net, *_ = train()
    alone = [row for row in lasts if row[0] > 6]
    assert alone == [(k, net.genes.architecture.active, 10) for k in (7, 8)]
    assert len([row for row in lasts if row[0] <= 6]) == 6 * 4


# ------------------------------------------------------------------ what every rule is


def test_equal_seeds_give_equal_bits_and_the_global_generator_is_not_used():
    before = torch.get_rng_state()
    changes = {"coding": "rate", "dropout": 0.2, "epochs": 4}
    (first, *_), (again, *_) = (train(**changes) for _ in range(2))
    assert first.genes == again.genes
    assert_equal_weights(first, again)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("epoch", range(5))
def test_a_training_goes_on_bit_for_bit(epoch, tmp_path):
    changes = {"coding": "rate", "dropout": 0.2, "epochs": 5, "tune_share": 0.4}
    whole, expected, told = train(**changes)
    released = [*[False] * epoch, True]
    first = Checkpoint(tmp_path / NAME, preempted=lambda: released.pop(0))
    with pytest.raises(ReleasedError):
        supernet.fit(network(**changes), samples(), course(checkpoint=first))
    heard, net = [], network(**changes)
    second = course(
        lambda epoch, m: heard.append((epoch, m)),
        checkpoint=Checkpoint(earlier=[tmp_path / NAME]),
    )
    result = supernet.fit(net, samples(), second)
    assert heard == told[epoch:]
    assert result.updates == expected.updates
    assert torch.equal(result.recent, expected.recent)
    assert net.genes == whole.genes
    assert_equal_weights(net, whole)


def test_the_watch_stops_a_population_that_is_all_silent():
    net, result, _ = train(Eager(7), threshold=DEAF)
    assert (result.stopped, result.updates) == ("silent", 7)
    assert "linear_1a" not in net.parts or "linear_1d" not in net.parts  # one path


def test_the_watch_does_not_stop_a_population_of_which_some_are_not():
    """Module b can never spike, and has the fewest operations."""
    changes = {"threshold": 1e5, "threshold_spread": 1e12, "modules": 2}
    net, result, heard = train(Eager(1), depth=1, path_modules=1, **changes)
    assert heard[0][1]["train_silent_fraction"] > 0.2
    assert result.stopped is None
    assert net.genes.architecture.active == ("a",)


def test_of_a_silent_path_the_watch_hears_what_all_modules_do():
    changes = {"threshold": 1e5, "threshold_spread": 1e12, "modules": 2}
    watch = Eager(1000)
    *_, heard = train(watch, depth=1, path_modules=1, **changes)
    assert heard[0][1]["train_silent_fraction"] > 0.2  # of the paths that were trained
    assert min(watch.fired) > 0.9
    deaf = Eager(1000)
    train(deaf, threshold=DEAF, epochs=1)
    assert max(deaf.fired) == 0.0


def test_the_watch_hears_every_batch_but_the_last():
    watch = Eager(1000)
    _, result, _ = train(watch)
    assert watch.count == result.planned - 1


@pytest.mark.parametrize("epoch", [2, 7])
def test_the_caller_stops_it_and_gets_a_path(epoch):
    net = network()
    result = supernet.fit(net, samples(), course(lambda e, metrics: e == epoch))
    assert (result.stopped, result.updates) == ("pruned", 10 * epoch)
    assert max(map(len, net.genes.architecture.active)) <= 2
    assert_equal_weights(net, stand_alone(net))


def test_a_loss_that_is_not_finite_is_a_failure():
    net = network()
    with torch.no_grad():
        net.parts["linear_1"].weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match="the loss became"):
        supernet.fit(net, samples(), course())


def test_a_training_of_one_sample_or_one_batch():
    for count in (1, 2, 15):
        _, result, _ = train(data=samples(count), epochs=2)
        assert result.updates == result.planned == 2


def test_what_is_saved_is_the_path(tmp_path):
    net, *_ = train(epochs=2)
    about = {"shape": SHAPE, "classes": CLASSES, "input_max": 1.0, "metadata": {}}
    save_network(tmp_path, net, **about)
    loaded, preprocess = load_network(tmp_path)
    assert loaded.genes == net.genes
    assert_equal_weights(loaded, net)
    raw = samples(5).split.inputs
    inputs, _ = samples(5).batch(torch.arange(5))
    expected = net(inputs.expand(4, *inputs.shape))
    assert torch.equal(loaded(preprocess(raw)), expected)


def test_it_learns_the_digits():
    data = Digits().load(1, Path())
    train_split = Samples.of(data.train, data.input_max, torch.device("cpu"))
    chosen = Genes.from_params({**defaults("supernet"), "epochs": 8, "time_steps": 2})
    net = SpikingNetwork(chosen, (1, 8, 8), 10, torch.Generator().manual_seed(0))
    supernet.fit(net, train_split, course())
    held_out = Samples.of(data.validation, data.input_max, torch.device("cpu"))
    seen = measure(net, held_out, alpha=1, generator=torch.Generator())
    assert seen.correct.double().mean() > 0.8
    assert (seen.stage_spikes > 0).all(1).double().mean() > 0.9


# ----------------------------------------------------------------------------- genes


@pytest.mark.parametrize(
    ("changes", "error", "line"),
    [
        ({"path_population": 1}, ConfigError, "expected a whole number >= 2, got 1"),
        ({"path_modules": 5}, ArchitectureError, "expected 1 to modules=4, got 5"),
        ({"path_tolerance": 1.0}, ConfigError, r"expected a share in \[0, 1\), got 1"),
        ({"tune_share": 1.0}, ConfigError, r"expected a share in \[0, 1\), got 1"),
        ({"slice_updates": 0}, ConfigError, "expected a whole number >= 1, got 0"),
        ({"architecture": "mlp"}, ArchitectureError, "expected architecture=paths"),
    ],
)
def test_a_bad_gene_is_one_line(changes, error, line):
    with pytest.raises(error, match=line) as told:
        genes(**changes)
    assert "\n" not in str(told.value)


def test_it_learns_one_architecture_and_finds_the_path_itself():
    assert "path" in RULES["supernet"].UNREAD
    with pytest.raises(
        ConfigError, match="training=supernet learns architecture=paths"
    ):
        require_learnt(["mlp"], ["supernet"])
    with pytest.raises(ConfigError, match="path_1: training=supernet has no such gene"):
        require_read(["path_1"], ["paths"], ["supernet"])
    require_read(["path_1", "module_width_2", "threshold_spread"], ["paths"], ["bptt"])
