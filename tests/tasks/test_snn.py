"""The spiking task: one call from a proposal to an evaluation, on real digits."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from moosnn.errors import ArchitectureError, ConfigError, DivergedError, ReleasedError
from moosnn.snn.data import Dataset, Description, Split
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import ARCHITECTURES, DEFAULTS, NAMES, RULES, defaults
from moosnn.snn.learning.checkpoint import NAME
from moosnn.snn.weights import load_network
from moosnn.space import Space
from moosnn.tasks.snn import SnnTask
from moosnn.trial import Evaluation, Proposal
from tests.helpers import CONF, load_space, load_yaml, timeless

QUICK = {"epochs": 3, "width_1": 32, "depth": 1, "batch_size": 32}
SMALL = {"channels": 4, "stem_channels": 2, "cell_channels": 4, "depth": 1, "epochs": 1}
SILENT = {**QUICK, "threshold": 1e3}
FORWARD_EDGES = ("edge_12", "edge_13", "edge_14", "edge_23", "edge_24", "edge_34")
WORKING = {"accuracy", "loss", "spikes_per_sample", "firing_rate"}
ALWAYS = {
    "silence_margin",
    "silent_fraction",
    "faded_fraction",
    "awake_fraction",
    "last_awake_update",
    "last_silent_update",
    "work_saved",
    "parameters",
    "time_steps",
}


class Frames:
    """A source of three classes of event counts, of 4 steps and 2 x 3 x 3 pixels."""

    def __init__(self):
        self.asked = []

    def describe(self):
        return Description(name="made up", shape=(2, 3, 3), classes=3, frames=True)

    def fingerprint(self):
        return "f" * 64

    def load(self, time_steps, cache):
        self.asked.append((time_steps, cache))
        dice = np.random.default_rng(0)
        labels = np.arange(60) % 3
        counts = dice.poisson(1.0, (60, time_steps, 2, 3, 3)).astype(np.float32)
        counts[np.arange(60), :, 0, labels, 0] += 5
        split = Split(inputs=counts, labels=labels)
        return Dataset(
            description=self.describe(),
            train=split,
            validation=split,
            test=split,
            input_max=5.0,
        )


class Context:
    """A worker that writes down what it hears and prunes after an epoch."""

    def __init__(self, workdir, prune_at=None, attempt=1, preempt_at=None):
        self.workdir = workdir
        self.cache = workdir / "cache"
        self.prune_at = prune_at
        self.attempt = attempt
        self.preempt_at = preempt_at
        self.heard = []

    def report(self, step, metrics):
        self.heard.append((step, dict(metrics)))
        return step == self.prune_at

    def preempted(self):
        return len(self.heard) == self.preempt_at


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
    numbered = {"silent_fraction.1", "spikes_per_sample.1"}
    assert set(done.metrics) >= ALWAYS | WORKING | numbered
    assert not {"silent_fraction.2", "spikes_per_sample.2"} & set(done.metrics)
    assert set(done.metrics) <= set(SnnTask.metrics)
    assert done.metrics["accuracy"] > 0.85
    assert done.metrics["silence_margin"] <= 0 == done.metrics["silent_fraction"]
    assert done.metrics["work_saved"] == 0
    assert done.metrics["last_awake_update"] == 339  # the last of 340 is not heard
    woke = done.metrics["last_silent_update"]
    assert done.metrics["awake_fraction.1"] >= 1 - woke / 339 > 0.9
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
    assert timeless(first.metrics) == timeless(again.metrics)
    assert timeless(first.metrics) != timeless(other.metrics)
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
    done = evaluate(tmp_path, SILENT, stop="drive", min_updates=20)
    assert done.stopped == "silent"
    assert set(done.metrics) >= ALWAYS | {"silent_fraction.1"}
    # Costs of what it did so far, for constraints on them; but it has no answers.
    assert not {"accuracy", "loss"} & set(done.metrics)
    assert not {"accuracy", "loss"} & set(done.sems)
    assert done.metrics["silent_fraction"] == 1.0
    assert 0 < done.metrics["silence_margin"] <= 2.0
    assert 0 < done.metrics["work_saved"] <= 1 - 20 / 102  # 34 batches x 3
    assert done.metrics["last_awake_update"] == done.metrics["awake_fraction.1"] == 0
    updates = (1 - done.metrics["work_saved"]) * 102
    assert done.metrics["last_silent_update"] == pytest.approx(updates)
    assert metadata(tmp_path)["measured_on"] == "train"


def test_without_a_rule_a_silent_network_is_measured_on_validation(tmp_path):
    done = evaluate(tmp_path, SILENT, stop="none")
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


def test_what_drops_out_does_not_count_as_silent(tmp_path):
    """Nine of ten neurons are not heard; with all of them the network is not silent."""
    params = {"dropout": 0.9, "threshold": 0.3, "width": 32, "epochs": 3}
    done = SnnTask(stop="firmin").evaluate(proposal(params), Context(tmp_path))
    assert done.stopped is None
    assert done.metrics["silence_margin"] <= 0
    params["threshold"] = 1e4
    silent = SnnTask(stop="firmin").evaluate(proposal(params), Context(tmp_path))
    assert silent.stopped == "silent"
    assert silent.metrics["silence_margin"] > 0


@pytest.mark.parametrize("lost", [0, 1])
def test_an_attempt_goes_on_from_the_newest_checkpoint_before_it(tmp_path, lost):
    """A lost attempt, which left nothing, may lie between."""
    folders = [tmp_path / str(number) for number in range(4)]  # 0: not interrupted
    for folder in folders:
        folder.mkdir()
    task, params, last = SnnTask(), {**QUICK, "coding": "rate"}, 2 + lost
    first = Context(folders[1], preempt_at=1)
    with pytest.raises(ReleasedError):
        task.evaluate(proposal(params), first)
    assert [path.name for path in folders[1].iterdir()] == [NAME]
    second, whole = Context(folders[last], attempt=last), Context(folders[0])
    done = task.evaluate(proposal(params), second)
    expected = task.evaluate(proposal(params), whole)
    assert [step for step, _ in second.heard] == [2, 3]
    assert first.heard + second.heard == whole.heard
    assert timeless(done.metrics) == timeless(expected.metrics)
    assert (done.sems, done.stopped) == (expected.sems, expected.stopped)
    weights, _ = load_network(folders[0])
    resumed, _ = load_network(folders[last])
    for name, tensor in weights.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor)
    assert not (folders[last] / NAME).exists()


def test_a_retraining_with_another_seed_begins_anew(tmp_path):
    """It is an attempt of the same trial, while another one may still run."""
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    task = SnnTask()
    with pytest.raises(ReleasedError):
        task.evaluate(proposal(QUICK), Context(folders[1], preempt_at=1))
    again = task.confirm(proposal(QUICK, seed=1), Context(folders[2], attempt=2))
    alone = task.confirm(proposal(QUICK, seed=1), Context(folders[0]))
    assert timeless(again.metrics) == timeless(alone.metrics)
    assert (folders[1] / NAME).is_file()  # it is not this training's to remove


@pytest.mark.parametrize("huge", [{"learning_rate": 1e38}, {"threshold": 1e300}])
def test_numbers_too_large_for_floats_are_a_divergence(tmp_path, huge):
    with pytest.raises(DivergedError):
        SnnTask(checkpoint_s=0).evaluate(proposal({**QUICK, **huge}), Context(tmp_path))
    assert not (tmp_path / NAME).exists()


def test_a_checkpoint_is_removed_when_the_training_has_ended(tmp_path):
    there = []

    class Looking(Context):
        def report(self, step, metrics):
            there.append((self.workdir / NAME).is_file())
            return super().report(step, metrics)

    SnnTask(checkpoint_s=0).evaluate(proposal(QUICK), Looking(tmp_path))
    assert there == [True] * 3
    assert not [path for path in tmp_path.iterdir() if NAME in path.name]


def test_what_a_training_took_is_told(tmp_path):
    done = evaluate(tmp_path)
    assert done.metrics["training_s"] == done.training_s
    assert 0 < done.training_s < done.seconds
    assert done.metrics["training_memory_mb"] >= 0


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
    data = Digits().load(1, Path())
    for split, done in ((data.validation, first), (data.test, second)):
        logits = one(preprocess(split.inputs))
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
        ({"fixed": {"treshold": 1}}, "Did you mean 'threshold'"),
        ({"fixed": {"threshold": 0}}, "threshold: expected"),
        ({"alpha": 0}, "alpha"),
        ({"beta": 1}, "beta"),
        ({"stages": "lst"}, "Did you mean 'last'"),
        ({"device": "cud"}, "Did you mean 'cuda'"),
        ({"threads": 0}, "threads: expected a whole number >= 1"),
        ({"threads": 1.5}, "threads: expected a whole number >= 1"),
        ({"min_updates": -1}, "min_updates"),
        ({"checkpoint_s": -1}, "checkpoint_s: expected seconds >= 0, got -1"),
        ({"checkpoint_s": "1"}, "checkpoint_s: expected seconds >= 0, got '1'"),
        ({"stop": "driv"}, "Did you mean 'drive'"),
        ({"max_parameters": 0}, "max_parameters: expected a whole number >= 1"),
        ({"max_dense_ops": 1e6}, "max_dense_ops: expected a whole number >= 1"),
        ({"fixed": {"architecture": "con"}}, "Did you mean 'conv'"),
    ],
)
def test_a_bad_argument_is_refused_at_once(argument, message):
    with pytest.raises(ConfigError, match=message):
        SnnTask(**argument)


def test_a_point_of_another_space_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no parameter 'filtres'"):
        evaluate(tmp_path, {"filtres": 3})


@pytest.mark.parametrize(
    ("architecture", "name", "families"),
    [
        ("mlp", "block_1", "conv"),
        ("mlp", "channels", "conv or sew"),
        ("conv", "width_2", "mlp"),
        ("cell", "depth", "mlp, conv, cnn, sew or paths"),
        ("sew", "edge_12", "cell"),
        ("conv", "blocks_1", "sew"),
    ],
)
def test_a_gene_of_another_architecture_is_no_silent_nothing(
    architecture, name, families
):
    task = SnnTask(fixed={"architecture": architecture})
    point = {name: DEFAULTS.get(name, 2)}
    with pytest.raises(ConfigError, match=f"to {families}."):
        task.check(point)
    # Where the architecture is searched, the gene belongs to another one of them.
    task.check({**SMALL, "architecture": architecture, "block_1": "skip"})


def test_the_fingerprint_is_that_of_the_data():
    source = Digits(split_seed=2)
    assert SnnTask(data=source).fingerprint() == {"data": source.fingerprint()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("source", [None, Frames()])
def test_every_architecture_takes_images_and_frames(tmp_path, architecture, source):
    params = {**SMALL, "architecture": architecture, "threshold": 0.2}
    done = evaluate(tmp_path, params, data=source)
    assert set(done.metrics) >= ALWAYS | WORKING
    network, _ = load_network(tmp_path)
    assert done.metrics["parameters"] == network.parameter_count()


def test_frames_are_asked_for_as_many_steps_as_the_network_has(tmp_path):
    source = Frames()
    params = {**QUICK, "time_steps": 6, "epochs": 20, "batch_size": 10}
    done = evaluate(tmp_path, {**params, "threshold": 0.3}, data=source)
    assert source.asked == [(6, tmp_path / "cache")]
    assert done.metrics["accuracy"] > 0.9
    network, preprocess = load_network(tmp_path)
    data = source.load(6, tmp_path)
    logits = network(preprocess(data.test.inputs))
    accuracy = (logits.argmax(1).numpy() == data.test.labels).mean()
    assert done.metrics["accuracy"] == pytest.approx(float(accuracy))


@pytest.mark.parametrize(
    ("source", "coding", "message"),
    [
        (
            Frames(),
            "rate",
            "are frames of events, which take coding=frames, got 'rate'",
        ),
        (None, "frames", "of digits are images, which take another coding"),
    ],
)
def test_a_coding_that_does_not_fit_the_samples_is_refused(source, coding, message):
    with pytest.raises(ConfigError, match=message):
        SnnTask(data=source).check({"coding": coding})
    with pytest.raises(ConfigError, match=message):
        SnnTask(data=source, fixed={"coding": coding}).check({})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("limit", ["parameters", "dense_ops"])
def test_too_large_a_network_is_refused_before_it_is_tried(architecture, limit):
    params = {**SMALL, "architecture": architecture, "time_steps": 5}
    fixed = SnnTask().refusal(params)
    assert fixed is None
    _, plan = SnnTask()._points.plan(params)
    found = {
        "parameters": plan.parameters,
        "dense_ops": plan.dense_ops(5, constant_input=True),
    }[limit]
    assert SnnTask(**{f"max_{limit}": found}).refusal(params) is None
    said = SnnTask(**{f"max_{limit}": found - 1}).refusal(params)
    assert said == f"{found:,} {limit}, more than task.max_{limit}={found - 1:,}"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"architecture": "cell", **dict.fromkeys(FORWARD_EDGES, "zero")},
            "no path from",
        ),
        ({"loss": "tet", "readout": "rate"}, "loss: tet needs an output at each step"),
        (
            {
                **SMALL,
                "architecture": "conv",
                "depth": 4,
                "pool": True,
                "batch_size": 1,
            },
            "batch_size: expected >= 2",
        ),
    ],
)
def test_genes_that_make_no_network_are_refused_and_not_an_error(params, said):
    task = SnnTask()
    assert said in task.refusal(params)
    task.check(params)  # other values may fit together
    with pytest.raises(ArchitectureError, match=said):
        task._points.plan(params)


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


@pytest.mark.parametrize("architecture", ["mlp", "conv", "cnn", "cell", "sew"])
def test_points_of_an_architectures_space_are_networks_or_rarely_refused(architecture):
    space: Space = load_space(f"nas_{architecture}")
    fixed = load_yaml(f"space/nas_{architecture}")["task"]["fixed"]
    assert fixed == {"architecture": architecture}
    task = SnnTask(fixed=fixed, **load_yaml(f"experiment/nas_{architecture}")["task"])
    dice = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        point = space.decode(dice.random(len(space)).tolist())
        task.check(point)
        if task.refusal(point) is None:
            known = space.active(point)
            # What is inactive changes nothing: equal networks are equal points.
            assert shape_of(task, point) == shape_of(task, known)
            found += 1
    assert found > 270


def shape_of(task, point):
    """The nodes of a network and the kinds of its neurons."""
    _, plan = task._points.plan(point)
    return [
        (n.name, n.sources, n.shape, getattr(n.op, "kind", n.op)) for n in plan.nodes
    ]


def test_the_shipped_configuration_is_the_constructor():
    raw = yaml.safe_load((CONF / "task" / "snn.yaml").read_text())
    assert raw.pop("_target_") == f"{SnnTask.__module__}.{SnnTask.__qualname__}"
    assert raw.pop("data") == "${data}"
    SnnTask(**raw)
    data = yaml.safe_load((CONF / "data" / "digits.yaml").read_text())
    assert data.pop("_target_") == f"{Digits.__module__}.{Digits.__qualname__}"
    Digits(**data)


@pytest.mark.gpu
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_trains_on_a_gpu(tmp_path, rule):
    done = evaluate(tmp_path, defaults(rule), device="cuda")
    assert done.device == "cuda"
    assert done.metrics["accuracy"] > 0.5


@pytest.mark.gpu
def test_a_gpu_trains_the_same_network(tmp_path):
    done = evaluate(tmp_path, {**QUICK, "epochs": 10}, device="cuda")
    assert done.metrics["accuracy"] > 0.85
    assert done.device == "cuda"
