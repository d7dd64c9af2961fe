"""What the training of somebody's network tells at rungs.

Knows: when it is measured, and what is told of it. Must not know: who compares. torch
is imported when something is measured. `moosnn.tasks.snn_rungs` is the same of the
project's own networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moosnn.errors import DivergedError
from moosnn.rungs import Rungs
from moosnn.snn.silence import Edge
from moosnn.tasks.snn_rungs import AT_RUNGS, UPDATES

if TYPE_CHECKING:
    import torch

    from moosnn.snn.hooks_network import HookedNetwork
    from moosnn.snn.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRungs:
    """Adds to an epoch's report what the network does, if the epoch is a rung.

    Attributes:
        rungs: the epochs.
        report: is told, see `moosnn.tasks.base.Context.report`.
        network: that learns.
        samples: of the validation split.
        edge: what counts as silent.
        code: a new generator of the input's code, none of the training's.
        updates: of a whole epoch.
    """

    rungs: Rungs
    report: Callable[[int, Mapping[str, float]], bool]
    network: HookedNetwork
    samples: Samples
    edge: Edge
    code: Callable[[], torch.Generator]
    updates: int

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Tell of an epoch; whether to stop. The last one is no rung."""
        if epoch in self.rungs and epoch < self.network.genes.epochs:
            metrics = {**metrics, **self._measured(epoch)}
        return self.report(epoch, metrics)

    def _measured(self, epoch: int) -> dict[str, float]:
        from moosnn.snn.hooks_measure import metrics_of

        learning = self.network.training
        try:
            found, _ = metrics_of(
                self.network, self.samples, self.edge, self.code(), answered=True
            )
        except DivergedError:
            return {}  # whether it does is for the training to say
        finally:
            self.network.train(learning)
        told = {name: found[name] for name in AT_RUNGS if name in found}
        return {**told, UPDATES: float(epoch * self.updates)}
