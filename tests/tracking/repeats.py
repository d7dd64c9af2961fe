"""A study that measured points again: what is on its front is known by hand."""

from __future__ import annotations

import math

from moosnn.events import Kind
from moosnn.trial import Evaluation
from tests.helpers import Story, toy_problem
from tests.tracking.test_summary import POINT, evaluation

FRONT = (1, 2)
# Of point 2, by hand: the variance within both repeated points is 0.05 for the accuracy
# and d^2 / 2 for the logarithm of the spikes, d = log10(3) in both; moderated by 4
# degrees of freedom, and the mean of two.
ACCURACY, SPIKES = 0.6, 20.0
ACCURACY_SEM = math.sqrt((4 * 0.05 + 0.02) / 5 / 2)
SPIKES_SEM = math.log10(3) / 2 * math.log(10) * SPIKES


def repeat(told: Story, first: int, measured: Evaluation) -> int:
    """Measure the point of a trial again."""
    number = told.history.proposals
    told._add(
        Kind.PROPOSED,
        number,
        params=dict(told.history.trial(first).proposal.params),
        seed=number,
        origin="replicate",
        seen=len(told.history),
        repeats=first,
    )
    told._add(Kind.SUBMITTED, number, job_id=f"job-{number}")
    told.finish_with(number, measured)
    return number


def lucky() -> Story:
    """Point 0 loses its place to point 1, which it dominated; point 2 stays."""
    told = Story(toy_problem())
    for width, measured in (
        (16, evaluation(0.9, 100.0)),
        (17, evaluation(0.8, 200.0)),
        (18, evaluation(0.5, 10.0)),
    ):
        told.finish_with(told.propose({**POINT, "width": width}), measured)
    repeat(told, 0, evaluation(0.5, 300.0))  # means 0.7 and 200
    repeat(told, 2, evaluation(0.7, 30.0))  # means 0.6 and 20
    return told
