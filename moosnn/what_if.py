"""What a finished study would have been with other numbers of workers.

Knows: study folders, which simulation each number of workers is, how the table looks.
Must not know: argparse, the simulator's insides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from moosnn.configs import choices, config_folder
from moosnn.errors import ConfigError, StudyFolderError, nearest
from moosnn.logbook import with_identity
from moosnn.origins import optimizer_of
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.proposer import THREADS
from moosnn.runtime.files import CONFIG_NAME
from moosnn.runtime.header import header
from moosnn.runtime.journal import NAME as JOURNAL
from moosnn.runtime.record import SIMULATED, Record, problem_of
from moosnn.runtime.simulator import Durations, Simulator, VirtualClock
from moosnn.runtime.worker import build
from moosnn.settings import MOST_TRIALS, Settings
from moosnn.simulation import NEARLY, Simulated, simulate
from moosnn.tracking.summary import duration_text
from moosnn.virtual_trials import Followed

if TYPE_CHECKING:
    from rich.table import Table

_HOUR_S = 3600.0
_MOST_WORKERS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What is asked.

    Attributes:
        workers: numbers of workers, each >= 1.
        budget: trials that end; ``None`` = as many as the study's.
        optimizer: the name of a shipped one; ``None`` = the study's own.
        mean_s: mean seconds of log-normal durations, > 0; ``None`` = those of the
            nearest trial of the study.
        sigma: of their logarithm, >= 0.
        out: where the journals are kept; ``None`` = nowhere.

    Raises:
        ConfigError: a number out of its range, or an unknown optimizer.
    """

    workers: Sequence[int]
    budget: int | None = None
    optimizer: str | None = None
    mean_s: float | None = None
    sigma: float | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        for name, numbers, most in (
            ("workers", self.workers, _MOST_WORKERS),
            ("budget", () if self.budget is None else (self.budget,), MOST_TRIALS),
        ):
            for number in numbers:
                if not 1 <= number <= most:
                    raise ConfigError(
                        f"simulate: --{name}: expected a whole number from 1 to "
                        f"{most}, got {number}."
                    )
        if self.sigma is not None and self.mean_s is None:
            raise ConfigError("simulate: --sigma: expected --mean S as well.")
        if self.optimizer is not None and self.optimizer not in choices("optimizer"):
            hint = nearest(self.optimizer, choices("optimizer"))
            raise ConfigError(f"simulate: --optimizer: got {self.optimizer!r}.{hint}")

    @property
    def durations(self) -> Durations | None:
        """How long attempts take, if not as long as those of the study.

        Raises:
            ConfigError: a number out of its range.
        """
        if self.mean_s is None:
            return None
        try:
            return Durations(mean_s=self.mean_s, sigma=self.sigma or 0.0)
        except ConfigError as error:
            raise ConfigError(f"simulate: --mean, --sigma: {error}") from error


def simulations(record: Record, asked: WhatIf) -> Iterator[Simulated]:
    """A simulation a number of workers, one after the other.

    Args:
        record: of a study some of whose trials have ended.
        asked: what is asked.

    Raises:
        ConfigError: its optimizer cannot be built.
        StudyFolderError: no trial has ended; ``out`` is taken or cannot be written.
    """
    config = dict(record.config)
    if asked.optimizer is not None:
        path = config_folder() / "optimizer" / f"{asked.optimizer}.yaml"
        config["optimizer"] = yaml.safe_load(path.read_text())
    problem = _problem(config)
    try:
        measure = Followed(problem, record.history, asked.durations)
    except StudyFolderError as error:
        raise StudyFolderError(f"{record.folder}: {error}") from error
    budget = asked.budget or record.budget or record.history.proposals
    for workers in asked.workers:
        clock = VirtualClock(record.history[0].time)
        with _folder(asked.out, workers) as folder:
            _keep_budget(folder, config, budget)
            yield simulate(
                problem=problem,
                optimizer=optimizer_of(config),
                simulator=Simulator(workers=workers, measure=measure, clock=clock),
                clock=clock,
                folder=folder,
                header=_header(record, config, workers),
                settings=Settings(budget=budget, seed=config["seed"], confirm=0),
            )


def _problem(config: Mapping[str, Any]) -> Problem:
    """The problem as the study's optimizer had it: with what the task refuses."""
    problem = problem_of(config)
    return problem.guarded(build(config, "task").refusal) if config["task"] else problem


def _header(record: Record, config: Mapping[str, Any], workers: int) -> dict[str, Any]:
    fingerprint = record.history[0].data.get("fingerprint", {})
    plain = header(config, fingerprint, THREADS)
    told = {"follows": str(record.folder), "workers": workers}
    return {**with_identity(plain, config.get("study", {})), SIMULATED: told}


@contextmanager
def _folder(out: Path | None, workers: int) -> Iterator[Path]:
    """Where one simulation's journal lies, as long as it is needed.

    Raises:
        StudyFolderError: something lies there already.
    """
    if out is not None:
        folder = out / f"workers-{workers}"
        if (out / JOURNAL).exists():
            raise StudyFolderError(f"{out}: is a study; choose another --out.")
        if folder.exists():
            raise StudyFolderError(f"{folder}: is there already; choose another --out.")
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="moosnn-simulate-") as place:
        yield Path(place) / "study"


def _keep_budget(folder: Path, config: Mapping[str, Any], budget: int) -> None:
    try:
        folder.mkdir(parents=True)
        text = yaml.safe_dump({**config, "study": {"budget": budget}}, sort_keys=False)
        (folder / CONFIG_NAME).write_text(text)
    except OSError as error:
        raise StudyFolderError(
            f"{folder}: cannot be written ({error.strerror})."
        ) from error


def table_of(record: Record, found: Sequence[Simulated]) -> Table:
    """A row a number of workers."""
    from rich.table import Table

    own = front_of(record.problem, record.history.done).hypervolume
    table = Table(box=None, pad_edge=False, caption_justify="left")
    table.caption = f"{NEARLY:.0%}: of the study's own hypervolume, {own:.4g}"
    for title in (
        *("workers", "trials", "done in", "busy", "to the end", "suggestion"),
        *("hypervolume", f"{NEARLY:.0%} in"),
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for one in found:
        hours = one.hours_to(NEARLY * own) if own > 0 else None
        table.add_row(
            str(one.workers),
            str(one.trials),
            duration_text(one.makespan_s, 1),
            f"{one.busy:.1%}",
            f"{one.busy_to_end:.1%}",
            f"{one.suggestion_s:.3f} s",
            f"{one.hypervolume:.4g}",
            "never" if hours is None else duration_text(hours * _HOUR_S, 1),
        )
    return table
