"""Plain convolutions without a norm, pooled, then dense layers.

Knows: the genes ``depth``, ``filters``, ``kernel``, ``pool_size``, ``pool_kind``,
``dense``, ``dense_width``. Must not know: torch.

The networks of published work on SLAYER (Shrestha & Orchard, NeurIPS 2018) and on
converted networks (Rathi et al., ICLR 2020) are of this kind: convolution, neurons and
pooling in turn, then all to all. The convolutions have no bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moosnn.errors import ConfigError
from moosnn.snn.architectures.mlp import checked_depth
from moosnn.snn.blueprint import INPUT
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

MAX_DENSE = 3
POOLS = ("max", "average")
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "filters": 16,
        "kernel": 3,
        "pool_size": 2,
        "pool_kind": "max",
        "dense": 0,
        "dense_width": 64,
    }
)
LAYERED = ("filters", "kernel", "pool_size", "pool_kind", "dense_width")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cnn:
    """1 to 8 convolutions, then 0 to 3 dense layers, neurons after each.

    Attributes:
        filters: of each convolution, >= 1.
        kernels: the side of each convolution's windows, >= 1. Images keep their size,
            see `moosnn.snn.blueprint.Conv`.
        pool_sizes: the side of the windows pooled after a convolution's neurons, >= 1;
            1 = none. Windows do not overlap and are at most as large as the image.
        pool_kinds: ``"max"`` or ``"average"`` of each.
        dense_widths: neurons of each dense layer, >= 1.
    """

    filters: tuple[int, ...]
    kernels: tuple[int, ...]
    pool_sizes: tuple[int, ...]
    pool_kinds: tuple[str, ...]
    dense_widths: tuple[int, ...]

    @property
    def layers(self) -> int:
        """How many sets of neuron genes: the convolutions' first, then the dense.

        From the ninth on these are the whole network's: no name goes so far.
        """
        return len(self.filters) + len(self.dense_widths)

    @classmethod
    def read(cls, values: Values) -> Cnn:
        """Read the genes.

        Raises:
            ConfigError: a bad value.
        """
        convolutions = range(1, checked_depth(values) + 1)
        dense = values.integer("dense", 0)
        if dense > MAX_DENSE:
            raise ConfigError(f"dense: expected 0 to {MAX_DENSE}, got {dense}.")
        return cls(
            filters=tuple(values.integer("filters", 1, k) for k in convolutions),
            kernels=tuple(values.integer("kernel", 1, k) for k in convolutions),
            pool_sizes=tuple(values.integer("pool_size", 1, k) for k in convolutions),
            pool_kinds=tuple(
                values.option("pool_kind", POOLS, k) for k in convolutions
            ),
            dense_widths=tuple(
                values.integer("dense_width", 1, k) for k in range(1, dense + 1)
            ),
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of what is read out.

        Raises:
            ConfigError: the input is no image.
        """
        flow = INPUT
        convolutions = len(self.filters)
        rows = zip(
            self.filters,
            self.kernels,
            self.pool_kinds,
            self.pool_sizes,
            neurons[:convolutions],
            strict=True,
        )
        for filters, kernel, pool, size, kind in rows:
            current = draft.conv(flow, filters, kernel, norm=False)
            flow = draft.pool(draft.neurons(current, kind), pool, size)
        for width, kind in zip(self.dense_widths, neurons[convolutions:], strict=True):
            flow = draft.neurons(draft.linear(flow, width), kind)
        return flow
