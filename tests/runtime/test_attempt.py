"""What a running trial may tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from moosnn.runtime.attempt import AttemptContext


def test_steps_of_reports_ascend(tmp_path: Path) -> None:
    told: list[int] = []

    def on_report(step: int, metrics: Mapping[str, float]) -> bool:
        told.append(step)
        return False

    context = AttemptContext(tmp_path, tmp_path, 1, on_report)
    for step in (0, 2):
        context.report(step, {"loss": 1.0})
    for step in (2, 1):
        with pytest.raises(ValueError, match=f"expected more than 2.* got {step};"):
            context.report(step, {"loss": 1.0})
    context.report(7, {})
    assert told == [0, 2, 7]
