"""The warm child of a worker: builds the task once, then runs attempt after attempt.

Knows: how a config becomes its parts, attempts, the study folder's files. Must not
know: the journal, optimizers, who supervises it. Nothing of a study lives in a pickle:
all it is told are a folder and, a line on standard input each, the names of messages.

On the status pipe it writes a line a step: ``ready`` (the task is built), ``start``,
``done`` or, if the attempt started other processes, ``done forked``, or, if this
process cannot take another one, ``done leaving``.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any, cast

import yaml

from moosnn.errors import ConfigError, MoosnnError, StudyFolderError, nearest
from moosnn.runtime import files
from moosnn.runtime.attempt import Result, result_to_json, run_attempt
from moosnn.space import Params
from moosnn.tasks.base import Context, Task
from moosnn.trial import Evaluation, Failure, Proposal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MISTAKES = (TypeError, ValueError, ImportError, AttributeError)
# What the driver, not the config, gives to a part that is built later.
_GIVEN = ("folder", "task", "problem", "budget", "terminal")
_FORKS = frozenset(
    {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
)


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved config of a study folder.

    Raises:
        StudyFolderError: there is none.
    """
    path = folder / files.CONFIG_NAME
    try:
        config = yaml.safe_load(path.read_text())
    except OSError as error:
        raise StudyFolderError(f"{folder}: holds no study: no {path.name}.") from error
    return cast("dict[str, Any]", config)


def build(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - what it names
    """One part of a resolved config (task, optimizer, executor, …).

    Args:
        config: trusted like a program: its ``_target_`` names what is called.
        key: which part, e.g. ``task`` or ``tracker.console``.

    Raises:
        ConfigError: it has no ``_target_``, or its constructor has no such parameter.
        MoosnnError: what the constructor raises.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    part: Any = config
    for step in key.split("."):
        part = part[step]
    if not isinstance(part, Mapping) or "_target_" not in part:
        raise ConfigError(f"{key}: expected a mapping with a _target_, got {part!r}.")
    # Hydra logs what it raises, in lines of its own.
    logging.getLogger("hydra").addHandler(logging.NullHandler())
    try:
        _check_arguments(key, part)
        return instantiate(dict(part), _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, MoosnnError):
            raise cause from None
        # A value of the wrong type, mostly; the cause keeps its traceback below.
        if cause is None or isinstance(cause, _MISTAKES):
            text = " ".join(str(cause or error).split())
            raise ConfigError(f"{key}: {text}") from error
        raise cause from None


def _check_arguments(key: str, part: Mapping[str, Any]) -> None:
    """Refuse what a constructor does not take; also of a part that is built later.

    Raises:
        ConfigError: with the nearest name.
    """
    from hydra.utils import get_object

    for name, value in part.items():
        if isinstance(value, Mapping) and "_target_" in value:
            _check_arguments(f"{key}.{name}", value)
    try:
        parameters = signature(get_object(part["_target_"])).parameters.values()
    except Exception as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{key}._target_: {part['_target_']}: {text}") from error
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters]
    for name in part:
        if not name.startswith("_") and name not in known:
            names = [k for k in known if k not in _GIVEN or "_partial_" not in part]
            raise ConfigError(f"{key}: unknown key {name!r}.{nearest(name, names)}")


class _Unbuilt:
    """Stands for a task that could not be built: each attempt fails with the reason."""

    metrics: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    parameters = None

    def __init__(self, reason: Exception) -> None:
        self._reason = reason

    def check(self, params: Params) -> None:
        """Nothing to check."""

    def refusal(self, params: Params) -> str | None:
        """Nothing to refuse."""

    def fingerprint(self) -> Mapping[str, str]:
        """None."""
        return {}

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Fail."""
        raise self._reason

    confirm = evaluate


def _task(folder: Path) -> Task:
    try:
        return cast("Task", build(read_config(folder), "task"))
    except Exception as error:
        return _Unbuilt(error)


def run_message(task: Task, study: Path, message: Path) -> Result:
    """One attempt, from its message in the inbox to its result in the outbox."""
    pid = os.getpid()
    named = files.attempt_of(message.name)
    assert named is not None, message
    number, attempt = named
    own = files.attempt_folder(study, number, attempt)
    proposal = Proposal.from_json(json.loads(message.read_text())["proposal"])

    def on_report(step: int, metrics: Mapping[str, float]) -> bool:
        name = files.report_name(number, attempt, step)
        report = {"metrics": dict(metrics)}
        files.write_json(study / files.OUTBOX / name, report, durable=False)
        return (own / files.STOP_TRIAL).exists()

    result = run_attempt(task, proposal, study, attempt, on_report)
    if os.getpid() != pid:
        os._exit(1)  # a fork of the trial that came back here: it has no say
    answer = {**result_to_json(result), files.ANSWERS: files.token_of(message)}
    files.write_json(study / files.OUTBOX / message.name, answer)
    return result


def _die_with(supervisor: int) -> None:
    """Ask the kernel to end this process with its supervisor (Linux)."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return  # elsewhere the end of standard input tells, after the trial
    if os.getppid() != supervisor:
        os._exit(1)  # it died before the kernel was asked


def _outlive_signals() -> None:
    """Leave TERM and USR2 to the supervisor: a cluster sends them to all of a job.

    Processes that a trial forks end by them as ever. They are held back around a fork:
    what reached a process before it is its own would be forgotten, and whoever ended it
    would wait for ever.
    """
    ours = {signal.SIGTERM, signal.SIGUSR2}
    for number in ours:
        signal.signal(number, lambda *_: None)  # what is ignored, programs inherit

    def end_as_ever() -> None:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ours),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ours),
        after_in_child=end_as_ever,
    )


def _redirect(log: Path) -> None:
    """Everything that is printed from here on, native code included, goes to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _keep_what_is_loaded() -> None:
    """Spare the collector some 350,000 objects of libraries, which stay.

    A training begins with a collection, so that its memory can be told: 0.1 s of each
    trial would go into looking through them.
    """
    gc.collect()
    gc.freeze()


def _is_spoilt(result: Result) -> bool:
    """Whether an attempt left a process that can serve no other one."""
    if not isinstance(result, Failure):
        return False
    if result.kind == "out_of_memory":
        return True  # what it holds is never given back
    # After a kernel that failed every call to the GPU fails in this process.
    torch = sys.modules.get("torch")
    return result.kind == "crashed" and bool(torch and torch.cuda.is_initialized())


def main(folder: str, status: int, supervisor: int) -> None:
    """Serve attempts until standard input ends.

    Args:
        folder: the study folder.
        status: file descriptor of the status pipe.
        supervisor: process id of whoever started this.
    """
    _die_with(supervisor)
    _outlive_signals()
    os.set_inheritable(status, False)  # what a trial starts has no say
    faulthandler.enable()
    pid = os.getpid()
    forked = False

    def on_audit(event: str, _: tuple[Any, ...]) -> None:
        nonlocal forked
        forked = forked or event in _FORKS

    def say(word: str) -> None:
        if os.getpid() == pid:
            os.write(status, f"{word}\n".encode())

    study = Path(folder)
    task = _task(study)
    sys.addaudithook(on_audit)
    say("ready")
    for line in sys.stdin:
        message = Path(line.rstrip("\n"))
        named = files.attempt_of(message.name)
        assert named is not None, message
        log = files.attempt_folder(study, *named) / files.OUTPUT_NAME
        _redirect(log)
        forked = False
        say("start")
        result = run_message(task, study, message)
        with suppress(OSError):  # the trial may have closed or deleted anything
            sys.stdout.flush()
            sys.stderr.flush()
            if log.stat().st_size == 0:
                log.unlink()
        if _is_spoilt(result):  # the next attempt gets a new process
            say("done leaving")
            return
        say("done forked" if forked else "done")
        if not gc.get_freeze_count():  # by now a task has loaded its libraries
            _keep_what_is_loaded()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
