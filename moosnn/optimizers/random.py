"""Random: independent uniform points, whatever was measured.

Knows: the unit cube and which points are taken. Must not know: objectives, models.
"""

from __future__ import annotations

from moosnn.history import History
from moosnn.optimizers.base import Fresh, generator, proposal
from moosnn.optimizers.sobol import grid
from moosnn.problem import Problem
from moosnn.space import Space, Value
from moosnn.trial import Proposal

_PROBES = 2048  # points that are drawn for one proposal


class Random:
    """Proposes a uniform point of the unit cube, drawn anew for every trial.

    A point that was proposed before or is not admissible is drawn again, so the answer
    depends on the seed, the trial's number and the taken points only.
    """

    def propose(
        self, problem: Problem, history: History, count: int, seed: int
    ) -> list[Proposal]:
        """The next points; see `Optimizer.propose`."""
        fresh = Fresh(problem, history)
        proposals: list[Proposal] = []
        for offset in range(count):
            number = history.proposals + offset
            params = random_point(problem.space, fresh, seed, number)
            if params is None:
                break
            fresh.take(params)
            proposals.append(proposal(history, offset, seed, params, "random"))
        return proposals


def random_point(
    space: Space, fresh: Fresh, seed: int, number: int
) -> dict[str, Value] | None:
    """The first fresh point among those that one proposal draws.

    Args:
        space: what may be tried.
        fresh: which points may.
        seed: of the study.
        number: of the proposal, >= 0.

    Returns:
        A canonical point. ``None`` if 2,048 points are taken or refused, and the
        exhaustive search of a small finite space (`grid`) finds none either.
    """
    rng = generator(seed, number)
    for _ in range(_PROBES):
        params = space.decode(rng.random(len(space)).tolist())
        if fresh(params):
            return params
    return next((params for params in grid(space) if fresh(params)), None)
