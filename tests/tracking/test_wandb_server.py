"""W&B's server: answering, never answering, refusing, falling silent in between.

They are on this machine; the credentials are made up.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from moosnn.runtime.record import read_record
from moosnn.tracking.feed import CLOSE_S
from moosnn.tracking.progress import Follower, study_id
from moosnn.tracking.wandb_log import FRONT, Log, row_of
from tests.tracking.wandb_files import (
    INLINE,
    processes,
    require_rows,
    run,
    run_files,
    start,
    until,
)

KEY = "0123456789abcdef" * 2 + "01234567"
START_S = 5.0  # of Python and its libraries, on a busy machine


class Server(ThreadingHTTPServer):
    """Takes rows as W&B's server does; refuses artifacts and files.

    Attributes:
        rows: of the run, as they came.
        artifacts: the names under which one was to be made.
        silent: no longer answers when set.
        silent_after: the GraphQL operation that it answers last.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rows: list[dict[str, Any]] = []
        self.silent = threading.Event()
        self.silent_after = ""
        self.artifacts: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        return {
            "WANDB_BASE_URL": f"http://127.0.0.1:{self.server_port}",
            "WANDB_API_KEY": KEY,
        }

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/file_stream"):
            history = body.get("files", {}).get("wandb-history.jsonl", {})
            self.rows[history.get("offset", len(self.rows)) :] = [
                json.loads(line) for line in history.get("content", ())
            ]
            return {}
        found = re.search(r"(?:query|mutation)\s+(\w+)", body.get("query", ""))
        name = found[1] if found else "none"
        if name == self.silent_after:
            self.silent.set()
        data = self._graphql(name, body.get("variables", {}))
        return {"data": data, "errors": None if data else [{"message": name}]}

    def _graphql(self, name: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        me = {"id": "e", "name": "me"}
        viewer = {"id": "v", "entity": "me", "username": "me", "flags": "{}"}
        if name == "CreateArtifact":
            self.artifacts.append(variables["input"]["artifactCollectionName"])
        bucket = {"id": "b", "name": variables.get("name"), "displayName": "s"}
        lines = [json.dumps(row) for row in self.rows]
        known = {
            **bucket,
            "summaryMetrics": "{}",
            "historyLineCount": len(lines),
            "logLineCount": 0,
            "eventsLineCount": 0,
            "historyTail": json.dumps(lines[-1:]),
            "eventsTail": "[]",
            "config": "{}",
            "tags": [],
            "wandbConfig": json.dumps({"t": 1}),
        }
        project = {"id": "p", "name": "moosnn", "entity": me}
        answers: dict[str, dict[str, Any]] = {
            "Viewer": {"viewer": {**viewer, "teams": {"edges": []}}},
            "RunResumeStatus": {
                "model": {**project, "bucket": known if lines else None}
            },
            "UpsertBucket": {
                "upsertBucket": {
                    "bucket": {**bucket, "config": "{}", "project": project},
                    "inserted": not lines,
                }
            },
        }
        return answers.get(name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.server.silent.is_set():
            time.sleep(2 * CLOSE_S)
        told = json.loads(body) if body else {}
        answer = json.dumps(self.server.answer(self.path, told)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept() -> None:
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert kept  # it was asked
    for connection in kept:
        connection.close()


@contextmanager
def closed_port() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "where", [black_hole, pytest.param(closed_port, marks=pytest.mark.slow)]
)
def test_without_an_answer_the_run_is_offline(tmp_path: Path, where: Any) -> None:
    study = tmp_path / "sweep/s"
    begun = time.monotonic()
    with where() as address:
        out = run(
            tmp_path,
            *INLINE,
            "study.budget=3",
            WANDB_BASE_URL=address,
            WANDB_API_KEY=KEY,
        )
    assert time.monotonic() - begun < CLOSE_S + START_S
    assert out.count("W&B") == 1
    assert "moosnn: W&B could not begin (" in out
    assert ") and is offline; upload it with: wandb sync " in out
    (found,) = run_files(study)
    require_rows(study, found.rows)
    assert found.exit_codes == [0]
    until(lambda: not processes(study), seconds=10)


def test_a_server_is_sent_every_row_once(tmp_path: Path, server: Server) -> None:
    study = tmp_path / "sweep/s"
    out = run(tmp_path, *INLINE, "study.budget=3", **server.environment)
    identity = study_id(read_record(study).history)
    address = server.environment["WANDB_BASE_URL"]
    assert f"moosnn: W&B run: {address}/me/moosnn/runs/{identity}\n" in out
    require_rows(study, server.rows)
    first = list(server.rows)
    run(tmp_path, *INLINE, "study.budget=5", **server.environment)
    require_rows(study, server.rows)
    assert server.rows[:3] == first  # what was sent then, not once more
    require_rows(study, run_files(study, "run")[-1].rows, first=3)
    assert any(FRONT in row for row in server.rows[3:])
    assert server.artifacts.count(f"study-{identity}") == 2


def test_what_was_offline_replaces_what_the_server_has(
    tmp_path: Path, server: Server
) -> None:
    study = tmp_path / "sweep/s"
    for budget in (2, 4):
        run(tmp_path, *INLINE, f"study.budget={budget}")
        out = subprocess.run(
            [sys.executable, "-m", "wandb", "sync", str(run_files(study)[-1].folder)],
            env={**os.environ, "HOME": str(tmp_path), **server.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert out.returncode == 0, out.stderr
        require_rows(study, server.rows)


@pytest.mark.slow
@pytest.mark.parametrize("after", ["UpsertBucket", "Viewer"])
def test_a_server_that_falls_silent_stops_nobody(
    tmp_path: Path, server: Server, after: str
) -> None:
    study, begun = tmp_path / "sweep/s", time.monotonic()
    server.silent_after = after
    driver = start(tmp_path, *INLINE, "study.budget=3", **server.environment)
    out, err = driver.communicate(timeout=120)
    assert time.monotonic() - begun < CLOSE_S + START_S
    assert driver.returncode == 0
    assert "results: sweep/s" in out
    assert err.startswith("moosnn: tracker Wandb failed and is left out: ")
    assert f"upload it with: wandb sync {study}/wandb/latest-run" in err
    assert err.count("\n") == 1
    (found,) = run_files(study, "run")
    require_rows(study, found.rows)
    until(lambda: not processes(study), seconds=10)


class OnlineRun:
    """A run that is taken up again: the server has some rows, W&B refuses those."""

    def __init__(self, step: int) -> None:
        self.starting_step = step
        self.rows: dict[int, dict[str, Any]] = {}
        self._committed = step - 1

    def define_metric(self, *_: object, **__: object) -> None: ...

    def log(self, data: dict[str, Any], *, step: int, commit: bool) -> None:
        assert step > self._committed
        self.rows.setdefault(step, {}).update(data)
        self._committed = step if commit else step - 1


@pytest.mark.parametrize("known", [0, 4, 12])
@pytest.mark.parametrize("front_every_s", [0.0, 1e9])
def test_rows_that_the_server_has_are_not_logged_again(
    digits_study: Path, known: int, front_every_s: float
) -> None:
    record = read_record(digits_study)
    history = record.history
    run: Any = OnlineRun(known)
    log = Log(run, record.problem, front_every_s=front_every_s)
    for position in range(len(history)):
        log.add(history[position], history.prefix(position + 1), known=False)
    curve = Follower.of(record.problem, history).curve
    assert sorted(run.rows) == list(range(known, len(curve)))
    for step, row in run.rows.items():
        expected = row_of(curve[step])
        assert {key: row[key] for key in expected} == expected
    changes = [
        step
        for step in range(known, len(curve))
        if curve[step].front != (curve[step - 1].front if step else ())
    ]
    fronts = [step for step, row in run.rows.items() if FRONT in row]
    if front_every_s:
        assert len(fronts) <= 1
    else:
        assert set(fronts) >= set(changes)
