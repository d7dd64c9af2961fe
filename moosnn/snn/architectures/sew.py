"""Spike-element-wise residual stages.

Knows: the genes ``depth``, ``channels``, ``blocks``. Must not know: torch.

After SEW ResNet (Fang et al., NeurIPS 2021, arXiv 2102.04159) with its ADD function:
the spikes of a block and those that entered it are added, so values may exceed 1 and
what follows multiplies.
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

MAX_STAGES = 4
MAX_BLOCKS = 6  # of a stage; that of the deepest stage of ResNet-34
DEFAULTS: Mapping[str, Value] = MappingProxyType({"blocks": 1})
LAYERED = ("channels", "blocks")


@dataclass(frozen=True, slots=True, kw_only=True)
class SewNet:
    """A stem of one convolution, then 1 to 4 stages; each but the first halves.

    Attributes:
        channels: of each stage, >= 1.
        blocks: residual blocks of each stage, 1 to 6.
    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]

    @property
    def layers(self) -> int:
        """How many sets of neuron genes there are: one a stage."""
        return len(self.channels)

    @classmethod
    def read(cls, values: Values) -> SewNet:
        """Read the genes.

        Raises:
            ConfigError: a bad value.
        """
        stages = range(1, checked_depth(values, MAX_STAGES) + 1)
        return cls(
            channels=tuple(values.integer("channels", 1, k) for k in stages),
            blocks=tuple(_checked_blocks(values, k) for k in stages),
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of the last image's mean.

        Raises:
            ConfigError: the input is no image.
        """
        flow = draft.neurons(draft.conv(INPUT, self.channels[0], 3), neurons[0])
        rows = zip(self.channels, self.blocks, neurons, strict=True)
        for stage, (channels, blocks, kind) in enumerate(rows):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                flow = _block(draft, flow, channels, stride, kind)
        return draft.mean(flow)


def _checked_blocks(values: Values, stage: int) -> int:
    blocks = values.integer("blocks", 1, stage)
    if blocks > MAX_BLOCKS:
        name = values.name("blocks", stage)
        raise ConfigError(f"{name}: expected 1 to {MAX_BLOCKS}, got {blocks}.")
    return blocks


def _block(draft: Draft, flow: str, channels: int, stride: int, kind: Neurons) -> str:
    skip = flow
    # The skip first: where it lies beside either layer of the branch is a stage.
    if stride != 1 or draft.shape(flow)[0] != channels:
        skip = draft.neurons(draft.conv(flow, channels, 1, stride), kind)
    inner = draft.neurons(draft.conv(flow, channels, 3, stride), kind)
    branch = draft.neurons(draft.conv(inner, channels, 3), kind)
    return draft.sum([branch, skip])
