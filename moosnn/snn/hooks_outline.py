"""What is known of somebody's network without training it.

Knows: its layers of neurons, and which are a stage. Must not know: modules, how they
are heard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from moosnn.errors import ConfigError, nearest
from moosnn.snn.activity import Stages

StageNames = Sequence[str | Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One spiking module.

    Attributes:
        name: in the network.
        shape: of its neurons.
        states: variables that each keeps from step to step.
    """

    name: str
    shape: tuple[int, ...]
    states: int

    @property
    def neurons(self) -> int:
        """How many."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is known of a network without training it.

    Attributes:
        layers: in the order in which they are called.
        stages: the layers of each stage, as positions.
        parameters: learnable scalars.
    """

    layers: tuple[Layer, ...]
    stages: Stages
    parameters: int

    @property
    def neurons(self) -> int:
        """Of all layers."""
        return sum(layer.neurons for layer in self.layers)


def stages_of(layers: Sequence[str], wanted: StageNames | None) -> Stages:
    """The layers of each stage, as positions.

    Args:
        layers: names of the spiking modules, in order.
        wanted: names of those of each stage; ``None`` = each is one.

    Raises:
        ConfigError: a name that no layer has.
    """
    if wanted is None:
        return tuple((k,) for k in range(len(layers)))
    stages = []
    for stage in wanted:
        names = [stage] if isinstance(stage, str) else list(stage)
        for name in names:
            if name not in layers:
                raise ConfigError(
                    f"task.stages: no spiking module {name!r}.{nearest(name, layers)}"
                )
        stages.append(tuple(layers.index(name) for name in names))
    return tuple(stages)
