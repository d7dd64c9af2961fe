"""What runs inside of a job: build the task, run one attempt, publish its result.

Knows: the study folder's files and how a config becomes a task. Must not know: the
journal, optimizers, the driver. Nothing of the study lives in a pickle: a job carries
a path and two numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any, cast

from moosnn.errors import ConfigError, MoosnnError, StudyFolderError, nearest
from moosnn.runtime import files
from moosnn.runtime.attempt import result_to_json, run_attempt
from moosnn.runtime.lease import Process
from moosnn.tasks.base import Task
from moosnn.trial import Proposal


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved config of a study folder.

    Raises:
        StudyFolderError: there is none.
    """
    from omegaconf import OmegaConf

    path = folder / files.CONFIG_NAME
    if not path.is_file():
        raise StudyFolderError(f"{folder}: holds no study: no {path.name} in it.")
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path)))


def build(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - what it names
    """One part of a resolved config (task, optimizer, executor, …).

    Args:
        config: trusted like a program: its ``_target_`` names what is called.
        key: which part.

    Raises:
        ConfigError: it has no ``_target_``, or its constructor has no such parameter.
        MoosnnError: what the constructor raises.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    part = config[key]
    if not isinstance(part, Mapping) or "_target_" not in part:
        raise ConfigError(f"{key}: expected a mapping with a _target_, got {part!r}.")
    try:
        return instantiate(dict(part), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, MoosnnError):
            raise cause from None
        raise ConfigError(f"{key}: {_instantiation_text(part, error)}") from error


def _instantiation_text(part: Mapping[str, Any], error: Exception) -> str:
    """Why a part could not be built, in one line."""
    from hydra.utils import get_object

    text = " ".join(str(error.__cause__ or error).split())
    if not re.search(r"unexpected keyword argument|takes no arguments", text):
        return text
    parameters = signature(get_object(part["_target_"])).parameters
    known = [name for name in parameters if name != "self"]
    unknown = next(k for k in part if not k.startswith("_") and k not in known)
    return f"unknown key {unknown!r}.{nearest(unknown, known)}"


def run_job(folder: str, number: int, attempt: int) -> None:
    """The body of a job: ``inbox`` to ``outbox``."""
    study = Path(folder)
    own = files.attempt_folder(study, number, attempt)
    files.write_json(own / files.PROCESS_NAME, asdict(Process.current()))
    name = files.message_name(number, attempt)
    message = json.loads((study / files.INBOX / name).read_text())
    proposal = Proposal.from_json(message["proposal"])

    def on_report(step: int, metrics: Mapping[str, float]) -> bool:
        report = {"step": step, "metrics": dict(metrics)}
        files.write_json(own / files.REPORT_NAME, report)
        return (own / files.STOP_NAME).exists()

    task: Task = build(read_config(study), "task")
    result = run_attempt(task, proposal, study, attempt, on_report)
    files.write_json(study / files.OUTBOX / name, result_to_json(result))
