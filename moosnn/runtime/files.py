"""Where the files of a study folder lie, and how one is published.

Knows: names and atomic replacement. Must not know: what the files mean.

``inbox/<worker>/`` the driver to a worker, ``outbox/`` workers to the driver (results
and reports: one listing tells the driver of all), ``workers/`` who they are and that
they live, ``jobs/`` submitit's own files, ``trials/<number>/<attempt>/`` what an
attempt writes, ``cache/`` what trials share and anybody may delete between studies.
Each of the other files has one writer and one reader, and appears whole or not at all.
"""

from __future__ import annotations

import functools
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

# Keys: of a message its own mark, and of a result the mark of what it answers.
TOKEN = "token"
ANSWERS = "answers"

# In a worker's inbox: take nothing more, end when idle.
STOP_WORKER = "stop"

# Inside of an attempt's folder.
ERROR_NAME = "error.log"
OUTPUT_NAME = "output.log"
# Hidden: a task may call its own files what it likes.
STOP_TRIAL = ".stop"
RELEASE_TRIAL = ".release"
_ABANDONED_S = 60.0
_REMOTE = ("nfs", "cifs", "smb", "fuse.sshfs")  # kinds whose clients remember folders


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


def report_name(number: int, attempt: int, step: int) -> str:
    """The name in the outbox of what an attempt reports after a step."""
    return f"{number:06d}-{attempt}.step-{step:09d}.json"


def report_of(name: str) -> tuple[int, int, int] | None:
    """The number, attempt and step of a report's name, or ``None`` if it is none."""
    stem, _, ending = name.partition(".step-")
    key = attempt_of(f"{stem}.json")
    step = ending.removesuffix(".json")
    return (*key, int(step)) if key is not None and step.isdigit() else None


def token_of(message: Path) -> str | None:
    """What tells a message from one of the same name in another study."""
    try:
        return str(json.loads(message.read_text())[TOKEN])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_foreign(result: Path, message: Path) -> bool:
    """Whether a published result answers another message, as one of another study."""
    try:
        told = str(json.loads(result.read_text())[ANSWERS])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # whoever reads it says what is wrong with it
    return token_of(message) not in (None, told)


def clear_served(study_folder: Path, wanted: Collection[tuple[int, int]]) -> None:
    """Delete the results, reports and messages that nobody waits for any more.

    A driver that was ended between reading a result and deleting it left them. Results
    that answer no message of this study go, too: without one nobody was given the
    attempt, since it is written after the journal has it.
    """
    outbox = study_folder / OUTBOX
    given = _messages(study_folder)
    for name in os.listdir(outbox) if outbox.is_dir() else []:
        result = outbox / name
        if name.startswith(".") and age_s(result) > _ABANDONED_S:
            result.unlink(missing_ok=True)  # its writer was killed
        report = report_of(name)
        key = attempt_of(name) if report is None else report[:2]
        messages = given.get(name, [])
        if key is not None and key not in wanted:
            for message in messages:
                message.unlink(missing_ok=True)
            result.unlink(missing_ok=True)
        elif report is None and key is not None and not _is_answer(result, messages):
            result.unlink(missing_ok=True)


def _is_answer(result: Path, messages: Collection[Path]) -> bool:
    return bool(messages) and not any(is_foreign(result, m) for m in messages)


def _messages(study_folder: Path) -> Mapping[str, list[Path]]:
    """What lies in the inboxes of all workers, by name."""
    found: dict[str, list[Path]] = {}
    for worker in listing(study_folder / INBOX):
        inbox = study_folder / INBOX / worker
        for name in listing(inbox) if inbox.is_dir() else []:
            found.setdefault(name, []).append(inbox / name)
    return found


def listing(folder: Path) -> list[str]:
    """The names in a folder; none if it does not exist.

    A network file system may remember a folder's content for a minute: a change of its
    rights, to what they are, makes this machine ask the server.
    """
    try:
        if _is_remote(folder.parent):
            os.chmod(folder, folder.stat().st_mode & 0o7777)
        return os.listdir(folder)
    except FileNotFoundError:
        return []


@functools.lru_cache(maxsize=16)
def _is_remote(folder: Path) -> bool:
    """Whether a folder lies on another machine (Linux)."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return False
    mounts = [line.split()[1:3] for line in lines]
    over = [(Path(at), kind) for at, kind in mounts if folder.is_relative_to(at)]
    _, kind = max(over, key=lambda m: len(m[0].parts), default=(None, ""))
    return kind.startswith(_REMOTE)


def attempt_folder(study_folder: Path, number: int, attempt: int) -> Path:
    """Where an attempt may write."""
    return study_folder / TRIALS / f"{number:06d}" / str(attempt)


def jobs_folder(study_folder: Path) -> Path:
    """Where submitit keeps its files, which hold pickles: only the user may write."""
    folder = study_folder / JOBS
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


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
