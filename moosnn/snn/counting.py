"""Stopping rules that only count silent samples: what others do, for comparison.

Knows: two tests of a share of silent samples. Must not know: networks, membranes.

They know when a network *is* silent, not whether that will end; `moosnn.snn.stopping`
has the rule that asks, and the names.
"""

from __future__ import annotations

from collections.abc import Sequence

from moosnn.snn.silence import BatchSilence, Edge

CONFIDENCE = 0.99  # of the sequential test


class Sequential:
    """Stops once the share of silent samples is above beta for certain.

    A plain one-sided binomial test, after every update, on all samples seen since the
    waiting time. It knows when a network *is* silent, not whether that will end.

    Args:
        edge: beta and the stages that count.
        min_updates: waiting time; the samples of so many updates are not counted.
        confidence: of the test, in (0, 1).
    """

    def __init__(
        self, edge: Edge, *, min_updates: int, confidence: float = CONFIDENCE
    ) -> None:
        self._edge = edge
        self._min_updates = min_updates
        self._doubt = 1.0 - confidence
        self._updates = 0
        self._samples = 0
        self._silent: list[int] = []

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        from scipy.special import bdtrc

        self._updates += 1
        if self._updates <= self._min_updates:
            return False
        self._samples += batch.samples
        self._silent = _added(self._silent, batch.judged(self._edge))
        worst = max(self._silent)
        # bdtrc(k, n, p): the probability of more than k successes in n.
        return worst > 0 and bool(
            bdtrc(worst - 1, self._samples, self._edge.beta) < self._doubt
        )


class Firmin:
    """Stops once more silent samples were seen in an epoch than beta times all.

    The rule of Firmin, Boulet & Talbi (2024), asked after every batch: the silent
    samples of the epoch, divided by the size of the training set, exceed beta.

    Args:
        edge: beta and the stages that count.
        min_updates: no stop before so many updates, >= 0; theirs has no such wait.
        samples_per_epoch: size of the training set, >= 1.
    """

    def __init__(self, edge: Edge, *, min_updates: int, samples_per_epoch: int) -> None:
        self._edge = edge
        self._min_updates = min_updates
        self._total = samples_per_epoch
        self._updates = 0
        self._samples = 0
        self._silent: list[int] = []

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        self._updates += 1
        if self._samples >= self._total:  # a new epoch
            self._samples, self._silent = 0, []
        self._samples += batch.samples
        self._silent = _added(self._silent, batch.judged(self._edge))
        return (
            self._updates >= self._min_updates
            and max(self._silent) / self._total > self._edge.beta
        )


def _added(sums: list[int], counts: Sequence[int]) -> list[int]:
    """Sums over batches, begun by an empty list."""
    if not sums:
        return list(counts)
    return [a + b for a, b in zip(sums, counts, strict=True)]
