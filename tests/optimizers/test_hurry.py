"""When suggestions are drawn instead of searched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from moosnn.events import Event, Kind
from moosnn.history import History, HistoryBuilder
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.ehvi import Ehvi
from moosnn.optimizers.hurry import is_hurried
from moosnn.optimizers.qnehvi import Qnehvi
from moosnn.optimizers.sobol import Sobol
from moosnn.problem import Problem
from moosnn.tasks.analytic import AnalyticTask
from tests.helpers import load_problem

QUICK = {"raw_candidates": 64, "restarts": 2, "iterations": 10}
MAKERS: list[Callable[[], Optimizer]] = [
    lambda: Ehvi(initial=4, **QUICK),  # type: ignore[arg-type] # all of them numbers
    lambda: Qnehvi(initial=4, mc_samples=16, **QUICK),  # type: ignore[arg-type] # as above
]


def told(
    problem: Problem,
    *,
    trial_s: float,
    suggestion_s: float | None,
    pending: int = 16,
    submitted: bool = True,
) -> History:
    """Twelve trials that ended and some that did not, with what they took."""
    builder, task = HistoryBuilder(), AnalyticTask("branin_currin")
    for number in range(12 + pending):
        (proposal,) = Sobol().propose(problem, builder.history, 1, 0)
        data: dict[str, Any] = proposal.to_json()
        del data["number"]
        if suggestion_s is not None:
            data["seconds"] = suggestion_s
        builder.append(Event(kind=Kind.PROPOSED, number=number, data=data))
        if submitted:
            job = {"job_id": f"w{number}"}
            builder.append(
                Event(kind=Kind.SUBMITTED, number=number, attempt=1, data=job)
            )
        if number < 12:
            evaluation = replace(task.evaluate(proposal, None), seconds=trial_s)  # type: ignore[arg-type] # a formula needs no context
            ended = {"evaluation": evaluation.to_json()}
            builder.append(
                Event(kind=Kind.FINISHED, number=number, attempt=1, data=ended)
            )
    return builder.history


@pytest.mark.parametrize(
    ("trial_s", "suggestion_s", "hurried"),
    [
        (160.0, 6.9, False),  # 16 pending: an end every ten seconds
        (160.0, 7.1, True),
        (160.0, 0.0, False),
        (0.0, 7.1, False),  # trials without a duration say nothing
        (1e-3, 1e-3, True),
    ],
)
def test_hurried_is_who_suggests_slower_than_trials_end(
    trial_s: float, suggestion_s: float, hurried: bool
) -> None:
    history = told(
        load_problem("branin_currin"), trial_s=trial_s, suggestion_s=suggestion_s
    )
    assert is_hurried(history) == hurried


@pytest.mark.parametrize("pending", [0, 1, 15])
def test_few_workers_rather_wait(pending: int) -> None:
    problem = load_problem("branin_currin")
    history = told(problem, trial_s=1.0, suggestion_s=60.0, pending=pending)
    assert not is_hurried(history)


def test_workers_that_wait_count_as_those_that_work() -> None:
    """Of sixteen that ran, three have ended and wait for a suggestion."""
    problem, task = load_problem("branin_currin"), AnalyticTask("branin_currin")
    history = told(problem, trial_s=1.0, suggestion_s=60.0)
    builder = HistoryBuilder()
    for event in history:
        builder.append(event)
    for number in (12, 13, 14):
        trial = history.trial(number)
        measured = replace(task.evaluate(trial.proposal, None), seconds=1.0)  # type: ignore[arg-type] # a formula needs no context
        ended = {"evaluation": measured.to_json()}
        builder.append(Event(kind=Kind.FINISHED, number=number, attempt=1, data=ended))
    assert len(builder.history.pending) == 13
    assert is_hurried(builder.history)


def test_points_that_were_only_asked_for_keep_nobody_waiting() -> None:
    """An ask-and-tell loop tells its times as well."""
    problem = load_problem("branin_currin")
    asked = {"trial_s": 1.0, "suggestion_s": 60.0}
    assert is_hurried(told(problem, **asked))
    assert not is_hurried(told(problem, **asked, submitted=False))


def test_without_times_nobody_hurries() -> None:
    history = told(load_problem("branin_currin"), trial_s=1.0, suggestion_s=None)
    assert not is_hurried(history)


def test_only_the_last_suggestions_count() -> None:
    """A slow beginning is forgotten after eight fast ones."""
    problem = load_problem("branin_currin")
    events = list(told(problem, trial_s=160.0, suggestion_s=60.0))
    assert is_hurried(History.of(events))
    positions = [i for i, e in enumerate(events) if e.kind is Kind.PROPOSED][-8:]
    for position in positions:
        data = {**events[position].data, "seconds": 0.1}
        events[position] = replace(events[position], data=data)
    assert not is_hurried(History.of(events))


@pytest.mark.parametrize("make", MAKERS)
def test_in_a_hurry_points_are_drawn_and_replay_draws_them_again(
    make: Callable[[], Optimizer],
) -> None:
    problem = load_problem("branin_currin")
    history = told(problem, trial_s=1.0, suggestion_s=60.0)
    (first,) = make().propose(problem, history, 1, 3)
    (again,) = make().propose(problem, history, 1, 3)
    (other,) = make().propose(problem, history, 1, 4)
    assert first.origin == "drawn"
    assert first == again
    assert first.params != other.params
    calm = told(problem, trial_s=1e4, suggestion_s=0.1)
    (careful,) = make().propose(problem, calm, 1, 3)
    assert careful.origin in ("ehvi", "qnehvi")


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_drawn_is_new_and_not_where_another_is_pending(
    make: Callable[[], Optimizer],
) -> None:
    problem = load_problem("branin_currin")
    history = told(problem, trial_s=1.0, suggestion_s=60.0)
    found = make().propose(problem, history, 6, 3)
    points = [tuple(p.params.values()) for p in found]
    known = [tuple(t.proposal.params.values()) for t in history.trials]
    assert {p.origin for p in found} == {"drawn"}
    assert len(set(points)) == 6
    assert not set(points) & set(known)
