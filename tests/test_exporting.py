"""``moosnn export``: what is in each file, against what was journaled."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import moosnn
from moosnn.errors import ConfigError, MoosnnError, StudyFolderError
from moosnn.exporting import FORMATS, export
from moosnn.pareto.front import front_of
from moosnn.runtime.journal import NAME
from moosnn.runtime.record import Record, read_record
from moosnn.snn.weights import load_network
from moosnn.space import Space
from moosnn.trial import Evaluation, Failure, Proposal
from tests.exchange.told import CONFIG, FIXED, STANDINGS, told_study

OF_STUDIES = ("csv", "parquet", "json", "optuna")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A config of which nothing can be built: whoever exports it builds nothing."""
    return told_study(tmp_path_factory.mktemp("told") / "study")


@pytest.fixture(scope="module")
def as_json(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("out") / "a.json"
    export(record, "json", path, None)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(path.read_text(), parse_constant=refuse)  # NaN and Infinity


def test_importing_it_costs_nothing() -> None:
    heavy = "{'torch', 'pandas', 'pyarrow', 'optuna', 'numpy'} & {*sys.modules}"
    code = f"import sys, moosnn.exporting, moosnn.importing; print({heavy})"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_csv_has_every_trial(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    (line,) = export(record, "csv", path, None).lines
    assert line == f"export: 13 trials of {record.folder} -> {path}"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(r["number"]): r["standing"] for r in rows} == STANDINGS
    assert rows[5]["accuracy"] == rows[0]["param.tau"] == ""
    assert rows[1]["param.tau"] == "1.75"


def test_parquet_has_the_same_values_with_their_types(
    record: Record, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(record, "csv", tmp_path / "a.csv", None)
    export(record, "parquet", tmp_path / "a.parquet", None)
    table = parquet.read_table(tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    spelled = [
        {k: "" if v is None else str(v) for k, v in row.items()}
        for row in table.to_pylist()
    ]
    assert spelled == rows
    types = {field.name: str(field.type) for field in table.schema}
    assert types["number"] == types["param.depth"] == types["repeats"] == "int64"
    assert types["param.lr"] == types["accuracy"] == "double"
    assert types["feasible"] == types["param.skip"] == "bool"
    assert types["standing"].startswith("dictionary<values=string")
    about = json.loads(table.schema.metadata[b"moosnn"])
    assert about["problem"]["objectives"][0]["metric"] == "accuracy"
    assert Space.from_config(about["space"]) == record.problem.space


def test_json_loses_nothing(record: Record, as_json: Any) -> None:
    assert as_json["config"] == CONFIG
    assert (as_json["fixed"], as_json["versions"]) == (FIXED, {"torch": "2"})
    assert as_json["front"]["numbers"] == list(
        front_of(record.problem, record.history.done).numbers
    )
    space = Space.from_config(as_json["space"])
    assert len(as_json["trials"]) == len(STANDINGS)
    for raw, trial in zip(as_json["trials"], record.history.trials, strict=True):
        known = {n: v for n, v in raw["params"].items() if v is not None}
        whole = {**raw, "params": space.canonical(known)}
        assert Proposal.from_json(whole) == trial.proposal
        evaluation, failure = raw["evaluation"], raw["failure"]
        assert (evaluation and Evaluation.from_json(evaluation)) == trial.evaluation
        assert (failure and Failure.from_json(failure)) == trial.failure
        assert raw["standing"] == STANDINGS[trial.number]


def test_json_tells_what_happened_when(as_json: Any) -> None:
    kinds = [event["event"] for event in as_json["trials"][1]["events"]]
    assert kinds == [
        "proposed", "submitted", "reported", "retried", "submitted",
        "reported", "reported", "finished",
    ]  # fmt: skip
    assert as_json["trials"][1]["events"][3]["failure"]["kind"] == "lost"
    assert len(as_json["trials"][0]["test"]["evaluations"]) == 2
    assert as_json["trials"][0]["params"]["tau"] is None


@pytest.mark.parametrize("to", OF_STUDIES)
def test_without_a_name_it_goes_into_the_study(tmp_path: Path, to: str) -> None:
    record = told_study(tmp_path / "study")
    lines = export(record, to, None, None).lines
    (path,) = (record.folder / "export").iterdir()
    assert lines[0].endswith(f" -> {path}")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"exists already, .* with --out"):
        export(record, to, None, None)
    assert path.read_bytes() == before


@pytest.mark.parametrize("to", ["csv", "json"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyFolderError, match="cannot be written: No space left"):
        export(record, to, tmp_path / "a", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", OF_STUDIES)
def test_a_folder_that_is_not_there_is_one_line(
    record: Record, tmp_path: Path, to: str
) -> None:
    with pytest.raises(StudyFolderError, match=r"nowhere/deep/a: cannot be written"):
        export(record, to, tmp_path / "nowhere" / "deep" / "a", None)


@pytest.mark.parametrize(
    ("package", "to"), [("pyarrow", "parquet"), ("optuna", "optuna")]
)
def test_a_missing_package_is_one_line(
    record: Record, tmp_path: Path, monkeypatch: Any, package: str, to: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"pip install 'moosnn\[{to}\]'\.$"):
        export(record, to, tmp_path / "a", None)


@pytest.mark.parametrize(
    ("to", "number", "message"),
    [
        ("cvs", None, r"--to: unknown format 'cvs'\. Did you mean 'csv'"),
        ("csv", 3, r"--trial: csv has every trial"),
        ("nir", None, r"name it with --trial N; the front of .* is 0, 2, 12\."),
        ("weights", 99, r"--trial: .* expected 0 to 12, got 99"),
        ("weights", 7, r"trial 7 is failed, not done"),
        ("nir", 0, r"trial 0 has no weights any more"),
    ],
)
def test_a_mistake_is_one_line(
    record: Record, tmp_path: Path, to: str, number: Any, message: str
) -> None:
    with pytest.raises(MoosnnError, match=message) as caught:
        export(record, to, tmp_path / "a", number)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_said_to_be_damaged(tmp_path: Path) -> None:
    told_study(tmp_path / "study")
    path = tmp_path / "study" / NAME
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:6], "x\n", *lines[7:]]))
    found = export(read_record(path.parent), "csv", tmp_path / "a.csv", None).lines
    assert "line 7 is damaged" in found[1]


def member_of(study: Path) -> tuple[Record, int]:
    record = read_record(study)
    return record, front_of(record.problem, record.history.done).numbers[0]


def test_weights_are_those_of_the_study(digits_study: Path, tmp_path: Path) -> None:
    record, number = member_of(digits_study)
    lines = export(record, "weights", tmp_path / "net", number).lines
    assert lines[0].startswith(f"export: the network of trial {number} of ")
    ours, preprocess = moosnn.load(digits_study, number)
    theirs, _ = load_network(tmp_path / "net")
    images = torch.arange(5.0 * 64).reshape(5, 64) % 17
    with torch.no_grad():
        coded = preprocess(images)
        assert torch.equal(ours(coded), theirs(coded))
    with pytest.raises(ConfigError, match="exists already"):
        export(record, "weights", tmp_path / "net", number)


def test_somebodys_own_network_is_not_said_to_be_gone(record: Record) -> None:
    trained = record.folder / "trials/000000/1"
    trained.mkdir(parents=True)
    try:
        (trained / "module.safetensors").touch()
        with pytest.raises(StudyFolderError, match="a network of your own") as caught:
            moosnn.load(record.folder, 0)
    finally:
        shutil.rmtree(trained)
    assert str(trained / "module.safetensors") in str(caught.value)


def test_a_graph_of_nir_is_that_of_the_network(
    digits_study: Path, tmp_path: Path
) -> None:
    nir = pytest.importorskip("nir")
    record, number = member_of(digits_study)
    export(record, "nir", tmp_path / "net.nir", number)
    graph = nir.read(tmp_path / "net.nir")
    network, _ = moosnn.load(digits_study, number)
    count = sum(p.numel() for n, p in network.named_parameters() if "weight" in n)
    affine = [n for n in graph.nodes.values() if hasattr(n, "weight")]
    assert sum(node.weight.size for node in affine) == count
    assert [p.name for p in tmp_path.iterdir()] == ["net.nir"]


def test_the_formats_are_those_that_are_documented() -> None:
    page = (Path(__file__).parents[1] / "docs/exchange.md").read_text()
    assert all(f"--to {name}" in page for name in FORMATS)


def test_a_place_below_a_file_is_one_line(record: Record, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StudyFolderError, match=r"a\.csv: cannot be written: "):
        export(record, "csv", tmp_path / "file" / "a.csv", None)
    assert (tmp_path / "file").read_text() == "mine"
