"""One attempt at one trial, wherever it runs: every end becomes a result.

Knows: tasks, exceptions, the attempt's folder. Must not know: who asked for it.
"""

from __future__ import annotations

import errno
import math
import operator
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from moosnn.errors import DataError, DivergedError, MoosnnError, ReleasedError
from moosnn.runtime.files import (
    CACHE_FOLDER,
    ERROR_NAME,
    RELEASE_TRIAL,
    attempt_folder,
    read_json,
)
from moosnn.tasks.base import Task
from moosnn.trial import CONFIRM, Evaluation, Failure, Proposal

Result = Evaluation | Failure
_LONGEST = 2000  # characters of a failure's message; its log has the whole
# What the allocator of CPU tensors, the CUDA driver, cuBLAS and cuDNN say by plain
# errors where torch's own allocator is not asked.
_NO_MEMORY = ("DefaultCPUAllocator", "error: out of memory", "STATUS_ALLOC_FAILED")


class AttemptContext:
    """The `tasks.base.Context` of an attempt."""

    def __init__(
        self,
        workdir: Path,
        cache: Path,
        attempt: int,
        on_report: Callable[[int, Mapping[str, float]], bool],
    ) -> None:
        self.workdir = workdir
        self.cache = cache
        self.attempt = attempt
        self._on_report = on_report
        self._last: int | None = None

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """See `tasks.base.Context.report`.

        Raises:
            DivergedError: a metric is not finite.
            TypeError, ValueError: the step is not whole, or not after the last one; a
                metric is no number.
        """
        numbers = {str(name): float(value) for name, value in metrics.items()}
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise DivergedError(f"step {step}: {name} is {value}")
        whole = operator.index(step)
        if whole < 0:
            raise ValueError(f"step: expected a whole number >= 0, got {whole}.")
        if self._last is not None and whole <= self._last:
            raise ValueError(
                f"step: expected more than {self._last}, which was reported last, got "
                f"{whole}; report all metrics of a step at once."
            )
        self._last = whole
        return self._on_report(whole, numbers)

    def preempted(self) -> bool:
        """Whether the worker has to go: its cluster needs the place."""
        return (self.workdir / RELEASE_TRIAL).exists()


def run_attempt(
    task: Task,
    proposal: Proposal,
    study_folder: Path,
    attempt: int,
    on_report: Callable[[int, Mapping[str, float]], bool],
) -> Result:
    """Run a trial once; a proposal of origin ``confirm`` reads the test split.

    Args:
        task: does the work.
        proposal: the point.
        study_folder: the attempt's folder is made inside of it.
        attempt: the attempt's number, from 1.
        on_report: called with ``(step, metrics)``; True stops the training.

    Returns:
        What was measured, with its seconds; or why nothing was, with a log if the
        reason is not plain. Never raises for a trial.
    """
    folder = attempt_folder(study_folder, proposal.number, attempt)
    context = AttemptContext(folder, study_folder / CACHE_FOLDER, attempt, on_report)
    run = task.confirm if proposal.origin == CONFIRM else task.evaluate
    start = perf_counter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        evaluation = run(proposal, context)
        if not isinstance(evaluation, Evaluation):
            raise TypeError(f"expected an Evaluation of the task, got {evaluation!r}")
        seconds, device = perf_counter() - start, str(evaluation.device)
        return replace(evaluation, seconds=seconds, device=device)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        log = _write_log(folder)
        where = None if log is None else str(log.relative_to(study_folder))
        return Failure(kind=_kind(error), message=_one_line(error), log=where)


def _write_log(folder: Path) -> Path | None:
    """The traceback of the exception that is being handled, if it can be written."""
    path = folder / ERROR_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc(), "utf-8", errors="backslashreplace")
    except (OSError, RecursionError):
        return None
    return path


def _kind(error: BaseException) -> str:
    """Which kind of failure an exception is."""
    for types, kind in (
        (DivergedError, "diverged"),
        (ReleasedError, "preempted"),
        (DataError, "data"),
        (MoosnnError, "invalid"),
        (MemoryError, "out_of_memory"),
    ):
        if isinstance(error, types):
            return kind
    # Not the trial's fault, and not worth a trial: the driver's next line will say so.
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "lost"
    return "out_of_memory" if _is_torch_out_of_memory(error) else "crashed"


def _is_torch_out_of_memory(error: BaseException) -> bool:
    if "torch" not in sys.modules or not isinstance(error, RuntimeError):
        return False
    if isinstance(error, sys.modules["torch"].OutOfMemoryError):
        return True
    text = _text(error)
    return any(word in text for word in _NO_MEMORY)


def _one_line(error: BaseException) -> str:
    text = " ".join(_text(error).split())
    name = type(error).__name__
    own = isinstance(error, DivergedError | ReleasedError | MoosnnError)
    return text if own and text else f"{name}: {text}" if text else name


def _text(error: BaseException) -> str:
    """What an exception says, as far as it can and a line of a journal should hold."""
    try:
        text = str(error)
    except Exception as broken:
        text = f"(its text cannot be had: {type(broken).__name__})"
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} …"
    return text.encode("utf-8", "backslashreplace").decode()


def result_to_json(result: Result) -> dict[str, Any]:
    """One JSON object, read back by `result_from_json`."""
    key = "evaluation" if isinstance(result, Evaluation) else "failure"
    return {key: result.to_json()}


def result_from_json(raw: Mapping[str, Any]) -> Result:
    """Read the JSON form.

    Raises:
        KeyError, TypeError, ValueError: it is none.
        DivergedError: a metric is not finite.
    """
    if "evaluation" in raw:
        return Evaluation.from_json(raw["evaluation"])
    return Failure.from_json(raw["failure"])


def read_result(path: Path) -> Result:
    """A result that was published; one that cannot be read is a crash."""
    try:
        return result_from_json(read_json(path) or {})
    except (OSError, ValueError, KeyError, TypeError, DivergedError) as error:
        return Failure(
            kind="crashed",
            message=f"its result file is damaged ({type(error).__name__}: {error})",
        )
