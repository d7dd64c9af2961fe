"""``moosnn import``: the points of Optuna's studies and of CSV files, and what is none.

Round trips: a study's front goes to another program's file and comes back as the points
with which a new study begins.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from moosnn.__main__ import main
from moosnn.errors import ConfigError, MoosnnError
from moosnn.exchange.optuna_storage import quietly
from moosnn.exchange.points import read_points
from moosnn.exporting import export
from moosnn.importing import import_points
from moosnn.pareto.front import front_of
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import Record, read_record
from tests.exchange.told import point, told_study

optuna = pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return told_study(tmp_path_factory.mktemp("told") / "study")


def imported(source: object, out: Path, study: str | None = None) -> Any:
    import_points(str(source), study, out)
    return read_points(out)


def active(number: int) -> dict[str, Any]:
    params = point(number)
    if params["neuron"] == "if":
        del params["tau"]
    return params


@pytest.mark.parametrize("name", ["a.db", "a.log"])
@pytest.mark.parametrize("out", ["p.json", "p.yaml"])
def test_what_was_exported_to_optuna_comes_back(
    record: Record, tmp_path: Path, name: str, out: str
) -> None:
    export(record, "optuna", tmp_path / name, None)
    before = (tmp_path / name).read_bytes()
    found = imported(tmp_path / name, tmp_path / out)
    assert (tmp_path / name).read_bytes() == before
    numbers = [p.number for p in found.points]
    # The front, its ends first; then the dominated ones; 3 is infeasible.
    assert set(numbers[:2]) == {0, 12}
    assert numbers[2:] == [2, 1, 11]
    assert found.study == "study"
    assert found.fixed == {"batch": 64}
    for one in found.points:
        assert one.params == pytest.approx(active(one.number))
    assert found.points[0].metrics["loss"] == pytest.approx(0.1)


def test_what_was_exported_to_csv_comes_back_with_its_types(
    record: Record, tmp_path: Path
) -> None:
    export(record, "csv", tmp_path / "a.csv", None)
    lines = import_points(str(tmp_path / "a.csv"), None, tmp_path / "p.json").lines
    found = read_points(tmp_path / "p.json")
    assert [p.number for p in found.points] == [0, 2, 8, 12, 1, 11]
    for one in found.points:
        assert one.params == active(one.number)
        typed = {k: type(v) for k, v in active(one.number).items()}
        assert {k: type(v) for k, v in one.params.items()} == typed
        # Neither errors nor retrainings nor the clock: what was measured.
        assert set(one.metrics) == {"accuracy", "spikes", "margin", "energy", "loss"}
    assert lines[0].startswith(f"import: {tmp_path / 'a.csv'}: 6 points, best first")
    assert lines[1] == "note: 7 of 13 rows left out: not front or dominated"


def test_without_a_file_the_text_is_given(record: Record, tmp_path: Path) -> None:
    export(record, "csv", tmp_path / "a.csv", None)
    text = "\n".join(import_points(str(tmp_path / "a.csv"), None, None).lines)
    assert len(json.loads(text)["points"]) == 6


SMOKE = ["+experiment=smoke", "executor=inline", "tracker=none", "study.confirm=0"]


@pytest.fixture(scope="module")
def first_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "study"
    assert main([*SMOKE, "study.budget=24", f"study_dir={folder}"]) == 0
    return folder


@pytest.mark.parametrize("way", ["optuna", "csv", "direct"])
def test_a_new_study_begins_with_what_went_round(
    first_study: Path, tmp_path: Path, way: str
) -> None:
    record = read_record(first_study)
    source = tmp_path / ("a.db" if way == "optuna" else "a.csv")
    export(record, "optuna" if way == "optuna" else "csv", source, None)
    points = tmp_path / "points.json"
    if way == "direct":
        points = source
    else:
        import_points(str(source), None, points)
    front = front_of(record.problem, record.history.done).numbers
    count = len(front)
    warm = [f"study.warm_start=[{points}]", f"study.warm_start_points={count}"]
    words = [*SMOKE, f"study_dir={tmp_path / 'warm'}", f"study.budget={count}", *warm]
    assert main([*words, "seed=5"]) == 0
    trials = read(tmp_path / "warm" / NAME).history.trials
    assert [t.proposal.origin for t in trials] == ["warm_start"] * count
    expected = [dict(record.history.trial(n).proposal.params) for n in front]
    found = [dict(t.proposal.params) for t in trials]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def optuna_study(path: Path, name: str = "a", **form: Any) -> Any:
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(path))
    )
    return optuna.create_study(storage=storage, study_name=name, **form)


def add(study: Any, values: list[float] | None, **options: Any) -> None:
    state = options.pop("state", "COMPLETE")
    params = options.pop("params", {"lr": 0.1})
    ranges = optuna.distributions
    kinds = {
        name: ranges.FloatDistribution(0.0, 1.0)
        if isinstance(value, float)
        else ranges.CategoricalDistribution((None, "a", True))
        for name, value in params.items()
    }
    study.add_trial(
        optuna.trial.create_trial(
            state=optuna.trial.TrialState[state],
            values=values,
            params=params,
            distributions=kinds,
            **options,
        )
    )


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with quietly():
        yield


def test_the_best_of_one_objective_comes_first(tmp_path: Path) -> None:
    study = optuna_study(tmp_path / "a.log", direction="maximize")
    for value in (0.2, 0.9, float("inf"), 0.5):
        add(study, [value])
    add(study, None, state="FAIL")
    found = imported(tmp_path / "a.log", tmp_path / "p.json")
    assert [p.number for p in found.points] == [2, 1, 3, 0]
    assert found.points[1].metrics == {"value_0": 0.9}


def test_constraints_of_both_forms_count(tmp_path: Path) -> None:
    study = optuna_study(tmp_path / "a.log", directions=["minimize", "minimize"])
    add(study, [1.0, 1.0], constraints={"c": 0.5})
    add(study, [2.0, 2.0], system_attrs={"constraints": [0.1]})
    add(study, [3.0, 3.0], constraints={"c": -0.5})
    found = imported(tmp_path / "a.log", tmp_path / "p.json")
    assert [p.number for p in found.points] == [2]


def test_where_nothing_is_feasible_the_least_violating_comes_first(
    tmp_path: Path,
) -> None:
    study = optuna_study(tmp_path / "a.log")
    for excess in (0.5, 0.1):
        add(study, [1.0], constraints={"c": excess})
    lines = import_points(str(tmp_path / "a.log"), None, tmp_path / "p.json").lines
    assert [p.number for p in read_points(tmp_path / "p.json").points] == [1, 0]
    assert "none is feasible" in lines[1]


def test_values_that_we_do_not_have_are_left_out(tmp_path: Path) -> None:
    study = optuna_study(tmp_path / "a.log")
    add(study, [1.0], params={"lr": 0.5, "kind": None, "flag": True})
    (one,) = imported(tmp_path / "a.log", tmp_path / "p.json").points
    assert one.params == {"lr": 0.5, "flag": True}


def test_a_csv_file_may_begin_with_empty_lines_and_number_its_rows(
    tmp_path: Path,
) -> None:
    # As pandas writes it: the first column has no name.
    text = "\n\n, lr ,number\n0,0.1,7\n1,0.2," + "9" * 5000 + "\n"
    (tmp_path / "a.csv").write_text(text)
    points = imported(tmp_path / "a.csv", tmp_path / "p.json").points
    assert [(p.number, p.params["lr"]) for p in points] == [(7, 0.1), (1, 0.2)]
    assert {*points[0].params} == {"lr", "number"}


def test_a_row_of_a_csv_file_has_the_number_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\nlr,depth\n\n1\n")
    with pytest.raises(ConfigError, match="row 4: expected 2 values"):
        import_points(str(tmp_path / "a.csv"), None, None)


def test_a_trial_that_optuna_cannot_read_is_one_line(tmp_path: Path) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'a.db'}")
    add(study, [1.0])
    with closing(sqlite3.connect(tmp_path / "a.db")) as base, base:
        base.execute("UPDATE trial_params SET distribution_json = '{}'")
    with pytest.raises(ConfigError, match="cannot read its trials: KeyError: 'type'"):
        import_points(str(tmp_path / "a.db"), None, None)


def test_complete_trials_without_parameters_are_no_points(tmp_path: Path) -> None:
    add(optuna_study(tmp_path / "a.log"), [1.0], params={})
    with pytest.raises(ConfigError, match="no complete trial has a parameter"):
        import_points(str(tmp_path / "a.log"), None, None)


def test_a_printed_point_needs_no_character_beyond_ascii(tmp_path: Path) -> None:
    (tmp_path / "ü.csv").write_text("größe\n1\n", encoding="utf-8")
    text = "\n".join(import_points(str(tmp_path / "ü.csv"), None, None).lines)
    assert text.isascii()
    assert json.loads(text)["points"][0]["params"] == {"größe": 1}


def test_points_nested_beyond_reading_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="expected a file of points in JSON"):
        read_points(tmp_path / "p.json")


def test_a_study_of_several_is_named(tmp_path: Path) -> None:
    for name, value in (("first", 0.1), ("second", 0.2)):
        add(optuna_study(tmp_path / "a.log", name), [value], params={"lr": value})
    found = imported(tmp_path / "a.log", tmp_path / "p.json", "second")
    assert (found.study, found.points[0].params) == ("second", {"lr": 0.2})
    with pytest.raises(ConfigError, match=r"holds 2 studies: .*: first, second\."):
        import_points(str(tmp_path / "a.log"), None, None)
    with pytest.raises(ConfigError, match=r"no study 'frist'\. Did you mean 'first'"):
        import_points(str(tmp_path / "a.log"), "frist", None)


def test_a_csv_of_optuna_has_its_complete_trials(tmp_path: Path) -> None:
    """As ``study.trials_dataframe().to_csv()`` writes it."""
    text = (
        ",number,values_0,values_1,params_lr,params_tau,state\n"
        "0,0,1.0,2.0,0.1,,COMPLETE\n"
        "1,1,,,0.2,3.0,PRUNED\n"
        "2,2,0.5,inf,0.3,4.0,COMPLETE\n"
    )
    (tmp_path / "a.csv").write_text(text)
    found = imported(tmp_path / "a.csv", tmp_path / "p.json")
    assert [(p.number, dict(p.params)) for p in found.points] == [
        (0, {"lr": 0.1}),
        (2, {"lr": 0.3, "tau": 4.0}),
    ]
    assert found.points[1].metrics == {"values_0": 0.5}


def test_every_column_of_another_csv_may_be_a_parameter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('\ufefflr,name\r\n0.1,"a, b"\r\n\r\n0.2,c\r\n')
    found = imported(tmp_path / "a.csv", tmp_path / "p.yaml")
    assert [(p.number, dict(p.params)) for p in found.points] == [
        (0, {"lr": 0.1, "name": "a, b"}),
        (1, {"lr": 0.2, "name": "c"}),
    ]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1", "2.5", "1e-3"], [1, 2.5, 0.001]),
        ([".5", "5."], [0.5, 5.0]),
        (["TRUE", "false"], [True, False]),
        # What somebody wrote to be text, and what is no number of a space.
        (["007", "8"], ["007", "8"]),
        (["1", "auto"], ["1", "auto"]),
        (["1", "nan"], ["1", "nan"]),
        (["1e999", "2"], ["1e999", "2"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["e5", "."], ["e5", "."]),
        (["123456789012345678901"], [123456789012345678901.0]),
    ],
)
def test_a_column_has_one_type(
    tmp_path: Path, cells: list[str], values: list[object]
) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["x", *cells]))
    found = imported(tmp_path / "a.csv", tmp_path / "p.json")
    read = [point.params["x"] for point in found.points]
    assert read == values
    assert [type(value) for value in read] == [type(value) for value in values]


def test_what_of_optuna_is_not_complete_is_counted_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'a.db'}")
    add(study, [0.5], params={"lr": 0.1})
    for _ in range(3):
        study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    read, build = [], optuna.storages.RDBStorage._build_frozen_trial_from_trial_model
    monkeypatch.setattr(
        optuna.storages.RDBStorage,
        "_build_frozen_trial_from_trial_model",
        lambda self, model: read.append(model.number) or build(self, model),
    )
    found = import_points(str(tmp_path / "a.db"), None, tmp_path / "p.json")
    assert found.notes[-1] == "3 of 4 trials left out"
    assert read == [0]
    assert found.to_json() == {
        "source": str(tmp_path / "a.db"),
        "study": study.study_name,
        "points": 1,
        "path": str(tmp_path / "p.json"),
        "notes": list(found.notes),
    }


def database(path: Path, *lines: str) -> None:
    with sqlite3.connect(path) as base:
        for line in lines:
            base.execute(line)
    base.close()


TABLES = ("CREATE TABLE studies (x)", "CREATE TABLE trials (y)")
SOURCES: dict[str, tuple[str | bytes, str]] = {
    "none.csv": ("", r"expected names in its first line"),
    "head.csv": ("lr,depth\n", r"no point in it: 0 rows"),
    "blank.csv": ("lr,depth\n,\n", r"no point in it: 1 rows"),
    "semi.csv": ("lr;depth\n0.1;3\n", r"columns separated by commas, got 'lr;depth'"),
    "short.csv": ("lr,depth\n0.1\n", r"row 2: expected 2 values, one a column, got 1"),
    "long.csv": ("lr\n0.1\n0.2,3\n", r"row 3: expected 1 values, one a column, got 2"),
    "twice.csv": ("lr,lr\n1,2\n", r"the column 'lr' is there twice"),
    "quote.csv": ('lr\n"0.1\n', r"no CSV: "),
    "bytes.csv": (b"lr\n\xff\xfe\n", r"expected text in UTF-8"),
    "pend.csv": ("param.lr,standing\n1,silent\n", r"1 rows, of which 0 are front or d"),
    "text.txt": ("hello\n", r"no study of Optuna's in it"),
    "list.log": ("[1, 2]\n", r"expected a CSV file .* got neither"),
    "empty.log": ("", r"no study of Optuna's in it"),
    "deep.log": ("[" * 100_000 + "\n", r"expected a CSV file .* got neither"),
    "torn.db": (b"SQLite format 3\x00" + b"x" * 200, r"cannot be read"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_no_source_is_one_line(tmp_path: Path, name: str) -> None:
    content, message = SOURCES[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=message) as caught:
        import_points(str(path), None, tmp_path / "p.json")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["CREATE TABLE x (y)"], r"a database, but not one of Optuna's"),
        (TABLES, r"Optuna 5\S* cannot read it: .* `optuna storage upgrade`"),
    ],
)
def test_another_database_is_refused_and_stays_as_it_is(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    database(tmp_path / "a.db", *lines)
    before = (tmp_path / "a.db").read_bytes()
    with pytest.raises(ConfigError, match=message):
        import_points(f"sqlite:///{tmp_path / 'a.db'}", None, None)
    assert (tmp_path / "a.db").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]


def test_a_study_without_a_complete_trial_is_refused(tmp_path: Path) -> None:
    study = optuna_study(tmp_path / "a.log")
    add(study, None, state="FAIL")
    with pytest.raises(ConfigError, match=r"none of 1 trials is complete: FAIL only"):
        import_points(str(tmp_path / "a.log"), None, None)


@pytest.mark.parametrize(
    ("source", "study", "out", "message"),
    [
        ("no.db", None, None, r"no\.db: cannot be read: No such file"),
        ("no.csv", None, None, r"no\.csv: cannot be read: No such file"),
        ("mysql://h/d", None, None, r"got mysql://h/d; copy .* optuna\.copy_study"),
        ("a.csv", "x", None, r"--study x: a CSV file is one study"),
        ("a.csv", None, "p.txt", r"--out: expected a name that ends in \.json, "),
        ("a.csv", None, "p.json", r"p\.json: exists already"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: Any, source: str, study: Any, *, out: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("lr\n1\n")
    (tmp_path / "p.json").write_text("mine")
    with pytest.raises(MoosnnError, match=message):
        import_points(source, study, out and Path(out))
    assert (tmp_path / "p.json").read_text() == "mine"


def test_without_the_package_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.db").touch()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'moosnn\[optuna\]'"):
        import_points(str(tmp_path / "a.db"), None, None)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], r"expected a file of points"),
        ({"points": 3}, r"expected a file of points"),
        ({"moosnn_points": 9, "points": []}, r"expected moosnn_points 1, got 9"),
        ({"points": [{"lr": 1}]}, r"points\[0\]: expected e\.g\."),
        ({"points": [{"params": [1]}]}, r"points\[0\]\.params: expected values by"),
        ({"points": [{"params": {"lr": None}}]}, r"points\[0\]\.params: .* 'lr': None"),
        ({"points": [{"params": {}, "number": -1}]}, r"points\[0\]\.number: expected"),
    ],
)
@pytest.mark.parametrize("name", ["p.json", "p.yaml"])
def test_a_file_of_another_form_is_one_line(
    tmp_path: Path, raw: Any, message: str, name: str
) -> None:
    text = json.dumps(raw) if name == "p.json" else yaml.safe_dump(raw)
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_points(tmp_path / name)


def test_only_params_are_needed(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("points:\n- params: {lr: 1.0e-3}\n")
    (one,) = read_points(tmp_path / "p.yaml").points
    assert (one.number, one.params) == (0, {"lr": 0.001})
