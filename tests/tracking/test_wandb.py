"""The W&B run of real studies, read back from the files that W&B wrote.

A study runs in a process of its own, without credentials: so nothing asks the network.
"""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.runtime.record import read_record
from moosnn.tracking.feed import Feed
from moosnn.tracking.progress import Follower, study_id
from moosnn.tracking.summary import front_csv
from moosnn.tracking.wandb import LOG, Wandb
from moosnn.tracking.wandb_log import CHARTED, FIGURE, FRONT, INTERRUPTED
from moosnn.tracking.wandb_run import part_names
from tests.helpers import toy_problem
from tests.tracking.wandb_files import (
    INLINE,
    processes,
    require_rows,
    run,
    run_files,
    start,
    until,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A study of two trackers that came to its end, and what it printed."""
    cwd = tmp_path_factory.mktemp("wandb")
    words = ("tracker=[console,wandb]", "tracker.wandb.tags=[try]", "study.budget=9")
    return cwd / "sweep/s", run(cwd, *words)


# ------------------------------------------------------------------ what is logged


def test_one_line_says_where_the_run_is(finished: tuple[Path, str]) -> None:
    study, out = finished
    (found,) = run_files(study)
    lines = [line for line in out.splitlines() if "W&B" in line or "wandb" in line]
    assert lines == [
        f"moosnn: W&B is offline; upload it with: wandb sync {found.folder}"
    ]
    assert "front of" in out  # the console beside it
    assert "trial 0" in out


def test_rows_are_those_of_the_journal(finished: tuple[Path, str]) -> None:
    study, _ = finished
    (found,) = run_files(study)
    require_rows(study, found.rows)
    assert len(found.rows) == 9
    assert found.rows[-1]["ended"] == 9
    assert set(CHARTED) < set(found.rows[0])


def test_charts_exist_against_trials_and_hours(finished: tuple[Path, str]) -> None:
    metrics = run_files(finished[0])[0].metrics
    for name in CHARTED:
        assert metrics[name].step_metric == "ended"
        assert metrics[f"time/{name}"].step_metric == "elapsed_h"
    assert metrics["ended"].options.hidden


def test_the_run_is_the_study(finished: tuple[Path, str]) -> None:
    study, _ = finished
    (found,) = run_files(study)
    header = read_record(study).history[0].data
    assert found.run.run_id == study_id(read_record(study).history)
    assert (found.run.display_name, found.run.run_group) == ("s", "sweep")
    assert found.run.project == "moosnn"
    assert list(found.run.tags) == ["try", "Sobol", "AnalyticTask"]
    config = {k: v for k, v in found.config.items() if k != "_wandb"}
    assert config == {**header["config"], "versions": header["versions"]}
    assert found.exit_codes == [0]


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        ({"_target_": "a.Evolution", "algorithm": "nsga3"}, ["nsga3", "SnnTask"]),
        ({"_target_": "a.b.Sobol"}, ["Sobol", "SnnTask"]),
        ({}, ["SnnTask"]),
    ],
)
def test_a_class_of_several_algorithms_is_called_by_the_chosen_one(
    optimizer: dict[str, Any], names: list[str]
) -> None:
    task = {"_target_": "moosnn.tasks.snn.SnnTask", "algorithm": "of the task"}
    assert part_names({"optimizer": optimizer, "task": task}) == names


def test_the_last_front_is_a_table_and_a_figure(finished: tuple[Path, str]) -> None:
    study, _ = finished
    (found,) = run_files(study)
    record = read_record(study)
    follower = Follower.of(record.problem, record.history)
    row = [row for row in found.rows if f"{FRONT}.path" in row][-1]
    table = found.media(row, FRONT)
    assert [line[0] for line in table["data"]] == list(follower.now.front)
    assert table["columns"][:3] == ["trial", *record.problem.metrics[:2]]
    space = record.problem.space
    assert table["columns"][-len(space) :] == [f"param.{name}" for name in space]
    for line in table["data"]:
        trial = record.history.trial(line[0])
        assert trial.evaluation is not None
        active = space.active(trial.proposal.params)
        cells = dict(zip(table["columns"], line, strict=True))
        assert cells["accuracy"] == trial.evaluation.metrics["accuracy"]
        assert {name: cells[f"param.{name}"] for name in space} == {
            name: active.get(name) for name in space
        }
    names = [
        trace["name"] for trace in found.media(row, FIGURE)["data"] if "name" in trace
    ]
    assert f"front ({len(follower.now.front)})" in names
    # Within a minute the front is logged twice at most: at first, and at the end.
    assert 1 <= sum(f"{FRONT}.path" in row for row in found.rows) <= 2


def test_the_summary_is_the_end(finished: tuple[Path, str]) -> None:
    study, _ = finished
    record = read_record(study)
    now = Follower.of(record.problem, record.history).now
    summary = run_files(study)[0].summary
    names = ("done", "feasible", "silent", "failed", "retrained", "hypervolume")
    assert {n: summary[n] for n in names} == {n: getattr(now, n) for n in names}
    assert (summary["front_size"], summary["pending"]) == (len(now.front), 0)


def test_the_artifact_holds_the_study(finished: tuple[Path, str]) -> None:
    study, _ = finished
    record = read_record(study)
    artifact = run_files(study)[0].artifacts["study"]
    assert artifact.name == f"study-{study_id(record.history)}"
    contents = {entry.path: entry for entry in artifact.manifest.contents}
    assert set(contents) == {"journal.jsonl", "config.yaml", "front.csv"}
    for name, entry in contents.items():
        data = Path(entry.local_path).read_bytes()
        assert data == (study / name).read_bytes()
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        assert entry.digest == base64.b64encode(digest).decode()
        assert Path(entry.local_path).is_relative_to(study / "wandb")
    csv = Path(contents["front.csv"].local_path).read_text()
    assert csv == front_csv(record.problem, record.history)


def test_everything_lies_in_the_study_folder(finished: tuple[Path, str]) -> None:
    study, _ = finished
    cwd = study.parents[1]
    assert {path.name for path in cwd.iterdir()} <= {"sweep", "home"}
    assert not [path for path in (cwd / "home").rglob("*") if "wandb" in str(path.name)]
    assert (study / LOG).read_text() == ""
    assert "wandb" in {path.name for path in study.iterdir()}


def test_weights_of_the_front_are_in_the_artifact(digits_study: Path) -> None:
    from moosnn.tracking.wandb_log import artifact

    record = read_record(digits_study)
    found = artifact(digits_study, record.problem, record.history)
    front = Follower.of(record.problem, record.history).now.front
    assert front
    trials = {record.history.trial(n).attempt: n for n in front}
    expected = {
        f"trials/{number:06d}/{attempt}/weights.safetensors"
        for attempt, number in trials.items()
    }
    assert expected < set(found.manifest.entries)
    assert len(found.manifest.entries) == len(front) + 3


# ------------------------------------------------------------------ continued studies


def test_a_continued_study_writes_all_rows_again(tmp_path: Path) -> None:
    run(tmp_path, *INLINE, "study.budget=3")
    run(tmp_path, *INLINE, "study.budget=5", "tracker.wandb.project=p")
    study = tmp_path / "sweep/s"
    old, new = run_files(study)
    assert [row["ended"] for row in old.rows] == [1, 2, 3]
    require_rows(study, new.rows)
    assert old.run.run_id == new.run.run_id
    assert (old.run.project, new.run.project) == ("moosnn", "p")
    assert [set(each.artifacts) for each in (old, new)] == [{"study", "run_table"}] * 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_driver_that_is_stopped_leaves_a_whole_run(
    tmp_path: Path, how: signal.Signals
) -> None:
    study = tmp_path / "sweep/s"
    words = (*INLINE, "task.seconds=0.2")
    driver = start(tmp_path, *words, "study.budget=1000")
    assert driver.stdout is not None
    assert "is offline" in driver.stdout.readline()
    seen = len(processes(study))
    until(lambda: len(read_record(study).history.done) > 2)
    os.killpg(driver.pid, how)  # as Ctrl-C does: everything of the foreground
    driver.communicate(timeout=60)
    assert seen == 2
    until(lambda: not processes(study), seconds=20)
    (old,) = run_files(study)
    assert old.exit_codes == [INTERRUPTED]
    assert "study" not in old.artifacts
    ended = len(old.rows)
    assert old.summary["done"] + old.summary["failed"] == ended
    record = read_record(study)
    journaled = len(Follower.of(record.problem, record.history).curve)
    # A driver that is stopped right after it journaled an event tells nobody of it.
    assert ended in (journaled, journaled - 1) or how is signal.SIGKILL
    assert run(tmp_path, *words, f"study.budget={journaled + 2}")
    new = run_files(study)[-1]
    require_rows(study, new.rows)
    assert new.rows[-1]["ended"] == journaled + 2
    assert new.exit_codes == [0]
    for row, again in zip(old.rows, new.rows, strict=False):
        same = [key for key in row if not key.startswith(("_", FRONT))]
        assert {key: row[key] for key in same} == {key: again[key] for key in same}


# ------------------------------------------------------------------ trouble


def test_mode_disabled_writes_nothing(tmp_path: Path) -> None:
    out = run(tmp_path, *INLINE, "study.budget=2", WANDB_MODE="disabled")
    assert "W&B" not in out
    assert run_files(tmp_path / "sweep/s") == []


def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    feed = Feed(Wandb(folder=tmp_path, problem=toy_problem(), budget=3))
    event = Event(kind=Kind.STUDY)
    feed.tell(event, History.of([event]))
    feed.finish()
    feed.join(time.monotonic() + 60)
    err = capsys.readouterr().err
    assert err.startswith("moosnn: tracker Wandb failed and is left out: ImportError: ")
    assert err.endswith("pip install wandb\n")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_stops_nobody(tmp_path: Path) -> None:
    study = tmp_path / "sweep/s"
    words = (*INLINE, "task.seconds=0.2", "study.budget=20")
    driver = start(tmp_path, *words)
    assert driver.stdout is not None
    assert "is offline" in driver.stdout.readline()
    for process in processes(study):
        os.kill(process, signal.SIGKILL)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0
    assert "results: sweep/s" in out
    assert err.startswith(
        "moosnn: tracker Wandb failed and is left out: RuntimeError: "
    )
    assert f"see {study / LOG}. The same command, given again, writes" in err
    assert err.count("\n") == 1
    assert len(read_record(study).history.done) > 5


def test_a_process_that_cannot_begin_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    tracker = Wandb(folder=tmp_path, problem=toy_problem(), budget=3)
    event = Event(kind=Kind.STUDY, data={"config": {}})
    with pytest.raises(RuntimeError, match="Settings mode"):
        tracker.on_event(event, History.of([event]))
    until(lambda: not processes(tmp_path), seconds=20)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"project": ""}, "project: expected a name, got ''"),
        ({"entity": 3}, "entity: expected a name, got 3"),
        ({"group": " "}, "group: expected a name"),
        ({"project": "a/b"}, "project: expected a name without any of .* got 'a/b'"),
        ({"tags": 5}, "tags: expected a list, got 5"),
        ({"tags": "a"}, "tags: expected a list, got 'a'"),
        ({"front_every_s": -1}, "front_every_s: expected seconds >= 0, got -1"),
        ({"front_every_s": "x"}, "front_every_s: expected seconds >= 0, got 'x'"),
    ],
)
def test_wrong_options_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"tracker.wandb.{message}"):
        Wandb(folder=Path("s"), problem=toy_problem(), budget=3, **option)


def test_a_study_that_is_finished_gets_its_run(tmp_path: Path) -> None:
    run(tmp_path, *INLINE, "study.budget=5", "tracker=none")
    study = tmp_path / "sweep/s"
    assert run_files(study) == []
    said = run(tmp_path, *INLINE, "study.budget=5")
    assert "moosnn: W&B is offline; upload it with: wandb sync " in said
    assert "this study is finished" in said
    (written,) = run_files(study)
    assert len(written.rows) == 5
    require_rows(study, written.rows)
    assert set(written.artifacts) == {"study", "run_table"}
