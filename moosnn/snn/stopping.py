"""Stopping early: rules that say when a silent training will stay silent.

Knows: how silent each batch of a training was, and three named rules. Must not know:
networks, data, learning.

First version: the rules and their constants are being measured.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from moosnn.errors import ConfigError, nearest
from moosnn.snn.silence import Edge, Seen, Watch, allowed_silent

RULES = ("drive", "sequential", "firmin", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSilence:
    """How silent one batch was.

    Attributes:
        samples: of the batch, >= 1.
        silent: silent samples of each judged stage.
        drive: of each judged stage, how near the sample that would have to spike came
            to it, as a share of the threshold, in [0, 1); 1 if the stage is not silent.
    """

    samples: int
    silent: tuple[int, ...]
    drive: tuple[float, ...]


class Rule(Protocol):
    """A rule that says when a training will stay silent."""

    def update(self, batch: BatchSilence) -> bool:
        """Hear of one more update; True: stop."""
        ...


class Drive:
    """Stops once a stage has been silent for a window and is not coming nearer."""

    def __init__(self, *, min_updates: int, window: int = 5) -> None:
        self._min_updates = min_updates
        self._window = window
        self._recent: deque[BatchSilence] = deque(maxlen=window)
        self._updates = 0

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        self._updates += 1
        self._recent.append(batch)
        if self._updates < self._min_updates or len(self._recent) < self._window:
            return False
        return any(
            all(2 * b.silent[k] > b.samples for b in self._recent)
            for k in range(len(batch.silent))
        )


class Never:
    """Stops nothing."""

    def update(self, batch: BatchSilence) -> bool:
        """See `Rule`."""
        return False


class _Listener:
    """Hears a network and tells a rule."""

    def __init__(self, edge: Edge, rule: Rule) -> None:
        self._edge = edge
        self._rule = rule

    def update(self, seen: Seen) -> bool:
        """See `Watch`."""
        return self._rule.update(batch_silence(seen, self._edge))


def batch_silence(seen: Seen, edge: Edge) -> BatchSilence:
    """Count what a batch did; nearness is only computed if a stage is silent."""
    counts = edge.judged(seen.stage_counts())
    samples = len(counts)
    silent = (counts < edge.alpha).sum(0).tolist()
    allowed = allowed_silent(samples, edge.beta)
    drive = [1.0] * len(silent)
    if max(silent) > allowed:
        near = edge.judged(seen.stage_nearness(edge.alpha)).sort(dim=0).values[allowed]
        drive = [
            float(d) if s > allowed else 1.0
            for d, s in zip(near.tolist(), silent, strict=True)
        ]
    return BatchSilence(samples=samples, silent=tuple(silent), drive=tuple(drive))


def watch_named(
    rule: str,
    edge: Edge,
    *,
    min_updates: int | None,
    planned_updates: int,
    samples_per_epoch: int,
) -> Watch:
    """The rule of that name, for one training.

    Args:
        rule: one of `RULES`.
        edge: alpha, beta and the stages that count.
        min_updates: no stop before so many updates, >= 0; ``None`` = the rule's own.
        planned_updates: of the whole training, >= 1.
        samples_per_epoch: size of the training split, >= 1.

    Raises:
        ConfigError: an unknown name.
    """
    match rule:
        case "drive" | "sequential" | "firmin":
            wait = 100 if min_updates is None else min_updates
            return _Listener(edge, Drive(min_updates=wait))
        case "none":
            return _Listener(edge, Never())
        case _:
            raise ConfigError(f"stop: got {rule!r}.{nearest(rule, RULES)}")
