"""A network of a user's own as a task: trained, judged, measured, confirmed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import snntorch
import torch
from safetensors.torch import load_file

from moosnn.__main__ import main
from moosnn.errors import ConfigError, DivergedError, ReleasedError
from moosnn.events import Kind
from moosnn.runtime.journal import NAME, read
from moosnn.snn.learning.checkpoint import NAME as CHECKPOINT
from moosnn.snn.metrics import ALWAYS
from moosnn.snn.raster import read_raster
from moosnn.tasks.module import ModuleTask
from moosnn.trial import Evaluation, Proposal
from tests.helpers import timeless
from tests.tasks import own_nets
from tests.tasks.test_snn import Context, Frames

NETS = "tests.tasks.own_nets"
QUICK = {"hidden": 24, "epochs": 2, "batch_size": 64}


def proposal(params: Mapping[str, Any], seed: int = 0) -> Proposal:
    return Proposal(number=3, params=params, seed=seed, origin="test", seen=0)


def context(folder: Path, **more: Any) -> Context:
    folder.mkdir(parents=True, exist_ok=True)
    return Context(folder, **more)


def evaluate(
    folder: Path, factory: str, params: Mapping[str, Any] = QUICK, **task: Any
) -> Evaluation:
    made = ModuleTask(factory=f"{NETS}.{factory}", **task)
    return made.evaluate(proposal(params), context(folder))


@pytest.mark.parametrize(
    ("factory", "step"),
    [
        ("jelly", False),
        ("Torch", False),
        ("norse_sequence", False),
        ("torch_stepwise", True),
        ("norse_cells", True),
    ],
)
def test_networks_of_all_libraries_learn_the_digits(
    factory: str, step: bool, tmp_path: Path
) -> None:
    params = {"hidden": 64, "epochs": 5, "activity_penalty": 0.001}
    found = evaluate(tmp_path, factory, params, step=step)
    assert found.metrics["accuracy"] > 0.85
    assert found.metrics["silent_fraction"] < 0.1
    assert found.metrics["silence_margin"] <= 0
    assert found.metrics["spikes_per_sample"] > 5
    assert found.stopped is None


@pytest.mark.parametrize("factory", ["jelly", "Torch", "norse_sequence"])
def test_a_silenced_network_is_stopped_and_judged(factory: str, tmp_path: Path) -> None:
    found = evaluate(tmp_path, factory, {**QUICK, "threshold": 100.0})
    assert found.stopped == "silent"
    assert found.metrics["silent_fraction"] == 1
    assert found.metrics["silence_margin"] > 1
    assert found.metrics["work_saved"] > 0.3
    assert found.metrics.keys() >= set(ALWAYS)
    assert not {"accuracy", "loss"} & found.metrics.keys()


def test_the_edge_is_graded_by_the_membrane(tmp_path: Path) -> None:
    margins = [
        evaluate(
            tmp_path / str(threshold),
            "Torch",
            {**QUICK, "threshold": threshold, "learning_rate": 1e-9, "epochs": 1},
            stages=["lif1"],
            stop="none",
        ).metrics["silence_margin"]
        for threshold in (10.0, 30.0, 90.0)
    ]
    assert margins[1] - margins[0] == pytest.approx(0.4771, abs=1e-3)  # log10(3)
    assert margins[2] - margins[1] == pytest.approx(0.4771, abs=1e-3)


def test_where_no_membrane_is_shown_only_spikes_are_counted(tmp_path: Path) -> None:
    taught = [f"{NETS}.Firing"]
    params = {**QUICK, "threshold": 1e3, "epochs": 14}
    found = evaluate(tmp_path, "own", params, spiking=taught)
    # The rule that needs no membrane waits for 200 updates, of 238.
    assert found.stopped == "silent"
    assert found.metrics["silence_margin"] == 2
    assert 0 < found.metrics["work_saved"] < 0.2


def test_the_penalty_makes_a_network_quiet(tmp_path: Path) -> None:
    loud, quiet, rated = (
        evaluate(tmp_path / str(k), "jelly", {**QUICK, **more}).metrics
        for k, more in enumerate(
            (
                {"activity_penalty": 1e-4},
                {"activity_penalty": 3.0},
                {"activity_penalty": 3.0, "regulariser": "rate"},
            )
        )
    )
    assert quiet["spikes_per_sample"] < 0.7 * loud["spikes_per_sample"]
    assert rated["spikes_per_sample"] < 0.9 * loud["spikes_per_sample"]


def test_equal_seeds_give_equal_bits_and_leave_the_global_ones(tmp_path: Path) -> None:
    params = {**QUICK, "dropout": 0.3, "coding": "rate"}
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = evaluate(tmp_path / "a", "jelly", params)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = evaluate(tmp_path / "b", "jelly", params)
    assert timeless(first.metrics) == timeless(again.metrics)
    weights = [load_file(tmp_path / k / "module.safetensors") for k in "ab"]
    assert all(torch.equal(weights[0][n], weights[1][n]) for n in weights[0])


def test_a_training_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    params = {**QUICK, "epochs": 4, "dropout": 0.3}
    task = ModuleTask(factory=f"{NETS}.jelly")
    whole = task.evaluate(proposal(params), context(tmp_path / "whole"))
    attempts = tmp_path / "trial"
    with pytest.raises(ReleasedError):
        task.evaluate(proposal(params), context(attempts / "1", preempt_at=2))
    assert (attempts / "1" / CHECKPOINT).exists()
    rest = context(attempts / "2", attempt=2)
    found = task.evaluate(proposal(params), rest)
    assert [step for step, _ in rest.heard] == [3, 4]
    assert timeless(found.metrics) == timeless(whole.metrics)
    assert not list(tmp_path.rglob(CHECKPOINT))


def test_weights_that_two_layers_share_are_kept(tmp_path: Path) -> None:
    task = ModuleTask(factory=f"{NETS}.tied")
    point = proposal({"epochs": 2})
    with pytest.raises(ReleasedError):
        task.evaluate(point, context(tmp_path / "1", preempt_at=1))
    assert (tmp_path / "1" / CHECKPOINT).exists()
    rest = context(tmp_path / "2", attempt=2)
    task.evaluate(point, rest)
    assert [step for step, _ in rest.heard] == [2]
    weights = load_file(tmp_path / "2/module.safetensors")
    assert torch.equal(weights["1.weight"], weights["3.weight"])


def test_a_network_can_be_loaded_as_it_was_made(tmp_path: Path) -> None:
    evaluate(tmp_path, "torch_stepwise", step=True)
    about = json.loads((tmp_path / "module.json").read_text())
    assert about["factory"] == f"{NETS}.torch_stepwise"
    assert about["measured_on"] == "validation"
    net = own_nets.torch_stepwise(**about["arguments"])
    net.load_state_dict(load_file(tmp_path / "module.safetensors"))
    raster = read_raster(tmp_path)
    assert raster is not None
    assert [(stage.name, stage.neurons) for stage in raster.stages] == [("2", 24)]
    assert raster.stages[0].spikes == raster.stages[0].fired.sum() > 0


def test_the_test_split_is_read_when_a_point_is_confirmed(tmp_path: Path) -> None:
    task = ModuleTask(factory=f"{NETS}.jelly")
    confirmed = task.confirm(proposal(QUICK), context(tmp_path / "c"))
    evaluated = task.evaluate(proposal(QUICK), context(tmp_path / "e"))
    assert confirmed.metrics["accuracy"] != evaluated.metrics["accuracy"]
    assert confirmed.metrics["parameters"] == evaluated.metrics["parameters"] == 1810
    about = json.loads((tmp_path / "c/module.json").read_text())
    assert about["measured_on"] == "test"


def test_rungs_tell_of_the_validation_split_and_a_pruner_may_stop(
    tmp_path: Path,
) -> None:
    heard = Context(tmp_path, prune_at=2)
    task = ModuleTask(factory=f"{NETS}.jelly", rungs={"first": 1, "eta": 2})
    found = task.evaluate(proposal({**QUICK, "epochs": 4}), heard)
    assert (found.stopped, len(heard.heard)) == ("pruned", 2)
    told = heard.heard[1][1]
    assert told["accuracy"] == found.metrics["accuracy"]
    assert told["silence_margin"] == found.metrics["silence_margin"]
    assert told["updates"] == 34


def test_frames_go_in_as_they_are(tmp_path: Path) -> None:
    fixed = {"epochs": 10, "batch_size": 10, "learning_rate": 0.05}
    task = ModuleTask(factory=f"{NETS}.told", data=Frames(), fixed=fixed)
    found = task.evaluate(proposal({"time_steps": 3}), Context(tmp_path))
    assert found.metrics["accuracy"] > 0.5
    about = json.loads((tmp_path / "module.json").read_text())
    assert about["arguments"] == {"shape": [2, 3, 3], "classes": 3, "time_steps": 3}


def test_a_training_that_leaves_the_numbers_has_diverged(tmp_path: Path) -> None:
    with pytest.raises(DivergedError):
        evaluate(tmp_path, "jelly", {**QUICK, "learning_rate": 1e38})


def test_nothing_keeps_the_networks_of_earlier_trials(tmp_path: Path) -> None:
    before = len(snntorch.SpikingNeuron.instances)
    evaluate(tmp_path, "Torch", {**QUICK, "epochs": 1})
    assert len(snntorch.SpikingNeuron.instances) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factory": None}, "task.factory: expected the dotted name"),
        ({"factory": f"{NETS}.jely"}, "has no 'jely'. Did you mean 'jelly'?"),
        ({"fixed": {"hiden": 3}}, "task.fixed.hiden: neither the training nor"),
        ({"fixed": {"epochs": 0}}, "epochs: expected a whole number >= 1, got 0"),
        ({"fixed": {"regulariser": "synops"}}, "has spikes and rate, got 'synops'"),
        ({"fixed": {"training": "ssgd"}}, "learns by training=bptt, got ssgd"),
        ({"stages": "first"}, "stages: expected all or last, or a list of names"),
        ({"stop": "drve"}, "stop: got 'drve'. Did you mean 'drive'?"),
        ({"step": "yes"}, "step: expected true or false"),
        ({"device": "gpu"}, "device: got 'gpu'"),
        ({"checkpoint_s": -1}, "checkpoint_s: expected seconds"),
    ],
)
def test_a_bad_setting_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        ModuleTask(**{"factory": f"{NETS}.jelly", **changes})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("silent_one", "task.spiking=[my_net.MyNeuron]"),
        ("wide_answer", "expected the network to return T x N x classes"),
        ("no_network", "to return an nn.Module, got str"),
    ],
)
def test_a_network_that_cannot_be_heard_is_refused_before_a_study(
    factory: str, message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        ModuleTask(factory=f"{NETS}.{factory}").check({})
    assert message in str(raised.value)


def test_the_parameters_are_those_of_the_training_and_of_the_factory() -> None:
    task = ModuleTask(factory=f"{NETS}.jelly")
    assert task.parameters is not None
    assert {"hidden", "threshold", "epochs", "time_steps"} < task.parameters
    assert not {"shape", "classes", "depth", "training"} & task.parameters
    with pytest.raises(ConfigError, match="samples of digits are images"):
        task.check({"coding": "frames"})


MY_NET = """
import snntorch
from torch import nn

def make_net(hidden, threshold):
    return nn.Sequential(
        nn.Flatten(1),
        nn.Linear(64, hidden),
        snntorch.Leaky(beta=0.5, threshold=threshold, init_hidden=True),
        nn.Linear(hidden, 10),
    )
"""


def test_workers_find_and_train_the_network(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text(MY_NET)
    space = (
        "space={hidden: {int: [8, 64]}, threshold: {float: [0.2, 50], log: true}, "
        "learning_rate: {float: [1e-3, 1e-2], log: true}}"
    )
    words = [
        *("task=module", "task.factory=my_net.make_net", space, "optimizer=sobol"),
        *(
            "task.step=true",
            "task.fixed.epochs=2",
            "task.fixed.time_steps=4",
            "study.budget=4",
            "study.confirm=1",
            "study_dir=s",
        ),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "moosnn", *words, "executor.workers=1"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    history = read(tmp_path / "s" / NAME).history
    assert len(history.done) == 4
    evaluations = [t.evaluation for t in history.done if t.evaluation]
    assert any(e.metrics.get("accuracy", 0) > 0.5 for e in evaluations)
    assert any(e.metrics["silence_margin"] > 0 for e in evaluations)
    confirmed = [e.data["evaluation"] for e in history.of_kind(Kind.CONFIRMED)]
    assert len(confirmed) == 3
    with (tmp_path / "s/front.csv").open() as file:
        front = {int(row["number"]) for row in csv.DictReader(file)}
    kept = {int(p.parts[-3]) for p in tmp_path.glob("s/trials/*/*/module.safetensors")}
    assert kept == front
    assert len(kept) < 4  # else nothing was deleted


def test_a_mistake_is_one_line_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["moosnn"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["task=module", f"task.factory={NETS}.jelly", "tracker=none"]
    for more, message in (
        (["space={hiden: {int: [8, 64]}}"], "Did you mean 'hidden'?"),
        (["space={epochs: {int: [0, 4]}}"], "epochs: expected a whole number >= 1"),
        (["training=ssgd", "space={hidden: {int: [8, 9]}}"], "learns by training=bptt"),
        (["problem=accuracy_activity_robustness"], "robustness"),
    ):
        assert main([*words, *more]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_proposal_of_another_seed_is_another_network(tmp_path: Path) -> None:
    task = ModuleTask(factory=f"{NETS}.jelly")
    one = proposal({**QUICK, "epochs": 1})
    found = [
        task.evaluate(replace(one, seed=seed), context(tmp_path / str(seed))).metrics
        for seed in (0, 1)
    ]
    assert found[0]["loss"] != found[1]["loss"]
