"""The numbers of a study, counted event by event, are those of its whole journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.runtime.record import read_record
from moosnn.tracking.progress import Follower, saved_s, study_id
from moosnn.trial import Evaluation
from tests.helpers import toy_problem
from tests.tracking.repeats import ACCURACY, SPIKES, lucky, repeat
from tests.tracking.test_summary import evaluation

PARAMS = {"depth": 1, "lr": 0.01, "threshold": 1.0}


def test_the_progress_of_a_real_study_is_what_its_journal_adds_up_to(
    digits_study: Path,
) -> None:
    record = read_record(digits_study)
    history, problem = record.history, record.problem
    follower = Follower.of(problem, history)
    now = follower.now
    front = front_of(problem, history.done)
    assert (now.front, now.hypervolume) == (front.numbers, front.hypervolume)
    assert now.ended == record.budget == len(follower.curve) == 12
    assert now.done == len(history.done)
    assert now.feasible == sum(problem.is_feasible(t) for t in history.done)
    silent = [t for t in history.done if problem.violations([t])[0, 0] > 0]
    assert now.silent == len(silent) > 0
    assert now.pending == 0
    assert now.retrained == len(history.of_kind(Kind.CONFIRMED)) == 3
    assert follower.running == []
    assert 0 < now.elapsed_s <= history[-1].time - history[0].time + 1e-6
    assert now.suggestion_s > 0
    assert now.saved_s > 0  # Sobol meets networks that are stopped as silent
    volumes = [point.hypervolume for point in follower.curve]
    assert volumes == sorted(volumes)
    for position in range(len(history)):
        prefix = history.prefix(position)
        if position % 7 == 0:
            assert Follower.of(problem, prefix).now.done == len(prefix.done)


def event(kind: Kind, time: float, number: int | None = None, **data: object) -> Event:
    attempt = (
        None if number is None or kind is Kind.PROPOSED else data.pop("attempt", 1)
    )
    return Event(kind=kind, number=number, attempt=attempt, time=time, data=data)


def proposed(time: float, number: int) -> Event:
    return event(
        Kind.PROPOSED,
        time,
        number,
        params=PARAMS,
        seed=0,
        origin="test",
        seen=1,
        repeats=None,
        seconds=0.5,
    )


def finished(time: float, number: int) -> Event:
    metrics = {"accuracy": 0.9, "spikes_per_sample": 10.0, "silence_margin": -1.0}
    evaluation = Evaluation(metrics=metrics).to_json()
    return event(Kind.FINISHED, time, number, evaluation=evaluation)


def failed(time: float, number: int, kind: str) -> Event:
    failure = {"kind": kind, "message": "a test", "log": None}
    return event(Kind.FAILED, time, number, failure=failure)


def follow(*events: Event) -> Follower:
    return Follower.of(toy_problem(), History.of(events))


def test_running_trials_with_their_last_epoch() -> None:
    begun = [
        event(Kind.STUDY, 0.0),
        proposed(1.0, 0),
        proposed(1.0, 1),
        event(Kind.SUBMITTED, 2.0, 0, job_id="w1"),
        event(Kind.SUBMITTED, 3.0, 1, job_id="w2"),
        event(Kind.REPORTED, 4.0, 1, step=2, metrics={}),
    ]
    running = follow(*begun).running
    assert [(r.number, r.step, r.since) for r in running] == [
        (0, None, 2.0),
        (1, 2, 3.0),
    ]
    failure = {"kind": "lost", "message": "a test", "log": None}
    retried = event(Kind.RETRIED, 5.0, 1, failure=failure)
    assert [r.number for r in follow(*begun, retried).running] == [0]
    again = event(Kind.SUBMITTED, 6.0, 1, job_id="w3", attempt=2)
    assert [r.attempt for r in follow(*begun, retried, again).running] == [1, 2]
    assert [r.number for r in follow(*begun, finished(7.0, 0)).running] == [1]


def test_the_time_between_two_drivers_does_not_count() -> None:
    follower = follow(
        event(Kind.STUDY, 100.0),
        proposed(102.0, 0),
        event(Kind.OPENED, 5000.0),
        finished(5001.0, 0),
        proposed(4000.0, 1),  # the clock was set back
    )
    assert follower.now.elapsed_s == 3.0


def test_a_failure_that_is_corrected_counts_once() -> None:
    begun = [event(Kind.STUDY, 0.0), proposed(1.0, 0), failed(2.0, 0, "timeout")]
    assert follow(*begun).now.failed == 1
    late = Event(**{**_fields(finished(3.0, 0)), "kind": Kind.CORRECTED})
    now = follow(*begun, late).now
    assert (now.failed, now.done, now.ended, now.pending) == (0, 1, 1, 0)
    assert now.front == (0,)


def _fields(e: Event) -> dict[str, object]:
    return {k: getattr(e, k) for k in ("kind", "number", "attempt", "time", "data")}


def test_the_time_left_follows_the_recent_pace() -> None:
    events = [event(Kind.STUDY, 0.0)]
    for number in range(30):
        start = 10.0 * number if number < 5 else 50.0 + 2.0 * (number - 5)
        events += [proposed(start, number), finished(start + 1.0, number)]
    follower = follow(*events)
    assert follower.left_s(40) == pytest.approx(20.0)
    assert follower.left_s(30) is None
    assert follow(*events[:3]).left_s(40) is None


def test_the_gain_is_that_of_the_last_ten_trials() -> None:
    events = [event(Kind.STUDY, 0.0)]
    for number in range(12):
        events += [proposed(number, number), finished(number, number)]
    assert follow(*events).gain == 0.0
    early = follow(*events[:5])
    assert early.gain == early.now.hypervolume > 0


def test_time_saved_is_known_of_stopped_trainings_only() -> None:
    stopped = Evaluation(metrics={"work_saved": 0.75}, stopped="silent", seconds=2.0)
    assert saved_s(stopped) == pytest.approx(6.0)
    training = replace(stopped, training_s=0.5)  # the rest of the 2 s was start-up
    assert saved_s(training) == pytest.approx(1.5)
    assert saved_s(Evaluation(metrics={"work_saved": 0.75}, seconds=2.0)) == 0.0
    assert saved_s(Evaluation(metrics={}, stopped="silent", seconds=2.0)) == 0.0


def test_a_study_keeps_its_id() -> None:
    first = event(Kind.STUDY, 1.5, digest="x")
    identity = study_id(History.of([first]))
    assert len(identity) == 12
    assert identity == study_id(History.of([first, proposed(2.0, 0)]))
    assert identity != study_id(History.of([event(Kind.STUDY, 1.5, digest="y")]))
    assert identity != study_id(History.of([event(Kind.STUDY, 1.6, digest="x")]))


def test_a_promise_that_is_taken_back_brings_back_what_it_dominated() -> None:
    history, problem = lucky().history, toy_problem()
    follower = Follower.of(problem, history)
    fronts = [point.front for point in follower.curve]
    assert fronts == [(0,), (0,), (0, 2), (1, 2), (1, 2)]
    volumes = [point.hypervolume for point in follower.curve]
    done = history.done
    expected = [front_of(problem, done[: n + 1]).hypervolume for n in range(len(done))]
    assert volumes == pytest.approx(expected)
    assert volumes[3] < volumes[2]
    assert follower.gain == pytest.approx(volumes[-1])


def test_members_have_means_and_trials_are_counted_one_by_one() -> None:
    follower = Follower.of(toy_problem(), lucky().history)
    now = follower.now
    assert (now.done, now.feasible, now.silent, now.ended) == (5, 5, 0, 5)
    member = follower.front[1]
    assert member.evaluation is not None
    assert member.evaluation.metrics["accuracy"] == pytest.approx(ACCURACY)
    assert member.evaluation.metrics["spikes_per_sample"] == pytest.approx(SPIKES)


def test_what_is_shown_of_the_front_stays_until_a_member_changes() -> None:
    told, problem = lucky(), toy_problem()
    follower = Follower.of(problem, told.history)
    before = follower.front

    def hear() -> None:
        follower.add(told.history[-1], told.history)

    repeat(told, 0, evaluation(0.1, 900.0))
    hear()
    assert follower.front is before
    repeat(told, 2, evaluation(0.6, 20.0))
    hear()
    assert follower.now.front == tuple(t.number for t in before)
    assert follower.front is not before
