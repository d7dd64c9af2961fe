"""The spiking task that is asked what networks lose on imperfect hardware."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from moosnn.errors import ConfigError
from moosnn.snn.data.digits import Digits
from moosnn.snn.metrics import ALWAYS, METRICS
from moosnn.snn.quantisation import quantised
from moosnn.snn.robustness import CONDITIONS, Robustness, names_of
from moosnn.snn.weights import load_network
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Evaluation, Proposal
from tests.helpers import timeless
from tests.tasks.test_snn import QUICK, SILENT, Context

FEW = {"samples": 2, "conditions": ["pcm_day", "mismatch", "bits_4"]}


def proposal(seed: int = 0, **changes: object) -> Proposal:
    params = {**QUICK, **changes}
    return Proposal(number=3, params=params, seed=seed, origin="test", seen=0)


def evaluated(folder: Path, point: Proposal, **task: object) -> Evaluation:
    folder.mkdir(exist_ok=True)
    return SnnTask(**task).evaluate(point, Context(folder))


@pytest.mark.parametrize("coding", ["direct", "rate"])
def test_everything_else_keeps_its_bits(tmp_path: Path, coding: str) -> None:
    before = torch.get_rng_state()
    point = proposal(coding=coding)
    plain = evaluated(tmp_path / "plain", point)
    asked = evaluated(tmp_path / "asked", point, robustness=FEW)
    more = set(names_of(FEW["conditions"]))
    assert set(asked.metrics) - set(plain.metrics) == more
    assert set(asked.sems) - set(plain.sems) == {"accuracy_lost"}
    rest = {k: v for k, v in asked.metrics.items() if k not in more}
    assert timeless(rest) == timeless(plain.metrics)
    assert {k: v for k, v in asked.sems.items() if k != "accuracy_lost"} == plain.sems
    saved, kept = (load_network(tmp_path / name)[0] for name in ("plain", "asked"))
    for name, tensor in saved.state_dict().items():
        assert torch.equal(kept.state_dict()[name], tensor)
    assert torch.equal(torch.get_rng_state(), before)


def test_equal_seeds_give_equal_losses(tmp_path: Path) -> None:
    task = {"robustness": {**FEW, "threshold_sd": 0.5, "tau_sd": 0.5}}
    first, again, other = (
        evaluated(tmp_path / name, proposal(seed), **task)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert timeless(first.metrics) == timeless(again.metrics)
    names = names_of(FEW["conditions"])
    assert [first.metrics[n] for n in names] != [other.metrics[n] for n in names]
    assert 0 < first.sems["accuracy_lost"] < 0.1


def test_confirming_measures_losses_on_the_test_split(tmp_path: Path) -> None:
    task = SnnTask(robustness={"samples": 1, "conditions": ["bits_4"]})
    done = task.confirm(proposal(), Context(tmp_path))
    network, preprocess = load_network(tmp_path)
    test = Digits().load(1, Path()).test
    shares = []
    for bits in (None, 4):
        with torch.no_grad():
            for name, weight in network.named_parameters():
                if bits is not None and name.endswith("weight"):
                    weight.copy_(quantised(weight.double(), bits))
            answers = network(preprocess(test.inputs)).argmax(1).numpy()
        shares.append(float((answers == test.labels).mean()))
    assert done.metrics["accuracy"] == pytest.approx(shares[0])
    assert done.metrics["accuracy_lost"] == pytest.approx(shares[0] - shares[1])
    assert done.metrics["accuracy_lost_worst.bits_4"] == done.metrics["accuracy_lost"]


def test_a_network_that_was_stopped_as_silent_has_none(tmp_path: Path) -> None:
    point = Proposal(number=3, params=SILENT, seed=0, origin="test", seen=0)
    done = evaluated(tmp_path, point, robustness=FEW, stop="drive", min_updates=20)
    assert done.stopped == "silent"
    assert not [name for name in done.metrics if "lost" in name]
    assert "accuracy_lost" not in done.sems


def test_a_network_that_spikes_nowhere_loses_nothing(tmp_path: Path) -> None:
    """It answers the same to all samples: its biases decide, which are digital."""
    point = Proposal(number=3, params=SILENT, seed=0, origin="test", seen=0)
    done = evaluated(tmp_path, point, robustness=FEW, stop="none")
    assert done.metrics["silence_margin"] > 0
    assert done.metrics["accuracy_lost_worst"] == 0.0


def test_the_task_says_what_it_measures() -> None:
    assert SnnTask().metrics == METRICS == SnnTask.metrics
    asked = SnnTask(robustness=FEW)
    assert asked.metrics == METRICS + Robustness.of(FEW).metrics
    assert asked.always == ALWAYS
    assert not set(names_of(CONDITIONS)) & set(METRICS)
    with pytest.raises(ConfigError, match=r"got 'pcm_dya'. Did you mean 'pcm_day'\?"):
        SnnTask(robustness={"conditions": ["pcm_dya"]})
