"""Thousands of random networks of every architecture: each is what was predicted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.exchange.nir import to_nir
from moosnn.snn.architectures.cell import BACKWARD, EDGES, FORWARD
from moosnn.snn.architectures.cnn import POOLS
from moosnn.snn.architectures.conv import BLOCKS
from moosnn.snn.coding import encode
from moosnn.snn.gene_names import (
    CODINGS,
    DEFAULTS,
    LOSSES,
    MAX_LAYERS,
    READOUTS,
    REGULARISERS,
    SPIKING_READOUTS,
)
from moosnn.snn.genes import Genes
from moosnn.snn.layer import NEURONS, RESETS, SURROGATES
from moosnn.snn.learning.losses import activity_penalty, answer_loss
from moosnn.snn.network import SpikingNetwork
from tests.snn.built import CLASSES

A_GROUP = 130  # networks of a test; 7 architectures x 4 groups of them: 3,640
GROUPS = 4
SIZES = {
    "mlp": ("depth", 8),
    "conv": ("depth", 8),
    "cnn": ("depth", 8),
    "cell": ("cells", 3),
    "sew": ("depth", 4),
    "diehl_cook": ("map_size", 6),
    "paths": ("depth", 8),
}
SHAPES = [(1, 5, 4), (2, 3, 3), (1, 1, 3), (2, 2, 2), (1, 1, 1)]
SILENT = 1e9  # no membrane comes near
IN_NIR = {"if", "lif", "plif", "cuba"}


def random_genes(architecture: str, dice: random.Random) -> dict[str, object]:
    """Small sizes; everything else from its whole range."""
    size, largest = SIZES[architecture]
    kinds = dice.choice((NEURONS, sorted(IN_NIR)))
    point = {
        **DEFAULTS,
        "architecture": architecture,
        "neuron": dice.choice(kinds),
        "width": 3,
        "module_width": 3,
        "channels": 2,
        "stem_channels": dice.randint(1, 3),
        "cell_channels": dice.randint(1, 3),
        "dense": dice.randint(0, 3),
        "modules": dice.randint(2, 4),
        "threshold_spread": 10 ** dice.uniform(0, 2),
        # Deep networks are as strange as they are slow: fewer of them.
        size: min(dice.randint(1, largest) for _ in range(2)),
        "population": dice.randint(2, 3),
        "time_steps": dice.randint(1, 3),
        "batch_size": dice.choice((1, 2, 2, 3)),
        "surrogate": dice.choice(SURROGATES),
        "reset": dice.choice(RESETS),
        "slope": 10 ** dice.uniform(-0.3, 1),
        "coding": dice.choice(CODINGS),
        "readout": dice.choice(READOUTS),
        "tau_readout_steps": dice.choice((1.0, 2.5)),
        "loss": dice.choice((*LOSSES, "cross_entropy")),
        "regulariser": dice.choice(REGULARISERS),
    }
    for i, j in (*FORWARD, *BACKWARD):
        name = f"{'edge' if i < j else 'back'}_{i}{j}"
        point[name] = dice.choice(EDGES if i < j else (*EDGES, "zero", "zero"))
    for k in range(1, MAX_LAYERS + 1):
        layer = {
            "width": dice.randint(1, 6),
            "skip": dice.random() < 0.4,
            "recurrent": dice.random() < 0.3,
            "channels": dice.randint(1, 4),
            "block": dice.choice(BLOCKS),
            "pool": dice.random() < 0.4,
            "blocks": dice.randint(1, 2),
            "filters": dice.randint(1, 4),
            "kernel": dice.randint(1, 7),
            "pool_size": dice.randint(1, 3),
            "pool_kind": dice.choice(POOLS),
            "dense_width": dice.randint(1, 6),
            "module_width": dice.randint(1, 4),
            "path": dice.choice(("all", "ab", "b")),
            "neuron": dice.choice(kinds),
            "threshold": 10 ** dice.uniform(-1, 0.5),
            "tau_mem_steps": 1 + 10 ** dice.uniform(-1, 1),
            "tau_adapt_steps": 1 + 10 ** dice.uniform(-1, 1),
            "adaptation": dice.choice((0.0, 0.5, 2.0)),
        }
        point |= {f"{n}_{k}": v for n, v in layer.items() if dice.random() < 0.8}
    return point


def built(
    architecture: str, group: int
) -> Iterator[tuple[SpikingNetwork, torch.Tensor]]:
    """Networks and coded batches for them."""
    dice = random.Random(f"{architecture} {group}")
    refused = 0
    for seed in range(A_GROUP):
        shape = dice.choice(SHAPES)
        if architecture == "mlp" and dice.random() < 0.5:
            shape = (5,)
        try:
            genes = Genes.from_params(random_genes(architecture, dice))
            plan = genes.blueprint(shape, CLASSES)
        except ArchitectureError:
            refused += 1
            continue
        generator = torch.Generator().manual_seed(seed)
        network = SpikingNetwork(genes, shape, CLASSES, generator)
        assert network.blueprint == plan
        steps = (genes.time_steps,) if genes.coding == "frames" else ()
        raw = torch.rand(genes.batch_size, *steps, *shape, generator=generator)
        yield network, encode(raw, genes, generator)
    assert refused < A_GROUP / 2


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("architecture", SIZES)
def test_random_networks(architecture, group):
    for index, (network, coded) in enumerate(built(architecture, group)):
        learns(network, coded, index)
        network.eval()
        with torch.no_grad():
            is_what_was_predicted(network, coded)
            is_cut_by_a_silent_stage(network, coded, index)
        is_exported_where_nir_has_its_neurons(network)


def learns(network, coded, index):
    """One training step: everything is finite, and the read-out learns."""
    genes, samples = network.genes, coded.shape[1]
    activity = network.observe(coded)
    labels = torch.arange(samples) % CLASSES
    penalty = activity_penalty(
        activity.layer_counts(), network.blueprint, genes.time_steps, genes.regulariser
    )
    loss = answer_loss(activity, labels, genes.loss) + penalty
    assert loss.isfinite(), index
    loss.backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients), index
    if genes.readout not in SPIKING_READOUTS:  # spiking ones may be dead, as relus are
        assert network.parts[network.blueprint.output.name].bias.grad.any(), index


def is_what_was_predicted(network, coded):
    plan, genes = network.blueprint, network.genes
    assert plan.parameters == network.parameter_count()
    assert coded.shape == (genes.time_steps, genes.batch_size, *plan.input_shape)
    heard = {}
    activity = network.observe(coded, heard.setdefault)
    assert torch.equal(network(coded), activity.logits)
    assert activity.logits.shape == (genes.batch_size, CLASSES)
    assert all(s.shape[2:] == plan.shapes[n.sources[0]] for n, s in heard.items())
    assert len(activity.spikes) == len(plan.layers)
    rows = zip(
        plan.layers,
        activity.spikes,
        activity.membranes,
        activity.thresholds,
        strict=True,
    )
    for node, spikes, membrane, threshold in rows:
        assert spikes.shape == (genes.time_steps, genes.batch_size, *node.shape)
        assert torch.equal(spikes, (membrane >= threshold).float())


def is_cut_by_a_silent_stage(network, coded, index):
    """With a stage silenced, no input makes a difference."""
    stages = network.blueprint.stages
    assert stages
    stage = stages[index % len(stages)]
    before = {name: network.parts[name].genes for name in stage}
    for name in stage:
        network.parts[name].genes = replace(before[name], threshold=SILENT)
    first = network(coded)
    assert torch.equal(network(1.0 - coded), first)
    for name in stage:
        network.parts[name].genes = before[name]


def is_exported_where_nir_has_its_neurons(network):
    if find_spec("nir") is None:  # it is optional
        return
    plan = network.blueprint
    means = [b for name, b in network.named_buffers() if name.endswith("norm.mean")]
    if any(len(mean) > 1 for mean in means):
        with pytest.raises(ConfigError, match=r"step to step|NIR has no node"):
            to_nir(network)
    elif all(n.op.kind in IN_NIR and n.op.reset == "hard" for n in plan.layers):
        graph = to_nir(network)
        assert tuple(graph.input_type["input"]) == plan.input_shape
        assert tuple(graph.output_type["output"]) == (CLASSES,)
    else:
        with pytest.raises(ConfigError, match="for which NIR has no node"):
            to_nir(network)
