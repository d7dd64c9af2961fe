"""Which members of a front are retrained and tested at the end, and with which seeds.

Knows: fronts and the journal's ``confirming`` and ``confirmed`` events. Must not know:
executors, tasks. Pure functions: the loop itself is in `study`.

A front is the best of many noisy measurements, so its validation values flatter it.
Each chosen member is therefore trained again with `SEEDS` new seeds and read once on
the test split. No optimizer ever sees these numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.pareto.dominance import spread
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.trial import CONFIRM, Evaluation, Failure, Proposal, Trial

SEEDS = 3
_STREAM = 2  # keeps these seeds apart from the trials'

# A trial number and which of its retrainings, 0 <= replicate < SEEDS.
Retraining = tuple[int, int]


def confirm_seed(seed: int, number: int, replicate: int) -> int:
    """The seed of a retraining, in [0, 2**31).

    Args:
        seed: of the study.
        number: of the trial.
        replicate: which retraining of it.
    """
    key = [seed, number, _STREAM, replicate]
    return int(np.random.default_rng(key).integers(2**31))


def confirm_proposal(history: History, seed: int, retraining: Retraining) -> Proposal:
    """The proposal that an executor runs for a retraining."""
    number, replicate = retraining
    return replace(
        history.trial(number).proposal,
        seed=confirm_seed(seed, number, replicate),
        origin=CONFIRM,
    )


def most_retrainings(count: int | None, budget: int) -> int:
    """How many there can be at most.

    Args:
        count: as `unconfirmed`'s.
        budget: of the study.
    """
    return SEEDS * (budget if count is None else min(count, budget))


def unconfirmed(
    problem: Problem, history: History, count: int | None
) -> list[Retraining]:
    """The retrainings that are still to be done.

    Args:
        problem: says what the front is.
        history: what happened.
        count: how many members, spread along the front; ``None`` = all.

    Returns:
        Pairs of trial number and replicate, member by member.
    """
    done = {(e.number, e.data["replicate"]) for e in history.of_kind(Kind.CONFIRMED)}
    chosen = chosen_members(problem, history, count)
    wanted = [(number, replicate) for number in chosen for replicate in range(SEEDS)]
    return [pair for pair in wanted if pair not in done]


def chosen_members(problem: Problem, history: History, count: int | None) -> list[int]:
    """The trial numbers that are retrained, spread along the front.

    Members that do not dominate the reference are of no interest to whoever set it:
    they are chosen only if no member does.
    """
    front = front_of(problem, history.done)
    members = front.within(problem) or front
    shape = (len(members), len(problem.objectives))
    losses = np.array(members.losses).reshape(shape)
    rows = spread(losses, len(members) if count is None else count)
    return [members.numbers[row] for row in rows]


def unfinished(history: History, seed: int) -> dict[Retraining, Trial]:
    """The retrainings that were submitted and have not ended, as trials to attach."""
    running: dict[Retraining, Trial] = {}
    for event in history:
        if event.kind not in (Kind.CONFIRMING, Kind.CONFIRMED):
            continue
        assert event.number is not None
        retraining = (event.number, int(event.data["replicate"]))
        if event.kind is Kind.CONFIRMED:
            running.pop(retraining, None)
        else:
            running[retraining] = Trial(
                proposal=confirm_proposal(history, seed, retraining),
                attempt=event.attempt or 0,
                job_id=event.data["job_id"],
            )
    return running


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What the retrainings of one trial gave.

    Attributes:
        evaluations: on the test split, in the order of the replicates.
        failures: the retrainings that failed.
    """

    evaluations: tuple[Evaluation, ...] = ()
    failures: tuple[Failure, ...] = ()

    def values(self, metric: str) -> list[float]:
        """A metric of every retraining that measured it."""
        return [e.metrics[metric] for e in self.evaluations if metric in e.metrics]


def confirmed(history: History) -> Mapping[int, Confirmed]:
    """The finished retrainings by trial number."""
    events = history.of_kind(Kind.CONFIRMED)
    found: dict[int, Confirmed] = {}
    for event in sorted(events, key=lambda e: int(e.data["replicate"])):
        assert event.number is not None
        so_far = found.get(event.number, Confirmed())
        if "evaluation" in event.data:
            evaluation = Evaluation.from_json(event.data["evaluation"])
            so_far = replace(so_far, evaluations=(*so_far.evaluations, evaluation))
        else:
            failure = Failure.from_json(event.data["failure"])
            so_far = replace(so_far, failures=(*so_far.failures, failure))
        found[event.number] = so_far
    return found
