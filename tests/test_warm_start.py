"""Points of earlier studies: which can be taken over, and that nothing else is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from moosnn.__main__ import main
from moosnn.errors import ConfigError
from moosnn.events import Kind
from moosnn.origins import optimizer_of
from moosnn.pareto.front import front_of
from moosnn.problem import Constraint, Objective, Problem
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import read_record
from moosnn.space import Space
from moosnn.warm_start import warm_start

SPACE = {
    "depth": {"int": [1, 5]},
    "lr": {"float": [0.001, 1.0], "log": True},
    "neuron": {"choice": ["if", "lif"]},
    "tau": {"float": [1.0, 9.0], "when": {"neuron": "lif"}},
}
OBJECTIVES = [
    {"metric": "error", "goal": "min", "reference": 1.0},
    {"metric": "spikes", "goal": "min", "reference": 100.0},
]
CONSTRAINTS = [{"metric": "margin", "upper": 0.0, "voids": True}]


def problem_over(space: dict[str, Any], **changes: Any) -> Problem:
    raw = {"objectives": OBJECTIVES, "constraints": CONSTRAINTS, **changes}
    return Problem.from_config(Space.from_config(space), raw)


def point(depth: int = 1, lr: float = 0.01, **more: Any) -> dict[str, Any]:
    return {"depth": depth, "lr": lr, "neuron": "if", "tau": 5.0, **more}


def measured(error: float, spikes: float, margin: float = -1.0) -> dict[str, Any]:
    return {"error": error, "spikes": spikes, "margin": margin}


def earlier(
    folder: Path,
    *trials: tuple[dict[str, Any], dict[str, Any]],
    space: dict[str, Any] = SPACE,
    fixed: dict[str, Any] | None = None,
) -> str:
    """The folder of a study with some trials: points and what was measured."""
    wanted = {"objectives": OBJECTIVES, "constraints": CONSTRAINTS, "admissible": None}
    config = {
        "task": {"_target_": "x", "fixed": fixed},
        "space": space,
        "problem": wanted,
        "optimizer": {"_target_": "x"},
        "seed": 0,
    }
    lines: list[dict[str, Any]] = [{"event": "study", "config": config}]
    for number, (params, metrics) in enumerate(trials):
        proposed = {"params": params, "seed": 1, "origin": "sobol", "seen": len(lines)}
        lines.append({"event": "proposed", "number": number, **proposed})
        evaluation = {"metrics": metrics, "stopped": None}
        lines.append({"event": "finished", "number": number, "evaluation": evaluation})
    base = {"number": None, "attempt": None, "time": 0.0, "epoch": 1}
    folder.mkdir(parents=True)
    text = "".join(json.dumps({**base, **line}) + "\n" for line in lines)
    (folder / NAME).write_text(text)
    return str(folder)


def numbers(found: Any) -> list[int]:
    return [one["trial"] for one in found.points]


def test_members_of_the_front_are_taken_over(tmp_path: Path) -> None:
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.9, 10.0)),
        (point(2), measured(0.9, 20.0)),  # dominated
        (point(3), measured(0.1, 50.0)),
        (point(4), measured(0.0, 5.0, margin=0.5)),  # silent
    )
    found = warm_start(problem_over(SPACE), [folder], {}, 5)
    assert [dict(one) for one in found.points] == [
        {"folder": folder, "trial": 2, "params": point(3)},
        {"folder": folder, "trial": 0, "params": point(1)},
    ]
    assert found.notes == (f"warm start: trials 2, 0 of {folder} are tried again here",)


def test_at_most_so_many_are_taken_spread_along_the_front(tmp_path: Path) -> None:
    trials = [
        (point(1, lr=0.01 + i / 100), measured(0.1 * i, 90.0 - i)) for i in range(9)
    ]
    folder = earlier(tmp_path / "a", *trials)
    found = warm_start(problem_over(SPACE), [folder], {}, 3)
    assert numbers(found) == [0, 4, 8]


def test_each_study_has_a_front_of_its_own(tmp_path: Path) -> None:
    """Their tasks may differ: the easier one must not push the other out."""
    easy = [(point(1, lr=0.01 * i), measured(0.01 * i, 9.0 - i)) for i in range(1, 5)]
    hard = [(point(2, lr=0.01 * i), measured(0.5 + 0.01 * i, 90.0 - i)) for i in (1, 2)]
    folders = [earlier(tmp_path / "a", *easy), earlier(tmp_path / "b", *hard)]
    found = warm_start(problem_over(SPACE), folders, {}, 4)
    assert [Path(one["folder"]).name for one in found.points] == ["a", "b", "a", "b"]


def test_a_point_of_two_studies_is_taken_once(tmp_path: Path) -> None:
    trial = (point(1), measured(0.1, 9.0))
    folders = [earlier(tmp_path / name, trial) for name in ("a", "b")]
    found = warm_start(problem_over(SPACE), folders, {}, 4)
    assert [Path(one["folder"]).name for one in found.points] == ["a"]


def test_notes_name_only_what_is_tried(tmp_path: Path) -> None:
    """Neither what is cut off nor what another study has as well."""
    one, two = (point(1), measured(0.1, 9.0)), (point(2), measured(0.2, 8.0))
    three = (point(3), measured(0.3, 7.0))
    a, b = earlier(tmp_path / "a", one, two), earlier(tmp_path / "b", one, three)
    found = warm_start(problem_over(SPACE), [a, b], {}, 4)
    assert [(Path(p["folder"]).name, p["trial"]) for p in found.points] == [
        ("a", 0),
        ("a", 1),
        ("b", 1),
    ]
    assert found.notes == (
        f"warm start: trials 0, 1 of {a} are tried again here",
        f"warm start: trial 1 of {b} is tried again here",
    )
    found = warm_start(problem_over(SPACE), [a, b], {}, 1)
    assert numbers(found) == [0]
    assert found.notes == (
        f"warm start: trial 0 of {a} is tried again here",
        f"warm start: no trial of {b} is tried again here: others have the same "
        "points, or come first (study.warm_start_points=1)",
    )


def test_a_damaged_study_is_said_to_be_damaged(tmp_path: Path) -> None:
    trials = [(point(n), measured(0.1 * n, 9.0 - n)) for n in (1, 2, 3)]
    folder = earlier(tmp_path / "a", *trials)
    path = tmp_path / "a" / NAME
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:5], "x\n", *lines[6:]]))
    found = warm_start(problem_over(SPACE), [folder], {}, 4)
    assert numbers(found) == [0, 1]
    said = f"{path}: line 6 is damaged: only what precedes it counts"
    assert found.notes[0].endswith(f"; {said}")
    path.write_text("".join([lines[0], "x\n", *lines[2:]]))
    with pytest.raises(ConfigError, match=r"none was evaluated; .* line 2 is damaged"):
        warm_start(problem_over(SPACE), [folder], {}, 4)


def test_a_file_is_no_folder_of_a_study(tmp_path: Path) -> None:
    earlier(tmp_path / "a", (point(1), measured(0.1, 9.0)))
    path = tmp_path / "a" / NAME
    with pytest.raises(ConfigError) as caught:
        warm_start(problem_over(SPACE), [str(path)], {}, 4)
    assert str(caught.value) == (
        "study.warm_start: expected the folder of a study or a file of points (.json, "
        f".yaml, .yml, .csv), but {path} is another file; name a folder, e.g. "
        f"{tmp_path / 'a'}, or write such a file with python -m moosnn import."
    )


def test_a_missing_parameter_has_the_value_that_was_fixed_there(tmp_path: Path) -> None:
    trial = (point(1), measured(0.1, 9.0))
    folder = earlier(tmp_path / "a", trial, fixed={"width": 32, "depth": 4})
    problem = problem_over({**SPACE, "width": {"int": [8, 64]}})
    (one,) = warm_start(problem, [folder], {"width": 16}, 4).points
    assert one["params"] == {**point(1), "width": 32}


def test_a_missing_parameter_may_be_filled(tmp_path: Path) -> None:
    folder = earlier(tmp_path / "a", (point(1), measured(0.1, 9.0)))
    problem = problem_over({**SPACE, "width": {"int": [8, 64]}})
    with pytest.raises(
        ConfigError,
        match=r"no trial of .*a fits: 1 without a value for width \(give it one with "
        r"study.warm_start_fill.width=…\)",
    ):
        warm_start(problem, [folder], {}, 4)
    (one,) = warm_start(problem, [folder], {"width": 16}, 4).points
    assert one["params"] == {**point(1), "width": 16}


def test_what_was_inactive_there_has_no_value(tmp_path: Path) -> None:
    """Its canonical value was never tried."""
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.1, 9.0)),
        (point(1, neuron="lif", tau=3.0), measured(0.2, 8.0)),
    )
    always = {**SPACE, "tau": {"float": [1.0, 9.0]}}
    found = warm_start(problem_over(always), [folder], {}, 4)
    assert numbers(found) == [1]
    assert "skipped: 1 without a value for tau" in found.notes[0]


def test_what_is_inactive_here_needs_no_value(tmp_path: Path) -> None:
    space = {name: SPACE[name] for name in ("depth", "lr", "neuron")}
    plain = {name: point(1)[name] for name in space}
    folder = earlier(tmp_path / "a", (plain, measured(0.1, 9.0)), space=space)
    (one,) = warm_start(problem_over(SPACE), [folder], {}, 4).points
    assert one["params"] == point(1)


def test_parameters_that_were_searched_there_only_are_dropped(tmp_path: Path) -> None:
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.3, 9.0)),
        (point(1, neuron="lif", tau=2.0), measured(0.1, 9.0)),
    )
    problem = problem_over({name: SPACE[name] for name in ("depth", "lr")})
    found = warm_start(problem, [folder], {}, 4)
    assert [one["params"] for one in found.points] == [{"depth": 1, "lr": 0.01}]
    assert found.notes[0].endswith("not searched here: neuron, tau")


def test_what_lies_outside_of_this_space_is_skipped_and_counted(tmp_path: Path) -> None:
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.1, 9.0)),
        (point(4), measured(0.05, 5.0)),
        (point(5, lr=0.5), measured(0.05, 4.0)),
    )
    narrow = {**SPACE, "depth": {"int": [1, 3]}}
    found = warm_start(problem_over(narrow), [folder], {}, 4)
    assert numbers(found) == [0]
    said = (
        "outside of this space (parameter 'depth': expected a whole number in [1, 3])"
    )
    assert f"skipped: 2 {said}" in found.notes[0]


def test_what_may_not_be_tried_here_is_skipped(tmp_path: Path) -> None:
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.1, 9.0)),
        (point(3), measured(0.05, 5.0)),
    )
    problem = problem_over(SPACE, admissible="tests.helpers.refuses_deep")
    found = warm_start(problem, [folder], {}, 4)
    assert numbers(found) == [0]
    assert "skipped: 1 that may not be tried here" in found.notes[0]


def test_a_trial_that_lacks_a_metric_of_this_problem_is_skipped(tmp_path: Path) -> None:
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.1, 9.0)),
        (point(2), {**measured(0.2, 9.0), "energy": 3.0}),
    )
    wanted = [*OBJECTIVES, {"metric": "energy", "goal": "min", "reference": 9.0}]
    found = warm_start(problem_over(SPACE, objectives=wanted), [folder], {}, 4)
    assert numbers(found) == [1]
    assert "skipped: 1 of which the task did not measure energy" in found.notes[0]


def test_an_earlier_study_without_a_front_gives_no_point(tmp_path: Path) -> None:
    folder = earlier(tmp_path / "a", (point(1), measured(0.1, 9.0, margin=1.0)))
    found = warm_start(problem_over(SPACE), [folder], {}, 4)
    assert found.points == ()
    assert f"no trial of {folder} is feasible here" in found.notes[0]


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        ({"dept": 1}, "study.warm_start_fill.dept: .*Did you mean 'depth'"),
        ({"depth": 9}, r"study.warm_start_fill.depth: expected .*\[1, 5\], got 9"),
    ],
)
def test_a_wrong_fill_is_refused(tmp_path: Path, fill: Any, message: str) -> None:
    folder = earlier(tmp_path / "a", (point(1), measured(0.1, 9.0)))
    with pytest.raises(ConfigError, match=message):
        warm_start(problem_over(SPACE), [folder], fill, 4)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"study.warm_start: .*nix: holds no study"):
        warm_start(problem_over(SPACE), [str(tmp_path / "nix")], {}, 4)


def test_an_objective_of_its_own_decides_what_is_best(tmp_path: Path) -> None:
    folder = earlier(
        tmp_path / "a",
        (point(1), measured(0.9, 10.0)),
        (point(3), measured(0.1, 50.0)),
    )
    problem = Problem(
        space=Space.from_config(SPACE),
        objectives=(Objective(metric="spikes", goal="min", reference=99.0),),
        constraints=(Constraint(metric="error", upper=0.95),),
    )
    assert numbers(warm_start(problem, [folder], {}, 5)) == [0]


SMOKE = ["+experiment=smoke", "executor=inline", "tracker=none", "study.confirm=0"]


@pytest.fixture(scope="module")
def first_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "study"
    assert main([*SMOKE, "study.budget=24", f"study_dir={folder}"]) == 0
    return folder


def test_a_warm_study_begins_with_the_front_of_another_and_forgets_it(
    first_study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(first_study, "first")
    words = [*SMOKE, "study_dir=warm", "study.warm_start=[first]", "seed=5"]
    assert main([*words, "study.budget=4"]) == 0
    assert "warm start: trials " in capsys.readouterr().out
    record = read_record(Path("first"))
    members = front_of(record.problem, record.history.done).within(record.problem)
    history = read(Path("warm") / NAME).history
    taken = [t for t in history.trials if t.proposal.origin == "warm_start"]
    assert len(taken) == min(5, len(members))
    assert [t.number for t in taken] == list(range(len(taken)))
    points = [record.history.trial(n).proposal.params for n in members.numbers]
    assert all(t.proposal.params in points for t in taken)
    # It is evaluated here, and what it was there is nowhere in the journal.
    assert len(history.of_kind(Kind.FINISHED)) + len(history.failed) == 4
    # The other folder is gone; the study goes on and is replayed.
    shutil.rmtree("first")
    assert main([*words, "study.budget=6"]) == 0
    warm = read_record(Path("warm"))
    assert len(warm.history.trials) == 6
    for trial in warm.history.trials:
        prefix = warm.history.prefix(trial.proposal.seen)
        optimizer = optimizer_of(warm.config)
        assert optimizer.propose(warm.problem, prefix, 1, 5) == [trial.proposal]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["study.warm_start=[nix]"], "study.warm_start: nix: holds no study"),
        (["study.warm_start=7"], "study.warm_start: expected folders of studies"),
        (["study.warm_start=[first]", "study.warm_start_points=0"], "points: expected"),
        (["study.warm_start=[first]", "study.warm_start_fill=3"], "fill: expected a v"),
        (["study.warm_start=[first]", "study_dir=first"], "first is this study itself"),
        (["study.warm_start_fill={lr: 0.01}"], "_fill: got {'lr': 0.01}, but no study"),
        (["study.warm_start_fill=3"], "_fill: got 3, but no study is named"),
        (["study.warm_start_points=3"], "_points: got 3, but no study is named"),
        (["study.warm_start_points=abc"], "_points: got 'abc', but no study is named"),
        (
            ["study.warm_start=[]", "study.warm_start_points=0"],
            "_points: got 0, but no",
        ),
    ],
)
def test_a_mistake_is_one_line(  # noqa: PLR0917 - fixtures and one case
    first_study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first").symlink_to(first_study)
    assert main([*SMOKE, "study_dir=warm", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "warm").exists()


def points_file(path: Path, *points: dict[str, Any], **more: Any) -> str:
    raw = {"points": [{"number": i, "params": p} for i, p in enumerate(points)], **more}
    path.write_text(json.dumps(raw))
    return str(path)


def test_points_of_a_file_are_taken_in_their_order(tmp_path: Path) -> None:
    name = points_file(tmp_path / "p.json", point(3), point(1), point(2), point(3))
    found = warm_start(problem_over(SPACE), [name], {}, 2)
    assert [dict(one) for one in found.points] == [
        {"folder": name, "trial": 0, "params": point(3)},
        {"folder": name, "trial": 1, "params": point(1)},
    ]
    assert found.notes == (f"warm start: trials 0, 1 of {name} are tried again here",)


def test_a_csv_file_will_do_and_its_text_is_read_as_the_space_has_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("depth,lr,neuron,tau,flag,size,who\n2.0,1e-2,lif,3,TRUE,64,me\n")
    more = {"flag": {"choice": [False, True]}, "size": {"choice": [32, 64]}}
    found = warm_start(problem_over({**SPACE, **more}), [str(path)], {}, 4)
    assert [one["params"] for one in found.points] == [
        {"depth": 2, "lr": 0.01, "neuron": "lif", "tau": 3.0, "flag": True, "size": 64}
    ]
    assert type(found.points[0]["params"]["depth"]) is int
    assert found.notes[0].endswith("not searched here: who")


def test_an_option_that_is_text_is_never_taken_for_a_number(tmp_path: Path) -> None:
    name = points_file(tmp_path / "p.json", {"kind": "1"}, {"kind": "2"})
    space = {"kind": {"choice": ["1", 2]}, "lr": {"float": [0.0, 1.0]}}
    found = warm_start(problem_over(space), [name], {"lr": 0.5}, 4)
    assert [one["params"]["kind"] for one in found.points] == ["1", 2]


def test_an_option_is_found_however_its_column_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("kind,size,code\n1e-3,64.0,True\n2,32.0,false\n")
    space = {
        "kind": {"choice": ["0.001", "2"]},
        "size": {"choice": [32, 64]},
        "code": {"choice": ["true", "false"]},
        "lr": {"float": [0.0, 1.0]},
    }
    found = warm_start(problem_over(space), [str(path)], {"lr": 0.5}, 4)
    assert [[*one["params"].values()] for one in found.points] == [
        ["0.001", 64, "true", 0.5],
        ["2", 32, "false", 0.5],
    ]
    assert [type(one["params"]["size"]) for one in found.points] == [int, int]


def test_what_a_file_says_is_fixed_counts_less_than_a_point(tmp_path: Path) -> None:
    plain = {k: v for k, v in point(2).items() if k != "lr"}
    fixed = {"lr": 0.5, "batch": 64}
    name = points_file(tmp_path / "p.json", plain, point(1), fixed=fixed)
    found = warm_start(problem_over(SPACE), [name], {"lr": 0.1}, 4)
    assert [one["params"]["lr"] for one in found.points] == [0.5, 0.01]


def test_what_does_not_fit_is_said_with_parameter_and_value(tmp_path: Path) -> None:
    name = points_file(
        tmp_path / "p.json",
        point(9),
        point(7),
        point(1, neuron="plif"),
        point(1, lr="fast"),
        {"depth": 1, "neuron": "if"},
        point(2),
    )
    found = warm_start(problem_over(SPACE), [name], {}, 4)
    assert numbers(found) == [5]
    said = found.notes[0]
    whole = "parameter 'depth': expected a whole number in [1, 5]), e.g. 9"
    assert f"2 outside of this space ({whole}; " in said
    assert "(parameter 'neuron': got 'plif'." in said
    assert "(parameter 'lr': expected a number in [0.001, 1.0]), e.g. 'fast'" in said
    assert "1 without a value for lr (give it one with study.warm_start_fill.lr" in said


def test_a_file_none_of_whose_points_fits_is_refused(tmp_path: Path) -> None:
    name = points_file(tmp_path / "p.json", point(9))
    with pytest.raises(ConfigError, match=r"no point of .*p\.json fits: 1 outside of "):
        warm_start(problem_over(SPACE), [name], {}, 4)


def test_files_and_folders_take_turns(tmp_path: Path) -> None:
    folder = earlier(tmp_path / "a", (point(1), measured(0.1, 9.0)))
    name = points_file(tmp_path / "p.json", point(2), point(3))
    found = warm_start(problem_over(SPACE), [folder, name], {}, 3)
    assert [Path(one["folder"]).name for one in found.points] == [
        "a",
        "p.json",
        "p.json",
    ]


def test_a_broken_file_of_points_is_refused_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(
        ConfigError, match=r"study\.warm_start: .*p\.json: expected a f"
    ):
        warm_start(problem_over(SPACE), [str(tmp_path / "p.json")], {}, 4)
