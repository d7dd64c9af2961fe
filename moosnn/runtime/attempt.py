"""One attempt at one trial, wherever it runs: every end becomes a result.

Knows: tasks, exceptions, the attempt's folder. Must not know: who asked for it.
"""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from moosnn.errors import DivergedError, MoosnnError, ReleasedError
from moosnn.runtime.files import ERROR_NAME, attempt_folder
from moosnn.tasks.base import Task
from moosnn.trial import CONFIRM, Evaluation, Failure, Proposal

Result = Evaluation | Failure


class AttemptContext:
    """The `tasks.base.Context` of an attempt."""

    def __init__(
        self,
        workdir: Path,
        attempt: int,
        on_report: Callable[[int, Mapping[str, float]], bool],
    ) -> None:
        self.workdir = workdir
        self.attempt = attempt
        self._on_report = on_report

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """See `tasks.base.Context.report`.

        Raises:
            DivergedError: a metric is not finite.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise DivergedError(f"step {step}: {name} is {value}")
        return self._on_report(step, metrics)

    def preempted(self) -> bool:
        """Never here: only a cluster's workers are preempted."""
        return False


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
    folder.mkdir(parents=True, exist_ok=True)
    context = AttemptContext(folder, attempt, on_report)
    run = task.confirm if proposal.origin == CONFIRM else task.evaluate
    start = perf_counter()
    try:
        evaluation = run(proposal, context)
        return replace(evaluation, seconds=perf_counter() - start)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        log = folder / ERROR_NAME
        log.write_text(traceback.format_exc())
        return Failure(
            kind=_kind(error),
            message=_one_line(error),
            log=str(log.relative_to(study_folder)),
        )


def _kind(error: BaseException) -> str:
    """Which kind of failure an exception is."""
    for types, kind in (
        (DivergedError, "diverged"),
        (ReleasedError, "preempted"),
        (MoosnnError, "invalid"),
        (MemoryError, "out_of_memory"),
    ):
        if isinstance(error, types):
            return kind
    # Not the trial's fault, and not worth a trial: the driver's next line will say so.
    if "No space left on device" in str(error):
        return "lost"
    return "out_of_memory" if _is_torch_out_of_memory(error) else "crashed"


def _is_torch_out_of_memory(error: BaseException) -> bool:
    if "torch" not in sys.modules or not isinstance(error, RuntimeError):
        return False
    # The allocator of CPU tensors raises a plain RuntimeError.
    accelerator = isinstance(error, sys.modules["torch"].OutOfMemoryError)
    return accelerator or "DefaultCPUAllocator" in str(error)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    own = isinstance(error, DivergedError | ReleasedError | MoosnnError)
    return text if own and text else f"{name}: {text}" if text else name


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
