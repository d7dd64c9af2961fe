"""`moosnn doctor`: is this machine, this folder, this cluster fit for a study?

Knows: which checks there are. Must not know: what each looks at. Nothing is left
behind, nothing waits for ever, and a check that fails is a line, never an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from moosnn.runtime.doctor_check import Check
from moosnn.runtime.doctor_folder import folder_checks
from moosnn.runtime.doctor_machine import machine_checks
from moosnn.runtime.doctor_slurm import slurm_checks

DEFAULT_FOLDER = Path("runs")


def examine(folder: Path, *, slurm: bool) -> Iterator[Check]:
    """Look at everything; each check is told as soon as it is done.

    Args:
        folder: a study folder, or one of studies; it may be missing.
        slurm: whether a study is to run on Slurm. If not, Slurm is looked at where
            there is one, and nothing of it stops a study.
    """
    return chain(
        machine_checks(), folder_checks(folder), slurm_checks(folder, asked=slurm)
    )


def verdict(checks: Iterable[Check]) -> tuple[str, int]:
    """What it comes to: a line, and an exit code: 0, or 1 if a study cannot run."""
    wrong = [check for check in checks if not check.ok]
    stopping = list(dict.fromkeys(check.name for check in wrong if check.stops))
    if stopping:
        return f"a study cannot run until this is mended: {', '.join(stopping)}", 1
    if wrong:
        return f"a study can run; {len(wrong)} of these could be better", 0
    return "a study can run", 0
