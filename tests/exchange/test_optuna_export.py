"""A study as Optuna's: its own loader must see what we see, and the same front."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from moosnn.errors import ConfigError, StudyFolderError
from moosnn.exchange import optuna_export
from moosnn.exchange.optuna_storage import opened, quietly
from moosnn.exchange.optuna_trials import distribution, frozen_trials
from moosnn.history import History
from moosnn.parameters import Choice, Float, Int
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint, Problem
from moosnn.runtime.record import Record
from moosnn.trial import Evaluation
from tests.exchange.told import BEGUN_S, FRONT, POINT_2, STANDINGS, point, told_study
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import repeat

optuna = pytest.importorskip("optuna")

NAME = "told"
STATES = {
    **dict.fromkeys((0, 1, 2, 11, 12), "COMPLETE"),
    **dict.fromkeys((3, 4, 5, 6, 8), "PRUNED"),
    7: "FAIL",
    9: "RUNNING",
    10: "WAITING",
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return told_study(tmp_path_factory.mktemp("told") / "study")


def write(record: Record, path: Path, **about: Any) -> Path:
    optuna_export.write_optuna(
        path,
        name=NAME,
        problem=record.problem,
        history=record.history,
        standings=STANDINGS,
        about=about,
    )
    return path


@pytest.fixture(scope="module", params=["told.db", "told.log", "told.journal"])
def study(record: Record, request: Any, tmp_path_factory: Any) -> Any:
    """As Optuna itself reads the file."""
    path = write(record, tmp_path_factory.mktemp("out") / request.param, note="hi")
    with opened(path) as storage:
        yield optuna.load_study(study_name=NAME, storage=storage)


def test_the_best_trials_are_our_front(study: Any, record: Record) -> None:
    assert tuple(sorted(t.number for t in study.best_trials)) == FRONT
    ours = front_of(record.problem, record.history.done).numbers
    assert tuple(sorted(ours)) == FRONT


def test_every_trial_is_there_in_its_state(study: Any) -> None:
    assert {t.number: t.state.name for t in study.trials} == STATES
    assert {t.number: t.user_attrs["standing"] for t in study.trials} == STANDINGS


def test_values_are_in_natural_units(study: Any) -> None:
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "spikes"]
    assert study.trials[0].values == [0.9, 50.0]
    assert study.trials[7].values is study.trials[9].values is None


def test_a_repeated_point_has_its_means_and_the_repeat_attributes(study: Any) -> None:
    assert study.trials[2].values == pytest.approx(POINT_2)
    assert study.trials[2].user_attrs["accuracy"] == 0.7
    assert study.trials[8].values is None
    assert study.trials[8].user_attrs["accuracy"] == 0.5
    assert study.trials[8].user_attrs["repeats"] == 2


def test_below_the_floor_values_are_the_floor_and_metrics_what_they_were(
    study: Any,
) -> None:
    assert study.trials[11].values == [0.2, 0.01]
    assert json.loads(study.trials[11].user_attrs["metrics"])["spikes"] == 0.002


def test_silent_and_pruned_trials_have_constraints_and_no_values(study: Any) -> None:
    for number in (4, 5, 6):
        assert study.trials[number].values is None
    assert study.trials[4].system_attrs["constraints"] == [0.5, -3.0]
    assert [*study.trials[5].constraints.values()] == [2.0, -5.0]
    assert study.trials[4].user_attrs["spikes"] == 0.0


def test_an_infeasible_trial_that_looks_best_has_constraints_and_no_values(
    study: Any,
) -> None:
    assert study.trials[3].values is None
    assert [*study.trials[3].constraints.values()] == [-1.0, 4.0]
    assert study.trials[3].user_attrs["accuracy"] == 0.99


def told_without_constraints(trials: Sequence[Any]) -> set[int]:
    """What the dashboard calls best: the front of all complete trials."""
    found = [t for t in trials if t.state.name == "COMPLETE"]
    losses = {t.number: (-t.values[0], t.values[1]) for t in found}
    return {
        number
        for number, one in losses.items()
        if not any(
            all(a <= b for a, b in zip(other, one, strict=True)) and other != one
            for other in losses.values()
        )
    }


def test_parameters_that_do_not_exist_are_not_there(study: Any) -> None:
    for trial in study.trials:
        expected = point(trial.number)
        if expected["neuron"] == "if":
            del expected["tau"]
        found = trial.params
        if trial.number == 10:
            found = trial.system_attrs["fixed_params"]
        assert found == pytest.approx(expected)
        assert trial.distributions.keys() == trial.params.keys()
        assert type(found["depth"]) is int
        assert type(found["skip"]) is bool


def test_distributions_are_those_of_the_space(study: Any) -> None:
    kinds = optuna.distributions
    assert study.trials[1].distributions == {
        "depth": kinds.IntDistribution(1, 7, step=2),
        "width": kinds.IntDistribution(8, 256, log=True),
        "lr": kinds.FloatDistribution(0.001, 1.0, log=True),
        "drop": kinds.FloatDistribution(0.0, 0.5, step=0.1),
        "neuron": kinds.CategoricalDistribution(("if", "lif")),
        "skip": kinds.CategoricalDistribution((False, True)),
        "tau": kinds.FloatDistribution(1.0, 9.0),
    }


@pytest.mark.parametrize(
    "parameter",
    [
        Float(low=0.5, high=2.0, log=True, step=0.25),
        Int(low=1, high=10, log=True, step=3),
        Int(low=1, high=10, step=4),
        Float(low=0.0, high=1.0, step=0.3),
        Choice(options=("a", 2, 2.5, True)),
    ],
)
def test_every_value_of_a_parameter_lies_in_its_distribution(parameter: Any) -> None:
    with quietly():
        found = distribution(parameter)
    for value in parameter.values():
        assert found._contains(found.to_internal_repr(value))


def test_times_are_those_of_the_last_attempt(study: Any) -> None:
    proposed = BEGUN_S + 10.0
    one = study.trials[1]  # proposed, submitted, reported, retried, submitted, …
    assert one.datetime_start == datetime.fromtimestamp(proposed + 4)
    assert one.datetime_complete == datetime.fromtimestamp(proposed + 7)
    assert study.trials[9].datetime_complete is None
    assert study.trials[10].datetime_start is None


def test_what_the_last_attempt_reported_is_its_course(study: Any) -> None:
    assert study.trials[1].intermediate_values == {1: 0.3, 2: 0.6}
    assert study.user_attrs["intermediate_values"] == "train_accuracy"
    assert study.user_attrs["note"] == "hi"


def test_tests_and_failures_are_attributes(study: Any) -> None:
    assert study.trials[0].user_attrs["test.accuracy"] == pytest.approx(0.7)
    assert study.trials[7].user_attrs["failure"] == "diverged"


def plain(trial: Any) -> dict[str, Any]:
    return {k: v for k, v in vars(trial).items() if k != "_trial_id"}


@pytest.mark.parametrize("known", [True, False])
def test_the_rows_are_those_that_optuna_writes(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Optuna's own storage in memory is the oracle."""
    if not known:  # the tables of some other version: Optuna writes itself
        monkeypatch.setattr(optuna_export, "is_known", lambda path: False)
    with quietly():
        theirs = optuna.create_study(directions=["maximize", "minimize"])
        theirs.add_trials(frozen_trials(record.problem, record.history, STANDINGS))
    with opened(write(record, tmp_path / "a.db")) as storage:
        ours = optuna.load_study(study_name=NAME, storage=storage)
        assert list(map(plain, ours.trials)) == list(map(plain, theirs.trials))


def random_history(problem: Problem, dice: random.Random) -> History:
    story = Story(problem)
    for _ in range(60):
        number = story.propose_at(*(dice.random() for _ in problem.space))
        fate = dice.random()
        accuracy = dice.choice((0.2, 0.5, 0.7, 0.9))
        metrics = {
            "accuracy": accuracy,
            "spikes_per_sample": dice.choice((1.0, 2.0, 3.0)) * 10 ** (3 * accuracy),
            "silence_margin": dice.uniform(-1.0, 0.3),
        }
        if fate < 0.1:
            story.fail(number)
        elif fate < 0.2:
            story.finish(number, "pruned", **metrics)
        elif fate < 0.3:
            metrics.pop("accuracy")
            story.finish(number, "silent", **metrics)
        elif fate < 0.9:
            story.finish(number, **metrics)
            if fate > 0.7:
                again = {**metrics, "accuracy": dice.random()}
                repeat(story, number, Evaluation(metrics=again))
    return story.history


def constrained_problem() -> Problem:
    """Who violates its constraint has values that mean something."""
    constraint = Constraint(metric="silence_margin", upper=0.0, voids=False)
    return toy_problem(constraints=(constraint,))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [toy_problem, constrained_problem])
def test_the_fronts_of_random_studies_agree(
    make: Callable[[], Problem], seed: int
) -> None:
    problem = make()
    history = random_history(problem, random.Random(seed))
    with quietly():
        study = optuna.create_study(directions=["maximize", "minimize"])
        names = dict.fromkeys(range(history.proposals), "")
        study.add_trials(frozen_trials(problem, history, names))
    ours = front_of(problem, history.done).numbers
    assert len(ours) > 1
    assert sorted(t.number for t in study.best_trials) == sorted(ours)
    # Nor does anything else look best to who does not know of constraints.
    assert told_without_constraints(study.trials) == set(ours)


def test_an_infeasible_trial_behind_the_front_keeps_its_values() -> None:
    problem = constrained_problem()
    story = Story(problem)
    for accuracy, spikes, margin in ((0.9, 10.0, -1.0), (0.8, 20.0, 1.0)):
        number = story.propose_at(*(accuracy for _ in problem.space))
        measured = {"accuracy": accuracy, "spikes_per_sample": spikes}
        story.finish(number, **measured, silence_margin=margin)
    with quietly():
        trials = frozen_trials(problem, story.history, {0: "front", 1: "infeasible"})
    assert [t.state.name for t in trials] == ["COMPLETE", "COMPLETE"]
    assert trials[1].values == [0.8, 20.0]
    assert trials[1].system_attrs["constraints"] == [1.0]


def test_a_search_goes_on_in_optuna(record: Record, tmp_path: Path) -> None:
    with quietly(), warnings.catch_warnings():
        path = write(record, tmp_path / "a.db")
        sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=2)
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        study = optuna.load_study(study_name=NAME, storage=storage, sampler=sampler)

        def objective(trial: Any) -> tuple[float, float]:
            trial.suggest_float("lr", 0.001, 1.0, log=True)
            trial.set_constraint("margin", -1.0)
            trial.set_constraint("energy", -1.0)
            return 1.0, 0.01

        study.optimize(objective, n_trials=2)  # the waiting one comes first
        assert [t.number for t in study.best_trials] == [10, 13]
        storage.remove_session()
        storage.engine.dispose()


def test_a_database_that_is_there_stays_as_it_is(
    record: Record, tmp_path: Path
) -> None:
    path = write(record, tmp_path / "a.db")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"a\.db: exists already, and nothing is"):
        write(record, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_may_have_any_characters(record: Record, tmp_path: Path) -> None:
    path = write(record, tmp_path / "a ?b#c%20&d.db")
    with opened(path) as storage:
        assert optuna.load_study(study_name=NAME, storage=storage).best_trials


@pytest.mark.parametrize("where", ["add_rows", "database"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from sqlalchemy.exc import OperationalError

    def full(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        if where == "database":  # of SQLAlchemy, while the tables are made
            raise OperationalError("CREATE", {}, error) from error
        raise error

    monkeypatch.setattr(optuna_export, where, full)
    with pytest.raises(StudyFolderError, match=r"cannot be written: .* disk is full"):
        write(record, tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_the_error_says_what_to_install(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'moosnn\[optuna\]'"):
        write(record, tmp_path / "a.db")
