"""Rows of a front whose points were measured several times."""

from __future__ import annotations

import csv
import io

import pytest

from moosnn.tracking.summary import front_csv, front_json, members, trials_csv
from tests.helpers import toy_problem
from tests.tracking.repeats import ACCURACY, ACCURACY_SEM, FRONT, SPIKES, lucky


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_member_has_the_means_of_its_trials() -> None:
    once, twice = members(toy_problem(), lucky().history)
    assert (once.trial.number, twice.trial.number) == FRONT
    assert (once.trials, twice.trials) == ((1,), (2, 4))
    assert twice.metrics["accuracy"] == pytest.approx(ACCURACY)
    assert twice.sems["accuracy"] == pytest.approx(ACCURACY_SEM)
    assert (once.is_repeated, twice.is_repeated) == (False, True)


def test_the_files_tell_means_errors_and_trainings() -> None:
    once, twice = rows(front_csv(toy_problem(), lucky().history))
    assert (once["number"], twice["number"]) == ("1", "2")
    assert float(twice["accuracy"]) == pytest.approx(ACCURACY)
    assert float(twice["spikes_per_sample"]) == pytest.approx(SPIKES)
    assert (twice["trainings"], twice["trials"]) == ("2", "2 4")
    assert float(twice["sem.accuracy"]) == pytest.approx(ACCURACY_SEM)
    assert (once["trainings"], once["trials"], once["sem.accuracy"]) == ("1", "1", "")


def test_every_trial_has_its_own_values_and_says_what_it_repeats() -> None:
    found = rows(trials_csv(toy_problem(), lucky().history))
    assert [row["repeats"] for row in found] == ["", "", "", "0", "2"]
    assert [row["accuracy"] for row in found] == ["0.9", "0.8", "0.5", "0.5", "0.7"]


def test_json_has_the_same() -> None:
    once, twice = front_json(toy_problem(), lucky().history)
    assert (once["trials"], once["sems"]) == ([1], {})
    assert twice["trials"] == [2, 4]
    assert twice["metrics"]["accuracy"] == pytest.approx(ACCURACY)
    assert twice["sems"]["accuracy"] == pytest.approx(ACCURACY_SEM)
