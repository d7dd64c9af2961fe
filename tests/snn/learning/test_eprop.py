"""e-prop against gradients by autograd; its memory; it learns, resumes, stops."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moosnn.errors import ArchitectureError, DivergedError, MisfitError, ReleasedError
from moosnn.snn.coding import encode
from moosnn.snn.connections import Dropout
from moosnn.snn.data import Split
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.layer import SURROGATES
from moosnn.snn.learning import bptt, eprop
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.learning.streamed import largest
from moosnn.snn.learning.training import Course
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge, batch_silence
from moosnn.snn.stopping import watch_named

SHAPE, CLASSES, COUNT, SEED = (1, 3, 4), 5, 7, 4
EXACT = {torch.float64: 1e-12, torch.float32: 1e-6}


def network(dtype=torch.float32, **changes):
    small = {"width": 12, "time_steps": 9, "batch_size": COUNT, "activity_penalty": 0.3}
    genes = Genes.from_params({**defaults("eprop"), **small, **changes})
    net = SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.0)  # so that there are spikes
    return net.to(dtype)


def batch(dtype=torch.float32):
    inputs = torch.rand(COUNT, *SHAPE, generator=torch.Generator().manual_seed(3))
    return inputs.to(dtype), torch.arange(COUNT) % CLASSES


def dice(seed=SEED):
    return torch.Generator().manual_seed(seed)


def observed(net, inputs):
    """What the network does, by itself, with the same random numbers."""
    genes, generator = net.genes, dice()
    dropout = Dropout(genes.dropout, generator) if genes.dropout else None
    return net.observe(encode(inputs, genes, generator), dropout=dropout)


def penalty(net, counts):
    genes = net.genes
    price = activity_penalty(counts, net.blueprint, genes.time_steps, genes.regulariser)
    return genes.activity_penalty * price


def by_eprop(net, inputs, labels, alpha=1):
    net.zero_grad()
    seen, loss = eprop.gradient(net, inputs, labels, dice(), alpha=alpha)
    return seen, loss, [p.grad.clone() for p in net.parameters()]


def by_autograd(net, loss):
    net.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in net.parameters()]


def apart(ours, theirs):
    """The largest distance of two gradients, relative to the second."""
    return max(
        float((a - b).norm() / b.norm()) for a, b in zip(ours, theirs, strict=True)
    )


# ------------------------------------------------------------ the gradient of autograd


@pytest.mark.parametrize("dtype", EXACT, ids=str)
@pytest.mark.parametrize("tau_readout_steps", [1.0, 3.0])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("neuron", ["if", "lif", "alif"])
def test_a_layer_without_recurrence_has_the_gradient_of_bptt(
    neuron, reset, tau_readout_steps, dtype
):
    net = network(
        dtype,
        neuron=neuron,
        reset=reset,
        tau_readout_steps=tau_readout_steps,
        recurrent=False,
    )
    inputs, labels = batch(dtype)
    seen = observed(net, inputs)
    answers = answer_loss(seen, labels, "tet")
    theirs = by_autograd(net, answers + penalty(net, seen.layer_counts()))
    streamed, loss, ours = by_eprop(net, inputs, labels)
    assert streamed.counts.sum() > 30
    assert apart(ours, theirs) < EXACT[dtype]
    assert loss == pytest.approx(float(answers.detach()), rel=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        *({"surrogate": name} for name in SURROGATES),
        *({"regulariser": name} for name in ("rate", "synops")),
        *({"coding": name} for name in ("rate", "latency", "population")),
        *({"readout": name} for name in ("sum", "max")),
        {"dropout": 0.3},
        {"dropout": 0.3, "reset": "hard", "tau_readout_steps": 2.0},
        {"activity_penalty": 0.0, "reset": "hard", "tau_readout_steps": 2.0},
        {"slope": 7.0, "threshold": 0.6, "tau_mem_steps": 11.0},
    ],
    ids=str,
)
def test_so_it_has_with_every_surrogate_price_and_code(changes):
    net = network(torch.float64, recurrent=False, **changes)
    inputs, labels = batch(torch.float64)
    seen = observed(net, inputs)
    total = answer_loss(seen, labels, "tet") + penalty(net, seen.layer_counts())
    theirs = by_autograd(net, total)
    *_, ours = by_eprop(net, inputs, labels)
    assert apart(ours, theirs) < EXACT[torch.float64]


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("neuron", ["lif", "alif"])
@pytest.mark.parametrize("depth", [1, 2])
def test_recurrent_layers_have_the_gradient_of_a_graph_cut_where_e_prop_cuts_it(
    depth, neuron, reset, feedback
):
    net = network(
        torch.float64,
        depth=depth,
        skip=depth == 2,
        neuron=neuron,
        reset=reset,
        feedback=feedback,
        tau_readout_steps=3.0,
        dropout=0.0,
    )
    inputs, labels = batch(torch.float64)
    theirs = by_autograd(net, cut(net, inputs, labels))
    *_, ours = by_eprop(net, inputs, labels)
    assert apart(ours, theirs) < EXACT[torch.float64]


def cut(net, inputs, labels):
    """A loss of which plain autograd gives e-prop's gradient.

    Spikes go to other neurons without their gradient. What the read-out hears of a
    layer reaches the loss by the layer's feedback only, and the read-out's own weights
    by spikes without a gradient.
    """
    genes, parts, plan = net.genes, net.parts, net.blueprint
    linears = [[parts["linear_1"], parts["linear_2"]]]  # what comes in, what comes back
    if len(plan.layers) == 2:
        linears.append([parts["linear_3"], parts["linear_4"], parts["linear_5"]])
    names = [node.name for node in plan.layers]
    feedback = eprop.feedbacks(net, SEED)
    kept = 1.0 - 1.0 / genes.tau_readout_steps
    before = [torch.zeros(COUNT, 12, dtype=torch.float64) for _ in names]
    states, counts = [()] * len(names), [torch.zeros(COUNT).double() for _ in names]
    heard = [torch.zeros(COUNT, CLASSES).double() for _ in names]
    read, total = torch.zeros(COUNT, CLASSES).double(), 0.0
    for _ in range(genes.time_steps):
        flow = [inputs.flatten(1)]
        for k, name in enumerate(names):
            sources = [flow[-1], *([flow[-2]] if k else []), before[k]]
            pairs = zip(linears[k], sources, strict=True)
            current = sum(linear(s.detach()) for linear, s in pairs)
            before[k], _, states[k] = parts[name].step(current, states[k])
            flow.append(before[k])
            counts[k] = counts[k] + before[k].sum(1)
            heard[k] = kept * heard[k] + before[k] @ feedback[k].T
        read = kept * read + parts[plan.output.name](before[-1].detach())
        total = total + F.cross_entropy(read, labels) / genes.time_steps
        wrong = read.detach().softmax(1) - F.one_hot(labels, CLASSES)
        signal = wrong / (COUNT * genes.time_steps)
        total = total + sum((signal * h).sum() for h in heard)
    return total + penalty(net, torch.stack(counts, 1))


def test_a_recurrent_layer_has_another_gradient_than_bptt():
    """Else the test above would say little."""
    net = network(torch.float64)
    inputs, labels = batch(torch.float64)
    seen = observed(net, inputs)
    total = answer_loss(seen, labels, "tet") + penalty(net, seen.layer_counts())
    *_, ours = by_eprop(net, inputs, labels)
    assert apart(ours, by_autograd(net, total)) > 1e-3


# ------------------------------------------------------------------------- the forward


@pytest.mark.parametrize("alpha", [1, 3, 40])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"neuron": "alif", "coding": "rate"},
        {"depth": 3, "skip_3": True, "threshold_2": 0.7, "coding": "latency"},
        {"depth": 2, "recurrent": False, "reset": "hard", "coding": "population"},
        {"dropout": 0.3, "readout": "sum", "time_steps": 3},
    ],
    ids=str,
)
def test_the_network_does_what_it_does_without_learning(changes, alpha):
    """Spikes, the nearest membranes and the answers; 3 steps of 12 are below 40."""
    net = network(**changes)
    inputs, labels = batch()
    expected = observed(net, inputs)
    seen, *_ = by_eprop(net, inputs, labels, alpha)
    assert torch.equal(seen.layer_counts(), expected.layer_counts().detach())
    assert torch.equal(seen.stage_counts(), expected.stage_counts())
    assert torch.equal(seen.stage_nearness(alpha), expected.stage_nearness(alpha))
    assert torch.allclose(seen.logits, expected.logits.detach(), atol=1e-5)


def test_the_largest_membranes_of_all_steps_are_those_of_a_sort():
    membranes = torch.randn(6, 4, 5, generator=dice())
    for alpha in (1, 2, 7):
        peaks = None
        for step in membranes:
            peaks = largest(peaks, step, alpha)
        ordered = membranes.transpose(0, 1).flatten(1).sort(dim=1, descending=True)
        assert torch.equal(
            peaks.sort(dim=1, descending=True).values, ordered[0][:, :alpha]
        )


# -------------------------------------------------------------------------- the memory


@pytest.mark.parametrize(
    "changes", [{}, {"reset": "hard", "tau_readout_steps": 3.0, "coding": "rate"}]
)
def test_its_memory_does_not_grow_with_time_and_that_of_bptt_does(changes, tmp_path):
    def peaks(fit):
        return [peak_bytes(fit, steps, tmp_path, **changes) for steps in (5, 40)]

    short, long = peaks(eprop.fit)
    assert long < 1.02 * short
    short, long = peaks(bptt.fit)
    assert long > 4 * short


def peak_bytes(fit, steps, folder, **changes):
    """The most that torch had allocated during a training of one update."""
    net = network(time_steps=steps, batch_size=30, epochs=1, **changes)
    data = samples(30)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        fit(net, data, course())
    path = folder / "trace.json"
    profile.export_chrome_trace(str(path))
    events = json.loads(path.read_text())["traceEvents"]
    totals = [e["args"]["Total Allocated"] for e in events if e["name"] == "[memory]"]
    return max(totals) - totals[0]


# ------------------------------------------------------------------------ the training


class Watching:
    """A watch that stops after so many updates, and keeps what it heard."""

    alpha = 2

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.batches = []

    def update(self, seen):
        self.batches.append(batch_silence(seen, self.alpha, peaks=True))
        return len(self.batches) == self.stop_at

    def agrees(self, seen):
        return bool((seen.stage_nearness(self.alpha) > 0).all())

    def heard(self):
        return self.batches

    def hear_again(self, batches):
        self.batches = list(batches)


def samples(count=200):
    """Five classes: which columns and rows are bright."""
    labels = np.arange(count) % CLASSES
    inputs = np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32) * 0.5
    for label in range(CLASSES):
        inputs[labels == label, 0, label % 3, label // 2 :] += 0.5
    split = Split(inputs=inputs, labels=labels.astype(np.int64))
    return Samples.of(split, 1.0, torch.device("cpu"))


def course(on_epoch=lambda epoch, metrics: False, watch=None, checkpoint=None, seed=2):
    return Course(
        generator=torch.Generator().manual_seed(seed),
        watch=watch or Watching(),
        on_epoch=on_epoch,
        checkpoint=checkpoint or Checkpoint(),
    )


def train(watch=None, **changes):
    heard = []
    given = {"batch_size": 20, "epochs": 6, "activity_penalty": 0.01, **changes}
    net = network(**given)
    told = course(lambda epoch, m: heard.append((epoch, m)), watch)
    return net, eprop.fit(net, samples(), told), heard


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"feedback": "random"},
        {"depth": 2},
        {"neuron": "alif", "reset": "hard", "tau_readout_steps": 2.0},
        {"coding": "rate", "dropout": 0.1},
    ],
    ids=str,
)
def test_it_learns(changes):
    _, result, heard = train(learning_rate=0.02, epochs=8, **changes)
    assert [epoch for epoch, _ in heard] == list(range(1, 9))
    assert result.stopped is None
    assert heard[-1][1]["train_accuracy"] > 0.6  # chance: 0.2


def test_random_feedback_stays_as_it_was_drawn_and_is_no_parameter():
    nets = [train(feedback=f, epochs=1)[0] for f in ("random", "symmetric")]
    assert nets[0].parameter_count() == nets[1].parameter_count()
    assert nets[0].state_dict().keys() == nets[1].state_dict().keys()
    fresh = network(feedback="random")
    for one, other in zip(
        *(eprop.feedbacks(n, 9) for n in (nets[0], fresh)), strict=True
    ):
        assert torch.equal(one, other)
    assert not torch.equal(*(eprop.feedbacks(fresh, seed)[0] for seed in (8, 9)))


def test_equal_seeds_give_equal_weights_and_the_global_generator_is_not_used():
    before = torch.get_rng_state()
    changes = {"coding": "rate", "dropout": 0.2, "feedback": "random", "epochs": 2}
    (first, *_), (again, *_) = (train(**changes) for _ in range(2))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_goes_on_bit_for_bit(tmp_path):
    """Also with a generator that began elsewhere: the checkpoint's counts."""
    changes = {"coding": "rate", "dropout": 0.2, "feedback": "random", "depth": 2}
    changes |= {"batch_size": 20, "epochs": 4, "activity_penalty": 0.01}
    heard_whole = Watching()
    whole, expected, told = train(watch=heard_whole, **changes)
    released = [False, False, True]
    first = Checkpoint(tmp_path / NAME, preempted=lambda: released.pop(0))
    with pytest.raises(ReleasedError):
        eprop.fit(network(**changes), samples(), course(checkpoint=first))
    heard, net, watch = [], network(**changes), Watching()
    second = course(
        lambda epoch, m: heard.append((epoch, m)),
        watch,
        Checkpoint(earlier=[tmp_path / NAME]),
        seed=77,
    )
    result = eprop.fit(net, samples(), second)
    assert heard == told[2:]
    assert result.updates == expected.updates
    assert watch.batches == heard_whole.batches
    for one, other in zip(net.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_watch_and_the_caller_stop_it():
    watch = Watching(7)
    _, result, _ = train(watch=watch)
    assert (result.stopped, result.updates) == ("silent", 7)
    assert len(watch.batches) == 7
    everything = Watching()
    _, result, _ = train(watch=everything, epochs=2)
    assert len(everything.batches) == result.planned - 1  # nothing left to stop
    net = network(batch_size=20, epochs=6)
    result = eprop.fit(net, samples(), course(lambda epoch, metrics: epoch == 2))
    assert (result.stopped, result.updates) == ("pruned", 20)


def test_a_silent_training_is_stopped_by_the_shipped_rule():
    watch = watch_named(
        "drive", Edge(alpha=2), min_updates=0, planned_updates=60, samples_per_epoch=200
    )
    assert watch.alpha == 2
    _, result, _ = train(watch=watch, threshold=1e4)
    assert result.stopped == "silent"


def test_a_loss_that_is_not_finite_is_a_failure():
    net = network()
    with torch.no_grad():
        net.parts["linear_3"].weight.fill_(float("inf"))
    with pytest.raises(DivergedError, match=r"the loss became .* \(learning_rate="):
        eprop.fit(net, samples(), course())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "mse"}, "^loss: training=eprop needs loss=tet, .* got mse;"),
        ({"readout": "rate"}, "^readout: training=eprop needs .* max, .* got rate;"),
        ({"architecture": "conv"}, "^training=eprop: .* architecture=mlp, got conv"),
    ],
)
def test_what_it_cannot_train_is_refused_in_one_line(changes, message):
    with pytest.raises(ArchitectureError, match=message) as caught:
        network(**changes)
    assert "\n" not in str(caught.value)


def test_neurons_without_eligibility_traces_are_refused():
    with pytest.raises(MisfitError, match="neurons if, lif or alif, got 'cuba'"):
        network(neuron="cuba")
