"""Checks of the second device itself, and of every part of a network on it.

Run by `tests/test_second_device.py`.
"""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.exchange.nir import to_nir
from moosnn.snn.coding import encode
from moosnn.snn.connections import Dropout
from moosnn.snn.gene_names import CODINGS, LOSSES, READOUTS, REGULARISERS, defaults
from moosnn.snn.genes import Genes
from moosnn.snn.layer import NEURONS, RESETS, SURROGATES
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.learning.slayer import loss_of
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.rules import slayer
from tests import second_device
from tests.snn.built import CLASSES
from tests.snn.test_random_genes import random_genes

CPU, TWIN = torch.device("cpu"), second_device.installed()
SHAPE = (2, 4, 4)
COUNT = 3

# ------------------------------------------------------------------- the device itself


def there(*sizes: int) -> Tensor:
    return torch.ones(*sizes, device=TWIN)


def indices(device: torch.device) -> Tensor:
    return torch.tensor([0, 1], device=device)


def sparse(device: torch.device) -> Tensor:
    """The unit matrix."""
    rows, values = torch.arange(3, device=device), torch.ones(2, device=device)
    with warnings.catch_warnings():  # torch calls the format a beta
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(rows, indices(device), values, (2, 2))


# What CUDA refuses too: each is a mistake that a CPU alone never shows.
WRONG: dict[str, Callable[[], Any]] = {
    "sum": lambda: there(2) + torch.ones(2),
    "sum in place": lambda: torch.ones(2).add_(there(2)),
    "product": lambda: torch.ones(2, 2) @ there(2, 2),
    "sparse product": lambda: torch.addmm(there(2, 2), sparse(CPU), there(2, 2)),
    "list": lambda: torch.cat([there(2), torch.zeros(2)]),
    "list of numbers": lambda: torch.stack([there(2).sum(), torch.tensor(1.0)]),
    "mask": lambda: there(2).masked_fill(torch.tensor([True, False]), 0.0),
    "choice": lambda: torch.where(there(2) > 0, there(2), torch.zeros(2)),
    "gather": lambda: there(2).gather(0, indices(CPU)),
    "added at places": lambda: there(2).index_add_(0, indices(CPU), there(2)),
    "scattered": lambda: there(2).scatter_(0, indices(CPU), 1.0),
    "selected": lambda: there(2).index_select(0, indices(CPU)),
    "places of another device": lambda: torch.ones(2)[indices(TWIN)],
    "convolution": lambda: torch.conv2d(there(1, 1, 3, 3), torch.ones(1, 1, 2, 2)),
    "loss": lambda: torch.nn.functional.cross_entropy(there(2, 2), indices(CPU)),
    "norm": lambda: torch.nn.functional.batch_norm(
        there(2, 2), torch.zeros(2), torch.ones(2)
    ),
    "bins": lambda: torch.searchsorted(there(2), torch.ones(1)),
    "gradient": lambda: torch.autograd.grad(
        (there(2).requires_grad_() * 2).sum(), there(2), torch.ones(())
    ),
    "draws": lambda: torch.rand(2, generator=torch.Generator(), device=TWIN),
    "draws in place": lambda: there(2).uniform_(generator=torch.Generator()),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_what_cuda_refuses_is_refused(wrong: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match=r"device|generator|expected|differentiated"):
        wrong()


@pytest.mark.parametrize("wrong", [Tensor.numpy, np.asarray])
def test_arrays_are_made_of_the_cpus_tensors_only(wrong: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
        wrong(there(2))


def test_what_cuda_allows_is_allowed() -> None:
    values = torch.arange(4.0, device=TWIN)
    assert (values + torch.tensor(1.0)).tolist() == [1, 2, 3, 4]
    assert values[torch.tensor([1, 3])].tolist() == [1, 3]
    assert torch.where(values > 1, values, torch.tensor(9.0)).tolist() == [9, 9, 2, 3]
    assert float(values.sum()) == 6
    assert (values % 3).tolist() == [0, 1, 2, 0]


def test_tensors_stay_there_through_views_changes_copies_and_gradients() -> None:
    weight = torch.ones(3, 2, device=TWIN, requires_grad=True)
    doubled = weight * 2
    doubled[1:].mul_(3)
    doubled.square().sum().backward()
    assert weight.grad is not None
    for tensor in (doubled[1], weight.grad, copy.deepcopy(weight), sparse(TWIN)):
        assert tensor.device.type == second_device.NAME
    assert weight.grad.tolist() == [[8, 8], [72, 72], [72, 72]]
    moved = weight.detach().cpu()
    moved.zero_()  # its memory is its own
    assert weight.sum() == 6


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("linspace", {"coding": "population"}),
        ("arange", {"coding": "latency"}),
        ("arange", {"readout": "first_spike", "threshold": 0.1}),
    ],
)
def test_a_device_that_is_forgotten_in_the_program_is_caught(
    part: str, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very function without its ``device=``: the CPU runs it, the device not."""
    right = getattr(torch, part)

    def forgetful(*args: Any, device: object = None, **options: Any) -> Tensor:
        return right(*args, **options)

    monkeypatch.setattr(torch, part, forgetful)
    answers(Genes.from_params({**defaults("bptt"), **values}), SHAPE, CPU)
    with pytest.raises(RuntimeError, match=r"device|expected all tensors"):
        answers(Genes.from_params({**defaults("bptt"), **values}), SHAPE, TWIN)


# --------------------------------------------------------------- the parts of a network


def answers(
    own: Genes, shape: tuple[int, ...], device: torch.device
) -> dict[str, Tensor]:
    """What a network does with a batch, forwards and backwards, on the CPU."""
    dice = torch.Generator().manual_seed(1)
    network = SpikingNetwork(own, shape, CLASSES, dice).to(device)
    raw = (own.time_steps, *shape) if own.coding == "frames" else shape
    inputs = torch.rand((COUNT, *raw), generator=dice).to(device)
    labels = torch.tensor([0, 2, 1], device=device)
    dropout = Dropout(own.dropout, dice) if own.dropout else None
    seen = network.observe(encode(inputs, own, dice), dropout=dropout)
    if own.loss in slayer.LOSSES:
        assert isinstance(own.rule, slayer.Slayer)
        loss = loss_of(own.loss, own.rule)(seen, labels)
    else:
        loss = answer_loss(seen, labels, own.loss)
    counts, plan = seen.layer_counts(), network.blueprint
    loss = loss + activity_penalty(counts, plan, own.time_steps, own.regulariser)
    if loss.requires_grad:
        loss.backward()
    weights = network.named_parameters()
    grads = {name: p.grad for name, p in weights if p.grad is not None}
    found = {
        "logits": seen.logits,
        "counts": counts,
        "near": seen.stage_nearness(2),
        "loss": loss,
        **grads,
    }
    assert {t.device.type for t in found.values()} == {device.type}
    return {name: t.detach().cpu() for name, t in found.items()}


def compare(own: Genes, shape: tuple[int, ...] = SHAPE) -> None:
    """Rounding may differ: torch composes some operations in other ways there."""
    here, other = answers(own, shape, CPU), answers(own, shape, TWIN)
    assert here.keys() == other.keys()
    for name, values in here.items():
        torch.testing.assert_close(other[name], values, msg=lambda m, n=name: n + m)


PARTS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("bptt", {"neuron": neuron, "reset": reset, "recurrent": reset == "soft"})
        for neuron in NEURONS
        for reset in RESETS
        if (neuron, reset) != ("izhikevich", "soft")
    ),
    *(("bptt", {"surrogate": surrogate}) for surrogate in SURROGATES),
    *(("bptt", {"readout": readout}) for readout in READOUTS),
    *(("bptt", {"coding": coding}) for coding in CODINGS),
    *(("bptt", {"loss": loss}) for loss in LOSSES),
    *(("bptt", {"regulariser": regulariser}) for regulariser in REGULARISERS),
    ("bptt", {"dropout": 0.3, "tau_readout_steps": 2.0}),
    *(
        ("slayer", {"neuron": neuron, "loss": loss, "recurrent": loss == "spike_max"})
        for neuron in slayer.KINDS
        for loss in slayer.LOSSES
    ),
    ("ssgd", {"backend": "sparse", "depth": 2, "coding": "rate"}),
    ("ssgd", {"backend": "sparse", "depth": 2, "readout": "max"}),
    ("ssgd", {"backend": "dense", "depth": 2}),
    ("hybrid", {}),
    ("stdp", {"inhibition": "distance", "time_steps": 4}),
]


@pytest.mark.parametrize(("rule", "values"), PARTS)
def test_every_part_answers_and_learns_there(rule: str, values: dict[str, Any]) -> None:
    small = {"width": 6, "threshold": 0.3, "map_size": 6}
    compare(Genes.from_params({**defaults(rule), **small, **values}))


@pytest.mark.parametrize(
    "architecture", ["mlp", "conv", "cnn", "cell", "sew", "diehl_cook", "paths"]
)
def test_random_networks_of_every_architecture_do_so(architecture: str) -> None:
    dice, done = random.Random(architecture), 0
    while done < 5:
        point = random_genes(architecture, dice)
        try:
            own = Genes.from_params(point)
            own.blueprint(SHAPE, CLASSES)
        except (ArchitectureError, ConfigError):
            continue
        compare(own)
        done += 1


def test_a_network_is_exported_from_there_as_from_the_cpu() -> None:
    pytest.importorskip("nir")
    own = Genes.from_params({**defaults("bptt"), "architecture": "cnn", "channels": 2})
    graphs = [
        to_nir(SpikingNetwork(own, SHAPE, CLASSES, generator).to(device).eval())
        for device in (CPU, TWIN)
        for generator in [torch.Generator().manual_seed(1)]
    ]
    here, other = graphs
    assert here.nodes.keys() == other.nodes.keys()
    for name, node in here.nodes.items():
        for key, value in vars(node).items():
            np.testing.assert_equal(vars(other.nodes[name])[key], value)
