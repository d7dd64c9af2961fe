"""Networks of the front: rates of the journal, spikes of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moosnn.snn.raster import RASTER, Raster, Stage, save_raster
from moosnn.tracking.page import networks
from moosnn.tracking.page.networks import MOST_SPIKES, networks_json
from moosnn.tracking.page.trials_columns import Trials
from moosnn.tracking.results import WEIGHTS, Results
from tests.tracking.page.stories import Told, metrics, problem_of

POINT = {"depth": 1, "kind": "if"}


def stages(**rates: float) -> dict[str, float]:
    """Two stages' metrics."""
    return {
        **metrics(0.9, 10),
        **{f"firing_rate.{k}": 0.1 * k for k in (1, 2)},
        **{f"dead_fraction.{k}": 0.01 * k for k in (1, 2)},
        **{f"silent_fraction.{k}": 0.0 for k in (1, 2)},
        **rates,
    }


def told(count: int = 1) -> Told:
    story = Told(problem_of())
    for number in range(count):
        story.propose(number, {**POINT, "rate": 0.1 + number / 100})
        story.submit(number, number, "w")
        found = {**stages(), "accuracy": 0.5 + number / 100, "spikes": 10.0 + number}
        story.finish(number + 1, number, metrics=found)
    return story


def raster(neurons: int = 9, steps: int = 4, rate: float = 0.4) -> Raster:
    dice = np.random.default_rng(5)
    return Raster(
        sample=0,
        split="validation",
        truth=3,
        answer=3,
        stages=tuple(
            Stage(
                name=name,
                neurons=neurons,
                spikes=int(fired.sum()),
                shown=tuple(range(neurons)),
                fired=fired,
            )
            for name in ("one", "two")
            if (fired := dice.random((steps, neurons)) < rate) is not None
        ),
    )


def of(folder: Path, story: Told) -> dict:
    trials = Trials.of(story.problem, story.history)
    return networks_json(folder, story.history, trials.shown, trials.front.numbers)


def attempt(folder: Path, number: int, number_of_attempt: int = 1) -> Path:
    path = folder / "trials" / f"{number:06d}" / str(number_of_attempt)
    path.mkdir(parents=True)
    return path


def test_rates_are_those_of_the_journal_without_a_file(tmp_path):
    found = of(tmp_path, told())["0"]
    assert found["rates_per_step"] == [0.1, 0.2]
    assert found["dead"] == [0.01, 0.02]
    assert found["silent"] == [0, 0]
    assert found["stages"] == ["1", "2"]
    assert found["neurons"] is None
    assert found["raster"] is None


def test_every_spike_of_the_file_is_there(tmp_path):
    kept = raster()
    save_raster(attempt(tmp_path, 0), kept)
    found = of(tmp_path, told())["0"]
    assert found["stages"] == ["one", "two"]
    assert found["neurons"] == [9, 9]
    shown = found["raster"]
    assert (shown["steps"], shown["class"], shown["answer"]) == (4, 3, 3)
    for ours, stage in zip(shown["stages"], kept.stages, strict=True):
        fired = np.zeros((4, 9), dtype=bool)
        fired[ours["t"], ours["i"]] = True
        assert np.array_equal(fired, stage.fired)
        assert len(ours["t"]) == ours["spikes"] == stage.spikes
        assert ours["rate"] == pytest.approx(stage.fired.mean(), rel=1e-5)


def test_it_is_the_attempt_that_was_measured_that_counts(tmp_path):
    story = Told(problem_of())
    story.propose(0, {**POINT, "rate": 0.1})
    story.submit(0, 0, "w")
    story.fail(1, 0, "lost", kind="retried")
    story.submit(2, 0, "w", attempt=2)
    story.finish(3, 0, 2, metrics=stages())
    save_raster(attempt(tmp_path, 0, 1), raster(neurons=5))
    save_raster(attempt(tmp_path, 0, 2), raster(neurons=7))
    assert of(tmp_path, story)["0"]["neurons"] == [7, 7]


def test_a_raster_of_another_network_is_none(tmp_path):
    story = Told(problem_of())
    story.propose(0, {**POINT, "rate": 0.1})
    story.submit(0, 0, "w")
    only = {k: v for k, v in stages().items() if not k.endswith(".2")}
    story.finish(1, 0, metrics=only)
    save_raster(attempt(tmp_path, 0), raster())
    found = of(tmp_path, story)["0"]
    assert found["raster"] is None
    assert found["stages"] == ["1"]


def test_of_many_spikes_fewer_neurons_are_shown(tmp_path):
    kept = raster(neurons=200, steps=50, rate=0.9)
    save_raster(attempt(tmp_path, 0), kept)
    (one, _) = of(tmp_path, told())["0"]["raster"]["stages"]
    assert len(one["t"]) <= MOST_SPIKES
    assert one["shown"] == 50
    assert one["spikes"] == kept.stages[0].spikes
    assert all(
        kept.stages[0].fired[t, i] for t, i in zip(one["t"], one["i"], strict=True)
    )


def test_of_a_long_front_some_members_have_a_raster(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "MOST_RASTERS", 3)
    for number in range(9):
        save_raster(attempt(tmp_path, number), raster())
    found = of(tmp_path, told(9))
    assert len(found) == 9
    pictured = [number for number, one in found.items() if one["raster"]]
    front = list(found)
    assert pictured == [front[0], front[4], front[8]]


def test_a_task_without_stages_has_no_networks(tmp_path):
    story = Told(problem_of())
    story.propose(0, {**POINT, "rate": 0.1})
    story.finish(1, 0, metrics=metrics(0.9, 10))
    assert of(tmp_path, story) == {}


def test_a_raster_is_deleted_with_the_weights(tmp_path):
    story = told(1)
    story.propose(1, {**POINT, "rate": 0.5})
    story.finish(5, 1, metrics={**stages(), "accuracy": 0.1, "spikes": 900.0})
    for number in (0, 1):
        folder = attempt(tmp_path, number)
        save_raster(folder, raster())
        (folder / WEIGHTS).write_bytes(b"")
    results, history = Results(folder=tmp_path, problem=story.problem), story.history
    for position in range(len(history)):
        results.on_event(history[position], history.prefix(position + 1))
    assert (tmp_path / "trials/000000/1" / RASTER).exists()
    assert not (tmp_path / "trials/000001/1" / RASTER).exists()
    assert not (tmp_path / "trials/000001/1" / WEIGHTS).exists()
