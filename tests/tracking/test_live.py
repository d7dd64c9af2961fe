"""The lines of the live display, at any size and for any study."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from rich.color import Color

from moosnn.events import Event, Kind
from moosnn.history import History, HistoryBuilder
from moosnn.problem import Constraint, Objective, Problem
from moosnn.tracking.live import frame
from moosnn.tracking.live_front import spread_members
from moosnn.tracking.moment import Moment, moment_of
from moosnn.tracking.progress import Follower
from moosnn.tracking.wording import (
    ASCII,
    BAD_STYLE,
    BAR_STYLE,
    GOOD_STYLE,
    Signs,
)
from moosnn.trial import Evaluation
from tests.helpers import Story, toy_problem
from tests.tracking.repeats import repeat
from tests.tracking.test_summary import POINT


def moment(history: History, problem: Problem, budget: int = 40) -> Moment:
    """What is shown after a history."""
    before = Moment(title="study runs/x", budget=budget, problem=problem)
    follower = Follower.of(problem, history)
    return moment_of(follower, history[-1], before)


def shown(
    now: Moment, *, width: int = 79, height: int = 23, seconds: float = 0.0
) -> list[str]:
    signs = Signs()
    lines = frame(now, now=seconds, width=width, height=height, signs=signs)
    return [line.plain for line in lines]


def timed(history: History, *events: Event, step_s: float = 1.0) -> History:
    """A history with a second between two events, then further ones."""
    builder = HistoryBuilder()
    for position, event in enumerate(history):
        builder.append(replace(event, time=position * step_s))
    for event in events:
        builder.append(event)
    return builder.history


def on_front(
    count: int, problem: Problem | None = None, **more: float
) -> tuple[Story, Problem]:
    """A story with a front of some members: the more accurate, the more spikes."""
    problem = problem or toy_problem()
    told = Story(problem)
    for row in range(count):
        metrics = {
            "accuracy": 0.5 + 0.4 * row / count,
            "spikes_per_sample": 10.0 + 7 * row,
            "silence_margin": -1.0,
            **more,
        }
        number = told.propose({**POINT, "lr": 0.001 + 1e-5 * row})
        told.finish_with(number, Evaluation(metrics=metrics))
    return told, problem


def test_everything_that_is_asked_of_it() -> None:
    told, problem = on_front(3, silent_fraction=0.0213)
    silent = told.propose({**POINT, "width": 30})
    measured = {"silence_margin": 1.5, "work_saved": 0.9}
    told.finish_with(
        silent, Evaluation(metrics=measured, stopped="silent", seconds=8.0)
    )
    told.fail(told.propose({**POINT, "width": 31}))
    told.propose({**POINT, "width": 32})
    told.propose({**POINT, "width": 33})
    end = len(told.history)
    submitted = Event(
        kind=Kind.SUBMITTED, number=5, attempt=2, time=end, data={"job_id": "w"}
    )
    lost = {"failure": {"kind": "lost", "message": "", "log": None}}
    history = timed(
        told.history,
        Event(kind=Kind.RETRIED, number=5, attempt=1, time=end, data=lost),
        submitted,
        Event(
            kind=Kind.REPORTED,
            number=6,
            attempt=1,
            time=end,
            data={"step": 12, "metrics": {}},
        ),
    )
    assert shown(moment(history, problem), seconds=end + 4.5) == [
        "study runs/x",
        "━━━───────────────────────  5/40   elapsed 24 s   left about 1 min 36 s",
        "done 4   silent 1   failed 1   on the front 3",
        "hypervolume 1.319   in the last 5 trials +1.319",
        "early stopping saved 1 min 12 s",
        "running trial 5, attempt 2   epoch -  4.5 s",
        "running trial 6             epoch 12  5.5 s",
        "trial  accuracy  spikes per sample  silent fraction",
        "    2     0.767                 24            0.021",
        "    1     0.633                 17            0.021",
        "    0     0.500                 10            0.021",
    ]


def test_retrainings() -> None:
    told, problem = on_front(2)
    told._add(Kind.CONFIRMING, 0, replicate=0, job_id="w")
    lines = shown(moment(told.history, problem, budget=2))
    assert "retraining the front: 0 ended" in lines
    assert "running trial 0 again  0 s" in lines
    evaluation = Evaluation(metrics={"accuracy": 0.5}).to_json()
    told._add(Kind.CONFIRMED, 0, replicate=0, evaluation=evaluation)
    assert "retraining the front: 1 ended" in shown(moment(told.history, problem))


def three_objectives() -> Problem:
    objectives = (
        Objective(metric="accuracy", goal="max", reference=0.3),
        Objective(metric="spikes_per_sample", goal="min", reference=1e4, scale="log"),
        Objective(metric="energy", goal="min", reference=1e4, unit="nJ"),
    )
    return toy_problem(objectives=objectives)


def one_objective() -> Problem:
    return toy_problem(objectives=three_objectives().objectives[:1], constraints=())


def failures_only() -> tuple[Story, Problem]:
    problem = toy_problem()
    told = Story(problem)
    for width in (16, 17, 18):
        told.fail(told.propose({**POINT, "width": width}))
    return told, problem


def busy() -> tuple[Story, Problem]:
    told, problem = on_front(100, silent_fraction=0.02)
    for width in range(60):
        told.propose({**POINT, "width": 40 + width})
    return told, problem


def named() -> tuple[Story, Problem]:
    objective = Objective(metric="準確率" * 4, goal="max", reference=0.1, unit="%")
    problem = toy_problem(objectives=(objective,), constraints=())
    told = Story(problem)
    told.finish_with(told.propose(POINT), Evaluation(metrics={"準確率" * 4: 0.5}))
    return told, problem


STORIES = {
    "nothing yet": lambda: (Story(toy_problem()), toy_problem()),
    "failures": failures_only,
    "one objective": lambda: on_front(5, one_objective()),
    "three objectives": lambda: on_front(5, three_objectives(), energy=3.0),
    "busy": busy,
    "wide characters": named,
}


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("signs", [Signs(), ASCII], ids=["utf-8", "ascii"])
def test_it_fits_any_terminal(name: str, signs: Signs) -> None:
    told, problem = STORIES[name]()
    now = moment(told.history, problem)
    for width in [*range(0, 60), 79, 119, 300]:
        for height in [*range(0, 25), 49]:
            lines = frame(now, now=1.0, width=width, height=height, signs=signs)
            assert len(lines) <= height
            assert all(line.cell_len <= width for line in lines)
            assert all("\n" not in line.plain for line in lines)
            if signs is ASCII and name != "wide characters":
                assert all(line.plain.isascii() for line in lines)


def test_what_does_not_fit_is_counted() -> None:
    told, problem = busy()
    lines = shown(moment(told.history, problem), height=23)
    assert len(lines) == 23
    first = next(i for i, line in enumerate(lines) if line.startswith("trial  "))
    assert lines[first - 1] == "… and 55 more running"
    assert lines[-1] == f"… and {100 - (23 - first - 2)} more"
    numbers = [int(line.split()[0]) for line in lines[first + 1 : -1]]
    assert numbers == sorted(numbers, reverse=True)  # by falling accuracy
    assert (numbers[0], numbers[-1]) == (99, 0)
    gaps = [a - b for a, b in pairwise(numbers)]
    assert max(gaps) <= 25  # of 99, by 7 members


def test_a_low_narrow_terminal_keeps_the_most_important() -> None:
    told, problem = busy()
    lines = shown(moment(told.history, problem, budget=2000), width=39, height=9)
    begin = ("─", "left", "done 100", "hypervolume", "in the last 10 trials")
    begin += ("… and 60 running", "trial  accuracy", " ", "… and 99 more")
    assert len(lines) == len(begin)
    for line, start in zip(lines, begin, strict=True):
        assert line.startswith(start)


def test_members_that_miss_the_reference_are_shown_last() -> None:
    problem = toy_problem()
    told = Story(problem)
    for row, (accuracy, spikes) in enumerate([(0.1, 1.0), (0.5, 10.0), (0.9, 100.0)]):
        number = told.propose({**POINT, "width": 16 + row})
        metrics = {"accuracy": accuracy, "spikes_per_sample": spikes}
        told.finish_with(
            number, Evaluation(metrics={**metrics, "silence_margin": -1.0})
        )
    front = moment(told.history, problem).front
    assert [t.number for t in front] == [2, 1, 0]
    assert [t.number for t in spread_members(problem, front, 2)] == [2, 1]


def test_narrow_columns_lose_their_names_then_the_last_ones_go() -> None:
    told, problem = on_front(2, three_objectives(), energy=3.0, silent_fraction=0.5)
    now = moment(told.history, problem)

    def head(width: int) -> str:
        return next(line for line in shown(now, width=width) if "trial  a" in line)

    assert head(79) == (
        "trial  accuracy  spikes per sample  energy (nJ)  silent fraction"
    )
    assert head(44) == "trial  accuracy  spikes …  energy …  silent…"
    assert head(30) == "trial  accura…  spike…  energ…"
    assert head(15) == "trial  accuracy"


def test_a_problem_without_edge_has_no_silent_trials() -> None:
    told, problem = on_front(1, one_objective())
    assert "done 1   failed 0   on the front 1" in shown(moment(told.history, problem))
    told, problem = on_front(
        1,
        toy_problem(constraints=(Constraint(metric="weights", upper=5.0),)),
        weights=9,
    )
    assert "done 1   infeasible 1   failed 0" in shown(moment(told.history, problem))


def test_the_time_left_is_at_least_one_more_trial() -> None:
    told, problem = on_front(3)
    now = moment(timed(told.history), problem, budget=5)
    assert now.left_s == pytest.approx(6.0)
    assert now.remaining_s(now.time) == pytest.approx(6.0)
    assert now.remaining_s(now.time + 2) == pytest.approx(4.0)
    assert now.remaining_s(now.time + 600) == pytest.approx(3.0)
    assert now.elapsed_s(now.time + 2) == pytest.approx(now.progress.elapsed_s + 2)
    assert moment(timed(told.history), problem, budget=3).remaining_s(0.0) is None


def test_thousands_of_trials_cost_little() -> None:
    told, problem = on_front(3)
    for width in range(3000):
        told.fail(told.propose({**POINT, "lr": 0.01 + 1e-6 * width}))
    lines = shown(moment(told.history, problem, budget=4000))
    assert lines[1].startswith("━━━━━━━━━━━━━━━━━━━───────  3003/4000")


@pytest.mark.parametrize("style", [BAR_STYLE, GOOD_STYLE, BAD_STYLE])
def test_colours_read_on_black_and_on_white(style: str) -> None:
    """A contrast of 3 : 1 or more (WCAG 2.1, large or bold text and graphics)."""
    triplet = Color.parse(style.rsplit(maxsplit=1)[-1]).get_truecolor()
    linear = [
        c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4
        for c in triplet
    ]
    luminance = sum(
        w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )
    assert (luminance + 0.05) / 0.05 > 3
    assert 1.05 / (luminance + 0.05) > 3


def test_a_repeated_member_is_shown_with_its_mean_as_soon_as_it_moves() -> None:
    told, problem = Story(toy_problem()), toy_problem()
    for width, accuracy in ((16, 0.9), (17, 0.5)):
        number = told.propose({**POINT, "width": width})
        metrics = {"accuracy": accuracy, "spikes_per_sample": 1000 * accuracy}
        told.finish(number, silence_margin=-1.0, **metrics)
    follower = Follower.of(problem, told.history)
    before = moment(told.history, problem)
    metrics = {"accuracy": 0.7, "spikes_per_sample": 800.0, "silence_margin": -1.0}
    repeat(told, 0, Evaluation(metrics=metrics))
    follower.add(told.history[-1], told.history)
    after = moment_of(follower, told.history[-1], before)
    assert [trial.number for trial in after.front] == [0, 1]
    assert any(line.split() == ["0", "0.800", "850"] for line in shown(after))
