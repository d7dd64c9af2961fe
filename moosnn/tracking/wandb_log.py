"""What a study's W&B run holds: rows, fronts, a summary, an artifact.

Knows: the W&B library's run, once it has begun. Must not know: processes, pipes, how a
journal is stored.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.interactive import front_figure
from moosnn.tracking.progress import Follower, Progress, study_id
from moosnn.tracking.results import FRONT_CSV, TRAINED
from moosnn.tracking.summary import front_csv, members

if TYPE_CHECKING:
    from wandb import Artifact, Run, Table

# What is logged of a `Progress`; once more as time/<name>, charted against the hours.
CHARTED = ("hypervolume", "feasible", "silent", "failed", "pending", "suggestion_s")
TRIALS, HOURS = "ended", "elapsed_h"
FRONT, FIGURE = "front", "front_figure"
INTERRUPTED = 130  # the run's exit code if the study has not come to its end
_FILES = ("journal.jsonl", "config.yaml")


class Log:
    """One run, and what this process has logged of the study."""

    def __init__(self, run: Run, problem: Problem, *, front_every_s: float) -> None:
        """Prepare the charts.

        Args:
            run: begun; rows below its first step are on the server.
            problem: of the study.
            front_every_s: the least time between two fronts.
        """
        self._run = run
        self._problem = problem
        self._front_every_s = front_every_s
        self._follower = Follower(problem)
        self._first = run.starting_step
        self._stale = False  # the front has changed since it was logged
        self._front_s = -front_every_s
        for axis in (TRIALS, HOURS):
            run.define_metric(axis, hidden=True)
        for name in CHARTED:
            run.define_metric(name, step_metric=TRIALS)
            run.define_metric(f"time/{name}", step_metric=HOURS)

    def add(self, event: Event, history: History, *, known: bool) -> None:
        """Log what the next event brings.

        Args:
            event: the newest.
            history: up to it.
            known: whether it happened before this process began: then the front waits.
        """
        follower = self._follower
        rows, front = len(follower.curve), follower.front
        follower.add(event, history)
        self._stale |= follower.front is not front
        row = row_of(follower.now) if len(follower.curve) > rows else {}
        waited_s = time.monotonic() - self._front_s
        due = self._stale and not known and waited_s >= self._front_every_s
        self._log(row, history, with_front=due)

    def _log(
        self, row: Mapping[str, Any], history: History, *, with_front: bool
    ) -> None:
        """Row i of the run is the i-th ended (or corrected) trial, whoever logs it.

        W&B takes no more for a row once it is committed. So the newest one stays open
        while the front that belongs to it has not been logged.
        """
        step = len(self._follower.curve) - 1
        if step < self._first or not (row or with_front):
            return
        if with_front:
            self._front_s = time.monotonic()
            try:
                media = self._front_media(history)
                self._run.log({**row, **media}, step=step, commit=True)
            except Exception:  # W&B asks its server before it takes a table
                traceback.print_exc()
            else:
                self._stale = False
                return
        if row:
            self._run.log(dict(row), step=step, commit=not self._stale)

    def _front_media(self, history: History) -> dict[str, Any]:
        import wandb

        media: dict[str, Any] = {FRONT: front_table(self._problem, history)}
        figure = front_figure(self._problem, history)
        if figure is not None:
            media[FIGURE] = wandb.Plotly(figure)
        return media

    def finish(self, history: History) -> None:
        """The last front, the summary; after the study's end its artifact.

        Raises:
            Exception: the server takes no artifact, or not everything could be
                uploaded in the run's ``finish_timeout``.
        """
        ended = history[-1].kind is Kind.ENDED
        try:
            now = asdict(self._follower.now)
            now["front_size"] = len(now.pop("front"))
            now[HOURS] = now.pop("elapsed_s") / 3600
            self._run.summary.update({**now, TRIALS: self._follower.now.ended})
            self._log({}, history, with_front=self._stale)
            if ended:
                folder = Path(self._run.settings.root_dir)
                self._run.log_artifact(artifact(folder, self._problem, history))
        finally:
            self._run.finish(exit_code=0 if ended else INTERRUPTED)


def row_of(now: Progress) -> dict[str, float]:
    """What is charted of a moment of a study."""
    values = {name: getattr(now, name) for name in CHARTED}
    return {
        TRIALS: now.ended,
        HOURS: now.elapsed_s / 3600,
        **values,
        **{f"time/{name}": value for name, value in values.items()},
    }


def front_table(problem: Problem, history: History) -> Table:
    """The front: number, every metric, every parameter (empty if inactive).

    Before the parameters a standard error for each metric of the problem, empty if it
    is not known, and how many trainings the values are the means of.
    """
    import wandb

    rows = members(problem, history)
    metrics = list(problem.metrics)
    metrics += sorted({m for row in rows for m in row.metrics} - set(metrics))
    data: list[list[Any]] = []
    for row in rows:
        active = problem.space.active(row.trial.proposal.params)
        cells: list[Any] = [row.trial.number]
        cells += [row.metrics.get(metric) for metric in metrics]
        cells += [row.sems.get(metric) for metric in problem.metrics]
        cells += [len(row.trials), *(active.get(name) for name in problem.space)]
        data.append(cells)
    columns: list[str | int] = ["trial", *metrics]
    columns += [*(f"sem.{metric}" for metric in problem.metrics), "trainings"]
    columns += [f"param.{name}" for name in problem.space]
    return wandb.Table(columns=columns, data=data, allow_mixed_types=True)


def artifact(folder: Path, problem: Problem, history: History) -> Artifact:
    """Journal, config, front and the front's weights, laid out as in the folder."""
    import wandb

    found = wandb.Artifact(f"study-{study_id(history)}", type="study")
    paths = [folder / name for name in _FILES]
    for row in members(problem, history):
        for number in row.trials:
            attempt = history.trial(number).attempt
            own = folder / f"trials/{number:06d}/{attempt}"
            paths += [own / name for name in TRAINED]
    for path in paths:
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found.add_file(str(path), name=name, skip_cache=True)
    # Not the file: another tracker may be about to write it.
    with found.new_file(FRONT_CSV) as stream:
        stream.write(front_csv(problem, history))
    return found
