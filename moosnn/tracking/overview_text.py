"""Where a study stands, in words and tables: what ``moosnn status`` prints.

Knows: overviews. Must not know: folders, histories, terminals.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from moosnn.tracking.overview import (
    DAMAGED,
    FINISHED,
    RUNNING,
    STOPPED,
    Overview,
    running_s,
)
from moosnn.tracking.progress import RECENT
from moosnn.tracking.summary import duration_text

if TYPE_CHECKING:
    from rich.table import Table

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


def overview_lines(study: Overview) -> list[str]:
    """The overview in words, a few lines."""
    now = study.progress
    other = now.done - now.feasible - now.silent - now.pruned
    parts = [f"{now.feasible} feasible", f"{now.silent} silent"]
    parts += [f"{now.pruned} pruned"] * (now.pruned > 0)
    parts += [f"{other} other"] * (other > 0) + [f"{now.failed} failed"]
    rows = [
        ("ended", f"{_ended_text(study, ' of ')}: {', '.join(parts)}"),
        ("pending", str(now.pending)),
        *_running_rows(study),
        ("workers", _workers_text(study)),
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
    empty["workers"] = not study.workers
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
    hosts = {w.name: w.host for w in study.workers if w.host}
    for one in study.running[:_LISTED]:
        seconds = running_s(study, one)
        parts = [f"trial {one.number}{' again, for the test' * one.retraining}"]
        if one.step is not None:
            parts.append(f"epoch {one.step}")
        if seconds is not None:
            parts.append(duration_text(seconds))
        if one.worker in hosts:
            parts.append(f"{one.worker} on {hosts[one.worker]}")
        rows.append(("" if rows else _given(study), ", ".join(parts)))
    more = len(study.running) - len(rows)
    return rows + [("", f"and {more} more")] * (more > 0)


def _given(study: Overview) -> str:
    """Without a driver nobody knows whether what was given out still runs."""
    return "running" if study.state == RUNNING else "given out"


def _workers_text(study: Overview) -> str:
    """How many live, how many of them hold a trial, and who gives no sign of life."""
    live = [worker for worker in study.workers if worker.alive]
    held = {one.worker for one in study.running}
    idle = sum(worker.name not in held for worker in live)
    text = f"{len(live)} live, {len(live) - idle} with a trial"
    for worker in [w for w in study.workers if not w.alive][:_LISTED]:
        text += f", {worker.name} silent for {duration_text(round(worker.silent_s))}"
    return text


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
