"""For the tests of the W&B tracker: studies in processes, and what W&B wrote."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from moosnn.runtime.record import read_record
from moosnn.tracking.progress import Follower
from moosnn.tracking.wandb import LOG
from moosnn.tracking.wandb_log import row_of

WORDS = ("+experiment=smoke", "study_dir=sweep/s", "tracker=wandb")
INLINE = ("executor=inline", "study.confirm=0")


def start(cwd: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """A study in a process group of its own, as from a terminal.

    Its environment is this one's without anything of W&B, with another home, and with
    ``more``.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    kept.pop("NETRC", None)
    return subprocess.Popen(
        [sys.executable, "-m", "moosnn", *WORDS, *words],
        cwd=cwd,
        env={**kept, "HOME": str(cwd / "home"), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(cwd: Path, *words: str, **more: str) -> str:
    """Run a study to its end; returns what it printed."""
    out, err = start(cwd, *words, **more).communicate(timeout=120)
    assert err == ""
    return out


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def processes(study: Path) -> list[int]:
    """What still writes a study's run: the tracker's process and its wandb-core."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            error = str((process / "fd/2").readlink())
        except OSError:
            continue
        ours = b"moosnn.tracking.wandb_run" in words or b"wandb-core" in words
        if ours and error == str(study / LOG):
            found.append(int(process.name))
    return found


_BLOCK, _HEAD = 32768, 7
_FULL, _LAST = 1, 4


def records(path: Path) -> Iterator[Any]:
    """Every record of a ``.wandb`` file: a LevelDB log of protobuf messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    assert data.startswith(b":W&B")
    position, message = _HEAD, b""
    while position < len(data):
        left = _BLOCK - position % _BLOCK
        if left < _HEAD:
            position += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, position)
        body = data[position + _HEAD : position + _HEAD + length]
        assert checksum == zlib.crc32(bytes([kind]) + body)
        message += body
        position += _HEAD + length
        if kind in (_FULL, _LAST):
            record = Record()
            record.ParseFromString(message)
            message = b""
            yield record


def _plain(items: Any) -> dict[str, Any]:
    """Key and value pairs, nested ones as ``front.path``."""
    return {
        ".".join(item.nested_key) or item.key: json.loads(item.value_json)
        for item in items
    }


class RunFile:
    """What a run's folder holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (path,) = folder.glob("run-*.wandb")
        self._records = list(records(path))
        self.run = self._all("run")[-1]
        self.config = {u.key: json.loads(u.value_json) for u in self.run.config.update}
        self.rows = [_plain(h.item) for h in self._all("history")]
        self.summary: dict[str, Any] = {}
        for summary in self._all("summary"):
            self.summary |= _plain(summary.update)
        self.metrics = {m.name: m for m in self._all("metric")}
        self.artifacts = {a.type: a for a in self._all("artifact")}
        self.exit_codes = [e.exit_code for e in self._all("exit")]

    def _all(self, kind: str) -> list[Any]:
        found = [r for r in self._records if r.WhichOneof("record_type") == kind]
        return [getattr(r, kind) for r in found]

    def media(self, row: dict[str, Any], key: str) -> Any:
        """The table or figure that a row refers to."""
        data = (self.folder / "files" / row[f"{key}.path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row[f"{key}.sha256"]
        return json.loads(data)


def run_files(study: Path, kind: str = "offline-run") -> list[RunFile]:
    """The runs of a study folder (``run``: those online), the oldest first."""
    return [RunFile(path) for path in sorted((study / "wandb").glob(f"{kind}-*"))]


def require_rows(study: Path, rows: list[dict[str, Any]], first: int = 0) -> None:
    """Rows are those that the study's journal adds up to, all from the first one on."""
    record = read_record(study)
    curve = Follower.of(record.problem, record.history).curve
    assert [row["_step"] for row in rows] == list(range(first, len(curve)))
    for row, now in zip(rows, curve[first:], strict=True):
        expected = row_of(now)
        assert {key: row[key] for key in expected} == expected
