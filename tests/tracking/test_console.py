"""What the terminal shows."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console as Terminal

from moosnn.history import Event, History, Kind
from moosnn.tracking.console import Console
from tests.helpers import Story, toy_problem
from tests.tracking.test_summary import POINT, story


def shown(history: History, *, width: int = 80) -> str:
    """Everything a study's console prints, from its first event to its end."""
    out = io.StringIO()
    terminal = Terminal(file=out, width=width, highlight=False, soft_wrap=True)
    console = Console(
        folder=Path("runs/x"), problem=toy_problem(), budget=3, terminal=terminal
    )
    for length in range(1, len(history) + 1):
        console.on_event(history[length - 1], history.prefix(length))
    console.close()
    return out.getvalue()


def test_a_line_a_trial() -> None:
    lines = shown(story().history).splitlines()
    assert lines[0] == "study runs/x: 3 trials"
    assert lines[1] == (
        "[1/3] trial 0  accuracy 0.900  spikes_per_sample 100  0.0 s"
        "  <- front, hypervolume 1.200"
    )
    assert lines[2].endswith("<- front, hypervolume 1.400")
    assert lines[3] == (
        "[3/3] trial 2  beyond silence_margin 0.200  accuracy 0.950"
        "  spikes_per_sample 1  0.0 s"
    )
    assert lines[4] == (
        "confirm trial 0, seed 1: test accuracy 0.800  test spikes_per_sample 90"
    )
    assert lines[6] == "confirm trial 0, seed 3: diverged: nan"
    assert lines[7] == "stopped; the same command continues from here"


def test_the_table_fits_eighty_columns() -> None:
    told = story()
    told._add(Kind.ENDED, reason="budget", hypervolume=1.4, front=[0, 1])
    text = shown(told.history)
    assert "front of 2 trials, hypervolume 1.400" in text
    row = next(line for line in text.splitlines() if line.lstrip().startswith("0 "))
    cells = row.split()
    assert cells == [
        "0",
        "0.900",
        "0.750",
        "(0.700-0.800)",
        "100",
        "45.5",
        "(1-90)",
        "2/3",
    ]
    assert len(row.rstrip()) <= 80
    assert "trial 1: depth=1 width=17 threshold=1" in text


def test_a_driver_that_continues_says_where(tmp_path: Path) -> None:
    told = story()
    told._builder.append(Event(kind=Kind.OPENED))
    text = shown(told.history)
    assert "study runs/x: continues with 3 of 3 trials ended" in text


def test_a_study_without_a_front_says_so() -> None:
    told = Story(toy_problem())
    told.finish(told.propose(POINT), stopped="silent", silence_margin=2.0)
    told.fail(told.propose({**POINT, "width": 17}))
    told._add(Kind.ENDED, reason="budget", hypervolume=0.0, front=[])
    text = shown(told.history)
    assert (
        "no front: of 2 trials 1 lie beyond the edge (or were stopped), 1 failed"
        in text
    )
