"""Networks on chips: without imperfections nothing changes, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from moosnn.snn import pcm
from moosnn.snn.chip import Chip, Crossbar, quantise
from moosnn.snn.coding import encode
from moosnn.snn.connections import Convolution
from moosnn.snn.data import Split
from moosnn.snn.gene_names import ARCHITECTURES, RULES, defaults
from moosnn.snn.genes import Genes
from moosnn.snn.layer import NEURONS
from moosnn.snn.measure import measure
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.space import Value
from tests.snn.built import CLASSES

SHAPE = (1, 4, 4)
COUNT = 24
MEETINGS = 20  # after which a norm knows what it norms
EXACTLY_ONE = 1e-300  # a deviation so small that every factor is 1
SMALL: Mapping[str, Value] = {
    "width": 12,
    "channels": 3,
    "stem_channels": 2,
    "cell_channels": 2,
    "map_size": 6,
    "threshold": 0.2,
    "time_steps": 3,
}
LIKE = {"rtol": 1e-5, "atol": 1e-6}


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(training: str = "bptt", **changes: Value) -> SpikingNetwork:
    """A network whose norms have met images."""
    values = {**defaults(training), **SMALL, **changes}
    network = SpikingNetwork(Genes.from_params(values), SHAPE, CLASSES, dice())
    norms = [part.norm for part in network.parts.values() if _has_norm(part)]
    with torch.no_grad():
        for norm in norms:
            norm.scale.uniform_(0.5, 2.0, generator=dice(2))
            norm.shift.uniform_(-0.2, 0.5, generator=dice(3))
    for _ in range(MEETINGS if norms else 0):
        logits(network.train())
    return network.eval()


def _has_norm(part: nn.Module) -> bool:
    return isinstance(part, Convolution) and part.norm is not None


def samples() -> Samples:
    inputs = np.random.default_rng(0).random((COUNT, *SHAPE)).astype(np.float32)
    split = Split(inputs=inputs, labels=np.arange(COUNT) % CLASSES)
    return Samples.of(split, 1.0, torch.device("cpu"))


def chip_of(network: SpikingNetwork) -> Chip:
    return Chip(network, samples(), dice)


@torch.no_grad()
def logits(network: SpikingNetwork) -> Tensor:
    inputs, _ = samples().batch(torch.arange(COUNT))
    found: Tensor = network(encode(inputs, network.genes, dice()))
    return found


def untouched(network: SpikingNetwork) -> Callable[[], bool]:
    """Whether the network is still what it was."""
    before = {k: v.clone() for k, v in network.state_dict().items()}
    parts = dict(network.parts.items())

    def same() -> bool:
        now = network.state_dict()
        return parts == dict(network.parts.items()) and all(
            torch.equal(now[k], v) for k, v in before.items()
        )

    return same


def ideal(chip: Chip) -> None:
    """Write without error and read at once without noise."""
    pairs = {name: pcm.Pairs.ideal(w) for name, w in chip.stored.items()}
    aged = {name: p.aged(pcm.DRIFT_FROM_S) for name, p in pairs.items()}
    chip.store({name: p.weights() for name, p in aged.items()})


KINDS = [
    *({"architecture": name} for name in ARCHITECTURES),
    *({"neuron": kind} for kind in NEURONS),
    *({"neuron": kind, "reset": "soft"} for kind in ("lif", "alif")),
    {"architecture": "cell", "back_31": "conv_3"},
    {"coding": "rate"},
    {"readout": "rate"},
    {"architecture": "cnn", "neuron": "klif"},
]


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_an_ideal_chip_answers_as_the_network_to_the_bit(
    changes: Mapping[str, Value],
) -> None:
    network = trained(**changes)
    chip = chip_of(network)
    expected = logits(network)
    assert float(expected.std(0).min()) > 0  # it hears its samples
    assert torch.equal(logits(chip.network), expected)
    ideal(chip)
    chip.vary(0.0, 0.0, dice())
    assert torch.equal(logits(chip.network), expected)
    chip.vary(EXACTLY_ONE, EXACTLY_ONE, dice())
    assert torch.equal(logits(chip.network), expected)
    right = measure(network, samples(), alpha=1, generator=dice()).correct
    assert torch.equal(chip.correct(), right)


@pytest.mark.parametrize("training", sorted(RULES))
def test_the_neurons_of_every_learning_rule_have_ideal_chips(training: str) -> None:
    """Responding neurons run step by step here, there by a matrix: not to the bit."""
    network = trained(training)
    chip = chip_of(network)
    ideal(chip)
    assert torch.equal(logits(chip.network), logits(network))
    chip.vary(EXACTLY_ONE, EXACTLY_ONE, dice())
    assert torch.allclose(logits(chip.network), logits(network), **LIKE)


@pytest.mark.parametrize("kind", ["srm", "cuba_adaptive"])
def test_unequal_neurons_that_respond_are_the_same_where_nothing_varies(
    kind: str,
) -> None:
    network = trained("slayer", neuron=kind, time_steps=9)
    chip = chip_of(network)
    chip.vary(EXACTLY_ONE, EXACTLY_ONE, dice())
    inputs, _ = samples().batch(torch.arange(COUNT))
    coded = encode(inputs, network.genes, dice())
    with torch.no_grad():
        pairs = zip(
            chip.network.observe(coded).spikes,
            network.observe(coded).spikes,
            strict=True,
        )
        for found, expected in pairs:
            assert torch.equal(found, expected)
            assert float(expected.sum()) > 0


@pytest.mark.parametrize("architecture", ["mlp", "conv", "cell", "sew", "diehl_cook"])
def test_whatever_is_tried_the_network_stays_as_it_was(architecture: str) -> None:
    network = trained(architecture=architecture)
    same = untouched(network)
    chip = chip_of(network)
    expected = logits(network)
    crossbar = Crossbar(chip, dice())
    crossbar.read(pcm.MONTH_S, dice(1))
    assert not torch.equal(logits(chip.network), expected)
    chip.restore()
    assert torch.equal(logits(chip.network), expected)
    chip.vary(0.5, 0.5, dice(2))
    assert not torch.equal(logits(chip.network), expected)
    chip.restore()
    assert torch.equal(logits(chip.network), expected)
    quantise(chip, 2)
    assert not torch.equal(logits(chip.network), expected)
    assert same()


def test_stored_weights_are_those_with_the_norm_in_them() -> None:
    network = trained(architecture="conv")
    chip = chip_of(network)
    folded = {
        name: part.folded()[0][-1]
        for name, part in network.parts.items()
        if isinstance(part, Convolution)
    }
    assert len(folded) > 1
    for name, weights in folded.items():
        assert torch.allclose(chip.stored[name].float(), weights, **LIKE)
    twice = {name: w * 2.0 for name, w in chip.stored.items()}
    chip.store(twice)
    for name, weights in folded.items():
        part = chip.network.parts[name]
        assert isinstance(part, Convolution)
        assert torch.allclose(part.folded()[0][-1], weights * 2.0, **LIKE)
        bias = network.parts[name].folded()[1]  # type: ignore[operator]  # as above
        assert torch.equal(part.folded()[1], bias)


def test_on_a_loop_all_steps_share_what_is_stored() -> None:
    """The relative gain of a step and channel is what it was."""
    network = trained(architecture="cell", back_31="conv_3")
    chip = chip_of(network)
    looped = [
        name
        for name, part in network.parts.items()
        if isinstance(part, Convolution) and len(part.folded()[0]) > 1
    ]
    assert looped
    error = {
        name: torch.randn(w.shape, dtype=w.dtype) for name, w in chip.stored.items()
    }
    chip.store({name: w + error[name] for name, w in chip.stored.items()})
    for name in looped:
        before, after = (
            net.parts[name].folded()[0]  # type: ignore[operator]  # as above
            for net in (network, chip.network)
        )
        gains = (before / before[-1]).flatten(2)[..., :1, None, None]
        expected = error[name].float() * gains
        assert torch.allclose(after - before, expected, rtol=1e-3, atol=1e-5)


def test_a_channel_that_its_norm_switched_off_stays_off() -> None:
    network = trained(architecture="conv")
    name, part = next(
        (n, p) for n, p in network.parts.items() if isinstance(p, Convolution)
    )
    assert part.norm is not None
    with torch.no_grad():
        part.norm.scale[0] = 0.0
    chip = chip_of(network)
    Crossbar(chip, dice()).read(pcm.DAY_S, dice())
    found = chip.network.parts[name]
    assert isinstance(found, Convolution)
    assert torch.equal(found.conv.weight[0], part.conv.weight[0])
    assert not torch.equal(found.conv.weight[1], part.conv.weight[1])
    assert bool(logits(chip.network).isfinite().all())


def test_biases_are_digital() -> None:
    network = trained()
    chip = chip_of(network)
    Crossbar(chip, dice()).read(pcm.MONTH_S, dice())
    pairs = zip(network.parts.values(), chip.network.parts.values(), strict=True)
    for own, other in pairs:
        if isinstance(own, nn.Linear):
            assert isinstance(other, nn.Linear)
            assert torch.equal(own.bias, other.bias)
            assert not torch.equal(own.weight, other.weight)


def test_drift_alone_shrinks_all_weights_alike() -> None:
    network = trained()
    chip = chip_of(network)
    chip.store(
        {
            n: pcm.Pairs.ideal(w).aged(pcm.DAY_S).weights()
            for n, w in chip.stored.items()
        }
    )
    for own, other in zip(
        network.parts.values(), chip.network.parts.values(), strict=True
    ):
        if isinstance(own, nn.Linear):
            assert isinstance(other, nn.Linear)
            shrunk = own.weight * (86400 / 38.6) ** -0.04
            assert torch.allclose(other.weight, shrunk, rtol=1e-5, atol=1e-9)


def test_a_connection_without_a_single_weight_has_no_devices() -> None:
    """Nothing would say what their noise is worth."""
    network = trained()
    with torch.no_grad():
        network.parts["linear_2"].weight.zero_()
    chip = Chip(network, samples(), dice)
    Crossbar(chip, dice(1)).read(pcm.HOUR_S, dice(2))
    changed = [
        name
        for name, part in network.parts.items()
        if isinstance(part, nn.Linear)
        and not torch.equal(part.weight, chip.network.parts[name].weight)
    ]
    assert changed == ["linear_1", "linear_3"]


def test_a_chip_beyond_the_numbers_gets_nothing_right() -> None:
    chip = chip_of(trained())
    chip.store({name: w * float("inf") for name, w in chip.stored.items()})
    assert chip.correct().tolist() == [False] * COUNT
