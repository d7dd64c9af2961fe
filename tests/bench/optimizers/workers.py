"""Eight workers in simulated time: what proposing before results are known costs."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator

import numpy as np

from moosnn.trial import Proposal
from tests.bench.optimizers.problems import Case
from tests.bench.optimizers.runs import Line, Searcher, evaluated, line_of

WORKERS = 8
SUFFIX = f"-{WORKERS}-workers"
SPREAD = 0.5  # standard deviation of the logarithm of a duration; its median is 1
_DURATIONS = 11  # keeps these random numbers apart from all others of a seed


def duration(seed: int, number: int) -> float:
    """How long a trial takes, log-normal, the same for every optimizer."""
    rng = np.random.default_rng([seed, number, _DURATIONS])
    return float(rng.lognormal(0.0, SPREAD))


def search_together(
    case: Case, searcher: Searcher, count: int, seed: int
) -> Iterator[Line]:
    """The lines of ``count`` trials in the order in which they finish."""
    now, asked = 0.0, 0
    running: list[tuple[float, int, Proposal, float]] = []
    while asked < count or running:
        while asked < count and len(running) < WORKERS:
            start = time.process_time()
            proposal = searcher.ask()
            cpu_s = time.process_time() - start
            end = now + duration(seed, proposal.number)
            heapq.heappush(running, (end, proposal.number, proposal, cpu_s))
            asked += 1
        now, _, proposal, cpu_s = heapq.heappop(running)
        trial = evaluated(case, proposal)
        start = time.process_time()
        searcher.tell(trial)
        cpu_s += time.process_time() - start
        yield line_of(case.problem, trial, cpu_s)
