"""`status --watch`: what it shows, when it shows it again, when it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console as Terminal

from moosnn.__main__ import main
from moosnn.cli import run
from moosnn.errors import MoosnnError
from moosnn.runtime.crew import Crew
from moosnn.runtime.files import WORKERS
from moosnn.runtime.journal import NAME
from moosnn.runtime.process import Process
from moosnn.runtime.record import read_record
from moosnn.runtime.workers import SILENT_S
from moosnn.tracking.watch import Lines, Screen
from moosnn.watching import Watched, overview_now, watch


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "s"
    words = ["+experiment=smoke", "executor=inline", "study.confirm=1"]
    assert main([*words, f"study_dir={folder}"]) == 0
    return folder


def no_note(text: str) -> None:
    raise AssertionError(text)


def written(lines: list[str], folder: Path, finished: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_text("".join(lines))
    (folder / "config.yaml").write_bytes((finished / "config.yaml").read_bytes())


def told(
    finished: Path, folder: Path, *, as_json: bool, notes: list[str] | None = None
) -> str:
    """What is printed while a journal grows in four steps, with idle looks between."""
    lines = (finished / NAME).read_text().splitlines(keepends=True)
    cuts = iter([1, 1, len(lines) // 2, len(lines) // 2, len(lines)])

    def sleep(_: float) -> None:
        written(lines[: next(cuts)], folder, finished)

    out = io.StringIO()
    view = Lines(Terminal(file=out, width=80), as_json=as_json)
    note: Callable[[str], None] = no_note if notes is None else notes.append
    watch([folder], view, every_s=1, note=note, sleep=sleep)
    return out.getvalue()


def test_a_block_is_printed_for_each_change(finished: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    blocks = told(finished, tmp_path / "s", as_json=False, notes=notes).split("\n\n")
    heads = [block.splitlines()[0] for block in blocks]
    stopped = f"{tmp_path / 's'}: stopped; the command that started it continues it"
    assert heads[:2] == [stopped, stopped]
    assert heads[2].startswith(f"{tmp_path / 's'}: finished;")
    assert len(heads) == 3
    assert notes == [f"{tmp_path / 's'}: no study yet; waiting for one."]


def test_json_is_a_line_for_each_change(finished: Path, tmp_path: Path) -> None:
    out = told(finished, tmp_path / "s", as_json=True, notes=[])
    documents = [json.loads(line) for line in out.splitlines()]
    assert [len(document) for document in documents] == [1, 1, 1]
    assert [d[0]["state"] for d in documents] == ["stopped", "stopped", "finished"]
    ended = [d[0]["ended"] for d in documents]
    assert ended[0] == 0 < ended[1] < ended[2] == 12


def test_what_was_followed_is_what_is_read_at_once(
    finished: Path, tmp_path: Path
) -> None:
    lines = (finished / NAME).read_text().splitlines(keepends=True)
    followed = Watched(tmp_path / "s", no_note)
    assert followed.look() is None
    for count in range(1, len(lines) + 1):
        written(lines[:count], tmp_path / "s", finished)
        (tmp_path / "s" / NAME).write_text("".join(lines[:count]))
        now = followed.look()
        assert now is not None
        if count % 7 == 0 or count == len(lines):
            whole = overview_now(read_record(tmp_path / "s"))
            assert asdict(now) | {"now": 0} == asdict(whole) | {"now": 0}


def test_a_terminal_shows_the_last_look(finished: Path) -> None:
    out = io.StringIO()
    terminal = Terminal(file=out, width=200, height=6, force_terminal=True)
    watch([finished], Screen(terminal), every_s=1, note=no_note)
    assert "finished" in out.getvalue()
    assert "more lines" in out.getvalue()


def test_several_studies_are_a_table_until_all_are_finished(
    finished: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        lines = (finished / NAME).read_text().splitlines(keepends=True)
        written(lines, tmp_path / name, finished)
    out = io.StringIO()
    slept: list[float] = []
    view = Lines(Terminal(file=out, width=80), as_json=False)
    watch([tmp_path], view, every_s=1, note=no_note, sleep=slept.append)
    rows = [line.split()[:3] for line in out.getvalue().splitlines()]
    assert ["a", "finished", "12/12"] in rows
    assert ["b", "finished", "12/12"] in rows
    assert 5 <= len(slept) <= 6  # the next study of a sweep may begin meanwhile


def worker(folder: Path, name: str, host: str, age_s: float) -> None:
    path = folder / WORKERS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**asdict(Process.current()), "host": host}))
    then = time.time() - age_s
    os.utime(path, (then, then))


def test_the_workers_are_known_by_their_signs_of_life(tmp_path: Path) -> None:
    assert Crew(tmp_path).look() == []
    worker(tmp_path, "s10_1", "n1", 0)
    worker(tmp_path, "s9_1", "n2", SILENT_S + 9)
    hands = Crew(tmp_path).look()
    assert [(h.name, h.host, h.alive) for h in hands] == [
        ("s9_1", "n2", False),
        ("s10_1", "n1", True),
    ]
    assert hands[0].silent_s == pytest.approx(SILENT_S + 9, abs=5)


def test_status_tells_of_workers_and_what_they_hold(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (finished / NAME).read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if '"event":"submitted"' in line)
    event = json.loads(lines[last])
    lines[last] = json.dumps({**event, "job_id": "s7_0"}) + "\n"
    written(lines[: last + 1], tmp_path / "s", finished)
    worker(tmp_path / "s", "s7_0", "node7", 0)
    worker(tmp_path / "s", "s7_1", "node8", 0)
    assert run(["status", str(tmp_path / "s")]) == 0
    out = capsys.readouterr().out
    assert "workers     2 live, 1 with a trial" in out
    assert f"trial {event['number']}, s7_0 on node7" in out
    assert run(["status", str(tmp_path / "s"), "--json"]) == 0
    (study,) = json.loads(capsys.readouterr().out)
    assert [w["name"] for w in study["workers"]] == ["s7_0", "s7_1"]
    assert study["running"][0]["worker"] == "s7_0"


@pytest.mark.parametrize("word", ["0", "x", "inf", "nan"])
def test_a_wrong_interval_is_a_mistake(word: str) -> None:
    with pytest.raises(MoosnnError, match=r"--watch: expected seconds >= 0\.1, got"):
        run(["status", "s", "--watch", word])


def test_ctrl_c_ends_it_with_130_and_without_a_traceback(
    finished: Path, tmp_path: Path
) -> None:
    lines = (finished / NAME).read_text().splitlines(keepends=True)
    written(lines[:-1], tmp_path / "s", finished)
    process = subprocess.Popen(
        [sys.executable, "-m", "moosnn", "status", "s", "--watch", "0.2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("s: stopped")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
