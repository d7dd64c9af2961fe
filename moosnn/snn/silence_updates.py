"""Silence over a training: at which updates a network was awake.

Knows: what a watch heard. Must not know: networks, data, rules that stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moosnn.snn.silence import BatchSilence, Edge, allowed_silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """How the silence of a stage, or of all that count, went over a training.

    An update is awake if its batch had no more silent samples than beta allows.

    Attributes:
        heard: updates that the watch heard: all but the last of a full training.
        awake: of them, those that were awake.
        last_awake: the last awake one, counted from 1; 0 if none was.
        last_silent: the last one that was not awake, counted from 1; 0 if all were.
    """

    heard: int
    awake: int
    last_awake: int
    last_silent: int

    @property
    def fraction(self) -> float:
        """The share of awake updates, in [0, 1]; 0 if none was heard."""
        return self.awake / self.heard if self.heard else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTraining:
    """How silence went over a training.

    Attributes:
        network: awake where each stage that counts was.
        stages: each for itself, in order; empty if nothing was heard.
    """

    network: Waking
    stages: tuple[Waking, ...]

    def metrics(self) -> dict[str, float]:
        """By name.

        Returns:
            ``awake_fraction``, ``last_awake_update`` and ``last_silent_update`` of the
            network; the first two with ``.k`` of the k-th stage.
        """
        found = {
            "awake_fraction": self.network.fraction,
            "last_awake_update": float(self.network.last_awake),
            "last_silent_update": float(self.network.last_silent),
        }
        for k, stage in enumerate(self.stages, 1):
            found[f"awake_fraction.{k}"] = stage.fraction
            found[f"last_awake_update.{k}"] = float(stage.last_awake)
        return found


def over_training(heard: Sequence[BatchSilence], edge: Edge) -> OverTraining:
    """What a watch heard, in short.

    Args:
        heard: of every update, in order.
        edge: beta, and the stages that count.
    """
    allowed = {size: allowed_silent(size, edge.beta) for size in _sizes(heard)}
    limits = [allowed[batch.samples] for batch in heard]
    worst = [max(batch.judged(edge)) for batch in heard]
    stages = zip(*(batch.silent for batch in heard), strict=True)
    return OverTraining(
        network=_waking(worst, limits),
        stages=tuple(_waking(silent, limits) for silent in stages),
    )


def _sizes(heard: Sequence[BatchSilence]) -> set[int]:
    return {batch.samples for batch in heard}


def _waking(silent: Sequence[int], limits: Sequence[int]) -> Waking:
    awake = [count <= most for count, most in zip(silent, limits, strict=True)]
    return Waking(
        heard=len(awake),
        awake=sum(awake),
        last_awake=_last(awake, value=True),
        last_silent=_last(awake, value=False),
    )


def _last(awake: Sequence[bool], *, value: bool) -> int:
    """The last place of a value, counted from 1; 0 if there is none."""
    places = range(len(awake), 0, -1)
    return next((place for place in places if awake[place - 1] is value), 0)
