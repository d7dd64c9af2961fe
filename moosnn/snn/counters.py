"""Networks that are counted while they run.

Knows: what a measurement asks of a counter. Must not know: samples, what an operation
costs.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from moosnn.snn.activity import Activity
from moosnn.snn.cost import Hardware
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.operations import OperationCounter, hardware_of


class Counter(Protocol):
    """Runs a network and counts what that takes."""

    def observe(self, coded: Tensor) -> Activity:
        """What a batch of ``T x N x …`` coded inputs makes the network do."""
        ...

    def operations(self) -> tuple[Tensor, Tensor]:
        """ACs and MACs of each sample of all batches, ``n`` float64 each."""
        ...

    def hardware(self) -> Hardware:
        """What the network is and what it always does, after a batch."""
        ...


class Tapped:
    """The `Counter` of a network that says what goes into its connections.

    Args:
        network: whose weights do not change while it counts.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self._network = network
        self._counter = OperationCounter(network)
        self._counts: list[tuple[Tensor, Tensor]] = []

    def observe(self, coded: Tensor) -> Activity:
        """See `Counter`, as all that follows."""
        seen = self._network.observe(coded, tap=self._counter)
        self._counts.append(self._counter.take())
        return seen

    def operations(self) -> tuple[Tensor, Tensor]:
        """ACs and MACs."""
        acs, macs = (torch.cat(column) for column in zip(*self._counts, strict=True))
        return acs, macs

    def hardware(self) -> Hardware:
        """What it is."""
        return hardware_of(self._network)
