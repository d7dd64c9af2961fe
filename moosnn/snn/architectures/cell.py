"""Cells of four nodes whose edges are searched, forward and back in time.

Knows: the genes ``cells``, ``cell_channels``, ``edge_ij``, ``back_ji``. Must not know:
torch.

After SNASNet (Kim et al., ECCV 2022, arXiv 2201.10355), which takes the edges of
NAS-Bench-201 and adds ones from a later node to an earlier one of the next time step.
Here each node is a layer of neurons, and an edge carries its spikes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moosnn.errors import ArchitectureError, ConfigError
from moosnn.snn.blueprint import INPUT
from moosnn.snn.draft import Draft
from moosnn.snn.layer import Neurons
from moosnn.snn.values import Values
from moosnn.space import Value

EDGES = ("zero", "skip", "conv_1", "conv_3", "average_3")
NODES = 4
MAX_CELLS = 3
FORWARD = tuple((i, j) for j in range(2, NODES + 1) for i in range(1, j))
BACKWARD = tuple((j, i) for i, j in FORWARD)
DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "cells": 2,
        "cell_channels": 8,
        **{f"edge_{i}{j}": "conv_3" for i, j in FORWARD},
        **{f"back_{j}{i}": "zero" for j, i in BACKWARD},
    }
)
LAYERED: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Equal cells; before each but the first the image is halved, channels doubled.

    Attributes:
        cells: how many, 1 to 3.
        channels: of the first cell, >= 1.
        edges: ``(from, to)`` to one of `EDGES`, without ``"zero"`` and without what
            does not lie between a cell's first and last node. From a larger node to
            a smaller one: one time step later.
    """

    cells: int
    channels: int
    edges: dict[tuple[int, int], str]

    @property
    def layers(self) -> int:
        """How many sets of neuron genes there are: one a cell."""
        return self.cells

    @classmethod
    def read(cls, values: Values) -> Cells:
        """Read the genes; nodes that lead nowhere are left out.

        Raises:
            ConfigError: a bad value.
            ArchitectureError: no forward path through the cell.
        """
        given = {(i, j): values.option(f"edge_{i}{j}", EDGES) for i, j in FORWARD}
        if values.integer("time_steps", 1) > 1:  # with one step nothing comes later
            given |= {(j, i): values.option(f"back_{j}{i}", EDGES) for j, i in BACKWARD}
        edges = {edge: op for edge, op in given.items() if op != "zero"}
        kept = _between_first_and_last(edges)
        if NODES not in kept:
            raise ArchitectureError(
                "edge_12 … edge_34: no path from the cell's first node to its last."
            )
        cells = values.integer("cells", 1)
        if cells > MAX_CELLS:
            raise ConfigError(f"cells: expected 1 to {MAX_CELLS}, got {cells}.")
        return cls(
            cells=cells,
            channels=values.integer("cell_channels", 1),
            edges={e: op for e, op in edges.items() if kept >= {*e}},
        )

    def draw(self, draft: Draft, neurons: Sequence[Neurons]) -> str:
        """Add the nodes; the name of the last spikes.

        Raises:
            ConfigError: the input is no image.
        """
        flow = INPUT
        for index, kind in enumerate(neurons):
            source = draft.halve(flow) if index else flow
            entry = draft.conv(source, self.channels * 2**index, 3)
            flow = self._cell(draft, entry, kind)
        return flow

    def _cell(self, draft: Draft, entry: str, kind: Neurons) -> str:
        shape = draft.shape(entry)
        delays = {
            source: draft.delay(shape)
            for source in sorted({i for i, j in self.edges if i > j})
        }
        spikes: dict[int, str] = {}
        for node in range(1, NODES + 1):
            currents = [entry] if node == 1 else []
            for (source, target), op in self.edges.items():
                if target == node:
                    read = spikes if source < node else delays
                    currents.append(_edge(draft, read[source], op))
            if currents:
                spikes[node] = draft.neurons(draft.sum(currents), kind)
        for source, delay in delays.items():
            draft.close(delay, spikes[source])
        return spikes[NODES]


def _edge(draft: Draft, source: str, op: str) -> str:
    match op:
        case "skip":
            return source
        case "average_3":
            return draft.smooth(source)
        case _:
            channels = draft.shape(source)[0]
            return draft.conv(source, channels, int(op.removeprefix("conv_")))


def _between_first_and_last(edges: dict[tuple[int, int], str]) -> set[int]:
    """The nodes on a forward path from the first node to the last."""
    after, before = {1}, {NODES}
    for i, j in FORWARD:  # ascending in the target, so that one pass is enough
        if i in after and (i, j) in edges:
            after.add(j)
    for i, j in sorted(FORWARD, reverse=True):
        if j in before and (i, j) in edges:
            before.add(i)
    return after & before
