"""The sub-commands that only look: what they say, what they write, what they refuse."""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from moosnn.__main__ import main
from moosnn.cli import SUBCOMMANDS, run
from moosnn.errors import MoosnnError
from moosnn.events import Kind
from moosnn.pareto.front import front_of
from moosnn.runtime.journal import NAME
from moosnn.runtime.lease import STALE_S, Lease, holder
from moosnn.runtime.process import Process
from moosnn.runtime.record import Record, read_record
from moosnn.tracking.summary import duration_text
from tests.runtime.test_lease import write_lease
from tests.snn.data import writers

STUDIES = ("nsga2-0", "nsga2-1", "sobol-0", "sobol-1")
BUDGET = 24


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small real studies of two optimizers."""
    folder = tmp_path_factory.mktemp("sweep")
    for name in STUDIES:
        optimizer, seed = name.split("-")
        words = [f"optimizer={optimizer}", f"seed={seed}", f"study.budget={BUDGET}"]
        words += ["+experiment=smoke", "executor=inline", "study.confirm=2"]
        assert main([*words, f"study_dir={folder / name}"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


Files = dict[str, tuple[int, int]]


def files(folder: Path) -> Files:
    """Every file below a folder, with its size and when it was changed."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    stats = {path.relative_to(folder).as_posix(): path.stat() for path in found}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def shown(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What a sub-command that finds nothing to complain about prints."""
    assert run([str(word) for word in words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refusal(*words: str | Path) -> str:
    with pytest.raises(MoosnnError) as caught:
        run([str(word) for word in words])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def copy_of(study: Path, to: Path, lines: int | None = None) -> Path:
    """A study with the first lines of another's journal, and its config."""
    to.mkdir(parents=True)
    kept = (study / NAME).read_text().splitlines(keepends=True)[:lines]
    (to / NAME).write_text("".join(kept))
    (to / "config.yaml").write_bytes((study / "config.yaml").read_bytes())
    return to


# ------------------------------------------------------------------------ status


def test_the_status_of_a_finished_study(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = sweep / "sobol-0"
    before = files(study)
    record = read_record(study)
    told = json.loads(shown(capsys, "status", study, "--json"))
    assert len(told) == 1
    history, problem = record.history, record.problem
    front = front_of(problem, history.done)
    kinds = [t.failure.kind for t in history.failed if t.failure]
    expected = {
        "study": str(study),
        "state": "finished",
        "host": None,
        "pid": None,
        "budget": BUDGET,
        "ended": BUDGET,
        "done": len(history.done),
        "feasible": sum(problem.is_feasible(t) for t in history.done),
        "silent": sum(problem.violations([t])[0, 0] > 0 for t in history.done),
        "failed": len(history.failed),
        "pending": 0,
        "retrained": 6,
        "front": list(front.numbers),
        "hypervolume": front.hypervolume,
        "left_s": None,
        "running": [],
        "failures": {kind: kinds.count(kind) for kind in kinds},
        "retries": {},
    }
    assert {key: told[0][key] for key in expected} == expected
    ends = [e for e in history if e.kind in (Kind.FINISHED, Kind.FAILED)]
    early = history.prefix(list(history).index(ends[-11]) + 1)
    gain = front.hypervolume - front_of(problem, early.done).hypervolume
    assert told[0]["gain"] == pytest.approx(gain)
    log = told[0]["last_log"]
    assert (log is None) == (not kinds)
    assert log is None or (study / log).is_file()
    words = shown(capsys, "status", study)
    assert words.startswith(f"{study}: finished; a larger study.budget extends it\n")
    assert f"{BUDGET} of {BUDGET}: {expected['feasible']} feasible" in words
    assert f"{len(front)} members, hypervolume {front.hypervolume:.3f}" in words
    assert files(study) == before


def test_the_status_of_a_stopped_study(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = (sweep / "sobol-1" / NAME).read_text().splitlines()
    # Up to where a trial was given out and not heard of again.
    last = max(i for i, line in enumerate(journal) if '"event":"submitted"' in line)
    study = copy_of(sweep / "sobol-1", tmp_path / "s", last + 1)
    (told,) = json.loads(shown(capsys, "status", study, "--json"))
    assert told["state"] == "stopped"
    assert told["pending"] == len(told["running"]) == 1
    assert told["running"][0] == {
        "number": json.loads(journal[last])["number"],
        "attempt": 1,
        "epoch": None,
        "retraining": False,
        "seconds": None,
        "worker": json.loads(journal[last])["job_id"],
    }
    words = shown(capsys, "status", study)
    assert "stopped; the command that started it continues it" in words
    assert f"given out   trial {told['running'][0]['number']}\n" in words
    (study / "config.yaml").unlink()
    assert f"{told['ended']} of ?" in shown(capsys, "status", study)


def test_the_status_of_a_sweep_is_a_row_a_study(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, "status", sweep).splitlines()
    rows = [line.split() for line in lines if line.split()[:1] and "/24" in line]
    assert [row[0] for row in rows] == list(STUDIES)
    assert all(row[1:3] == ["finished", f"{BUDGET}/{BUDGET}"] for row in rows)
    assert max(map(len, lines)) <= 80
    # The same studies named one by one, one of them twice.
    named = [sweep / name for name in STUDIES]
    assert shown(capsys, "status", *named, named[0]).splitlines() == lines
    told = json.loads(shown(capsys, "status", sweep, "--json"))
    assert [Path(one["study"]).name for one in told] == list(STUDIES)


def test_a_study_is_read_while_its_driver_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["+experiment=smoke", "study.budget=100000", "executor=inline"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "moosnn", *words, "study_dir=s"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    journal = tmp_path / "s" / NAME
    try:
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 60):
            assert driver.poll() is None
            time.sleep(0.01)
        ended = []
        for _ in range(8):
            (told,) = json.loads(shown(capsys, "status", "s", "--json"))
            assert (told["state"], told["pid"]) == ("running", driver.pid)
            assert told["left_s"] > 0
            ended.append(told["ended"])
            front = json.loads(shown(capsys, "front", "s", "--json"))
            assert {member["number"] for member in front}
        assert ended == sorted(ended)
        assert ended[-1] > ended[0]
        text = shown(capsys, "status", "s")
        assert text.startswith(f"s: running: host {told['host']}, pid {driver.pid}\n")
        assert "left" in text
    finally:
        driver.kill()
        driver.wait()
    assert shown(capsys, "status", "s").startswith("s: stopped")


def test_who_holds_a_study_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert files(tmp_path) == {}
    with Lease.acquire(tmp_path):
        found = holder(tmp_path)
        assert found == Process.current()
        assert len(files(tmp_path)) == 1
    assert holder(tmp_path) is None
    dead = replace(Process.current(), start_ticks=1)  # a later process has its pid
    write_lease(tmp_path, dead, epoch=2)
    assert holder(tmp_path) is None
    elsewhere = replace(Process.current(), host="elsewhere")
    path = write_lease(tmp_path, elsewhere, epoch=3)
    before = files(tmp_path)
    assert holder(tmp_path) == elsewhere
    assert files(tmp_path) == before
    old = time.time() - STALE_S - 1
    os.utime(path, (old, old))
    assert holder(tmp_path) is None
    path.write_text("{")
    assert holder(tmp_path) is None


def test_a_driver_elsewhere_is_known_by_its_signs_of_life(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copy_of(sweep / "sobol-0", tmp_path / "s", 30)
    elsewhere = replace(Process.current(), host="elsewhere", pid=7)
    write_lease(study, elsewhere)
    before = files(study)
    words = shown(capsys, "status", study)
    assert "running: host elsewhere, pid 7 (by its signs of life)" in words
    assert files(study) == before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0012, "0.0012 s"),
        (9.87, "9.9 s"),
        (45.4, "45 s"),
        (60, "1 min"),
        (380, "6 min 20 s"),
        (7500, "2 h 5 min"),
        (7205, "2 h"),
        (200000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


# ------------------------------------------------------------------------ front


def check_member(record: Record, member: dict[str, Any]) -> None:
    """A member of the JSON front against the journal."""
    trial = record.history.trial(member["number"])
    assert trial.evaluation is not None
    assert member["metrics"] == dict(trial.evaluation.metrics)
    active = record.problem.space.active(trial.proposal.params)
    assert member["params"] == dict(active)
    events = [
        e
        for e in record.history.of_kind(Kind.CONFIRMED)
        if e.number == member["number"]
    ]
    if not events:
        assert member["test"] is None
        return
    found = [e.data["evaluation"]["metrics"] for e in events if "evaluation" in e.data]
    assert member["test"]["count"] == len(events)
    fell = sum(metrics["silence_margin"] > 0 for metrics in found)
    assert member["test"]["infeasible"] == fell + len(events) - len(found)
    for name, told in member["test"]["metrics"].items():
        values = [metrics[name] for metrics in found if name in metrics]
        assert told == {
            "mean": pytest.approx(statistics.fmean(values)),
            "min": min(values),
            "max": max(values),
            "count": len(values),
        }


def test_the_front_as_json(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = sweep / "nsga2-0"
    before = files(study)
    record = read_record(study)
    told = json.loads(shown(capsys, "front", study, "--json"))
    ended = record.history.of_kind(Kind.ENDED)[-1]
    assert [member["number"] for member in told] == ended.data["front"]
    assert sum(member["test"] is not None for member in told) == 2
    for member in told:
        assert set(member) == {
            *("number", "params", "metrics", "test"),
            *("trials", "sems"),
        }
        check_member(record, member)
    table = shown(capsys, "front", study)
    assert table.startswith(f"front of {len(told)} trials")
    assert files(study) == before


def test_the_front_at_any_time(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = sweep / "sobol-0"
    record = read_record(study)
    ends = [
        record.history.trial(event.number)
        for event in record.history
        if event.kind in (Kind.FINISHED, Kind.FAILED) and event.number is not None
    ]
    for count in (1, 7, BUDGET):
        told = json.loads(shown(capsys, "front", study, "--at", str(count), "--json"))
        front = front_of(record.problem, ends[:count])
        assert tuple(member["number"] for member in told) == front.numbers
        # As it was known then: the retrainings came after the last trial.
        assert all(member["test"] is None for member in told)


@pytest.mark.parametrize("count", ["0", "-3", str(BUDGET + 1)])
def test_the_front_at_a_time_that_never_was(sweep: Path, count: str) -> None:
    study = sweep / "sobol-0"
    assert refusal("front", study, "--at", count) == (
        f"front: --at: expected 1 <= N <= {BUDGET}, how many trials of {study} have "
        f"ended, got {count}."
    )


# ------------------------------------------------------------------------ edge


def test_the_edge_of_a_study(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copy_of(sweep / "nsga2-0", tmp_path / "s")
    lines = shown(capsys, "edge", study).splitlines()
    record = read_record(study)
    front = front_of(record.problem, record.history.done)
    assert lines[0].startswith(f"front of {len(front)} trials, hypervolume ")
    rows = [line.split()[0] for line in lines if line.split()[:1]]
    assert [word for word in rows if word.isdigit()] == list(map(str, front.numbers))
    assert max(map(len, lines[:-1])) <= 80
    assert {path.name for path in study.iterdir()} == {NAME, "config.yaml", "edge.png"}
    assert matplotlib.image.imread(study / "edge.png").shape[0] > 300
    words = ["--parameters", "penalty,threshold", "--member", str(front.numbers[0])]
    asked = shown(capsys, "edge", study, *words).splitlines()
    assert asked[-1] == f"{study}/edge.png: penalty and threshold"
    assert any(line.startswith(f"trial {front.numbers[0]} ") for line in asked)


def test_the_edge_as_json(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copy_of(sweep / "nsga2-0", tmp_path / "s")
    found = json.loads(shown(capsys, "edge", study, "--json"))
    record = read_record(study)
    front = front_of(record.problem, record.history.done)
    assert [member["number"] for member in found["members"]] == list(front.numbers)
    assert (found["unknown"], found["picture"]) == (None, f"{study}/edge.png")
    assert found["constraints"] == ["silence_margin"]
    assert found["measured"] == len(record.history.done)
    edges = [(m["number"], edge) for m in found["members"] for edge in m["edges"]]
    assert edges
    for number, edge in edges:
        params = record.history.trial(number).proposal.params
        assert edge["value"] == params[edge["parameter"]]
        assert edge["distance"] > 0
    begun = copy_of(sweep / "sobol-0", tmp_path / "begun", 2)
    found = json.loads(shown(capsys, "edge", begun, "--json"))
    assert found["unknown"].startswith("no edge seen")
    assert found.keys() == {"study", "unknown", "picture"}


def test_an_edge_that_nobody_has_seen_is_not_drawn(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = copy_of(sweep / "sobol-0", tmp_path / "s", 2)
    assert shown(capsys, "edge", begun) == (
        "no edge seen: 0 trials measured; 10 are the least.\n"
    )
    assert {path.name for path in begun.iterdir()} == {NAME, "config.yaml"}


def test_a_picture_that_cannot_be_written_is_a_mistake(
    sweep: Path, tmp_path: Path
) -> None:
    study = copy_of(sweep / "nsga2-0", tmp_path / "s")
    (study / "edge.png").mkdir()
    assert refusal("edge", study) == (
        f"{study}/edge.png: cannot be written (Is a directory)."
    )


# ------------------------------------------------------------------------ report


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_report_of_a_study(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copy_of(sweep / "nsga2-1", tmp_path / "s")
    said = f"report: {study}/report/report.html; beside it front.csv, trials.csv\n"
    assert shown(capsys, "report", study) == said
    names = {"report.html", "front.csv", "trials.csv"}
    assert {path.name for path in (study / "report").iterdir()} == names
    assert {path.name for path in study.iterdir()} == {NAME, "config.yaml", "report"}
    record = read_record(study)
    rows = rows_of(study / "report/trials.csv")
    assert [int(row["number"]) for row in rows] == list(range(BUDGET))
    for row, trial in zip(rows, record.history.trials, strict=True):
        assert row["status"] == trial.status
        assert row["origin"] == trial.proposal.origin
        assert row["failure"] == (trial.failure.kind if trial.failure else "")
        active = record.problem.space.active(trial.proposal.params)
        for name in record.problem.space:
            assert row[f"param.{name}"] == str(active.get(name, ""))
        if trial.evaluation is None:
            assert row["feasible"] == row["seconds"] == row["accuracy"] == ""
            continue
        assert row["feasible"] == str(record.problem.is_feasible(trial))
        assert float(row["seconds"]) == trial.evaluation.seconds
        assert row["stopped"] == (trial.evaluation.stopped or "")
        for metric, value in trial.evaluation.metrics.items():
            assert float(row[metric]) == value
    front = rows_of(study / "report/front.csv")
    told = json.loads(shown(capsys, "front", study, "--json"))
    assert [int(row["number"]) for row in front] == [one["number"] for one in told]


def test_the_report_of_a_sweep(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together = tmp_path / "together"
    for name in STUDIES:
        copy_of(sweep / name, together / name)
    out = shown(capsys, "report", together)
    names = {"report.html", "summary.csv", "groups.csv"}
    assert {path.name for path in (together / "report").iterdir()} == names
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows if row[1:2] == ["2"]] == ["nsga2", "sobol"]
    assert max(len(line) for line in out.splitlines()[:-1]) <= 80
    for row in rows_of(together / "report/summary.csv"):
        name = Path(row["study"]).name
        record = read_record(sweep / name)
        assert f"{row['group']}-{row['seed']}" == name
        volume = record.history.of_kind(Kind.ENDED)[-1].data["hypervolume"]
        assert float(row["hypervolume"]) == pytest.approx(volume)
        assert (int(row["ended"]), row["finished"]) == (BUDGET, "True")
    # Several folders: into ./report, or wherever is wanted.
    named = [together / name for name in STUDIES[:2]]
    assert "report: report/report.html; " in shown(capsys, "report", *named)
    assert {path.name for path in (tmp_path / "report").iterdir()} == names
    shown(capsys, "report", *named, "--out", tmp_path / "else/where")
    assert (tmp_path / "else/where/groups.csv").is_file()


def test_the_pictures_of_a_report(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, several = ("front", "hypervolume"), ("hypervolume", "fronts", "silent")
    for name, studies in ((one, STUDIES[1:2]), (several, STUDIES[1:3])):
        folder = tmp_path / name[-1]
        named = [sweep / study for study in studies]
        words = ["report", *named, "--static", "--json", "--out", folder]
        told = json.loads(shown(capsys, *words))
        assert told["page"] == str(folder / "report.html")
        assert {path.name for path in folder.iterdir()} == set(told["files"])
        for picture in name:
            read = matplotlib.image.imread(folder / f"{picture}.png")
            assert read.shape[0] > 300


def test_studies_that_have_only_begun(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = copy_of(sweep / "sobol-0", tmp_path / "all/begun", 2)
    assert refusal("report", begun) == (
        f"{begun}: no trial has ended yet; there is nothing to report."
    )
    assert not (begun / "report").exists()
    capsys.readouterr()
    assert json.loads(shown(capsys, "front", begun, "--json")) == []
    assert shown(capsys, "front", begun).startswith("no front")
    assert "0 of 24: 0 feasible" in shown(capsys, "status", begun)
    assert refusal("front", begun, "--at", "1") == (
        f"front: --at: no trial of {begun} has ended yet."
    )
    # Beside others it is left out, and that is said.
    copy_of(sweep / "nsga2-0", tmp_path / "all/nsga2")
    assert run(["report", str(tmp_path / "all")]) == 0
    note = f"note: {begun}: no trial has ended yet; left out.\n"
    assert capsys.readouterr().err == note
    assert len(rows_of(tmp_path / "all/report/summary.csv")) == 1


# ---------------------------------------------------------------------------- data


def test_what_lies_in_a_data_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = writers.write_nmnist(tmp_path / "events")
    told = shown(capsys, "data", "check", root).splitlines()
    assert told[0] == "nmnist: events of 2 x 34 x 34, 10 classes"
    assert told[-1] == (
        f"use it: python -m moosnn +experiment=nas_mlp data=nmnist data.root={root}"
    )


def test_data_check_wants_a_folder() -> None:
    with pytest.raises(MoosnnError, match="expected"):
        run(["data", "check", ""])


def test_a_bad_file_of_a_data_folder_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = writers.write_mnist(tmp_path / "pictures")
    path = root / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["data", "check", str(root)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"moosnn: {path}: byte 27: expected 20 bytes after the header, which counts "
        "20, got 19; copy or unpack the file again.\n"
    )


# ------------------------------------------------------------------------ mistakes


def test_a_damaged_journal_is_read_up_to_the_damage(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copy_of(sweep / "sobol-0", tmp_path / "s")
    lines = (study / NAME).read_text().splitlines()
    (study / NAME).write_text("\n".join([*lines[:40], "{", *lines[41:]]) + "\n")
    assert run(["status", str(study), "--json"]) == 0
    out, err = capsys.readouterr()
    (told,) = json.loads(out)
    ended = sum('"finished"' in line or '"failed"' in line for line in lines[:40])
    assert (told["state"], told["ended"]) == ("damaged", ended)
    assert err.startswith(f"note: {study / NAME}: line 41 is damaged")
    assert err.count("\n") == 1
    for words in (["front"], ["report"]):
        assert run([*words, str(study)]) == 0
        assert "line 41 is damaged" in capsys.readouterr().err
    assert len(rows_of(study / "report/trials.csv")) == sum(
        '"proposed"' in line for line in lines[:40]
    )


def test_of_a_sweep_what_can_be_read_is_read(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_of(sweep / "sobol-0", tmp_path / "all/a")
    broken = copy_of(sweep / "sobol-1", tmp_path / "all/b")
    (broken / NAME).write_text('{"event":"ended"}\n')
    assert run(["status", str(tmp_path / "all"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 1
    assert err.startswith(f"note: {broken}")
    assert err.count("\n") == 1
    assert str(broken) in refusal("status", broken)


def test_mistakes(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    study = sweep / "sobol-0"
    for words, said in (
        (["stats", study], "unknown sub-command 'stats'. Did you mean 'status'?"),
        (["status"], "status: expected a folder (DIR)."),
        (["status", "nowhere"], "nowhere: no such folder."),
        (["status", "file"], "file: no such folder."),
        (["report", "empty"], "empty: holds no study, neither itself nor any folder"),
        (["front", sweep], f"front: {sweep} holds 4 studies; name one of them, e.g. "),
        (["edge", sweep], f"edge: {sweep} holds 4 studies; name one of them, e.g. "),
        (["edge", study, "--member", "x"], "edge: --member: expected a whole number"),
        (["edge", study, "--member", "99"], "edge: --member: trial 99 is not on the "),
        (["edge", study, "--parameters", "lr"], "edge: --parameters: expected two na"),
        (["edge", study, "--out", "x"], "edge: unknown option '--out'."),
        (["front", study, study], f"front: expected one folder, got '{study}' as well"),
        (["front", study, "--jsn"], "front: unknown option '--jsn'. Did you mean '--j"),
        (["front", study, "--at", "x"], "front: --at: expected a whole number, got 'x"),
        (["front", study, "--at"], "front: --at: expected one argument"),
        (["status", study, "--at", "3"], "status: unknown option '--at'."),
        (["data"], "data: expected a folder (check, DIR)."),
        (["data", "check"], "data: expected a folder (DIR)."),
        (["data", "chek", "empty"], "data: check: got 'chek'. Did you mean 'check'?"),
        (["data", "check", "empty", "b"], "data: expected one folder, got 'b' as well"),
        (["data", "check", "empty"], "empty: holds no known data set; expected one of"),
        (["data", "check", "nowhere"], "nowhere: no such folder; expected one of"),
        (["report", study, "--out", "file"], "file: cannot be written (File exists);"),
        (["report", study, "--out", "file/x"], "file/x: cannot be written (Not a dir"),
    ):
        assert refusal(*words).startswith(said), words
    assert not (study / "report").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "file"}


def test_studies_of_different_problems_are_not_compared(
    sweep: Path, tmp_path: Path
) -> None:
    here = copy_of(sweep / "sobol-0", tmp_path / "a")
    there = copy_of(sweep / "sobol-1", tmp_path / "b")
    text = (there / NAME).read_text()
    (there / NAME).write_text(text.replace('"reference":1000,', '"reference":500,'))
    assert refusal("report", here, there) == (
        f"{here} and {there} cannot be compared: objectives: spikes_per_sample: "
        "reference 1000 and 500; report studies of one problem together."
    )
    assert not (tmp_path / "report").exists()


# ------------------------------------------------------------------------ commands


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "moosnn", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_they_run_as_commands(sweep: Path, tmp_path: Path) -> None:
    done = command("status", sweep, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in STUDIES)
    wrong = command("front", sweep / "sobol-0", "--at", "999", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("moosnn: front: --at: expected 1 <= N <= 24")
    assert wrong.stderr.count("\n") == 1


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in SUBCOMMANDS:
        out = shown(capsys, name, "--help")
        assert out.startswith(f"usage: moosnn {name} ")
        assert max(map(len, out.splitlines())) <= 80


def test_importing_it_is_cheap_and_looking_needs_neither_torch_nor_hydra(
    sweep: Path, tmp_path: Path
) -> None:
    script = (
        "import sys, moosnn.cli;"
        "early = {'numpy', 'yaml', 'rich'} & set(sys.modules);"
        "words = (['status', sys.argv[1]], ['front', sys.argv[1]]);"
        "[moosnn.cli.run(each) for each in words];"
        "heavy = {'torch', 'wandb', 'botorch', 'hydra', 'matplotlib'};"
        "sys.exit(f'{early} {heavy}' if early or heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(sweep / "sobol-0")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_whoever_has_read_enough_may_close_the_pipe(
    sweep: Path, tmp_path: Path
) -> None:
    script = "import sys; from moosnn.cli import run; sys.exit(run(sys.argv[1:]))"
    line = [sys.executable, "-c", script, "front", str(sweep / "nsga2-0"), "--json"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
