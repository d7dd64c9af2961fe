"""What a trial will probably not exceed, for jobs that are made to measure.

Knows: what finished trials took, Gaussian processes. Must not know: executors beyond
what they are told, files, objectives.

The logarithms of seconds and of memory are modelled over the search space, and the
forecast is ``k`` standard deviations above the mean, the spread of a single trial
included. A trial that needs more is killed and done again with the full limits, so a
forecast that is exceeded costs about one trial; one that is too high costs time in a
queue.

Only trials that ran to their end teach it: one that was stopped as silent or by a
pruner was short for a reason that a proposal does not promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.cost import log_block
from moosnn.optimizers.cube import Cube
from moosnn.optimizers.posterior import Gp
from moosnn.optimizers.surrogate import default_hyper, fit
from moosnn.problem import Floats
from moosnn.runtime.executors import Expected
from moosnn.space import Params, Space
from moosnn.trial import Evaluation, Proposal

RESIDENT_MB = "resident_mb"  # the metric of the process's largest resident memory

_FEWEST = 16  # finished trials before anything is forecast
_RATIO = 1.1  # of the counts of trials at which models are made anew
_MOST_ROWS = 64  # the newest trials: a model of more takes too long
_DEVIATIONS = 3.0
_LEAST_ABOVE = math.log(1.25)  # where all trials took the same, another may not
_NOISE_SHARE = 0.1  # of the variance: clocks and memories are not the same twice
_SHORTEST_S = 1e-3  # what has a logarithm
# A job that had to go before its trial's end may have been too short for it.
_TOO_LITTLE = ("timeout", "out_of_memory", "preempted")


class Forecaster:
    """Forecasts of one study, a `moosnn.study.Forecast`.

    It reads on where it stopped, so its histories have to be those of one growing
    journal. Models are made when it is first asked with 16 finished trials or more, and
    anew after each further 10 %.

    Args:
        space: of the proposals.
    """

    def __init__(self, space: Space) -> None:
        self._cube = Cube(space)
        self._read = 0  # events
        self._past: list[tuple[Params, float, float | None]] = []
        self._due = _FEWEST
        self._seconds: _Upper | None = None
        self._memory: _Upper | None = None

    def __call__(self, history: History, proposal: Proposal) -> Expected | None:
        """What an attempt at a proposal will probably not exceed.

        Returns:
            Seconds and, if the task tells `RESIDENT_MB`, memory; ``None`` as long as
            fewer than 16 trials ran to their end, and for a trial of which an attempt
            had too little time or memory before.
        """
        self._read_on(history)
        if self._seconds is None or _had_too_little(history, proposal.number):
            return None
        point = self._cube.features_of([proposal.params])
        memory = self._memory
        return Expected(
            seconds=self._seconds.at(point),
            memory_mb=None if memory is None else memory.at(point),
        )

    def _read_on(self, history: History) -> None:
        for position in range(self._read, len(history)):
            event = history[position]
            if event.kind in (Kind.FINISHED, Kind.CORRECTED):
                assert event.number is not None, "the log refuses it"
                trial = history.trial(event.number)
                assert trial.evaluation is not None, "it is done"
                if trial.evaluation.stopped is None:
                    self._past.append((trial.proposal.params, *_took(trial.evaluation)))
        self._read = len(history)
        if len(self._past) >= self._due:
            self._due = math.ceil(len(self._past) * _RATIO)
            self._learn()

    def _learn(self) -> None:
        points = self._cube.features_of([params for params, _, _ in self._past])
        seconds = np.array([seconds for _, seconds, _ in self._past])
        self._seconds = _upper(self._cube, points, seconds)
        known = np.array([memory is not None for _, _, memory in self._past])
        if known.sum() >= _FEWEST:
            memory = np.array([memory or math.nan for _, _, memory in self._past])
            self._memory = _upper(self._cube, points[known], memory[known])


def forecaster_for(executor: object, space: Space) -> Forecaster | None:
    """Forecasts, if an executor makes its jobs to measure (``sized``)."""
    return Forecaster(space) if getattr(executor, "sized", False) else None


@dataclass(frozen=True, slots=True)
class _Upper:
    """A bound that single trials rarely exceed.

    Attributes:
        gp: of the standardised logarithms.
        noise: its noise's variance.
        mean: of the logarithms.
        sd: theirs.
    """

    gp: Gp
    noise: float
    mean: float
    sd: float

    def at(self, point: Floats) -> float:
        """At features ``1 x e``, in the quantity's unit."""
        means, variances = self.gp.marginal(point)
        spread = self.sd * math.sqrt(float(variances[0]) + self.noise)
        above = max(_DEVIATIONS * spread, _LEAST_ABOVE)
        return math.exp(self.mean + self.sd * float(means[0]) + above)


def _upper(cube: Cube, points: Floats, values: Floats) -> _Upper:
    """The bound that the newest of some values > 0 at ``n x e`` points give."""
    points, logs = points[-_MOST_ROWS:], np.log(values[-_MOST_ROWS:])
    block, sd = log_block(points, logs)
    start = default_hyper(cube.dim, _NOISE_SHARE)
    hyper = fit(block, 0, cube.parameter_of, [start], _NOISE_SHARE)
    gp = Gp.of(block, 0, hyper, cube.parameter_of)
    return _Upper(gp, math.exp(hyper.log_noise), float(logs.mean()), sd)


def _took(evaluation: Evaluation) -> tuple[float, float | None]:
    """Seconds, of all attempts if the training went on; MB, if they are told."""
    seconds = max(evaluation.seconds, evaluation.training_s or 0.0, _SHORTEST_S)
    memory = evaluation.metrics.get(RESIDENT_MB, 0.0)
    return seconds, memory if memory > 0 else None


def _had_too_little(history: History, number: int) -> bool:
    """Whether an attempt at a number ended for want of time or memory."""
    return number < history.proposals and any(
        _kind_of_failure(event) in _TOO_LITTLE for event in history.of_number(number)
    )


def _kind_of_failure(event: Event) -> str | None:
    failure = event.data.get("failure")
    return failure.get("kind") if isinstance(failure, dict) else None
