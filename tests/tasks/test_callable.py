"""A function of a user's own as a task, from its name to its metrics."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moosnn.__main__ import main
from moosnn.compose import compose
from moosnn.errors import ConfigError
from moosnn.events import Kind
from moosnn.pareto.front import front_of
from moosnn.runtime.attempt import run_attempt
from moosnn.runtime.journal import NAME, read
from moosnn.runtime.record import read_record
from moosnn.tasks.callable import CallableTask
from moosnn.tasks.dotted import digest, function_named
from moosnn.trial import Evaluation, Failure, Proposal

MINE = """
def train(params, seed, report, workdir):
    print("seen", params["lr"])
    (workdir / "note.txt").write_text(str(seed))
    for epoch in (1, 2, 3):
        if report(epoch, loss=params["lr"], size=params["width"]):
            break
    return {"loss": params["lr"], "size": params["width"], "epochs": epoch}

def test(params, seed):
    return {"loss": 2 * params["lr"], "size": params["width"]}
"""
SPACE = "space={lr: {float: [1e-3, 1], log: true}, width: {int: [1, 8]}}"
PROBLEM = (
    "problem={objectives: [{metric: loss, goal: min, reference: 1}, "
    "{metric: size, goal: min, reference: 8}]}"
)
WORDS = ["task=callable", PROBLEM, "optimizer=sobol", "study_dir=s"]
SURE = "study.confirm=0"
QUIET = ["tracker=none", "executor=inline", "study.budget=4"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setenv("LOGURU_LEVEL", "WARNING")


@pytest.fixture
def written(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Writes a module of a name that no other test has."""
    count = 0

    def write(text: str) -> str:
        nonlocal count
        count += 1
        name = f"mine_{abs(hash(request.node.nodeid)) % 10**9}_{count}"
        (tmp_path / f"{name}.py").write_text(text)
        request.addfinalizer(lambda: sys.modules.pop(name, None))
        return name

    return write


def ran(
    task: CallableTask, folder: Path, origin: str = "test", *, stop_at: int = 0
) -> Evaluation | Failure:
    point = {"lr": 0.5, "width": 3}
    proposal = Proposal(number=0, params=point, seed=7, origin=origin, seen=0)
    return run_attempt(task, proposal, folder, 1, lambda step, _: step == stop_at)


def test_a_function_gets_what_it_declares(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    result = ran(CallableTask(function=f"{written(MINE)}.train"), tmp_path)
    assert isinstance(result, Evaluation)
    assert result.metrics == {"loss": 0.5, "size": 3, "epochs": 3}
    assert result.stopped is None
    assert [p.read_text() for p in tmp_path.rglob("note.txt")] == ["7"]


def test_a_function_that_is_told_to_stop_was_pruned(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    task = CallableTask(function=f"{written(MINE)}.train")
    result = ran(task, tmp_path, stop_at=2)
    assert isinstance(result, Evaluation)
    assert (result.stopped, result.metrics["epochs"]) == ("pruned", 2)


def test_the_point_alone_is_enough(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written("def train(p):\n    return {'loss': p['lr'] + p['depth']}\n")
    task = CallableTask(function=f"{name}.train", fixed={"depth": 2})
    result = ran(task, tmp_path)
    assert isinstance(result, Evaluation)
    assert result.metrics == {"loss": 2.5}


@pytest.mark.parametrize("end", ["return {'loss': 1}", "raise ValueError"])
def test_the_next_point_begins_in_the_same_folder(
    end: str, tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written(f"import os\ndef train(params):\n    os.chdir('/')\n    {end}\n")
    ran(CallableTask(function=f"{name}.train"), tmp_path)
    assert Path.cwd() == tmp_path


def test_another_function_confirms(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written(MINE)
    task = CallableTask(function=f"{name}.train", confirm=f"{name}.test")
    result = ran(task, tmp_path, "confirm")
    assert isinstance(result, Evaluation)
    assert result.metrics == {"loss": 1.0, "size": 3}
    assert [
        one.abilities.confirms for one in (task, CallableTask(function=f"{name}.train"))
    ] == [True, False]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("return None", "crashed", "expected a mapping of metrics of the function"),
        ("return 0.5", "crashed", "e.g. {'loss': 0.5}, got 0.5"),
        ("return {'loss': float('nan')}", "diverged", "loss is nan"),
        ("return {'loss': 'low'}", "crashed", "expected a number, got loss='low'"),
        ("return {'loss': None}", "crashed", "expected a number, got loss=None"),
        ("return {'loss': [1]}", "crashed", "expected a number, got loss=[1]"),
        (
            "return {'los': 1}",
            "invalid",
            "returned no loss (task.metrics); it returned",
        ),
        ("raise KeyError('x')", "crashed", "KeyError: 'x'"),
        ("import sys; sys.exit(3)", "crashed", "SystemExit: 3"),
        ("report(1, loss=float('inf'))", "diverged", "step 1: loss is inf"),
    ],
)
def test_what_is_no_measurement_is_a_failure_with_a_log(
    body: str, kind: str, message: str, tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written(f"def train(params, report):\n    {body}\n")
    task = CallableTask(function=f"{name}.train", metrics=["loss"])
    result = ran(task, tmp_path)
    assert isinstance(result, Failure)
    assert result.kind == kind
    assert message in result.message
    assert result.log is not None
    assert "Traceback" in (tmp_path / result.log).read_text()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("{}.trian", "has no 'trian'. Did you mean 'train'? Known: test, train."),
        ("{}x.train", "and none is installed. Did you mean '{}'?"),
        ("train", "such as my_train.train for train in my_train.py, got 'train'"),
        ("random.train", "/random.py) has no 'train'"),  # Python's, not ours here
        ("{}.train.lr", "but {}.train is no module: give what is meant a name of its"),
        ("os.sep", "expected a function, but os.sep is '/'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(
    named: str, message: str, written: Callable[[str], str]
) -> None:
    name = written(MINE)
    with pytest.raises(ConfigError) as raised:
        CallableTask(function=named.format(name))
    assert message.replace("{}", name) in str(raised.value)
    assert str(raised.value).startswith("task.function: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero ("),
        ("\n\nimport nonesuch", "No module named 'nonesuch' ("),
        ("import sys\nsys.exit()", "failed: SystemExit ("),
        ("def train(:", "SyntaxError: invalid syntax (mine_"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why_and_where(
    text: str, message: str, written: Callable[[str], str]
) -> None:
    name = written(text)
    with pytest.raises(ConfigError) as raised:
        CallableTask(function=f"{name}.train")
    assert f"task.function: importing {name} failed" in str(raised.value)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_function_that_takes_something_else_is_refused(
    written: Callable[[str], str],
) -> None:
    name = written("def train(lr, width): ...\ndef none(): ...\nclass Net: ...\n")
    for function in ("train", "none", "Net"):
        with pytest.raises(ConfigError, match="one parameter, which gets all values"):
            CallableTask(function=f"{name}.{function}")
    with pytest.raises(ConfigError, match=r"task\.function: expected the dotted name"):
        CallableTask()
    with pytest.raises(ConfigError, match=r"task\.metrics: expected names"):
        CallableTask(function=f"{written(MINE)}.train", metrics="loss")


def test_a_function_of_one_value_is_not_given_them_all(
    written: Callable[[str], str],
) -> None:
    """``def train(lr, width=8)`` could be called: lr would be all values."""
    name = written("def train(lr, width=8): ...\n")
    task = CallableTask(function=f"{name}.train")
    task.check({"width": 3})
    with pytest.raises(
        ConfigError, match=r"task\.function: .*\.train: .* called lr, as"
    ):
        task.check({"lr": 0.1, "width": 3})


@pytest.mark.parametrize("start", ["async def train(p): ...", "def train(p): yield 1"])
def test_a_function_that_returns_before_it_ran_is_refused(
    start: str, written: Callable[[str], str]
) -> None:
    with pytest.raises(ConfigError, match="got one that is async or yields"):
        CallableTask(function=f"{written(start)}.train")


def test_a_pruner_needs_a_function_that_reports(written: Callable[[str], str]) -> None:
    name, rungs = written(MINE), {"first": 1, "eta": 3}
    CallableTask(function=f"{name}.train", rungs=rungs)
    with pytest.raises(ConfigError, match=r"pruner: .* tells nothing before its end"):
        CallableTask(function=f"{name}.test", rungs=rungs)


def test_the_digest_is_of_the_code_and_not_of_its_comments(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written(MINE)
    function = function_named(f"{name}.train", "task.function")
    before = digest(function)
    (tmp_path / f"{name}.py").write_text(f"# a note\n{MINE}\n\n")
    assert digest(function) == before
    (tmp_path / f"{name}.py").write_text(MINE.replace("2 *", "3 *"))
    assert digest(function) != before
    assert digest(math.sqrt) == "unknown"


def test_the_digest_of_an_object_is_that_of_the_file_it_is_written_in(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    text = (
        "from functools import partial\n"
        "class Train:\n"
        "    def __call__(self, params): return {'loss': 1}\n"
        "    def run(self, params): return {'loss': 1}\n"
        "def with_more(more, params): return {'loss': more}\n"
        "made, run, part = Train(), Train().run, partial(with_more, 3)\n"
    )
    name = written(text)
    found = [function_named(f"{name}.{f}", "") for f in ("with_more", "made", "run")]
    found.append(function_named(f"{name}.part", ""))
    before = {digest(function) for function in found}
    assert len(before) == 1
    assert before != {"unknown"}
    (tmp_path / f"{name}.py").write_text(text.replace("1", "2"))
    assert not before & {digest(function) for function in found}


def test_a_mistake_is_one_line_before_anything_runs(
    tmp_path: Path,
    written: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = written(MINE)
    trains, tests = f"task.function={name}.train", f"task.function={name}.test"
    for words, message in (
        ([SPACE, f"task.function={name}.trian", SURE], "Did you mean 'train'?"),
        ([SPACE, trains], "study.confirm: the task has nothing to confirm points by"),
        ([SPACE, trains, SURE, "task.metrics=[loss]"], "does not measure 'size'"),
        ([SPACE, tests, SURE, "pruner=halving"], "let it declare report"),
        (["space=own", trains, SURE], "space: expected at least one parameter"),
    ):
        assert main([*WORDS, *QUIET, *words]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_an_edited_function_is_told_of_and_the_study_goes_on(
    tmp_path: Path,
    written: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = written(MINE)
    words = [*WORDS, *QUIET, SPACE, f"task.function={name}.train", SURE]
    assert main(words) == 0
    (tmp_path / f"{name}.py").write_text(f"{MINE}\nx = 1\n")
    capsys.readouterr()
    assert main([*words, "study.budget=5"]) == 0
    out = capsys.readouterr().out
    assert f"note: this study was made with other code.{name}.train: then" in out
    assert len(read(tmp_path / "s" / NAME).history.done) == 5
    assert main(["replay", "s"]) == 0
    assert "bit for bit" in capsys.readouterr().out


def test_a_study_needs_no_declared_metrics_and_names_the_missing_one(
    tmp_path: Path,
    written: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = written("def train(params):\n    return {'loss': params['lr']}\n")
    words = [*WORDS, *QUIET, SPACE, f"task.function={name}.train", SURE]
    main(words)
    failed = read(tmp_path / "s" / NAME).history.failed
    assert len(failed) == 4
    assert {trial.failure.kind for trial in failed if trial.failure} == {"invalid"}
    assert "size" in str(failed[0].failure)


def test_a_metric_of_a_function_may_void_a_trial(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written(
        "def train(params):\n    return {'loss': params['lr'], 'size': params['width'],"
        " 'quiet': params['width'] - 4}\n"
    )
    voids = PROBLEM.replace("]}", "], constraints: [{metric: quiet, voids: true}]}")
    words = [*WORDS, *QUIET, SPACE, voids, f"task.function={name}.train", SURE]
    words.remove(PROBLEM)
    assert main([*words, "study.budget=8"]) == 0
    trials = read(tmp_path / "s" / NAME).history
    front = front_of(read_record(tmp_path / "s").problem, trials.done)
    assert len(front) > 0
    assert all(trials.trial(k).proposal.params["width"] <= 4 for k in front.numbers)
    assert any(t.proposal.params["width"] > 4 for t in trials.done)


def test_a_space_in_braces_takes_the_place_of_the_default_one() -> None:
    options = ["1", "b c", 'a "b"', None, 2, 0.5, True]
    text = """['1', 'b c', 'a "b"', null, 2, 0.5, true]"""
    (job,) = compose(
        [f"space={{kind: {{choice: {text}}}, x: {{float: [1e-5, 1]}}}}", PROBLEM],
        lambda _: None,
        lambda _: None,
    )
    assert job.config["space"] == {
        "kind": {"choice": options},
        "x": {"float": [1e-5, 1]},
    }
    assert job.config["problem"]["constraints"] == []
    assert [o["metric"] for o in job.config["problem"]["objectives"]] == [
        "loss",
        "size",
    ]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("space={}", "an empty mapping changes nothing"),
        ("space={lr: {flaot: [0, 1]}}", "space.lr: unknown key 'flaot'. Did you mean"),
        ("space={lr: {float: [0, 1}}", "cannot read"),
        ("problem={objectives: [{metrik: a}]}", "unknown key 'metrik'. Did you mean"),
    ],
)
def test_a_mistake_in_braces_is_one_line(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word, "tracker=none"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


EXPERIMENT = """\
# @package _global_
defaults:
  - override /task: callable
  - override /space: own
  - override /problem: own

task:
  function: {0}.train
  confirm: {0}.test
space:
  lr: {{float: [1e-3, 1], log: true}}
  width: {{int: [1, 8]}}
problem:
  objectives:
    - {{metric: loss, goal: min, reference: 1}}
    - {{metric: size, goal: min, reference: 8}}
study:
  budget: 6
  confirm: 1
"""


def test_workers_find_the_function_of_an_experiment_of_ones_own(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    name = written(MINE)
    (tmp_path / "my_conf/experiment").mkdir(parents=True)
    (tmp_path / "my_conf/experiment/mine.yaml").write_text(EXPERIMENT.format(name))
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "moosnn"),  # which is not run from here
            "--config-dir=my_conf",
            "+experiment=mine",
            "executor.workers=1",
            "optimizer=sobol",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    study = tmp_path / "runs/mine-sobol-s0"
    history = read(study / NAME).history
    assert len(history.done) == 6
    confirmed = [e.data for e in history.of_kind(Kind.CONFIRMED)]
    assert len(confirmed) == 3
    logs = [p.read_text() for p in study.glob("trials/*/1/output.log")]
    assert len(logs) >= 5  # a retraining's number is that of its trial
    assert all(text.startswith("seen ") for text in logs)
