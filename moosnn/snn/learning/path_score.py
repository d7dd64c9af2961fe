"""What a path of a network does on some samples, as a network of its own.

Knows: how a path's genes are made, what is counted of it. Must not know: populations,
training, what a score is good for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch

from moosnn.snn.architectures.paths import Paths
from moosnn.snn.coding import encode
from moosnn.snn.genes import Genes
from moosnn.snn.learning.descent import Together
from moosnn.snn.learning.genotypes import Score
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import OperationCounter
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Watch

_CODE_SEED = 0  # of the input's code: the same for all paths
_VALUES_AT_ONCE = 1 << 23  # activations: bounds the memory


def paths_of(genes: Genes) -> Paths:
    """The architecture, which has paths."""
    return cast(Paths, genes.architecture)


def path_genes(genes: Genes, active: Sequence[str]) -> Genes:
    """The genes of a path.

    Args:
        genes: of the network of all modules.
        active: letters of each layer's active modules.
    """
    chosen = {f"path_{k}": row for k, row in enumerate(active, 1)}
    return Genes.from_params({**genes.given, **chosen})


@torch.no_grad()
def score(path: SpikingNetwork, samples: Samples, watch: Watch) -> Score:
    """What a path does on the samples that are held back.

    Args:
        path: as a network of its own.
        samples: one or more.
        watch: says what is silent.
    """
    counter = OperationCounter(path)
    generator = torch.Generator().manual_seed(_CODE_SEED)
    seen, correct, operations = [], 0, 0.0
    for chosen in torch.split(torch.arange(len(samples)), _at_once(path)):
        inputs, labels = samples.batch(chosen)
        seen.append(path.observe(encode(inputs, path.genes, generator), tap=counter))
        correct += int((seen[-1].logits.argmax(1) == labels).sum())
        operations += sum(float(kind.sum()) for kind in counter.take())
    return Score(
        error=1.0 - correct / len(samples),
        synops=operations / len(samples),
        modules=sum(map(len, paths_of(path.genes).active)),
        silent=watch.agrees(Together(seen)),
    )


def _at_once(path: SpikingNetwork) -> int:
    """Samples to score at once: as many as memory is there for, or a batch."""
    values = sum(math.prod(shape) for shape in path.blueprint.shapes.values())
    return max(
        path.genes.batch_size, _VALUES_AT_ONCE // (values * path.genes.time_steps)
    )
