"""Tables and files: numbers a person can read, and that are the journal's own."""

from __future__ import annotations

import csv
import io

import pytest

from moosnn.events import Kind
from moosnn.space import Space
from moosnn.tracking.summary import (
    front_csv,
    members,
    number_text,
    params_text,
    range_text,
)
from moosnn.trial import Evaluation, Failure
from tests.helpers import Story, toy_problem

POINT = {
    "depth": 1,
    "width": 16,
    "threshold": 1.0,
    "penalty": 0.1,
    "lr": 0.01,
    "steps": 4,
    "neuron": "if",
}


def evaluation(accuracy: float, spikes: float, margin: float = -0.5) -> Evaluation:
    return Evaluation(
        metrics={
            "accuracy": accuracy,
            "spikes_per_sample": spikes,
            "silence_margin": margin,
        }
    )


def story() -> Story:
    """Three trials: two on the front, one of them confirmed; one silent."""
    told = Story(toy_problem())
    for width, measured in (
        (16, evaluation(0.9, 100.0)),
        (17, evaluation(0.5, 10.0)),
        (18, evaluation(0.95, 1.0, margin=0.2)),
    ):
        told.finish_with(told.propose({**POINT, "width": width}), measured)
    results = (
        ("evaluation", evaluation(0.8, 90.0)),
        ("evaluation", evaluation(0.7, 1.0, margin=0.1)),
        ("failure", Failure(kind="diverged", message="nan")),
    )
    for replicate, (name, result) in enumerate(results):
        told._add(Kind.CONFIRMED, 0, replicate=replicate, **{name: result.to_json()})
    return told


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (-2.0, "-2"),
        (123456.0, "123456"),
        (0.95821, "0.958"),
        (9.876, "9.88"),
        (37.44, "37.4"),
        (0.00456, "0.0046"),
        (0.000123, "1.23e-04"),
        (2_500_000.5, "2.50e+06"),
        (-0.25, "-0.250"),
    ],
)
def test_numbers_in_tables(value: float, text: str) -> None:
    assert number_text(value) == text


def test_ranges_in_tables() -> None:
    assert range_text([]) == "-"
    assert range_text([0.9, 0.8, 0.7]) == "0.800 (0.700-0.900)"


def test_parameters_in_short() -> None:
    space = Space.from_config(
        {
            "depth": {"int": [1, 3]},
            "width_1": {"int": [8, 64]},
            "width_2": {"int": [8, 64], "when": {"depth": {"min": 2}}},
            "width_3": {"int": [8, 64], "when": {"depth": {"min": 3}}},
            "lr": {"float": [0.0001, 1.0], "log": True},
            "skip": {"choice": [True, False]},
        }
    )
    point = {"depth": 2, "width_1": 64, "width_2": 32, "lr": 0.00025, "skip": True}
    text = params_text(space, space.canonical(point))
    assert text == "depth=2 width=64-32 lr=2.50e-04 skip=True"


def test_members_know_their_retrainings() -> None:
    problem = toy_problem()
    best, quiet = members(problem, story().history)
    assert (best.trial.number, quiet.trial.number) == (0, 1)
    assert best.confirmed is not None
    assert best.confirmed.values("accuracy") == [0.8, 0.7]
    # One retraining fell silent, one diverged.
    assert best.fell_infeasible(problem) == 2
    assert quiet.confirmed is None
    assert quiet.fell_infeasible(problem) == 0


def test_the_front_as_csv() -> None:
    problem = toy_problem()
    rows = list(csv.DictReader(io.StringIO(front_csv(problem, story().history))))
    assert [row["number"] for row in rows] == ["0", "1"]
    best, quiet = rows
    assert (best["accuracy"], best["spikes_per_sample"]) == ("0.9", "100.0")
    assert (best["param.width"], best["param.neuron"]) == ("16", "if")
    assert best["param.tau_steps"] == ""  # an IF neuron has none
    assert float(best["test.accuracy.mean"]) == pytest.approx(0.75)
    assert (best["test.accuracy.min"], best["test.accuracy.max"]) == ("0.7", "0.8")
    assert (best["test.count"], best["test.infeasible"]) == ("3", "2")
    assert (quiet["test.count"], quiet["test.accuracy.mean"]) == ("0", "")
    # The columns are there without repeats as well.
    assert (best["trainings"], best["trials"], best["sem.accuracy"]) == ("1", "0", "")


def test_an_empty_front_is_a_header() -> None:
    problem = toy_problem()
    rows = list(csv.reader(io.StringIO(front_csv(problem, Story(problem).history))))
    assert len(rows) == 1
    assert rows[0][:2] == ["number", "accuracy"]
