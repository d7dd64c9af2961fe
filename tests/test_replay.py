"""Each proposal of a study follows from what its optimizer had seen, bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moosnn.__main__ import main
from moosnn.asktell import Search
from moosnn.errors import ConfigError, JournalError
from moosnn.events import Kind
from moosnn.optimizers.base import Fresh
from moosnn.optimizers.evolution import Nsga2
from moosnn.optimizers.sobol import sobol_point
from moosnn.replay import TOLERANCE, Sample, replay
from moosnn.runtime.journal import NAME
from moosnn.runtime.record import read_record
from tests.helpers import load_space, toy_problem
from tests.snn.data import writers

BUDGET = 30
WORKERS = 8
Line = dict[str, Any]


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose eight workers end their trials in whatever order they like."""
    folder = tmp_path_factory.mktemp("replay") / "study"
    words = ["+experiment=smoke", "optimizer=nsga2", f"executor.workers={WORKERS}"]
    small = [f"study.budget={BUDGET}", "study.confirm=1", "task.seconds=0.3"]
    words += [*small, "optimizer.initial=8", f"study_dir={folder}"]
    assert main(words) == 0
    return folder


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def altered(study: Path, to: Path, change: Callable[[list[Line]], None]) -> Path:
    """A copy of a study's journal and config, of which something was changed."""
    to.mkdir()
    shutil.copy(study / "config.yaml", to)
    lines = [json.loads(line) for line in (study / NAME).read_text().splitlines()]
    change(lines)
    (to / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return to


def of_kind(lines: list[Line], kind: str, number: int) -> Line:
    (found,) = (x for x in lines if (x["event"], x["number"]) == (kind, number))
    return found


# --------------------------------------------------------------------------- equal


def test_a_study_of_eight_workers_is_replayed_exactly(
    parallel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = read_record(parallel)
    proposed = record.history.of_kind(Kind.PROPOSED)
    waited = [len(record.history.prefix(e.data["seen"]).pending) for e in proposed]
    bred = [e for e in proposed if e.data["origin"] == "nsga2"]
    # It is worth something: proposals were made while most of the workers were busy.
    assert max(waited) >= WORKERS - 1
    assert len(bred) >= BUDGET // 2
    before = {p: p.stat().st_mtime_ns for p in parallel.rglob("*") if p.is_file()}
    seen: list[tuple[int, int, int]] = []
    replayed = replay(record, on_checked=lambda *now: seen.append(now))
    assert (replayed.proposals, replayed.checked) == (BUDGET, BUDGET)
    assert (replayed.exact, replayed.differences) == (True, ())
    assert seen == [(n + 1, BUDGET, 0) for n in range(BUDGET)]
    capsys.readouterr()
    assert main(["replay", str(parallel)]) == 0
    out, err = capsys.readouterr()
    same = f"{BUDGET} of {BUDGET} proposals are the same again, bit for bit"
    assert (out, err) == (f"{parallel}: {same}\n", "")
    assert before == {
        p: p.stat().st_mtime_ns for p in parallel.rglob("*") if p in before
    }


def test_a_study_that_was_interrupted_is_replayed_exactly(tmp_path: Path) -> None:
    words = ["+experiment=smoke", "optimizer=nsga2", "optimizer.initial=4"]
    words += ["executor=inline", "study.confirm=1", "study_dir=s"]
    for budget in (9, 16):
        assert main([*words, f"study.budget={budget}"]) == 0
    record = read_record(tmp_path / "s")
    assert record.history.of_kind(Kind.OPENED)
    assert replay(record).differences == ()
    assert replay(record).checked == 16


def test_given_points_and_repeats_are_replayed(tmp_path: Path) -> None:
    point = {
        name: load_space("toy_snn").parameters[name].decode(0.3)
        for name in load_space("toy_snn")
    }
    spelled = ",".join(f"{name}:{value}" for name, value in point.items())
    words = ["+experiment=smoke", "optimizer=nsga2", "optimizer.initial=4"]
    words += ["executor=inline", "study.confirm=0", "study.budget=24", "study_dir=s"]
    words += [f"study.enqueue=[{{{spelled}}}]", "study.replicates={share: 0.4}"]
    assert main(words) == 0
    record = read_record(tmp_path / "s")
    origins = {trial.proposal.origin for trial in record.history.trials}
    assert {"enqueued", "replicate", "nsga2"} <= origins
    assert replay(record).differences == ()


def test_data_are_where_the_folders_config_says(tmp_path: Path) -> None:
    """Where they lie is no part of what a study is, so the journal does not know it."""
    root = writers.write_mnist(tmp_path / "before")
    words = ["+experiment=nas_mlp", "optimizer=sobol", "data=mnist", "executor=inline"]
    small = ["study.budget=2", "study.confirm=0", "study_dir=s"]
    assert main([*words, *small, f"data.root={root}"]) == 0
    root.rename(tmp_path / "after")
    config = tmp_path / "s/config.yaml"
    config.write_text(config.read_text().replace(str(root), str(tmp_path / "after")))
    assert replay(read_record(tmp_path / "s")).differences == ()


def test_a_search_of_ones_own_is_replayed(tmp_path: Path) -> None:
    problem = toy_problem()
    objects = Nsga2(initial=4)
    for name, optimizer in (("named", "nsga2"), ("object", objects)):
        with Search(
            problem.space, problem.objectives, optimizer=optimizer, folder=name
        ) as search:
            waiting = [search.ask() for _ in range(3)]
            for number in range(30):
                waiting.append(search.ask())
                told = waiting.pop(number % 3)
                search.tell(told, {"accuracy": 0.5, "spikes_per_sample": 1.0 + number})
    assert replay(read_record(tmp_path / "named")).differences == ()
    # Of an object nobody knows the settings.
    record = read_record(tmp_path / "object")
    with pytest.raises(ConfigError, match=r"given as an object .*replay it in Python"):
        replay(record)
    assert replay(record, optimizer=objects).differences == ()


def test_a_sample_of_a_long_study(
    parallel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, count in (
        (["--every", "7"], 5),
        (["--from", "10"], 20),
        (["--from", "10", "--to", "10"], 1),
        (["--to", "9", "--every", "4"], 3),
    ):
        assert main(["replay", str(parallel), *words]) == 0
        said = f"{count} of {count} checked (of {BUDGET}) proposals are the same again"
        assert said in capsys.readouterr().out
    assert list(Sample(first=10, last=20, every=4).numbers(BUDGET)) == [10, 14, 18]


# ----------------------------------------------------------------------- different


def test_one_altered_parameter_is_found(
    parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(lines: list[Line]) -> None:
        params = of_kind(lines, "proposed", BUDGET - 1)["params"]
        before.append(params["lr"])
        params["lr"] *= 1 + 1e-15  # its last bits

    before: list[float] = []
    study = altered(parallel, tmp_path / "s", change)
    (difference,) = replay(read_record(study)).differences
    assert (difference.number, difference.what) == (BUDGET - 1, "lr")
    assert difference.now == before[0] != difference.then
    capsys.readouterr()
    assert main(["replay", "s"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        f"s: 1 of {BUDGET} proposals differ; the first is trial {BUDGET - 1}: lr: then "
        f"{difference.then}, now {difference.now}\n"
    )
    assert main(["replay", "s", "--to", str(BUDGET - 2)]) == 0
    capsys.readouterr()
    assert main(["replay", "s", "--from", str(BUDGET - 2)]) == 1
    said = f"s: 1 of 2 checked (of {BUDGET}) proposals differ; the first is trial"
    assert capsys.readouterr().out.startswith(said)


def test_one_altered_measurement_is_found(tmp_path: Path) -> None:
    """Children of a trial that is made to look best are others."""
    words = ["+experiment=smoke", "optimizer=nsga2", "optimizer.initial=4"]
    small = ["executor=inline", "study.budget=24", "study.confirm=0", "study_dir=s"]
    assert main([*words, *small]) == 0

    def change(lines: list[Line]) -> None:
        evaluation = next(x for x in lines if x["event"] == "finished")["evaluation"]
        best = {"silence_margin": -1.0, "accuracy": 0.99, "spikes_per_sample": 1.0}
        evaluation["metrics"].update(best)
        evaluation["stopped"] = None

    assert replay(read_record(tmp_path / "s")).differences == ()
    study = altered(tmp_path / "s", tmp_path / "altered", change)
    replayed = replay(read_record(study))
    assert replayed.differences
    first = replayed.differences[0]
    assert first.number >= 4
    assert first.what in load_space("toy_snn")


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", 1), ("origin", "sobol"), ("repeats", 0), ("seen", 1), ("seen", 10**6)],
)
def test_whatever_else_is_altered_is_found(
    key: str, value: Any, parallel: Path, tmp_path: Path
) -> None:
    def change(lines: list[Line]) -> None:
        of_kind(lines, "proposed", 20)[key] = value

    study = altered(parallel, tmp_path / "s", change)
    # Such as they are now, a proposal that follows had seen this one.
    sample = Sample(first=20, last=20)
    (difference,) = replay(read_record(study), sample).differences
    assert (difference.number, difference.what) == (20, key)
    assert difference.then == value


def test_with_other_versions_it_is_equal_to_a_tolerance_and_that_is_said(
    parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(lines: list[Line], shift: float) -> None:
        lines[0]["versions"]["numpy"] = "1.0"
        lines[0]["threads"] = 4
        of_kind(lines, "proposed", BUDGET - 1)["params"]["lr"] *= 1 + shift

    space = load_space("toy_snn")
    for name, shift, code in (("near", 1e-7, 0), ("far", 1e-4, 1)):
        study = altered(parallel, tmp_path / name, lambda x, s=shift: change(x, s))
        record = read_record(study)
        recorded = record.history.trial(BUDGET - 1).proposal.params["lr"]
        meant = read_record(parallel).history.trial(BUDGET - 1).proposal.params["lr"]
        parameter = space.parameters["lr"]
        moved = abs(parameter.encode(recorded) - parameter.encode(meant))
        assert (0 < moved <= TOLERANCE) == (code == 0)
        replayed = replay(record)
        assert not replayed.exact
        assert len(replayed.differences) == code
        capsys.readouterr()
        assert main(["replay", name]) == code
        out, err = capsys.readouterr()
        notes = err.splitlines()
        assert len(notes) == 2
        assert notes[0].startswith("note: this study was made with other versions: num")
        assert notes[1] == (
            "note: this study was made with other threads: then 4, now 1"
        )
        assert (f"to {TOLERANCE:g}" in out) == (code == 0)


# ------------------------------------------------------------------------ fallbacks


def test_what_the_clock_decided_is_checked_to_be_the_fallback(
    parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An optimizer that ran out of time gave the Sobol point in the child's place."""
    record = read_record(parallel)
    number = BUDGET - 1
    asked = record.history.trial(number).proposal
    seen = record.history.prefix(asked.seen)
    point = sobol_point(record.problem.space, Fresh(record.problem, seen), 0, number)
    assert point is not None
    assert point != dict(asked.params)

    def waited(lines: list[Line], params: Mapping[str, Any]) -> None:
        line = of_kind(lines, "proposed", number)
        line.update(origin="fallback", params=dict(params), late=True)

    study = altered(parallel, tmp_path / "a", lambda lines: waited(lines, point))
    replayed = replay(read_record(study))
    assert (replayed.fallbacks, replayed.differences) == (1, ())
    assert main(["replay", "a"]) == 0
    assert "; 1 of them fallbacks after a time limit" in capsys.readouterr().out
    # Another point is none.
    other = {**point, "width": 17 if point["width"] == 16 else 16}
    study = altered(parallel, tmp_path / "b", lambda lines: waited(lines, other))
    (difference,) = replay(read_record(study)).differences
    assert difference.number == number
    # Nor is one for which the clock is not to blame.
    study = altered(
        parallel,
        tmp_path / "c",
        lambda lines: of_kind(lines, "proposed", number).update(
            origin="fallback", params=dict(point)
        ),
    )
    assert len(replay(read_record(study)).differences) == 1


# ------------------------------------------------------------------------- mistakes


def test_what_cannot_be_replayed(
    parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / NAME).write_text('{"event": "ended"}\n')
    for words, said in (
        (["nowhere"], "nowhere: no such folder."),
        (["empty"], "empty: holds no study"),
        ([], "replay: expected a folder (DIR)."),
        (["bad"], "bad: holds no study"),
        ([str(parallel), "--every", "0"], "replay: --every: expected K >= 1, got 0."),
        ([str(parallel), "--from", "x"], "replay: --from: expected a whole number"),
        ([str(parallel), "--form", "3"], "replay: unknown option '--form'. Did you me"),
        (
            [str(parallel), "--to", str(BUDGET)],
            f"replay: expected 0 <= from <= to <= {BUDGET - 1}, the last trial of the "
            f"study, got from 0 to {BUDGET}.",
        ),
        (
            [str(parallel), "--from", "9", "--to", "3"],
            f"replay: expected 0 <= from <= to <= {BUDGET - 1}, the last trial of the "
            "study, got from 9 to 3.",
        ),
    ):
        assert main(["replay", *words]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"moosnn: {said}"), err
        assert err.count("\n") == 1


def test_a_study_that_has_only_begun(parallel: Path, tmp_path: Path) -> None:
    def change(lines: list[Line]) -> None:
        del lines[1:]

    study = altered(parallel, tmp_path / "s", change)
    replayed = replay(read_record(study))
    assert (replayed.checked, replayed.differences) == (0, ())


def test_a_header_that_lacks_the_optimizer(parallel: Path, tmp_path: Path) -> None:
    def change(lines: list[Line]) -> None:
        del lines[0]["config"]["optimizer"]

    study = altered(parallel, tmp_path / "s", change)
    with pytest.raises(JournalError, match=r"study's header \(no optimizer\)"):
        replay(read_record(study))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer", 3),
        ("task", "x"),
        ("seed", "a"),
        ("seed", 1),
        ("study", {"enqueue": []}),
        ("study", 3),
    ],
)
def test_an_altered_header_is_found(
    key: str,
    value: Any,
    parallel: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def change(lines: list[Line]) -> None:
        lines[0]["config"][key] = value

    altered(parallel, tmp_path / "s", change)
    capsys.readouterr()
    assert main(["replay", "s"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "moosnn: s: the journal's first line was altered: its config does not match "
        "its digest; replay an untouched copy.\n"
    )


def test_an_altered_fingerprint_is_found(parallel: Path, tmp_path: Path) -> None:
    def change(lines: list[Line], value: Any) -> None:
        lines[0]["fingerprint"] = value

    for name, value in (("a", {"data": "0"}), ("b", "x"), ("c", 3)):
        study = altered(parallel, tmp_path / name, lambda x, v=value: change(x, v))
        with pytest.raises(JournalError, match="first line was altered"):
            replay(read_record(study))


def test_a_damaged_journal_is_not_replayed(
    parallel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody may take the part that can be read for the whole."""

    def is_twenty(line: Line) -> bool:
        return (line["event"], line["number"]) == ("proposed", 20)

    def unreadable(lines: list[Line]) -> None:
        lines[40]["event"] = "x"

    def missing(lines: list[Line]) -> None:
        lines[:] = [line for line in lines if not is_twenty(line)]

    def negative(lines: list[Line]) -> None:
        of_kind(lines, "proposed", 20)["seen"] = -1

    text = (parallel / NAME).read_text().splitlines()
    place = [is_twenty(json.loads(line)) for line in text].index(True) + 1
    for name, change, damaged in (
        ("unreadable", unreadable, {41}),
        ("missing", missing, {*range(place, place + 9)}),  # the next of trial 20 or 21
        ("negative", negative, {place}),
    ):
        altered(parallel, tmp_path / name, change)
        capsys.readouterr()
        assert main(["replay", name]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        last = err.splitlines()[-1]
        start = "moosnn: it cannot be replayed as a whole: "
        assert last.startswith(f"{start}{name}/{NAME}: line ")
        assert int(last.partition(": line ")[2].split()[0]) in damaged


def test_a_torn_last_line_is_no_damage(parallel: Path, tmp_path: Path) -> None:
    study = altered(parallel, tmp_path / "s", lambda lines: None)
    with (study / NAME).open("a") as journal:
        journal.write('{"event": "propo')
    sample = Sample(first=BUDGET - 1)
    assert replay(read_record(study), sample).differences == ()


def test_an_epoch_that_no_driver_opened_is_found(
    parallel: Path, tmp_path: Path
) -> None:
    """All lines after it would be passed over, and the rest would be the same."""

    def change(lines: list[Line]) -> None:
        of_kind(lines, "proposed", 9)["epoch"] = 99

    study = altered(parallel, tmp_path / "s", change)
    assert read_record(study).history.proposals == 10
    with pytest.raises(
        JournalError, match=r"line proposed of trial 9 was altered: its epoch is 99"
    ):
        replay(read_record(study))
