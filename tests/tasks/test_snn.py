"""The spiking task: one call from a proposal to an evaluation, on real digits."""

import json
import subprocess
import sys

import pytest
import torch
import yaml

from moosnn.errors import ConfigError, DivergedError
from moosnn.snn.data.digits import load_digits
from moosnn.snn.genes import NAMES
from moosnn.snn.weights import load_network
from moosnn.space import Space
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Evaluation, Proposal
from tests.helpers import CONF, load_space

QUICK = {"epochs": 3, "width_1": 32, "depth": 1, "batch_size": 32}
SILENT = {**QUICK, "threshold": 1e3}
WORKING = {"accuracy", "loss", "spikes_per_sample", "firing_rate"}
ALWAYS = {
    "silence_margin",
    "silent_fraction",
    "work_saved",
    "parameters",
    "time_steps",
}


class Context:
    """A worker that writes down what it hears and prunes after an epoch."""

    attempt = 1

    def __init__(self, workdir, prune_at=None):
        self.workdir = workdir
        self.cache = workdir / "cache"
        self.prune_at = prune_at
        self.heard = []

    def report(self, step, metrics):
        self.heard.append((step, dict(metrics)))
        return step == self.prune_at

    def preempted(self):
        return False


def proposal(params, seed=0):
    return Proposal(number=3, params=params, seed=seed, origin="test", seen=0)


def evaluate(tmp_path, params=QUICK, seed=0, **task):
    return SnnTask(**task).evaluate(proposal(params, seed), Context(tmp_path))


def metadata(folder):
    return json.loads((folder / "network.json").read_text())["metadata"]


def test_a_working_network_is_measured_in_full(tmp_path):
    context = Context(tmp_path)
    done = SnnTask().evaluate(proposal({**QUICK, "epochs": 10}), context)
    assert done.stopped is None
    assert set(done.metrics) == ALWAYS | WORKING | {
        "silent_fraction.1",
        "spikes_per_sample.1",
    }
    assert set(done.metrics) <= set(SnnTask.metrics)
    assert done.metrics["accuracy"] > 0.85
    assert done.metrics["silence_margin"] <= 0 == done.metrics["silent_fraction"]
    assert done.metrics["work_saved"] == 0
    assert done.metrics["parameters"] == 65 * 32 + 33 * 10
    rate = done.metrics["spikes_per_sample"] / (32 * 4)
    assert done.metrics["firing_rate"] == pytest.approx(rate)
    assert 0 < done.sems["accuracy"] < 0.02
    assert done.sems["spikes_per_sample"] > 0
    assert done.device == "cpu"
    assert [step for step, _ in context.heard] == list(range(1, 11))
    assert Evaluation.from_json(json.loads(json.dumps(done.to_json()))) == done


@pytest.mark.parametrize("coding", ["direct", "rate", "latency"])
def test_equal_seeds_give_equal_bits(tmp_path, coding):
    before = torch.get_rng_state()
    params = {**QUICK, "coding": coding, "neuron_1": "plif"}
    first, again = (evaluate(tmp_path, params) for _ in range(2))
    other = evaluate(tmp_path, params, seed=1)
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("more", [None, 1])
def test_a_trial_leaves_the_driver_its_threads(tmp_path, more):
    before = torch.get_num_threads()
    counts = []

    class Counting(Context):
        def report(self, step, metrics):
            counts.append(torch.get_num_threads())
            return False

    task = SnnTask(threads=None if more is None else before + more)
    task.evaluate(proposal({**QUICK, "epochs": 1}), Counting(tmp_path))
    assert counts == [before + (more or 0)]
    assert torch.get_num_threads() == before


def test_a_silent_network_is_stopped_and_judged_on_what_it_saw(tmp_path):
    done = evaluate(tmp_path, SILENT, min_updates=20)
    assert done.stopped == "silent"
    assert set(done.metrics) == ALWAYS | {"silent_fraction.1"}
    assert done.metrics["silent_fraction"] == 1.0
    assert 0 < done.metrics["silence_margin"] <= 2.0
    assert done.metrics["work_saved"] == pytest.approx(1 - 20 / 102)  # 34 batches x 3
    assert not done.sems
    assert metadata(tmp_path)["measured_on"] == "train"


def test_without_enough_updates_a_silent_network_is_measured_on_validation(tmp_path):
    done = evaluate(tmp_path, {**SILENT, "epochs": 2})  # 68 updates, 100 needed
    assert done.stopped is None
    assert done.metrics["silent_fraction"] == 1.0
    assert done.metrics["spikes_per_sample"] == 0.0
    assert done.metrics["silence_margin"] > 0


def test_the_margin_tells_a_threshold_a_bit_too_high_from_one_far_too_high(tmp_path):
    margins = [
        evaluate(tmp_path, {**QUICK, "threshold": threshold, "epochs": 1}).metrics[
            "silence_margin"
        ]
        for threshold in (1.0, 10.0, 30.0, 1e4)
    ]
    assert margins == sorted(margins)
    assert margins[0] <= 0 < margins[1] < margins[2]
    assert margins[3] == 2.0


def test_a_pruned_network_returns_what_it_has(tmp_path):
    done = SnnTask().evaluate(proposal(QUICK), Context(tmp_path, prune_at=1))
    assert done.stopped == "pruned"
    assert done.metrics["work_saved"] == pytest.approx(2 / 3)
    assert set(done.metrics) >= ALWAYS | WORKING


def test_confirming_repeats_the_training_and_reads_the_test_split(tmp_path):
    task = SnnTask()
    searched, confirmed = tmp_path / "searched", tmp_path / "confirmed"
    searched.mkdir()
    confirmed.mkdir()
    first = task.evaluate(proposal(QUICK), Context(searched))
    second = task.confirm(proposal(QUICK), Context(confirmed))
    assert metadata(searched)["measured_on"] == "validation"
    assert metadata(confirmed)["measured_on"] == "test"
    one, preprocess = load_network(searched)
    two, _ = load_network(confirmed)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name])
    data = load_digits(0)
    for split, done in ((data.validation, first), (data.test, second)):
        logits = one(preprocess(split.inputs * 16))
        accuracy = (logits.argmax(1).numpy() == split.labels).mean()
        assert done.metrics["accuracy"] == pytest.approx(float(accuracy))


def test_divergence_is_raised(tmp_path):
    with pytest.raises(DivergedError):
        evaluate(tmp_path, {**QUICK, "learning_rate": 1e37})


def test_fixed_values_hold_where_the_space_is_silent(tmp_path):
    task = {"fixed": {"depth": 1, "width_1": 8, "epochs": 1}}
    assert evaluate(tmp_path, {}, **task).metrics["parameters"] == 65 * 8 + 9 * 10
    done = evaluate(tmp_path, {"width_1": 9}, **task)
    assert done.metrics["parameters"] == 65 * 9 + 10 * 10


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"data": "digit"}, "Did you mean 'digits'"),
        ({"fixed": {"treshold": 1}}, "Did you mean 'threshold'"),
        ({"fixed": {"threshold": 0}}, "threshold: expected"),
        ({"alpha": 0}, "alpha"),
        ({"beta": 1}, "beta"),
        ({"stages": "lst"}, "Did you mean 'last'"),
        ({"device": "cud"}, "Did you mean 'cuda'"),
        ({"threads": 0}, "threads: expected a whole number >= 1"),
        ({"threads": 1.5}, "threads: expected a whole number >= 1"),
        ({"min_updates": -1}, "min_updates"),
        ({"split_seed": 0.5}, "split_seed"),
    ],
)
def test_a_bad_argument_is_refused_at_once(argument, message):
    with pytest.raises(ConfigError, match=message):
        SnnTask(**argument)


def test_a_point_of_another_space_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no parameter 'filters'"):
        evaluate(tmp_path, {"filters": 3})


def test_the_fingerprint_is_that_of_the_data():
    assert SnnTask(split_seed=2).fingerprint() == {"data": load_digits(2).fingerprint}


def test_the_constructor_does_not_import_torch():
    program = (
        "import sys; from moosnn.tasks.snn import SnnTask; "
        "SnnTask(); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["nas", "hpo"])
def test_any_point_of_the_shipped_spaces_is_a_network(name, tmp_path):
    space: Space = load_space(name)
    assert set(space) <= NAMES
    cheap = {"epochs": 1} if name == "hpo" else {"epochs": 1, "width_1": 8}
    for corner in (0.0, 0.5, 1.0):
        point = {**space.decode([corner] * len(space)), **cheap}
        done = evaluate(tmp_path, point)
        assert set(done.metrics) >= ALWAYS


def test_the_shipped_configuration_is_the_constructor():
    raw = yaml.safe_load((CONF / "task" / "snn.yaml").read_text())
    assert raw.pop("_target_") == f"{SnnTask.__module__}.{SnnTask.__qualname__}"
    SnnTask(**raw)


@pytest.mark.gpu
def test_a_gpu_trains_the_same_network(tmp_path):
    done = evaluate(tmp_path, {**QUICK, "epochs": 10}, device="cuda")
    assert done.metrics["accuracy"] > 0.85
    assert done.device == "cuda"
