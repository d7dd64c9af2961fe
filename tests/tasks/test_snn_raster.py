"""The raster that a training leaves: it is there, and it changes nothing."""

from __future__ import annotations

import moosnn.snn.raster
from moosnn.snn.raster import RASTER, read_raster
from moosnn.tasks.snn import SnnTask
from tests.helpers import timeless
from tests.tasks.test_snn import QUICK, SILENT, Context, proposal


def test_a_working_network_leaves_the_spikes_of_a_held_out_sample(tmp_path):
    done = SnnTask().evaluate(proposal({**QUICK, "coding": "rate"}), Context(tmp_path))
    raster = read_raster(tmp_path)
    assert raster is not None
    assert raster.split == "validation"
    (stage,) = raster.stages
    assert stage.neurons == 32
    assert stage.fired.sum() == stage.spikes
    assert len(stage.fired) == done.metrics["time_steps"]


def test_a_retraining_leaves_one_of_the_test_split(tmp_path):
    SnnTask().confirm(proposal({**QUICK, "epochs": 1}), Context(tmp_path))
    raster = read_raster(tmp_path)
    assert raster is not None
    assert raster.split == "test"


def test_the_sample_is_the_same_for_every_network(tmp_path):
    truths = set()
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        point = {**QUICK, "epochs": 1, "width_1": 8 + seed}
        SnnTask().evaluate(proposal(point, seed), Context(folder))
        raster = read_raster(folder)
        assert raster is not None
        truths.add((raster.sample, raster.truth))
    assert len(truths) == 1


def test_a_network_that_was_stopped_as_silent_leaves_none(tmp_path):
    done = SnnTask().evaluate(proposal(SILENT), Context(tmp_path))
    assert done.stopped == "silent"
    assert not (tmp_path / RASTER).exists()


def test_nothing_that_is_measured_depends_on_it(tmp_path, monkeypatch):
    """Rate coding and broken chips: both draw from streams that it might have used."""
    point = {**QUICK, "coding": "rate", "epochs": 1}
    task = SnnTask(robustness={"samples": 1, "conditions": ["mismatch"]})
    found = []
    for name in ("with", "without"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "without":
            for part in ("raster_of", "save_raster"):
                monkeypatch.setattr(moosnn.snn.raster, part, lambda *_: None)
        done = task.evaluate(proposal(point), Context(folder))
        weights = (folder / "weights.safetensors").read_bytes()
        found.append((timeless(done.to_json()), weights))
    assert found[0] == found[1]
    assert (tmp_path / "with" / RASTER).exists()
    assert not (tmp_path / "without" / RASTER).exists()
