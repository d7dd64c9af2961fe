"""What must hold of a study folder whatever has happened to the study.

Knows: the files of a study folder and what their lines mean, read as plain JSON; the
processes of this machine, the jobs of this cluster. Must not know: the package's own
history, fronts and replays: those are what is checked.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from moosnn.__main__ import main
from tests.stepped import MARK

_PATIENCE_S = 60.0
_ACTIVE = "PENDING,RUNNING,CONFIGURING,COMPLETING,SUSPENDED,STOPPED,REQUEUED"
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survived:
    """What a study went through, by its journal.

    Attributes:
        ended: how many numbers ended.
        drivers: how many drivers had it.
        retried: how often an attempt was given out again, by what befell it.
        failed: how many numbers failed, by why.
        superseded: lines of drivers that had been taken for dead.
    """

    ended: int
    drivers: int
    retried: Mapping[str, int]
    failed: Mapping[str, int]
    superseded: int


def check(folder: Path, budget: int, *, slurm: bool = False) -> Survived:
    """Fail unless all is well with a study that has ended.

    Every number ended exactly once, no attempt was given out twice or ended twice, none
    began after its number had ended; the front of the files and of the command is that
    of the journal; no process and no job is left; no result lies unheard.

    Args:
        folder: of the study.
        budget: how many numbers there must be.
        slurm: whether a cluster is asked for jobs as well.
    """
    nobody_left(folder)
    if slurm:
        no_job_left(folder)
    events, superseded = accepted(folder / "journal.jsonl")
    every_number_ended_once(events, budget)
    every_attempt_had_one_turn(events)
    nothing_ran_unasked(folder, events)
    nothing_lies_unheard(folder, events)
    the_front_is_right(folder, events)
    kinds = Counter(event["event"] for event in events)
    return Survived(
        ended=kinds["finished"] + kinds["failed"],
        drivers=1 + kinds["opened"],
        retried=_failures(events, "retried"),
        failed=_failures(events, "failed"),
        superseded=superseded,
    )


def _failures(events: Sequence[Event], what: str) -> Mapping[str, int]:
    of = [e for e in events if e["event"] == what]
    return dict(Counter(event["failure"]["kind"] for event in of))


def accepted(path: Path) -> tuple[list[Event], int]:
    """The lines that count, and how many of superseded drivers do not."""
    raw = path.read_bytes()
    assert raw.endswith(b"\n"), "the journal's tail is torn"
    events: list[Event] = []
    superseded = epoch = 0
    for line in raw.splitlines():
        event = json.loads(line)
        if event["epoch"] < epoch:
            superseded += 1
            continue
        epoch = event["epoch"]
        events.append(event)
    return events, superseded


def every_number_ended_once(events: Sequence[Event], budget: int) -> None:
    """By the journal, with one ``finished`` or one ``failed``."""
    ends = Counter(e["number"] for e in events if e["event"] in ("finished", "failed"))
    assert ends == dict.fromkeys(range(budget), 1)
    proposed = [e["number"] for e in events if e["event"] == "proposed"]
    assert proposed == list(range(budget))
    corrected = Counter(e["number"] for e in events if e["event"] == "corrected")
    assert set(corrected.values()) <= {1}


def every_attempt_had_one_turn(events: Sequence[Event]) -> None:
    """Attempts are given out as 1, 2, 3 …, each after the end of the one before."""
    given: dict[int, int] = {}
    closed: set[tuple[int, int]] = set()
    over: set[int] = set()
    for event in events:
        number, attempt = event.get("number"), event.get("attempt")
        match event["event"]:
            case "submitted" | "confirming" as what:
                assert attempt == given.get(number, 0) + 1
                if what == "submitted":
                    assert number not in over, f"{number} ran again after its end"
                    assert attempt == 1 or (number, attempt - 1) in closed
                given[number] = attempt
            case "finished" | "failed" | "retried" as what:
                assert number not in over
                assert attempt <= given[number]
                assert (number, attempt) not in closed, "a result was journaled twice"
                closed.add((number, attempt))
                if what != "retried":
                    over.add(number)


def nothing_ran_unasked(folder: Path, events: Sequence[Event]) -> None:
    """Every attempt that left a folder was journaled before."""
    asked = {
        (e["number"], e["attempt"])
        for e in events
        if e["event"] in ("submitted", "confirming")
    }
    ran = {
        (int(own.parent.name), int(own.name))
        for own in (folder / "trials").glob("*/*")
        if own.name.isdigit()
    }
    assert ran <= asked


def nothing_lies_unheard(folder: Path, events: Sequence[Event]) -> None:
    """What is left in the outbox has been journaled."""
    told = {
        (e["number"], e["attempt"])
        for e in events
        if e["event"] in ("finished", "failed", "retried", "corrected", "confirmed")
    }
    names = [path.name for path in (folder / "outbox").glob("[0-9]*.json")]
    results = [name.removesuffix(".json") for name in names if ".step-" not in name]
    left = {tuple(map(int, name.split("-"))) for name in results}
    assert left <= told


# ---------------------------------------------------------------- the front


def the_front_is_right(folder: Path, events: Sequence[Event]) -> None:
    """``front.csv``, ``moosnn front --json`` and the journal's end, by brute force."""
    expected = front_numbers(folder, events)
    rows = (folder / "front.csv").read_text().splitlines()[1:]
    assert sorted(int(row.split(",")[0]) for row in rows) == expected
    (ended,) = [e for e in events if e["event"] == "ended"][-1:]
    assert sorted(ended["front"]) == expected
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["front", str(folder), "--json"]) == 0
    told = json.loads(said.getvalue())
    assert sorted(member["number"] for member in told) == expected


def front_numbers(folder: Path, events: Sequence[Event]) -> list[int]:
    """The feasible trials that no feasible trial dominates, compared one by one."""
    problem = yaml.safe_load((folder / "config.yaml").read_text())["problem"]
    metrics = {
        e["number"]: e["evaluation"]["metrics"]
        for e in events
        if e["event"] in ("finished", "corrected")
    }
    signs = {
        o["metric"]: -1.0 if o["goal"] == "max" else 1.0 for o in problem["objectives"]
    }
    losses = {
        number: [sign * row[name] for name, sign in signs.items()]
        for number, row in metrics.items()
        if all(name in row for name in signs)
        and all(row[c["metric"]] <= c["upper"] for c in problem["constraints"])
    }
    return sorted(
        number
        for number, row in losses.items()
        if not any(
            other != row and all(a <= b for a, b in zip(other, row, strict=True))
            for other in losses.values()
        )
    )


# ---------------------------------------------------------------- what is left


def processes(folder: Path) -> list[int]:
    """The living processes of a study: by their mark, or their command line."""
    mark, found = f"{MARK}={folder}".encode(), []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        own = Path("/proc") / entry
        with contextlib.suppress(OSError):
            dead = (own / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            marked = mark in (own / "environ").read_bytes().split(b"\0")
            named = str(folder).encode() in (own / "cmdline").read_bytes()
            if not dead and (marked or named):
                found.append(int(entry))
    return found


def nobody_left(folder: Path, seconds: float = _PATIENCE_S) -> None:
    """Wait until the last process of a study is gone."""
    deadline = time.monotonic() + seconds
    while left := processes(folder):
        lines = [_command_line(pid) for pid in left]
        assert time.monotonic() < deadline, f"still there: {lines}"
        time.sleep(0.1)


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        return raw.replace(b"\0", b" ").decode(errors="replace")[:200]
    return ""


def jobs(folder: Path) -> list[str]:
    """The ids of a study's jobs that run or wait in the queue."""
    asked = ["squeue", "-h", "-r", "-t", _ACTIVE, "-o", "%i"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    there = {
        path.name.split("_")[0] for path in (folder / "jobs").glob("*_submission*")
    }
    return [job for job in said.split() if job.split("_")[0] in there]


def no_job_left(folder: Path, seconds: float = _PATIENCE_S) -> None:
    """Wait until the last job of a study is gone."""
    deadline = time.monotonic() + seconds
    while left := jobs(folder):
        assert time.monotonic() < deadline, f"still in the queue: {left}"
        time.sleep(0.5)
