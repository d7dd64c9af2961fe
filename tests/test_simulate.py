"""Whole studies in virtual time: against hand counts, and through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.sobol import Sobol
from moosnn.runtime.executors import Report
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.simulator import Durations, Simulator, VirtualClock
from moosnn.settings import Settings
from moosnn.simulation import Simulated, simulate
from moosnn.tasks.analytic import AnalyticTask
from moosnn.virtual_trials import Evaluated, Followed
from tests.helpers import Story, load_problem, toy_problem

PROBLEM = load_problem("branin_currin")


def run(
    folder: Path, workers: int, budget: int, *, fixed_s: float, mean_s: float = 10.0
) -> tuple[Simulated, History]:
    """Constant durations and suggestions: nothing depends on the machine."""
    clock = VirtualClock()
    task, durations = AnalyticTask("branin_currin"), Durations(mean_s=mean_s)
    found = simulate(
        problem=PROBLEM,
        optimizer=Sobol(),
        simulator=Simulator(
            workers=workers,
            measure=Evaluated(task, durations),
            clock=clock,
            charge_driver=False,
        ),
        clock=clock,
        folder=folder,
        header={},
        settings=Settings(budget=budget, confirm=0),
        fixed_s=fixed_s,
    )
    return found, read(folder / NAME).history


def test_fast_suggestions_keep_all_workers_busy(tmp_path: Path) -> None:
    found, history = run(tmp_path / "s", workers=4, budget=20, fixed_s=0.0)
    assert found.makespan_s == pytest.approx(50.0)
    assert (found.busy, found.busy_to_end) == pytest.approx((1.0, 1.0))
    assert (found.trials, len(history.done)) == (20, 20)
    assert history[-1].kind is Kind.ENDED


def test_slow_suggestions_set_the_pace(tmp_path: Path) -> None:
    """A suggestion each 5 s for trials of 10 s: two workers have something to do."""
    found, history = run(tmp_path / "s", workers=8, budget=40, fixed_s=5.0)
    given = [e.time for e in history.of_kind(Kind.SUBMITTED)]
    assert given == pytest.approx([5.0 * (n + 1) for n in range(40)])
    assert found.makespan_s == pytest.approx(210.0)
    # From 5 to 200: 38 whole trials and 5 s of one more.
    assert found.busy == pytest.approx((38 * 10 + 5) / (8 * 195))
    assert found.suggestion_s == 5.0


def test_a_suggestion_ahead_hides_its_seconds(tmp_path: Path) -> None:
    """One worker, 5 s a suggestion, 10 s a trial: only the first one is waited for."""
    found, _ = run(tmp_path / "s", workers=1, budget=10, fixed_s=5.0)
    assert found.makespan_s == pytest.approx(105.0)
    assert found.busy == 1.0


def test_an_optimizer_sees_what_had_ended_when_it_was_asked(tmp_path: Path) -> None:
    _, history = run(tmp_path / "s", workers=2, budget=8, fixed_s=4.0)
    for trial in history.trials:
        proposed = history.of_number(trial.number)[0]
        asked = proposed.time - 4.0
        seen = history.prefix(trial.proposal.seen)
        ends = [e for e in seen if e.kind is Kind.FINISHED]
        assert all(e.time <= asked + 1e-9 for e in ends)


def test_two_simulations_are_the_same(tmp_path: Path) -> None:
    runs = [run(tmp_path / n, workers=3, budget=12, fixed_s=1.0) for n in "ab"]
    assert runs[0][0].curve == runs[1][0].curve
    assert runs[0][0].hours_to(float("inf")) is None
    assert runs[0][0].hours_to(0.0) == runs[0][0].curve[0][0] / 3600


def test_the_nearest_trial_is_followed() -> None:
    told = Story(toy_problem())
    for width, accuracy in ((16, 0.5), (200, 0.9)):
        point = {**POINT, "width": width}
        metrics = {"accuracy": accuracy, "spikes_per_sample": 10.0}
        told.finish(told.propose(point), silence_margin=-0.1, **metrics)
    told.fail(told.propose({**POINT, "width": 60, "lr": 0.3}))
    told.fail(told.propose({**POINT, "width": 64, "lr": 0.3}), "lost")
    follows = Followed(toy_problem(), told.history, Durations(mean_s=7.0))
    asked = Story(toy_problem())
    for width in (18, 180):
        asked.propose({**POINT, "width": width})
    asked.propose({**POINT, "width": 64, "lr": 0.3})
    found = [follows(t.proposal, 1) for t in asked.history.trials]
    assert [one.seconds for one in found] == pytest.approx([7.0] * 3)
    near, far, failed = (one.result for one in found)
    assert not isinstance(near, Report)
    assert near.metrics["accuracy"] == 0.5
    assert far.metrics["accuracy"] == 0.9
    assert failed.kind == "diverged"  # the lost one says nothing


POINT = {
    "depth": 1,
    "width": 16,
    "threshold": 1.0,
    "penalty": 0.001,
    "lr": 0.005,
    "steps": 8,
    "neuron": "if",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulate") / "study"
    words = ["+experiment=smoke", "executor=inline", "optimizer=nsga2"]
    words += ["study.budget=24", "study.confirm=0", f"study_dir={folder}"]
    assert main(words) == 0
    return folder


def test_a_table_has_a_row_a_number_of_workers(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(study.rglob("*"))
    out = tmp_path / "kept"
    words = ["--workers", "2,8", "--budget", "12", "--mean", "30", "--sigma", "1"]
    assert main(["simulate", str(study), *words, "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["workers", "trials"]
    assert [line.split()[:2] for line in lines[1:3]] == [["2", "12"], ["8", "12"]]
    assert sorted(study.rglob("*")) == before
    assert main(["status", str(out)]) == 0
    told = capsys.readouterr().out
    assert told.count("finished") == 2
    assert told.count("12/12") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workers", "0"], "simulate: --workers: expected a whole number from 1 to"),
        (["--workers", "x"], "simulate: --workers: expected a whole number, got 'x'."),
        ([], "simulate: expected --workers"),
        (["--workers", "2", "--budget", "0"], "simulate: --budget: expected a whole"),
        (["--workers", "2", "--sigma", "1"], "simulate: --sigma: expected --mean S"),
        (["--workers", "2", "--mean", "0"], "simulate: --mean, --sigma: expected mean"),
        (["--workers", "2", "--optimizer", "nsga1"], "simulate: --optimizer: got"),
    ],
)
def test_a_mistake_is_one_line(
    study: Path,
    words: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", str(study), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"moosnn: {told}")
    assert error.count("\n") == 1


def test_a_folder_that_is_taken_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "workers-2").mkdir()
    words = ["--workers", "2", "--out", str(tmp_path)]
    assert main(["simulate", str(study), *words]) == 2
    assert "is there already" in capsys.readouterr().err
