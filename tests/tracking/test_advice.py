"""What the first results say about a config is said once."""

from __future__ import annotations

import pytest

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Constraint, Objective
from moosnn.tracking.advice import (
    FIRST_LOOK,
    Advice,
    rewarded_silence,
    suspicious_constraint,
    unreached_reference,
)
from tests.helpers import Story, toy_problem

BUDGET = 100
DIM = len(toy_problem().space)


def told(advice: Advice, history: History, capsys: pytest.CaptureFixture[str]) -> str:
    advice.on_event(Event(kind=Kind.FINISHED), history)
    return capsys.readouterr().err


def add(story: Story, count: int, **metrics: float) -> None:
    for _ in range(count):
        another = [0.618 * story.history.proposals % 1.0] * DIM
        story.finish(story.propose_at(*another), **metrics)


def story(count: int, **metrics: float) -> Story:
    made = Story(toy_problem())
    add(made, count, **metrics)
    return made


GOOD = {"accuracy": 0.9, "spikes_per_sample": 10.0, "silence_margin": -1.0}
SILENT = {"accuracy": 0.8, "spikes_per_sample": 1.0, "silence_margin": 0.5}


def test_a_reference_that_nothing_reaches_is_told_once_with_its_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    poor = {**GOOD, "accuracy": 0.25}
    early = story(FIRST_LOOK - 1, **poor)
    advice = Advice(problem=toy_problem(), budget=BUDGET)
    assert told(advice, early.history, capsys) == ""
    add(early, 1, **poor)
    said = told(advice, early.history, capsys)
    assert said.startswith("moosnn: note: none of the first trials is better than")
    assert "accuracy 0.300 (best: 0.250), spikes_per_sample 10000 (best: 10)" in said
    assert said.count("\n") == 1
    add(early, 1, **poor)
    assert told(advice, early.history, capsys) == ""


def test_a_reference_that_is_reached_is_not_told() -> None:
    problem = toy_problem()
    assert unreached_reference(problem, story(30, **GOOD).history) is None
    assert unreached_reference(problem, story(30, **SILENT).history) is None
    assert unreached_reference(problem, story(0).history) is None


def test_a_constraint_that_forbids_the_best_is_told_with_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = story(29, **SILENT)
    add(made, 1, **{**GOOD, "accuracy": 0.6})
    advice = Advice(problem=toy_problem(), budget=BUDGET)
    said = told(advice, made.history, capsys)
    assert (
        "29 of 30 trials violate a constraint, yet trial 0 among them has accuracy"
        in (said)
    )
    assert "(the best feasible one has 0.600)" in said
    assert "problem.constraints[0]: {metric: silence_margin, upper: 0}" in said
    assert told(advice, made.history, capsys) == ""


def test_a_constraint_is_not_suspected_without_reason() -> None:
    problem = toy_problem()
    made = story(29, **SILENT)
    add(made, 1, **GOOD)
    assert (
        suspicious_constraint(problem, made.history) is None
    )  # a feasible one is best
    some = story(26, **SILENT)
    add(some, 4, **{**GOOD, "accuracy": 0.6})
    assert suspicious_constraint(problem, some.history) is None  # 87 % only
    unmeasured = Story(problem)
    for _ in range(30):
        number = unmeasured.propose_at(*[0.5] * DIM)
        unmeasured.finish(number, stopped="silent", silence_margin=1.0)
    assert suspicious_constraint(problem, unmeasured.history) is None


def test_the_constraint_that_is_violated_most_is_named() -> None:
    problem = toy_problem(
        constraints=(
            Constraint(metric="silence_margin", upper=0.0, voids=True),
            Constraint(metric="latency_ms", upper=5.0),
        ),
        objectives=(Objective(metric="accuracy", goal="max", reference=0.3),),
    )
    made = Story(problem)
    for _ in range(30):
        number = made.propose_at(*[0.5] * DIM)
        made.finish(number, accuracy=0.9, silence_margin=-1.0, latency_ms=7.0)
    said = suspicious_constraint(problem, made.history)
    assert said is not None
    assert "(there is no feasible one)" in said
    assert "problem.constraints[1]: {metric: latency_ms, upper: 5}" in said


def test_a_study_that_continues_is_not_told_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = story(30, **SILENT)
    advice = Advice(problem=toy_problem(), budget=BUDGET)
    advice.on_event(Event(kind=Kind.OPENED), made.history)
    assert told(advice, made.history, capsys) == ""


def test_a_short_study_is_judged_at_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = story(12, **SILENT)
    advice = Advice(problem=toy_problem(), budget=12)
    assert "12 of 12 trials violate a constraint" in told(advice, made.history, capsys)
    few = Advice(problem=toy_problem(), budget=5)
    assert told(few, story(5, **SILENT).history, capsys) == ""


def test_a_silent_network_on_the_front_is_told_with_what_to_add() -> None:
    free = toy_problem(constraints=())
    made = Story(free)
    add(made, 3, **GOOD, silent_fraction=0.0)
    assert rewarded_silence(free, made.history) is None
    add(made, 1, accuracy=0.4, spikes_per_sample=0.0, silent_fraction=1.0)
    said = rewarded_silence(free, made.history)
    assert said is not None
    assert said.startswith("trial 3 is on the front and silent for 100% of the samples")
    assert "{metric: silence_margin, upper: 0, voids: true}" in said
    kept = story(1, **GOOD, silent_fraction=0.0)
    add(kept, 1, **SILENT, silent_fraction=1.0)
    assert rewarded_silence(toy_problem(), kept.history) is None


def test_a_silent_seed_of_a_member_is_not_called_a_silent_network() -> None:
    free = toy_problem(constraints=())
    told = Story(free)
    silent = {"accuracy": 0.6, "spikes_per_sample": 5.0, "silent_fraction": 1.0}
    for fraction in (1.0, 0.0):
        metrics = {**silent, "silent_fraction": fraction}
        told.finish(told.propose_at(*[0.5] * DIM), **metrics)
    assert rewarded_silence(free, told.history) is None
    told.finish(told.propose_at(*[0.6] * DIM), **{**silent, "accuracy": 0.9})
    said = rewarded_silence(free, told.history)
    assert said is not None
    assert said.startswith("trial 2 is on the front and silent for 100%")
