"""The result files of a study folder, kept up to date while it runs.

Knows: ``front.csv``, ``front.png``, ``hypervolume.png`` and which weights are kept.
Must not know: how trials are run.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.pareto.front import Front
from moosnn.pareto.pooling import Key, key_of
from moosnn.problem import Problem
from moosnn.snn.raster import RASTER
from moosnn.tasks.module_files import WEIGHTS as MODULE_WEIGHTS
from moosnn.tracking.current_front import CurrentFront
from moosnn.tracking.summary import front_csv

FRONT_CSV = "front.csv"
FRONT_PNG = "front.png"
HYPERVOLUME_PNG = "hypervolume.png"
WEIGHTS = "weights.safetensors"
# Of whichever task trained it.
TRAINED = (WEIGHTS, MODULE_WEIGHTS)
# A trial that left the front keeps its weights until so many more have ended, so that
# whoever reads the front while it moves still finds them.
KEEP_ENDED = 20
_PICTURES_EVERY_S = 60.0
# With more trials than that, writing a front costs time that the loop needs.
_MANY_TRIALS = 1000
_CSV_EVERY_S = 10.0


class Results:
    """Writes the front and its pictures, and deletes weights nobody asks for.

    The weights of all trials of a front's point are wanted. Where a study repeats
    points, a promise may be taken back, and what it dominated returns to the front:
    such a study keeps all weights until its end.
    """

    def __init__(self, *, folder: Path, problem: Problem) -> None:
        """Prepare; nothing is written."""
        self._folder = folder
        self._problem = problem
        self._history: History | None = None
        self._current = CurrentFront(problem)
        self._read = 0  # how many evaluated trials it has heard of
        self._numbers: dict[Key, list[int]] = {}  # of the trials of each point
        self._front: Front | None = None
        self._wanted: set[int] = set()  # the numbers of all trials of its points
        self._left: dict[int, int] = {}  # number -> how many had ended when it left
        self._behind = False  # whether the front changed since it was written
        self._written_s = self._drawn_s = -math.inf

    def on_event(self, event: Event, history: History) -> None:
        """Bring the files up to date if the front or its tests changed."""
        self._history = history
        if event.kind is Kind.OPENED:
            self._forget_unknown(history)
        elif event.kind in (Kind.FINISHED, Kind.CORRECTED):
            self._on_finished(event, history)
        elif event.kind is Kind.CONFIRMED:
            self._write_csv(history)
        elif event.kind is Kind.ENDED and _repeats(history):
            _, wanted = self._front_and_trials(history)
            for trial in history.done:
                if trial.number not in wanted:
                    self._delete_weights(trial.number)

    def close(self) -> None:
        """Write everything once more."""
        if self._history is not None:
            self._write_csv(self._history)
            self._draw(self._history)

    def _on_finished(self, event: Event, history: History) -> None:
        assert event.number is not None
        front, wanted = self._front_and_trials(history)
        ended = len(history.done)
        if (front, wanted) != (self._front, self._wanted):
            for number in self._wanted - wanted:
                self._left[number] = ended
            self._front, self._wanted = front, wanted
            self._behind = True
        if self._behind and self._may_write(ended):
            self._write_csv(history)
            if time.monotonic() - self._drawn_s > _PICTURES_EVERY_S:
                self._draw(history)
        if _repeats(history):
            return
        if event.number not in wanted:
            self._delete_weights(event.number)
        for number, left in list(self._left.items()):
            if number in wanted:
                del self._left[number]
            elif ended - left >= KEEP_ENDED:
                self._delete_weights(number)
                del self._left[number]

    def _forget_unknown(self, history: History) -> None:
        """After a restart: only the front's weights are known to be wanted."""
        self._front, self._wanted = self._front_and_trials(history)
        for trial in history.done:
            if trial.number not in self._wanted:
                self._left[trial.number] = len(history.done)

    def _front_and_trials(self, history: History) -> tuple[Front, set[int]]:
        """The front, and the numbers of all trials of its points."""
        done = history.done
        for trial in done[self._read :]:
            self._current.add(trial)
            self._numbers.setdefault(key_of(trial), []).append(trial.number)
        self._read = len(done)
        members = [key_of(member) for member in self._current.members]
        return self._current.front, {n for m in members for n in self._numbers[m]}

    def _may_write(self, ended: int) -> bool:
        """Of a long study, whose front is long too, not at every change."""
        waited = time.monotonic() - self._written_s
        return ended <= _MANY_TRIALS or waited > _CSV_EVERY_S

    def _delete_weights(self, number: int) -> None:
        attempts = self._folder / "trials" / f"{number:06d}"
        for name in (*TRAINED, RASTER):
            for path in attempts.glob(f"*/{name}"):
                path.unlink()

    def _write_csv(self, history: History) -> None:
        path = self._folder / FRONT_CSV
        temporary = path.with_name(f".{path.name}")
        temporary.write_text(front_csv(self._problem, history))
        temporary.replace(path)
        self._behind, self._written_s = False, time.monotonic()

    def _draw(self, history: History) -> None:
        from moosnn.tracking.front_plot import front_figure
        from moosnn.tracking.plots import hypervolume_figure, save

        if len(self._problem.objectives) > 1:
            figure = front_figure(self._problem, history)
            save(figure, self._folder / FRONT_PNG)
        save(hypervolume_figure(self._problem, history), self._folder / HYPERVOLUME_PNG)
        self._drawn_s = time.monotonic()


def _repeats(history: History) -> bool:
    """Whether a study repeats points (`study.replicates`)."""
    config = history[0].data.get("config", {}) if len(history) else {}
    return "replicates" in config.get("study", {})
