"""Small networks and batches for the tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from moosnn.snn.blueprint import Blueprint, Shape
from moosnn.snn.coding import encode
from moosnn.snn.draft import Draft
from moosnn.snn.gene_names import DEFAULTS
from moosnn.snn.genes import Genes
from moosnn.snn.layer import Neurons
from moosnn.snn.network import SpikingNetwork
from moosnn.space import Value

CLASSES = 3


def genes(**changes: Value) -> Genes:
    return Genes.from_params({**DEFAULTS, **changes})


def network(shape: Shape, seed: int = 0, **changes: Value) -> SpikingNetwork:
    generator = torch.Generator().manual_seed(seed)
    return SpikingNetwork(genes(**changes), shape, CLASSES, generator)


def samples(shape: Shape, count: int = 4, seed: int = 1) -> Tensor:
    """``count x shape`` intensities in [0, 1)."""
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(seed))


def sequence(shape: Shape, steps: int = 5, count: int = 4, seed: int = 1) -> Tensor:
    """``steps x count x shape`` currents that change over time."""
    return samples((count, *shape), steps, seed)


def coded(net: SpikingNetwork, shape: Shape, count: int = 4) -> Tensor:
    """Some samples as the network's genes code them."""
    frames = net.genes.coding == "frames"
    raw = samples((net.genes.time_steps, *shape) if frames else shape, count)
    return encode(raw, net.genes, torch.Generator().manual_seed(2))


def lif(**changes: Any) -> Neurons:
    """The genes of a layer."""
    fields: dict[str, Any] = {
        "kind": "lif",
        "tau_mem_steps": 2.0,
        "threshold": 1.0,
        "surrogate": "atan",
        "slope": 2.0,
        "tau_syn_steps": 2.0,
        "tau_adapt_steps": 10.0,
        "adaptation": 0.5,
    }
    return Neurons(**{**fields, **changes})


def blueprint(shape: Shape, **changes: Value) -> Blueprint:
    return genes(**changes).blueprint(shape, CLASSES)


def drawn(shape: Shape, **changes: Value) -> list[str]:
    """The nodes of an architecture as lines ``name < sources``, without read-out."""
    chosen = genes(**changes)
    draft = Draft(shape)
    chosen.architecture.draw(draft, chosen.neurons)
    nodes = draft.finished().nodes
    return [f"{n.name} < {' '.join(n.sources)}" for n in nodes]
