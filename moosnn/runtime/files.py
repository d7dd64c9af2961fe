"""Where the files of a study folder lie, and how one is published.

Knows: names and atomic replacement. Must not know: what the files mean.

``inbox/<worker>/`` the driver to a worker, ``outbox/`` workers to the driver,
``workers/`` who they are and that they live, ``jobs/`` submitit's own files,
``trials/<number>/<attempt>/`` what an attempt writes, ``cache/`` what trials share and
anybody may delete between studies. Each of the other files has one writer and one
reader, and appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

CONFIG_NAME = "config.yaml"
INBOX = "inbox"
OUTBOX = "outbox"
WORKERS = "workers"
JOBS = "jobs"
TRIALS = "trials"
CACHE_FOLDER = "cache"

# In a worker's inbox: take nothing more, end when idle.
STOP_WORKER = "stop"

# Inside of an attempt's folder.
ERROR_NAME = "error.log"
OUTPUT_NAME = "output.log"
# Hidden: a task may call its own files what it likes.
REPORT_NAME = ".report.json"
STOP_TRIAL = ".stop"
_ABANDONED_S = 60.0


def message_name(number: int, attempt: int) -> str:
    """The name of an attempt's file in an inbox and in the outbox."""
    return f"{number:06d}-{attempt}.json"


def attempt_of(name: str) -> tuple[int, int] | None:
    """The number and attempt of a message's name, or ``None`` if it is none."""
    stem, _, ending = name.partition(".")
    number, _, attempt = stem.partition("-")
    if ending != "json" or not (number.isdigit() and attempt.isdigit()):
        return None
    return int(number), int(attempt)


def clear_served(study_folder: Path, wanted: Collection[tuple[int, int]]) -> None:
    """Delete the results, and their messages, that nobody waits for any more.

    A driver that was ended between reading a result and deleting it left them.
    """
    outbox = study_folder / OUTBOX
    for name in os.listdir(outbox) if outbox.is_dir() else []:
        if name.startswith(".") and age_s(outbox / name) > _ABANDONED_S:
            (outbox / name).unlink(missing_ok=True)  # its writer was killed
        key = attempt_of(name)
        if key is not None and key not in wanted:
            for message in (study_folder / INBOX).glob(f"*/{name}"):
                message.unlink(missing_ok=True)
            (outbox / name).unlink(missing_ok=True)


def attempt_folder(study_folder: Path, number: int, attempt: int) -> Path:
    """Where an attempt may write."""
    return study_folder / TRIALS / f"{number:06d}" / str(attempt)


def worker_file(study_folder: Path, worker: str) -> Path:
    """Which process a worker is; touched once a second while it lives."""
    return study_folder / WORKERS / f"{worker}.json"


def age_s(path: Path) -> float:
    """How long a file was not touched, by the clock of its file server.

    Raises:
        FileNotFoundError: there is none.
    """
    probe = path.with_name(f".probe.{uuid.uuid4().hex}")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    finally:
        probe.unlink()


def write_json(path: Path, content: Mapping[str, Any], *, durable: bool = True) -> None:
    """Publish a JSON file whole or not at all.

    Args:
        path: its folder is made if that lacks; what that lies in has to be there, lest
            a study that was moved comes back as a fragment.
        content: finite numbers only.
        durable: it survives a crash of the machine once this returns.
    """
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with temporary.open("w") as file:
        json.dump(content, file, allow_nan=False)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def read_json(path: Path) -> Any | None:  # noqa: ANN401 - whatever the file holds
    """A file that is published by replacement, or ``None`` if there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
