"""Sobol: points that fill the space evenly, whatever was measured.

Knows: the unit cube and which points are taken. Must not know: objectives, models.

Every other optimizer starts with these points and falls back on them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from scipy.stats import qmc

from moosnn.history import History
from moosnn.optimizers.base import Fresh, proposal
from moosnn.problem import Problem
from moosnn.space import Space, Value
from moosnn.trial import Proposal

_PROBES = 2048  # points of the sequence that are looked at for one proposal
_GRID_LIMIT = 65_536  # a finite space up to this size is searched exhaustively


class Sobol:
    """Proposes the n-th point of a scrambled Sobol sequence as trial n.

    A point that was proposed before or is not admissible is skipped for the next one
    of the sequence, so the answer depends on the seed and the taken points only.
    """

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points of the sequence; see `Optimizer.propose`."""
        fresh = Fresh(problem, history)
        proposals: list[Proposal] = []
        for offset in range(count):
            params = sobol_point(problem.space, fresh, seed, history.proposals + offset)
            if params is None:
                break
            fresh.take(params)
            proposals.append(proposal(history, offset, seed, params, "sobol"))
        return proposals


def sobol_point(
    space: Space, fresh: Fresh, seed: int, number: int
) -> dict[str, Value] | None:
    """The first fresh point at or after a place in the scrambled Sobol sequence.

    Args:
        space: what may be tried.
        fresh: which points may.
        seed: of the scrambling.
        number: the place, >= 0.

    Returns:
        A canonical point. ``None`` if 2,048 points of the sequence are taken or
        refused, and the exhaustive search of a finite space (up to 65,536
        combinations of values) finds none either.
    """
    engine = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
    if number > 0:  # SciPy's fast_forward(0) overflows
        engine.fast_forward(number)
    for _ in range(_PROBES):
        params = space.decode(engine.random(1)[0])
        if fresh(params):
            return params
    return next((params for params in grid(space) if fresh(params)), None)


def grid(space: Space) -> Iterator[dict[str, Value]]:
    """Every canonical point of a small finite space; nothing for any other space.

    A point may come more than once, if parameters are conditional.
    """
    parameters = space.parameters.values()
    if math.prod(p.count or math.inf for p in parameters) <= _GRID_LIMIT:
        for combination in itertools.product(*(p.values() for p in parameters)):
            yield space.canonical(dict(zip(space, combination, strict=True)))
