"""A search for people with their own loop, and a function that is optimised."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import moosnn
from moosnn.__main__ import main
from moosnn.asktell import Search
from moosnn.black_box import optimize
from moosnn.errors import (
    ConfigError,
    JournalError,
    MoosnnError,
    ProblemError,
    SpaceError,
    StudyBusyError,
    StudyFolderError,
)
from moosnn.events import Kind
from moosnn.history import History
from moosnn.optimizers.evolution import Nsga2
from moosnn.optimizers.sobol import Sobol
from moosnn.parameters import Float, Int
from moosnn.problem import Constraint, Objective
from moosnn.runtime.journal import NAME
from moosnn.space import Space
from moosnn.tasks.analytic import AnalyticTask
from moosnn.trial import Proposal, Status
from tests.helpers import QuietContext, load_space, run_loop, toy_problem

SPACE = {
    "x": {"float": [0, 1]},
    "width": {"int": [1, 8]},
    "kind": {"choice": ["lif", "plif"]},
    "tau": {"float": [1, 20], "log": True, "when": {"kind": "plif"}},
}
OBJECTIVES = [
    {"metric": "loss", "goal": "min", "reference": 2.0},
    {"metric": "size", "goal": "min", "reference": 10},
]
CONSTRAINTS = [{"metric": "silence", "upper": 0.5}]


def measure(params: Mapping[str, Any]) -> dict[str, float]:
    return {
        "loss": (params["x"] - 0.3) ** 2 + 1 / params["width"],
        "size": float(params["width"]),
        "silence": params["x"],
    }


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def search(**changes: Any) -> Search:
    return Search(SPACE, OBJECTIVES, CONSTRAINTS, **{"optimizer": "nsga2", **changes})


def what_was_asked(history: History) -> list[tuple[object, ...]]:
    """The proposals without ``seen``: how many lines a journal has may differ."""
    asked = [trial.proposal for trial in history.trials]
    return [(p.number, dict(p.params), p.seed, p.origin, p.repeats) for p in asked]


# -------------------------------------------------------------------------- asking


def test_what_is_asked_is_what_a_study_of_three_workers_proposes() -> None:
    """The oracle is the tests' own study loop."""
    problem, task = toy_problem(), AnalyticTask("toy_snn")
    studied = run_loop(problem, Nsga2(initial=6), task, 24, seed=5, workers=3)
    mine = Search(
        problem.space,
        problem.objectives,
        problem.constraints,
        optimizer=Nsga2(initial=6),
        seed=5,
    )
    waiting: list[Proposal] = []
    for _ in range(24):
        waiting.append(mine.ask())
        if len(waiting) >= 3:
            tell_what_a_task_says(mine, task, waiting.pop(0))
    assert what_was_asked(mine.history) == what_was_asked(studied)
    assert {t.proposal.origin for t in mine.history.trials} == {"sobol", "nsga2"}


def tell_what_a_task_says(mine: Search, task: AnalyticTask, proposal: Proposal) -> None:
    try:
        found = task.evaluate(proposal, QuietContext())
    except moosnn.errors.DivergedError as error:
        mine.tell_failure(proposal, "diverged", str(error))
    else:
        mine.tell(proposal, found.metrics, sems=found.sems, stopped=found.stopped)


def test_any_number_may_be_pending_and_none_is_asked_twice() -> None:
    mine = search(optimizer="sobol")
    asked = [mine.ask() for _ in range(32)]
    assert [p.number for p in asked] == list(range(32))
    assert len({tuple(p.params.values()) for p in asked}) == 32
    assert mine.pending == asked
    mine.tell(asked[7], measure(asked[7].params))
    assert [p.number for p in mine.pending] == [n for n in range(32) if n != 7]


def test_the_default_is_the_command_lines_optimizer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["+experiment=hpo", "--cfg", "job"]) == 0
    composed = yaml.safe_load(capsys.readouterr().out)["optimizer"]
    assert composed.pop("cost_aware") is False  # a header says so by not saying it
    del composed["cost_metric"]
    assert Search(SPACE, OBJECTIVES).history[0].data["config"]["optimizer"] == composed


def test_a_space_with_no_further_point() -> None:
    mine = Search({"n": {"int": [1, 3]}}, OBJECTIVES[:1], optimizer="sobol")
    assert sorted(mine.ask().params["n"] for _ in range(3)) == [1, 2, 3]
    assert mine.try_ask() is None
    with pytest.raises(SpaceError, match="ask: the space holds no further point"):
        mine.ask()


def test_asking_leaves_the_callers_threads_alone() -> None:
    torch.set_num_threads(3)
    try:
        search().ask()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)


def test_many_threads_may_ask_and_tell() -> None:
    mine = search(optimizer="sobol")

    def one(_: int) -> None:
        proposal = mine.ask()
        mine.tell(proposal, measure(proposal.params))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(64)))
    assert len(mine.history.done) == mine.history.proposals == 64


# -------------------------------------------------------------------------- telling


def test_the_front_is_what_nobody_beats() -> None:
    mine = search(optimizer="sobol")
    for _ in range(40):
        proposal = mine.ask()
        mine.tell(proposal, measure(proposal.params))
    rows = {
        t.number: measure(t.proposal.params)
        for t in mine.history.trials
        if t.proposal.params["x"] <= 0.5
    }
    brute = {
        number
        for number, row in rows.items()
        if not any(
            other["loss"] <= row["loss"]
            and other["size"] <= row["size"]
            and (other["loss"], other["size"]) != (row["loss"], row["size"])
            for other in rows.values()
        )
    }
    assert set(mine.front.numbers) == brute
    assert [row["number"] for row in mine.best] == list(mine.front.numbers)
    for row in mine.best:
        assert row["metrics"] == rows[row["number"]]
        assert ("tau" in row["params"]) == (row["params"]["kind"] == "plif")
    losses = [row["metrics"]["loss"] for row in mine.best]
    assert losses == sorted(losses)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan")])
def test_what_is_not_finite_makes_a_diverged_trial(bad: float) -> None:
    mine = search()
    first, second = mine.ask(), mine.ask()
    told = mine.tell(first, {**measure(first.params), "loss": bad})
    assert (told.status, told.evaluation) == (Status.FAILED, None)
    assert told.failure is not None
    assert told.failure.kind == "diverged"
    assert "loss is" in told.failure.message
    told = mine.tell(second, measure(second.params), sems={"loss": bad})
    assert told.failure is not None
    assert told.failure.kind == "diverged"
    assert len(mine.front) == 0


def test_scalars_of_numpy_and_torch_are_numbers() -> None:
    mine = search()
    metrics = {
        "loss": np.float32(0.5),
        "size": torch.tensor(3),
        "silence": np.array([0.25]),
        "more": np.int64(7),
    }
    told = mine.tell(mine.ask(), metrics, sems={"loss": torch.tensor(0.125)})
    assert told.evaluation is not None
    known = {"loss": 0.5, "size": 3.0, "silence": 0.25, "more": 7.0}
    assert told.evaluation.metrics == known
    assert told.evaluation.sems == {"loss": 0.125}
    assert json.loads(json.dumps(told.evaluation.to_json()))["metrics"] == known


def test_a_stopped_trial_needs_its_constraints_only() -> None:
    mine = search()
    told = mine.tell(mine.ask(), {"silence": 0.9}, stopped="silent")
    assert told.evaluation is not None
    assert told.evaluation.stopped == "silent"
    proposal = mine.ask()
    with pytest.raises(ConfigError, match="trial 1: the task did not measure silence"):
        mine.tell(proposal, {"loss": 0.5, "size": 1.0}, stopped="pruned")


def test_the_seconds_are_those_since_the_question_unless_they_are_told() -> None:
    mine = search()
    first, second = mine.ask(), mine.ask()
    told = mine.tell(first, measure(first.params), seconds=12.5)
    assert told.evaluation is not None
    assert told.evaluation.seconds == 12.5
    told = mine.tell(second, measure(second.params))
    assert told.evaluation is not None
    assert told.evaluation.seconds > 0


def test_a_late_result_corrects_a_trial_that_was_lost() -> None:
    mine = search()
    for kind in ("lost", "timeout", "preempted"):
        proposal = mine.ask()
        assert mine.tell_failure(proposal, kind, "gone").status is Status.FAILED
        told = mine.tell(proposal, measure(proposal.params))
        assert told.status is Status.DONE
        assert mine.history[-1].kind is Kind.CORRECTED
    proposal = mine.ask()
    mine.tell_failure(proposal, "crashed", "a bug")
    with pytest.raises(ConfigError, match="trial 3 was told about before: it is fail"):
        mine.tell(proposal, measure(proposal.params))


def test_mistakes_in_telling_change_nothing() -> None:
    mine, other = search(), search(seed=1)
    first, second = mine.ask(), mine.ask()
    good = measure(first.params)
    mine.tell(0, good)
    length = len(mine.history)
    where = "tell: trial 1: "
    for wrong, said in (
        (lambda: mine.tell(0, good), "tell: trial 0 was told about before: it is done"),
        (lambda: mine.tell(first, good), "tell: trial 0 was told about before"),
        (lambda: mine.tell(2, good), "tell: trial 2 was never asked for; 0 to 1 were"),
        (lambda: mine.tell(-1, good), "tell: trial -1 was never asked for"),
        (lambda: mine.tell("1", good), "tell: expected a proposal or its number, got"),
        (lambda: mine.tell(True, good), "tell: expected a proposal or its number, got"),
        (lambda: other.tell(0, good), "tell: trial 0 was never asked for; none was"),
        (lambda: mine.tell(other.ask(), good), "tell: trial 0 is another point in thi"),
        (
            lambda: mine.tell(second, {"loss": 1.0, "sise": 1.0}),
            f"{where}the task did not measure silence, size; got loss, sise.",
        ),
        (lambda: mine.tell(second, {}), f"{where}the task did not measure silence"),
        (lambda: mine.tell(second, 0.5), f"{where}metrics: expected a mapping"),
        (
            lambda: mine.tell(second, good, sems=0.5),
            f"{where}sems: expected a mapping",
        ),
        (
            lambda: mine.tell(second, {**good, "loss": "low"}),
            f"{where}metrics: expected a number, got loss='low'",
        ),
        (
            lambda: mine.tell(second, {**good, "loss": np.zeros(2)}),
            f"{where}metrics: expected a number, got loss=",
        ),
        (
            lambda: mine.tell(second, good, sems={"los": 0.5}),
            f"{where}sems: expected a number >= 0 for a measured metric, got los=",
        ),
        (
            lambda: mine.tell(second, good, stopped="quiet"),
            f"{where}stopped: expected one of",
        ),
        (lambda: mine.tell(second, good, seconds=-1), f"{where}seconds: expected"),
        (
            lambda: mine.tell_failure(second, "crash", "x"),
            "tell_failure: got the kind 'crash'. Did you mean 'crashed'?",
        ),
        (lambda: mine.tell_failure(0, "crashed", "x"), "tell_failure: trial 0 was to"),
        (
            lambda: mine.tell_failure(second, "crashed", ValueError("x")),
            "tell_failure: message: expected text, got ValueError('x').",
        ),
        (
            lambda: mine.tell_failure(second, "crashed", "x", log=Path("y")),
            "tell_failure: log: expected text or None, got",
        ),
        (
            lambda: mine.tell(np.bool_(True), good),
            "tell: expected a proposal or its number, got",
        ),
        (lambda: mine.tell(1.0, good), "tell: expected a proposal or its number, got"),
        (lambda: mine.tell(second, 10**400), f"{where}metrics: expected a mapping"),
    ):
        with pytest.raises(ConfigError) as caught:
            wrong()
        assert str(caught.value).startswith(said)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200
    assert len(mine.history) == length
    assert mine.tell(second, measure(second.params)).status is Status.DONE


# -------------------------------------------------------------------------- input


def test_a_problem_may_be_written_in_several_ways() -> None:
    plain = search().problem
    objects = Search(
        Space.from_config(SPACE),
        [Objective(metric="loss", goal="min", reference=2.0), OBJECTIVES[1]],
        (Constraint(metric="silence", upper=0.5),),
    ).problem
    mixed = Search(
        {**SPACE, "x": Float(low=0, high=1), "width": Int(low=1, high=8)},
        ({**OBJECTIVES[0], "reference": np.float32(2)}, OBJECTIVES[1]),
        CONSTRAINTS,
    ).problem
    assert plain == objects == mixed


def test_an_optimizer_may_be_named_in_several_ways() -> None:
    target = "moosnn.optimizers.evolution.Nsga2"
    asked = []
    for optimizer in (
        {"_target_": target, "population_size": 20, "initial": 2},
        Nsga2(population_size=20, initial=2),
    ):
        mine = search(optimizer=optimizer)
        for _ in range(6):
            proposal = mine.ask()
            mine.tell(proposal, measure(proposal.params))
        asked.append(what_was_asked(mine.history))
    assert asked[0] == asked[1]
    assert asked[0][-1][3] == "nsga2"
    named = [
        search(optimizer=optimizer).history[0].data["config"]["optimizer"]["_target_"]
        for optimizer in ("sobol", Sobol())
    ]
    assert named == ["moosnn.optimizers.sobol.Sobol"] * 2


def test_mistakes_in_the_input_are_one_line_and_leave_nothing(tmp_path: Path) -> None:
    for changes, said in (
        ({"space": {}}, "space: expected at least one parameter"),
        ({"space": 3}, "space: expected a mapping of parameters, got 3"),
        ({"space": {"x": {"float": [1, 0]}}}, "space.x: float: expected low < high"),
        ({"objectives": []}, "problem.objectives: expected at least one, got none"),
        ({"objectives": 3}, "problem.objectives: expected a list, got 3"),
        ({"objectives": OBJECTIVES[0]}, "problem.objectives: expected a list"),
        ({"objectives": [3]}, "problem.objectives[0]: expected e.g. {metric: …}"),
        ({"objectives": [{"metric": "a"}]}, "problem.objectives[0]: missing goal and"),
        ({"objectives": [*OBJECTIVES, *OBJECTIVES]}, "problem.objectives: 'loss' is t"),
        ({"constraints": [{"metric": "a", "uper": 1}]}, "problem.constraints[0]: unkn"),
        ({"seed": -1}, "seed: expected a whole number >= 0, got -1"),
        ({"seed": 1.5}, "seed: expected a whole number >= 0, got 1.5"),
        ({"optimizer": "nsga"}, "optimizer: got 'nsga'. Did you mean 'nsga"),
        ({"optimizer": Nsga2}, "optimizer: expected a name, a mapping with a _target_"),
        ({"optimizer": 3}, "optimizer: expected a name, a mapping with a _target_"),
        ({"optimizer": {"initial": 3}}, "optimizer: expected a mapping with a _target"),
        (
            {"optimizer": {"_target_": "moosnn.optimizers.sobol.Sobol", "n": 3}},
            "optimizer: unknown key 'n'.",
        ),
        (
            {"optimizer": {"_target_": "os.getcwd"}},
            "optimizer: expected the _target_ of an optimizer, but 'os.getcwd' gives a "
            "str, which cannot propose. Known: age_moea2,",
        ),
        ({"seed": np.int64(-1)}, "seed: expected a whole number >= 0, got"),
        ({"seed": np.float64(1)}, "seed: expected a whole number >= 0, got"),
        ({"folder": 3}, "folder: expected a folder's name, or None = in memory, got 3"),
        ({"folder": ""}, "folder: expected a folder's name, or None = in memory, got"),
        ({"folder": " "}, "folder: expected a folder's name"),
        ({"folder": True}, "folder: expected a folder's name"),
    ):
        given: dict[str, Any] = {"space": SPACE, "objectives": OBJECTIVES}
        with pytest.raises(MoosnnError) as caught:
            Search(**{**given, "folder": tmp_path / "f", **changes})
        assert isinstance(caught.value, ConfigError | ProblemError)
        assert str(caught.value).startswith(said)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------- folders

KILLED = """
import os, sys
from tests.test_api import measure, search
mine = search(folder=sys.argv[1], seed=2)
asked = [mine.ask() for _ in range(5)]
for number in (0, 3):
    mine.tell(number, measure(asked[number].params))
os._exit(9)
"""


def test_a_killed_search_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 9
    with search(folder=folder, seed=2) as mine, search(seed=2) as unbroken:
        assert [p.number for p in mine.pending] == [1, 2, 4]
        asked = [unbroken.ask() for _ in range(5)]
        for number in (0, 3):
            unbroken.tell(number, measure(asked[number].params))
        mine.tell(2, measure(asked[2].params))  # before it is asked for again
        unbroken.tell(2, measure(asked[2].params))
        assert [mine.ask(), mine.ask()] == [mine.pending[0], mine.pending[1]]
        for one in (mine, unbroken):
            for number in (1, 4):
                one.tell(number, measure(asked[number].params))
            for _ in range(30):
                proposal = one.ask()
                one.tell(proposal, measure(proposal.params))
        assert what_was_asked(mine.history) == what_was_asked(unbroken.history)
        assert mine.front == unbroken.front
    with search(folder=folder, seed=2) as mine:
        assert mine.ask().number == 35
        assert [mine.history.trial(n).attempt for n in (0, 1, 2, 4)] == [1, 2, 1, 2]


def test_one_search_a_folder(tmp_path: Path) -> None:
    mine = search(folder=tmp_path / "f")
    with pytest.raises(StudyBusyError, match=r"another Search of this program.*close"):
        search(folder=tmp_path / "f")
    mine.close()
    mine.close()
    with pytest.raises(ConfigError, match="ask: this search was closed"):
        mine.ask()
    with pytest.raises(ConfigError, match="tell: this search was closed"):
        mine.tell(0, {})
    assert len(mine.front) == 0  # what was found can still be looked at
    search(folder=tmp_path / "f").close()


def test_a_search_that_nobody_has_any_more_gives_its_folder_back() -> None:
    search(folder="f").ask()
    with search(folder="f") as mine:
        assert [p.number for p in mine.pending] == [0]


def test_an_interrupted_question_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = search()
    append = mine._book.append

    def interrupted(kind: Kind, *arguments: Any, **data: Any) -> Any:
        if kind is Kind.SUBMITTED:
            raise KeyboardInterrupt
        return append(kind, *arguments, **data)

    monkeypatch.setattr(mine._book, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mine.ask()
    monkeypatch.undo()
    assert [mine.ask().number, mine.ask().number] == [0, 1]


def test_a_folder_of_another_search_is_refused(tmp_path: Path) -> None:
    search(folder=tmp_path / "f").close()
    before = (tmp_path / "f" / NAME).read_bytes()
    for changes in ({"seed": 1}, {"optimizer": "sobol"}):
        with pytest.raises(JournalError, match=r"another config .*another folder=…"):
            search(folder=tmp_path / "f", **changes)
    with pytest.raises(JournalError, match="problem"):
        Search(SPACE, OBJECTIVES, optimizer="nsga2", folder=tmp_path / "f")
    assert (tmp_path / "f" / NAME).read_bytes() == before
    search(folder=tmp_path / "f").close()  # nobody holds it


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyFolderError, match="cannot be made"):
        search(folder=tmp_path / "file")


def test_the_commands_look_at_the_folder_of_a_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with search(folder=tmp_path / "f") as mine:
        for _ in range(12):
            proposal = mine.ask()
            mine.tell(proposal, measure(proposal.params))
        mine.ask()
        assert main(["status", "f", "--json"]) == 0
        (told,) = json.loads(capsys.readouterr().out)
        assert (told["state"], told["ended"], told["pending"]) == ("running", 12, 1)
        assert told["pid"] == os.getpid()
    assert main(["front", "f", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == mine.best
    assert main(["report", "f"]) == 0
    assert (tmp_path / "f/report/report.html").exists()
    assert main(["status", "f"]) == 0
    assert "f: stopped" in capsys.readouterr().out


# -------------------------------------------------------------------------- functions


def test_the_front_of_a_function_that_can_be_tried_everywhere() -> None:
    """The oracle is brute force over the whole space."""
    space = {"a": {"int": [0, 5]}, "b": {"choice": ["x", "y", "z"]}}

    def function(params: Mapping[str, Any]) -> dict[str, float]:
        place = "xyz".index(params["b"])
        return {"loss": (params["a"] - place) ** 2 + place, "size": params["a"]}

    result = optimize(function, space, OBJECTIVES, budget=100, optimizer="sobol")
    every = [function({"a": a, "b": b}) for a, b in itertools.product(range(6), "xyz")]
    best = {
        (row["loss"], row["size"])
        for row in every
        if not any(
            o["loss"] <= row["loss"] and o["size"] <= row["size"] and o != row
            for o in every
        )
    }
    assert len(result.trials) == 18
    assert {tuple(row["metrics"].values()) for row in result.best} == best
    assert set(result.front.losses) == best
    assert result.history[-1].data["reason"] == "space exhausted"


def test_a_function_that_wants_the_seed_gets_the_trials() -> None:
    seen = []

    def seeded(params: dict[str, Any], *, seed: int) -> dict[str, float]:
        seen.append(seed)
        return measure(params)

    def called_so(seed: dict[str, Any]) -> dict[str, float]:
        return measure(seed)

    result = optimize(seeded, SPACE, OBJECTIVES, budget=4, optimizer="sobol")
    assert seen == [trial.proposal.seed for trial in result.trials]
    assert len(set(seen)) == 4
    again = optimize(called_so, SPACE, OBJECTIVES, budget=4, optimizer="sobol")
    assert again.front == result.front


def test_what_a_call_raises_is_a_failed_trial_and_the_search_goes_on(
    tmp_path: Path,
) -> None:
    def fragile(params: dict[str, Any]) -> Any:
        wrong = {
            1: lambda: 1 / 0,
            2: lambda: {**measure(params), "loss": float("nan")},
            3: lambda: {"loss": 0.5},
            4: lambda: 0.5,
            5: lambda: params["y"],
        }
        calls.append(dict(params))
        return wrong.get(len(calls), lambda: measure(params))()

    calls: list[dict[str, Any]] = []
    small = {"budget": 8, "optimizer": "sobol", "folder": tmp_path / "f"}
    result = optimize(fragile, SPACE, OBJECTIVES, **small)
    failures = [t.failure for t in result.trials]
    kinds = [failure and failure.kind for failure in failures]
    bad = ["crashed", "diverged", "invalid", "crashed", "crashed"]
    assert kinds == [*bad, None, None, None]
    assert failures[0] is not None
    assert failures[0].message == "ZeroDivisionError: division by zero"
    assert "1 / 0" in (tmp_path / "f" / str(failures[0].log)).read_text()
    assert failures[2] is not None
    assert failures[2].message == "the task did not measure size; it returned loss"
    assert failures[3] is not None
    assert "expected a mapping of metrics" in failures[3].message
    assert calls == [dict(t.proposal.params) for t in result.trials]


@pytest.mark.parametrize("folder", [None, "f"])
def test_five_crashes_at_the_start_stop_it(folder: str | None, tmp_path: Path) -> None:
    calls = []

    def broken(params: dict[str, Any]) -> dict[str, float]:
        calls.append(params)
        raise KeyError("lr")

    with pytest.raises(ConfigError, match="the first 5 calls all failed") as caught:
        optimize(broken, SPACE, OBJECTIVES, budget=9, optimizer="sobol", folder=folder)
    assert len(calls) == 5
    assert isinstance(caught.value.__cause__, KeyError)
    assert "KeyError: 'lr'" in str(caught.value)
    assert ("error.log" in str(caught.value)) == (folder is not None)
    assert [p.name for p in tmp_path.iterdir()] == ([folder] if folder else [])


def test_an_interrupted_call_is_made_again_and_nothing_is_lost(tmp_path: Path) -> None:
    interrupted = []

    def function(params: dict[str, Any]) -> dict[str, float]:
        if len(interrupted) < 3 and len(calls) == 7 * (len(interrupted) + 1):
            interrupted.append(dict(params))
            raise KeyboardInterrupt
        calls.append(dict(params))
        return measure(params)

    calls: list[dict[str, Any]] = []
    small = {"budget": 25, "optimizer": "nsga2", "folder": tmp_path / "f"}
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            optimize(function, SPACE, OBJECTIVES, CONSTRAINTS, **small)
    result = optimize(function, SPACE, OBJECTIVES, CONSTRAINTS, **small)
    whole = optimize(
        measure, SPACE, OBJECTIVES, CONSTRAINTS, budget=25, optimizer="nsga2"
    )
    assert what_was_asked(result.history) == what_was_asked(whole.history)
    assert result.front == whole.front
    assert len(calls) == 25
    assert all(params in calls for params in interrupted)


def test_numpys_whole_numbers_are_whole_numbers(tmp_path: Path) -> None:
    small = {"optimizer": "sobol", "folder": tmp_path / "f"}
    one = optimize(
        measure, SPACE, OBJECTIVES, budget=np.int32(3), seed=np.uint8(5), **small
    )
    plain = optimize(
        measure, SPACE, OBJECTIVES, budget=3, seed=5, optimizer="sobol", folder=None
    )
    assert what_was_asked(one.history) == what_was_asked(plain.history)
    mine = search(seed=np.int64(5))
    proposal = mine.ask()
    assert mine.tell(np.int64(0), measure(proposal.params)).status is Status.DONE


@pytest.mark.parametrize(
    ("sign", "digits", "said"), [(1, 400, "inf"), (-1, 400, "-inf"), (1, 5000, "inf")]
)
def test_a_number_that_no_float_can_hold_is_infinite(
    sign: int, digits: int, said: str
) -> None:
    mine, huge = search(), sign * 10**digits
    trial = mine.tell(mine.ask(), {**measure({"x": 0, "width": 1}), "loss": huge})
    assert trial.failure is not None
    assert trial.failure.kind == "diverged"
    assert trial.failure.message == f"metrics: loss is {said}, not a finite number"


def test_messages_of_a_hopeless_function_are_short_and_end_once() -> None:
    def stops(params: Any) -> Any:
        raise ValueError("It has no answer.")

    def returns(params: Any) -> Any:
        return [1.5] * 1000

    for function, said in (
        (stops, "with: ValueError: It has no answer. Mend the function"),
        (returns, "got [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, ...]. Mend the function"),
    ):
        with pytest.raises(ConfigError) as caught:
            optimize(function, SPACE, OBJECTIVES, budget=9, optimizer="sobol")
        assert said in str(caught.value)


def test_a_larger_budget_extends_and_the_same_calls_nothing(tmp_path: Path) -> None:
    calls = []

    def function(params: dict[str, Any]) -> dict[str, float]:
        calls.append(params)
        return measure(params)

    small: dict[str, Any] = {"optimizer": "sobol", "folder": tmp_path / "f"}
    for budget, count in ((6, 6), (6, 6), (9, 9), (3, 9)):
        result = optimize(function, SPACE, OBJECTIVES, budget=budget, **small)
        assert len(calls) == len(result.trials) == count
        assert result.history[-1].data["reason"] == "budget"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": 0}, "budget: expected a whole number >= 1, got 0"),
        ({"budget": "9"}, "budget: expected a whole number >= 1, got '9'"),
        ({"function": 3}, "function: expected a function, got 3"),
        ({"space": {}}, "space: expected at least one parameter"),
    ],
)
def test_mistakes_in_optimize(changes: dict[str, Any], said: str) -> None:
    given = {"function": measure, "space": SPACE, "objectives": OBJECTIVES, "budget": 9}
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        optimize(**{**given, **changes})


def test_the_package_has_them() -> None:
    assert moosnn.Search is Search
    assert moosnn.optimize is optimize
    assert {"Search", "load", "optimize"} <= set(dir(moosnn))


def test_a_shipped_space_can_be_searched() -> None:
    proposal = Search(load_space("nas"), OBJECTIVES, optimizer="sobol").ask()
    assert set(proposal.params) == set(load_space("nas"))
