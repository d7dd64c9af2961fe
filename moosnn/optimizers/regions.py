"""Trust regions: how long they are and whose trials are whose, read from a history.

Knows: who proposed a trial, whether its result was progress. Must not know: models,
candidates,
where a region lies.

A region is charged with the results of its own trials. As results come one at a time
and late, the batches of [Eriksson2021]_ become *rounds*: as many results as the region
had trials running when the round's first result came. A round is a success if any of
them is; a few successes in a row double the region's length, a few failures halve it.
A result of a trial that was proposed before the length last changed says nothing about
the present length: it moves the centre, and is charged to nobody.

A region that has become too short ends its *life*: the next begins at full length
around a trial of its own, and its centre is chosen among the trials of that life, or
the region would go straight back to where it failed.

.. [Eriksson2021] D. Eriksson, M. Poloczek. Scalable Constrained Bayesian Optimization.
   AISTATS 2021.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.cube import Indexes
from moosnn.optimizers.outcomes import VIABILITY_KINDS
from moosnn.pareto.hypervolume import hypervolume
from moosnn.problem import Floats, Problem
from moosnn.trial import Trial

_ORIGIN = re.compile(r"region-(\d+)")
_LEAST_PROGRESS = 1e-3  # of the best so far, as [Eriksson2021]
_LEAST_FAILURES = 4  # trials that must fail before a region shrinks, as there


def origin_of(region: int) -> str:
    """The origin of a region's proposals; people count regions from 1."""
    return f"region-{region + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a region grows and shrinks; the numbers are those of [Eriksson2021]_.

    Attributes:
        dim: parameters of the space.
        initial_length: of a life, a side of the region in the unit cube.
        smallest_length: below it the life ends.
        largest_length: it grows no further.
        success_tolerance: rounds in a row.
    """

    dim: int = 1
    initial_length: float = 0.8
    smallest_length: float = 2.0**-7
    largest_length: float = 1.6
    success_tolerance: int = 3

    def failure_tolerance(self, at_once: int) -> int:
        """Rounds in a row, of so many trials each, after which a region shrinks."""
        return math.ceil(max(_LEAST_FAILURES / at_once, self.dim / at_once))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The state of one region.

    Attributes:
        length: of a side in the unit cube, before it is weighted.
        life: how often it began anew.
        stage: how often its length was set anew.
        successes: rounds in a row that succeeded.
        failures: rounds in a row that did not.
        results: how many the present round has.
        round_size: how many it takes.
        progress: whether one of them was a success.
    """

    length: float
    life: int = 0
    stage: int = 0
    successes: int = 0
    failures: int = 0
    results: int = 0
    round_size: int = 1
    progress: bool = False

    def after(self, success: bool, at_once: int, rules: Rules) -> Region:
        """The state after one more result of its present stage.

        Args:
            success: whether it was progress.
            at_once: how many trials of the stage were running, this one included.
            rules: when it grows and shrinks.
        """
        heard = replace(
            self,
            results=self.results + 1,
            round_size=self.round_size if self.results else at_once,
            progress=self.progress or success,
        )
        return heard if heard.results < heard.round_size else heard._closed(rules)

    def _closed(self, rules: Rules) -> Region:
        successes = self.successes + 1 if self.progress else 0
        failures = 0 if self.progress else self.failures + 1
        begun = Region(length=self.length, life=self.life, stage=self.stage + 1)
        if successes >= rules.success_tolerance:
            return replace(begun, length=min(2 * self.length, rules.largest_length))
        if failures >= rules.failure_tolerance(self.round_size):
            if self.length / 2 >= rules.smallest_length:
                return replace(begun, length=self.length / 2)
            return replace(begun, length=rules.initial_length, life=self.life + 1)
        return replace(begun, stage=self.stage, successes=successes, failures=failures)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose trial a trial is: which region's, in which life and stage."""

    region: int
    life: int
    stage: int


@dataclass(frozen=True, slots=True)
class Regions:
    """All regions after a history.

    Attributes:
        states: one a region.
        owners: of the trials that regions proposed, by number.
    """

    states: tuple[Region, ...]
    owners: Mapping[int, Owner]

    def trials_of(self, region: int, life: int, trials: Sequence[Trial]) -> Indexes:
        """The places, among some trials, of those of one life."""
        owners = (self.owners.get(t.number) for t in trials)
        lives = [owner and (owner.region, owner.life) for owner in owners]
        return np.flatnonzero([found == (region, life) for found in lives])


def replayed(problem: Problem, history: History, rules: Rules, count: int) -> Regions:
    """The states of ``count`` regions after a history.

    Failures of the machine (lost, preempted, …) are no results.
    """
    known = Known(problem)
    states = [[Region(length=rules.initial_length)] for _ in range(count)]
    since = [[0] for _ in range(count)]  # how many events each state had behind it
    owners: dict[int, Owner] = {}
    running: dict[int, Owner] = {}
    for length, event in enumerate(history, start=1):
        number = event.number
        if number is not None and event.kind is Kind.PROPOSED:
            found = _ORIGIN.fullmatch(str(event.data["origin"]))
            region = int(found[1]) - 1 if found else -1
            if 0 <= region < count:
                seen = bisect_right(since[region], int(event.data["seen"])) - 1
                state = states[region][seen]
                owners[number] = Owner(region, state.life, state.stage)
                running[number] = owners[number]
        elif event.kind in (Kind.FINISHED, Kind.CORRECTED, Kind.FAILED):
            assert number is not None, "the log refuses it"
            running.pop(number, None)
            trial, owner = history.prefix(length).trial(number), owners.get(number)
            success = known.improved_by(trial)
            if trial.failure and trial.failure.kind not in VIABILITY_KINDS:
                continue
            if owner and owner.stage == states[owner.region][-1].stage:
                at_once = 1 + sum(other == owner for other in running.values())
                now = states[owner.region][-1].after(success, at_once, rules)
                states[owner.region].append(now)
                since[owner.region].append(length)
    return Regions(tuple(each[-1] for each in states), owners)


class Known:
    """The best of the trials so far, which the next is compared with.

    Args:
        problem: what is wanted.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._violations = np.empty((0, len(problem.constraints)))
        self._losses = np.empty((0, len(problem.objectives)))
        self._volume = 0.0

    def improved_by(self, trial: Trial) -> bool:
        """Whether a trial is progress over those before it, of which it is then one.

        Progress is the first feasible trial; one that adds a thousandth to the best
        objective, or with several objectives to the hypervolume; as long as none lies
        above the reference, one that falls less short of it; and as long as none is
        feasible, one that violates the constraints a thousandth less in all.
        """
        if self._problem.is_feasible(trial):
            return self._better(self._problem.losses([trial]))
        if trial.evaluation is None or trial.is_pruned or len(self._losses):
            return False
        violations = self._problem.violations([trial])
        if not (violations > 0).any():
            return False
        self._violations = np.vstack([self._violations, violations])
        return _is_least(total_violations(self._violations))

    def _better(self, losses: Floats) -> bool:
        before, volume = self._losses, self._volume
        self._losses = np.vstack([before, losses])
        if not len(before):
            self._volume = hypervolume(losses, self._problem.reference)
            return True
        if losses.shape[1] == 1:
            best = float(before.min())
            return best - float(losses[0, 0]) > _LEAST_PROGRESS * abs(best)
        short = np.maximum(self._losses - self._problem.reference, 0.0)
        if not (short[-1] > 0).any():
            front = self._losses[~(short > 0).any(axis=1)]
            self._volume = hypervolume(front, self._problem.reference)
        if self._volume > 0:
            return self._volume > (1 + _LEAST_PROGRESS) * volume
        return _is_least((short / spread_of(self._losses)).sum(axis=1))


def _is_least(totals: Floats) -> bool:
    """Whether the last is clearly less than all before it."""
    return bool((totals[-1] < (1 - _LEAST_PROGRESS) * totals[:-1]).all())


def total_violations(violations: Floats) -> Floats:
    """How far trials violate all constraints together, ``n x c`` -> ``n``, >= 0.

    Each is clamped at its bound, so that no slack in one makes up for another, and
    counted in standard deviations.
    """
    clamped = np.maximum(violations, 0.0) / spread_of(violations)
    return np.asarray(clamped.sum(axis=1))


def spread_of(values: Floats) -> Floats:
    """The standard deviation of each column, 1 where it is constant."""
    deviation = values.std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)
