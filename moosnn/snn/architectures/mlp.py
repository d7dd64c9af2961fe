"""Layers of neurons, all to all, with skip and recurrent connections.

Knows: the genes ``depth``, ``width``, ``skip``, ``recurrent``. Must not know: torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moosnn.errors import ConfigError
from moosnn.snn.blueprint import INPUT
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

MAX_DEPTH = 8
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {"depth": 2, "width": 64, "skip": False, "recurrent": False}
)
LAYERED = ("width", "skip", "recurrent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mlp:
    """Fully connected spiking layers.

    Attributes:
        widths: neurons of each layer, 1 to 8 layers, each >= 1.
        skips: whether a layer also hears the layer (or the input) two below it; of the
            first layer without meaning.
        recurrent: whether a layer also hears its own spikes of the step before; with
            one step there is none.
    """

    widths: tuple[int, ...]
    skips: tuple[bool, ...]
    recurrent: tuple[bool, ...]

    @property
    def layers(self) -> int:
        """How many layers of neurons there are, each with genes of its own."""
        return len(self.widths)

    @classmethod
    def read(cls, values: Values) -> Mlp:
        """Read the genes.

        Raises:
            ConfigError: a bad value.
        """
        depth = checked_depth(values)
        layers = range(1, depth + 1)
        return cls(
            widths=tuple(values.integer("width", 1, k) for k in layers),
            skips=tuple(k > 1 and values.boolean("skip", k) for k in layers),
            recurrent=tuple(
                values.boolean("recurrent", k) and values.integer("time_steps", 1) > 1
                for k in layers
            ),
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of the last layer."""
        spikes = [INPUT]
        rows = zip(self.widths, self.skips, self.recurrent, neurons, strict=True)
        for width, skip, recurrent, kind in rows:
            currents = [draft.linear(spikes[-1], width)]
            if skip:
                currents.append(draft.linear(spikes[-2], width, bias=False))
            delay = draft.delay((width,)) if recurrent else None
            if delay is not None:
                currents.append(draft.linear(delay, width, bias=False))
            spikes.append(draft.neurons(draft.sum(currents), kind))
            if delay is not None:
                draft.close(delay, spikes[-1])
        return spikes[-1]


def checked_depth(values: Values, largest: int = MAX_DEPTH) -> int:
    """The gene ``depth``.

    Raises:
        ConfigError: it is not from 1 to ``largest``.
    """
    depth = values.integer("depth", 1)
    if depth > largest:
        raise ConfigError(f"depth: expected 1 to {largest}, got {depth}.")
    return depth
