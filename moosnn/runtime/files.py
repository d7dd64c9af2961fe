"""Where the files of a study folder lie, and how one is published.

Knows: names and atomic replacement. Must not know: what the files mean.

``inbox/`` the driver to a job, ``outbox/`` a job to the driver, ``jobs/`` submitit's
own files, ``trials/<number>/<attempt>/`` what an attempt writes.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG_NAME = "config.yaml"
INBOX = "inbox"
OUTBOX = "outbox"
JOBS = "jobs"
TRIALS = "trials"

# Inside of an attempt's folder.
LOG_NAME = "error.log"
PROCESS_NAME = "process.json"
REPORT_NAME = "report.json"
STOP_NAME = "stop"


def message_name(number: int, attempt: int) -> str:
    """The name of an attempt's file in ``inbox/`` and ``outbox/``."""
    return f"{number:06d}-{attempt}.json"


def attempt_folder(study_folder: Path, number: int, attempt: int) -> Path:
    """Where an attempt may write."""
    return study_folder / TRIALS / f"{number:06d}" / str(attempt)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Publish a JSON file whole or not at all, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with temporary.open("w") as file:
        json.dump(content, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
