"""Who worked when: spans and shares counted by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from moosnn.events import Kind
from moosnn.tracking.page.timeline import (
    Span,
    in_slots,
    spans_of,
    timeline,
    work_clock,
)
from moosnn.tracking.progress import Follower
from tests.tracking.page.stories import Told, metrics, problem_of

POINT = {"depth": 1, "rate": 0.1, "kind": "if"}


def told() -> Told:
    """Two workers, a loss, a driver that dies at 40 and comes back at 1040."""
    story = Told(problem_of())
    for number in range(4):
        story.propose(number, {**POINT, "rate": 0.1 + number / 10})
    story.submit(10, 0, "w1")
    story.submit(10, 1, "w2")
    story.finish(30, 0, metrics=metrics(0.9, 50), seconds=18)
    story.submit(30, 2, "w1")
    story.fail(40, 1, "lost", kind=Kind.RETRIED)
    story.say(Kind.OPENED, 1040)
    story.submit(1050, 1, "w3", attempt=2)
    story.fail(1060, 2, "diverged")
    story.submit(1060, 3, "w1")
    story.finish(1070, 1, 2, metrics=metrics(0.8, 40), seconds=20)
    story.say(Kind.CONFIRMING, 1070, 0, 2, {"replicate": 0, "job_id": "w3"})
    story.finish(1080, 0, 2, Kind.CONFIRMED, metrics=metrics(0.9, 50))
    return story


def test_the_clock_stands_still_while_no_driver_lives():
    history = told().history
    clock = work_clock(history)
    by_kind = dict(zip([e.kind for e in history], clock.tolist(), strict=True))
    assert by_kind[Kind.RETRIED] == 40
    assert by_kind[Kind.OPENED] == 40
    assert clock[-1] == 80


def test_the_clock_is_that_of_every_other_number_of_a_study():
    history = told().history
    ends = (Kind.FINISHED, Kind.FAILED, Kind.CORRECTED)
    clock = work_clock(history)
    ours = [t for e, t in zip(history, clock, strict=True) if e.kind in ends]
    curve = Follower.of(problem_of(), history).curve
    assert ours == [point.elapsed_s for point in curve]


def test_a_clock_that_goes_back_does_not_count():
    story = Told(problem_of())
    story.say(Kind.OPENED, 5)
    story.propose(0, POINT)
    story.submit(3, 0, "w")
    story.finish(7, 0, metrics=metrics(0.5, 10))
    assert work_clock(story.history).tolist() == [0, 0, 0, 0, 4]


def test_each_attempt_is_a_span_on_its_worker():
    history = told().history
    found = [
        (s.worker, s.start_s, s.end_s, s.number, s.kind)
        for s in spans_of(history, work_clock(history))
    ]
    assert found == [
        ("w1", 10, 30, 0, "trial"),
        ("w2", 10, 40, 1, "lost"),
        ("w1", 30, 60, 2, "trial"),  # diverged: the training ran
        ("w3", 50, 70, 1, "trial"),
        ("w1", 60, 80, 3, "trial"),  # runs still
        ("w3", 70, 80, 0, "confirm"),
    ]


def test_the_share_of_busy_workers_is_counted_by_hand():
    history = told().history
    found = timeline(history, work_clock(history))
    busy = 20 + 30 + 30 + 20 + 20 + 10
    assert found["utilisation"] == pytest.approx(busy / (2 * 70), rel=1e-5)
    assert (found["from_s"], found["to_s"]) == (10, 80)
    assert [worker["name"] for worker in found["workers"]] == ["w1", "w2", "w3"]
    assert found["workers"][2]["spans"] == [
        [50, 70, 1, "trial"],
        [70, 80, 0, "confirm"],
    ]
    assert found["trained_s"] == 38


def test_a_late_answer_ends_what_another_worker_does_for_nothing():
    story = Told(problem_of())
    story.propose(0, POINT)
    story.submit(0, 0, "w1")
    story.fail(5, 0, "lost", kind=Kind.RETRIED)
    story.submit(6, 0, "w2", attempt=2)
    story.finish(9, 0, 1, metrics=metrics(0.5, 10))
    history = story.history
    kinds = [
        (s.worker, s.end_s, s.kind) for s in spans_of(history, work_clock(history))
    ]
    assert kinds == [("w1", 5, "lost"), ("w2", 9, "lost")]


def test_what_early_stopping_spared_is_that_of_the_study_s_other_numbers():
    story = Told(problem_of())
    for number, (stop, share) in enumerate([("silent", 0.75), ("pruned", 0.5)]):
        story.propose(number, {**POINT, "rate": 0.1 + number / 10})
        story.submit(0, number, "w")
        found = {**metrics(0.5, 10), "work_saved": share}
        story.finish(9, number, metrics=found, stopped=stop, seconds=4, training_s=2)
    history = story.history
    found = timeline(history, work_clock(history))
    assert found["saved_s"] == 2 * 3 + 2 * 1
    assert found["saved_s"] == Follower.of(story.problem, history).now.saved_s


def test_jobs_that_each_run_one_trial_share_as_many_slots_as_run_at_once():
    spans = [
        Span(worker=f"job {k}", start_s=k, end_s=k + 2.5, number=k, kind="trial")
        for k in range(20)
    ]
    found = in_slots(spans)
    assert {span.worker for span in found} == {"slot 1", "slot 2", "slot 3"}
    for slot in ("slot 1", "slot 2", "slot 3"):
        own = [span for span in found if span.worker == slot]
        assert all(a.end_s <= b.start_s for a, b in pairwise(own))


def test_nothing_given_out_is_an_empty_timeline():
    history = Told(problem_of()).history
    found = timeline(history, work_clock(history))
    assert found["workers"] == []
    assert found["utilisation"] is None
