"""The chain of surrogate fits: which hyperparameters belong to a history.

Knows: at which events of a history models are fitted. Must not know: how a fit works,
what models are for.

Hyperparameters are fitted at grid points, which are counts of finished evaluations in
the order of the journal: each one up to 32, then every further 15 %, and the first
feasible one. Each fit starts where the one before it ended, so the hyperparameters of
a history are a function of the whole chain. Memory of earlier fits saves work and
changes nothing: a chain that remembers nothing arrives at the same numbers, bit for
bit.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from moosnn.history import Event, History, Kind
from moosnn.optimizers.base import choices_of
from moosnn.optimizers.outcomes import Block, Blocks, blocks_of
from moosnn.optimizers.surrogate import Hyper, fit
from moosnn.problem import Mask, Problem

_DENSE = 32  # up to here every finished evaluation is a grid point
_RATIO = 1.15
_REMEMBERED = 1024  # links; a link holds about 100 numbers


@dataclass(frozen=True, slots=True)
class Fits:
    """The hyperparameters of each block; ``None`` = nothing to fit so far."""

    objectives: Hyper | None = None
    constraints: Hyper | None = None
    viability: Hyper | None = None


class FitChain:
    """Computes the chain of a history, remembering its links."""

    def __init__(self, noise_share: float) -> None:
        self._noise_share = noise_share
        self._links: dict[str, Fits] = {}

    def fits(self, problem: Problem, history: History) -> Fits:
        """The hyperparameters at the last grid point of a history."""
        fits = Fits()
        for length, key in _grid_points(problem, history):
            known = self._links.get(key)
            if known is None:
                prefix = history.prefix(length)
                known = _refit(problem, prefix, fits, self._noise_share)
                self._remember(key, known)
            fits = known
        return fits

    def _remember(self, key: str, fits: Fits) -> None:
        self._links[key] = fits
        while len(self._links) > _REMEMBERED:
            del self._links[next(iter(self._links))]


def started(fits: Hyper | None, block: Block, noise_share: float) -> Hyper:
    """Hyperparameters that fit a block's shape: the given ones, or the default."""
    outputs, dim = block.values.shape[1], block.points.shape[1]
    return fits or Hyper.default(outputs, dim, noise_share)


def _refit(
    problem: Problem, history: History, before: Fits, noise_share: float
) -> Fits:
    blocks: Blocks = blocks_of(problem, history)
    choices: Mask = choices_of(problem.space)
    after = {}
    for each in fields(Fits):
        block = getattr(blocks, each.name)
        start = getattr(before, each.name)
        if block is not None:
            start = started(start, block, noise_share)
            start = fit(block, choices, start, noise_share)
        after[each.name] = start
    return Fits(**after)


def _grid_points(problem: Problem, history: History) -> Iterator[tuple[int, str]]:
    """The lengths of the prefixes at which models are fitted, with their digests."""
    space, wanted = problem.space.to_config(), problem.to_config()
    digest = hashlib.sha256(json.dumps([space, wanted]).encode())
    count, following, feasible = 0, 1, False
    for position, event in enumerate(history):
        if event.kind not in (Kind.FINISHED, Kind.CORRECTED, Kind.FAILED):
            continue
        assert event.number is not None, "the log refuses it"
        trial = history.trial(event.number)
        digest.update(_spelling(event, dict(trial.proposal.params)))
        if event.kind is Kind.FAILED:
            continue
        count += 1
        first_feasible = not feasible and problem.is_feasible(trial)
        feasible = feasible or first_feasible
        if count == following or first_feasible:
            yield position + 1, digest.hexdigest()
        if count == following:
            following = count + 1 if count < _DENSE else math.ceil(count * _RATIO)


def _spelling(event: Event, params: dict[str, object]) -> bytes:
    """Everything of an end of a trial that a model could use."""
    told = event.data.get("failure") or event.data["evaluation"]
    return json.dumps([event.kind, event.number, params, told]).encode()
