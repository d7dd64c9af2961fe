"""Where a study stands: the numbers and the words of ``moosnn status``.

Knows: problems, histories, how far a study is. Must not know: folders' contents,
leases; who drives the study is said by the caller.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from moosnn.history import History, Kind
from moosnn.problem import Problem
from moosnn.tracking.progress import RECENT, Follower, Progress, Running
from moosnn.tracking.summary import duration_text

if TYPE_CHECKING:
    from rich.table import Table

RUNNING = "running"
STOPPED = "stopped"
FINISHED = "finished"
DAMAGED = "damaged"

_NEXT = {
    DAMAGED: "its journal has to be mended first, as the note says",
    STOPPED: "the command that started it continues it",
    FINISHED: "a larger study.budget extends it",
}
# Of a study that a rule ended: the key that is named by the reason it ended for.
_RULES = ("study.hours", "study.stagnation")
# Of the trials that run so many are listed, one a line.
_LISTED = 16
_INDENT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Who drives a study.

    Attributes:
        host: name of the machine.
        pid: process id.
        seen: whether the process itself was seen; on another host only its signs of
            life are.
    """

    host: str
    pid: int
    seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A study at one moment.

    Attributes:
        name: of the study, for people: its folder.
        state: `RUNNING`, `STOPPED`, `FINISHED` or `DAMAGED`.
        driver: who drives it, if it is running.
        budget: how many trials are to end, if that is known.
        progress: the numbers.
        gain: what the last `RECENT` ended trials added to the hypervolume.
        left_s: seconds until the budget is spent, if the study runs and has a pace.
        running: the trials that were given out and have not ended.
        now: seconds since 1970, to tell how long a trial has been running.
        failures: finally failed trials by kind.
        retries: failed attempts that were repeated, by kind.
        last_log: path of the newest failure's log, relative to the study folder.
        reason: why the search ended, as the journal says it; ``None`` if it did not.
    """

    name: str
    state: str
    driver: Driver | None
    budget: int | None
    progress: Progress
    gain: float
    left_s: float | None
    running: tuple[Running, ...]
    now: float
    failures: Mapping[str, int]
    retries: Mapping[str, int]
    last_log: str | None
    reason: str | None = None


def overview(
    name: str,
    problem: Problem,
    history: History,
    *,
    budget: int | None,
    driver: Driver | None,
    now: float,
    damaged: bool = False,
) -> Overview:
    """Add up a study.

    Args:
        name: of the study, for people.
        problem: of the study.
        history: everything so far, its header included.
        budget: how many trials are to end, or ``None``.
        driver: who holds it, or ``None``.
        now: seconds since 1970.
        damaged: whether the journal goes on behind a damaged line.
    """
    follower = Follower.of(problem, history)
    # A driver that draws its last pictures still holds a study that is finished.
    state = STOPPED if driver is None else RUNNING
    if is_ended(history):
        state = FINISHED
    elif damaged and driver is None:
        state = DAMAGED
    left_s = follower.left_s(budget) if budget and state == RUNNING else None
    told = [event.data["failure"] for event in history if event.data.get("failure")]
    logs = [failure["log"] for failure in told if failure.get("log")]
    retried = history.of_kind(Kind.RETRIED)
    return Overview(
        name=name,
        state=state,
        driver=driver if state == RUNNING else None,
        budget=budget,
        progress=follower.now,
        gain=follower.gain,
        left_s=left_s,
        running=tuple(follower.running),
        now=now,
        failures=_counts(t.failure.kind for t in history.failed if t.failure),
        retries=_counts(str(event.data["failure"]["kind"]) for event in retried),
        last_log=logs[-1] if logs else None,
        reason=history[-1].data.get("reason") if is_ended(history) else None,
    )


def is_ended(history: History) -> bool:
    """Whether the driver that wrote last found nothing left to do."""
    return len(history) > 0 and history[-1].kind is Kind.ENDED


def _counts(kinds: Iterable[str]) -> dict[str, int]:
    return dict(Counter(kinds).most_common())


def overview_json(study: Overview) -> dict[str, Any]:
    """The overview as JSON data; the keys are documented in docs/reading.md."""
    driver = study.driver
    return {
        "study": study.name,
        "state": study.state,
        "host": driver.host if driver else None,
        "pid": driver.pid if driver else None,
        "budget": study.budget,
        "ended": study.progress.ended,
        **{**asdict(study.progress), "front": list(study.progress.front)},
        "gain": study.gain,
        "left_s": study.left_s,
        "running": [
            {
                "number": one.number,
                "attempt": one.attempt,
                "epoch": one.step,
                "retraining": one.retraining,
                "seconds": _running_s(study, one),
            }
            for one in study.running
        ],
        "failures": dict(study.failures),
        "retries": dict(study.retries),
        "last_log": study.last_log,
    }


def _running_s(study: Overview, one: Running) -> float | None:
    """How long a trial has been running; of a stopped study nobody knows."""
    return max(0.0, study.now - one.since) if study.state == RUNNING else None


def overview_lines(study: Overview) -> list[str]:
    """The overview in words, a few lines."""
    now = study.progress
    other = now.done - now.feasible - now.silent
    parts = [f"{now.feasible} feasible", f"{now.silent} silent"]
    parts += [f"{other} other"] * (other > 0) + [f"{now.failed} failed"]
    rows = [
        ("ended", f"{_ended_text(study, ' of ')}: {', '.join(parts)}"),
        ("pending", str(now.pending)),
        *_running_rows(study),
        (
            "front",
            f"{len(now.front)} members, hypervolume {now.hypervolume:.3f} "
            f"({study.gain:+.3f} by the last {RECENT} trials)",
        ),
        ("retrained", f"{now.retrained} times, for the test values"),
        ("suggestion", f"{duration_text(now.suggestion_s)} each (the last {RECENT})"),
        ("time", _time_text(study)),
        ("failures", _failures_text(study)),
    ]
    empty = {"pending": not now.pending, "retrained": not now.retrained}
    empty["failures"] = not (study.failures or study.retries)
    kept = [row for row in rows if not empty.get(row[0])]
    lines = [f"  {name:<{_INDENT}}{text}" for name, text in kept]
    if study.last_log:
        lines.append(f"  {'last log':<{_INDENT}}{study.name}/{study.last_log}")
    return [f"{study.name}: {_state_text(study)}", *lines]


def _ended_text(study: Overview, between: str) -> str:
    budget = "?" if study.budget is None else study.budget
    return f"{study.progress.ended}{between}{budget}"


def _state_text(study: Overview) -> str:
    if study.driver is None:
        return f"{study.state}; {_next_text(study)}"
    text = f"running: host {study.driver.host}, pid {study.driver.pid}"
    return text if study.driver.seen else f"{text} (by its signs of life)"


def _next_text(study: Overview) -> str:
    """How a study goes on that nobody drives."""
    rules = [key for key in _RULES if key in (study.reason or "")]
    if study.state != FINISHED or not rules:
        return _NEXT[study.state]
    return f"{study.reason}; a larger {rules[0]}, or null, extends it"


def _running_rows(study: Overview) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for one in study.running[:_LISTED]:
        seconds = _running_s(study, one)
        parts = [f"trial {one.number}{' again, for the test' * one.retraining}"]
        if one.step is not None:
            parts.append(f"epoch {one.step}")
        if seconds is not None:
            parts.append(duration_text(seconds))
        rows.append(("" if rows else _given(study), ", ".join(parts)))
    more = len(study.running) - len(rows)
    return rows + [("", f"and {more} more")] * (more > 0)


def _given(study: Overview) -> str:
    """Without a driver nobody knows whether what was given out still runs."""
    return "running" if study.state == RUNNING else "given out"


def _time_text(study: Overview) -> str:
    text = f"{duration_text(study.progress.elapsed_s)} at work"
    if study.left_s is not None:
        text += f", about {duration_text(study.left_s)} left"
    if study.progress.saved_s:
        text += f"; early stopping saved {duration_text(study.progress.saved_s)}"
    return text


def _failures_text(study: Overview) -> str:
    parts = [f"{count} {kind}" for kind, count in study.failures.items()]
    parts += [f"{count} {kind} and repeated" for kind, count in study.retries.items()]
    return ", ".join(parts)


def overview_table(studies: Sequence[Overview]) -> Table:
    """One row a study; names of up to 23 characters fit 80 columns.

    Args:
        studies: two or more; the folder that they share is named once.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shared = os.path.commonpath([os.path.dirname(s.name) or "." for s in studies])
    table = Table(
        title=shared, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0
    )
    table.add_column("study", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("ended", "front", "volume", "silent", "failed", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for study in studies:
        now = study.progress
        table.add_row(
            os.path.relpath(study.name, shared),
            study.state,
            _ended_text(study, "/"),
            str(len(now.front)),
            f"{now.hypervolume:.3f}",
            str(now.silent),
            str(now.failed),
            "-" if study.left_s is None else duration_text(study.left_s, parts=1),
        )
    return table
