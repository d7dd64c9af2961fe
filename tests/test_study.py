"""The loop: whenever it is stopped, the next driver ends with the same study."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moosnn.confirmation import SEEDS, confirmed
from moosnn.errors import ConfigError
from moosnn.events import Event, Kind
from moosnn.history import History
from moosnn.optimizers.base import Optimizer
from moosnn.optimizers.enqueued import Enqueued
from moosnn.optimizers.evolution import Nsga2
from moosnn.optimizers.replicated import Replicated
from moosnn.optimizers.sobol import Sobol
from moosnn.pareto.front import Front, front_of
from moosnn.problem import Problem
from moosnn.runtime.executors import Ended, InlineExecutor, Report
from moosnn.runtime.journal import NAME, Journal, read
from moosnn.runtime.lease import Lease
from moosnn.settings import Settings
from moosnn.space import Space
from moosnn.stop_rules import is_finished
from moosnn.study import Study
from moosnn.tasks.analytic import AnalyticTask
from moosnn.tasks.base import Context, Task
from moosnn.tracking import feed
from moosnn.trial import Evaluation, Failure, Proposal, Trial
from tests.helpers import timeless, toy_problem

BUDGET = 10
SETTINGS = Settings(budget=BUDGET, seed=3, confirm=2)
POINT = {
    "depth": 2,
    "width": 32,
    "threshold": 0.5,
    "penalty": 0.001,
    "lr": 0.01,
    "steps": 8,
    "neuron": "if",
    "skip": True,
}


class CountingTask(AnalyticTask):
    """Counts what it evaluates."""

    def __init__(self, *, function: str = "toy_snn") -> None:
        super().__init__(function=function)
        self.evaluated: Counter[int] = Counter()

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        self.evaluated[proposal.number] += 1
        context.report(1, {"accuracy": 0.5})
        return AnalyticTask.evaluate(self, proposal, context)

    def confirm(self, proposal: Proposal, context: Context) -> Evaluation:
        return AnalyticTask.evaluate(self, proposal, context)


class StoppedError(Exception):
    """The driver is gone."""


class MortalJournal(Journal):
    """Its driver is gone right after a given number of events was written."""

    def __init__(self, folder: Path, lease: Lease, events: int) -> None:
        super().__init__(folder, lease)
        self._left = events

    def append(
        self,
        kind: Kind,
        number: int | None = None,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        if self._left == 0:
            raise StoppedError
        self._left -= 1
        return super().append(kind, number, attempt, data)


def drive(
    folder: Path,
    task: Task,
    optimizer: Optimizer,
    *,
    events: int = -1,
    settings: Settings = SETTINGS,
    problem: Problem | None = None,
) -> tuple[Front, History]:
    """One driver, from its start to its end."""
    folder.mkdir(exist_ok=True)
    problem = problem or toy_problem()
    with Lease.acquire(folder) as lease:
        journal = MortalJournal(folder, lease, events)
        if not len(journal.history):
            journal.append(Kind.STUDY, data={"digest": "x"})
        study = Study(
            problem=problem,
            optimizer=optimizer,
            executor=InlineExecutor(folder=folder, task=task),
            journal=journal,
            settings=settings,
        )
        return study.run(), study.history


def outcome(history: History) -> dict[str, Any]:
    """What a study says in the end, apart from attempts, times and its drivers."""
    trials = []
    for trial in history.trials:
        evaluation = trial.evaluation
        trials.append(
            {
                "params": dict(trial.proposal.params),
                "seed": trial.proposal.seed,
                "origin": trial.proposal.origin,
                "status": trial.status,
                "metrics": evaluation and dict(evaluation.metrics),
                "stopped": evaluation and evaluation.stopped,
                "failure": trial.failure and trial.failure.kind,
            }
        )
    return {
        "trials": trials,
        "ended": [t.number for t in history.done],
        "confirmed": {
            number: [dict(e.metrics) for e in found.evaluations]
            for number, found in confirmed(history).items()
        },
        "front": front_of(toy_problem(), history.done),
    }


def ends_of(history: History) -> Counter[int | None]:
    ends = (Kind.FINISHED, Kind.FAILED)
    return Counter(event.number for event in history if event.kind in ends)


@pytest.mark.parametrize(
    "optimizer",
    [
        Sobol(),
        Nsga2(initial=4),
        Enqueued(Replicated(Nsga2(initial=4), share=0.5, after=2), [POINT]),
    ],
    ids=["sobol", "nsga2", "repeats"],
)
def test_stopped_after_every_event_it_ends_the_same(
    tmp_path: Path, optimizer: Optimizer
) -> None:
    _, whole = drive(tmp_path / "whole", CountingTask(), optimizer)
    expected = outcome(whole)
    assert len(expected["ended"]) > 3
    assert len(expected["confirmed"]) == 2
    for events in range(1, len(whole)):
        folder = tmp_path / str(events)
        task = CountingTask()
        with pytest.raises(StoppedError):
            drive(folder, task, optimizer, events=events)
        written = read(folder / NAME).history
        assert len(written) == events
        finished = {t.number for t in [*written.done, *written.failed]}
        before = dict(task.evaluated)

        _, history = drive(folder, task, optimizer)

        assert outcome(history) == expected, f"stopped after {events} events"
        assert ends_of(history) == dict.fromkeys(range(BUDGET), 1)
        assert all(task.evaluated[n] == before[n] for n in finished)
        assert list(read(folder / NAME).history) == list(history)


def test_stopped_again_and_again_it_still_ends_the_same(tmp_path: Path) -> None:
    _, whole = drive(tmp_path / "whole", CountingTask(), Sobol())
    folder = tmp_path / "often"
    for _ in range(1000):
        try:
            # A few events a driver: it must get further than to `submitted`.
            _, history = drive(folder, CountingTask(), Sobol(), events=4)
            break
        except StoppedError:
            continue
    assert outcome(history) == outcome(whole)


@pytest.mark.parametrize("cut", [5, 333, 1001, 2024])
def test_a_cut_journal_is_continued_from_the_cut(tmp_path: Path, cut: int) -> None:
    _, whole = drive(tmp_path, CountingTask(), Sobol())
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-cut])
    _, history = drive(tmp_path, CountingTask(), Sobol())
    assert outcome(history) == outcome(whole)
    assert ends_of(history) == dict.fromkeys(range(BUDGET), 1)


def events_of(folder: Path) -> list[dict[str, Any]]:
    """The journal's lines without times."""
    lines = (folder / NAME).read_text().splitlines()
    return [timeless(json.loads(line)) for line in lines]


def test_same_seed_same_journal(tmp_path: Path) -> None:
    for name in ("a", "b"):
        drive(tmp_path / name, CountingTask(), Nsga2(initial=4))
    assert events_of(tmp_path / "a") == events_of(tmp_path / "b")
    other = Settings(budget=BUDGET, seed=4, confirm=2)
    drive(tmp_path / "c", CountingTask(), Nsga2(initial=4), settings=other)
    assert events_of(tmp_path / "a") != events_of(tmp_path / "c")


def test_a_finished_study_is_extended(tmp_path: Path) -> None:
    problem = toy_problem()
    _, short = drive(tmp_path / "a", CountingTask(), Sobol())
    assert is_finished(problem, short, SETTINGS)
    more = Settings(budget=2 * BUDGET, seed=3, confirm=2)
    assert not is_finished(problem, short, more)
    _, extended = drive(tmp_path / "a", CountingTask(), Sobol(), settings=more)
    _, whole = drive(tmp_path / "b", CountingTask(), Sobol(), settings=more)
    extended_trials = outcome(extended)["trials"]
    assert extended_trials == outcome(whole)["trials"]
    assert outcome(extended)["front"] == outcome(whole)["front"]


def test_confirmation_uses_new_seeds_and_is_seen_by_no_optimizer(
    tmp_path: Path,
) -> None:
    _, history = drive(tmp_path, CountingTask(), Sobol())
    events = history.of_kind(Kind.CONFIRMED)
    seeds = {e.data["seed"] for e in history.of_kind(Kind.CONFIRMING)}
    assert len(events) == 2 * SEEDS == len(seeds)
    assert not seeds & {t.proposal.seed for t in history.trials}
    last_proposed = max(i for i, e in enumerate(history) if e.kind is Kind.PROPOSED)
    first_confirmed = min(i for i, e in enumerate(history) if e.kind is Kind.CONFIRMED)
    assert last_proposed < first_confirmed
    for number, found in confirmed(history).items():
        assert len(found.evaluations) == SEEDS
        searched = history.trial(number).evaluation
        assert searched is not None
        values = {*found.values("accuracy"), searched.metrics["accuracy"]}
        assert len(values) > 1


class AlwaysSilentTask(CountingTask):
    """Every network is silent."""

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        return Evaluation(metrics={"silence_margin": 2.0}, stopped="silent")


def test_a_study_without_a_front_ends(tmp_path: Path) -> None:
    front, history = drive(tmp_path, AlwaysSilentTask(), Sobol())
    assert front.numbers == ()
    assert history[-1].kind is Kind.ENDED
    assert is_finished(toy_problem(), history, SETTINGS)


def test_a_lost_retraining_is_confirmed_once_although_the_study_is_extended(
    tmp_path: Path,
) -> None:
    _, whole = drive(tmp_path / "whole", CountingTask(), Sobol())
    first = next(i for i, e in enumerate(whole) if e.kind is Kind.CONFIRMING)
    folder = tmp_path / "stopped"
    with pytest.raises(StoppedError):
        drive(folder, CountingTask(), Sobol(), events=first + 1)
    more = Settings(budget=2 * BUDGET, seed=3, confirm=2)
    _, history = drive(folder, CountingTask(), Sobol(), settings=more)
    told = Counter(
        (e.number, e.data["replicate"]) for e in history.of_kind(Kind.CONFIRMED)
    )
    assert set(told.values()) == {1}
    assert all(len(found.evaluations) == SEEDS for found in confirmed(history).values())


@pytest.mark.parametrize(("confirm", "members"), [(0, 0), (1, 1), (None, 3)])
def test_how_many_members_are_confirmed(
    tmp_path: Path, confirm: int | None, members: int
) -> None:
    settings = Settings(budget=30, seed=3, confirm=confirm)
    front, history = drive(tmp_path, CountingTask(), Sobol(), settings=settings)
    found = confirmed(history)
    reference = toy_problem().reference
    inside = [
        number
        for number, losses in zip(front.numbers, front.losses, strict=True)
        if all(loss < bound for loss, bound in zip(losses, reference, strict=True))
    ]
    assert set(found) <= set(inside)
    assert len(found) == (len(inside) if confirm is None else members)


class BrokenTask(CountingTask):
    """Fails in a given way, some times or always."""

    def __init__(self, error: BaseException, times: float) -> None:
        super().__init__()
        self.error = error
        self.times = times

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        self.evaluated[proposal.number] += 1
        if self.evaluated[proposal.number] <= self.times:
            raise self.error
        return AnalyticTask.evaluate(self, proposal, context)


def test_a_crash_is_tried_once_more(tmp_path: Path) -> None:
    task = BrokenTask(RuntimeError("once"), times=1)
    _, history = drive(tmp_path, task, Sobol())
    _, whole = drive(tmp_path / "whole", CountingTask(), Sobol())
    assert outcome(history)["trials"] == outcome(whole)["trials"]
    retried = history.of_kind(Kind.RETRIED)
    assert [e.number for e in retried] == list(range(BUDGET))
    assert all(e.data["failure"]["kind"] == "crashed" for e in retried)
    assert all(t.attempt >= 2 for t in history.trials)


def test_a_task_that_always_crashes_ends_the_study(tmp_path: Path) -> None:
    task = BrokenTask(RuntimeError("always"), times=99)
    with pytest.raises(
        ConfigError,
        match=r"first 5 trials all failed.*RuntimeError: always.*error\.log",
    ) as caught:
        drive(tmp_path, task, Sobol())
    (log,) = re.findall(r"see (\S+error\.log)", str(caught.value))
    assert Path(log).is_file()
    assert set(task.evaluated.values()) == {2}


class WithoutConstraintTask(CountingTask):
    """Forgets to measure what the constraint needs."""

    def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
        return Evaluation(metrics={"accuracy": 0.5, "spikes_per_sample": 3.0})


def test_a_result_that_lacks_a_metric_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did not measure silence_margin"):
        drive(tmp_path, WithoutConstraintTask(), Sobol())
    failed = read(tmp_path / NAME).history.failed
    assert {t.failure.kind for t in failed if t.failure} == {"invalid"}


def test_a_space_that_is_exhausted_ends_the_study(tmp_path: Path) -> None:
    space = {
        name: {"choice": [low, high]}
        for name, (low, high) in {
            "depth": (1, 2),
            "neuron": ("if", "lif"),
        }.items()
    }

    class Small(CountingTask):
        def evaluate(self, proposal: Proposal, context: Context) -> Evaluation:
            return Evaluation(metrics={"accuracy": 0.5, "spikes_per_sample": 3.0})

    problem = toy_problem(space=Space.from_config(space), constraints=())
    settings = Settings(budget=50, seed=0, confirm=0)
    _, history = drive(tmp_path, Small(), Sobol(), settings=settings, problem=problem)
    assert len(history.done) == 4
    assert history[-1].data["reason"] == "space exhausted"
    assert is_finished(problem, history, settings)


class ScriptedExecutor:
    """Ends attempts as a script says: late, twice, or lost."""

    def __init__(self, script: list[list[Report | Ended]]) -> None:
        self.script = script
        self.submitted: list[tuple[int, int]] = []

    ahead = 0

    def free(self) -> int:
        return 1

    def expect(self, count: int, later: int = 0) -> None: ...

    def reserve(self, expected: object = None) -> str:
        return f"job-{len(self.submitted)}"

    def submit(self, proposal: Proposal, attempt: int, job_id: str) -> None:
        self.submitted.append((proposal.number, attempt))

    def poll(self) -> list[Report | Ended]:
        return self.script.pop(0)

    def stop(self, number: int) -> None: ...

    def attach(self, trials: object) -> None: ...

    def close(self, *, cancel: bool) -> None: ...


def good(value: float) -> Evaluation:
    return Evaluation(
        metrics={
            "accuracy": value,
            "spikes_per_sample": 3.0,
            "silence_margin": -1.0,
        }
    )


def end(number: int, attempt: int, result: Evaluation | Failure) -> Ended:
    return Ended(number=number, attempt=attempt, result=result)


def drive_script(
    folder: Path, script: list[list[Report | Ended]], budget: int
) -> tuple[Study, ScriptedExecutor]:
    executor = ScriptedExecutor(script)
    with Lease.acquire(folder) as lease:
        journal = Journal(folder, lease)
        journal.append(Kind.STUDY, data={"digest": "x"})
        study = Study(
            problem=toy_problem(),
            optimizer=Sobol(),
            executor=executor,
            journal=journal,
            settings=Settings(budget=budget, confirm=0),
        )
        study.run()
    return study, executor


def test_a_late_result_corrects_a_timeout_and_is_counted_once(tmp_path: Path) -> None:
    timeout = Failure(kind="timeout", message="too long")
    study, _ = drive_script(
        tmp_path,
        [
            [end(0, 1, timeout)],
            [end(0, 1, good(0.9)), end(0, 1, good(0.8)), end(1, 1, good(0.7))],
        ],
        budget=2,
    )
    done = {t.number: t.evaluation.metrics["accuracy"] for t in study.history.done}  # type: ignore[union-attr]
    assert done == {0: 0.9, 1: 0.7}
    assert study.history.failed == []
    assert study.late_results == 1
    assert ends_of(study.history) == {0: 1, 1: 1}
    assert len(study.history.of_kind(Kind.CORRECTED)) == 1


def test_a_diverged_trial_is_final_and_not_corrected(tmp_path: Path) -> None:
    diverged = Failure(kind="diverged", message="nan")
    study, executor = drive_script(
        tmp_path,
        [[end(0, 1, diverged)], [end(0, 1, good(0.9)), end(1, 1, good(0.7))]],
        budget=2,
    )
    assert [t.number for t in study.history.failed] == [0]
    assert study.late_results == 1
    assert executor.submitted == [(0, 1), (1, 1)]


def test_a_lost_trial_is_given_out_again_under_a_new_attempt(tmp_path: Path) -> None:
    lost = Failure(kind="lost", message="gone")
    study, executor = drive_script(
        tmp_path,
        [[end(0, 1, lost)], [end(0, 1, lost)], [end(0, 2, good(0.9))]],
        budget=1,
    )
    assert executor.submitted == [(0, 1), (0, 2)]
    assert study.late_results == 1
    (trial,) = study.history.done
    assert trial.attempt == 2


def test_the_first_valid_result_of_any_attempt_wins(tmp_path: Path) -> None:
    """A result of the attempt that was given up, before and after it is repeated."""
    lost = Failure(kind="lost", message="gone")
    for name, script in (
        ("after", [[end(0, 1, lost)], [end(0, 1, good(0.9))]]),
        ("before", [[end(0, 1, lost), end(0, 1, good(0.9))]]),
    ):
        folder = tmp_path / name
        folder.mkdir()
        study, executor = drive_script(folder, script, budget=1)
        (trial,) = study.history.done
        assert trial.attempt == 1
        assert len(executor.submitted) == (2 if name == "after" else 1)


def test_reports_of_a_superseded_attempt_are_dropped(tmp_path: Path) -> None:
    lost = Failure(kind="lost", message="gone")
    old = Report(number=0, attempt=1, step=2, metrics={"accuracy": 0.1})
    new = Report(number=0, attempt=2, step=1, metrics={"accuracy": 0.2})
    study, _ = drive_script(
        tmp_path,
        [[end(0, 1, lost)], [old, new, end(0, 2, good(0.9)), new]],
        budget=1,
    )
    reported = study.history.of_kind(Kind.REPORTED)
    assert [(e.attempt, e.data["step"]) for e in reported] == [(2, 1)]


class FailingTracker:
    def __init__(self) -> None:
        self.calls = 0

    def on_event(self, event: Event, history: History) -> None:
        self.calls += 1
        raise OSError("the disk of the tracker")

    def close(self) -> None:
        raise AssertionError("a tracker that was left out is not closed")


def test_a_tracker_that_fails_does_not_stop_the_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = FailingTracker()
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        journal.append(Kind.STUDY, data={"digest": "x"})
        Study(
            problem=toy_problem(),
            optimizer=Sobol(),
            executor=InlineExecutor(folder=tmp_path, task=CountingTask()),
            journal=journal,
            trackers=[tracker],
            settings=Settings(budget=3, confirm=0),
        ).run()
    assert tracker.calls == 1
    assert "tracker FailingTracker failed and is left out" in capsys.readouterr().err
    assert len(read(tmp_path / NAME).history.trials) == 3


class HangingTracker:
    def __init__(self) -> None:
        self.heard = 0
        self.release = threading.Event()

    def on_event(self, event: Event, history: History) -> None:
        self.heard += 1
        self.release.wait()

    def close(self) -> None:
        raise AssertionError("it never comes here")


def test_a_tracker_that_hangs_holds_up_no_trial(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "CLOSE_S", 0.1)
    tracker = HangingTracker()
    with Lease.acquire(tmp_path) as lease:
        journal = Journal(tmp_path, lease)
        journal.append(Kind.STUDY, data={"digest": "x"})
        Study(
            problem=toy_problem(),
            optimizer=Sobol(),
            executor=InlineExecutor(folder=tmp_path, task=CountingTask()),
            journal=journal,
            trackers=[tracker],
            settings=Settings(budget=3, confirm=0),
        ).run()
    assert tracker.heard == 1
    tracker.release.set()
    assert "tracker HangingTracker does not end and is left" in capsys.readouterr().err
    assert read(tmp_path / NAME).history[-1].kind is Kind.ENDED


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"budget": 0}, "study.budget: expected a whole number >= 1, got 0"),
        ({"budget": "ten"}, "study.budget: .* got 'ten'"),
        ({"budget": True}, "study.budget: .* got True"),
        ({"budget": 5, "seed": -1}, "seed: expected a whole number >= 0, got -1"),
        ({"budget": 5, "confirm": -1}, "study.confirm: .* >= 0 or all, got -1"),
        ({"budget": 5, "confirm": "some"}, "study.confirm: .* or all, got 'some'"),
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(**wrong)


def test_a_trial_knows_when_it_waits(tmp_path: Path) -> None:
    """PENDING without a job = to be submitted: what a restart relies on."""
    with pytest.raises(StoppedError):
        drive(tmp_path, CountingTask(), Sobol(), events=2)
    trial: Trial = read(tmp_path / NAME).history.trial(0)
    assert (trial.attempt, trial.job_id) == (0, None)
