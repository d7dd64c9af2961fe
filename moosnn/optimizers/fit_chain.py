"""The chain of surrogate fits: which hyperparameters belong to a history.

Knows: at which events of a history models are fitted. Must not know: how a fit works,
what models are for.

Hyperparameters are fitted at grid points, which are counts of finished evaluations in
the order of the journal: each one up to 64, then every further 10 %, and the first
observed one. Up to 64 a fit starts from the default alone; beyond, also where the fit
of the grid point before ended. So the hyperparameters of a history are a function of
the history. Memory of earlier fits saves work and changes nothing: a chain that
remembers nothing arrives at the same numbers, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, fields

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.carried import Reports, carried_on, reports_of
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.outcomes import Block, as_modelled, blocks_of
from moosnn.optimizers.surrogate import Hyper, default_hyper, fit
from moosnn.problem import Problem

_DENSE = 64  # up to here every finished evaluation is a grid point
_RATIO = 1.1
_REMEMBERED = 256  # links; a link holds some hundred numbers


@dataclass(frozen=True, slots=True)
class Fits:
    """The hyperparameters of each column of each block; empty = nothing to fit yet."""

    objectives: tuple[Hyper, ...] = ()
    constraints: tuple[Hyper, ...] = ()
    viability: tuple[Hyper, ...] = ()


class FitChain:
    """Computes the chain of a history, remembering its links.

    Args:
        noise_share: what share of an outcome's variance its noise is expected to be.
    """

    def __init__(self, noise_share: float) -> None:
        self._noise_share = noise_share
        self._links: dict[str, Fits] = {}

    def fits(self, problem: Problem, history: History, cube: Cube) -> Fits:
        """The hyperparameters at the last grid point of a history."""
        fits = Fits()
        for length, key in grid_points(problem, history):
            known = self._links.get(key)
            if known is None:
                known = self._fitted(problem, history.prefix(length), cube, fits)
                self._remember(key, known)
            fits = known
        return fits

    def completed(self, fits: tuple[Hyper, ...], block: Block, dim: int) -> list[Hyper]:
        """Hyperparameters for each column of a block; without a fit the default."""
        return list(fits) or [self._default(dim, far=bool(f)) for f in block.far]

    def _default(self, dim: int, *, far: bool) -> Hyper:
        return default_hyper(dim, self._noise_share, far=far)

    def _fitted(
        self, problem: Problem, history: History, cube: Cube, before: Fits
    ) -> Fits:
        blocks = blocks_of(problem, history, cube, carried_on(problem, history))
        after: dict[str, tuple[Hyper, ...]] = {}
        for each in fields(Fits):
            block: Block | None = getattr(blocks, each.name)
            last: tuple[Hyper, ...] = getattr(before, each.name)
            after[each.name] = last
            if block is not None:
                after[each.name] = tuple(
                    fit(
                        block,
                        column,
                        cube.parameter_of,
                        [
                            self._default(cube.dim, far=bool(far)),
                            *last[column : column + 1],
                        ],
                        self._noise_share,
                    )
                    for column, far in enumerate(block.far)
                )
        return Fits(**after)

    def _remember(self, key: str, fits: Fits) -> None:
        self._links[key] = fits
        while len(self._links) > _REMEMBERED:
            del self._links[next(iter(self._links))]


def grid_points(problem: Problem, history: History) -> list[tuple[int, str]]:
    """The lengths of the prefixes that a history's fits go through, with digests.

    Those up to 64 evaluations do not depend on each other: only the last is needed.
    """
    space, wanted = problem.space.to_config(), problem.to_config()
    digest = hashlib.sha256(json.dumps([space, wanted]).encode())
    dense: list[tuple[int, str]] = []
    sparse: list[tuple[int, str]] = []
    count, following, observed = 0, 1, False
    for position, event in enumerate(history):
        if event.kind not in (Kind.FINISHED, Kind.CORRECTED, Kind.FAILED):
            continue
        assert event.number is not None, "the log refuses it"
        trial = history.trial(event.number)
        trial = as_modelled(problem, history, trial) or trial
        reports = reports_of(problem, history, event.number)
        digest.update(_spelling(event, dict(trial.proposal.params), reports))
        if event.kind is Kind.FAILED:
            continue
        count += 1
        first_observed = not observed and problem.is_observed(trial)
        observed = observed or first_observed
        if count == following or first_observed:
            point = (position + 1, digest.hexdigest())
            if count <= _DENSE:
                dense = [point]
            else:
                sparse.append(point)
        if count == following:
            following = count + 1 if count < _DENSE else math.ceil(count * _RATIO)
    return dense + sparse


def _spelling(event: Event, params: dict[str, object], reports: Reports) -> bytes:
    """Everything of an end of a trial that a model could use."""
    told = event.data.get("failure") or event.data["evaluation"]
    return json.dumps([event.kind, event.number, params, told, reports]).encode()
