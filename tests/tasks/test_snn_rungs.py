"""Rungs of a training: measured, and as if nothing had been."""

import pytest
import torch

from moosnn.errors import ConfigError, DivergedError
from moosnn.snn.gene_names import RULES
from moosnn.snn.learning.supernet import search_epochs
from moosnn.tasks import snn_rungs
from moosnn.tasks.snn import SnnTask
from moosnn.tasks.snn_rungs import AT_RUNGS, RungReports
from tests.helpers import timeless
from tests.tasks.test_snn import QUICK, SILENT, Context, proposal

RUNGS = {"first": 1, "eta": 2}
OWN = {"stdp": {"architecture": "diehl_cook"}, "supernet": {"epochs": 6}}


def told(tmp_path, params, rungs=RUNGS, prune_at=None):
    context = Context(tmp_path, prune_at)
    task = SnnTask(rungs=rungs, fixed={"coding": "rate"})
    done = task.evaluate(proposal(params), context)
    return done, dict(context.heard), (tmp_path / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_training_goes_on_as_if_nothing_had_been_measured(tmp_path, rule):
    """Of every learning rule, to the last bit of its weights."""
    params = {"training": rule, "epochs": 2, "batch_size": 128, **OWN.get(rule, {})}
    plain, heard, weights = told(tmp_path, params, None)
    same, at_rungs, again = told(tmp_path, params)
    assert weights == again
    assert timeless(plain.metrics) == pytest.approx(timeless(same.metrics), abs=0)
    assert list(heard) == list(at_rungs)
    for epoch, metrics in heard.items():
        assert metrics.items() <= at_rungs[epoch].items()
    assert any("accuracy" in metrics for metrics in at_rungs.values())


def test_rungs_are_measured_but_not_the_last_epoch(tmp_path):
    _, heard, _ = told(tmp_path, {**QUICK, "epochs": 4})
    measured = [epoch for epoch, metrics in heard.items() if "accuracy" in metrics]
    assert measured == [1, 2]
    assert set(heard[2]) > {"silence_margin", "spikes_per_sample", "train_accuracy"}
    assert heard[2]["updates"] == 2 * 34  # 1,078 samples in batches of 32


def test_what_is_told_is_what_would_be_measured_at_the_end(tmp_path):
    """On the validation split: a training that ends there measures the same."""
    done, heard, _ = told(tmp_path, {**QUICK, "epochs": 4}, prune_at=2)
    assert done.stopped == "pruned"
    expected = {name: done.metrics[name] for name in AT_RUNGS if name in done.metrics}
    assert {name: heard[2][name] for name in expected} == expected


def test_a_confirmation_has_no_rungs(tmp_path):
    context = Context(tmp_path)
    SnnTask(rungs=RUNGS).confirm(proposal({**QUICK, "epochs": 2}), context)
    assert all("accuracy" not in metrics for _, metrics in context.heard)


def test_a_silent_network_tells_of_its_silence(tmp_path):
    context = Context(tmp_path)
    task = SnnTask(rungs=RUNGS, stop="none")
    task.evaluate(proposal({**SILENT, "epochs": 2}), context)
    assert context.heard[0][1]["silence_margin"] > 0


def test_a_supernet_has_no_network_to_measure_before_its_path_is_kept(tmp_path):
    params = {"training": "supernet", "epochs": 6, "batch_size": 128}
    context = Context(tmp_path)
    task = SnnTask(rungs=RUNGS)
    task.evaluate(proposal(params), context)
    genes, _ = task._points.plan(params)
    kept = search_epochs(genes)
    measured = [epoch for epoch, metrics in context.heard if "accuracy" in metrics]
    assert measured == [epoch for epoch in (1, 2, 4) if epoch >= kept] != []


def test_what_cannot_be_measured_is_left_to_the_training():
    def diverge(*_, **__):
        raise DivergedError("not finite")

    heard, network = [], torch.nn.Module().train()
    report = RungReports(
        rungs=snn_rungs.Rungs(),
        report=lambda *told: bool(heard.append(told)),
        network=network,
        measure=diverge,
        epochs=9,
        updates=1,
    )
    assert report(1, {"train_loss": 1.0}) is False
    assert heard == [(1, {"train_loss": 1.0})]
    assert network.training


def test_wrong_rungs_are_refused():
    with pytest.raises(ConfigError, match=r"rungs\.eta"):
        SnnTask(rungs={"eta": 1})
