"""Checks of trainings on a second device; run by `tests/test_second_device.py`.

Everything random is drawn on the CPU and then moved, on any device: the same seeds are
the same draws. And the device computes with the CPU's own kernels. So what was trained
and measured there has to agree with the CPU to the last bit.
"""

from __future__ import annotations

import functools
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from moosnn.errors import ReleasedError
from moosnn.snn import samples as splits
from moosnn.snn.gene_names import RULES, defaults
from moosnn.snn.genes import Genes
from moosnn.snn.learning.checkpoint import NAME, Checkpoint
from moosnn.snn.learning.rules import FITS
from moosnn.snn.learning.training import Course, Fit, planned_updates
from moosnn.snn.metrics import metrics_of
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.raster import raster_of
from moosnn.snn.robustness import Robustness
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from moosnn.snn.stopping import watch_named
from moosnn.snn.weights import load_network
from moosnn.tasks import module, snn
from moosnn.tasks.module import ModuleTask
from moosnn.tasks.snn import SnnTask
from tests import second_device
from tests.helpers import timeless
from tests.snn.learning import two_classes
from tests.snn.learning.two_classes import CLASSES, SHAPE
from tests.tasks.test_snn import Context, proposal

CPU, TWIN = torch.device("cpu"), second_device.installed()
COUNT = 34  # samples: a batch of 20 and a smaller one
QUICK = {"time_steps": 3, "epochs": 3, "batch_size": 20, "width": 10}
# What makes a training of this size short and, where it can, use all that the rule has.
OWN: dict[str, dict[str, Any]] = {
    "bptt": {"dropout": 0.2, "threshold": 0.3},
    "hybrid": {"ann_epochs": 2, "balance_steps": 3, "dropout": 0.2},
    "mutation": {"mutations_per_batch": 3, "threshold": 0.3},
    "stdp": {"map_size": 8, "time_steps": 5, "norm": 30.0},
    "supernet": {
        "module_width": 5,
        "path_population": 3,
        "slice_updates": 1,
        "threshold": 0.3,
    },
}
# Other ways through a rule, each besides its defaults.
WAYS: list[tuple[str, dict[str, Any]]] = [
    *((rule, {}) for rule in RULES),
    ("bptt", {"architecture": "conv", "channels": 3, "coding": "rate"}),
    ("ssgd", {"backend": "sparse", "depth": 2, "coding": "rate"}),
    ("slayer", {"neuron": "cuba_adaptive", "loss": "spike_max"}),
    ("slayer", {"loss": "spike_time"}),
    ("stdp", {"decoder": "2gram", "time_steps": 3}),
    ("hybrid", {"hybrid_optimizer": "sgd", "architecture": "cnn", "channels": 3}),
    ("mutation", {"acceptance": "metropolis", "mutation_energy": "errors"}),
    ("grad_r", {"rewiring": "deep_r"}),
    ("eprop", {"neuron": "alif", "reset": "hard", "tau_readout_steps": 2.0}),
    ("eprop", {"feedback": "random", "depth": 2, "dropout": 0.2}),
]


def genes(rule: str, changes: dict[str, Any]) -> Genes:
    return Genes.from_params(
        {**defaults(rule), **QUICK, **OWN.get(rule, {}), **changes}
    )


def data(device: torch.device) -> Samples:
    return Samples.of(two_classes.samples(COUNT).split, 1.0, device)


def new_network(own: Genes, device: torch.device) -> SpikingNetwork:
    dice = torch.Generator().manual_seed(1)
    return SpikingNetwork(own, SHAPE, CLASSES, dice).to(device)


def train(
    own: Genes,
    device: torch.device,
    told: list[Any],
    checkpoint: Checkpoint,
    stop: str = "none",
) -> tuple[SpikingNetwork, Fit]:
    """A training from its beginning or its checkpoint; ``told`` hears the epochs."""
    samples, network = data(device), new_network(own, device)

    def hear(epoch: int, metrics: Any) -> bool:
        told.append((epoch, dict(metrics)))
        return False

    planned = planned_updates(COUNT, own.batch_size, own.epochs)
    watch = watch_named(
        stop, Edge(), min_updates=0, planned_updates=planned, samples_per_epoch=COUNT
    )
    dice = torch.Generator().manual_seed(2)
    course = Course(generator=dice, watch=watch, on_epoch=hear, checkpoint=checkpoint)
    return network, FITS[own.training](network, samples, course)


def learned(network: SpikingNetwork, fit: Fit, told: list[Any]) -> dict[str, Any]:
    """All numbers of a training."""
    weights = {name: t.cpu().tolist() for name, t in network.state_dict().items()}
    facts = {**asdict(fit), "recent": fit.recent.tolist()}
    return {"fit": facts, "told": told, "weights": weights}


def measured(network: SpikingNetwork, device: torch.device) -> dict[str, Any]:
    """All that is asked of a trained network."""
    samples = data(device)
    assert {t.device.type for t in network.state_dict().values()} == {device.type}

    def code() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    dice = torch.Generator().manual_seed(4)
    drawn = raster_of(network, samples, code(), "test")
    return {
        "metrics": metrics_of(network, samples, Edge(), code(), answered=True),
        "lost": Robustness(samples=1).measure(network, samples, code, dice),
        "spikes": [stage.fired.tolist() for stage in drawn.stages],
    }


def whole(
    rule: str, changes: dict[str, Any], device: torch.device
) -> tuple[dict[str, Any], dict[str, Any]]:
    told: list[Any] = []
    network, fit = train(genes(rule, changes), device, told, Checkpoint())
    return learned(network, fit, told), measured(network, device)


@functools.cache
def on_the_cpu(rule: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return whole(rule, {}, CPU)


@pytest.mark.parametrize(("rule", "changes"), WAYS)
def test_a_training_there_is_the_training_on_the_cpu(
    rule: str, changes: dict[str, Any]
) -> None:
    there = whole(rule, changes, TWIN)
    assert there == (whole(rule, changes, CPU) if changes else on_the_cpu(rule))
    fired = there[1]["metrics"][0]["spikes_per_sample"]
    assert fired > 0  # a silent network would agree with any other


@pytest.mark.parametrize("first", [TWIN, CPU], ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_a_training_that_is_interrupted_goes_on_there(
    rule: str, first: torch.device, tmp_path: Path
) -> None:
    """Each attempt makes room after an epoch; every other one is on another device."""
    other = TWIN if first == CPU else CPU
    told: list[Any] = []
    earlier: list[Path] = []
    for device in cycle((first, TWIN, other)):
        offers = iter([False, True])
        path = tmp_path / str(len(earlier)) / NAME
        path.parent.mkdir()
        checkpoint = Checkpoint(
            path, earlier[::-1], every_s=1e9, preempted=lambda o=offers: next(o)
        )
        try:
            network, fit = train(genes(rule, {}), device, told, checkpoint)
        except ReleasedError:
            earlier.append(path)
            continue
        break
    assert len(earlier) >= 2
    assert learned(network, fit, told) == on_the_cpu(rule)[0]


@pytest.mark.parametrize("rule", ["bptt", "ssgd", "eprop", "supernet", "mutation"])
def test_a_silent_network_is_stopped_there_at_the_same_update(rule: str) -> None:
    deaf = {"threshold": 30.0, "epochs": 6, "dropout": 0.2 if rule == "bptt" else 0.0}
    if rule == "ssgd":
        deaf["b_th"] = 1e3
    own, ends = genes(rule, deaf), []
    for device in (CPU, TWIN):
        told: list[Any] = []
        _, fit = train(own, device, told, Checkpoint(), stop="drive")
        ends.append((fit.stopped, fit.updates, fit.recent.tolist(), told))
    assert ends[0] == ends[1]
    assert ends[0][0] == "silent"


def test_samples_that_are_read_a_batch_at_a_time_are_those_that_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = data(TWIN).only(torch.arange(9)).batch(torch.tensor([3, 1]))
    monkeypatch.setattr(splits, "_HELD_BYTES", 0)
    read = data(TWIN)
    assert read.held is None
    part = read.only(torch.arange(9)).batch(torch.tensor([3, 1]))
    for one, other in zip(held, part, strict=True):
        assert one.device.type == other.device.type == TWIN.type
        assert torch.equal(one, other)


# ------------------------------------------------------------------- whole tasks

SHORT = {
    "epochs": 2,
    "training_share": 0.05,
    "width": 16,
    "time_steps": 2,
    "threshold": 0.3,
    "coding": "rate",
}
TASK: dict[str, Any] = {"rungs": {"first": 1}, "robustness": {"samples": 1}}


def left(folder: Path) -> dict[str, Any]:
    """What a trial leaves in its folder; a header may have its keys in any order."""
    tensors = {p.name: load_file(p) for p in folder.glob("*.safetensors")}
    lists = {
        name: {key: t.tolist() for key, t in held.items()}
        for name, held in tensors.items()
    }
    return {**lists, **{p.name: p.read_text() for p in folder.glob("*.json")}}


@pytest.mark.parametrize("params", [SHORT, {**SHORT, "threshold": 50.0}])
def test_the_whole_task_measures_there_what_it_does_on_the_cpu(
    params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the check of the user's word for the device is passed by."""
    found = {}
    for device in (CPU, TWIN):
        monkeypatch.setattr(snn, "device_named", lambda _, here=device: here)
        context = Context(tmp_path / device.type)
        context.workdir.mkdir()
        given = {**defaults("bptt"), **params}
        result = SnnTask(**TASK).evaluate(proposal(given), context)
        assert result.device == str(device)
        found[device] = timeless(result.metrics), context.heard, left(context.workdir)
    assert found[CPU] == found[TWIN]
    network, _ = load_network(tmp_path / TWIN.type)
    assert {t.device for t in network.state_dict().values()} == {CPU}


@pytest.mark.parametrize("factory", ["Torch", "norse_sequence"])
def test_a_network_of_another_library_learns_there_what_it_does_on_the_cpu(
    factory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not spikingjelly's: its neurons ask for the CPU or CUDA by name."""
    found = {}
    for device in (CPU, TWIN):
        monkeypatch.setattr(module, "device_named", lambda _, here=device: here)
        context = Context(tmp_path / device.type)
        context.workdir.mkdir()
        name = f"tests.tasks.own_nets.{factory}"
        task = ModuleTask(factory=name, rungs={"first": 1})
        params = {"hidden": 12, "epochs": 2, "training_share": 0.05, "threshold": 0.3}
        result = task.evaluate(proposal(params), context)
        assert result.metrics["spikes_per_sample"] > 0
        found[device] = timeless(result.metrics), context.heard, left(context.workdir)
    assert found[CPU] == found[TWIN]
