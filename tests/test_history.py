"""What happens in a study: JSON forms, refusals, and histories against an oracle."""

import copy
import json
import math
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest

from moosnn.errors import DivergedError
from moosnn.events import Event, Kind
from moosnn.history import CORRECTABLE, History, HistoryBuilder
from moosnn.trial import FAILURE_KINDS, Evaluation, Failure, Proposal, Status, Trial

PROPOSAL = Proposal(
    number=3,
    params={"depth": 2, "rate": 0.5, "neuron": "lif", "skip": True},
    seed=7,
    origin="sobol",
    seen=11,
    repeats=1,
)
EVALUATION = Evaluation(
    metrics={"accuracy": 0.9, "spikes": 120.0},
    sems={"accuracy": 0.01},
    stopped="pruned",
    seconds=1.5,
    training_s=1.25,
    device="cuda:0",
)
FAILURE = Failure(kind="lost", message="the worker is gone", log="trials/3/1/log")
OUTCOMES = (PROPOSAL, EVALUATION, FAILURE)


def proposed(number, **changes):
    fields = {"params": {"x": number / 100}, "seed": number, "origin": "sobol"}
    data = {**fields, "seen": 0, "repeats": None, **changes}
    return Event(kind=Kind.PROPOSED, number=number, data=data)


def event(kind, number, attempt=1, **data):
    return Event(kind=kind, number=number, attempt=attempt, data=data)


def finished(number, kind=Kind.FINISHED, attempt=1, value=0.5):
    evaluation = Evaluation(metrics={"loss": value})
    return event(kind, number, attempt, evaluation=evaluation.to_json())


def failed(number, kind="crashed", attempt=1):
    failure = Failure(kind=kind, message=kind).to_json()
    return event(Kind.FAILED, number, attempt, failure=failure)


# -- the types ----------------------------------------------------------------------


@pytest.mark.parametrize("subject", OUTCOMES, ids=lambda s: type(s).__name__)
def test_the_types_survive_json_pickle_and_copies(subject):
    line = json.dumps(subject.to_json(), allow_nan=False)
    raw = json.loads(line)
    for read in (
        type(subject).from_json(raw),
        type(subject).from_json({**raw, "of a later version": 1}),
        pickle.loads(pickle.dumps(subject)),
        copy.deepcopy(subject),
        copy.copy(subject),
    ):
        assert read == subject
        assert json.dumps(read.to_json()) == line


@pytest.mark.parametrize("subject", OUTCOMES, ids=lambda s: type(s).__name__)
def test_what_may_be_left_out_of_a_line(subject):
    required = {"number", "params", "seed", "origin", "seen", "metrics"} | {
        "kind",
        "message",
    }
    short = {k: v for k, v in subject.to_json().items() if k in required}
    read = type(subject).from_json(short).to_json()
    assert {k: read[k] for k in short} == short
    for name in short:
        with pytest.raises(KeyError, match=name):
            type(subject).from_json({k: v for k, v in short.items() if k != name})


def test_a_trial_survives_pickle():
    trial = Trial(proposal=PROPOSAL, status=Status.DONE, evaluation=EVALUATION)
    assert pickle.loads(pickle.dumps(trial)) == trial
    assert trial.number == 3


def test_the_mappings_are_copies_and_read_only():
    params, metrics = {"x": 1}, {"loss": 1.0}
    proposal = Proposal(number=0, params=params, seed=0, origin="sobol", seen=0)
    evaluation = Evaluation(metrics=metrics)
    params["x"], metrics["loss"] = 2, 2.0
    assert (proposal.params["x"], evaluation.metrics["loss"]) == (1, 1.0)
    for mapping in (proposal.params, evaluation.metrics, evaluation.sems):
        with pytest.raises(TypeError):
            mapping["x"] = 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": -1}, "number: expected a whole number >= 0, got -1"),
        ({"number": True}, "number: expected a whole number >= 0, got True"),
        ({"seed": 0.5}, "seed: expected a whole number >= 0, got 0.5"),
        ({"seen": "1"}, "seen: expected a whole number >= 0, got '1'"),
        ({"repeats": -1}, "repeats: expected a whole number >= 0, got -1"),
        ({"repeats": 3}, "repeats: expected a trial before 3, got 3"),
        ({"params": {"x": math.nan}}, "finite numbers or booleans, got x=nan"),
        ({"params": {"x": None}}, "finite numbers or booleans, got x=None"),
    ],
)
def test_a_flawed_proposal_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(PROPOSAL, **changes)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400])
@pytest.mark.parametrize("field", ["metrics", "sems"])
def test_a_number_that_is_not_finite_is_divergence(field, number):
    fields = {"metrics": {"loss": 0.5}, "sems": {"loss": 0.1}}
    with pytest.raises(DivergedError, match=f"{field}: loss is .*, not a finite"):
        Evaluation(**{**fields, field: {"loss": number}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"loss": "0.5"}}, "expected a number, got loss='0.5'"),
        ({"metrics": {"loss": True}}, "expected a number, got loss=True"),
        ({"metrics": {"loss": None}}, "expected a number, got loss=None"),
        ({"sems": {"spikes": -0.1}}, "expected a number >= 0 .* spikes=-0.1"),
        ({"sems": {"energy_nj": 0.1}}, "for a measured metric, got energy_nj=0.1"),
        ({"stopped": "tired"}, "expected one of .*silent.* got 'tired'"),
        ({"seconds": -1.0}, "seconds: expected a number >= 0, got -1.0"),
        ({"seconds": math.nan}, "seconds: expected a number >= 0, got nan"),
        ({"seconds": "1"}, "seconds: expected a number >= 0, got '1'"),
        ({"training_s": -0.5}, "training_s: expected a number >= 0, got -0.5"),
    ],
)
def test_a_flawed_evaluation_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(EVALUATION, **changes)


def test_metrics_of_numpy_become_plain_floats():
    metrics = {"a": np.float32(0.5), "b": np.int64(3), "c": 2}
    evaluation = Evaluation(metrics=metrics)
    assert dict(evaluation.metrics) == {"a": 0.5, "b": 3.0, "c": 2.0}
    assert {type(v) for v in evaluation.metrics.values()} == {float}


def test_an_unknown_failure_is_refused():
    with pytest.raises(ValueError, match=r"expected one of .*'lost'.* got 'tired'"):
        Failure(kind="tired", message="")


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("evaluation", [None, EVALUATION])
@pytest.mark.parametrize("failure", [None, FAILURE])
def test_status_evaluation_and_failure_agree(status, evaluation, failure):
    fields = {"status": status, "evaluation": evaluation, "failure": failure}
    good = (evaluation is not None, failure is not None) == {
        Status.PENDING: (False, False),
        Status.DONE: (True, False),
        Status.FAILED: (False, True),
    }[status]
    if good:
        assert Trial(proposal=PROPOSAL, **fields).status is status
    else:
        with pytest.raises(ValueError, match=r"trial 3: .* contradicts"):
            Trial(proposal=PROPOSAL, **fields)


# -- events -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_an_event_is_one_flat_line(kind):
    subject = Event(kind=kind, number=2, attempt=1, time=3.5, epoch=4, data={"a": [1]})
    raw = json.loads(json.dumps(subject.to_json(), allow_nan=False))
    expected = {"number": 2, "attempt": 1, "time": 3.5, "epoch": 4, "a": [1]}
    assert raw == {"event": kind.value, **expected}
    assert Event.from_json(raw) == subject
    assert pickle.loads(pickle.dumps(subject)) == subject


def test_a_kind_may_be_given_as_text():
    assert Event(kind="ended").kind is Kind.ENDED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event": "finishd"}, "'finishd' is not a valid Kind"),
        ({"number": -1}, "number: expected a whole number >= 0, got -1"),
        ({"number": True}, "number: expected a whole number >= 0, got True"),
        ({"number": "1"}, "number: expected a whole number >= 0, got '1'"),
        ({"attempt": 1.0}, "attempt: expected a whole number >= 0, got 1.0"),
        ({"time": "noon"}, "noon"),
        ({"epoch": "x"}, "x"),
    ],
)
def test_a_flawed_line_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Event.from_json({**proposed(1).to_json(), **changes})


@pytest.mark.parametrize("name", ["event", "number", "attempt", "time", "epoch"])
def test_every_line_has_the_common_fields_and_data_cannot_overwrite_them(name):
    raw = proposed(1).to_json()
    del raw[name]
    with pytest.raises(KeyError, match=name):
        Event.from_json(raw)
    with pytest.raises(ValueError, match=f"data: '{name}' is a field of every event"):
        Event(kind=Kind.ENDED, data={name: 5})


# -- histories ----------------------------------------------------------------------


def random_events(rng, length):
    """A valid log: a fair share of every kind, in any order that is allowed."""
    events = [Event(kind=Kind.STUDY, data={"config": "digest"})]
    state, attempts = [], []
    while len(events) < length:
        number = rng.randrange(len(state) + 1)
        if number == len(state):
            events.append(proposed(number))
            state.append("pending")
            attempts.append(0)
            continue
        attempt = attempts[number]
        if state[number] != "pending":
            if state[number] in CORRECTABLE and rng.random() < 0.3:
                events.append(finished(number, Kind.CORRECTED, 1, rng.random()))
                state[number] = "done"
            else:
                kinds = [Kind.CONFIRMING, Kind.CONFIRMED, Kind.REPORTED]
                events.append(event(rng.choice(kinds), number, attempt + 1))
        elif attempt == 0 or rng.random() < 0.2:
            attempts[number] += 1
            job = f"job-{number}-{attempt + 1}"
            events.append(event(Kind.SUBMITTED, number, attempt + 1, job_id=job))
        elif rng.random() < 0.4:
            kind = rng.choice([Kind.REPORTED, Kind.RETRIED])
            events.append(event(kind, number, attempt))
        elif rng.random() < 0.5:
            events.append(finished(number, Kind.FINISHED, attempt, rng.random()))
            state[number] = "done"
        else:
            kind = rng.choice(FAILURE_KINDS)
            events.append(failed(number, kind, attempt))
            state[number] = kind
        if rng.random() < 0.02:
            events.append(Event(kind=rng.choice([Kind.OPENED, Kind.ENDED])))
    return events[:length]


def folded(events):
    """The oracle: every trial's state as a dict, and the order in which they ended."""
    trials, ended = {}, []
    for one in events:
        number = one.number
        if number is None:
            continue
        if one.kind == "proposed":
            trials[number] = {
                "status": "pending",
                "attempt": 0,
                "job": None,
                "value": None,
                "failure": None,
                "highest": 0,
                "events": [],
            }
        trial = trials[number]
        trial["events"].append(one)
        trial["highest"] = max(trial["highest"], one.attempt or 0)
        if one.kind == "submitted":
            trial["attempt"], trial["job"] = one.attempt, one.data["job_id"]
        elif one.kind == "retried":
            trial["job"] = None
        elif one.kind in ("finished", "corrected"):
            trial["status"], trial["failure"] = "done", None
            trial["attempt"] = one.attempt
            trial["value"] = one.data["evaluation"]["metrics"]["loss"]
            ended = [n for n in ended if n != number] + [number]
        elif one.kind == "failed":
            trial["status"] = "failed"
            trial["failure"] = one.data["failure"]["kind"]
            ended.append(number)
    return trials, ended


def check(history, events):
    """Everything a history says, against the oracle of the same events."""
    trials, ended = folded(events)
    assert len(history) == len(events)
    assert history.proposals == len(trials)
    assert [t.number for t in history.trials] == list(trials)
    for trial in history.trials:
        expected = trials[trial.number]
        assert history.trial(trial.number) is trial
        assert trial.status == expected["status"]
        assert (trial.attempt, trial.job_id) == (expected["attempt"], expected["job"])
        value = trial.evaluation and trial.evaluation.metrics["loss"]
        assert value == expected["value"]
        assert (trial.failure and trial.failure.kind) == expected["failure"]
        assert history.of_number(trial.number) == expected["events"]
        assert history.attempts(trial.number) == expected["highest"]
    for view, status in ((history.done, "done"), (history.failed, "failed")):
        inside = [n for n in ended if trials[n]["status"] == status]
        assert [t.number for t in view] == inside
    pending = [n for n, trial in trials.items() if trial["status"] == "pending"]
    assert [t.number for t in history.pending] == pending


@pytest.mark.parametrize("seed", range(6))
def test_every_prefix_is_the_history_of_its_events(seed):
    events = random_events(random.Random(seed), 250)
    whole = History.of(events)
    assert {e.kind for e in events} >= {*Kind} - {Kind.OPENED, Kind.ENDED}
    lengths = list(range(len(events) + 1))
    random.Random(seed).shuffle(lengths)  # the cache must not depend on the order
    for length in lengths:
        check(whole.prefix(length), events[:length])
    check(whole.prefix(200).prefix(100), events[:100])


def test_a_view_does_not_grow():
    events = random_events(random.Random(7), 200)
    builder, views = HistoryBuilder(), []
    for one in events:
        views.append(builder.history)
        builder.append(one)
    for length, view in enumerate(views):
        check(view, events[:length])
    check(builder.history, events)


def test_a_history_is_a_sequence_of_its_events():
    events = random_events(random.Random(8), 60)
    history = History.of(events).prefix(40)
    head = events[:40]
    assert list(history) == head
    assert list(reversed(history)) == head[::-1]
    assert [history[i] for i in range(-40, 40)] == head[-40:] + head
    for part in (slice(None), slice(-5, None), slice(3, 90, 2), slice(None, None, -1)):
        assert history[part] == head[part]
    for index in (40, -41):
        with pytest.raises(IndexError):
            history[index]
    assert history.of_kind(Kind.PROPOSED) == [e for e in head if e.kind == "proposed"]
    copied = pickle.loads(pickle.dumps(history))
    assert list(copied) == head
    check(copied, head)


def test_a_history_knows_nothing_beyond_its_length():
    builder = HistoryBuilder()
    builder.append(proposed(0))
    history = builder.history
    builder.append(proposed(1))
    for number in (1, 2, -1):
        for ask in (history.trial, history.of_number, history.attempts):
            with pytest.raises(KeyError, match=str(number)):
                ask(number)
    for length in (-1, 2):
        with pytest.raises(ValueError, match="expected 0 <= length <= 1, got"):
            history.prefix(length)


def test_a_prefix_copies_nothing():
    history = History.of(proposed(n) for n in range(2000))
    large, small = (len(pickle.dumps([history])), len(pickle.dumps([proposed(0)])))
    prefixes = [history.prefix(k) for k in range(2001)]
    assert len(pickle.dumps([history, *prefixes])) < large + 2001 * small


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([proposed(1)], "expected proposal 0, got 1"),
        ([proposed(0), proposed(0)], "expected proposal 1, got 0"),
        ([proposed(0), proposed(2)], "expected proposal 1, got 2"),
        ([finished(0)], "finished of trial 0: never proposed"),
        ([proposed(0), finished(0), finished(0)], "finished of trial 0, which is done"),
        ([proposed(0), finished(0), failed(0)], "failed of trial 0, which is done"),
        ([proposed(0), failed(0), failed(0)], "failed of trial 0, which is failed"),
        ([proposed(0), failed(0), finished(0)], "finished of trial 0, which is failed"),
        (
            [proposed(0), finished(0), event(Kind.RETRIED, 0)],
            "retried of trial 0, which is done",
        ),
        (
            [proposed(0), failed(0, "lost"), event(Kind.SUBMITTED, 0, 2)],
            "submitted of trial 0, which is failed",
        ),
        ([Event(kind=Kind.PROPOSED)], "proposed: expected the number of a trial"),
        ([Event(kind=Kind.FINISHED)], "finished: expected the number of a trial"),
        (
            [event(Kind.PROPOSED, 0)],
            "proposed of trial 0: malformed: KeyError",
        ),
        ([proposed(0, params=3)], "proposed of trial 0: malformed: AttributeError"),
        ([proposed(0), event(Kind.FINISHED, 0)], "finished of trial 0: malformed"),
        (
            [proposed(0), event(Kind.FINISHED, 0, evaluation="x")],
            "finished of trial 0: malformed: TypeError",
        ),
        (
            [
                proposed(0),
                event(Kind.FINISHED, 0, evaluation={"metrics": {"a": 1e999}}),
            ],
            "finished of trial 0: malformed: DivergedError",
        ),
        ([proposed(0), event(Kind.FAILED, 0)], "failed of trial 0: malformed"),
    ],
)
def test_an_event_that_cannot_follow_is_refused_and_changes_nothing(events, message):
    *before, last = events
    builder = HistoryBuilder()
    for one in before:
        builder.append(one)
    with pytest.raises(ValueError, match=message):
        builder.append(last)
    check(builder.history, before)
    following = proposed(len([e for e in before if e.kind == "proposed"]))
    builder.append(following)
    check(builder.history, [*before, following])


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_only_an_accident_may_be_corrected_and_only_once(kind):
    builder = HistoryBuilder()
    for one in (proposed(0), failed(0, kind)):
        builder.append(one)
    correction = finished(0, Kind.CORRECTED)
    if kind in ("lost", "timeout", "preempted"):
        builder.append(correction)
        assert [t.number for t in builder.history.done] == [0]
        assert builder.history.failed == []
        assert builder.history.prefix(2).done == []
        assert [t.number for t in builder.history.prefix(2).failed] == [0]
    with pytest.raises(ValueError, match="corrected: trial 0 did not fail by one of"):
        builder.append(correction)


@pytest.mark.parametrize("end", [None, finished(0)])
def test_a_trial_that_has_not_failed_cannot_be_corrected(end):
    builder = HistoryBuilder()
    for one in filter(None, (proposed(0), end)):
        builder.append(one)
    with pytest.raises(ValueError, match="corrected: trial 0 did not fail by one of"):
        builder.append(finished(0, Kind.CORRECTED))


def test_a_retried_trial_goes_on_with_another_attempt():
    events = [
        proposed(0),
        event(Kind.SUBMITTED, 0, 1, job_id="a"),
        event(Kind.RETRIED, 0, 1, failure={"kind": "lost"}),
        event(Kind.SUBMITTED, 0, 2, job_id="b"),
        finished(0, attempt=2),
    ]
    history = History.of(events)
    trials = [history.prefix(k).trial(0) for k in range(1, 6)]
    assert [(t.attempt, t.job_id, t.status) for t in trials] == [
        (0, None, Status.PENDING),
        (1, "a", Status.PENDING),
        (1, None, Status.PENDING),
        (2, "b", Status.PENDING),
        (2, "b", Status.DONE),
    ]
