"""A chain of convolutional blocks: skip, spiking convolution, spiking residual.

Knows: the genes ``depth``, ``stem_channels``, ``channels``, ``block``, ``pool``.
Must not know: torch.

The blocks are those of AutoSNN (Na et al., ICML 2022, arXiv 2201.12738): a spiking
convolution block is convolution, norm and neurons, twice; in a residual block what
entered it is added to the current of the second neurons. As there, pooling takes the
maximum and the classifier sees the whole last image, not its mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moosnn.snn.architectures.mlp import checked_depth
from moosnn.snn.blueprint import INPUT
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

BLOCKS = ("skip", "conv_3", "conv_5", "residual_3", "residual_5")
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {"stem_channels": 8, "channels": 16, "block": "conv_3", "pool": False}
)
LAYERED = ("channels", "block", "pool")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNet:
    """A stem of one convolution, then 1 to 8 blocks.

    Attributes:
        stem_channels: of the stem, >= 1.
        channels: of each block, >= 1; a skip has those of the block before it.
        blocks: what each block is, see `BLOCKS`.
        pools: whether the image is halved after a block; an image that cannot be
            halved stays as it is.
    """

    stem_channels: int
    channels: tuple[int, ...]
    blocks: tuple[str, ...]
    pools: tuple[bool, ...]

    @property
    def layers(self) -> int:
        """How many sets of neuron genes: one a block; the stem takes the first."""
        return len(self.blocks)

    @classmethod
    def read(cls, values: Values) -> ConvNet:
        """Read the genes.

        Raises:
            ConfigError: a bad value.
        """
        blocks = range(1, checked_depth(values) + 1)
        return cls(
            stem_channels=values.integer("stem_channels", 1),
            channels=tuple(values.integer("channels", 1, k) for k in blocks),
            blocks=tuple(values.option("block", BLOCKS, k) for k in blocks),
            pools=tuple(values.boolean("pool", k) for k in blocks),
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of the last spikes.

        Raises:
            ConfigError: the input is no image.
        """
        flow = draft.neurons(draft.conv(INPUT, self.stem_channels, 3), neurons[0])
        rows = zip(self.blocks, self.channels, self.pools, neurons, strict=True)
        for block, channels, pool, kind in rows:
            flow = _block(draft, flow, block, channels, kind)
            if pool:
                flow = draft.halve(flow)
        return flow


def _block(draft: Draft, flow: str, block: str, channels: int, kind: Neurons) -> str:
    same = draft.shape(flow)[0] == channels
    if block == "skip":
        return flow
    what, _, kernel = block.partition("_")
    inner = draft.neurons(draft.conv(flow, channels, int(kernel)), kind)
    current = draft.conv(inner, channels, int(kernel))
    if what == "residual":
        current = draft.sum([current, flow if same else draft.conv(flow, channels, 1)])
    return draft.neurons(current, kind)
