"""A study whose trials are instant epochs with checkpoints, and how it is driven.

Every process of it, wherever it hides, carries the variable `MARK` with its folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from moosnn.errors import ReleasedError
from moosnn.tasks.analytic import AnalyticTask
from moosnn.tasks.base import Context
from moosnn.trial import Evaluation, Proposal

MARK = "MOOSNN_UNDER_TEST"
ROOT = Path(__file__).parents[1]
_CHECKPOINT = "steps.json"
_EPOCHS = "epochs.txt"  # a line an epoch that was really run


class SteppedTask(AnalyticTask):
    """The toy network, "trained" for some epochs, one after the other.

    Args:
        function: see `AnalyticTask`.
        epochs: of a training.
        epoch_s: seconds of one.
    """

    def __init__(
        self, function: str = "toy_snn", epochs: int = 3, epoch_s: float = 0.05
    ) -> None:
        super().__init__(function=function)
        self.epochs = epochs
        self.epoch_s = epoch_s

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        """Go on from the newest checkpoint of an earlier attempt."""
        earlier = sorted(
            context.workdir.parent.glob(f"*/{_CHECKPOINT}"),
            key=lambda path: int(path.parent.name),
        )
        done = json.loads(earlier[-1].read_text()) if earlier else 0
        for epoch in range(done + 1, self.epochs + 1):
            time.sleep(self.epoch_s)
            with (context.workdir / _EPOCHS).open("a") as file:
                file.write(f"{epoch}\n")
            if context.report(epoch, {"epoch": float(epoch)}):
                break
            if context.preempted():
                (context.workdir / _CHECKPOINT).write_text(json.dumps(epoch))
                raise ReleasedError(f"it makes room after epoch {epoch}")
        return super().evaluate(proposal, context)


def epochs_run(folder: Path) -> Mapping[int, list[list[int]]]:
    """The epochs of each trial, attempt by attempt."""
    found: dict[int, list[list[int]]] = {}
    for trial in sorted((folder / "trials").iterdir()):
        attempts = sorted(trial.glob(f"*/{_EPOCHS}"), key=lambda p: int(p.parent.name))
        found[int(trial.name)] = [
            [int(line) for line in path.read_text().split()] for path in attempts
        ]
    return found


def words(folder: Path, budget: int, *more: str) -> list[str]:
    """The arguments of a study of `SteppedTask`."""
    return [
        "+experiment=smoke",
        f"task._target_={__name__}.SteppedTask",
        "study.confirm=0",
        "tracker=none",
        f"study.budget={budget}",
        f"study_dir={folder}",
        *more,
    ]


def start(
    folder: Path, arguments: list[str], **variables: str
) -> subprocess.Popen[bytes]:
    """Start a driver, as a user would; what it says goes to ``output.log`` beside."""
    paths = [variables.pop("PYTHONPATH", ""), str(ROOT)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        MARK: str(folder),
        **variables,
    }
    with said_in(folder).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "moosnn", *arguments],
            stdout=log,
            stderr=log,
            cwd=folder.parent,
            env=environment,
        )


def said_in(folder: Path) -> Path:
    """Where the drivers of a folder say something."""
    return folder.parent / "output.log"


def finish(folder: Path, arguments: list[str], **variables: str) -> None:
    """Run a driver to its end, which has to be good."""
    driver = start(folder, arguments, **variables)
    assert driver.wait() == 0, said_in(folder).read_text()[-2000:]
