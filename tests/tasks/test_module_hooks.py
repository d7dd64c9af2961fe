"""What is heard of somebody's network is what happened in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import snntorch
import torch
from torch import Tensor, nn

from moosnn.errors import ConfigError
from moosnn.snn import metrics as own_metrics
from moosnn.snn.data import Split
from moosnn.snn.data.digits import Digits
from moosnn.snn.gene_names import defaults
from moosnn.snn.genes import Genes
from moosnn.snn.hooks import library_of
from moosnn.snn.hooks_measure import measure, metrics_of
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.snn.network import SpikingNetwork
from moosnn.snn.samples import Samples
from moosnn.snn.silence import Edge
from tests.tasks import own_nets
from tests.tasks.own_nets import neuron, norse

CPU = torch.device("cpu")
T = 4


def genes(**values: object) -> Genes:
    return Genes.from_params({**defaults("bptt"), "time_steps": T, **values})


def hooked(
    module: nn.Module, shape: tuple[int, ...], classes: int, **more: object
) -> HookedNetwork:
    return HookedNetwork(module, genes(), shape, classes, **more)  # type: ignore[arg-type]


def samples(inputs: list[object]) -> Samples:
    split = Split(
        inputs=np.array(inputs, dtype=np.float32),
        labels=np.zeros(len(inputs), dtype=np.int64),
    )
    return Samples.of(split, 1.0, CPU)


def seen(network: HookedNetwork, inputs: list[object], alpha: int = 1):
    return measure(network, samples(inputs), alpha=alpha, generator=torch.Generator())


def with_weight(weight: list[list[float]]) -> nn.Linear:
    linear = nn.Linear(len(weight[0]), len(weight), bias=False)
    linear.weight.data = torch.tensor(weight)
    return linear


# ------------------------------------------------ the same network, built twice


@pytest.mark.parametrize("coding", ["direct", "rate"])
@pytest.mark.parametrize("threshold", [1.0, 4.0, 100.0])
@pytest.mark.parametrize("step", [False, True])
def test_a_spikingjelly_twin_of_our_network_measures_the_same(
    coding: str, threshold: float, step: bool, tmp_path: Path
) -> None:
    values = {"depth": 2, "width": 24, "threshold": threshold, "coding": coding}
    ours = SpikingNetwork(
        genes(**values), (1, 8, 8), 10, torch.Generator().manual_seed(3)
    )
    linears = [m for m in ours.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for linear in linears:
            linear.weight *= 4
            linear.weight[:, ::5] = 0.0  # pruned
    mode = "s" if step else "m"
    parts: list[nn.Module] = [nn.Flatten(1 if step else 2)]
    for linear in linears[:-1]:
        parts += [linear, own_nets.lif(threshold, step_mode=mode)]
    twin = HookedNetwork(
        nn.Sequential(*parts, linears[-1]),
        genes(coding=coding),
        (1, 8, 8),
        10,
        step=step,
    )
    data = Digits().load(T, tmp_path)
    held_out = Samples.of(data.validation, data.input_max, CPU)
    edge = Edge(alpha=2)
    found, found_sems = metrics_of(
        twin, held_out, edge, torch.Generator().manual_seed(5), answered=True
    )
    want, want_sems = own_metrics.metrics_of(
        ours, held_out, edge, torch.Generator().manual_seed(5), answered=True
    )
    assert found.keys() == want.keys()
    for name in want.keys() - {"footprint_bytes", "loss", "energy_moved_nj"}:
        assert found[name] == pytest.approx(want[name], rel=1e-9), name
    assert found["loss"] == pytest.approx(want["loss"], rel=1e-5)
    # Ours holds a constant of each layer in a buffer.
    more = want["footprint_bytes"] - found["footprint_bytes"]
    assert 0 <= more <= 8 * len(linears)
    assert found["energy_moved_nj"] == pytest.approx(want["energy_moved_nj"], rel=0.01)
    assert found_sems["synops"] == pytest.approx(want_sems["synops"])
    assert (found["silent_fraction"] == 0) == (threshold < 2)


def test_alpha_spikes_are_missed_by_the_same_membrane_as_ours(tmp_path: Path) -> None:
    # With a soft reset too: where nothing spiked, nothing was reset.
    from spikingjelly.activation_based import neuron

    ours = SpikingNetwork(
        genes(depth=1, width=6, threshold=2.0, reset="soft"),
        (1, 8, 8),
        10,
        torch.Generator().manual_seed(1),
    )
    first, last = (m for m in ours.modules() if isinstance(m, nn.Linear))
    node = neuron.LIFNode(
        tau=2.0, decay_input=False, v_threshold=2.0, v_reset=None, step_mode="m"
    )
    twin = HookedNetwork(
        nn.Sequential(nn.Flatten(2), first, node, last), genes(), (1, 8, 8), 10
    )
    with torch.no_grad():
        first.weight *= 6
        data = Digits().load(T, tmp_path)
        batch, _ = Samples.of(data.test, data.input_max, CPU).batch(torch.arange(64))
        coded = batch.expand(T, *batch.shape)
        found, want = twin.observe(coded), ours.observe(coded)
    counts = want.stage_counts().flatten()
    for alpha in {int(counts.quantile(q)) + 1 for q in (0.1, 0.5, 0.9)}:
        quiet = (want.stage_counts() < alpha).flatten()
        assert 0 < quiet.sum() < 64
        near = found.stage_nearness(alpha)
        torch.testing.assert_close(near[quiet], want.stage_nearness(alpha)[quiet])
        # Of others it is known that they reached the threshold.
        assert (near[~quiet] >= 1).all()


# ---------------------------------------------------------------- counted by hand


def test_snntorch_neurons_are_counted_as_by_hand() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = with_weight([[1.0, 0.0], [0.0, 1.0]])
            self.lif = snntorch.Leaky(beta=1.0, reset_mechanism="subtract")

        def forward(self, x: Tensor) -> Tensor:
            mem, out = self.lif.reset_mem(), []
            for step in x:
                spk, mem = self.lif(self.fc(step), mem)
                out.append(spk)
            return torch.stack(out)

    # 0.6 1.2* 0.8 1.4* and 0.1 0.2 0.3 0.4; then nothing but 0.2 0.4 0.6 0.8
    found = seen(hooked(Net(), (2,), 2), [[0.6, 0.1], [0.2, 0.0]])
    assert found.layer_spikes.tolist() == [[2], [0]]
    assert found.neuron_spikes[0].tolist() == [2, 0]
    assert found.first_steps.tolist() == [[1], [4]]
    assert found.near.flatten().tolist() == pytest.approx([1.4, 0.8])
    # The input is the same at all steps: one MAC for each entry and weight that is
    # not 0, and nothing hears the spikes.
    assert found.cost.macs.tolist() == [2, 1]
    assert found.cost.acs.tolist() == [0, 0]
    assert found.cost.hardware.dense_ops == 4
    assert found.cost.hardware.states == 2
    assert found.cost.hardware.membrane_updates == 2 * T


@pytest.mark.parametrize("step", [False, True])
def test_norse_neurons_are_counted_as_by_hand(step: bool) -> None:
    # With these constants the membrane is the current, which adds up the input.
    given = norse.LIFParameters(
        tau_syn_inv=torch.tensor(0.0),
        tau_mem_inv=torch.tensor(1000.0),
        v_th=torch.tensor(0.5),
    )
    neurons = norse.LIFCell(given) if step else norse.LIF(given)
    net = norse.SequentialState(with_weight([[1.0], [-1.0]]), neurons)
    # 0.2 0.4 0.6* 0.8* of the first neuron; then 0.1 0.2 0.3 0.4
    found = seen(hooked(net, (1,), 2, step=step), [[0.2], [0.1]])
    assert found.layer_spikes.tolist() == [[2], [0]]
    assert found.neuron_spikes[0].tolist() == [2, 0]
    assert found.near.flatten().tolist() == pytest.approx([1.0, 0.8])
    assert found.cost.macs.tolist() == [2, 2]
    assert found.cost.hardware.states == 4  # membrane and current


def test_no_state_survives_a_batch() -> None:
    coded = torch.rand(T, 5, 1, 8, 8)
    for make, step in MAKERS:
        net = HookedNetwork(make(), genes(), (1, 8, 8), 10, step=step).eval()
        with torch.no_grad():
            first = net.observe(coded)
            net.observe(torch.rand(T, 5, 1, 8, 8))
            again = net.observe(coded)
        assert torch.equal(first.logits, again.logits)
        assert torch.equal(first.layer_counts(), again.layer_counts())
        assert torch.equal(first.stage_nearness(1), again.stage_nearness(1))


MAKERS: list[tuple[Callable[[], nn.Module], bool]] = [
    (own_nets.jelly, False),
    (own_nets.jelly_stepwise, True),
    (own_nets.Torch, False),
    (own_nets.torch_stepwise, True),
    (own_nets.norse_sequence, False),
    (own_nets.norse_cells, True),
]


@pytest.mark.parametrize(("whole", "stepwise"), [(0, 1), (4, 5)])
def test_a_step_at_a_time_is_the_same_as_all_at_once(whole: int, stepwise: int) -> None:
    one, other = MAKERS[whole][0](), MAKERS[stepwise][0]()
    weights = [p for p in one.parameters()]
    with torch.no_grad():
        for mine, theirs in zip(other.parameters(), weights, strict=True):
            mine.copy_(theirs * 3)
            theirs.copy_(mine)
    coded = torch.rand(T, 9, 1, 8, 8)
    with torch.no_grad():
        a = hooked(one, (1, 8, 8), 10).eval().observe(coded)
        b = hooked(other, (1, 8, 8), 10, step=True).eval().observe(coded)
    assert a.layer_counts().sum() > 0
    assert torch.equal(a.spikes[0], b.spikes[0])
    torch.testing.assert_close(a.stage_nearness(2), b.stage_nearness(2))
    torch.testing.assert_close(a.logits, b.logits)


# ------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(2, 3, 3, padding=1, stride=2),
        nn.Conv2d(2, 4, 2, groups=2, bias=False),
        nn.Conv2d(2, 2, 3, dilation=2, padding=2),
    ],
    ids=["strided", "grouped", "dilated"],
)
def test_operations_of_a_convolution_are_those_of_brute_force(conv: nn.Conv2d) -> None:
    with torch.no_grad():
        conv.weight[0, 0, 0, 0] = 0.0
    inputs = torch.rand(3, 2, 5, 5)
    inputs[inputs < 0.6] = 0.0
    places = conv(inputs)[0].numel()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.node = conv, own_nets.lif()
            self.read = nn.Linear(places, 2)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            out: Tensor = self.read(self.node(maps).flatten(2))
            return out

    found = seen(hooked(Net(), (2, 5, 5), 2), inputs.tolist())
    # One input at a time, every weight that is not 0 being 1: what it reaches.
    reached = torch.zeros(2, 5, 5)
    for at in np.ndindex(2, 5, 5):
        single = torch.zeros(1, 2, 5, 5)
        single[(0, *at)] = 1.0
        ones = (conv.weight != 0).float()
        reached[at] = conv._conv_forward(single, ones, None).sum()
    want = ((inputs != 0) * reached).sum((1, 2, 3))
    assert found.cost.macs.tolist() == want.tolist()
    spikes = found.layer_spikes[:, 0]
    assert found.cost.acs.tolist() == (2 * spikes).tolist()


def test_an_input_that_changes_is_worked_on_at_each_step() -> None:
    net = nn.Sequential(with_weight([[1.0, 1.0]]), own_nets.lif(9.0))
    frames = HookedNetwork(net, genes(coding="frames"), (2,), 1)
    batch = [[[1, 0], [0, 0], [0.5, 2], [1, 1]]]
    found = seen(frames, batch)
    assert found.cost.macs.tolist() == [5]
    # Only ones: then it adds.
    found = seen(frames, [[[1, 0], [0, 0], [1, 1], [1, 1]]])
    assert (found.cost.acs.tolist(), found.cost.macs.tolist()) == ([5], [0])


# --------------------------------------------------------- what is and is not heard


def test_spiking_modules_are_told_from_those_that_only_leak() -> None:
    assert library_of(norse.LIFCell()) == library_of(norse.LIF()) == "norse"
    assert library_of(norse.LICell()) is library_of(norse.LI()) is None
    assert library_of(snntorch.Synaptic(0.9, 0.9)) == "snntorch"
    assert library_of(own_nets.lif()) == "spikingjelly"
    assert library_of(nn.ReLU()) is None


def test_a_class_that_is_named_spikes_too_and_says_nothing_of_its_membrane() -> None:
    with pytest.raises(ConfigError, match=r"no spiking module that is known \(spiki"):
        hooked(own_nets.own(), (1, 8, 8), 10)
    network = hooked(
        own_nets.own(threshold=1e3),
        (1, 8, 8),
        10,
        taught=["tests.tasks.own_nets.Firing"],
    )
    assert not network.knows_membranes()
    found = seen(network, np.ones((3, 1, 8, 8)).tolist())
    assert found.layer_spikes.tolist() == [[0]] * 3
    assert found.near.tolist() == [[0]] * 3


def test_stages_are_modules_by_name() -> None:
    net = own_nets.Torch()
    names = hooked(net, (1, 8, 8), 10).stage_names
    assert names == [["lif1"], ["lif2"]]
    pair = hooked(own_nets.Torch(), (1, 8, 8), 10, stages=[["lif1", "lif2"]])
    assert pair.stage_names == [["lif1", "lif2"]]
    one = hooked(own_nets.Torch(threshold=1e6), (1, 8, 8), 10, stages=["lif2"])
    found = seen(one, np.ones((2, 1, 8, 8)).tolist())
    assert found.layer_spikes.shape == (2, 2)
    assert found.stage_spikes.shape == (2, 1)
    with pytest.raises(ConfigError, match=r"no spiking module 'lif3'\. Did you mean"):
        hooked(own_nets.Torch(), (1, 8, 8), 10, stages=["lif3"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (own_nets.silent_one, "no spiking module that is known"),
        (own_nets.wide_answer, "N x classes = 2 x 10, got 4 x 2 x 11"),
        (own_nets.shared_neuron, "was called 2 times and gave 4 x 2 x 8"),
    ],
)
def test_a_network_that_cannot_be_heard_says_so(
    make: Callable[[], nn.Module], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        hooked(make(), (1, 8, 8), 10)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "spiking",
    [
        neuron.LIFNode(),  # whose step_mode is "s" if nobody says more
        snntorch.Leaky(beta=0.5, init_hidden=True),
        norse.LIFCell(),
    ],
)
def test_all_steps_at_once_are_refused_by_a_neuron_that_makes_one(
    spiking: nn.Module,
) -> None:
    """It would take steps for samples: none of them would remember the last one."""
    net = Between(nn.Flatten(2), nn.Linear(64, 8), spiking, nn.Linear(8, 10))
    with pytest.raises(ConfigError, match=r"module spiking makes one step a call") as e:
        hooked(net, (1, 8, 8), 10)
    assert "4 x 2 x" in str(e.value)
    assert "\n" not in str(e.value)


class Between(nn.Module):
    """Layers around neurons, which may return a state as well."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        *before, self.spiking, self.after = parts
        self.before = nn.Sequential(*before)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.spiking(self.before(x))
        return self.after(spikes[0] if isinstance(spikes, tuple) else spikes)


def test_a_single_step_leaves_a_neuron_as_it_was() -> None:
    spiking = neuron.LIFNode()
    net = Between(nn.Flatten(2), nn.Linear(64, 8), spiking, nn.Linear(8, 10))
    heard = HookedNetwork(net, genes(time_steps=1), (1, 8, 8), 10)
    found = heard.observe(torch.zeros(1, 2, 1, 8, 8))
    assert found.stage_nearness(1).shape == (2, 1)
    assert spiking.step_mode == "s"


def test_graded_spikes_are_refused() -> None:
    net = nn.Sequential(
        with_weight([[1.0]]),
        snntorch.Leaky(beta=0.5, graded_spikes_factor=3.0, init_hidden=True),
    )
    with pytest.raises(ConfigError, match=r"the spiking module 1 gave 3: expected"):
        seen(hooked(net, (1,), 1, step=True), [[5.0]])
