"""What a training tells at rungs: how its network does on the validation split.

Knows: when a network is measured during its training, and what is told of it. Must not
know: who compares, objectives. torch is imported when something is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moosnn.errors import DivergedError
from moosnn.rungs import Rungs
from moosnn.snn.metrics import METRICS, OF_TRAINING

if TYPE_CHECKING:
    from moosnn.snn.activity import Network
    from moosnn.snn.genes import Genes

UPDATES = "updates"
# Of single layers they would fill the journal; others are known at the end only.
AT_RUNGS = tuple(m for m in METRICS if "." not in m and m not in OF_TRAINING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RungReports:
    """Adds to an epoch's report what the network does, if the epoch is a rung.

    The training goes on as if nothing had been measured. The last epoch is no rung:
    what is measured there is the trial's evaluation.

    Attributes:
        rungs: the epochs.
        report: is told, see `moosnn.tasks.base.Context.report`.
        network: that learns.
        measure: what it does on the validation split, without drawing any random
            number of the training's.
        epochs: of the training.
        updates: of a whole epoch.
        first: the first epoch after which there is a network to measure.
    """

    rungs: Rungs
    report: Callable[[int, Mapping[str, float]], bool]
    network: Network
    measure: Callable[[], Mapping[str, float]]
    epochs: int
    updates: int
    first: int = 1

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Tell of an epoch; whether to stop."""
        if epoch in self.rungs and self.first <= epoch < self.epochs:
            metrics = {**metrics, **self._measured(epoch)}
        return self.report(epoch, metrics)

    def _measured(self, epoch: int) -> dict[str, float]:
        learning = self.network.training
        try:
            found = self.measure()
        except DivergedError:
            return {}  # whether it does is for the training to say
        finally:
            self.network.train(learning)
        told = {name: found[name] for name in AT_RUNGS if name in found}
        return {**told, UPDATES: float(epoch * self.updates)}


def first_measurable(genes: Genes) -> int:
    """The first epoch after which there is a network to measure.

    Before a supernet has chosen its path there are many.
    """
    if genes.training != "supernet":
        return 1
    from moosnn.snn.learning.supernet import search_epochs

    return search_epochs(genes)
