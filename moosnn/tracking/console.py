"""The terminal: a live display or a line a trial; the front as a table at the end.

Knows: which of the two a terminal gets, how to word a study in lines. Must not know:
where it runs, how it is stored, how a display is drawn.
"""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console as Terminal
from rich.text import Text

from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.problem import Problem
from moosnn.tracking.display import Display
from moosnn.tracking.front_table import print_front
from moosnn.tracking.live import frame
from moosnn.tracking.moment import Moment, moment_of
from moosnn.tracking.progress import Follower, Progress, saved_s
from moosnn.tracking.summary import duration_text, number_text
from moosnn.tracking.wording import ASCII, Signs, printable
from moosnn.trial import Evaluation, Status, Trial

AUTO = "auto"
_BUDGET = "budget"  # why a study ends that could go on


class Console:
    """Shows a study on a terminal."""

    def __init__(
        self,
        *,
        folder: Path,
        problem: Problem,
        budget: int,
        live: bool | str = AUTO,
        terminal: Terminal | None = None,
    ) -> None:
        """Prepare.

        Args:
            folder: of the study, to be named.
            problem: says what is shown.
            budget: how many trials the study has.
            live: whether there is a live display instead of a line a trial; ``"auto"``
                = on a terminal that can show one, if no ``CI`` is set.
            terminal: where to print; standard output by default.

        Raises:
            ConfigError: ``live`` is none of these.
        """
        if live not in (AUTO, True, False) or not isinstance(live, bool | str):
            raise ConfigError(
                f"tracker.console.live: expected {AUTO}, true or false, got {live!r}."
            )
        self._folder = folder
        self._problem = problem
        self._budget = budget
        # Told to be live, it is: whatever the output looks like.
        forced = True if live is True else None
        self._terminal = terminal or Terminal(
            highlight=False,
            soft_wrap=True,
            markup=False,
            emoji=False,
            force_terminal=forced,
            force_interactive=forced,
        )
        self._live = can_be_live(self._terminal) if live == AUTO else bool(live)
        self._follower = Follower(problem)
        self._history: History | None = None
        self._moment = Moment(title=f"study {folder}", budget=budget, problem=problem)
        self._display: Display | None = None

    def on_event(self, event: Event, history: History) -> None:
        """Print a line for what a person wants to know, unless the display shows it."""
        try:
            self._on_event(event, history)
        except BaseException:  # rich exits when its pipe is closed
            # Nobody calls `close` of a tracker that failed.
            self._stop_display()
            raise

    def _on_event(self, event: Event, history: History) -> None:
        before = self._follower.now
        if event.kind is Kind.OPENED:
            self._follower = Follower.of(self._problem, history)
        else:
            self._follower.add(event, history)
        if self._live:
            self._moment = moment_of(self._follower, event, self._moment)
        if self._live and self._history is None:
            self._display = Display(self._terminal, self._frame)
            self._display.start()
        self._history = history
        line = self._line(event, history, before)
        if line is not None and (self._display is None or _is_news(event)):
            self._say(line)

    def close(self) -> None:
        """Print the front, and how to go on."""
        history = self._history
        if history is None:
            return
        over = history[-1].kind is Kind.ENDED
        if self._display is not None:
            self._moment = replace(self._moment, over=over)
            self._stop_display()
            self._say("")
        if not over:
            # Why, and how to go on, is said by whoever stopped it.
            ended = self._follower.now.ended
            self._say(f"stopped: {ended} of {self._budget} trials ended")
            return
        print_front(self._terminal, self._problem, history)
        spared = self._spared_line(history)
        if spared:
            self._say(spared)
        self._say(self._onwards(history[-1]))

    def _stop_display(self) -> None:
        display, self._display = self._display, None
        if display is not None:
            display.stop()

    def _frame(self, width: int, height: int) -> list[Text]:
        signs = ASCII if self._terminal.options.ascii_only else Signs()
        now = time.time()
        return frame(self._moment, now=now, width=width, height=height, signs=signs)

    def _say(self, line: str) -> None:
        if self._display is not None:
            self._display.say(line)
        else:
            self._terminal.print(printable(line, self._terminal.encoding))

    def _line(self, event: Event, history: History, before: Progress) -> str | None:
        """An event in words; nothing for one that a person need not know."""
        match event.kind:
            case Kind.STUDY:
                return f"study {self._folder}: {self._budget} trials"
            case Kind.OPENED:
                ended = self._follower.now.ended
                return (
                    f"study {self._folder}: continues with {ended} of {self._budget} "
                    "trials ended"
                )
            case Kind.FINISHED | Kind.CORRECTED | Kind.FAILED:
                assert event.number is not None
                return self._ended_line(history.trial(event.number), before)
            case Kind.RETRIED:
                failure = event.data["failure"]
                return (
                    f"  trial {event.number} {failure['kind']}: {failure['message']}; "
                    "tried again"
                )
            case Kind.CONFIRMED:
                return self._confirmed_line(event)
            case _:
                return None

    def _ended_line(self, trial: Trial, before: Progress) -> str:
        """A trial in words; ``before`` is where the study stood before it ended."""
        now = self._follower.now
        ended = now.ended
        width = len(str(self._budget))
        head = f"[{ended:>{width}}/{self._budget}] trial {trial.number:>{width}}"
        if trial.failure is not None:
            return f"{head}  failed: {trial.failure.kind}: {trial.failure.message}"
        assert trial.evaluation is not None
        mark = _mark(trial, before, now)
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
            other = "unfinished" if trial.is_pruned else "not observed"
            parts.append("beyond " + ", ".join(broken) if broken else other)
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

    def _onwards(self, end: Event) -> str:
        """How to go on after the end."""
        report = f"python -m moosnn report {shlex.quote(str(self._folder))}"
        if end.data["reason"] != _BUDGET:
            return f"ended: {end.data['reason']}; see {report}"
        return f"extend with study.budget={2 * self._budget}, or: {report}"

    def _spared_line(self, history: History) -> str | None:
        seconds = self._follower.now.saved_s
        if seconds <= 0:
            return None
        spared = [
            t.evaluation
            for t in history.done
            if t.evaluation is not None and saved_s(t.evaluation) > 0
        ]
        why = "silent" if all(e.stopped == "silent" for e in spared) else "stopped"
        trials = f"{len(spared)} {why} trial{'s' * (len(spared) != 1)}"
        text = duration_text(seconds)
        return f"early stopping spared {text} of training in {trials}"


def _mark(trial: Trial, before: Progress, now: Progress) -> str:
    """What a trial did to the front; another seed may also take a point off it."""
    number, volume = trial.proposal.repeats, f"hypervolume {now.hypervolume:.3f}"
    again = "" if number is None else f"  trial {number} again"
    point = trial.number if number is None else number
    if point in now.front and (now.front != before.front or again):
        return f"{again}  <- front, {volume}"
    if point in before.front and point not in now.front:
        return f"{again}  -> off the front, {volume}"
    return again


def can_be_live(terminal: Terminal) -> bool:
    """Whether a terminal can show a live display and somebody may look at it.

    What rich takes for an interactive terminal, but for ``FORCE_COLOR`` on what is
    none: a log file with colours is still a log file.
    """
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return False
    if not terminal.is_interactive or terminal.legacy_windows:
        return False
    return terminal.file.isatty() or os.environ.get("TTY_COMPATIBLE") == "1"


def _is_news(event: Event) -> bool:
    """Whether an event has something to tell that the display does not show."""
    match event.kind:
        case Kind.RETRIED | Kind.FAILED | Kind.CORRECTED:
            return True
        case Kind.CONFIRMED:
            return "failure" in event.data
        case _:
            return False
