"""The terminal: a line a trial, and the front as a table at the end.

Knows: how to word a study. Must not know: where it runs, how it is stored.
"""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.table import Table

from moosnn.history import Event, History, Kind
from moosnn.pareto.front import front_of
from moosnn.problem import Problem
from moosnn.tracking.summary import (
    Member,
    members,
    number_text,
    params_text,
    range_text,
)
from moosnn.trial import Evaluation, Status, Trial

_NUMBER_WIDTH = 8  # of a value in the table; two objectives fit 80 columns


class Console:
    """Prints plain lines; a table of the front when the study is over."""

    def __init__(
        self,
        *,
        folder: Path,
        problem: Problem,
        budget: int,
        terminal: Terminal | None = None,
    ) -> None:
        """Prepare.

        Args:
            folder: of the study, to be named.
            problem: says what is shown.
            budget: how many trials the study has.
            terminal: where to print; standard output by default.
        """
        self._folder = folder
        self._problem = problem
        self._budget = budget
        self._terminal = terminal or Terminal(highlight=False, soft_wrap=True)
        self._front: tuple[int, ...] = ()
        self._history: History | None = None

    def on_event(self, event: Event, history: History) -> None:
        """Print a line for what a person wants to know."""
        self._history = history
        match event.kind:
            case Kind.STUDY:
                self._say(f"study {self._folder}: {self._budget} trials")
            case Kind.OPENED:
                self._front = front_of(self._problem, history.done).numbers
                ended = len(history.done) + len(history.failed)
                self._say(
                    f"study {self._folder}: continues with {ended} of {self._budget} "
                    "trials ended"
                )
            case Kind.FINISHED | Kind.CORRECTED | Kind.FAILED:
                assert event.number is not None
                self._say(self._ended_line(history.trial(event.number), history))
            case Kind.RETRIED:
                failure = event.data["failure"]
                self._say(
                    f"  trial {event.number} {failure['kind']}: {failure['message']}; "
                    "tried again"
                )
            case Kind.CONFIRMED:
                self._say(self._confirmed_line(event))
            case _:
                pass

    def close(self) -> None:
        """Print the front, and how to go on."""
        history = self._history
        if history is None:
            return
        if history[-1].kind is not Kind.ENDED:
            self._say("stopped; the same command continues from here")
            return
        print_front(self._terminal, self._problem, history)

    def _say(self, line: str) -> None:
        self._terminal.print(line, markup=False)

    def _ended_line(self, trial: Trial, history: History) -> str:
        ended = len(history.done) + len(history.failed)
        width = len(str(self._budget))
        head = f"[{ended:>{width}}/{self._budget}] trial {trial.number:>{width}}"
        if trial.failure is not None:
            return f"{head}  failed: {trial.failure.kind}: {trial.failure.message}"
        assert trial.evaluation is not None
        front = front_of(self._problem, history.done)
        mark = ""
        if front.numbers != self._front and trial.number in front:
            mark = f"  <- front, hypervolume {front.hypervolume:.3f}"
        self._front = front.numbers
        return f"{head}  {self._measured(trial.evaluation, trial)}{mark}"

    def _measured(self, evaluation: Evaluation, trial: Trial) -> str:
        parts = []
        metrics = evaluation.metrics
        if trial.status is Status.DONE and not self._problem.is_feasible(trial):
            broken = [
                f"{c.metric} {number_text(metrics[c.metric])}"
                for c in self._problem.constraints
                if c.violation(metrics[c.metric]) > 0
            ]
            parts.append("beyond " + ", ".join(broken) if broken else "not observed")
        parts += [
            f"{o.metric} {number_text(metrics[o.metric])}"
            for o in self._problem.objectives
            if o.metric in metrics
        ]
        if evaluation.stopped:
            parts.append(f"stopped: {evaluation.stopped}")
        return "  ".join([*parts, f"{evaluation.seconds:.1f} s"])

    def _confirmed_line(self, event: Event) -> str:
        head = f"confirm trial {event.number}, seed {event.data['replicate'] + 1}"
        if "failure" in event.data:
            failure = event.data["failure"]
            return f"{head}: {failure['kind']}: {failure['message']}"
        metrics = event.data["evaluation"]["metrics"]
        values = "  ".join(
            f"test {o.metric} {number_text(metrics[o.metric])}"
            for o in self._problem.objectives
            if o.metric in metrics
        )
        return f"{head}: {values or 'not observed'}"


def print_front(terminal: Terminal, problem: Problem, history: History) -> None:
    """The front as a table with validation and test values, then its parameters."""
    rows = members(problem, history)
    if not rows:
        beyond, failed = len(history.done), len(history.failed)
        terminal.print(
            f"no front: of {beyond + failed} trials {beyond} lie beyond the edge (or "
            f"were stopped), {failed} failed",
            markup=False,
        )
        return
    front = front_of(problem, history.done)
    table = Table(
        title=f"front of {len(rows)} trials, hypervolume {front.hypervolume:.3f}",
        caption="test: mean and range of retrainings with new seeds; edge: how many "
        "of them fell beyond it (violate a constraint)",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("trial", justify="right")
    for objective in problem.objectives:
        name = objective.metric.replace("_", " ")
        word = max(map(len, name.split()))
        table.add_column(name, justify="right", width=max(word, _NUMBER_WIDTH))
        table.add_column("test", justify="right", no_wrap=True)
    if problem.constraints:
        table.add_column("edge", justify="right")
    for row in rows:
        cells = [str(row.trial.number)]
        for objective in problem.objectives:
            values = row.confirmed.values(objective.metric) if row.confirmed else []
            cells += [number_text(row.metrics[objective.metric]), range_text(values)]
        if problem.constraints:
            cells.append(_beyond_text(problem, row))
        table.add_row(*cells)
    terminal.print(table)
    for row in rows:
        text = params_text(problem.space, row.trial.proposal.params)
        terminal.print(f"trial {row.trial.number}: {text}", markup=False)


def _beyond_text(problem: Problem, row: Member) -> str:
    """``1/3``: of three retrainings one fell silent (violated a constraint)."""
    if row.confirmed is None:
        return "-"
    count = len(row.confirmed.evaluations) + len(row.confirmed.failures)
    return f"{row.fell_infeasible(problem)}/{count}"
