"""The columns that every table of trials has, by hand."""

from __future__ import annotations

import csv
import io

import pytest

from moosnn.parameters import Choice, Float, Int
from moosnn.problem import Objective
from moosnn.runtime.record import Record
from moosnn.tracking.trial_table import (
    Column,
    Kind,
    kind_of,
    standings,
    table_csv,
    trial_table,
)
from tests.exchange.told import FRONT, STANDINGS, point, told_study
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import lucky


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return told_study(tmp_path_factory.mktemp("told") / "study")


@pytest.fixture(scope="module")
def table(record: Record) -> dict[str, Column]:
    return {c.name: c for c in trial_table(record.problem, record.history)}


def test_every_trial_is_said_to_be_what_it_became(record: Record) -> None:
    found = standings(record.problem, record.history)
    assert found == STANDINGS
    assert list(found) == sorted(STANDINGS)


def test_trials_of_one_point_are_judged_by_their_means() -> None:
    """The lucky trial 0 alone would dominate trial 1."""
    found = standings(toy_problem(), lucky().history)
    assert list(found.values()) == ["dominated", "front", "front", "dominated", "front"]


def test_a_trial_has_its_own_values_and_none_where_there_is_none(
    table: dict[str, Column],
) -> None:
    assert list(table["accuracy"].values) == [
        0.9, 0.8, 0.7, 0.99, 0.1, None, 0.95, None, 0.5, None, None, 0.2, 0.3,
    ]  # fmt: skip
    assert list(table["attempts"].values) == [1, 2, *[1] * 8, 0, 1, 1]
    assert table["sem.accuracy"].values[:2] == [0.01, None]
    assert table["repeats"].values[8] == 2
    assert table["failure"].values[7] == "diverged"
    assert table["stopped"].values[5:7] == ["silent", "pruned"]
    assert table["feasible"].values[3:5] == [False, False]
    assert table["feasible"].values[7] is None


def test_what_is_inactive_has_no_value(table: dict[str, Column]) -> None:
    taus = [point(n)["tau"] if point(n)["neuron"] == "lif" else None for n in range(13)]
    assert list(table["param.tau"].values) == taus
    assert list(table["param.skip"].values) == [point(n)["skip"] for n in range(13)]


def test_the_retrainings_on_the_test_split_are_summed_up(
    table: dict[str, Column],
) -> None:
    row = {name: c.values[0] for name, c in table.items() if name.startswith("test.")}
    assert row["test.accuracy.mean"] == pytest.approx(0.7)
    assert (row["test.accuracy.min"], row["test.accuracy.max"]) == (0.6, 0.8)
    assert (row["test.count"], row["test.infeasible"]) == (3, 2)
    assert table["test.count"].values[2] is None


def test_columns_say_what_their_values_are(table: dict[str, Column]) -> None:
    kinds = {name: table[f"param.{name}"].kind for name in ("depth", "lr", "skip")}
    assert kinds == {"depth": Kind.INT, "lr": Kind.FLOAT, "skip": Kind.BOOL}
    assert table["param.neuron"].kind is table["standing"].kind is Kind.WORD


@pytest.mark.parametrize(
    ("parameter", "kind"),
    [
        (Int(low=1, high=3), Kind.INT),
        (Float(low=1, high=3), Kind.FLOAT),
        (Choice(options=(1, 2)), Kind.INT),
        (Choice(options=(1, 2.5)), Kind.FLOAT),
        (Choice(options=(True, False)), Kind.BOOL),
        (Choice(options=("a", 2)), Kind.WORD),
        (Choice(options=(True, 2)), Kind.WORD),
    ],
)
def test_options_of_one_type_are_a_column_of_that_type(parameter, kind) -> None:
    assert kind_of(parameter) is kind


def test_a_metric_with_the_name_of_another_column_is_told_apart() -> None:
    seconds = Objective(metric="seconds", goal="min", reference=9.0)
    problem = toy_problem(objectives=(seconds,), constraints=())
    story = Story(problem)
    story.finish(story.propose_at(*[0.5] * len(problem.space)), seconds=4.0)
    names = [column.name for column in trial_table(problem, story.history)]
    assert len(set(names)) == len(names)
    assert "metric.seconds" in names


def test_a_csv_can_be_read_back(record: Record) -> None:
    text = table_csv(trial_table(record.problem, record.history))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(i for i, r in enumerate(rows) if r["standing"] == "front") == (
        *FRONT[:2], 8, FRONT[2],
    )  # fmt: skip
    for row, trial in zip(rows, record.history.trials, strict=True):
        assert float(row["param.lr"]) == trial.proposal.params["lr"]


def test_a_study_without_a_trial_has_columns_only() -> None:
    assert {
        tuple(c.values)
        for c in trial_table(toy_problem(), Story(toy_problem()).history)
    } == {()}
