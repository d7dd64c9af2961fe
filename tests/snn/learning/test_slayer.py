"""SLAYER: its gradient against explicit kernels; it learns, resumes, refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError, ReleasedError
from moosnn.snn.data import Split
from moosnn.snn.gene_names import ARCHITECTURES, defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.learning.slayer import fit, loss_of
from moosnn.snn.learning.training import Course
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules.slayer import KINDS, LOSSES, AdaptiveCubaConstants, SrmConstants
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from moosnn.snn.stopping import watch_named
from tests.snn.test_srm import eps, reference

SHAPE, CLASSES, COUNT = (2, 4, 4), 2, 80
SMALL = {
    "width": 16,
    "depth": 1,
    "time_steps": 8,
    "batch_size": 20,
    "epochs": 4,
    "learning_rate": 0.02,
}


def slayer(**changes) -> Genes:
    return Genes.from_params({**defaults("slayer"), **SMALL, **changes})


def samples() -> Samples:
    """Two classes: the brighter of the two channels decides."""
    inputs = np.random.default_rng(0).random((COUNT, *SHAPE), dtype=np.float32)
    inputs[: COUNT // 2, 0] *= 0.3
    inputs[COUNT // 2 :, 1] *= 0.3
    labels = np.repeat([0, 1], COUNT // 2).astype(np.int64)
    return Samples.of(Split(inputs=inputs, labels=labels), 1.0, torch.device("cpu"))


class Told:
    """Hears every epoch, and preempts once after each if asked to."""

    def __init__(self, *, preempts: bool = False) -> None:
        self.heard: list[dict[str, float]] = []
        self._preempts = preempts
        self._released_at = 0

    def on_epoch(self, epoch, metrics):
        self.heard.append(dict(metrics))
        return False

    def preempted(self):
        ended = len(self.heard)
        if self._preempts and ended > self._released_at:
            self._released_at = ended
            return True
        return False


def train(told, checkpoint, rule="none", **changes):
    generator = torch.Generator().manual_seed(1)
    net = SpikingNetwork(slayer(**changes), SHAPE, CLASSES, generator)
    watch = watch_named(
        rule,
        Edge(alpha=1, beta=0.1, stages="all"),
        min_updates=None,
        planned_updates=16,
        samples_per_epoch=COUNT,
    )
    course = Course(
        generator=generator,
        watch=watch,
        on_epoch=told.on_epoch,
        checkpoint=checkpoint,
    )
    return net, fit(net, samples(), course)


def test_the_gradient_of_two_layers_is_that_of_the_paper():
    """delta = rho(u) . correlation; dW = sum over t of delta(t) (eps * s)(t)^T."""
    steps, tau, rate = 20, 2.0, {"target_true": 0.6, "target_false": 0.1}
    genes = slayer(
        width=5, time_steps=steps, tau_s_steps=tau, tau_ref_steps=1.5, **rate
    )
    net = SpikingNetwork(genes, (4,), CLASSES, torch.Generator().manual_seed(0))
    first, second = net.parts["linear_1"], net.parts["linear_2"]
    for part in (first, second):
        part.bias.data.zero_()
        part.weight.data.mul_(2.0)
    dice = np.random.default_rng(3)
    inputs = (dice.random((steps, 1, 4)) < 0.5).astype(np.float32)
    activity = net.observe(torch.from_numpy(inputs))
    loss_of("spike_count", genes.rule)(activity, torch.tensor([1])).backward()

    w1, w2 = (p.weight.detach().double().numpy() for p in (first, second))
    constants = (1.0, tau, 1.5, 2.0)
    u1, s1 = reference(inputs[:, 0] @ w1.T, *constants)
    u2, s2 = reference(s1 @ w2.T, *constants)
    assert np.array_equal(activity.outputs[:, 0].detach().numpy(), s2)
    assert 0 < s1.sum() < s1.size
    assert 0 < s2.sum() < s2.size

    error = (s2.sum(0) - np.array([0.1, 0.6]) * steps) / steps  # at every step
    delta2 = rho(u2) * error
    delta1 = rho(u1) * (correlated(delta2, tau) @ w2)
    expected2 = delta2.T @ felt(s1, tau)
    expected1 = delta1.T @ felt(inputs[:, 0], tau)
    assert np.allclose(second.weight.grad.numpy(), expected2, rtol=1e-4, atol=1e-6)
    assert np.allclose(first.weight.grad.numpy(), expected1, rtol=1e-4, atol=1e-6)
    assert np.abs(expected1).max() > 1e-3


def rho(u):
    """scale_rho / (tau_rho theta) exp(-|u - theta| / (tau_rho theta)), by default."""
    return 1.0 / 0.3 * np.exp(-np.abs(u - 1.0) / 0.3)


def felt(spikes, tau):
    kernel = eps(len(spikes), tau)
    return np.array(
        [
            sum(kernel[k] * spikes[t - k] for k in range(t + 1))
            for t in range(len(spikes))
        ]
    )


def correlated(errors, tau):
    return felt(errors[::-1], tau)[::-1]


@pytest.mark.parametrize("neuron", KINDS)
@pytest.mark.parametrize("loss", [*LOSSES, "cross_entropy"])
def test_it_learns_by_every_loss(neuron, loss):
    told = Told()
    _, result = train(told, Checkpoint(), neuron=neuron, loss=loss, epochs=8)
    assert result.stopped is None
    assert told.heard[-1]["train_accuracy"] > 0.9
    assert told.heard[-1]["train_loss"] < told.heard[0]["train_loss"]


@pytest.mark.parametrize("neuron", KINDS)
@pytest.mark.parametrize("architecture", sorted({*ARCHITECTURES} - {"diehl_cook"}))
def test_every_architecture_has_an_update(architecture, neuron):
    genes = slayer(
        architecture=architecture, neuron=neuron, channels=3, threshold=0.3, depth=2
    )
    net = SpikingNetwork(genes, SHAPE, CLASSES, torch.Generator().manual_seed(0))
    inputs = samples().batch(torch.arange(6))[0].expand(8, -1, -1, -1, -1)
    activity = net.observe(inputs)
    loss_of("spike_count", genes.rule)(activity, torch.tensor([0, 1] * 3)).backward()
    gradients = [p.grad for p in net.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert any(g.any() for g in gradients)
    for seen, spikes, threshold in zip(
        activity.membranes, activity.spikes, activity.thresholds, strict=True
    ):
        assert torch.equal(spikes, (seen >= threshold).float())


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path):
    changes = {"dropout": 0.2, "coding": "rate"}
    whole_told, told = Told(), Told(preempts=True)
    whole, expected = train(whole_told, Checkpoint(), **changes)
    for number in range(1, 9):
        (tmp_path / str(number)).mkdir()
        checkpoint = Checkpoint(
            tmp_path / str(number) / NAME,
            [tmp_path / str(number - 1) / NAME],
            every_s=1e9,
            preempted=told.preempted,
        )
        try:
            net, found = train(told, checkpoint, **changes)
        except ReleasedError:
            continue
        break
    assert number == 4  # released after each epoch but the last
    assert told.heard == whole_told.heard
    assert found.updates == expected.updates == 16
    for name, tensor in whole.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor), name


def test_a_silent_training_is_stopped():
    _, result = train(Told(), Checkpoint(), rule="firmin", threshold=1e6)
    assert result.stopped == "silent"


def test_the_global_generator_is_not_used():
    state = torch.get_rng_state()
    train(Told(), Checkpoint(), dropout=0.2, coding="rate", epochs=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_its_neurons_are_those_of_its_genes():
    genes = slayer(
        depth=2,
        tau_rho_1=0.5,
        scale_rho=3.0,
        threshold_1=2.0,
        tau_s_steps_1=4.0,
        neuron_2="cuba_adaptive",
        tau_grad_2=0.2,
        scale_grad=5.0,
        threshold_2=0.5,
        current_decay=1.0,
    )
    srm, cuba = genes.neurons
    # 3 / (0.5 2) at the threshold, falling with 1 / (0.5 2)
    assert (srm.kind, srm.slope, srm.slope / 2 * srm.height) == ("srm", 1.0, 3.0)
    assert srm.constants == SrmConstants(
        tau_s_steps=4.0, tau_ref_steps=1.0, scale_ref=2.0
    )
    # lava-dl: width 100 tau_grad theta, area 0.1 scale_grad
    assert cuba.slope == pytest.approx(1 / (100 * 0.2 * 0.5))
    assert cuba.height == pytest.approx(0.1 * 5.0)
    assert isinstance(cuba.constants, AdaptiveCubaConstants)
    assert cuba.constants.current_decay == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"readout": "mean"}, "loss=spike_count is of output spikes"),
        ({"target_false": 0.5}, "target_true: expected more than target_false=0.5"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(changes, message):
    with pytest.raises(ArchitectureError, match=message) as error:
        slayer(**changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("gene", "value"),
    [
        ("neuron", "lif"),
        ("current_decay_1", 1.5),
        ("voltage_decay", -0.1),
        ("target_true", 1.2),
        ("tau_s_steps", 0),
        ("scale_ref", -1),
        ("threshold_step", "much"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(gene, value):
    kind = {} if gene in ("neuron", "scale_ref") else {"neuron": "cuba_adaptive"}
    with pytest.raises(ConfigError, match=gene):
        slayer(**{**kind, gene: value})


def test_its_losses_are_not_of_other_rules():
    with pytest.raises(
        ArchitectureError, match="spike_max is of training=slayer, got training=bptt"
    ):
        Genes.from_params({**defaults("bptt"), "loss": "spike_max", "readout": "rate"})
