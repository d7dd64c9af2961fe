"""When a study stops early: hours, stagnation, and how it says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moosnn.__main__ import main
from moosnn.driver import _twice
from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.sobol import Sobol
from moosnn.pareto.front import front_of
from moosnn.runtime.executors import Ended, InlineExecutor
from moosnn.runtime.journal import NAME, Journal, read
from moosnn.runtime.lease import Lease
from moosnn.settings import EXHAUSTED, Settings
from moosnn.stop_rules import HOURS, LEAST_GROWTH, STAGNATION, StopRules, is_finished
from moosnn.study import Study
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import Evaluation, Failure, Proposal
from tests.helpers import Story, run_loop, toy_problem

HOUR = 3600.0


def settings(**changes: Any) -> Settings:
    return Settings(**{"budget": 1000, "confirm": 0, **changes})


def good(accuracy: float, spikes: float = 100.0) -> dict[str, float]:
    """Adds 2 (accuracy - 0.3) of hypervolume, if nothing dominates it."""
    return {
        "accuracy": accuracy,
        "spikes_per_sample": spikes,
        "silence_margin": -0.2,
    }


def told(*accuracies: float) -> Story:
    story = Story(toy_problem())
    for index, accuracy in enumerate(accuracies):
        point = [0.01 * (index + 1)] * 9
        story.finish(story.propose_at(*point), **good(accuracy))
    return story


def reason(history: History, **rules: Any) -> str | None:
    return StopRules(toy_problem(), settings(**rules)).reason(history)


def test_stagnation_is_too_little_growth_over_so_many_trials() -> None:
    # The hypervolume is 1.0, 1.2, 1.2, 1.2, 1.2 after each trial.
    story = told(0.8, 0.9, 0.5, 0.6, 0.7)
    history = story.history
    lengths = [i + 1 for i, e in enumerate(history) if e.kind is Kind.FINISHED]
    found = [reason(history.prefix(length), stagnation=3) for length in lengths]
    assert found == [None, None, None, None, STAGNATION]
    assert reason(history, stagnation=4) is None
    assert reason(history) is None


@pytest.mark.parametrize(("share", "stops"), [(0.9, True), (1.1, False)])
def test_the_least_growth_is_a_thousandth(share: float, stops: bool) -> None:
    now = 0.9
    before = now - share * LEAST_GROWTH * (now - 0.3)
    history = told(before, now).history
    assert (reason(history, stagnation=1) == STAGNATION) == stops


def test_nothing_stagnates_before_there_is_a_front() -> None:
    story = Story(toy_problem())
    for index in range(9):
        number = story.propose_at(*[0.1 * index] * 9)
        story.finish(number, stopped="silent", silence_margin=0.5)
    assert reason(story.history, stagnation=3) is None


def test_failures_are_ended_trials_that_add_nothing() -> None:
    story = told(0.9)
    for index in range(3):
        story.fail(story.propose_at(*[0.5 + 0.1 * index] * 9))
        expected = STAGNATION if index == 2 else None
        assert reason(story.history, stagnation=3) == expected


def test_a_corrected_trial_counts_once() -> None:
    story = told(0.5)
    late = story.propose_at(*[0.9] * 9)
    story.fail(late, "lost")
    assert reason(story.history, stagnation=1) == STAGNATION
    evaluation = Evaluation(metrics=good(0.9))
    story._add(Kind.CORRECTED, late, evaluation=evaluation.to_json())
    rules = StopRules(toy_problem(), settings(stagnation=1))
    assert rules.reason(story.history) is None
    story.finish(story.propose_at(*[0.95] * 9), **good(0.4))
    assert rules.reason(story.history) == STAGNATION
    assert reason(story.history, stagnation=2) is None


def test_followed_step_by_step_it_says_the_same() -> None:
    """What a driver sees, against fronts measured anew at each length."""
    problem = toy_problem()
    history = run_loop(problem, Sobol(), AnalyticTask("toy_snn"), 80, 1)
    window = 12
    rules = StopRules(problem, settings(stagnation=window))
    volumes: list[float] = []
    found = []
    for length in range(1, len(history) + 1):
        prefix = history.prefix(length)
        if prefix[-1].kind in (Kind.FINISHED, Kind.FAILED):
            volumes.append(front_of(problem, prefix.done).hypervolume)
        now, before = volumes[-1:], volumes[-1 - window : -window]
        stops = bool(before) and before[0] > 0 and now[0] - before[0] < 1e-3 * now[0]
        assert rules.reason(prefix) == (STAGNATION if stops else None)
        found.append(stops)
    assert 0 < sum(found) < len(found)


def timed(*times: tuple[Kind, float]) -> History:
    return History.of(Event(kind=kind, time=time) for kind, time in times)


def test_hours_are_those_in_which_a_driver_ran() -> None:
    history = timed(
        (Kind.STUDY, 0.0),
        (Kind.ENDED, 0.5 * HOUR),
        (Kind.OPENED, 100 * HOUR),  # nobody drove it in between
        (Kind.ENDED, 100.25 * HOUR),
        (Kind.ENDED, 90 * HOUR),  # its clock was set back
        (Kind.ENDED, 90.5 * HOUR),
    )
    rules = StopRules(toy_problem(), settings(hours=1.25))
    assert rules.reason(history) == HOURS
    assert rules.hours == pytest.approx(1.25)
    assert reason(history, hours=1.26) is None


def test_the_time_since_the_last_event_counts_while_a_driver_runs() -> None:
    history = timed((Kind.STUDY, 0.0), (Kind.ENDED, 0.5 * HOUR))
    now = 0.75 * HOUR
    rules = StopRules(toy_problem(), settings(hours=1.0), lambda: now)
    assert rules.reason(history) is None
    now = 1.0 * HOUR
    assert rules.reason(history) == HOURS
    assert reason(history, hours=1.0) is None  # nobody drives it


class Clock:
    """Each trial takes a while."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowTask(AnalyticTask):
    """Takes six minutes a trial, by its clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("toy_snn")
        self.clock = clock

    def evaluate(self, proposal: Proposal, context: Any) -> Evaluation:
        self.clock.now += 0.1 * HOUR
        return AnalyticTask.evaluate(self, proposal, context)


def drive(
    folder: Path,
    clock: Clock,
    rules: Settings,
    *,
    optimizer: Optimizer | None = None,
    executor: Callable[[], Any] | None = None,
) -> History:
    """One driver, from its start to its end."""
    task = SlowTask(clock)
    with Lease.acquire(folder) as lease:
        journal = Journal(folder, lease, clock)
        if not len(journal.history):
            journal.append(Kind.STUDY, data={"digest": "x"})
        make = executor or (lambda: InlineExecutor(folder=folder, task=task))
        study = Study(
            problem=toy_problem(),
            optimizer=optimizer or Sobol(),
            executor=make(),
            journal=journal,
            settings=rules,
            clock=clock,
        )
        study.run()
        return study.history


def test_a_study_ends_when_its_hours_are_up_and_is_extended(tmp_path: Path) -> None:
    clock, problem = Clock(), toy_problem()
    history = drive(tmp_path, clock, settings(hours=1.0))
    assert len(history.trials) == 10
    assert history[-1].data["reason"] == HOURS
    assert history[-1].data["front"] == list(front_of(problem, history.done).numbers)
    assert is_finished(problem, history, settings(hours=1.0))
    assert not is_finished(problem, history, settings(hours=2.0))
    assert not is_finished(problem, history, settings())
    clock.now += 50 * HOUR  # a weekend without a driver
    more = drive(tmp_path, clock, settings(hours=2.0))
    assert len(more.trials) == 20
    assert more[-1].data["reason"] == HOURS


def test_a_study_ends_when_it_stagnates_and_is_extended(tmp_path: Path) -> None:
    problem = toy_problem()
    history = drive(tmp_path, Clock(), settings(stagnation=10))
    ended = len(history.trials)
    assert 10 < ended < 200
    assert history[-1].data["reason"] == STAGNATION
    before = [t for t in history.done if t.number < ended - 10]
    volumes = [front_of(problem, d).hypervolume for d in (before, history.done)]
    assert 0 <= volumes[1] - volumes[0] < LEAST_GROWTH * volumes[1]
    assert is_finished(problem, history, settings(stagnation=10))
    assert not is_finished(problem, history, settings())
    assert not is_finished(problem, history, settings(stagnation=ended))
    more = drive(tmp_path, Clock(), settings(budget=ended + 5))
    assert more[-1].data["reason"] == "budget"
    assert len(more.trials) == ended + 5


def test_a_budget_that_is_spent_is_the_reason(tmp_path: Path) -> None:
    history = drive(tmp_path, Clock(), settings(budget=10, hours=1.0))
    assert history[-1].data["reason"] == "budget"


class ThreeAtOnce:
    """Runs three trials and ends one every half an hour."""

    ahead = 0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.running: list[tuple[int, int]] = []

    def free(self) -> int:
        return 3 - len(self.running)

    def expect(self, count: int, later: int = 0) -> None: ...

    def reserve(self, expected: object = None) -> str:
        return "job"

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        self.running.append((proposal.number, attempt))

    def poll(self) -> list[Ended]:
        """The first attempt of trial 2 is lost."""
        self.clock.now += 0.5 * HOUR
        number, attempt = self.running.pop(0)
        result: Evaluation | Failure = Evaluation(metrics=good(0.5 + number / 100))
        if (number, attempt) == (2, 1):
            result = Failure(kind="lost", message="gone")
        return [Ended(number=number, attempt=attempt, result=result)]

    def stop(self, number: int) -> None: ...

    def attach(self, trials: object) -> None: ...

    def close(self, *, cancel: bool) -> None: ...


def test_trials_that_run_are_awaited_and_retried(tmp_path: Path) -> None:
    clock = Clock()
    history = drive(
        tmp_path, clock, settings(hours=0.75), executor=lambda: ThreeAtOnce(clock)
    )
    # Four were proposed by 0.75 hours; each ended, the lost one in its second attempt.
    assert len(history.trials) == len(history.done) == 4
    assert history.trial(2).attempt == 2
    assert history[-1].data["reason"] == HOURS


@pytest.mark.parametrize("stopped_after", [3, 9, 20, 31])
def test_stopped_anywhere_it_stagnates_at_the_same_trial(
    tmp_path: Path, stopped_after: int
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = drive(whole, Clock(), settings(stagnation=10))
    cut = tmp_path / "cut"
    cut.mkdir()
    lines = (whole / NAME).read_text().splitlines(keepends=True)
    (cut / NAME).write_text("".join(lines[:stopped_after]))
    history = drive(cut, Clock(), settings(stagnation=10))
    assert [t.proposal for t in history.trials][: stopped_after // 4] == [
        t.proposal for t in expected.trials
    ][: stopped_after // 4]
    assert len(history.trials) == len(expected.trials)
    assert history[-1].data["reason"] == STAGNATION


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hours": 0}, "study.hours: expected a number > 0 or null, got 0"),
        ({"hours": "1e-1"}, "study.hours: .* write 1.0e-1"),
        ({"hours": True}, "study.hours: .* got True"),
        ({"stagnation": 0}, "study.stagnation: expected a whole .* or null, got 0"),
        ({"stagnation": 2.5}, "study.stagnation: .* got 2.5"),
    ],
)
def test_rules_out_of_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(**wrong)


SMOKE = ["+experiment=smoke", "executor=inline", "tracker=none", "study_dir=a"]


def test_the_command_says_how_to_extend_a_stopped_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*SMOKE, "study.budget=200", "study.confirm=0", "study.stagnation=6"]
    assert main(words) == 0
    size = (tmp_path / "a" / NAME).stat().st_size
    assert read(tmp_path / "a" / NAME).history[-1].data["reason"] == STAGNATION
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "this study is finished. The last 6 trials added less than 0.1%" in said
    assert "study.stagnation=12 or study.stagnation=null" in said
    assert (tmp_path / "a" / NAME).stat().st_size == size


def test_the_command_says_how_many_hours_a_study_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*SMOKE, "study.budget=4", "study.confirm=0"]) == 0
    path = tmp_path / "a" / NAME
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for index, event in enumerate(events):
        event["time"] = index * HOUR
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    capsys.readouterr()
    ran = len(events) - 1
    words = [*SMOKE, "study.budget=9", "study.confirm=0", f"study.hours={ran - 1}"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"It ran for {ran} hours (study.hours={ran - 1}). Extend it with" in said
    assert f"study.hours={2 * ran} or study.hours=null" in said


@pytest.mark.parametrize(
    ("hours", "advised"), [(1e-9, "0.01"), (0.0151, "0.04"), (1.2323, "2.47")]
)
def test_the_hours_that_are_advised_are_at_least_double(
    hours: float, advised: str
) -> None:
    assert _twice(hours) == advised
    assert float(advised) >= 2 * hours


def test_the_command_says_that_a_space_is_exhausted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*SMOKE, "task.function=branin_currin", "space=branin_currin"]
    words += ["problem=branin_currin", "study.budget=18", "study.confirm=0"]
    words += ["+space.x1.step=0.5", "+space.x2.step=1.0"]  # three times two points
    assert main(words) == 0
    assert read(tmp_path / "a" / NAME).history[-1].data["reason"] == EXHAUSTED
    capsys.readouterr()
    for budget in (18, 36, 4):
        assert main([*words, f"study.budget={budget}"]) == 0
        said = capsys.readouterr().out.splitlines()[-1]
        assert said == (
            "a: this study is finished. Its space holds no further point after 6 "
            "trials: start anew with a wider space and another study_dir=…."
        )


@pytest.mark.parametrize("word", ["study.hours=-1", "study.stagnation=few"])
def test_a_wrong_rule_is_refused_before_anything_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*SMOKE, word]) == 2
    assert word.partition("=")[0] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
