"""What the terminal shows."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from rich.console import Console as Terminal

from moosnn.__main__ import main
from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.pareto.front import front_of
from moosnn.tracking.console import Console, can_be_live
from moosnn.trial import Evaluation
from tests.helpers import Story, toy_problem
from tests.runtime.test_executors import processes, until
from tests.test_main import run_moosnn
from tests.tracking.repeats import lucky
from tests.tracking.screen import Emulator, Watched
from tests.tracking.test_summary import POINT, story

SMOKE = ("+experiment=smoke", "study_dir=s", "executor=inline")


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
    assert lines[7] == "stopped: 3 of 3 trials ended"


def test_a_repeat_says_of_which_trial_and_what_it_did_to_the_front() -> None:
    *_, taken, kept, _ = shown(lucky().history).splitlines()
    assert "accuracy 0.500" in taken  # its own value, not the mean
    done = lucky().history.done
    then, now = (front_of(toy_problem(), done[:n]).hypervolume for n in (4, 5))
    assert taken.endswith(f"trial 0 again  -> off the front, hypervolume {then:.3f}")
    assert kept.endswith(f"trial 2 again  <- front, hypervolume {now:.3f}")


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
        "o",  # one of the two fell silent
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


def test_at_the_end_it_says_what_was_spared_and_how_to_go_on() -> None:
    told = story()
    for width in (20, 21):
        metrics = {"silence_margin": 2.0, "work_saved": 0.9}
        evaluation = Evaluation(metrics=metrics, stopped="silent", seconds=4.0)
        told.finish_with(told.propose({**POINT, "width": width}), evaluation)
    told._add(Kind.ENDED, reason="budget", hypervolume=1.4, front=[0, 1])
    assert shown(told.history).splitlines()[-2:] == [
        "early stopping spared 1 min 12 s of training in 2 silent trials",
        "extend with study.budget=6, or: python -m moosnn report runs/x",
    ]


def test_an_exhausted_space_cannot_be_extended() -> None:
    told = story()
    told._add(Kind.ENDED, reason="space exhausted", hypervolume=1.4, front=[0, 1])
    last = shown(told.history).splitlines()[-1]
    assert last == "ended: space exhausted; see python -m moosnn report runs/x"


@pytest.mark.parametrize("live", ["maybe", "on", 1, 0, None, ["auto"]])
def test_live_is_auto_true_or_false(live: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Console(folder=Path("x"), problem=toy_problem(), budget=3, live=live)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"tracker.console.live: expected auto, true or false, got {live!r}."
    )


def test_a_wrong_live_is_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*SMOKE, "tracker.console.live=maybe"]) == 2
    assert capsys.readouterr().err == (
        "moosnn: tracker.console.live: expected auto, true or false, got 'maybe'.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "terminal", "live"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"CI": "true"}, True, False),
        ({"CI": "false"}, True, True),
        ({"FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"TTY_COMPATIBLE": "1"}, False, True),
        ({"TTY_COMPATIBLE": "0"}, True, False),
        ({"TTY_INTERACTIVE": "0"}, True, False),
    ],
)
def test_who_gets_a_live_display(
    environment: dict[str, str],
    terminal: bool,
    live: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    master, slave = os.openpty()
    path = os.ttyname(slave) if terminal else tmp_path / "log"
    with open(path, "w") as file:
        assert can_be_live(Terminal(file=file)) == live
    os.close(master)
    os.close(slave)


def test_a_display_that_fails_lets_go_of_the_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator = Emulator(80, 24)
    history = story().history
    with open(emulator.slave, "w", buffering=1) as file:
        monkeypatch.setattr(sys, "stdout", file)
        terminal = Terminal(file=file, force_terminal=True)
        console = Console(
            folder=Path("x"),
            problem=toy_problem(),
            budget=3,
            live=True,
            terminal=terminal,
        )
        console.on_event(history[0], history.prefix(1))
        assert sys.stdout is not file
        unknown = Event(kind=Kind.FINISHED, number=99, attempt=1)
        with pytest.raises(KeyError):
            console.on_event(unknown, history.prefix(1))
        assert sys.stdout is file
        while emulator.read():
            pass
        assert "0/3" in emulator.shown[1]
    emulator.close()


SHOWN_AT = {
    (40, 10): ["trial  accuracy  spikes pe…  silent fr…", "done ", "hypervolume "],
    (80, 24): ["study s", "trial  accuracy  spikes per sample  silent fraction"],
    (120, 50): ["study s", "running trial ", "   in the last 10 trials +"],
}


@pytest.mark.parametrize(("columns", "lines"), SHOWN_AT)
def test_a_real_study_in_a_real_terminal(
    tmp_path: Path, columns: int, lines: int
) -> None:
    words = [*SMOKE, "study.budget=20", "task.seconds=0.05", "study.confirm=1"]
    bar = re.compile(r"[━─]+ +\d+/20   elapsed ")
    seen: set[str] = set()

    with Watched(*words, cwd=tmp_path, columns=columns, lines=lines) as watched:

        def one_display() -> bool:
            # Never a second bar: neither on the screen nor scrolled away.
            assert sum(bool(bar.match(line)) for line in watched.all) <= 1
            seen.update(watched.shown)
            return watched.process.poll() is not None

        watched.until(one_display)
        assert watched.end() == 0
        everything = watched.all
        column, _ = watched.cursor
    assert column == 0
    for text in SHOWN_AT[columns, lines]:
        assert any(text in line for line in seen), text
    bars = [line for line in everything if bar.match(line)]
    assert len(bars) == 1
    assert "20/20" in bars[0]
    assert any(line.startswith("front of ") for line in everything)
    text = "".join(everything).replace(" ", "")
    assert "extendwithstudy.budget=40,or:python-mmoosnnreports" in text
    assert "results:s:front.csv" in text
    # Above are the failures, told once; below no trial that is done.
    failures = [line for line in everything if "failed: diverged" in line]
    assert failures
    assert len(set(failures)) == len(failures)
    assert not any("] trial" in line and "accuracy" in line for line in everything)


def test_without_colour_it_is_live_and_an_interrupt_leaves_it_readable(
    tmp_path: Path,
) -> None:
    words = [*SMOKE, "study.budget=2000", "task.seconds=0.02"]
    with Watched(*words, cwd=tmp_path, environment={"NO_COLOR": "1"}) as watched:
        watched.until_shown("in the last 10 trials")
        watched.process.send_signal(signal.SIGINT)
        assert watched.end() == 130
        shown = watched.all
        assert watched.cursor[0] == 0
        styles = set(re.findall(rb"\x1b\[([\d;]*)m", watched.raw))
    assert styles <= {b"0", b"1"}  # bold
    text = "\n".join(shown).rstrip()
    assert "trial  accuracy  spikes per sample" in text
    assert re.search(
        r"\nstopped: \d+ of 2000 trials ended\n"
        "moosnn: interrupted; the same command continues$",
        text,
    )


def test_interrupted_twice_the_last_display_stays_and_the_cursor_too(
    tmp_path: Path,
) -> None:
    words = ["+experiment=smoke", "study_dir=s", "task.seconds=3", "executor.workers=1"]
    with Watched(*words, cwd=tmp_path) as watched:
        watched.until_shown("running trial 0")
        watched.process.send_signal(signal.SIGINT)
        watched.process.send_signal(signal.SIGINT)
        assert watched.end() == 130
        shown = watched.shown
        column, line = watched.cursor
    assert shown[0] == "study s"
    assert "0/12" in shown[1]
    assert column == 0
    assert shown[line - 1]
    assert not any(shown[line:])
    until(lambda: not processes(tmp_path / "s"), seconds=60)


def test_a_terminal_that_changes_its_size(tmp_path: Path) -> None:
    words = [*SMOKE, "study.budget=2000", "task.seconds=0.02"]
    with Watched(*words, cwd=tmp_path, columns=100, lines=30) as watched:
        watched.until_shown("in the last 10 trials")
        for columns, lines in ((50, 12), (120, 40), (40, 10)):
            watched.resize(columns, lines)
            length = len(watched.raw)
            watched.until(lambda length=length: len(watched.raw) > length + 2000)
            watched.until_shown("elapsed")  # what was read may end within a frame
            bars = [line for line in watched.shown if "elapsed" in line]
            assert len(bars) == 1
        watched.process.send_signal(signal.SIGTERM)
        assert watched.end() == 143


@pytest.mark.parametrize(
    "environment", [{"TERM": "dumb"}, {"CI": "true"}], ids=["dumb", "CI"]
)
def test_plain_lines_where_nobody_looks(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    words = [*SMOKE, "study.budget=3", "study.confirm=0"]
    with Watched(*words, cwd=tmp_path, environment=environment) as watched:
        assert watched.end() == 0
        assert b"\x1b[" not in watched.raw.replace(b"\x1b[1m", b"").replace(
            b"\x1b[0m", b""
        )
        text = "\n".join(watched.all)
    assert "study s: 3 trials" in text
    assert "[3/3] trial 2" in text


def test_an_ascii_terminal(tmp_path: Path) -> None:
    words = [*SMOKE, "study.budget=5", "study_dir='s-ü'", "task.seconds=0.1"]
    environment = {"PYTHONIOENCODING": "ascii"}
    with Watched(*words, cwd=tmp_path, environment=environment) as watched:
        watched.until_shown("study s-?")
        watched.until_shown("#----")
        watched.end()
        assert watched.raw.isascii()


def test_into_a_pipe_plain_lines_unless_told_otherwise(tmp_path: Path) -> None:
    words = [*SMOKE, "study.budget=3", "study.confirm=0"]
    out = run_moosnn(*words, cwd=tmp_path).stdout
    assert "\x1b" not in out
    assert "[3/3] trial 2" in out
    words += ["study_dir=t", "tracker.console.live=true", "task.seconds=0.1"]
    out = run_moosnn(*words, cwd=tmp_path).stdout
    assert "\x1b[" in out
    assert re.search(r"3/3\S*   elapsed", out)
