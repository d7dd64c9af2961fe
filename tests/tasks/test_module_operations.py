"""Operations of somebody's network are counted as by hand, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
import snntorch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moosnn.errors import ConfigError
from moosnn.snn.cost import OF_OPERATIONS
from moosnn.snn.hooks_measure import metrics_of
from moosnn.snn.hooks_network import HookedNetwork
from moosnn.snn.silence import Edge
from tests.tasks import own_nets
from tests.tasks.own_nets import norse
from tests.tasks.test_module_hooks import T, genes, hooked, samples, seen, with_weight


class Shaped(nn.Module):
    """A layer of maps, a neuron for each entry, and a read-out."""

    def __init__(self, layer: nn.Module, shape: tuple[int, ...], **given: object):
        super().__init__()
        self.layer, self.given = layer, given
        entries = layer(torch.zeros(1, *shape), **given).numel()
        self.node, self.read = own_nets.lif(), nn.Linear(entries, 2)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.layer(x.flatten(0, 1), **self.given).unflatten(0, x.shape[:2])
        out: Tensor = self.read(self.node(maps).flatten(2))
        return out


@pytest.mark.parametrize(
    ("layer", "shape", "given"),
    [
        (nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1), (2, 5), {}),
        (nn.ConvTranspose2d(2, 4, 3, groups=2, padding=1), (2, 4, 4), {}),
        (nn.ConvTranspose2d(2, 2, 2, stride=3, dilation=2), (2, 3, 3), {}),
        (
            nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1),
            (1, 4, 4),
            {"output_size": (8, 8)},
        ),
        (nn.ConvTranspose3d(1, 2, 2, bias=False), (1, 2, 3, 2), {}),
    ],
    ids=["1d", "grouped", "dilated", "sized", "3d"],
)
def test_operations_of_a_transposed_convolution_are_those_of_brute_force(
    layer: nn.Module, shape: tuple[int, ...], given: dict[str, object]
) -> None:
    assert isinstance(layer.weight, nn.Parameter)
    with torch.no_grad():
        layer.weight.flatten()[::3] = 0.0
    inputs = torch.rand(3, *shape)
    inputs[inputs < 0.6] = 0.0
    found = seen(hooked(Shaped(layer, shape, **given), shape, 2), inputs.tolist())
    # One input at a time, every weight that is not 0 being 1: what it reaches.
    bias, layer.bias = layer.bias, None
    weight = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.copy_((weight != 0).float())
        reached = torch.zeros(shape)
        for at in np.ndindex(*shape):
            single = torch.zeros(1, *shape)
            single[(0, *at)] = 1.0
            reached[at] = layer(single, **given).sum().round()
        layer.weight.copy_(weight)
    layer.bias = bias
    want = ((inputs != 0) * reached).flatten(1).sum(1)
    assert want.min() > 0
    assert found.cost.macs.tolist() == want.tolist()
    assert found.cost.acs.tolist() == (2 * found.layer_spikes[:, 0]).tolist()


def norse_recurrent(kind: type, threshold: float = 0.5) -> nn.Module:
    """Two neurons whose membrane is the sum of all that they were given."""
    given = norse.LIFParameters(
        tau_syn_inv=torch.tensor(0.0),
        tau_mem_inv=torch.tensor(1000.0),
        v_th=torch.tensor(threshold),
    )
    neurons = kind(
        2,
        2,
        given,
        input_weights=torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
        recurrent_weights=torch.tensor([[0.0, -0.1], [0.0, 0.0]]),
    )
    return norse.SequentialState(neurons, with_weight([[1.0, 1.0], [0.0, 1.0]]))


@pytest.mark.parametrize("step", [False, True])
def test_norse_recurrent_weights_are_counted_as_by_hand(step: bool) -> None:
    kind = norse.LIFRecurrentCell if step else norse.LIFRecurrent
    found = seen(
        hooked(norse_recurrent(kind), (2,), 2, step=step), [[0.2, 0.1], [0.1, 0]]
    )
    # First sample: the current of neuron 2 is 0.3 0.6* 0.9* 1.2*. That of neuron 1 is
    # 0.2 0.4, then a step later 0.6 - 0.1 = 0.5 and 0.8 - 0.2 = 0.6 (its spikes' own).
    # Second sample: 0.1 0.2 0.3 0.4 each.
    spikes = found.neuron_spikes[0].tolist()
    assert found.layer_spikes.tolist() == [[sum(spikes)], [0]]
    assert spikes[1] == 3
    # Constant input, once: 0.2 meets two weights, 0.1 one; then 0.1 meets two.
    assert found.cost.macs.tolist() == [3, 2]
    # Spikes but those of the last step meet the one recurrent weight of neuron 2; each
    # meets the read-out: one weight of neuron 1, two of neuron 2.
    assert found.cost.acs.tolist() == [2 * 1 + spikes[0] * 1 + 3 * 2, 0]
    assert found.cost.hardware.dense_ops == 4 + T * (4 + 4)
    assert found.cost.hardware.weights == 12
    assert found.cost.hardware.zero_weights == 1 + 3 + 1


def test_a_recurrent_neuron_alone_has_operations() -> None:
    network = hooked(norse.LIFRecurrentCell(3, 2), (3,), 2, step=True)
    found = seen(network, [[1, 0, 1], [0, 0, 0]])
    assert found.cost.acs[1] == 0
    assert found.cost.acs[0] + found.cost.macs[0] >= 2 * 2


@pytest.mark.parametrize("whole", [False, True])
def test_snntorch_recurrence_is_counted_as_by_hand(whole: bool) -> None:
    wired = {"linear_features": 2} if whole else {"V": 0.5, "all_to_all": False}
    neurons = snntorch.RLeaky(
        beta=1.0, reset_mechanism="none", init_hidden=True, **wired
    )
    if whole:
        with torch.no_grad():
            neurons.recurrent.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
            neurons.recurrent.bias.zero_()
    net = nn.Sequential(with_weight([[1.0, 0.0], [0.0, 1.0]]), neurons)
    # 0.6 1.2* * *: it hears itself from the third step on
    found = seen(hooked(net, (2,), 2, step=True), [[0.6, 0.0], [0.1, 0.2]])
    assert found.layer_spikes.tolist() == [[3], [0]]
    assert found.cost.macs.tolist() == [1, 2]
    assert found.cost.acs.tolist() == [2, 0]


def test_a_layer_that_is_called_at_two_sizes_is_counted_at_both() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 2, bias=False)
            self.node, self.read = own_nets.lif(1e9), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            wide = self.conv(input=x.flatten(0, 1))
            narrow = self.conv(x[..., :2, :2].flatten(0, 1))
            maps = (wide + narrow).unflatten(0, x.shape[:2])
            out: Tensor = self.read(self.node(maps).flatten(2))
            return out

    found = seen(hooked(Twice(), (1, 3, 3), 2), np.ones((2, 1, 3, 3)).tolist())
    # Four places of four weights, and one.
    assert (found.cost.acs + found.cost.macs).tolist() == [4 * 4 + 4] * 2


class Attentive(nn.Module):
    """Attention between the rows of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.node, self.read = own_nets.lif(), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 2)
        heard, _ = self.attention(rows, rows, rows)
        out: Tensor = self.read(self.node(heard.unflatten(0, x.shape[:2])).flatten(2))
        return out


class Multiplied(Attentive):
    """The same without a module for it."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(2, 3)
        heard = rows @ rows.transpose(2, 3) @ rows
        out: Tensor = self.read(self.node(heard).flatten(2))
        return out


class Bare(Attentive):
    """A weight that is no module's."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.node(x).flatten(2), self.read.weight)


class Long(nn.Module):
    """An LSTM before the neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.node = nn.LSTM(64, 6), own_nets.lif()
        self.read = nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.read(self.node(self.memory(x.flatten(2))[0]))
        return out


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (Attentive, r"attention \(MultiheadAttention\)"),
        (Multiplied, r"network \(Multiplied\)"),
        (Bare, r"network \(Bare\)"),
        (Long, r"memory \(LSTM\)"),
    ],
)
def test_what_cannot_be_counted_is_refused_or_not_told(
    make: type[nn.Module], where: str
) -> None:
    with pytest.raises(ConfigError, match=rf"operations in {where}: .*=false") as e:
        hooked(make(), (1, 8, 8), 10)
    assert "\n" not in str(e.value)
    network = hooked(make(), (1, 8, 8), 10, counted=False)
    found, sems = metrics_of(
        network,
        samples(np.ones((3, 1, 8, 8)).tolist()),
        Edge(),
        torch.Generator(),
        answered=True,
    )
    assert not {*OF_OPERATIONS} & {*found, *sems}
    assert found["membrane_updates"] == T * network.blueprint.neurons


def test_neurons_of_a_library_may_multiply_inside() -> None:
    from spikingjelly.activation_based import neuron

    net = nn.Sequential(
        nn.Flatten(2), nn.Linear(64, 8), neuron.PSN(T), nn.Linear(8, 10)
    )
    found = seen(
        HookedNetwork(net, genes(), (1, 8, 8), 10), np.ones((2, 1, 8, 8)).tolist()
    )
    assert found.cost.hardware.dense_ops == 64 * 8 + T * 8 * 10
