"""What a GPU says when it fails, and what becomes of the process that heard it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from moosnn.runtime.attempt import run_attempt
from moosnn.runtime.worker import _is_spoilt
from moosnn.trial import Evaluation, Failure, Proposal

# The first is of torch's own allocator, the others of what is asked beside it: the
# driver, where another process has all the memory, and libraries.
NO_MEMORY = [
    torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has 80 GiB"
    ),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be"),
    RuntimeError(
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    ),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]
BROKEN = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


class Failing:
    """A task whose trials raise."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def evaluate(self, proposal: Proposal, context: object) -> Evaluation:
        raise self._error


def failure(error: Exception, folder: Path) -> Failure:
    proposal = Proposal(number=1, params={}, seed=0, origin="test", seen=0)
    task = Failing(error)
    found = run_attempt(task, proposal, folder, 1, lambda *_: False)  # type: ignore[arg-type]  # evaluates only
    assert isinstance(found, Failure)
    return found


@pytest.mark.parametrize("error", NO_MEMORY)
def test_a_gpu_that_is_full_is_said_in_one_line(
    error: Exception, tmp_path: Path
) -> None:
    found = failure(error, tmp_path)
    assert found.kind == "out_of_memory"
    assert "\n" not in found.message
    assert str(error).split("\n", maxsplit=1)[0] in found.message


def test_a_kernel_that_failed_is_a_crash(tmp_path: Path) -> None:
    assert failure(BROKEN, tmp_path).kind == "crashed"


@pytest.mark.parametrize(
    ("kind", "on_a_gpu", "spoilt"),
    [
        ("crashed", True, True),
        ("crashed", False, False),
        ("diverged", True, False),
        ("out_of_memory", False, True),
    ],
)
def test_a_process_whose_gpu_may_be_lost_serves_no_other_trial(
    kind: str, on_a_gpu: bool, spoilt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: on_a_gpu)
    assert _is_spoilt(Failure(kind=kind, message="", log=None)) is spoilt
