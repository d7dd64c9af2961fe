"""The data of a page: every shape of study gives JSON that a page can read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from moosnn.events import Kind
from moosnn.problem import Objective
from moosnn.runtime.record import read_record
from moosnn.tracking.comparison import compared
from moosnn.tracking.comparison_fronts import fronts_comparison
from moosnn.tracking.front_plot import front_figure
from moosnn.tracking.grouping import group
from moosnn.tracking.page.data import Source, page_data
from moosnn.tracking.page.static import static_figures
from tests.tracking.page.stories import SPACE, Told, metrics, problem_of

POINT = {"depth": 1, "rate": 0.1, "kind": "if"}
KEYS = {
    *("name", "label", "optimizer", "seed", "finished", "budget", "counts"),
    *("objectives", "constraints", "parameters", "trials", "front", "hypervolume"),
    *("pooled",),
    *("confirmed", "importance", "models", "networks", "timeline", "failures"),
    *("config_yaml", "reproduce", "versions"),
}


def point(number: int) -> dict[str, Any]:
    return {**POINT, "rate": 0.01 + number / 100}


def study(problem=None, **header: Any) -> Told:
    return Told(problem or problem_of(), **header)


def one(story: Told, folder: Path = Path("nowhere")) -> dict[str, Any]:
    data = page_data([story.source(folder)])
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text)["groups"] == []
    (found,) = data["studies"]
    assert set(found) == KEYS
    columns = found["trials"]
    lengths = {len(c) for c in columns.values() if isinstance(c, list)}
    lengths |= {
        len(c) for key in ("params", "metrics", "sems") for c in columns[key].values()
    }
    assert lengths <= {len(story.history.trials)}
    for name, figure in static_figures(found).items():
        figure.draw_without_rendering()
        assert figure.axes, name
    return found


def numbers(data: Any) -> Iterator[float]:
    if isinstance(data, dict):
        for value in data.values():
            yield from numbers(value)
    elif isinstance(data, list):
        for value in data:
            yield from numbers(value)
    elif isinstance(data, float):
        yield data


def working(story: Told, count: int) -> Told:
    for number in range(count):
        story.propose(number, point(number))
        story.submit(number, number, "w")
        found = metrics(0.5 + number / 100, 10.0 + number)
        story.finish(number + 1, number, metrics=found, seconds=1.0)
    return story


def test_no_finished_trial():
    story = study()
    story.propose(0, POINT)
    story.submit(1, 0, "w")
    found = one(story)
    assert found["counts"]["pending"] == 1
    assert found["front"] == []
    assert found["hypervolume"] == 0
    assert found["importance"]["targets"] == found["models"]["targets"] == []
    assert found["trials"]["status"] == ["pending"]


def test_nothing_but_the_header():
    found = one(study())
    assert found["counts"]["ended"] == 0
    assert found["trials"]["number"] == []


def test_only_silent_trials():
    story = study()
    for number in range(30):
        story.propose(number, point(number))
        story.submit(number, number, "w")
        told = {"silence_margin": 1.0 + number}
        story.finish(number + 1, number, metrics=told, stopped="silent")
    found = one(story)
    assert found["counts"]["silent"] == 30
    assert found["front"] == []
    assert "no front" in found["models"]["note"]
    assert found["importance"]["targets"] == []
    assert set(found["trials"]["metrics"]["accuracy"]) == {None}


def test_only_failures():
    story = study()
    for number in range(4):
        story.propose(number, point(number))
        story.submit(number, number, "w")
        story.fail(number + 1, number, ["crashed", "diverged"][number == 3])
    found = one(story)
    assert found["counts"]["failed"] == 4
    kinds = [(f["kind"], f["count"], f["final"]) for f in found["failures"]]
    assert kinds == [("crashed", 3, 3), ("diverged", 1, 1)]
    assert found["failures"][1]["trials"] == [
        {
            **{"number": 3, "attempt": 1, "final": True, "message": "a test"},
            "log": "trials/000003/1/error.log",
        }
    ]


def test_one_objective():
    objectives = (Objective(metric="accuracy", goal="max", reference=0.3),)
    found = one(working(study(problem_of(objectives=objectives)), 25))
    assert found["front"] == [24]
    assert [t["kind"] for t in found["models"]["targets"]] == ["objective"]


def test_three_objectives():
    objectives = (
        *problem_of().objectives,
        Objective(metric="energy", goal="min", reference=10.0, unit="nJ"),
    )
    story = study(problem_of(objectives=objectives))
    for number in range(25):
        story.propose(number, point(number))
        told = {**metrics(0.5 + number / 100, 10.0 + number), "energy": number % 5}
        story.finish(number + 1, number, metrics=told)
    found = one(story)
    assert len(found["objectives"]) == len(found["models"]["targets"]) == 3
    assert len(found["front"]) > 1


def test_metrics_over_six_hundred_orders_of_magnitude():
    spikes = Objective(
        metric="spikes", goal="min", reference=1e305, scale="log", floor=1e-300
    )
    story = study(problem_of(objectives=(problem_of().objectives[0], spikes)))
    for number in range(24):
        story.propose(number, point(number))
        told = metrics(0.5 + number / 100, 10.0 ** (-300 + 26 * number))
        story.finish(number + 1, number, metrics=told)
    found = one(story)
    assert all(map(math.isfinite, numbers(found)))
    assert found["trials"]["metrics"]["spikes"][0] == 1e-300
    source = story.source()
    groups = group(
        [
            compared(
                source.name, source.config, source.problem, source.history, budget=24
            )
        ]
    )
    for figure in (
        front_figure(source.problem, source.history),
        fronts_comparison(groups),
    ):
        figure.draw_without_rendering()
        low, high = figure.axes[-1].get_xlim()
        assert 0 < low <= 1e-300
        assert 1e298 <= high < math.inf


def test_no_constraint():
    found = one(working(study(problem_of(constraints=())), 25))
    assert found["constraints"] == []
    assert {t["kind"] for t in found["models"]["targets"]} == {"objective"}
    assert {t["kind"] for t in found["importance"]["targets"]} == {"objective"}


def test_a_space_of_choices_only():
    space = {"a": {"choice": ["x", "y"]}, "b": {"choice": [True, 1.5, 2]}}
    story = study(problem_of(space))
    for number in range(6):
        params = {"a": "xy"[number % 2], "b": [True, 1.5, 2][number // 2]}
        story.propose(number, params)
        story.finish(
            number + 1, number, metrics=metrics(0.5 + number / 10, 10.0 + number)
        )
    for number in range(6, 24):
        story.propose(number, {"a": "x", "b": 2}, repeats=4)
        story.finish(number + 1, number, metrics=metrics(0.6, 50.0 + number))
    found = one(story)
    assert found["models"]["maps"] == []
    assert {s["parameter"] for s in found["models"]["slices"]} == {"a", "b"}
    assert found["counts"]["repeat"] == 18
    assert [p["options"] for p in found["parameters"]] == [["x", "y"], [True, 1.5, 2]]


def test_of_hundreds_of_options_some_are_labelled():
    space = {"a": {"choice": [f"option {k}" for k in range(300)]}}
    story = study(problem_of(space))
    for number in range(6):
        story.propose(number, {"a": f"option {50 * number}"})
        story.finish(number + 1, number, metrics=metrics(0.5 + number / 9, 10 + number))
    axes = static_figures(one(story))["parallel"].axes[0]
    named = [t.get_text() for t in axes.texts if t.get_text().startswith("option")]
    assert (named[0], named[-1]) == ("option 0", "option 299")
    assert len(named) == 16


def test_an_interrupted_and_continued_study_with_retries_and_corrections():
    story = study()
    for number in range(3):
        story.propose(number, point(number))
        story.submit(10 + number, number, "w1")
    story.fail(20, 0, "crashed", kind=Kind.RETRIED)
    story.fail(21, 1, "lost")
    story.say(Kind.OPENED, 5000)
    story.submit(5001, 0, "w2", attempt=2)
    story.finish(5010, 0, 2, metrics=metrics(0.9, 10), seconds=8)
    story.finish(5011, 1, kind=Kind.CORRECTED, metrics=metrics(0.8, 5), seconds=7)
    found = one(story)
    assert found["trials"]["status"] == ["front", "front", "pending"]
    assert found["trials"]["attempts"] == [2, 1, 1]
    assert found["timeline"]["to_s"] == 32
    assert {f["kind"]: f["final"] for f in found["failures"]} == {
        "crashed": 0,
        "lost": 1,
    }
    assert not found["finished"]


def test_confirmed_members_have_a_value_a_retraining():
    story = working(study(), 3)
    for replicate, margin in enumerate([-1.0, 0.5]):
        told = {**metrics(0.4 + replicate, 7.0, margin)}
        story.say(
            Kind.CONFIRMING,
            10,
            2,
            2 + replicate,
            {"replicate": replicate, "job_id": "w"},
        )
        story.say(
            Kind.CONFIRMED,
            11,
            2,
            2 + replicate,
            {"replicate": replicate, "evaluation": {"metrics": told}},
        )
    story.say(Kind.ENDED, 12, data={"reason": "budget"})
    found = one(story)
    assert found["confirmed"] == {
        "2": {
            **{"accuracy": [0.4, 1.4], "spikes": [7, 7], "silence_margin": [-1, 0.5]},
            **{"beyond": 1, "of": 2},
        }
    }
    assert found["finished"]
    assert found["trials"]["attempts"][2] == 1


def test_parameters_say_when_they_exist():
    space = {
        **SPACE,
        "tau": {
            "float": [1, 9],
            "when": [{"kind": ["lif", True]}, {"depth": {"max": 2}}],
        },
    }
    found = one(study(problem_of(space)))
    when = {p["name"]: p["when"] for p in found["parameters"]}
    assert when["depth"] is None
    assert when["width"] == "depth >= 2"
    assert when["tau"] == "kind is lif or True; or depth <= 2"
    depth, rate, *_ = found["parameters"]
    assert (depth["kind"], depth["low"], depth["high"]) == ("int", 1, 3)
    assert rate["log"]


def test_studies_that_differ_in_the_seed_are_a_group():
    story = working(study(), 3)
    first = story.source(name="runs/a")
    second = Source(
        **{
            **{key: getattr(first, key) for key in first.__slots__},
            "name": "runs/b",
            "config": {**first.config, "seed": 4},
        }
    )
    data = page_data([second, first])
    assert data["groups"] == [{"label": "ehvi", "studies": [1, 0]}]
    assert [s["label"] for s in data["studies"]] == ["ehvi, seed 4", "ehvi, seed 3"]


def test_the_config_is_the_file_s_or_else_the_journal_s(tmp_path):
    assert yaml.safe_load(one(study())["config_yaml"])["seed"] == 3
    (tmp_path / "config.yaml").write_text("seed: 3  # of everything\n")
    assert one(study(), tmp_path)["config_yaml"] == "seed: 3  # of everything\n"


def test_versions_come_from_the_header():
    versions = {"torch": "2.6", "python": "3.11.7"}
    machine = {"architecture": "x86_64", "processor": None}
    found = one(study(versions=versions, machine=machine, threads=1))
    expected = {**versions, "architecture": "x86_64", "threads": "1"}
    assert found["versions"] == expected


@pytest.fixture(scope="module")
def digits(digits_study: Path) -> dict[str, Any]:
    record = read_record(digits_study)
    source = Source(
        name=str(record.folder),
        folder=record.folder,
        config=record.config,
        problem=record.problem,
        history=record.history,
        budget=record.budget,
    )
    (found,) = page_data([source])["studies"]
    return found


def test_a_real_study_is_whole(digits):
    assert digits["counts"]["ended"] == 12
    assert digits["front"]
    assert all(map(math.isfinite, numbers(digits)))
    assert digits["config_yaml"].startswith("task:")
    assert digits["timeline"]["workers"]
    assert 0 < digits["timeline"]["utilisation"] <= 1
    assert digits["reproduce"][-1].startswith("python -m moosnn replay ")


def test_a_real_study_has_rasters_with_the_spikes_it_counts(digits):
    networks = digits["networks"]
    assert list(networks) == [str(number) for number in digits["front"]]
    for number, network in networks.items():
        steps = digits["trials"]["metrics"]["time_steps"][int(number)]
        assert network["raster"]["steps"] == steps
        for stage in network["raster"]["stages"]:
            assert len(stage["t"]) == len(stage["i"]) == stage["spikes"]
            assert max(stage["t"], default=0) < steps


def test_a_torn_journal_is_read_up_to_the_damage(digits_study, tmp_path):
    whole = (digits_study / "journal.jsonl").read_text().splitlines()
    (tmp_path / "journal.jsonl").write_text("\n".join(whole[:20]) + '\n{"event": "fin')
    record = read_record(tmp_path)
    source = Source(
        name="torn",
        folder=tmp_path,
        config=record.config,
        problem=record.problem,
        history=record.history,
        budget=record.budget,
    )
    (found,) = page_data([source])["studies"]
    assert len(found["trials"]["number"]) == record.history.proposals > 0
    assert not found["finished"]
